"""Levels: the same mean and contrast for all scenes, and for all parts of a large one.

Haze, light, season and sensor change colours over whole scenes, and from one flight line of an
orthophoto to the next. A model that is to map scenes unlike those it has learned from does better
if this is taken out first: each band gets the mean `MEAN`, and the bands together the deviation
`DEVIATION`. The statistics are those of a neighbourhood about as large as the scenes that models
learn from: nnU-Net normalizes each of its images by its own (Isensee et al., 2021,
doi:10.1038/s41592-020-01008-z), and contrast-limited equalization interpolates between cells of a
grid (Zuiderveld, 1994, Graphics Gems IV).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.source import Source

# In gray levels, of 0 to 255: about what aerial scenes have by themselves.
MEAN, DEVIATION = 110.0, 50.0

# The deviation counts as this at least: what there is little of would become noise.
_LEAST = 8.0

# About the side of a cell, in pixels of the model.
_SIDE = 256

# Pixels that are changed at once.
_AT_ONCE = 2**17

# Up to so many rows all of a scene is looked at, of more two stretches of rows in each cell.
_WHOLE, _STRETCH = 2048, 128


@dataclass(frozen=True)
class _Cells:
    """An axis of a scene, `length` pixels in `count` cells; `first` is the first one known."""

    length: int
    count: int
    first: int = 0

    @property
    def size(self) -> float:
        return self.length / self.count

    def around(self, start: int, stop: int) -> range:
        """Return the cells between whose middles, or beyond them, the pixels lie."""
        before = math.floor(start / self.size - 0.5)
        after = math.ceil(stop / self.size - 0.5)
        return range(max(0, before), min(self.count, after + 1))

    def span(self, cell: int) -> tuple[int, int]:
        """Return the first pixel of a cell, and the one after its last."""
        return round(cell * self.size), round((cell + 1) * self.size)

    def between(
        self, offset: int, length: int, scale: float, known: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Tell for pixels of the model which two known cells they lie between, and where."""
        middles = (offset + np.arange(length) + 0.5) / scale / self.size - 0.5
        # Counted from the scene's first cell, so that rounding is the same in all parts.
        places = np.clip(middles, self.first, self.first + known - 1.0)
        before = places.astype(np.intp)
        after = np.minimum(before + 1, self.first + known - 1)
        share = (places - before).astype(np.float32)
        return before - self.first, after - self.first, share


@dataclass(frozen=True)
class Levels:
    """What a part of a scene is changed by.

    `cells` are, of each (rows, cols), the share of its pixels that hold data, and as many times the
    mean of each band and the bands' mean deviation over them: (rows, cols, 1 + bands + 1).
    """

    cells: NDArray[np.float32]
    rows: _Cells
    cols: _Cells


def levels_of(
    source: Source,
    scales: tuple[float, float],
    rows: tuple[int, int] | None = None,
    cols: tuple[int, int] | None = None,
) -> Levels:
    """Find out a scene's levels; they are the same whatever part is asked for.

    What a scene has no data for does not count; black in all bands is taken for that too.

    Args:
        source: the scene.
        scales: factors by which its rows and columns are resized for the model.
        rows: first row of the part wanted, and the one after its last. Default: all.
        cols: likewise.
    """
    down, across = (
        _Cells(length, max(1, round(length * scale / _SIDE)))
        for length, scale in zip((source.height, source.width), scales, strict=True)
    )
    wanted = down.around(*(rows or (0, source.height)))
    beside = across.around(*(cols or (0, source.width)))
    edges = np.array([across.span(cell) for cell in beside])
    cells = np.array([_cells(source, *down.span(cell), edges) for cell in wanted])
    return Levels(
        cells.astype(np.float32),
        _Cells(down.length, down.count, wanted[0]),
        _Cells(across.length, across.count, beside[0]),
    )


def levelled(
    image: Image,
    levels: Levels,
    offset: tuple[int, int] = (0, 0),
    scales: tuple[float, float] = (1.0, 1.0),
) -> Image:
    """Return a part of a scene with its levels.

    Args:
        image: (rows, cols, bands), resized for the model.
        levels: of the scene, around this part.
        offset: the image's first row and column in the resized scene.
        scales: the factors that it was resized by.
    """
    known_rows, known_cols, _ = levels.cells.shape
    above, below, down = levels.rows.between(offset[0], image.shape[0], scales[0], known_rows)
    left, right, across = levels.cols.between(offset[1], image.shape[1], scales[1], known_cols)
    result = np.empty_like(image)
    some = max(1, _AT_ONCE // image.shape[1])
    for start in range(0, image.shape[0], some):
        rows = slice(start, start + some)
        # Each number in the same way wherever a part begins: parts fit together to the bit.
        beside = _mixed(
            levels.cells[above[rows]], levels.cells[below[rows]], down[rows, None, None]
        )
        around = _mixed(beside[:, left], beside[:, right], across[:, None])
        result[rows] = _changed(image[rows], around)
    return result


def _mixed(
    ones: NDArray[np.float32], others: NDArray[np.float32], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray(ones * (1.0 - share) + others * share, np.float32)


def _changed(image: Image, around: NDArray[np.float32]) -> Image:
    """Change pixels by the cells around each, (rows, cols, 1 + bands + 1)."""
    # Where no cell has data there is nothing to change.
    shares = np.maximum(around[..., :1], np.float32(1e-6))
    means, deviations = around[..., 1:-1] / shares, around[..., -1:] / shares
    result = (image - means) * (DEVIATION / np.maximum(deviations, _LEAST)) + MEAN
    return np.asarray(np.rint(np.clip(result, 0.0, 255.0)), np.uint8)


def _cells(source: Source, top: int, bottom: int, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Find out what `Levels` says of a row of cells, (cells, 1 + bands + 1)."""
    total: NDArray[np.float64] = np.zeros((len(edges), 1))
    pixels = np.zeros(len(edges))
    left, right = int(edges[0, 0]), int(edges[-1, 1])
    for rows in _stretches(source.height, top, bottom):
        piece = source.read(rows, (left, right))
        image = piece.image if piece.valid is None else piece.image * piece.valid[..., None]
        # Over the rows at once, then over each cell's columns; whole numbers, so in any order.
        parts = [image.any(axis=-1, keepdims=True), image, np.square(image, dtype=np.uint16)]
        columns = np.concatenate([part.sum(axis=0, dtype=np.uint32) for part in parts], axis=1)
        total = total + np.add.reduceat(columns, edges[:, 0] - left, axis=0, dtype=np.float64)
        pixels += (rows[1] - rows[0]) * (edges[:, 1] - edges[:, 0])
    count = total[:, :1]
    means, squares = (sums / np.maximum(1.0, count) for sums in np.split(total[:, 1:], 2, axis=1))
    deviations = np.sqrt(np.maximum(0.0, squares - means**2)).mean(axis=1, keepdims=True)
    share = count / pixels[:, None]
    return np.concatenate([share, share * means, share * deviations], axis=1)


def _stretches(height: int, top: int, bottom: int) -> Iterator[tuple[int, int]]:
    """Return which rows of a row of cells are read at once."""
    if height <= _WHOLE:
        for start in range(top, bottom, _STRETCH):
            yield start, min(start + _STRETCH, bottom)
        return
    for quarter in (1, 3):
        middle = top + (bottom - top) * quarter // 4
        yield max(top, middle - _STRETCH // 2), min(bottom, middle + _STRETCH // 2)
