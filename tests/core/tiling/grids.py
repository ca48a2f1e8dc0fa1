"""What the tests of tiling share."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image, Probabilities
from landslide_cli.core.tiling.grid import Axis, Grid, Window


@dataclass(frozen=True)
class Case:
    grid: Grid
    seed: int

    @property
    def whole(self) -> Window:
        return Window(0, 0, self.grid.cols.length, self.grid.rows.length)

    def values(self, channels: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng(self.seed)
        shape = (self.grid.rows.length, self.grid.cols.length, channels)
        return rng.integers(0, 256, shape, np.uint8)

    def predicted(self, window: Window) -> Probabilities:
        """Predict random values per window, so that windows disagree where they overlap."""
        rng = np.random.default_rng([self.seed, window.row_off, window.col_off])
        return rng.random((window.height, window.width, 2), np.float32)

    def predicted_or_not(self, window: Window) -> Probabilities | None:
        """Predict likewise, but nothing for a third of the windows, which have no data."""
        rng = np.random.default_rng([1, self.seed, window.row_off, window.col_off])
        return None if rng.random() < 1 / 3 else self.predicted(window)


@st.composite
def axes(draw: st.DrawFn, most_overlap: float = 1.0) -> Axis:
    side = draw(st.integers(1, 24))
    overlap = draw(st.integers(0, max(0, min(side - 1, int(side * most_overlap)))))
    return Axis(draw(st.integers(1, 50)), side, overlap, draw(st.sampled_from([1, 1, 4, 8])))


@st.composite
def cases(draw: st.DrawFn, most_overlap: float = 1.0) -> Case:
    grid = Grid(draw(axes(most_overlap)), draw(axes(most_overlap)))
    return Case(grid, draw(st.integers(0, 2**32 - 1)))


@st.composite
def spans(draw: st.DrawFn, length: int) -> tuple[int, int]:
    start = draw(st.integers(0, length - 1))
    return start, draw(st.integers(start + 1, length))


@st.composite
def areas(draw: st.DrawFn, grid: Grid) -> Window:
    top, bottom = draw(spans(grid.rows.length))
    left, right = draw(spans(grid.cols.length))
    return Window(left, top, right - left, bottom - top)


def example_of(height: int, width: int, tile: int, overlap: int, multiple: int = 1) -> Case:
    rows, cols = (Axis(length, tile, overlap, multiple) for length in (height, width))
    return Case(Grid(rows, cols), 0)


def pixels(area: Window) -> tuple[slice, slice]:
    return slice(area.row_off, area.row_stop), slice(area.col_off, area.col_stop)


def noise(rows: int, cols: int, means: tuple[float, ...], deviation: float, seed: int = 0) -> Image:
    values = np.random.default_rng(seed).normal(means, deviation, (rows, cols, len(means)))
    return np.clip(np.rint(values), 1, 255).astype(np.uint8)
