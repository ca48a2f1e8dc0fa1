"""Copies of images with too little texture for key points: snow, water, smooth ground.

Images of the same pixels have the same digest. Images that were encoded or enlarged anew have the
same mean gray levels in a grid of cells, and the same details beside wide changes of brightness.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from landslide_cli.imagery.overlap.features import SIGNATURE, Features, Floats

# Polynomials of these degrees along rows and columns are no detail: light, haze and vignetting are
# alike on different ground. Coarse details are enough if hardly anything differs beside them.
COARSE, FINE = 2, 5
FAINTEST = 0.2  # gray levels of root mean square that details must have
CORRELATION = 0.9
LEVELS = 1.5  # gray levels of root mean square that the cells of copies may differ by
SHARE = 0.15  # of the coarse details that they may differ by, if the fine ones do not tell
ASPECT = 0.03  # that the ratios of the sides may differ by
BLOCK = 1024  # images compared at a time


@dataclass(frozen=True, order=True)
class DuplicatePair:
    """Two images of the same content; turns by 90 degrees of the (mirrored) first one lead there.

    The turns are counterclockwise, as `np.rot90` makes them, after the mirroring left to right.
    """

    first: int
    second: int
    mirrored: bool
    turns: int


def copies_among(firsts: Sequence[Features], seconds: Sequence[Features]) -> list[DuplicatePair]:
    """Find the pairs of a first and a second image that are copies of each other, sorted."""
    best: dict[tuple[int, int], DuplicatePair] = {}
    for copy in (*_identical(firsts, seconds), *_alike(firsts, seconds)):
        best.setdefault((copy.first, copy.second), copy)
    return sorted(best.values())


def _identical(firsts: Sequence[Features], seconds: Sequence[Features]) -> Iterator[DuplicatePair]:
    known: dict[bytes, list[int]] = defaultdict(list)
    for number, features in enumerate(seconds):
        if not features.flat:
            known[features.digest].append(number)
    for number, features in enumerate(firsts):
        for second in known.get(features.digest, ()):
            yield DuplicatePair(number, second, False, 0)


def _alike(firsts: Sequence[Features], seconds: Sequence[Features]) -> Iterator[DuplicatePair]:
    """Compare the cells of all pairs, in blocks, for the eight ways to lay an image on another."""
    ours, theirs = _cells(firsts), _cells(seconds)
    details = _directions(_details(theirs, COARSE))
    for mirror in (False, True):
        for turns in range(4):
            laid = np.rot90(ours[:, :, ::-1] if mirror else ours, turns, axes=(1, 2))
            for start in range(0, len(laid), BLOCK):
                block = _directions(_details(laid[start : start + BLOCK], COARSE))
                for row, second in np.argwhere(block @ details.T >= CORRELATION):
                    first = start + int(row)
                    if _same_form(firsts[first], seconds[second], turns) and _same_levels(
                        laid[first], theirs[second]
                    ):
                        yield DuplicatePair(first, int(second), mirror, turns)


def _same_form(first: Features, second: Features, turns: int) -> bool:
    sides = (first.width, first.height)[:: -1 if turns % 2 else 1]
    stretched = sides[0] * second.height / (sides[1] * second.width)
    return abs(math.log(stretched)) <= ASPECT


def _same_levels(first: Floats, second: Floats) -> bool:
    """Whether two images, (rows, cols) of cells, are as alike as encoding leaves them."""
    both = np.stack([first, second])
    off = float(np.sqrt(np.square(first - second).mean()))
    coarse = float(np.sqrt(np.square(_details(both, COARSE)).mean(axis=1)).min())
    a, b = _directions(_details(both, FINE))
    return off <= LEVELS and (float(a @ b) >= CORRELATION or off <= SHARE * coarse)


def _cells(features: Sequence[Features]) -> Floats:
    cells = [image.signature for image in features]
    return np.array(cells, np.float32).reshape(-1, SIGNATURE, SIGNATURE)


def _details(cells: Floats, degree: int) -> Floats:
    """Return what a polynomial surface leaves of (images, rows, cols), as (images, cells)."""
    powers = np.vander(np.linspace(-1, 1, SIGNATURE), degree + 1)
    basis, _ = np.linalg.qr(powers)
    smooth = np.asarray(basis @ basis.T, np.float32)
    return np.asarray((cells - smooth @ cells @ smooth).reshape(-1, SIGNATURE**2), np.float32)


def _directions(details: Floats) -> Floats:
    """Scale details, (images, cells), to norm 1; to 0 if they are too faint to tell anything."""
    norms = np.linalg.norm(details, axis=1, keepdims=True)
    faint = norms < FAINTEST * SIGNATURE
    return np.asarray(np.where(faint, 0, details / np.where(faint, 1, norms)), np.float32)
