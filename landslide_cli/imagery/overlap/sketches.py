"""Sketches: what little is kept of an image to recognise copies of it, wherever it lies by then.

A sketch is the image in 16 x 16 gray cells, 256 bytes, so that a model can carry those of the
scenes that it has learned from. Copies are encoded anew, resized, stretched, turned by quarters,
mirrored, made brighter or darker; by so few cells a part of an image is not recognised.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.imagery.overlap.features import BLANK, Floats, gray_of

Sketch = NDArray[np.uint8]  # (SIDE, SIDE): 1 to 255 from the darkest to the lightest cell, 0 blank

SIDE = 16
# Longer side, in pixels, of the reduced image that cells are averages of: blank areas have one
# size on all images.
REDUCED = 256
BLANK_SIDE = 5  # pixels; the least side of a blank area
RIM = 5  # pixels around it that are left out as well
FAINTEST = 0.2  # gray levels of root mean square that the details must have to tell anything
AROUND = 5  # cells; what is not explained by the mean of these around a cell is detail
FAINT = 0.2  # of the strength of all details; what is fainter than this in its place stays faint
FEWEST = 64  # cells that two sketches must have in common
# Of details; measured in docs/splits.md.
CORRELATION = 0.9
BLOCK = 1024  # sketches compared at a time


@dataclass(frozen=True, order=True)
class Likeness:
    """A sketch, by its number, that is a copy of a reference; details correlate so much."""

    query: int
    reference: int
    correlation: float


def sketch_of(image: Image) -> Sketch:
    """Sketch an image, (rows, cols, bands) uint8 of at least one pixel and one band.

    Cells of black or white areas, such as the frame of a mosaic, are blank; all are where the image
    shows nothing else.
    """
    gray = _to_size(gray_of(image))
    ground = _ground(gray)
    shares = _averaged(ground)
    shown = shares >= 0.5
    cells = np.where(shown, _averaged(gray * ground) / np.maximum(shares, 0.5), 0)
    details = _details(cells[None], shown[None])
    if np.sqrt(np.square(details).sum() / max(1, shown.sum())) < FAINTEST:
        return np.zeros((SIDE, SIDE), np.uint8)
    low, high = cells[shown].min(), cells[shown].max()
    return np.where(shown, 1 + np.rint(254 * (cells - low) / (high - low)), 0).astype(np.uint8)


def sketch_to_text(sketch: Sketch) -> str:
    """Write a sketch as text, 344 characters of base64; empty if all of it is blank."""
    return base64.urlsafe_b64encode(sketch.tobytes()).decode("ascii") if sketch.any() else ""


def sketch_from_text(text: str) -> Sketch:
    """Read a sketch that `sketch_to_text` wrote.

    Raises:
        ValueError: it is none.
    """
    try:
        values = base64.b64decode(text, b"-_", validate=True) if text else bytes(SIDE * SIDE)
    except binascii.Error as error:
        raise ValueError(f"is no base64: {error}") from None
    if len(values) != SIDE * SIDE:
        raise ValueError(f"has {len(values)} bytes instead of {SIDE * SIDE}")
    return np.frombuffer(values, np.uint8).reshape(SIDE, SIDE)


def find_copies(queries: Sequence[Sketch], references: Sequence[Sketch]) -> list[Likeness]:
    """Find the queries that are copies of a reference, each with the most alike, sorted."""
    if not queries or not references:
        return []
    theirs = _Details.of(references)
    found: list[Likeness] = []
    for start in range(0, len(queries), BLOCK):
        correlations = _correlations(queries[start : start + BLOCK], theirs)
        best = correlations.argmax(axis=1)
        found += [
            Likeness(start + row, int(reference), float(correlations[row, reference]))
            for row, reference in enumerate(best)
            if correlations[row, reference] >= CORRELATION
        ]
    return found


@dataclass(frozen=True, eq=False)
class _Details:
    """Details of n sketches, (n, cells), 0 in blank cells, and where cells are shown, 0 or 1."""

    values: Floats
    shown: Floats

    @classmethod
    def of(cls, sketches: Sequence[Sketch]) -> "_Details":
        cells = np.asarray(sketches, np.uint8)
        shown = cells > 0
        values = _evened(_details(cells.astype(np.float32), shown), shown)
        return cls(values.reshape(len(cells), -1), shown.reshape(len(cells), -1).astype(np.float32))


def _correlations(queries: Sequence[Sketch], theirs: _Details) -> Floats:
    """Return the correlation of details, (queries, references), in the best of eight positions."""
    best = np.zeros((len(queries), len(theirs.values)), np.float32)
    for ours in _positions(_Details.of(queries)):
        # Over the cells that both show, which differ from pair to pair.
        squares = (np.square(ours.values) @ theirs.shown.T) * (
            ours.shown @ np.square(theirs.values).T
        )
        products = ours.values @ theirs.values.T
        enough = (ours.shown @ theirs.shown.T >= FEWEST) & (squares > 0)
        correlation = products / np.sqrt(np.where(enough, squares, 1))
        best = np.maximum(best, np.where(enough, correlation, 0))
    return best


def _positions(details: _Details) -> Iterator[_Details]:
    """Turn and mirror the sketches of details in all eight ways."""
    both = np.stack([details.values, details.shown]).reshape(2, -1, SIDE, SIDE)
    for mirrored in (both, both[..., ::-1]):
        for turns in range(4):
            values, shown = np.rot90(mirrored, turns, axes=(2, 3)).reshape(2, -1, SIDE * SIDE)
            yield _Details(values, shown)


def _to_size(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, cols = gray.shape
    ratio = REDUCED / max(rows, cols)
    size = max(1, round(cols * ratio)), max(1, round(rows * ratio))
    how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(gray, size, interpolation=how), np.uint8)


def _ground(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return 0 in and around areas of black or white, and 1 elsewhere."""
    whole = np.ones((BLANK_SIDE, BLANK_SIDE), np.uint8)
    black, white = cv2.dilate(gray, whole) <= BLANK[0], cv2.erode(gray, whole) >= BLANK[1]
    around = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    return np.asarray(1 - cv2.dilate((black | white).astype(np.uint8), around), np.float32)


def _averaged(values: NDArray[np.float32]) -> Floats:
    return np.asarray(cv2.resize(values, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _details(cells: Floats, shown: NDArray[np.bool_]) -> Floats:
    """Return what (n, SIDE, SIDE) cells differ by from the mean of those around them; 0 if blank.

    Light, haze and vignetting, which a surface of second degree explains, are no details.
    """
    weights = shown.astype(np.float32)
    rest = (cells - _surfaces(cells, weights)) * weights
    means = _sums(rest) / np.maximum(_sums(weights), 1)
    return np.asarray((rest - means) * weights, np.float32)


def _evened(details: Floats, shown: NDArray[np.bool_]) -> Floats:
    """Scale (n, SIDE, SIDE) details to about one strength all over: no single thing decides."""
    weights, squares = shown.astype(np.float32), np.square(details)
    around = np.sqrt(_sums(squares) / np.maximum(_sums(weights), 1))
    counts = np.maximum(weights.sum(axis=(1, 2), keepdims=True), 1)
    overall = np.sqrt(squares.sum(axis=(1, 2), keepdims=True) / counts)
    return np.asarray(details / np.maximum(around + FAINT * overall, 1e-6), np.float32)


def _surfaces(cells: Floats, weights: Floats) -> Floats:
    """Fit a surface of second degree to the cells of weight 1, by least squares; both as above."""
    x, y = np.meshgrid(*[np.linspace(-1, 1, SIDE)] * 2)
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    products = np.einsum("nrc,irc,jrc->nij", weights, basis, basis, optimize=True)
    targets = np.einsum("nrc,irc->ni", cells * weights, basis, optimize=True)
    # What keeps a few cells, which would fit many surfaces, from having none.
    steady = products + 1e-3 * np.eye(len(basis))
    factors = np.linalg.solve(steady, targets[..., None])[..., 0]
    return np.asarray(np.einsum("ni,irc->nrc", factors, basis), np.float32)


def _sums(cells: Floats) -> Floats:
    """Add up, for each of (n, SIDE, SIDE) cells, those around it and itself."""
    reach = AROUND // 2
    padded = np.pad(cells, ((0, 0), (reach, reach), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (AROUND, AROUND), axis=(1, 2))
    return np.asarray(windows.sum(axis=(-2, -1)), np.float32)
