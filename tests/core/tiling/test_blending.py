"""Blending: weighted averages of overlapping windows, exact and in bounded memory."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.arrays import Probabilities
from landslide_cli.core.tiling.blending import Rows, blend
from landslide_cli.core.tiling.grid import (
    Grid,
    Window,
    cut,
)
from tests.core.tiling.grids import Case, areas, cases, example_of, pixels

Predicted = Callable[[Window], Probabilities | None]


def rows_of(grid: Grid, area: Window, predicted: Predicted, channels: int) -> Iterator[Rows]:
    predictions = ((window, predicted(window)) for window in grid.touching(area))
    return blend(grid, area, predictions, channels)


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
