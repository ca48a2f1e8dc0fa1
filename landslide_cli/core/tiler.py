"""The grid of windows over a scene, and the blending of their predictions back into one.

Windows stand at exact steps of `tile - overlap` from the upper left corner. Neighbours share
exactly `overlap` pixels; the last row and column of windows may reach beyond the scene, where the
image is continued by reflection and the prediction is thrown away. So every pixel is covered, none
more than the overlap asks for, and all windows have one size, whatever the size of the scene.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Probabilities = NDArray[np.float32]

# Weights are multiples of this: products of two of them with 8-bit values, and their sums, are
# exact in float32, so that blending returns integers unchanged.
WEIGHT_STEP = 1.0 / 128.0


@dataclass(frozen=True)
class Window:
    """A rectangle of a raster, in pixels; it may reach beyond the raster."""

    col_off: int
    row_off: int
    width: int
    height: int


@dataclass(frozen=True)
class Grid:
    """The windows that cover a scene of `height` x `width` pixels.

    Args:
        height: rows of the scene, at least 1.
        width: columns of the scene, at least 1.
        tile: side of every window.
        overlap: pixels shared by neighbouring windows, from 0 to below `tile`.
    """

    height: int
    width: int
    tile: int
    overlap: int = 0

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.tile) < 1:
            raise ValueError(f"height, width and tile must be positive: {self}")
        if not 0 <= self.overlap < self.tile:
            raise ValueError(f"overlap must be from 0 to below tile: {self}")

    @property
    def rows(self) -> int:
        """Rows of windows."""
        return self._count(self.height)

    @property
    def cols(self) -> int:
        """Columns of windows."""
        return self._count(self.width)

    def __len__(self) -> int:
        return self.rows * self.cols

    def __iter__(self) -> Iterator[Window]:
        step = self.tile - self.overlap
        for row in range(self.rows):
            for col in range(self.cols):
                yield Window(col * step, row * step, self.tile, self.tile)

    def _count(self, size: int) -> int:
        step = self.tile - self.overlap
        return 1 + max(0, -(-(size - self.tile) // step))


def cut(image: Image, window: Window) -> Image:
    """Take a window out of an image; beyond the edges the image is reflected.

    Args:
        image: (rows, cols) or (rows, cols, bands).
        window: must share at least one pixel with the image.

    Returns:
        An array of the window's size; a view where nothing is reflected.
    """
    rows = reflected(window.row_off, window.height, image.shape[0])
    cols = reflected(window.col_off, window.width, image.shape[1])
    if rows is None and cols is None:
        return image[
            window.row_off : window.row_off + window.height,
            window.col_off : window.col_off + window.width,
        ]
    rows = np.arange(window.row_off, window.row_off + window.height) if rows is None else rows
    cols = np.arange(window.col_off, window.col_off + window.width) if cols is None else cols
    return image[np.ix_(rows, cols)]


def reflected(start: int, length: int, size: int) -> NDArray[np.intp] | None:
    """Return the indices of `length` samples from `start` on, reflected into a line of `size`.

    None means that nothing needs reflecting. The edge sample is not repeated, as in `np.pad` with
    mode "reflect"; a line of one sample is repeated.
    """
    if start >= 0 and start + length <= size:
        return None
    if size == 1:
        return np.zeros(length, np.intp)
    period = 2 * (size - 1)
    index = np.arange(start, start + length) % period
    return np.minimum(index, period - index)


def taper(tile: int, overlap: int) -> NDArray[np.float32]:
    """Weights along one axis of a window: flat in the middle, ramps as wide as the overlap.

    Where two neighbours share `overlap <= tile / 2` pixels, their weights add up to 1, but for
    the outermost pixels of ramps longer than 1 / `WEIGHT_STEP`, which are kept above 0.

    Returns:
        Shape (tile,), multiples of `WEIGHT_STEP` in (0, 1].
    """
    ramp = np.arange(1, overlap + 1) / (overlap + 1)
    ramp = np.clip(np.round(ramp / WEIGHT_STEP), 1, None) * WEIGHT_STEP
    weights = np.ones(tile, np.float32)
    weights[:overlap] = ramp
    weights[tile - overlap :] = np.minimum(weights[tile - overlap :], ramp[::-1])
    return weights


class Blender:
    """Merges the predictions of overlapping windows into one scene.

    Each pixel is the average of the windows that cover it, weighted by their `taper` along rows and
    columns and divided by the sum of the weights, so the edges of the scene need no special case.
    """

    def __init__(self, grid: Grid, channels: int) -> None:
        self._grid = grid
        line = taper(grid.tile, grid.overlap)
        self._weights = line[:, None] * line[None, :]
        self._sums = np.zeros((grid.height, grid.width, channels), np.float32)
        self._totals = np.zeros((grid.height, grid.width), np.float32)

    def add(self, window: Window, prediction: Probabilities) -> None:
        """Add a window's prediction, (tile, tile, channels); what lies outside is dropped."""
        rows = slice(window.row_off, min(window.row_off + window.height, self._grid.height))
        cols = slice(window.col_off, min(window.col_off + window.width, self._grid.width))
        inside = slice(0, rows.stop - rows.start), slice(0, cols.stop - cols.start)
        weights = self._weights[inside]
        self._sums[rows, cols] += prediction[inside] * weights[..., None]
        self._totals[rows, cols] += weights

    def result(self) -> Probabilities:
        """Return the blended scene, (rows, cols, channels); every window must have been added."""
        return self._sums / self._totals[..., None]
