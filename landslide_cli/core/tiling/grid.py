"""The grid of windows over a scene, and their weights when predictions are blended.

A scene is covered by the fewest windows of one size that overlap enough, evenly spaced; overlap
beyond the requested one costs nothing and is blended too. Windows start at multiples of the
network's stride, so that all of them, and a single pass over the whole scene, pool the same pixels
together and their predictions differ less. Along 1181 pixels, windows of 512 with an overlap of at
least 128 and a stride of 32 start like this:

    Axis(1181, side=512, overlap=128, multiple=32).starts == (0, 320, 672)

Neighbours share 192 and 160 pixels. The last window ends at 1184, 3 pixels beyond the scene: there
the image is continued by reflection, and the prediction is discarded.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image

# Weights are multiples of this: products of two of them with 8-bit values, and their sums, are
# exact in float32, so that blending returns integers unchanged.
WEIGHT_STEP = 1.0 / 128.0


def ceil_div(number: int, divisor: int) -> int:
    """Divide and round up."""
    return -(-number // divisor)


@dataclass(frozen=True)
class Window:
    """A rectangle of a raster, in pixels; it may reach beyond the raster."""

    col_off: int
    row_off: int
    width: int
    height: int

    @property
    def row_stop(self) -> int:
        return self.row_off + self.height

    @property
    def col_stop(self) -> int:
        return self.col_off + self.width

    @property
    def spans(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Its rows and its columns, each as the first and the one after the last."""
        return (self.row_off, self.row_stop), (self.col_off, self.col_stop)


@dataclass(frozen=True)
class Axis:
    """The windows along one axis of a scene.

    Args:
        length: pixels of the scene along the axis, at least 1.
        side: pixels of each window.
        overlap: fewest pixels that neighbouring windows share, from 0 to below `side`.
        multiple: windows start at multiples of this, unless `side - overlap` is smaller.
    """

    length: int
    side: int
    overlap: int = 0
    multiple: int = 1

    def __post_init__(self) -> None:
        if min(self.length, self.side, self.multiple) < 1:
            raise ValueError(f"length, side and multiple must be positive: {self}")
        if not 0 <= self.overlap < self.side:
            raise ValueError(f"overlap must be from 0 to below side: {self}")

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The first pixel of each window.

        Of the module's example: the last start is 1181 - 512 = 669, rounded up to 672; a step is at
        most 512 - 128 = 384, so it takes 2, of 336 on average; half of 672 is rounded down to 320.
        """
        excess, largest_step = self.length - self.side, self.side - self.overlap
        if excess <= 0:
            return (0,)
        unit = self.multiple if largest_step >= self.multiple else 1
        last = ceil_div(excess, unit) * unit
        steps = ceil_div(last, largest_step // unit * unit)
        return tuple(index * last // steps // unit * unit for index in range(steps + 1))

    @cached_property
    def shared(self) -> int:
        """The fewest pixels that any two neighbours share: `overlap` or more; 0 for one window."""
        return min((self.side - b + a for a, b in pairwise(self.starts)), default=0)

    def __len__(self) -> int:
        return len(self.starts)

    def touching(self, start: int, stop: int) -> range:
        """Return the indices of the windows that contain any pixel of `start` to `stop - 1`."""
        first = bisect_right(self.starts, start - self.side)
        return range(first, bisect_left(self.starts, stop))

    def weights(self) -> NDArray[np.float32]:
        return ramp_weights(self.side, self.shared)

    def totals(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the sum of all windows' weights at each pixel of `start` to `stop - 1`."""
        sums, weights = np.zeros(stop - start, np.float32), self.weights()
        for index in self.touching(start, stop):
            begin = self.starts[index]
            low, high = max(start, begin), min(stop, begin + self.side)
            sums[low - start : high - start] += weights[low - begin : high - begin]
        return sums


@dataclass(frozen=True)
class Grid:
    """The windows that cover a scene, iterated row by row."""

    rows: Axis
    cols: Axis

    def __len__(self) -> int:
        return len(self.rows) * len(self.cols)

    def __iter__(self) -> Iterator[Window]:
        return self.touching(Window(0, 0, self.cols.length, self.rows.length))

    def touching(self, area: Window) -> Iterator[Window]:
        """Yield the windows that contain any pixel of an area of the scene."""
        rows, cols = self.indices(area)
        for row in rows:
            for col in cols:
                yield self.window(row, col)

    def indices(self, area: Window) -> tuple[range, range]:
        """Return the rows and the columns of the windows that contain any pixel of an area."""
        return (
            self.rows.touching(area.row_off, area.row_stop),
            self.cols.touching(area.col_off, area.col_stop),
        )

    def window(self, row: int, col: int) -> Window:
        return Window(self.cols.starts[col], self.rows.starts[row], self.cols.side, self.rows.side)


def fitted_side(length: int, most: int, overlap: int, multiple: int) -> int:
    """Choose the window side that covers `length` pixels with the fewest predicted pixels.

    Tries the fewest windows that sides of `most` allow and up to two more, each only as large as
    needed: 1181 pixels take 2 windows of 672 (1344 pixels) instead of 2 of 1024 (2048 pixels), with
    `most` 1024, `overlap` 128 and `multiple` 32. Equal work is done in the fewest windows.

    Args:
        length: pixels of the scene along the axis.
        most: largest side, a multiple of `multiple`, above `overlap`.
        overlap: fewest pixels that neighbouring windows share.
        multiple: sides are multiples of this.
    """
    if length <= most:
        return ceil_div(length, multiple) * multiple
    fewest = len(Axis(length, most, overlap, multiple))
    aligned_overlap = ceil_div(overlap, multiple) * multiple
    sides = {most}
    for count in range(fewest, fewest + 3):
        for shared in {overlap, aligned_overlap}:
            needed = ceil_div(length + (count - 1) * shared, count)
            sides.add(ceil_div(needed, multiple) * multiple)
    fitting = sorted((side for side in sides if overlap < side <= most), reverse=True)
    return min(fitting, key=lambda side: side * len(Axis(length, side, overlap, multiple)))


def side_by_side(height: int, width: int, side: int) -> Iterator[Window]:
    """Yield square windows without overlap from the upper left corner, row by row.

    Those at the right and bottom edges may reach beyond the scene.
    """
    for row in range(0, height, side):
        for col in range(0, width, side):
            yield Window(col, row, side, side)


def cut(image: Image, window: Window) -> Image:
    """Cut a window out of an image; beyond the edges the image is reflected.

    Args:
        image: (rows, cols) or (rows, cols, bands).
        window: shares at least one pixel with the image.

    Returns:
        An array of the window's size; a view where nothing is reflected.
    """
    rows = reflected(window.row_off, window.height, image.shape[0])
    cols = reflected(window.col_off, window.width, image.shape[1])
    if rows is None and cols is None:
        return image[window.row_off : window.row_stop, window.col_off : window.col_stop]
    rows = np.arange(window.row_off, window.row_stop) if rows is None else rows
    cols = np.arange(window.col_off, window.col_stop) if cols is None else cols
    return image[np.ix_(rows, cols)]


def reflected(start: int, length: int, size: int) -> NDArray[np.intp] | None:
    """Return the indices of `length` samples from `start` on, reflected at the ends of an axis.

    The edge sample is not repeated, as in `np.pad` with mode "reflect": 6 samples from -2 on, of an
    axis of size 5, are 2, 1, 0, 1, 2, 3. An axis of size 1 is repeated.

    Returns:
        (length,), or None if nothing needs reflecting.
    """
    if start >= 0 and start + length <= size:
        return None
    if size == 1:
        return np.zeros(length, np.intp)
    period = 2 * (size - 1)
    index = np.arange(start, start + length) % period
    return np.minimum(index, period - index)


def ramp_weights(side: int, overlap: int) -> NDArray[np.float32]:
    """Return the weights along one axis of a window: flat, with a ramp at each end.

    `ramp_weights(8, 3)` is 0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25. The weights of two neighbours
    that share `overlap <= side / 2` pixels add up to 1, except for the outermost pixels of ramps
    longer than 1 / `WEIGHT_STEP`, which are kept above 0.

    Returns:
        Shape (side,), multiples of `WEIGHT_STEP` in (0, 1].
    """
    ramp = np.arange(1, overlap + 1) / (overlap + 1)
    ramp = np.clip(np.round(ramp / WEIGHT_STEP), 1, None) * WEIGHT_STEP
    weights = np.ones(side, np.float32)
    weights[:overlap] = ramp
    weights[side - overlap :] = np.minimum(weights[side - overlap :], ramp[::-1])
    return weights
