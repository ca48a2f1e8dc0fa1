"""The grid of windows covers every scene, and blending averages the predictions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.arrays import Probabilities
from landslide_cli.core.tiling.grid import (
    Axis,
    Grid,
    Rows,
    Window,
    blended,
    cut,
    fitted_side,
    side_by_side,
    taper,
)


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


Predicted = Callable[[Window], Probabilities | None]


def rows_of(grid: Grid, area: Window, predicted: Predicted, channels: int) -> Iterator[Rows]:
    predictions = ((window, predicted(window)) for window in grid.touching(area))
    return blended(grid, area, predictions, channels)


def merged(grid: Grid, area: Window, predicted: Predicted, channels: int) -> Probabilities:
    rows = rows_of(grid, area, predicted, channels)
    return np.concatenate([block.values for block in rows])


def merged_identity(case: Case, image: NDArray[np.uint8]) -> Probabilities:
    """Blend predictions that are the window's pixels of the image."""
    predicted: Predicted = lambda window: cut(image, window).astype(np.float32)  # noqa: E731
    return merged(case.grid, case.whole, predicted, image.shape[-1])


def accumulated(case: Case, predicted: Predicted) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Average in float64 at full size; return the result, and which pixels have a prediction."""
    rows, cols = case.grid.rows, case.grid.cols
    weights = np.outer(rows.weights(), cols.weights())
    shape = (rows.length + rows.side, cols.length + cols.side)
    sums, totals = np.zeros((*shape, 2)), np.zeros(shape)
    for window in case.grid:
        prediction = predicted(window)
        if prediction is not None:
            sums[pixels(window)] += prediction * weights.astype(np.float64)[..., None]
            totals[pixels(window)] += weights
    inside = np.s_[: rows.length, : cols.length]
    has_prediction = totals[inside] > 0
    averages = sums[inside] / np.where(has_prediction, totals[inside], 1.0)[..., None]
    return averages, has_prediction


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
        sums[axis.starts[index] :][: axis.side] += taper(axis.side, axis.shared)
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
    weights = taper(tile, overlap)
    np.testing.assert_array_equal(weights[overlap : tile - overlap], 1.0)
    shared = weights[tile - overlap :] + weights[:overlap]
    # Weights are positive multiples of 1/128: the outermost may be rounded up.
    np.testing.assert_allclose(shared, 1.0, atol=1 / 128)


@given(axes())
def test_weights_are_positive_and_symmetric(axis: Axis) -> None:
    weights = taper(axis.side, axis.overlap)
    assert weights.shape == (axis.side,)
    assert weights.min() > 0.0
    assert weights.max() <= 1.0
    np.testing.assert_array_equal(weights, weights[::-1])


@given(cases(), st.floats(0.0, 1.0, width=32))
@example(example_of(1, 1, 16, 15), 0.3)
@example(example_of(3, 500, 16, 4), 1 / 3)
@example(example_of(60, 60, 24, 23), 0.1)
def test_constant_predictions_stay_constant(case: Case, value: float) -> None:
    constant = np.full((case.grid.rows.side, case.grid.cols.side, 2), value, np.float32)
    result = merged(case.grid, case.whole, lambda _: constant, 2)
    assert result.shape == (case.grid.rows.length, case.grid.cols.length, 2)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, value, atol=1e-6, rtol=0)


@given(cases(most_overlap=0.75))
@example(example_of(1, 1, 16, 8))
@example(example_of(3, 500, 16, 4))
@example(example_of(45, 33, 16, 8))
def test_integer_predictions_are_blended_exactly(case: Case) -> None:
    image = case.values(3)
    np.testing.assert_array_equal(merged_identity(case, image), image)


@given(cases())
def test_equal_predictions_are_blended_to_themselves_for_any_overlap(case: Case) -> None:
    image = case.values(1)
    np.testing.assert_allclose(merged_identity(case, image), image, atol=255e-6, rtol=0)


@pytest.mark.parametrize("overlap", [128, 200, 256, 384])
def test_integer_predictions_are_blended_exactly_for_wide_overlaps(overlap: int) -> None:
    case = example_of(700, 520, 512, overlap)
    image = case.values(1)
    np.testing.assert_array_equal(merged_identity(case, image), image)


@given(cases())
@example(example_of(40, 30, 24, 23))
def test_blended_pixels_are_weighted_averages_of_their_windows(case: Case) -> None:
    expected, _ = accumulated(case, case.predicted)
    result = merged(case.grid, case.whole, case.predicted, 2)
    np.testing.assert_allclose(result, expected, atol=2e-6, rtol=0)


@given(cases())
def test_windows_without_data_do_not_change_pixels_of_other_windows(case: Case) -> None:
    expected, has_prediction = accumulated(case, case.predicted_or_not)
    result = merged(case.grid, case.whole, case.predicted_or_not, 2)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(result[has_prediction], expected[has_prediction], atol=1e-4, rtol=0)


def test_all_rows_are_yielded_without_any_data() -> None:
    case = example_of(30, 40, 16, 4)
    assert merged(case.grid, case.whole, lambda _: None, 1).shape == (30, 40, 1)


@given(cases(), st.booleans(), st.data())
def test_blended_pixels_do_not_depend_on_the_area(
    case: Case, gaps: bool, data: st.DataObject
) -> None:
    predicted = case.predicted_or_not if gaps else case.predicted
    area = data.draw(areas(case.grid))
    whole = merged(case.grid, case.whole, predicted, 2)
    part = merged(case.grid, area, predicted, 2)
    np.testing.assert_array_equal(part, whole[pixels(area)])


@given(cases(), st.data())
def test_rows_are_yielded_in_order_and_as_early_as_possible(
    case: Case, data: st.DataObject
) -> None:
    area = data.draw(areas(case.grid))
    windows = 0

    def predicted(window: Window) -> Probabilities:
        nonlocal windows
        windows += 1
        return case.predicted(window)

    row = area.row_off
    for rows in rows_of(case.grid, area, predicted, 2):
        assert rows.row_off == row
        assert rows.values.shape[0] > 0
        assert rows.values.shape[1:] == (area.width, 2)
        row += rows.values.shape[0]
        yielded = Window(area.col_off, area.row_off, area.width, row - area.row_off)
        assert windows == len(list(case.grid.touching(yielded)))
    assert row == area.row_stop
    assert windows == len(list(case.grid.touching(area)))


@given(cases())
def test_predictions_beyond_the_scene_are_discarded(case: Case) -> None:
    rows, cols = case.grid.rows, case.grid.cols

    def predicted(window: Window) -> Probabilities:
        prediction = np.full((rows.side, cols.side, 1), 1e9, np.float32)
        prediction[: rows.length - window.row_off, : cols.length - window.col_off] = 0.25
        return prediction

    result = merged(case.grid, case.whole, predicted, 1)
    np.testing.assert_allclose(result, 0.25, atol=1e-6, rtol=0)


def test_a_blended_pixel_lies_between_the_predictions_of_its_windows() -> None:
    case = example_of(16, 28, 16, 4)
    left, right = case.grid
    values = {left: 0.0, right: 1.0}
    predicted: Predicted = lambda window: np.full((16, 16, 1), values[window], np.float32)  # noqa: E731
    line = merged(case.grid, case.whole, predicted, 1)[8, :, 0]
    np.testing.assert_array_equal(line[:12], 0.0)
    np.testing.assert_array_equal(line[16:], 1.0)
    assert (np.diff(line[11:17]) > 0).all()
