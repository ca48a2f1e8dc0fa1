"""The grid of windows covers every scene, and blending gives back what was predicted."""

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
        """Noise of the window's own, so that windows disagree where they overlap."""
        rng = np.random.default_rng([self.seed, window.row_off, window.col_off])
        return rng.random((window.height, window.width, 2), np.float32)

    def predicted_or_not(self, window: Window) -> Probabilities | None:
        """The same, but for a third of the windows that hold no data."""
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


def case(height: int, width: int, tile: int, overlap: int, multiple: int = 1) -> Case:
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
    return np.concatenate([one.values for one in rows])


def shown(one: Case, image: NDArray[np.uint8]) -> Probabilities:
    """Predict each window to be what the image shows, and blend."""
    predicted: Predicted = lambda window: cut(image, window).astype(np.float32)  # noqa: E731
    return merged(one.grid, one.whole, predicted, image.shape[-1])


def accumulated(one: Case, predicted: Predicted) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Average at full size in float64, and say which pixels any window gives."""
    rows, cols = one.grid.rows, one.grid.cols
    weights = np.outer(rows.weights(), cols.weights())
    shape = (rows.length + rows.side, cols.length + cols.side)
    sums, totals = np.zeros((*shape, 2)), np.zeros(shape)
    for window in one.grid:
        prediction = predicted(window)
        if prediction is not None:
            sums[pixels(window)] += prediction * weights.astype(np.float64)[..., None]
            totals[pixels(window)] += weights
    inside = np.s_[: rows.length, : cols.length]
    given = totals[inside] > 0
    return sums[inside] / np.where(given, totals[inside], 1.0)[..., None], given


@given(cases())
@example(case(1, 1, 16, 4))
@example(case(3, 500, 16, 4))
@example(case(500, 3, 16, 0))
@example(case(17, 16, 16, 15))
def test_every_pixel_is_covered(one: Case) -> None:
    covered = np.zeros((one.grid.rows.length, one.grid.cols.length), int)
    for window in one.grid:
        covered[pixels(window)] += 1
    assert covered.min() >= 1


@given(axes())
@example(Axis(1181, 512, 128, 128))
@example(Axis(50, 16, 13, 8))
def test_neighbours_share_at_least_the_overlap(axis: Axis) -> None:
    shares = [begin + axis.side - after for begin, after in pairwise(axis.starts)]
    assert axis.starts[0] == 0
    assert all(axis.overlap <= share < axis.side for share in shares)
    assert axis.shared == min(shares, default=0)


@given(axes())
@example(Axis(1181, 512, 128, 128))
def test_windows_start_at_multiples_and_are_spread_evenly(axis: Axis) -> None:
    unit = axis.multiple if axis.side - axis.overlap >= axis.multiple else 1
    assert all(start % unit == 0 for start in axis.starts)
    steps = [after - begin for begin, after in pairwise(axis.starts)]
    assert max(steps, default=0) - min(steps, default=0) <= unit
    assert len(axis) == 1 or axis.starts[-1] + axis.side - axis.length < unit


@given(cases())
def test_windows_are_all_of_one_size_and_each_stands_once(one: Case) -> None:
    windows = list(one.grid)
    rows, cols = one.grid.rows, one.grid.cols
    assert {(w.width, w.height) for w in windows} == {(cols.side, rows.side)}
    assert len(set(windows)) == len(windows) == len(one.grid) == len(rows) * len(cols)


@given(axes())
def test_no_row_or_column_of_windows_is_superfluous(axis: Axis) -> None:
    most = axis.side - axis.overlap
    most -= most % axis.multiple if most >= axis.multiple else 0
    assert len(axis) == 1 or (len(axis) - 2) * most + axis.side < axis.length


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
def test_the_grid_has_as_few_windows_as_cover_the_scene(
    height: int, width: int, tile: int, overlap: int, rows: int, cols: int
) -> None:
    grid = case(height, width, tile, overlap).grid
    assert (len(grid.rows), len(grid.cols), len(grid)) == (rows, cols, rows * cols)


@pytest.mark.parametrize(
    ("length", "side", "overlap", "multiple"),
    [(0, 4, 0, 1), (5, 0, 0, 1), (5, 4, 4, 1), (5, 4, -1, 1), (5, 4, 0, 0)],
)
def test_impossible_windows_are_refused(
    length: int, side: int, overlap: int, multiple: int
) -> None:
    with pytest.raises(ValueError, match="must be"):
        Axis(length, side, overlap, multiple)


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 30))
def test_windows_side_by_side_cover_a_scene_once(height: int, width: int, side: int) -> None:
    covered = np.zeros((height, width), int)
    windows = list(side_by_side(height, width, side))
    for window in windows:
        assert (window.width, window.height) == (side, side)
        covered[pixels(window)] += 1
    assert (covered == 1).all()
    assert windows == sorted(windows, key=lambda window: (window.row_off, window.col_off))


@given(cases(), st.data())
def test_the_windows_that_touch_an_area_are_those_that_share_pixels_with_it(
    one: Case, data: st.DataObject
) -> None:
    area = data.draw(areas(one.grid))
    expected = [
        window
        for window in one.grid
        if window.row_off < area.row_stop
        and window.row_stop > area.row_off
        and window.col_off < area.col_stop
        and window.col_stop > area.col_off
    ]
    assert list(one.grid.touching(area)) == expected
    assert expected == sorted(expected, key=lambda window: (window.row_off, window.col_off))


@given(axes(), st.data())
def test_totals_are_the_sums_of_the_weights_of_all_windows(axis: Axis, data: st.DataObject) -> None:
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
def test_a_fitted_side_covers_with_no_more_work_than_the_largest(
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
    # No smaller side, of those allowed, covers the scene with as many windows.
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
        # The same work in one window as in two: the one has no seam.
        (33, 64, 0, 32, 64),
        (2000, 512, 64, 1, 452),
    ],
)
def test_the_fitted_side_of_known_scenes(
    length: int, most: int, overlap: int, multiple: int, side: int
) -> None:
    assert fitted_side(length, most, overlap, multiple) == side


@given(cases())
@example(case(1, 1, 16, 4))
@example(case(2, 30, 24, 3))
def test_a_window_beyond_the_edges_reflects_the_image_as_numpy_does(one: Case) -> None:
    image = one.values(2)
    for window in one.grid:
        below = max(0, window.row_off + window.height - image.shape[0])
        right = max(0, window.col_off + window.width - image.shape[1])
        padded = np.pad(image, ((0, below), (0, right), (0, 0)), mode="reflect")
        expected = padded[
            window.row_off : window.row_off + window.height,
            window.col_off : window.col_off + window.width,
        ]
        np.testing.assert_array_equal(cut(image, window), expected)
        np.testing.assert_array_equal(cut(image[..., 0], window), expected[..., 0])


def test_a_window_may_reach_beyond_the_upper_left_corner() -> None:
    image = np.arange(25, dtype=np.uint8).reshape(5, 5)
    expected = np.pad(image, ((2, 0), (3, 0)), mode="reflect")[:4, :4]
    np.testing.assert_array_equal(cut(image, Window(-3, -2, 4, 4)), expected)


@pytest.mark.parametrize(("tile", "overlap"), [(16, 4), (16, 8), (16, 0), (9, 3), (512, 128)])
def test_weights_of_two_neighbours_add_up_to_one(tile: int, overlap: int) -> None:
    weights = taper(tile, overlap)
    np.testing.assert_array_equal(weights[overlap : tile - overlap], 1.0)
    shared = weights[tile - overlap :] + weights[:overlap]
    # Weights are multiples of 1/128 above 0: the outermost cannot be as small as it would be.
    np.testing.assert_allclose(shared, 1.0, atol=1 / 128)


@given(axes())
def test_weights_are_positive_and_symmetric(axis: Axis) -> None:
    weights = taper(axis.side, axis.overlap)
    assert weights.shape == (axis.side,)
    assert weights.min() > 0.0
    assert weights.max() <= 1.0
    np.testing.assert_array_equal(weights, weights[::-1])


@given(cases(), st.floats(0.0, 1.0, width=32))
@example(case(1, 1, 16, 15), 0.3)
@example(case(3, 500, 16, 4), 1 / 3)
@example(case(60, 60, 24, 23), 0.1)
def test_a_constant_prediction_comes_back_constant(one: Case, value: float) -> None:
    constant = np.full((one.grid.rows.side, one.grid.cols.side, 2), value, np.float32)
    result = merged(one.grid, one.whole, lambda _: constant, 2)
    assert result.shape == (one.grid.rows.length, one.grid.cols.length, 2)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, value, atol=1e-6, rtol=0)


@given(cases(most_overlap=0.75))
@example(case(1, 1, 16, 8))
@example(case(3, 500, 16, 4))
@example(case(45, 33, 16, 8))
def test_an_identity_prediction_comes_back_exact(one: Case) -> None:
    image = one.values(3)
    np.testing.assert_array_equal(shown(one, image), image)


@given(cases())
def test_an_identity_prediction_comes_back_for_any_overlap(one: Case) -> None:
    image = one.values(1)
    np.testing.assert_allclose(shown(one, image), image, atol=255e-6, rtol=0)


@pytest.mark.parametrize("overlap", [128, 200, 256, 384])
def test_an_identity_prediction_comes_back_exact_for_wide_overlaps(overlap: int) -> None:
    one = case(700, 520, 512, overlap)
    image = one.values(1)
    np.testing.assert_array_equal(shown(one, image), image)


@given(cases())
@example(case(40, 30, 24, 23))
def test_blended_pixels_are_the_weighted_averages_of_their_windows(one: Case) -> None:
    expected, _ = accumulated(one, one.predicted)
    result = merged(one.grid, one.whole, one.predicted, 2)
    np.testing.assert_allclose(result, expected, atol=2e-6, rtol=0)


@given(cases())
def test_windows_without_data_do_not_change_the_pixels_that_other_windows_hold(one: Case) -> None:
    expected, given_ = accumulated(one, one.predicted_or_not)
    result = merged(one.grid, one.whole, one.predicted_or_not, 2)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(result[given_], expected[given_], atol=1e-4, rtol=0)


def test_without_any_data_the_rows_come_all_the_same() -> None:
    one = case(30, 40, 16, 4)
    assert merged(one.grid, one.whole, lambda _: None, 1).shape == (30, 40, 1)


@given(cases(), st.booleans(), st.data())
def test_a_blended_pixel_does_not_depend_on_the_area_asked_for(
    one: Case, gaps: bool, data: st.DataObject
) -> None:
    predicted = one.predicted_or_not if gaps else one.predicted
    area = data.draw(areas(one.grid))
    whole = merged(one.grid, one.whole, predicted, 2)
    part = merged(one.grid, area, predicted, 2)
    np.testing.assert_array_equal(part, whole[pixels(area)])


@given(cases(), st.data())
def test_blended_rows_come_in_order_and_as_early_as_possible(
    one: Case, data: st.DataObject
) -> None:
    area = data.draw(areas(one.grid))
    taken = 0

    def predicted(window: Window) -> Probabilities:
        nonlocal taken
        taken += 1
        return one.predicted(window)

    row = area.row_off
    for rows in rows_of(one.grid, area, predicted, 2):
        assert rows.row_off == row
        assert rows.values.shape[0] > 0
        assert rows.values.shape[1:] == (area.width, 2)
        row += rows.values.shape[0]
        done = Window(area.col_off, area.row_off, area.width, row - area.row_off)
        assert taken == len(list(one.grid.touching(done)))
    assert row == area.row_stop
    assert taken == len(list(one.grid.touching(area)))


@given(cases())
def test_what_is_predicted_beyond_the_scene_is_dropped(one: Case) -> None:
    rows, cols = one.grid.rows, one.grid.cols

    def predicted(window: Window) -> Probabilities:
        prediction = np.full((rows.side, cols.side, 1), 1e9, np.float32)
        prediction[: rows.length - window.row_off, : cols.length - window.col_off] = 0.25
        return prediction

    result = merged(one.grid, one.whole, predicted, 1)
    np.testing.assert_allclose(result, 0.25, atol=1e-6, rtol=0)


def test_a_blended_pixel_lies_between_the_predictions_of_its_windows() -> None:
    one = case(16, 28, 16, 4)
    left, right = one.grid
    values = {left: 0.0, right: 1.0}
    predicted: Predicted = lambda window: np.full((16, 16, 1), values[window], np.float32)  # noqa: E731
    line = merged(one.grid, one.whole, predicted, 1)[8, :, 0]
    np.testing.assert_array_equal(line[:12], 0.0)
    np.testing.assert_array_equal(line[16:], 1.0)
    assert (np.diff(line[11:17]) > 0).all()
