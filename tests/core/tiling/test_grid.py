"""The grid of windows covers every scene, and blending averages the predictions."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landslide_cli.core.tiling.grid import (
    Axis,
    Window,
    cut,
    fitted_side,
    ramp_weights,
    side_by_side,
)
from tests.core.tiling.grids import Case, areas, axes, cases, example_of, pixels, spans


@given(cases())
@example(example_of(1, 1, 16, 4))
@example(example_of(3, 500, 16, 4))
@example(example_of(500, 3, 16, 0))
@example(example_of(17, 16, 16, 15))
def test_every_pixel_is_covered(case: Case) -> None:
    covered = np.zeros((case.grid.rows.length, case.grid.cols.length), int)
    for window in case.grid:
        covered[pixels(window)] += 1
    assert covered.min() >= 1


@given(axes())
@example(Axis(1181, 512, 128, 128))
@example(Axis(50, 16, 13, 8))
def test_neighbours_share_at_least_the_overlap(axis: Axis) -> None:
    overlaps = [start + axis.side - next_start for start, next_start in pairwise(axis.starts)]
    assert axis.starts[0] == 0
    assert all(axis.overlap <= overlap < axis.side for overlap in overlaps)
    assert axis.shared == min(overlaps, default=0)


@given(axes())
@example(Axis(1181, 512, 128, 128))
def test_windows_start_at_multiples_and_are_evenly_spaced(axis: Axis) -> None:
    unit = axis.multiple if axis.side - axis.overlap >= axis.multiple else 1
    assert all(start % unit == 0 for start in axis.starts)
    steps = [next_start - start for start, next_start in pairwise(axis.starts)]
    assert max(steps, default=0) - min(steps, default=0) <= unit
    assert len(axis) == 1 or axis.starts[-1] + axis.side - axis.length < unit


@given(cases())
def test_all_windows_have_the_same_size_and_none_occurs_twice(case: Case) -> None:
    windows = list(case.grid)
    rows, cols = case.grid.rows, case.grid.cols
    assert {(w.width, w.height) for w in windows} == {(cols.side, rows.side)}
    assert len(set(windows)) == len(windows) == len(case.grid) == len(rows) * len(cols)


@given(axes())
def test_no_row_or_column_of_windows_can_be_left_out(axis: Axis) -> None:
    step = axis.side - axis.overlap
    step -= step % axis.multiple if step >= axis.multiple else 0
    assert len(axis) == 1 or (len(axis) - 2) * step + axis.side < axis.length


@pytest.mark.parametrize(
    ("axis", "starts"),
    [
        (Axis(1181, side=512, overlap=128, multiple=32), (0, 320, 672)),
        (Axis(1181, side=512, overlap=128), (0, 334, 669)),
        (Axis(1181, side=672, overlap=128, multiple=32), (0, 512)),
        (Axis(100, side=512, overlap=128, multiple=32), (0,)),
    ],
)
def test_windows_start_where_the_documentation_says(axis: Axis, starts: tuple[int, ...]) -> None:
    assert axis.starts == starts


@pytest.mark.parametrize(
    ("height", "width", "tile", "overlap", "rows", "cols"),
    [
        (1, 1, 16, 4, 1, 1),
        (15, 16, 16, 4, 1, 1),
        (16, 17, 16, 4, 1, 2),
        (28, 29, 16, 4, 2, 3),
        (3, 500, 16, 4, 1, 42),
        (1024, 1024, 512, 128, 3, 3),
        (1024, 1024, 512, 0, 2, 2),
    ],
)
def test_the_grid_has_the_fewest_windows_that_cover_the_scene(
    height: int, width: int, tile: int, overlap: int, rows: int, cols: int
) -> None:
    grid = example_of(height, width, tile, overlap).grid
    assert (len(grid.rows), len(grid.cols), len(grid)) == (rows, cols, rows * cols)


@pytest.mark.parametrize(
    ("length", "side", "overlap", "multiple"),
    [(0, 4, 0, 1), (5, 0, 0, 1), (5, 4, 4, 1), (5, 4, -1, 1), (5, 4, 0, 0)],
)
def test_impossible_sizes_of_windows_are_refused(
    length: int, side: int, overlap: int, multiple: int
) -> None:
    with pytest.raises(ValueError, match="must be"):
        Axis(length, side, overlap, multiple)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 30))
def test_windows_without_overlap_cover_every_pixel_once(height: int, width: int, side: int) -> None:
    covered = np.zeros((height, width), int)
    windows = list(side_by_side(height, width, side))
    for window in windows:
        assert (window.width, window.height) == (side, side)
        covered[pixels(window)] += 1
    assert (covered == 1).all()
    assert windows == sorted(windows, key=lambda window: (window.row_off, window.col_off))


@given(cases(), st.data())
def test_windows_touch_an_area_if_they_share_pixels_with_it(
    case: Case, data: st.DataObject
) -> None:
    area = data.draw(areas(case.grid))
    expected = [
        window
        for window in case.grid
        if window.row_off < area.row_stop
        and window.row_stop > area.row_off
        and window.col_off < area.col_stop
        and window.col_stop > area.col_off
    ]
    assert list(case.grid.touching(area)) == expected
    assert expected == sorted(expected, key=lambda window: (window.row_off, window.col_off))


@given(axes(), st.data())
def test_totals_are_sums_of_the_weights_of_all_windows(axis: Axis, data: st.DataObject) -> None:
    start, stop = data.draw(spans(axis.length))
    sums = np.zeros(axis.length + axis.side)
    for index in range(len(axis)):
        sums[axis.starts[index] :][: axis.side] += ramp_weights(axis.side, axis.shared)
    np.testing.assert_array_equal(axis.totals(start, stop), sums[start:stop])


@st.composite
def fittings(draw: st.DrawFn) -> tuple[int, int, int, int]:
    multiple = draw(st.sampled_from([1, 4, 32]))
    most = multiple * draw(st.integers(1, 12))
    return draw(st.integers(1, 2000)), most, draw(st.integers(0, most - 1)), multiple


@given(fittings())
@example((3, 1024, 128, 1))
@example((33, 64, 0, 32))
@example((1181, 1024, 128, 32))
def test_windows_of_the_fitted_side_are_no_more_work_than_the_largest(
    fitting: tuple[int, int, int, int],
) -> None:
    length, most, overlap, multiple = fitting
    side = fitted_side(length, most, overlap, multiple)
    assert side % multiple == 0
    assert 0 < side <= most
    axis = Axis(length, side, min(overlap, side - 1), multiple)
    largest = Axis(length, most, overlap, multiple)
    assert len(axis) == 1 or overlap < side
    assert len(axis) * side <= len(largest) * most
    # No smaller multiple covers the scene with the same number of windows.
    smaller = side - multiple
    assert (
        smaller <= 0
        or (len(axis) > 1 and smaller <= overlap)
        or len(Axis(length, smaller, min(overlap, smaller - 1), multiple)) > len(axis)
    )


@pytest.mark.parametrize(
    ("length", "most", "overlap", "multiple", "side"),
    [
        (1024, 1024, 128, 32, 1024),
        (1181, 1024, 128, 32, 672),
        (100, 1024, 128, 32, 128),
        (3, 1024, 128, 1, 3),
        # One window of 64 and two of 32 are the same work: fewer windows win.
        (33, 64, 0, 32, 64),
        (2000, 512, 64, 1, 452),
    ],
)
def test_fitted_sides_of_examples_computed_by_hand(
    length: int, most: int, overlap: int, multiple: int, side: int
) -> None:
    assert fitted_side(length, most, overlap, multiple) == side


@given(cases())
@example(example_of(1, 1, 16, 4))
@example(example_of(2, 30, 24, 3))
def test_windows_beyond_the_edges_are_reflected_as_in_numpy(case: Case) -> None:
    image = case.values(2)
    for window in case.grid:
        below = max(0, window.row_off + window.height - image.shape[0])
        right = max(0, window.col_off + window.width - image.shape[1])
        padded = np.pad(image, ((0, below), (0, right), (0, 0)), mode="reflect")
        expected = padded[
            window.row_off : window.row_off + window.height,
            window.col_off : window.col_off + window.width,
        ]
        np.testing.assert_array_equal(cut(image, window), expected)
        np.testing.assert_array_equal(cut(image[..., 0], window), expected[..., 0])


def test_windows_can_reach_beyond_the_upper_left_corner() -> None:
    image = np.arange(25, dtype=np.uint8).reshape(5, 5)
    expected = np.pad(image, ((2, 0), (3, 0)), mode="reflect")[:4, :4]
    np.testing.assert_array_equal(cut(image, Window(-3, -2, 4, 4)), expected)


@pytest.mark.parametrize(("tile", "overlap"), [(16, 4), (16, 8), (16, 0), (9, 3), (512, 128)])
def test_weights_of_two_neighbours_add_up_to_one(tile: int, overlap: int) -> None:
    weights = ramp_weights(tile, overlap)
    np.testing.assert_array_equal(weights[overlap : tile - overlap], 1.0)
    shared = weights[tile - overlap :] + weights[:overlap]
    # Weights are positive multiples of 1/128: the outermost may be rounded up.
    np.testing.assert_allclose(shared, 1.0, atol=1 / 128)


@given(axes())
def test_weights_are_positive_and_symmetric(axis: Axis) -> None:
    weights = ramp_weights(axis.side, axis.overlap)
    assert weights.shape == (axis.side,)
    assert weights.min() > 0.0
    assert weights.max() <= 1.0
    np.testing.assert_array_equal(weights, weights[::-1])
