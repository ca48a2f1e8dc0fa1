"""Scores of probabilities agree with scikit-learn and with thresholding pixel by pixel."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, precision_recall_curve

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.calibration import (
    BINS,
    EDGES,
    average_precision,
    best_threshold,
    expected_calibration_error,
    precision_recall,
    probability_counts,
    reliability,
    threshold_scores,
)
from landslide_cli.core.scores.confusion import confusion, score_values

Mask = NDArray[np.uint8]
Probability = NDArray[np.float32]
Case = tuple[Mask, Probability]


@st.composite
def cases(draw: st.DrawFn, decimals: int = 9) -> Case:
    """Masks of one class or several, with probabilities that correlate with them."""
    shape = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = draw(st.sampled_from(([0], [1], [IGNORE], [0, 1], [0, 0, 0, 1, 2], [0, 1, IGNORE])))
    truth = rng.choice(np.array(values, np.uint8), shape)
    skill = draw(st.sampled_from((0.0, 0.5, 1.0)))
    probability = (1 - skill) * rng.random(shape) + skill * rng.beta(1 + 3 * (truth != 0), 2)
    return truth, probability.round(decimals).astype(np.float32)


def labelled(case: Case) -> tuple[NDArray[np.bool_], Probability]:
    truth, probability = case
    return truth[truth != IGNORE] != 0, probability[truth != IGNORE]


def counts_of_pixels(foreground: list[int], probability: list[float]) -> NDArray[np.float64]:
    return probability_counts(np.array(foreground, np.uint8), np.array(probability, np.float32))


def predicted(probability: Probability, k: int) -> NDArray[np.uint8]:
    return (probability >= np.float32(k / BINS)).astype(np.uint8)


@given(cases())
def test_each_labelled_pixel_counts_once_and_adds_its_probability(case: Case) -> None:
    counts = probability_counts(*case)
    foreground, probability = labelled(case)
    assert counts.shape == (3, BINS)
    assert counts.dtype == np.float64
    assert counts[0].sum() == (~foreground).sum()
    assert counts[1].sum() == foreground.sum()
    np.testing.assert_allclose(counts[2].sum(), probability.sum(dtype=np.float64))


def test_bins_begin_exactly_at_the_float32_thresholds() -> None:
    edges = EDGES[1:]
    below, above = np.nextafter(edges, np.float32(0)), np.nextafter(edges, np.float32(1))
    uniform = np.random.default_rng(0).random(200_000, np.float32)
    extremes = np.array([0.0, 1e-45, 1.0, np.nextafter(np.float32(1), np.float32(0))], np.float32)
    probability = np.concatenate([edges, below, above, uniform, extremes])
    counts = probability_counts(np.ones(probability.shape, np.uint8), probability)
    pixels_from_bin_on = counts[1][::-1].cumsum()[::-1]
    for k in range(BINS):
        assert pixels_from_bin_on[k] == predicted(probability, k).sum()


@given(cases())
@example((np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.float32)))
def test_scores_at_a_threshold_are_those_of_the_thresholded_mask(case: Case) -> None:
    foreground, probability = labelled(case)
    counts = probability_counts(*case)
    scores = threshold_scores(counts)
    thresholds, precision, recall = precision_recall(counts)
    assert scores.shape == (BINS, 4)
    for k in (0, 1, 250, 500, 777, 999):
        matrix = confusion(foreground.astype(np.uint8), predicted(probability, k), 2)
        np.testing.assert_array_equal(scores[k], score_values(matrix, 1))
        assert thresholds[k] == k / BINS
        assert [precision[k], recall[k]] == scores[k, 2:].tolist()


@given(cases(decimals=3))
def test_precision_and_recall_agree_with_scikit_learn(case: Case) -> None:
    foreground, probability = labelled(case)
    if not foreground.any():
        return
    # scikit-learn's thresholds are the probabilities that occur.
    expected_precision, expected_recall, thresholds = precision_recall_curve(
        foreground, np.minimum(probability, np.float32(0.999))
    )
    _, precision, recall = precision_recall(probability_counts(*case))
    k = np.round(thresholds * BINS).astype(int)
    np.testing.assert_allclose(precision[k], expected_precision[:-1])
    np.testing.assert_allclose(recall[k], expected_recall[:-1])


@given(cases())
def test_average_precision_agrees_with_scikit_learn_on_the_binned_probabilities(
    case: Case,
) -> None:
    foreground, probability = labelled(case)
    if not foreground.any():
        assert average_precision(probability_counts(*case)) == 1.0
        return
    bins = np.searchsorted(EDGES, probability, side="right")
    expected = average_precision_score(foreground, bins)
    np.testing.assert_allclose(average_precision(probability_counts(*case)), expected)


@given(cases(), st.sampled_from((1, 10, 20, 1000)))
def test_reliability_agrees_with_scikit_learn(case: Case, bins: int) -> None:
    # scikit-learn's bins contain their upper edges, ours their lower edges: avoid the edges.
    truth, probability = case
    probability = np.clip(probability, np.float32(1e-4), np.float32(0.9999))
    on_edge = np.abs(probability * BINS - np.round(probability * BINS)) < 0.01
    probability = np.where(on_edge, probability + np.float32(1e-4), probability)
    rows = reliability(probability_counts(truth, probability), bins)
    foreground, probability = labelled((truth, probability))
    if not probability.size:
        assert rows.shape == (0, 3)
        return
    frequency, mean = calibration_curve(foreground, probability, n_bins=bins, pos_label=True)
    np.testing.assert_allclose(rows[:, 0], mean)
    np.testing.assert_allclose(rows[:, 1], frequency)
    assert rows[:, 2].sum() == probability.size


@given(cases(), st.sampled_from((1, 10, 20, 1000)))
def test_calibration_error_is_the_mean_gap_of_the_reliability_diagram(
    case: Case, bins: int
) -> None:
    counts = probability_counts(*case)
    mean, frequency, pixels = reliability(counts, bins).T
    expected = (pixels * np.abs(mean - frequency)).sum() / max(pixels.sum(), 1)
    error = expected_calibration_error(counts, bins)
    np.testing.assert_allclose(error, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("foreground", "probability", "error"),
    [
        ([], [], 0.0),
        ([IGNORE], [0.7], 0.0),
        ([0, 1], [0.0, 1.0], 0.0),
        ([0, 1], [1.0, 0.0], 1.0),
        ([1, 0, 2, 0], [0.5, 0.5, 0.5, 0.5], 0.0),
        # 2 of 3 pixels in one bin: |0.6 - 1/2| 2/3; the other: |0.9 - 1| 1/3.
        ([1, 0, 1], [0.6, 0.6, 0.9], 0.1),
    ],
)
def test_calibration_error_of_examples_computed_by_hand(
    foreground: list[int], probability: list[float], error: float
) -> None:
    counts = counts_of_pixels(foreground, probability)
    assert expected_calibration_error(counts) == pytest.approx(error, abs=1e-7)


@pytest.mark.parametrize("bins", [0, -20, 3, 2000])
def test_a_number_of_bins_that_does_not_divide_the_histogram_is_refused(bins: int) -> None:
    counts = np.zeros((3, BINS))
    with pytest.raises(ValueError, match="must divide 1000"):
        expected_calibration_error(counts, bins)
    with pytest.raises(ValueError, match="must divide 1000"):
        reliability(counts, bins)


def test_stacked_histograms_are_scored_independently() -> None:
    counts = np.random.default_rng(1).integers(0, 5, (2, 3, 3, BINS)).astype(np.float64)
    errors, areas = expected_calibration_error(counts), average_precision(counts)
    _, precision, recall = precision_recall(counts)
    assert precision.shape == recall.shape == (2, 3, BINS)
    for index in np.ndindex(2, 3):
        assert errors[index] == expected_calibration_error(counts[index])
        assert areas[index] == average_precision(counts[index])
        np.testing.assert_array_equal(precision[index], precision_recall(counts[index])[1])


def test_histograms_of_scenes_add_up() -> None:
    rng = np.random.default_rng(2)
    truth = rng.choice(np.array([0, 1, IGNORE], np.uint8), (2, 40, 50))
    probability = rng.random((2, 40, 50), np.float32)
    summed = np.sum([probability_counts(truth[i], probability[i]) for i in range(2)], axis=0)
    counts = probability_counts(truth, probability)
    np.testing.assert_array_equal(summed[:2], counts[:2])
    np.testing.assert_allclose(summed[2], counts[2])


@given(cases())
def test_no_threshold_has_a_higher_dice_than_the_best(case: Case) -> None:
    foreground, probability = labelled(case)
    threshold = best_threshold(probability_counts(*case))
    assert 0.0 < threshold < 1.0

    def dice(k: int) -> float:
        mask = predicted(probability, k).astype(bool)
        return float(2 * (mask & foreground).sum() / max(1, mask.sum() + foreground.sum()))

    assert dice(round(threshold * BINS)) == max(dice(k) for k in range(1, BINS))


@pytest.mark.parametrize(
    ("foreground", "probability", "threshold"),
    [
        ([], [], 0.5),
        ([0, 0], [0.1, 0.9], 0.5),  # no foreground
        ([1, 1], [0.0, 0.0], 0.5),  # never predicted: all thresholds are equally bad
        ([1, 1], [1.0, 1.0], 0.5),  # all are equally good
        ([0, 1], [0.0105, 0.9895], 0.5),  # the middle of the gap, symmetric about 0.5
        ([0, 1], [0.2005, 0.4005], 0.3),  # the middle of the gap, from 0.201 to 0.4
        ([1, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5], 0.05),
    ],
)
def test_best_threshold_of_examples_computed_by_hand(
    foreground: list[int], probability: list[float], threshold: float
) -> None:
    assert best_threshold(counts_of_pixels(foreground, probability)) == threshold


def test_best_threshold_prefers_the_longest_run_then_the_one_nearest_to_0_5() -> None:
    # Three runs have the best Dice: 4 / 6, 6 / 9 and 8 / 12.
    foreground = [1, 1, 0, 0, 1, 0, 0, 1, 0]
    # The runs: above 0.7 to 0.95; above 0.4 to 0.6; above 0.2 to 0.3.
    longest_first = [0.96, 0.95, 0.7, 0.65, 0.6, 0.4, 0.35, 0.3, 0.2]
    assert best_threshold(counts_of_pixels(foreground, longest_first)) == 0.825
    # The runs: above 0.7 to 0.8; above 0.5 to 0.6; above 0.2 to 0.3.
    equally_long = [0.96, 0.8, 0.7, 0.65, 0.6, 0.5, 0.35, 0.3, 0.2]
    assert best_threshold(counts_of_pixels(foreground, equally_long)) == 0.55
