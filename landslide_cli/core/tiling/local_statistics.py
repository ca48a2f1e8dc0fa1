"""Local statistics of a scene: mean and contrast in cells all over it, measured in strips."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.source import Piece, Source

# Approximate side of a cell, in pixels of the model.
_CELL_SIDE = 256

# Scenes of up to `_MAX_ROWS` rows are read in full, in strips of `_STRIP_ROWS`; of taller ones only
# two such strips per row of cells.
_MAX_ROWS, _STRIP_ROWS = 2048, 128


@dataclass(frozen=True)
class CellAxis:
    """The `count` cells along an axis of `length` scene pixels; `first` is the first one known."""

    length: int
    count: int
    first: int = 0

    @property
    def size(self) -> float:
        return self.length / self.count

    def covering(self, start: int, stop: int) -> range:
        """Return the cells needed to interpolate at the scene's pixels `start` to `stop - 1`."""
        before = math.floor(start / self.size - 0.5)
        after = math.ceil(stop / self.size - 0.5)
        return range(max(0, before), min(self.count, after + 1))

    def span(self, cell: int) -> tuple[int, int]:
        """Return the first pixel of a cell, and the one after its last."""
        return round(cell * self.size), round((cell + 1) * self.size)

    def interpolation(
        self, offset: int, length: int, scale: float, known: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Locate model pixels between the centres of the `known` cells from `first` on.

        Args:
            offset: the first pixel, of the resized scene.
            length: how many pixels.
            scale: the factor that the scene was resized by.
            known: number of known cells.

        Returns:
            For each pixel the indices of the known cells before and after it, and the weight of
            the latter, in [0, 1).
        """
        positions = (offset + np.arange(length) + 0.5) / scale / self.size - 0.5
        # Counted from the scene's first cell, so that rounding is the same in all parts.
        positions = np.clip(positions, self.first, self.first + known - 1.0)
        before = positions.astype(np.intp)
        after = np.minimum(before + 1, self.first + known - 1)
        weight = (positions - before).astype(np.float32)
        return before - self.first, after - self.first, weight


@dataclass(frozen=True)
class LocalStatistics:
    """The statistics that a part of a scene is standardized by.

    `cells`, (rows, cols, 1 + bands + 1), holds per cell the share of its pixels with data, the mean
    of each band, and the standard deviation averaged over the bands, the latter two multiplied by
    that share, so that interpolation weights cells by their data. `changed` are the positions of
    the bands, None for all of the scene's.
    """

    cells: NDArray[np.float32]
    rows: CellAxis
    cols: CellAxis
    changed: tuple[int, ...] | None = None


def local_statistics(
    source: Source,
    scales: tuple[float, float],
    rows: tuple[int, int] | None = None,
    cols: tuple[int, int] | None = None,
) -> LocalStatistics:
    """Compute a scene's local statistics; they do not depend on the part requested.

    Pixels without data do not count, nor do pixels that are black in all bands.

    Args:
        source: the scene.
        scales: factors by which its rows and columns are resized for the model.
        rows: first row of the part, and the one after its last. Default: all.
        cols: likewise.
    """
    row_axis, col_axis = _cell_axes(source, scales)
    cell_rows = row_axis.covering(*(rows or (0, source.height)))
    cell_cols = col_axis.covering(*(cols or (0, source.width)))
    edges, changed = _edges(col_axis, cell_cols), _changed(source)
    cells = []
    for cell in cell_rows:
        sums = _CellSums(_counted_strips(row_axis, cell), edges, changed)
        for strip in sums.strips:
            sums.add(source.read(strip, sums.cols))
        cells.append(sums.statistics())
    return LocalStatistics(
        np.array(cells),
        replace(row_axis, first=cell_rows[0]),
        replace(col_axis, first=cell_cols[0]),
        changed,
    )


class RunningStatistics:
    """The local statistics of a scene that is read once, in pieces from top to bottom.

    They are those of `local_statistics`.

    Args:
        source: the scene; but for which bands it has, it is not read.
        scales: factors by which its rows and columns are resized for the model.
    """

    def __init__(self, source: Source, scales: tuple[float, float]) -> None:
        self._rows, self._cols = _cell_axes(source, scales)
        self._changed = _changed(source)
        self._edges = _edges(self._cols, range(self._cols.count))
        self._known: list[NDArray[np.float32]] = []
        self._begin()

    def add(self, row_off: int, piece: Piece) -> None:
        """Take in the next rows of the scene, over its full width."""
        stop = row_off + piece.image.shape[0]
        while len(self._known) < self._rows.count:
            for (start, end), held in zip(self._sums.strips, self._held, strict=True):
                low, high = max(start, row_off), min(end, stop)
                if low >= high:
                    continue
                part = piece.rows(low - row_off, high - row_off)
                if high == end:
                    self._sums.add(_joined([*held, part]))
                else:
                    # A view would keep all that was read from being reused.
                    held.append(part.copy())
            if stop < self._sums.strips[-1][1]:
                return
            self._known.append(self._sums.statistics())
            self._begin()

    def around(self, rows: tuple[int, int]) -> LocalStatistics | None:
        """Return what rows of the scene are standardized by; None as long as it is not known."""
        cells = self._rows.covering(*rows)
        if cells.stop > len(self._known):
            return None
        known = np.array(self._known[cells.start : cells.stop])
        return LocalStatistics(
            known, replace(self._rows, first=cells.start), self._cols, self._changed
        )

    def _begin(self) -> None:
        """Begin with the next row of cells: what was read of its strips is held until they end."""
        strips = _counted_strips(self._rows, len(self._known))
        self._sums = _CellSums(strips, self._edges, self._changed)
        self._held: list[list[Piece]] = [[] for _ in strips]


class _CellSums:
    """Sums over a row of cells, of the strips of it that count.

    Args:
        strips: first row of each strip, and the one after its last.
        edges: (cells, 2), first column of each cell, and the one after its last.
        changed: positions of the bands that are standardized; None for all.
    """

    def __init__(
        self,
        strips: Sequence[tuple[int, int]],
        edges: NDArray[np.int64],
        changed: tuple[int, ...] | None,
    ) -> None:
        self.strips = strips
        self._edges, self._changed = edges, changed
        self._total: NDArray[np.float64] = np.zeros((len(edges), 1))

    @property
    def cols(self) -> tuple[int, int]:
        """First column of the cells, and the one after the last."""
        return int(self._edges[0, 0]), int(self._edges[-1, 1])

    def add(self, strip: Piece) -> None:
        """Add a whole strip, of the columns `cols`."""
        image = strip.image if self._changed is None else strip.image[..., self._changed]
        image = image if strip.valid is None else image * strip.valid[..., None]
        starts = self._edges[:, 0] - self._edges[0, 0]
        columns = _column_sums(image)
        self._total = self._total + np.add.reduceat(columns, starts, axis=0, dtype=np.float64)

    def statistics(self) -> NDArray[np.float32]:
        """Return what `LocalStatistics.cells` holds for the row, (cells, 1 + bands + 1)."""
        rows = sum(stop - start for start, stop in self.strips)
        pixels = rows * (self._edges[:, 1] - self._edges[:, 0])
        count = self._total[:, :1]
        means, squares = np.split(self._total[:, 1:] / np.maximum(1.0, count), 2, axis=1)
        deviations = np.sqrt(np.maximum(0.0, squares - means**2)).mean(axis=1, keepdims=True)
        share = count / pixels[:, None]
        cells = np.concatenate([share, share * means, share * deviations], axis=1)
        return np.asarray(cells, np.float32)


def _cell_axes(source: Source, scales: tuple[float, float]) -> tuple[CellAxis, CellAxis]:
    rows, cols = (
        CellAxis(length, max(1, round(length * scale / _CELL_SIDE)))
        for length, scale in zip((source.height, source.width), scales, strict=True)
    )
    return rows, cols


def _edges(axis: CellAxis, cells: range) -> NDArray[np.int64]:
    """Return the first column of each cell, and the one after its last, (cells, 2)."""
    return np.array([axis.span(cell) for cell in cells])


def _changed(source: Source) -> tuple[int, ...] | None:
    """Return the positions of the bands that are standardized; None for all."""
    if not source.kept:
        return None
    bands = source.read((0, 1), (0, 1)).image.shape[-1]
    return tuple(band for band in range(bands) if band not in source.kept)


def _joined(pieces: list[Piece]) -> Piece:
    """Put the pieces of a strip together."""
    if len(pieces) == 1:
        return pieces[0]
    image = np.concatenate([piece.image for piece in pieces])
    if all(piece.valid is None for piece in pieces):
        return Piece(image)
    valid = [
        np.ones(piece.image.shape[:2], np.bool_) if piece.valid is None else piece.valid
        for piece in pieces
    ]
    return Piece(image, np.concatenate(valid))


def _column_sums(image: Image) -> NDArray[np.uint32 | np.float64]:
    """Sum the pixels with data, the bands and their squares over the rows, (cols, 1 + 2 bands)."""
    if image.dtype != np.uint8:
        terms = [
            (image != 0).any(axis=-1, keepdims=True),
            image,
            np.square(image, dtype=np.float64),
        ]
        return np.concatenate([term.sum(axis=0, dtype=np.float64) for term in terms], axis=1)
    # Integers, exact in any order. Any band: several times as fast as `any` along a short axis.
    coloured = reduce(np.bitwise_or, np.moveaxis(image, -1, 0)) > 0
    flat = np.ascontiguousarray(image).reshape(len(image), -1)
    sums = [
        cv2.reduce(flat, 0, operation, dtype=cv2.CV_32S).reshape(image.shape[1:])
        for operation in (cv2.REDUCE_SUM, cv2.REDUCE_SUM2)
    ]
    count = coloured.sum(axis=0, dtype=np.uint32)[:, None]
    return np.concatenate([count, *sums], axis=1, dtype=np.uint32, casting="unsafe")


def _counted_strips(axis: CellAxis, cell: int) -> list[tuple[int, int]]:
    """List the strips of a row of cells that count: all of it, or two of a scene of many rows."""
    if cell >= axis.count:
        return []
    top, bottom = axis.span(cell)
    if axis.length <= _MAX_ROWS:
        starts = range(top, bottom, _STRIP_ROWS)
        return [(start, min(start + _STRIP_ROWS, bottom)) for start in starts]
    middles = (top + (bottom - top) * quarter // 4 for quarter in (1, 3))
    half = _STRIP_ROWS // 2
    return [(max(top, middle - half), min(bottom, middle + half)) for middle in middles]
