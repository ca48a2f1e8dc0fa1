"""Outlines of the objects in a class mask that arrives in pieces, as seamless polygons.

Of a piece only the corners of its objects are kept, from which `rings` makes polygons in the end.
A corner shows in the 2 x 2 pixels around it, so a piece needs of its neighbours one row and one
column of pixels; and no outline has a trace of the cuts that its mask went through.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from landslide_cli.core.components import merged
from landslide_cli.core.palette import Mask
from landslide_cli.imagery.vector.rings import CORNER, Numbers, Records, polygons_of
from landslide_cli.imagery.vector.row_runs import RowRuns, turns_of

# A part is a set of pixels of one class that touch by sides; parts that touch by corners are one
# outline. Parts are numbered from 1 over all pieces, and 0 means none.
_PIXEL = np.dtype([("index", np.uint8), ("part", np.int64)])
# More than these would take many times their own memory in passing.
_CORNERS_AT_ONCE = 2**16

_PART = np.dtype(
    [("index", np.uint8), ("pixels", np.int64), ("total", np.float64), ("least", np.float32)]
)


# Row, column and class of an outline's upper left pixel.
Place = tuple[int, int, int]


@dataclass(frozen=True)
class Outline:
    """The pixels of a class that touch by sides or corners.

    `polygon` is valid: a Polygon, or a MultiPolygon where pixels touch by corners only. Its
    coordinates are in pixels, x the column and y the row of pixel corners, so that the first pixel
    of the mask reaches from 0 to 1. The probabilities are over its pixels. `is_cut` tells that it
    may go on beyond the mask's data (`data_edges`).
    """

    index: int
    polygon: shapely.Geometry
    pixels: int
    mean_probability: float
    min_probability: float
    is_cut: bool = False


@dataclass(frozen=True)
class _Sheet:
    """A piece below and right of the pixels that it touches: (rows + 1, cols + 1) class indices.

    `above` (cols + 1) and `left` (rows + 1) say of which parts its first row and column are.
    """

    pixels: Mask
    above: Records
    left: Records


@dataclass(frozen=True)
class _Parts:
    """The parts of a class in a sheet; `numbers` are theirs over all pieces, by that in the sheet.

    The last of `numbers`, which -1 takes, is 0 for none.
    """

    index: int
    runs: RowRuns
    numbers: Numbers


class Outliner:
    """Outlines the objects of a class mask that arrives in pieces.

    Pieces come in blocks of columns from left to right, each block's bands of rows from top to
    bottom, without gaps. The outlines are the same however the mask is cut; their mean
    probabilities up to the rounding of float64 sums. Memory grows with the corners of the outlines
    and the rows of the mask, not with its area.
    """

    def __init__(self, classes: int):
        """Expect the class indices 0, background, to `classes` - 1; the rest are no data."""
        self._classes = classes
        self._corners = [np.zeros(0, CORNER)]
        self._parts = [np.zeros(1, _PART)]
        self._count = 1
        # What is built already, by the upper left pixel and the class.
        self._done: list[tuple[Place, Outline]] = []
        # Pairs of numbers: those that two pieces gave to one part; those of parts that touch.
        self._same = [np.zeros((0, 2), np.int64)]
        self._touching = [np.zeros((0, 2), np.int64)]
        # The place of the next piece; the last row of the block's last piece; the block's last
        # column, by pieces; the last column of the block before, from a pixel above the mask on.
        self._row_off, self._col_off = 0, 0
        self._above = np.zeros(0, _PIXEL)
        self._right = [np.zeros(1, _PIXEL)]
        self._left = np.zeros(1, _PIXEL)

    def add(self, row_off: int, col_off: int, mask: Mask, probability: NDArray[np.float32]) -> None:
        """Take in the next piece.

        Args:
            row_off: its first row in the mask.
            col_off: its first column in the mask.
            mask: (rows, cols) class indices.
            probability: (rows, cols) of each pixel's class, in [0, 1].

        Raises:
            ValueError: the piece is neither the next of its block nor the first of the next block.
        """
        if row_off == 0:
            self._close_block()
            self._above = np.zeros(mask.shape[1], _PIXEL)
        place = (row_off, col_off, mask.shape[1])
        expected = (self._row_off, self._col_off, len(self._above))
        if place != expected:
            raise ValueError(f"a piece with row, column and width {place}; expected {expected}")
        self._take(mask, probability)

    def finish(self) -> list[Outline]:
        """Return the outlines, by their upper left pixel: its row, then its column."""
        self._close_block()
        self._above = np.zeros(1, _PIXEL)
        self._take_background(len(self._left))
        self._build(np.zeros(0, np.int64))
        return [outline for _, outline in sorted(self._done, key=lambda pair: pair[0])]

    def settle(self) -> None:
        """Build the outlines that no later piece can touch, so that less remains for the end."""
        at_edges = [self._above, self._left, *self._right]
        self._build(np.unique(np.concatenate([line["part"] for line in at_edges])))

    def _build(self, unfinished: Numbers) -> None:
        """Build all outlines but those of the given parts."""
        corners, parts = np.concatenate(self._corners), np.concatenate(self._parts)
        same, touching = np.concatenate(self._same), np.concatenate(self._touching)
        outline_of = merged(len(parts), np.concatenate([same, touching]))
        waits = np.isin(outline_of[corners["part"]], outline_of[unfinished])
        part_of = merged(len(parts), same)
        self._done += _outlines(corners[~waits], parts, part_of, outline_of)
        self._corners, self._parts = [corners[waits]], [parts]
        self._same, self._touching = [same], [touching]

    def _close_block(self) -> None:
        cols = len(self._above)
        if cols == 0:
            return
        self._take_background(1)
        self._left = np.concatenate(self._right)
        self._row_off, self._col_off = 0, self._col_off + cols
        self._above, self._right = np.zeros(0, _PIXEL), [np.zeros(1, _PIXEL)]

    def _take_background(self, rows: int) -> None:
        """Take in rows beyond the mask, so that the corners on its rim are found."""
        shape = (rows, len(self._above))
        self._take(np.zeros(shape, np.uint8), np.zeros(shape, np.float32))

    def _take(self, mask: Mask, probability: NDArray[np.float32]) -> None:
        sheet = _sheet(mask, self._above, self._left[self._row_off :])
        bottom, right = np.zeros_like(sheet.above), np.zeros_like(sheet.left)
        for index in range(1, self._classes):
            image = sheet.pixels == index
            runs = RowRuns.of(image)
            if len(runs):
                parts = _parts(index, runs, self._count)
                self._keep(parts, sheet, image[1:, 1:], probability)
                _write(bottom, index, parts.numbers[runs.line(len(mask))])
                _write(right, index, parts.numbers[runs.last_column()])
        self._row_off += len(mask)
        self._above = bottom[1:]
        self._right.append(right[1:])

    def _keep(
        self,
        parts: _Parts,
        sheet: _Sheet,
        inside: NDArray[np.bool_],
        probability: NDArray[np.float32],
    ) -> None:
        turns = turns_of(parts.runs)
        corners = np.zeros(len(turns.turn), CORNER)
        # The pixels of a sheet begin one above and left of its piece.
        corners["x"] = turns.col + (self._col_off - 1)
        corners["y"] = turns.row + (self._row_off - 1)
        corners["part"], corners["turn"] = parts.numbers[turns.part], turns.turn
        self._corners.append(corners)
        self._touching.append(parts.numbers[turns.touching])
        self._same.append(_known(parts, sheet))
        self._parts.append(_statistics(parts, probability[inside]))
        self._count += len(parts.numbers) - 1


def _sheet(mask: Mask, above: Records, left: Records) -> _Sheet:
    """Set a piece below and right of its neighbours; `left` begins one row above it."""
    rows, cols = mask.shape
    beside = np.zeros(rows + 1, _PIXEL)
    beside[: len(left)] = left[: rows + 1]
    over = np.concatenate([beside[:1], above])
    pixels = np.empty((rows + 1, cols + 1), np.uint8)
    pixels[1:, 1:], pixels[0], pixels[:, 0] = mask, over["index"], beside["index"]
    return _Sheet(pixels, over, beside)


def _parts(index: int, runs: RowRuns, first: int) -> _Parts:
    numbers = np.arange(first, first + int(runs.parts.max()) + 2)
    numbers[-1] = 0
    return _Parts(index, runs, numbers)


def _write(line: Records, index: int, parts: Numbers) -> None:
    """Write a class's parts into the last row or column of a sheet, for the next pieces."""
    line["index"][parts > 0] = index
    line["part"][parts > 0] = parts[parts > 0]


def _known(parts: _Parts, sheet: _Sheet) -> Numbers:
    """Pair the numbers that the parts have in earlier pieces with those they have here.

    Returns:
        (pairs, 2).
    """
    lines = [
        (sheet.above["part"], parts.numbers[parts.runs.line(0)]),
        (sheet.left["part"], parts.numbers[parts.runs.first_column()]),
    ]
    pairs = np.concatenate([np.column_stack([before, here])[here > 0] for before, here in lines])
    # Most are like the pair before: what is left is sorted in a moment.
    return np.unique(pairs[np.diff(pairs, axis=0, prepend=0).any(axis=1)], axis=0)


def _statistics(parts: _Parts, values: NDArray[np.float32]) -> Records:
    """Count the parts' pixels in the piece, without its neighbours', and sum their probabilities.

    Args:
        parts: of the sheet.
        values: the probabilities of the class's pixels in the piece.

    Returns:
        (parts,) of `_PART`.
    """
    runs, count = parts.runs, len(parts.numbers) - 1
    first = int(np.searchsorted(runs.starts, runs.pitch))
    starts = runs.starts[first:]
    lengths = runs.stops[first:] - starts - (starts % runs.pitch == 0)
    part, lengths = runs.parts[first:][lengths > 0], lengths[lengths > 0]
    begins = lengths.cumsum() - lengths
    statistics = np.zeros(count, _PART)
    statistics["index"], statistics["least"] = parts.index, np.inf
    statistics["pixels"] = np.bincount(part, weights=lengths, minlength=count)
    if len(part):
        totals = np.add.reduceat(values.astype(np.float64), begins)
        statistics["total"] = np.bincount(part, weights=totals, minlength=count)
        np.minimum.at(statistics["least"], part, np.minimum.reduceat(values, begins))
    return statistics


def _outlines(
    corners: Records, parts: Records, part_of: Numbers, outline_of: Numbers
) -> list[tuple[Place, Outline]]:
    """Build the outlines that the corners belong to; each with its place."""
    if len(corners) == 0:
        return []
    corners["part"] = part_of[corners["part"]]
    # By the upper left pixel, which has the first corner.
    order = np.lexsort((corners["x"], corners["y"]))
    roots, first = np.unique(outline_of[corners["part"][order]], return_index=True)
    places = np.zeros(len(parts), np.int64)
    places[roots] = np.arange(len(roots))
    polygons = _polygons(corners, places[outline_of])
    built = np.isin(outline_of, roots)
    outlines = _described(polygons, parts[built], places[outline_of[built]])
    upper_left = corners[order[first]]
    rows, cols = upper_left["y"].tolist(), upper_left["x"].tolist()
    return [
        ((row, col, outline.index), outline)
        for row, col, outline in zip(rows, cols, outlines, strict=True)
    ]


def _polygons(corners: Records, places: Numbers) -> NDArray[np.object_]:
    """Build the polygons, `places` by number of part, in chunks."""
    place = places[corners["part"]]
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    bounds = [0]
    while bounds[-1] < len(starts):
        enough = np.searchsorted(starts, starts[bounds[-1]] + _CORNERS_AT_ONCE)
        bounds.append(max(bounds[-1] + 1, int(enough)))
    ends = np.append(starts, len(order))

    def built(begin: int, end: int) -> NDArray[np.object_]:
        return polygons_of(corners[order[ends[begin] : ends[end]]], places - begin)

    # Nearly all of the time is spent in compiled code.
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(built, bounds[:-1], bounds[1:])))


def _described(polygons: NDArray[np.object_], parts: Records, places: Numbers) -> list[Outline]:
    """Put together the polygons of the outlines and the statistics of the parts at their places."""
    pixels, least = np.zeros(len(polygons), np.int64), np.full(len(polygons), np.inf)
    np.add.at(pixels, places, parts["pixels"])
    np.minimum.at(least, places, parts["least"].astype(np.float64))
    index = np.zeros(len(polygons), np.uint8)
    index[places] = parts["index"]
    mean = np.bincount(places, weights=parts["total"], minlength=len(polygons)) / pixels
    columns = (index.tolist(), polygons, pixels.tolist(), mean.tolist(), least.tolist())
    return [Outline(*row) for row in zip(*columns, strict=True)]
