"""A scene is laid out for the model, and divided into blocks that need few windows twice."""

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landslide_cli.core.tiling.grid import Window
from landslide_cli.core.tiling.layout import Layout, Tiling
from landslide_cli.core.tiling.scaling import Ratio

SCALES: list[float | tuple[float, float]] = [
    0.25,
    0.5,
    0.3,
    0.867,
    1.0,
    1.2,
    1.5,
    2.0,
    (0.5, 1.2),
    (1.0, 0.33),
]


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    # One long side is enough: the two axes are laid out alike, and apart from each other.
    sides = [draw(st.integers(1, 40)), draw(st.integers(1, 400))]
    height, width = sides if draw(st.booleans()) else sides[::-1]
    multiple = draw(st.sampled_from([1, 4, 8]))
    tile = draw(st.none() | st.integers(1, 12).map(lambda number: number * multiple))
    overlap = draw(st.integers(0, (tile or 9) - 1))
    tiling = Tiling(
        tile,
        overlap,
        scale=draw(st.sampled_from(SCALES)),
        fitted=draw(st.booleans()),
        multiple=multiple,
    )
    return tiling.layout(height, width)


def along_two_edges(blocks: Sequence[Window]) -> list[Window]:
    """Take the blocks at the top and those at the left: all spans of rows and of columns."""
    return [block for block in blocks if block.row_off == 0 or block.col_off == 0]


def test_a_scene_keeps_its_size_where_the_model_works_at_its_scale() -> None:
    layout = Tiling(16, 4).layout(40, 60)
    assert (layout.rows, layout.cols) == (Ratio(1, 1), Ratio(1, 1))
    assert (layout.grid.rows.length, layout.grid.cols.length) == (40, 60)
    assert (layout.grid.rows.side, layout.grid.cols.side) == (16, 16)
    assert layout.grid.rows.overlap == 4
    assert layout.whole == Window(0, 0, 60, 40)


def test_rows_and_columns_may_have_scales_of_their_own() -> None:
    layout = Tiling(16, 4, scale=(0.5, 2.0)).layout(40, 60)
    assert (layout.rows, layout.cols) == (Ratio(2, 1), Ratio(1, 2))
    assert (layout.grid.rows.length, layout.grid.cols.length) == (20, 120)


@pytest.mark.parametrize("multiple", [1, 32])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (32, 33), (500, 70)])
def test_without_a_tile_one_window_takes_the_whole_scene(
    height: int, width: int, multiple: int
) -> None:
    grid = Tiling(None, 128, scale=0.5, multiple=multiple).layout(height, width).grid
    assert len(grid) == 1
    for axis in (grid.rows, grid.cols):
        assert axis.side % multiple == 0
        assert 0 <= axis.side - axis.length < multiple


@given(st.integers(1, 900), st.integers(1, 900), st.integers(0, 63), st.sampled_from([1, 8, 32]))
def test_fitted_windows_are_no_more_work_and_no_larger_than_the_tile(
    height: int, width: int, overlap: int, multiple: int
) -> None:
    fitted = Tiling(64, overlap, fitted=True, multiple=multiple).layout(height, width).grid
    square = Tiling(64, overlap, multiple=multiple).layout(height, width).grid
    for axis, whole in ((fitted.rows, square.rows), (fitted.cols, square.cols)):
        assert whole.side == 64
        assert axis.side % multiple == 0
        assert axis.side <= 64
        assert len(axis) * axis.side <= len(whole) * whole.side


def test_fitted_windows_need_not_be_square() -> None:
    grid = Tiling(512, 128, fitted=True, multiple=32).layout(1181, 100).grid
    assert grid.cols.side == 128
    assert grid.rows.side > 128


def test_a_scene_narrower_than_the_overlap_is_laid_out() -> None:
    grid = Tiling(512, 128, fitted=True, multiple=32).layout(20, 40).grid
    assert (grid.rows.side, grid.cols.side) == (32, 64)


@given(layouts(), st.integers(1, 200), st.integers(1, 200))
@example(Tiling(16, 4, scale=0.25).layout(5, 5), 1, 1)
def test_blocks_cover_the_scene_once_column_by_column(
    layout: Layout, most_rows: int, most_cols: int
) -> None:
    blocks = layout.blocks(most_rows, most_cols)
    covered = np.zeros((layout.height, layout.width), int)
    for block in blocks:
        assert min(block.width, block.height) > 0
        covered[block.row_off : block.row_stop, block.col_off : block.col_stop] += 1
    assert (covered == 1).all()
    assert list(blocks) == sorted(blocks, key=lambda block: (block.col_off, block.row_off))
    tops = {(block.row_off, block.height) for block in blocks}
    lefts = {(block.col_off, block.width) for block in blocks}
    assert len(tops) * len(lefts) == len(blocks)


@given(layouts(), st.integers(1, 200), st.integers(1, 200))
def test_blocks_are_about_as_large_as_allowed_at_the_most(
    layout: Layout, most_rows: int, most_cols: int
) -> None:
    # They end in the middle of overlaps and at whole units, the nearest to where they should.
    grid = layout.grid
    spare_rows = (grid.rows.side + layout.rows.model) / layout.rows.scale
    spare_cols = (grid.cols.side + layout.cols.model) / layout.cols.scale
    for block in along_two_edges(layout.blocks(most_rows, most_cols)):
        assert block.height <= most_rows + 2 * spare_rows
        assert block.width <= most_cols + 2 * spare_cols


@given(layouts())
def test_a_scene_within_the_limits_is_one_block(layout: Layout) -> None:
    assert list(layout.blocks(layout.height, layout.width)) == [layout.whole]


def needed(ratio: Ratio, start: int, stop: int, length: int) -> tuple[int, int]:
    """Return the first and last pixel of the model that make up some pixels of the scene."""
    if ratio.scale >= 1:  # averages over what each pixel covers
        first, last = floor(start * ratio.scale + 1e-9), ceil(stop * ratio.scale - 1e-9) - 1
    else:  # is interpolated between the two nearest centres
        first = floor((start + 0.5) * ratio.scale - 0.5 + 1e-9)
        last = ceil((stop - 0.5) * ratio.scale - 0.5 - 1e-9)
    return max(0, min(first, length - 1)), min(last, length - 1)


@given(layouts(), st.integers(1, 200), st.integers(1, 200))
def test_the_area_of_a_block_holds_what_its_pixels_depend_on(
    layout: Layout, most_rows: int, most_cols: int
) -> None:
    for block in along_two_edges(layout.blocks(most_rows, most_cols)):
        area = layout.area(block)
        first, last = needed(layout.rows, block.row_off, block.row_stop, layout.grid.rows.length)
        assert area.row_off <= first <= last < area.row_stop <= layout.grid.rows.length
        first, last = needed(layout.cols, block.col_off, block.col_stop, layout.grid.cols.length)
        assert area.col_off <= first <= last < area.col_stop <= layout.grid.cols.length


@given(layouts(), st.integers(1, 200))
def test_the_windows_of_a_block_are_those_that_touch_its_area(layout: Layout, most: int) -> None:
    for block in along_two_edges(layout.blocks(most, most)):
        assert layout.windows(block) == len(list(layout.grid.touching(layout.area(block))))
    assert layout.windows(layout.whole) == len(layout.grid)


def test_two_blocks_share_no_more_windows_than_one_row_of_overlap_needs() -> None:
    layout = Tiling(64, 16).layout(1024, 64)
    blocks = layout.blocks(512, 64)
    assert len(blocks) == 2
    # A cut amid an overlap lies in two rows of windows, of which each block needs both.
    assert sum(layout.windows(block) for block in blocks) <= len(layout.grid) + 2
