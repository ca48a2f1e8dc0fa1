"""Boundary scores agree with a check of each pixel's neighbours and SciPy's exact distances."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.boundary import BOUNDARY_COLUMNS, boundary_counts, boundary_scores

Mask = NDArray[np.uint8]

TOLERANCES = (0.0, 0.5, 1.0, math.sqrt(2), math.sqrt(3), 2.0, math.sqrt(5), 3.0, 5.0, 40.0)


@st.composite
def masks(draw: st.DrawFn) -> tuple[Mask, Mask]:
    """A true and a predicted mask of patches, often without the class or full of it."""
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    patch = draw(st.sampled_from((1, 3, 8)))
    truth_values = draw(st.sampled_from(([0], [1], [0, 1], [0, 0, 0, 1, 2], [0, 1, 2, IGNORE])))
    values = draw(st.sampled_from(([0], [1], [0, 1], [0, 0, 0, 1, 2])))
    return _patches(rng, shape, patch, truth_values), _patches(rng, shape, patch, values)


def _patches(
    rng: np.random.Generator, shape: tuple[int, int], patch: int, values: list[int]
) -> Mask:
    coarse = rng.choice(np.array(values, np.uint8), (shape[0] // patch + 1, shape[1] // patch + 1))
    return np.kron(coarse, np.ones((patch, patch), np.uint8))[: shape[0], : shape[1]]


def boundary(mask: Mask, truth: Mask, index: int) -> NDArray[np.bool_]:
    result = np.zeros(mask.shape, bool)
    for row, col in np.argwhere((mask == index) & (truth != IGNORE)):
        for neighbour in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
            inside = all(0 <= i < side for i, side in zip(neighbour, mask.shape, strict=True))
            if inside and truth[neighbour] != IGNORE and mask[neighbour] != index:
                result[row, col] = True
    return result


def count_near(pixels: NDArray[np.bool_], targets: NDArray[np.bool_], tolerance: float) -> int:
    if not targets.any():
        return 0
    return int((distance_transform_edt(~targets)[pixels] <= tolerance).sum())


@given(masks(), st.sampled_from(TOLERANCES))
def test_counts_agree_with_a_pixel_by_pixel_count(
    pair: tuple[Mask, Mask], tolerance: float
) -> None:
    truth, prediction = pair
    true, predicted = boundary(truth, truth, 1), boundary(prediction, truth, 1)
    expected = [
        predicted.sum(),
        count_near(predicted, true, tolerance),
        true.sum(),
        count_near(true, predicted, tolerance),
    ]
    counts = boundary_counts(truth, prediction, 1, tolerance)
    assert counts.dtype == np.int64
    assert counts.shape == (len(BOUNDARY_COLUMNS),)
    assert counts.tolist() == expected


@given(masks(), st.integers(0, 2))
def test_a_perfect_prediction_scores_1(pair: tuple[Mask, Mask], index: int) -> None:
    truth, _ = pair
    scores = boundary_scores(boundary_counts(truth, truth, index, 0.0))
    assert scores.tolist() == [1.0, 1.0, 1.0]


@given(masks(), st.sampled_from(TOLERANCES))
def test_predictions_of_unlabelled_pixels_do_not_change_the_counts(
    pair: tuple[Mask, Mask], tolerance: float
) -> None:
    truth, prediction = pair
    changed = np.where(truth == IGNORE, 1 - (prediction == 1), prediction).astype(np.uint8)
    np.testing.assert_array_equal(
        boundary_counts(truth, prediction, 1, tolerance),
        boundary_counts(truth, changed, 1, tolerance),
    )


@pytest.mark.parametrize(
    ("tolerance", "counts"), [(1.9, [8, 0, 8, 0]), (2.0, [8, 8, 8, 8]), (9.0, [8, 8, 8, 8])]
)
def test_a_shifted_edge_is_near_if_the_tolerance_is_at_least_its_shift(
    tolerance: float, counts: list[int]
) -> None:
    truth, prediction = np.zeros((2, 8, 20), np.uint8)
    truth[:, :10] = 1
    prediction[:, :12] = 1
    assert boundary_counts(truth, prediction, 1, tolerance).tolist() == counts


@pytest.mark.parametrize("offset", [(1, 1), (1, 2), (2, 3), (9, 11), (100, 700)])
def test_a_distance_of_exactly_the_tolerance_is_near(offset: tuple[int, int]) -> None:
    truth, prediction = np.zeros((2, offset[0] + 1, offset[1] + 1), np.uint8)
    truth[0, 0] = prediction[-1, -1] = 1
    exact = math.sqrt(offset[0] ** 2 + offset[1] ** 2)
    assert boundary_counts(truth, prediction, 1, exact).tolist() == [1, 1, 1, 1]
    below = math.nextafter(exact, 0)
    assert boundary_counts(truth, prediction, 1, below).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("side", [3, 300])
def test_nothing_is_near_the_boundary_of_an_absent_class(side: int) -> None:
    truth, prediction = np.zeros((2, side, side), np.uint8)
    prediction[1, 1] = 1
    assert boundary_counts(truth, prediction, 1, math.inf).tolist() == [1, 0, 0, 0]
    assert boundary_counts(prediction, truth, 1, math.inf).tolist() == [0, 0, 1, 0]


def test_image_edges_and_unlabelled_pixels_do_not_make_a_boundary() -> None:
    truth = np.array([[1, 1, IGNORE, 0, 0, 1]], np.uint8)
    prediction = np.array([[1, 1, 0, 0, 0, 0]], np.uint8)
    assert boundary_counts(truth, prediction, 1, 1.0).tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize(
    ("counts", "scores"),
    [
        ([0, 0, 0, 0], [1.0, 1.0, 1.0]),
        ([7, 0, 0, 0], [0.0, 0.0, 0.0]),
        ([0, 0, 7, 0], [0.0, 0.0, 0.0]),
        ([7, 0, 7, 0], [0.0, 0.0, 0.0]),
        ([10, 5, 4, 4], [2 / 3, 0.5, 1.0]),
    ],
)
def test_scores_follow_their_formulas(counts: list[int], scores: list[float]) -> None:
    computed = boundary_scores(np.broadcast_to(np.array(counts), (2, 3, 4)))
    np.testing.assert_allclose(computed, np.broadcast_to(scores, (2, 3, 3)))


@given(masks())
@example((np.zeros((1, 1), np.uint8), np.ones((1, 1), np.uint8)))
def test_a_larger_tolerance_never_lowers_a_score(pair: tuple[Mask, Mask]) -> None:
    scores = np.array([boundary_scores(boundary_counts(*pair, 1, t)) for t in TOLERANCES])
    assert (np.diff(scores, axis=0) >= 0).all()
    assert scores.min() >= 0.0
    assert scores.max() <= 1.0
