"""Object counts agree with SciPy's labels and a comparison of all pairs of objects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import label

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.objects import (
    OBJECT_COLUMNS,
    OBJECT_RATE_NAMES,
    ObjectTally,
    object_counts,
    object_rates,
)

Mask = NDArray[np.uint8]
Objects = list[NDArray[np.bool_]]


@st.composite
def masks(draw: st.DrawFn) -> tuple[Mask, Mask]:
    """A true and a predicted mask of patches; the prediction is often the truth with errors."""
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    patch = draw(st.sampled_from((1, 3, 5)))
    truth_values = draw(st.sampled_from(([0], [1], [0, 0, 0, 1], [0, 0, 1, 2], [0, 0, 1, IGNORE])))
    values = draw(st.sampled_from(([0], [1], [0, 0, 0, 1], [0, 0, 1, 2])))
    truth = _patches(rng, shape, patch, truth_values)
    prediction = _patches(rng, shape, patch, values)
    kept = rng.random(shape) < draw(st.sampled_from((0.0, 0.7, 0.95)))
    prediction[kept] = np.where(truth == IGNORE, 0, truth)[kept]
    return truth, prediction


def _patches(
    rng: np.random.Generator, shape: tuple[int, int], patch: int, values: list[int]
) -> Mask:
    coarse = rng.choice(np.array(values, np.uint8), (shape[0] // patch + 1, shape[1] // patch + 1))
    return np.kron(coarse, np.ones((patch, patch), np.uint8))[: shape[0], : shape[1]]


def objects(of_class: NDArray[np.bool_]) -> Objects:
    labels, count = label(of_class, np.ones((3, 3)))
    return [labels == number for number in range(1, count + 1)]


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def size_class(pixels: NDArray[np.bool_], bounds: list[float], pixel_area: float) -> int:
    return sum(pixels.sum() * pixel_area >= bound for bound in bounds)


@given(masks(), st.sampled_from(([], [3.0], [0.5, 2.0, 6.5, 40.0])), st.sampled_from((1.0, 0.25)))
def test_counts_agree_with_a_comparison_of_all_pairs(
    pair: tuple[Mask, Mask], bounds: list[float], pixel_area: float
) -> None:
    truth, prediction = pair
    true_objects = objects(truth == 1)
    predicted_objects = objects((prediction == 1) & (truth != IGNORE))
    expected = np.zeros((len(bounds) + 1, len(OBJECT_COLUMNS)), int)
    for true in true_objects:
        detected = any(iou(true, predicted) >= 0.5 for predicted in predicted_objects)
        touched = any((true & predicted).any() for predicted in predicted_objects)
        expected[size_class(true, bounds, pixel_area), :3] += [1, detected, touched]
    for predicted in predicted_objects:
        matching = any(iou(true, predicted) >= 0.5 for true in true_objects)
        false = not any((true & predicted).any() for true in true_objects)
        expected[size_class(predicted, bounds, pixel_area), 3:] += [1, matching, false]
    counts = object_counts(truth, prediction, 1, bounds, pixel_area)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, expected)


@given(masks(), st.lists(st.integers(0, 24), max_size=6))
def test_counts_are_the_same_however_the_masks_are_cut(
    pair: tuple[Mask, Mask], cuts: list[int]
) -> None:
    tally, rows = ObjectTally(1), len(pair[0])
    stops = [*sorted({cut for cut in cuts if 0 < cut < rows}), rows]
    for start, stop in zip([0, *stops], stops, strict=False):
        tally.add(*(mask[start:stop] for mask in pair))
    np.testing.assert_array_equal(tally.counts([4, 9], 0.5), object_counts(*pair, 1, [4, 9], 0.5))


def test_an_object_of_two_strips_may_join_pieces_of_one() -> None:
    tally = ObjectTally(1)
    forks = np.array([[1, 0, 1, 0, 1], [1, 0, 1, 0, 1]], np.uint8)
    tally.add(forks, forks)
    tally.add(np.array([[0, 1, 0, 0, 1]], np.uint8), np.zeros((1, 5), np.uint8))
    # Two of three prongs are joined in the truth, each with 2 of its 5 pixels: IoU 0.4.
    assert tally.counts([]).tolist() == [[2, 1, 2, 3, 1, 0]]


@given(masks())
def test_each_match_pairs_one_true_with_one_predicted_object(pair: tuple[Mask, Mask]) -> None:
    totals = object_counts(*pair, 1, [4, 9]).sum(axis=0)
    counts = dict(zip(OBJECT_COLUMNS, totals.tolist(), strict=True))
    assert counts["found"] == counts["matching"]
    assert counts["found"] <= counts["touched"] <= counts["true"]
    assert counts["matching"] + counts["false"] <= counts["predicted"]


def test_pixels_that_touch_by_a_corner_are_one_object() -> None:
    truth = np.eye(5, dtype=np.uint8)
    assert object_counts(truth, truth, 1, []).tolist() == [[1, 1, 1, 1, 1, 0]]


@pytest.mark.parametrize(
    ("predicted_pixels", "counts"),
    [
        (2, [1, 1, 1, 1, 1, 0]),  # half of the object: IoU 2 / 4
        (1, [1, 0, 1, 1, 0, 0]),
        (0, [1, 0, 0, 0, 0, 0]),
    ],
)
def test_an_object_is_found_at_an_iou_of_0_5_and_above(
    predicted_pixels: int, counts: list[int]
) -> None:
    truth, prediction = np.zeros((2, 1, 9), np.uint8)
    truth[:, 2:6] = 1
    prediction[:, 2 : 2 + predicted_pixels] = 1
    assert object_counts(truth, prediction, 1, []).tolist() == [counts]


def test_each_object_counts_in_the_size_class_of_its_own_area() -> None:
    truth, prediction = np.zeros((2, 3, 40), np.uint8)
    truth[1, 1:11] = prediction[1, 1:8] = 1  # 10 pixels, 7 of them predicted
    prediction[1, 20:30] = 1  # 10 pixels, a false alarm
    truth[1, 35] = 1  # 1 pixel, missed
    assert object_counts(truth, prediction, 1, [5, 10]).tolist() == [
        [1, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 0],
        [1, 1, 1, 1, 0, 1],
    ]


@pytest.mark.parametrize("pixel_area", [0.1, 0.29, 0.07, 0.3**2, 1 / 3, 2.2])
def test_an_object_whose_area_equals_a_bound_belongs_to_the_class_above(pixel_area: float) -> None:
    truth = np.ones((10, 10), np.uint8)
    bound = round(100 * pixel_area, 9) if pixel_area != 1 / 3 else 100 / 3
    counts = object_counts(truth, truth, 1, [bound], pixel_area)
    assert counts[:, 0].tolist() == [0, 1]
    assert object_counts(truth, truth, 1, [bound * 1.001], pixel_area)[:, 0].tolist() == [1, 0]


def test_unlabelled_pixels_belong_to_no_object_and_separate_their_neighbours() -> None:
    truth = np.array([[1, 1, IGNORE, 1, 1, 0, IGNORE]], np.uint8)
    prediction = np.array([[1, 1, 1, 1, 1, 0, 1]], np.uint8)
    assert object_counts(truth, prediction, 1, []).tolist() == [[2, 2, 2, 2, 2, 0]]


def test_rates_are_shares_of_the_objects_and_are_defined_without_any() -> None:
    counts = np.array([[4, 1, 2, 5, 1, 3], [0, 0, 0, 2, 0, 2], [3, 0, 0, 0, 0, 0], [0] * 6])
    rates = object_rates(np.stack([counts, 10 * counts]))
    assert rates.shape == (2, 4, len(OBJECT_RATE_NAMES))
    expected = np.array([[0.25, 0.5, 0.6], [1, 1, 1], [0, 0, 0], [1, 1, 0]])
    np.testing.assert_allclose(rates, np.stack([expected, expected]))


def test_many_small_objects_are_told_apart() -> None:
    truth = np.zeros((600, 600), np.uint8)
    truth[::2, ::2] = 1  # 90,000 objects: pairs of their labels exceed 32 bits
    assert object_counts(truth, truth, 1, [2]).tolist() == [[90_000] * 5 + [0], [0] * 6]
