"""The grid of windows covers every scene, and blending gives back what was predicted."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.tiler import Blender, Grid, Window, cut, taper


@dataclass(frozen=True)
class Case:
    grid: Grid
    seed: int

    def values(self, channels: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng(self.seed)
        return rng.integers(0, 256, (self.grid.height, self.grid.width, channels), np.uint8)


@st.composite
def cases(draw: st.DrawFn, most_overlap: float = 1.0) -> Case:
    tile = draw(st.integers(1, 24))
    overlap = draw(st.integers(0, max(0, min(tile - 1, int(tile * most_overlap)))))
    sides = st.integers(1, 60)
    grid = Grid(draw(sides), draw(sides), tile, overlap)
    return Case(grid, draw(st.integers(0, 2**32 - 1)))


def case(height: int, width: int, tile: int, overlap: int) -> Case:
    return Case(Grid(height, width, tile, overlap), 0)


def merged(
    grid: Grid, predictions: Iterable[tuple[Window, NDArray[np.float32]]], channels: int
) -> NDArray[np.float32]:
    blender = Blender(grid, channels)
    for window, prediction in predictions:
        blender.add(window, prediction)
    return blender.result()


def blended(grid: Grid, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Predict each window to be what the image shows, and blend."""
    predictions = ((window, cut(image, window).astype(np.float32)) for window in grid)
    return merged(grid, predictions, image.shape[-1])


@given(cases())
@example(case(1, 1, 16, 4))
@example(case(3, 500, 16, 4))
@example(case(500, 3, 16, 0))
@example(case(17, 16, 16, 15))
def test_every_pixel_is_covered(one: Case) -> None:
    covered = np.zeros((one.grid.height, one.grid.width), int)
    for window in one.grid:
        rows = slice(window.row_off, window.row_off + window.height)
        covered[rows, window.col_off : window.col_off + window.width] += 1
    assert covered.min() >= 1


@given(cases())
def test_neighbours_share_exactly_the_overlap(one: Case) -> None:
    windows = list(one.grid)
    for offsets in ({w.row_off for w in windows}, {w.col_off for w in windows}):
        line = sorted(offsets)
        assert line[0] == 0
        assert {b - a for a, b in pairwise(line)} <= {one.grid.tile - one.grid.overlap}


@given(cases())
def test_windows_are_all_of_one_size_and_each_stands_once(one: Case) -> None:
    windows = list(one.grid)
    assert {(w.width, w.height) for w in windows} == {(one.grid.tile, one.grid.tile)}
    assert len(set(windows)) == len(windows) == len(one.grid) == one.grid.rows * one.grid.cols


@given(cases())
def test_no_row_or_column_of_windows_is_superfluous(one: Case) -> None:
    grid, step = one.grid, one.grid.tile - one.grid.overlap
    for count, side in ((grid.rows, grid.height), (grid.cols, grid.width)):
        assert count == 1 or (count - 2) * step + grid.tile < side


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
    grid = Grid(height, width, tile, overlap)
    assert (grid.rows, grid.cols, len(grid)) == (rows, cols, rows * cols)


@pytest.mark.parametrize(
    ("height", "width", "tile", "overlap"),
    [(0, 5, 4, 0), (5, 0, 4, 0), (5, 5, 0, 0), (5, 5, 4, 4), (5, 5, 4, -1)],
)
def test_an_impossible_grid_is_refused(height: int, width: int, tile: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        Grid(height, width, tile, overlap)


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


@given(cases())
def test_weights_are_positive_and_symmetric(one: Case) -> None:
    weights = taper(one.grid.tile, one.grid.overlap)
    assert weights.shape == (one.grid.tile,)
    assert weights.min() > 0.0
    assert weights.max() <= 1.0
    np.testing.assert_array_equal(weights, weights[::-1])


@given(cases(), st.floats(0.0, 1.0, width=32))
@example(case(1, 1, 16, 15), 0.3)
@example(case(3, 500, 16, 4), 1 / 3)
@example(case(60, 60, 24, 23), 0.1)
def test_a_constant_prediction_comes_back_constant(one: Case, value: float) -> None:
    constant = np.full((one.grid.tile, one.grid.tile, 2), value, np.float32)
    result = merged(one.grid, ((window, constant) for window in one.grid), 2)
    assert result.shape == (one.grid.height, one.grid.width, 2)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, value, atol=1e-6, rtol=0)


@given(cases(most_overlap=0.75))
@example(case(1, 1, 16, 8))
@example(case(3, 500, 16, 4))
@example(case(45, 33, 16, 8))
def test_an_identity_prediction_comes_back_exact(one: Case) -> None:
    image = one.values(3)
    np.testing.assert_array_equal(blended(one.grid, image), image)


@given(cases())
def test_an_identity_prediction_comes_back_for_any_overlap(one: Case) -> None:
    image = one.values(1)
    np.testing.assert_allclose(blended(one.grid, image), image, atol=255e-6, rtol=0)


@pytest.mark.parametrize("overlap", [128, 200, 256, 384])
def test_an_identity_prediction_comes_back_exact_for_wide_overlaps(overlap: int) -> None:
    one = case(700, 520, 512, overlap)
    image = one.values(1)
    np.testing.assert_array_equal(blended(one.grid, image), image)


@given(cases(most_overlap=0.75))
def test_blending_does_not_depend_on_the_order_of_windows(one: Case) -> None:
    rng = np.random.default_rng(one.seed)
    # Predictions that disagree where windows overlap: each window's own noise.
    side = one.grid.tile
    predictions = [
        (window, rng.integers(0, 256, (side, side, 2)).astype(np.float32)) for window in one.grid
    ]
    shuffled = [predictions[i] for i in rng.permutation(len(predictions))]
    first, *others = (
        merged(one.grid, order, 2) for order in (predictions, predictions[::-1], shuffled)
    )
    for other in others:
        np.testing.assert_array_equal(first, other)


@given(cases())
def test_what_is_predicted_beyond_the_scene_is_dropped(one: Case) -> None:
    grid = one.grid
    blender = Blender(grid, 1)
    for window in grid:
        prediction = np.full((grid.tile, grid.tile, 1), 1e9, np.float32)
        prediction[: grid.height - window.row_off, : grid.width - window.col_off] = 0.25
        blender.add(window, prediction)
    np.testing.assert_allclose(blender.result(), 0.25, atol=1e-6, rtol=0)


def test_a_blended_pixel_lies_between_the_predictions_of_its_windows() -> None:
    grid = Grid(16, 28, 16, 4)
    blender = Blender(grid, 1)
    for value, window in zip((0.0, 1.0), grid, strict=True):
        blender.add(window, np.full((16, 16, 1), value, np.float32))
    line = blender.result()[8, :, 0]
    np.testing.assert_array_equal(line[:12], 0.0)
    np.testing.assert_array_equal(line[16:], 1.0)
    assert (np.diff(line[11:17]) > 0).all()
