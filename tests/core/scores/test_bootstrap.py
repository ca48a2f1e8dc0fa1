"""Bootstrap intervals agree with explicit resampling and SciPy, and have their coverage."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import bootstrap

from landslide_cli.core.scores.bootstrap import bootstrap_intervals
from landslide_cli.core.scores.boundary import boundary_scores
from landslide_cli.core.scores.calibration import average_precision, expected_calibration_error
from landslide_cli.core.scores.confusion import score_values
from landslide_cli.core.scores.objects import object_rates

Floats = NDArray[np.float64]


def scores(sums: Floats) -> Floats:
    return score_values(sums, 1)


def means(sums: Floats) -> Floats:
    return sums[:, :-1] / sums[:, -1:]


def matrices(groups: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, 1000, (groups, 2, 2))


@pytest.mark.parametrize("groups", [2, 3, 17])
def test_intervals_are_quantiles_of_the_statistic_over_resampled_groups(groups: int) -> None:
    counts = matrices(groups)
    rng = np.random.default_rng(9)
    values = []
    for _ in range(300):
        times = rng.multinomial(groups, [1 / groups] * groups)
        sample = [counts[group] for group in range(groups) for _ in range(times[group])]
        assert len(sample) == groups
        values.append(score_values(sum(sample[1:], sample[0]), 1))
    expected = np.percentile(np.array(values), [5, 95], axis=0).T
    intervals = bootstrap_intervals(counts, scores, draws=300, seed=9, level=0.9)
    assert intervals is not None
    assert intervals.shape == (4, 2)
    np.testing.assert_allclose(intervals, expected, rtol=1e-12)


def test_the_interval_of_a_mean_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 40)
    counts = np.stack([values, np.ones(40)], axis=-1)
    intervals = bootstrap_intervals(counts, means, draws=20_000)
    expected = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2)
    assert intervals is not None
    np.testing.assert_allclose(intervals[0], expected.confidence_interval, atol=0.03)


def test_intervals_cover_the_true_value_about_as_often_as_their_level() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for seed in range(400):
        values = rng.normal(1.0, 1.0, 40)
        counts = np.stack([values, np.ones(40)], axis=-1)
        interval = bootstrap_intervals(counts, means, draws=400, seed=seed, level=0.9)
        assert interval is not None
        covered += interval[0, 0] <= 1.0 <= interval[0, 1]
    assert 0.85 < covered / 400 < 0.94


def test_a_mean_over_scenes_weights_groups_by_their_number_of_scenes() -> None:
    # One group of 3 scenes that score 1, one of 1 scene that scores 0.
    counts = np.array([[3.0, 3.0], [0.0, 1.0]])
    values = set()

    def recorded_means(sums: Floats) -> Floats:
        values.update(means(sums)[:, 0].tolist())
        return means(sums)

    intervals = bootstrap_intervals(counts, recorded_means)
    assert values == {0.0, 0.75, 1.0}
    np.testing.assert_array_equal(intervals, [[0.0, 1.0]])


def test_only_equal_seeds_give_equal_intervals() -> None:
    counts = matrices(12)
    first, equal, other = (bootstrap_intervals(counts, scores, seed=seed) for seed in (1, 1, 2))
    assert first is not None
    assert other is not None
    np.testing.assert_array_equal(first, equal)
    assert (first != other).any()


def test_intervals_do_not_depend_on_the_size_of_blocks() -> None:
    counts = matrices(12)
    expected = bootstrap_intervals(counts, scores, draws=101)
    sizes = []

    def recorded_scores(sums: Floats) -> Floats:
        sizes.append(len(sums))
        return scores(sums)

    intervals = bootstrap_intervals(counts, recorded_scores, draws=101, block_values=30)
    np.testing.assert_array_equal(intervals, expected)
    assert sum(sizes) == 101
    assert max(sizes) == 2


@pytest.mark.parametrize("groups", [0, 1])
def test_fewer_than_two_groups_have_no_interval(groups: int) -> None:
    assert bootstrap_intervals(matrices(groups), scores) is None


def test_equal_groups_have_an_interval_of_no_width() -> None:
    counts = np.repeat(matrices(1), 8, axis=0)
    intervals = bootstrap_intervals(counts, scores)
    assert intervals is not None
    expected = np.repeat(score_values(counts[0], 1)[:, None], 2, axis=1)
    np.testing.assert_allclose(intervals, expected)


def test_a_paired_comparison_shows_a_difference_that_separate_intervals_hide() -> None:
    first = matrices(20)
    gain = np.minimum(first[:, 1, 0], 40)
    second = first.copy()
    second[:, 1] += np.stack([-gain, gain], axis=-1)  # up to 40 more hits per group

    def difference(sums: Floats) -> Floats:
        values = scores(sums)
        return values[:, 1] - values[:, 0]

    paired = bootstrap_intervals(np.stack([first, second], axis=1), difference)
    first_alone, second_alone = (bootstrap_intervals(run, scores) for run in (first, second))
    assert paired is not None
    assert first_alone is not None
    assert second_alone is not None
    dice = 0
    assert paired[dice, 0] > 0.0
    assert second_alone[dice, 0] < first_alone[dice, 1]


def test_counts_are_summed_exactly() -> None:
    counts = np.full((7, 1), 10**14 + 1)
    intervals = bootstrap_intervals(counts, lambda sums: sums)
    np.testing.assert_array_equal(intervals, [[7 * (10**14 + 1)] * 2])


def test_all_scores_are_finite_for_any_draw() -> None:
    # Only one group has counts, so many draws have none.
    def sparse_counts(*shape: int) -> Floats:
        counts = np.zeros((5, *shape))
        counts[0] = 3.0
        return counts

    for counts, statistic in (
        (sparse_counts(2, 2), scores),
        (sparse_counts(4), boundary_scores),
        (sparse_counts(6), object_rates),
        (sparse_counts(3, 1000), lambda sums: expected_calibration_error(sums)[:, None]),
        (sparse_counts(3, 1000), lambda sums: average_precision(sums)[:, None]),
    ):
        intervals = bootstrap_intervals(counts, statistic, draws=200)
        assert intervals is not None
        assert np.isfinite(intervals).all()


def test_a_statistic_with_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        bootstrap_intervals(matrices(3), lambda sums: np.full((len(sums), 1), np.nan))
