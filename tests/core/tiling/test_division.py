"""Division of rasters into blocks: they cover it once, are of bounded size, and keep apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.tiling.division import Division, blocks_of, divided

LENGTHS, SIDES, RIMS = st.integers(1, 60), st.integers(1, 25), st.integers(0, 6)


def test_pieces_of_an_axis() -> None:
    assert divided(10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert divided(9, 4) == [(0, 4), (4, 9)]
    assert divided(3, 4) == [(0, 3)]
    with pytest.raises(ValueError, match="must be positive"):
        divided(3, 0)


@given(LENGTHS, LENGTHS, SIDES, SIDES)
def test_blocks_cover_a_raster_once(height: int, width: int, rows: int, cols: int) -> None:
    covered = np.zeros((height, width), int)
    for block in blocks_of(height, width, (rows, cols), (0, 0)):
        window = block.window
        covered[window.row_off : window.row_stop, window.col_off : window.col_stop] += 1
    assert (covered == 1).all()


@given(LENGTHS, LENGTHS, SIDES)
def test_blocks_have_half_to_one_and_a_half_times_their_side(
    height: int, width: int, side: int
) -> None:
    for block in blocks_of(height, width, (side, side), (0, 0)):
        window = block.window
        for length, whole in ((window.height, height), (window.width, width)):
            assert min(side / 2, whole) <= length < 1.5 * side
            assert length == side or window.row_stop == height or window.col_stop == width


@given(LENGTHS, LENGTHS, SIDES, RIMS, RIMS)
def test_cores_of_two_blocks_are_two_rims_apart(
    height: int, width: int, side: int, rows: int, cols: int
) -> None:
    cores = [
        core
        for block in blocks_of(height, width, (side, side), (rows, cols))
        if (core := ends(block))
    ]
    for index, (top, bottom, left, right) in enumerate(cores):
        for other_top, other_bottom, other_left, other_right in cores[:index]:
            down = max(top - other_bottom, other_top - bottom)
            across = max(left - other_right, other_left - right)
            assert down >= 2 * rows or across >= 2 * cols


@given(LENGTHS, LENGTHS, SIDES, RIMS)
def test_edges_of_the_raster_have_no_rim(height: int, width: int, side: int, rim: int) -> None:
    for block in blocks_of(height, width, (side, side), (rim, rim)):
        assert block.rim.top == (rim if block.window.row_off > 0 else 0)
        assert block.rim.right == (rim if block.window.col_stop < width else 0)


def ends(block: Division) -> tuple[int, int, int, int] | None:
    """First row of a block's core and the one after the last, and the same of its columns."""
    core = block.core
    if not (core.width and core.height):
        return None
    row, col = block.window.row_off + core.row_off, block.window.col_off + core.col_off
    return row, row + core.height, col, col + core.width
