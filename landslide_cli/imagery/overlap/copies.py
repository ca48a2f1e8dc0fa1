"""Copies of images with too little texture for key points: snow, water, smooth ground.

Images of the same pixels have the same digest. Images that were encoded or enlarged anew have the
same mean gray levels in a grid of cells, and the same small differences between neighbouring cells.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.overlap.features import SIGNATURE, Features

Floats = NDArray[np.float32]

SIGMA = 4.0  # cells; wider differences (haze, vignetting) are alike on different ground
FAINTEST = 0.2  # gray levels of root mean square that differences between cells must have
CORRELATION = 0.9
LEVELS = 1.5  # gray levels of root mean square that the cells of copies may differ by
ASPECT = 0.03  # that the ratios of the sides may differ by
BLOCK = 1024  # images compared at a time


@dataclass(frozen=True, order=True)
class Copy:
    """Two images of the same content; turns by 90 degrees of the (mirrored) first one lead there.

    The turns are counterclockwise, as `np.rot90` makes them, after the mirroring left to right.
    """

    first: int
    second: int
    mirrored: bool
    turns: int


def copies_among(firsts: Sequence[Features], seconds: Sequence[Features]) -> list[Copy]:
    """Find the pairs of a first and a second image that are copies of each other, sorted."""
    best: dict[tuple[int, int], Copy] = {}
    for copy in (*_identical(firsts, seconds), *_alike(firsts, seconds)):
        best.setdefault((copy.first, copy.second), copy)
    return sorted(best.values())


def _identical(firsts: Sequence[Features], seconds: Sequence[Features]) -> Iterator[Copy]:
    known: dict[bytes, list[int]] = defaultdict(list)
    for number, features in enumerate(seconds):
        if not features.flat:
            known[features.digest].append(number)
    for number, features in enumerate(firsts):
        for other in known.get(features.digest, ()):
            yield Copy(number, other, False, 0)


def _alike(firsts: Sequence[Features], seconds: Sequence[Features]) -> Iterator[Copy]:
    """Compare the cells of all pairs, in blocks, for the eight ways to lay an image on another."""
    ours, theirs = _cells(firsts), _cells(seconds)
    details = _details(theirs)
    for mirror in (False, True):
        for turns in range(4):
            laid = np.rot90(ours[:, :, ::-1] if mirror else ours, turns, axes=(1, 2))
            for start in range(0, len(laid), BLOCK):
                block = laid[start : start + BLOCK]
                for row, second in np.argwhere(_details(block) @ details.T >= CORRELATION):
                    first = start + int(row)
                    off = np.sqrt(np.square(block[row] - theirs[second]).mean())
                    if off <= LEVELS and _same_form(firsts[first], seconds[second], turns):
                        yield Copy(first, int(second), mirror, turns)


def _cells(features: Sequence[Features]) -> Floats:
    return np.array([one.signature for one in features], np.float32).reshape(
        -1, SIGNATURE, SIGNATURE
    )


def _details(cells: Floats) -> Floats:
    """Differences of cells from their surroundings, (images, cells), of norm 1; 0 if too faint."""
    smooth = [cv2.GaussianBlur(np.ascontiguousarray(one), (0, 0), SIGMA) for one in cells]
    details = (cells - np.array(smooth, np.float32).reshape(cells.shape)).reshape(len(cells), -1)
    strength = np.sqrt(np.square(details).sum(axis=1, keepdims=True))
    faint = strength < FAINTEST * SIGNATURE
    return np.asarray(np.where(faint, 0, details / np.where(faint, 1, strength)), np.float32)


def _same_form(first: Features, second: Features, turns: int) -> bool:
    sides = (first.width, first.height)[:: -1 if turns % 2 else 1]
    return abs(np.log(sides[0] * second.height / (sides[1] * second.width))) <= ASPECT
