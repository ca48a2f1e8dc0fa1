"""How a scene is cut: its size for the model, the windows over it, and blocks of its pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from landslide_cli.core.tiling.grid import Axis, Grid, Window, ceil_div, fitted_side
from landslide_cli.core.tiling.scaling import Ratio

# The largest side that windows are given unasked, in pixels of the model: from here on half as
# much again saves a few per cent of the work, and takes twice the memory.
LARGEST = 1088


@dataclass(frozen=True)
class Tiling:
    """How scenes are predicted.

    `tile` is the side of a window in pixels of the model, None to take a whole scene in one window;
    `overlap` is what neighbours share. With `fitted` windows are as much smaller than `tile` as the
    scene allows, and need not be square. Sides are multiples of `multiple`. `batch` is the windows
    per model call. `scale` is the factor by which a scene's rows and columns are resized for the
    model.
    """

    tile: int | None
    overlap: int
    batch: int = 1
    scale: float | tuple[float, float] = 1.0
    fitted: bool = False
    multiple: int = 1

    def layout(self, height: int, width: int) -> "Layout":
        """Lay out a scene of `height` x `width` pixels."""
        scales = self.scale if isinstance(self.scale, tuple) else (self.scale, self.scale)
        rows, cols = (Ratio.of(scale) for scale in scales)
        grid = Grid(self._axis(rows.model_length(height)), self._axis(cols.model_length(width)))
        return Layout(height, width, rows, cols, grid)

    def _axis(self, length: int) -> Axis:
        if self.tile is None:
            return Axis(length, ceil_div(length, self.multiple) * self.multiple)
        side = self.tile
        if self.fitted:
            side = fitted_side(length, self.tile, self.overlap, self.multiple)
        return Axis(length, side, min(self.overlap, side - 1), self.multiple)


@dataclass(frozen=True)
class Layout:
    """A scene of `height` x `width` pixels, tied to the grid of windows by a ratio per axis."""

    height: int
    width: int
    rows: Ratio
    cols: Ratio
    grid: Grid

    @property
    def scales(self) -> tuple[float, float]:
        """The factors by which rows and columns are resized for the model."""
        return self.rows.scale, self.cols.scale

    @property
    def whole(self) -> Window:
        """All of the scene, as a block."""
        return Window(0, 0, self.width, self.height)

    def area(self, block: Window) -> Window:
        """Return the pixels of the model that a block of the scene's pixels depends on."""
        top, bottom = _span(self.rows, block.row_off, block.row_stop, self.grid.rows.length)
        left, right = _span(self.cols, block.col_off, block.col_stop, self.grid.cols.length)
        return Window(left, top, right - left, bottom - top)

    def windows(self, block: Window) -> int:
        """Return how many windows a block takes."""
        rows, cols = self.grid.indices(self.area(block))
        return len(rows) * len(cols)

    def blocks(self, most_rows: int, most_cols: int) -> Sequence[Window]:
        """Divide the scene into blocks of about `most_rows` x `most_cols` pixels at the most.

        They lie in columns from left to right, in each from top to bottom, and meet in the middle
        of overlaps, so that few windows are needed on both sides.
        """
        rows = list(_spans(self.rows, self.grid.rows, self.height, most_rows))
        cols = list(_spans(self.cols, self.grid.cols, self.width, most_cols))
        return [
            Window(left, top, right - left, bottom - top)
            for left, right in cols
            for top, bottom in rows
        ]


def _span(ratio: Ratio, start: int, stop: int, length: int) -> tuple[int, int]:
    first = start // ratio.scene - ratio.halo_to_scene
    last = ratio.units(stop) + ratio.halo_to_scene
    return max(0, first * ratio.model), min(length, last * ratio.model)


def _spans(ratio: Ratio, axis: Axis, length: int, most: int) -> Iterator[tuple[int, int]]:
    pieces = ceil_div(length, most)
    half = axis.shared // 2
    middles = [start + half for start in axis.starts[1:]]
    begin = 0
    for piece in range(1, pieces):
        aim = piece * length / pieces * ratio.scale
        near = min(middles, key=lambda middle: abs(middle - aim), default=0)
        cut = near // ratio.model * ratio.scene
        if begin < cut < length:
            yield begin, cut
            begin = cut
    yield begin, length
