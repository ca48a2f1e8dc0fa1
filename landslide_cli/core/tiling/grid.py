"""The grid of windows over a scene, and the blending of their predictions back into one.

Windows of one size cover the scene with as few as their overlap allows, and are spread evenly: what
they share beyond the overlap costs nothing and is used. They start at multiples of the network's
stride, so that all of them, and a single pass over the whole scene, pool the same pixels together:
their predictions differ the less. A window may reach beyond a scene that is smaller, or no multiple
of the stride; there the image is continued by reflection and the prediction is thrown away.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image, Probabilities

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

    @property
    def row_stop(self) -> int:
        """The first row below."""
        return self.row_off + self.height

    @property
    def col_stop(self) -> int:
        """The first column to the right."""
        return self.col_off + self.width


@dataclass(frozen=True)
class Axis:
    """The windows along one direction of a scene.

    Args:
        length: pixels of the scene in this direction, at least 1.
        side: of every window.
        overlap: pixels that neighbouring windows share at least, from 0 to below `side`.
        multiple: windows start at multiples of this, as long as they can be moved by that much.
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
        """Where each window begins."""
        beyond, most = self.length - self.side, self.side - self.overlap
        if beyond <= 0:
            return (0,)
        unit = self.multiple if most >= self.multiple else 1
        last = -(-beyond // unit) * unit
        steps = -(-last // (most // unit * unit))
        return tuple(index * last // steps // unit * unit for index in range(steps + 1))

    @property
    def shared(self) -> int:
        """Pixels that all neighbours share: the overlap or more."""
        return min((self.side - b + a for a, b in pairwise(self.starts)), default=0)

    def __len__(self) -> int:
        return len(self.starts)

    def touching(self, start: int, stop: int) -> range:
        """Return the indices of the windows that hold any pixel from `start` to below `stop`."""
        first = bisect_right(self.starts, start - self.side)
        return range(first, bisect_left(self.starts, stop))

    def weights(self) -> NDArray[np.float32]:
        """Return the weights along a window."""
        return taper(self.side, self.shared)

    def totals(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the sum of all windows' weights at each pixel from `start` to below `stop`."""
        sums, weights = np.zeros(stop - start, np.float32), self.weights()
        for index in self.touching(start, stop):
            begin = self.starts[index]
            low, high = max(start, begin), min(stop, begin + self.side)
            sums[low - start : high - start] += weights[low - begin : high - begin]
        return sums


@dataclass(frozen=True)
class Grid:
    """The windows that cover a scene, in both directions; they are given row by row."""

    rows: Axis
    cols: Axis

    def __len__(self) -> int:
        return len(self.rows) * len(self.cols)

    def __iter__(self) -> Iterator[Window]:
        return self.touching(Window(0, 0, self.cols.length, self.rows.length))

    def touching(self, area: Window) -> Iterator[Window]:
        """Yield the windows that hold any pixel of an area of the scene."""
        for row in self.rows.touching(area.row_off, area.row_stop):
            for col in self.cols.touching(area.col_off, area.col_stop):
                yield self.window(row, col)

    def window(self, row: int, col: int) -> Window:
        """Return the window in a row and a column of the grid."""
        return Window(self.cols.starts[col], self.rows.starts[row], self.cols.side, self.rows.side)


def fitted_side(length: int, most: int, overlap: int, multiple: int) -> int:
    """Choose the side of the windows that cover `length` pixels with the least work.

    As few windows as sides of `most` allow, or a few more if these are smaller in sum; each only
    as large as it needs to be.

    Args:
        length: of the scene in this direction, in pixels.
        most: the largest side, a multiple of `multiple`, above `overlap`.
        overlap: pixels that neighbouring windows share.
        multiple: sides are multiples of this.
    """
    if length <= most:
        return -(-length // multiple) * multiple
    fewest = len(Axis(length, most, overlap, multiple))
    aligned = -(-overlap // multiple) * multiple
    sides = {most}
    for count in range(fewest, fewest + 3):
        for shared in {overlap, aligned}:
            needed = -(-(length + (count - 1) * shared) // count)
            sides.add(-(-needed // multiple) * multiple)
    fitting = sorted((side for side in sides if overlap < side <= most), reverse=True)
    return min(fitting, key=lambda side: side * len(Axis(length, side, overlap, multiple)))


def side_by_side(height: int, width: int, side: int) -> Iterator[Window]:
    """Yield square windows that cover a scene from its upper left corner, row by row, and touch.

    The last ones may reach beyond the scene.
    """
    for row in range(0, height, side):
        for col in range(0, width, side):
            yield Window(col, row, side, side)


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
        return image[window.row_off : window.row_stop, window.col_off : window.col_stop]
    rows = np.arange(window.row_off, window.row_stop) if rows is None else rows
    cols = np.arange(window.col_off, window.col_stop) if cols is None else cols
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


def taper(side: int, overlap: int) -> NDArray[np.float32]:
    """Weights along one axis of a window: flat in the middle, ramps as wide as the overlap.

    Where two neighbours share `overlap <= side / 2` pixels, their weights add up to 1, but for
    the outermost pixels of ramps longer than 1 / `WEIGHT_STEP`, which are kept above 0.

    Returns:
        Shape (side,), multiples of `WEIGHT_STEP` in (0, 1].
    """
    ramp = np.arange(1, overlap + 1) / (overlap + 1)
    ramp = np.clip(np.round(ramp / WEIGHT_STEP), 1, None) * WEIGHT_STEP
    weights = np.ones(side, np.float32)
    weights[:overlap] = ramp
    weights[side - overlap :] = np.minimum(weights[side - overlap :], ramp[::-1])
    return weights


@dataclass(frozen=True)
class Rows:
    """Blended rows of an area: the first row in the scene, and (rows, cols, channels) float32."""

    row_off: int
    values: Probabilities


def blended(
    grid: Grid,
    area: Window,
    predictions: Iterable[tuple[Window, Probabilities | None]],
    channels: int,
    rows_at_once: int = 2**20,
) -> Iterator[Rows]:
    """Merge the predictions of overlapping windows, row of windows by row of windows.

    Each pixel is the average of the windows that hold it, weighted by their `taper` along rows and
    columns and divided by the sum of the weights, so the edges of the scene need no special case.
    What is held is as high as a window and as wide as the area. Sums are made in the order of the
    windows, so a pixel's value does not depend on the area that it is computed for.

    Args:
        grid: of the scene.
        area: the part of the scene that is asked for.
        predictions: one for each of `grid.touching(area)`, in that order, (side, side, channels);
            None for a window without data, which is left out of the averages; pixels that no other
            window holds have no meaning in the result.
        channels: of the predictions.
        rows_at_once: at the most, to be yielded.

    Yields:
        The rows of the area from its first to its last, as soon as no later window touches them.
    """
    across = grid.cols.totals(area.col_off, area.col_stop)
    down, right = grid.rows.weights()[:, None], grid.cols.weights()
    weights = (down * right)[..., None]
    window_rows = grid.rows.touching(area.row_off, area.row_stop)
    window_cols = grid.cols.touching(area.col_off, area.col_stop)
    sums = np.zeros((grid.rows.side, area.width, channels), np.float32)
    given, first = iter(predictions), area.row_off
    # Where rows of windows begin, and the weights along them of their windows without data.
    gaps: list[tuple[int, Probabilities]] = []
    for index in window_rows:
        gap = np.zeros(area.width, np.float32)
        for _ in window_cols:
            window, prediction = next(given)
            low = max(0, area.col_off - window.col_off)
            high = min(window.width, area.col_stop - window.col_off)
            left = window.col_off + low - area.col_off
            if prediction is None:
                gap[left : left + high - low] += right[low:high]
            else:
                sums[:, left : left + high - low] += prediction[:, low:high] * weights[:, low:high]
        top, is_last = grid.rows.starts[index], index == window_rows[-1]
        below = area.row_stop if is_last else grid.rows.starts[index + 1]
        stop = min(area.row_stop, below)
        if gap.any():
            gaps.append((top, gap))
        while first < stop:
            until = min(stop, first + rows_at_once)
            totals = grid.rows.totals(first, until)[:, None] * across
            for begin, gap in gaps:
                low, high = max(first, begin), max(first, min(until, begin + grid.rows.side))
                totals[low - first : high - first] -= down[low - begin : high - begin] * gap
            if gaps:
                totals[totals == 0.0] = 1.0
            yield Rows(first, sums[first - top : until - top] / totals[..., None])
            first = until
        gaps = [one for one in gaps if one[0] + grid.rows.side > stop]
        kept = max(0, grid.rows.side - (below - top))
        sums[:kept] = sums[grid.rows.side - kept :].copy()
        sums[kept:] = 0.0
