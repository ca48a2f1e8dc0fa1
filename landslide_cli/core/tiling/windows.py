"""From a scene that is read row by row to the windows that the model sees."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import MEAN, Image, Valid, like
from landslide_cli.core.tiling.grid import Axis, Window, reflected
from landslide_cli.core.tiling.layout import Layout
from landslide_cli.core.tiling.local_statistics import (
    LocalStatistics,
    RunningStatistics,
    local_statistics,
)
from landslide_cli.core.tiling.scaling import Ratio, to_model
from landslide_cli.core.tiling.source import Piece, Source
from landslide_cli.core.tiling.standardize import standardize

# Called with the row and column of the scene at which an image, (rows, cols, bands), was read.
OnPixels = Callable[[int, int, Image], None]
Value = TypeVar("Value", bound=np.generic)

# Pixels of a scene that are read and resized at once: enough for compiled code to do the work, few
# enough to take little memory beside the model.
PIXELS_AT_ONCE = 2**21


@dataclass(frozen=True)
class Ground:
    """Which pixels hold data, in `rows` rows of the block from the scene's row `row_off` on."""

    row_off: int
    rows: int
    valid: Valid


@dataclass(frozen=True)
class View:
    """A window as the model sees it, (rows, cols, bands); None where it holds no data at all."""

    window: Window
    pixels: Image | None


def views(
    source: Source,
    layout: Layout,
    block: Window,
    on_pixels: OnPixels | None = None,
    pixels_at_once: int = PIXELS_AT_ONCE,
) -> Iterator[Ground | View]:
    """Read a block of a scene from top to bottom, and cut its windows as soon as they are there.

    Args:
        source: the scene.
        layout: of the scene.
        block: the part of the scene whose windows are wanted.
        on_pixels: shown the block's pixels as they are read.
        pixels_at_once: of the scene, that are read in one step.

    Yields:
        The block's windows in the grid's order, and in between, before the windows that need them,
        what was read of the block's own pixels.
    """
    grid, area = layout.grid, layout.area(block)
    window_rows, window_cols = grid.indices(area)
    rows = _ScaledRows(source, layout, block, on_pixels, pixels_at_once)
    for row in window_rows:
        down = _samples(grid.rows, row, row)
        while rows.stop <= down.max():
            yield from rows.advance()
        # Where the scene is enlarged back, its last rows may belong to no pixel of the model.
        while row == window_rows[-1] and rows.source_stop < block.row_stop:
            yield from rows.advance()
        for col in window_cols:
            yield View(grid.window(row, col), rows.cut(down, _samples(grid.cols, col, col)))


def units_at_once(width: int, ratio: Ratio, pixels: int) -> int:
    """Return how many units of rows of that width hold about so many pixels of the scene."""
    return max(1, pixels // (width * ratio.scene))


class _ScaledRows:
    """The rows of a scene, resized for the model; those that windows still need are held."""

    def __init__(
        self,
        source: Source,
        layout: Layout,
        block: Window,
        on_pixels: OnPixels | None,
        pixels_at_once: int,
    ) -> None:
        self._source, self._layout, self._block = source, layout, block
        self._on_pixels = on_pixels
        grid, area = layout.grid, layout.area(block)
        window_rows, window_cols = grid.indices(area)
        # A mirrored last window looks back above its own first row.
        first = min(int(_samples(grid.rows, row, row).min()) for row in window_rows)
        self._unit = first // layout.rows.model
        across = _samples(grid.cols, window_cols[0], window_cols[-1])
        ratio = layout.cols
        left = max(0, int(across.min()) // ratio.model - ratio.halo_to_model)
        right = int(across.max()) // ratio.model + 1 + ratio.halo_to_model
        # The block's last pixels may belong to no whole pixel of the model.
        right = max(right, ratio.units(block.col_stop))
        self._left = left * ratio.model
        self._cols = left * ratio.scene, min(layout.width, right * ratio.scene)
        width = self._cols[1] - self._cols[0]
        self._units_at_once = units_at_once(width, layout.rows, pixels_at_once)
        rows_at_once = self._units_at_once * layout.rows.model
        self._held = _HeldRows(self._unit * layout.rows.model, grid.rows.side + 2 * rows_at_once)
        self._statistics = self._measured(window_rows)
        # Rows that were read, and cannot be standardized yet; the model's row of the first.
        self._waiting: deque[Piece] = deque()
        self._ready = self._unit * layout.rows.model

    def _measured(self, window_rows: range) -> LocalStatistics | RunningStatistics | None:
        """Return what the rows are standardized by; None if they are not."""
        source, layout, grid = self._source, self._layout, self._layout.grid
        if not source.standardized:
            return None
        if (
            self._unit == 0
            and self._cols == (0, layout.width)
            and self._block.row_stop == layout.height
        ):
            return RunningStatistics(source, layout.scales)
        last = max(int(_samples(grid.rows, row, row).max()) for row in window_rows)
        stop = (last // layout.rows.model + 1) * layout.rows.scene
        rows = self._unit * layout.rows.scene, min(layout.height, stop)
        return local_statistics(source, layout.scales, rows, self._cols)

    @property
    def stop(self) -> int:
        """The row of the model from which on nothing is there yet."""
        return min(self._layout.grid.rows.length, self._ready)

    @property
    def source_stop(self) -> int:
        """The row of the scene from which on nothing has been read."""
        return min(self._layout.height, self._unit * self._layout.rows.scene)

    def advance(self) -> Iterator[Ground]:
        """Read, resize and hold the next rows; yield which of the block's pixels hold data."""
        ratio, height = self._layout.rows, self._layout.height
        begin = self._unit
        end = min(begin + self._units_at_once, max(begin + 1, ratio.units(height)))
        above = max(0, begin - ratio.halo_to_model)
        first, stop = above * ratio.scene, (end + ratio.halo_to_model) * ratio.scene
        piece = self._source.read((first, min(height, stop)), self._cols)
        own = piece.rows(begin * ratio.scene - first, end * ratio.scene - first)
        scaled, skipped = _scaled(piece, self._layout), (begin - above) * ratio.model
        self._waiting.append(scaled.rows(skipped, skipped + (end - begin) * ratio.model))
        self._unit = end
        if isinstance(self._statistics, RunningStatistics):
            self._statistics.add(begin * ratio.scene, own)
        self._hold_standardized()
        yield from self._within_block(own, begin * ratio.scene)

    def cut(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> Image | None:
        """Copy a window, None if it holds no data; rows above it are dropped."""
        self._held.drop_above(int(rows.min()))
        return self._held.cut(rows, cols - self._left)

    def _hold_standardized(self) -> None:
        """Hold the rows that wait, as far as the statistics around them are known."""
        while self._waiting:
            piece, statistics = self._waiting[0], self._statistics
            if isinstance(statistics, RunningStatistics):
                begin, ratio = self._ready // self._layout.rows.model, self._layout.rows
                end = begin + piece.image.shape[0] // ratio.model
                rows = begin * ratio.scene, min(self._layout.height, end * ratio.scene)
                statistics = statistics.around(rows)
                if statistics is None:
                    return
            if statistics is not None:
                piece = self._standardized(piece, statistics)
            self._held.add(piece)
            self._ready += piece.image.shape[0]
            self._waiting.popleft()

    def _standardized(self, piece: Piece, statistics: LocalStatistics) -> Piece:
        offset = self._ready, self._left
        image = standardize(piece.image, statistics, offset, self._layout.scales)
        if piece.valid is not None:
            # Black would be a deep shadow to the model, and spoil what it sees beside.
            image[~piece.valid] = MEAN
        return Piece(image, piece.valid)

    def _within_block(self, piece: Piece, row_off: int) -> Iterator[Ground]:
        block = self._block
        top, bottom = max(block.row_off, row_off), row_off + piece.image.shape[0]
        bottom = min(block.row_stop, bottom)
        if top >= bottom:
            return
        inside = np.s_[
            top - row_off : bottom - row_off,
            block.col_off - self._cols[0] : block.col_stop - self._cols[0],
        ]
        if self._on_pixels is not None:
            self._on_pixels(top, block.col_off, piece.image[inside])
        valid = None if piece.valid is None else piece.valid[inside]
        yield Ground(top, bottom - top, valid)


class _HeldRows:
    """Rows from `first` to below `stop`, in one array that is moved up when it is full."""

    def __init__(self, first: int, capacity: int) -> None:
        self.first = self.stop = first
        self._capacity = capacity
        self._image: Image | None = None
        self._valid: NDArray[np.bool_] | None = None

    def add(self, more: Piece) -> None:
        """Hold the rows that follow."""
        count, rows = self.stop - self.first, more.image.shape[0]
        image = self._image
        if image is None or count + rows > len(image):
            self._capacity = max(self._capacity, count + rows)
            image = self._enlarged(count, more.image)
        image[count : count + rows] = more.image
        if more.valid is not None and self._valid is None:
            self._valid = np.ones(image.shape[:2], np.bool_)
        if self._valid is not None:
            self._valid[count : count + rows] = True if more.valid is None else more.valid
        self.stop += rows

    def drop_above(self, first: int) -> None:
        """Drop the rows above `first`."""
        gone, count = first - self.first, self.stop - first
        if gone <= 0 or self._image is None:
            return
        self._image[:count] = self._image[gone : gone + count]
        if self._valid is not None:
            self._valid[:count] = self._valid[gone : gone + count]
        self.first = first

    def cut(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> Image | None:
        """Copy rows and columns, these as they are held; None where they hold no data."""
        assert self._image is not None  # noqa: S101 - rows were added before
        down = rows - self.first
        if self._valid is not None and not _taken(self._valid, down, cols).any():
            return None
        return _taken(self._image, down, cols).copy()

    def _enlarged(self, count: int, rows: Image) -> Image:
        """Make a larger array for such rows, with the `count` rows that are held."""
        image: Image = np.empty((self._capacity, *rows.shape[1:]), rows.dtype)
        valid = None if self._valid is None else np.ones(image.shape[:2], np.bool_)
        if self._image is not None:
            image[:count] = self._image[:count]
        if valid is not None and self._valid is not None:
            valid[:count] = self._valid[:count]
        self._image, self._valid = image, valid
        return image


def _samples(axis: Axis, first: int, last: int) -> NDArray[np.intp]:
    """Return which pixels of the scene the windows from the first to the last show, in order."""
    start = axis.starts[first]
    length = axis.starts[last] + axis.side - start
    mirrored = reflected(start, length, axis.length)
    return np.arange(start, start + length) if mirrored is None else mirrored


def _scaled(piece: Piece, layout: Layout) -> Piece:
    """Resize for the model; the edge of the data is not darkened by pixels that hold none."""
    scaled = to_model(piece.image, layout.rows, layout.cols)
    if piece.valid is None:
        return Piece(scaled)
    marks = piece.valid[..., None].astype(np.float32)
    shares = to_model(marks, layout.rows, layout.cols)[..., 0]
    partly = (shares > 0.0) & (shares < 1.0)
    if partly.any():
        scaled[partly] = like(scaled[partly] / shares[partly][..., None], scaled)
    return Piece(scaled, shares > 0.0)


def _taken(
    values: NDArray[Value], rows: NDArray[np.intp], cols: NDArray[np.intp]
) -> NDArray[Value]:
    """Take rows and columns by their indices; a view where these follow each other."""
    if _follow(rows) and _follow(cols):
        return values[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return values[np.ix_(rows, cols)]


def _follow(indices: NDArray[np.intp]) -> bool:
    return bool((np.diff(indices) == 1).all())
