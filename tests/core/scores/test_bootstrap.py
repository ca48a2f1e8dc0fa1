"""The intervals, against drawing the groups one by one, and against what they promise."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import bootstrap

from landslide_cli.core.scores import bootstrap as module
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
def test_intervals_are_the_quantiles_of_the_statistic_of_drawn_groups(groups: int) -> None:
    counts = matrices(groups)
    rng = np.random.default_rng(9)
    drawn = []
    for _ in range(300):
        times = rng.multinomial(groups, [1 / groups] * groups)
        chosen = [counts[group] for group in range(groups) for _ in range(times[group])]
        assert len(chosen) == groups
        drawn.append(score_values(sum(chosen[1:], chosen[0]), 1))
    expected = np.percentile(np.array(drawn), [5, 95], axis=0).T
    got = bootstrap_intervals(counts, scores, draws=300, seed=9, level=0.9)
    assert got is not None
    assert got.shape == (4, 2)
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_interval_of_a_mean_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 40)
    counts = np.stack([values, np.ones(40)], axis=-1)
    got = bootstrap_intervals(counts, means, draws=20_000)
    expected = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2)
    assert got is not None
    np.testing.assert_allclose(got[0], expected.confidence_interval, atol=0.03)


def test_intervals_hold_the_true_value_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for seed in range(400):
        values = rng.normal(1.0, 1.0, 40)
        counts = np.stack([values, np.ones(40)], axis=-1)
        interval = bootstrap_intervals(counts, means, draws=400, seed=seed, level=0.9)
        assert interval is not None
        held += interval[0, 0] <= 1.0 <= interval[0, 1]
    assert 0.85 < held / 400 < 0.94


def test_a_mean_over_scenes_weighs_the_groups_by_their_scenes() -> None:
    # One group of 3 scenes that score 1, one of 1 scene that scores 0.
    counts = np.array([[3.0, 3.0], [0.0, 1.0]])
    seen = set()

    def watched(sums: Floats) -> Floats:
        seen.update(means(sums)[:, 0].tolist())
        return means(sums)

    got = bootstrap_intervals(counts, watched)
    assert seen == {0.0, 0.75, 1.0}
    np.testing.assert_array_equal(got, [[0.0, 1.0]])


def test_equal_seeds_give_equal_intervals_and_others_do_not() -> None:
    counts = matrices(12)
    first, again, other = (bootstrap_intervals(counts, scores, seed=seed) for seed in (1, 1, 2))
    assert first is not None
    assert other is not None
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_size_of_the_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = matrices(12)
    whole = bootstrap_intervals(counts, scores, draws=101)
    monkeypatch.setattr(module, "BLOCK", 30)
    sizes = []

    def watched(sums: Floats) -> Floats:
        sizes.append(len(sums))
        return scores(sums)

    np.testing.assert_array_equal(bootstrap_intervals(counts, watched, draws=101), whole)
    assert sum(sizes) == 101
    assert max(sizes) == 2


@pytest.mark.parametrize("groups", [0, 1])
def test_fewer_than_two_groups_have_no_interval(groups: int) -> None:
    assert bootstrap_intervals(matrices(groups), scores) is None


def test_equal_groups_have_an_interval_of_no_width() -> None:
    counts = np.repeat(matrices(1), 8, axis=0)
    got = bootstrap_intervals(counts, scores)
    assert got is not None
    np.testing.assert_allclose(got, np.repeat(score_values(counts[0], 1)[:, None], 2, axis=1))


def test_two_runs_are_compared_in_pairs() -> None:
    first = matrices(20)
    more = np.minimum(first[:, 1, 0], 40)
    second = first.copy()
    second[:, 1] += np.stack([-more, more], axis=-1)  # finds up to 40 pixels more in each group

    def difference(sums: Floats) -> Floats:
        values = scores(sums)
        return values[:, 1] - values[:, 0]

    got = bootstrap_intervals(np.stack([first, second], axis=1), difference)
    apart = bootstrap_intervals(second, scores), bootstrap_intervals(first, scores)
    assert got is not None
    assert apart[0] is not None
    assert apart[1] is not None
    dice = 0
    assert got[dice, 0] > 0.0
    # The runs' own intervals overlap: only the pairs show the difference.
    assert apart[0][dice, 0] < apart[1][dice, 1]


def test_counts_are_summed_exactly() -> None:
    counts = np.full((7, 1), 10**14 + 1)
    got = bootstrap_intervals(counts, lambda sums: sums)
    np.testing.assert_array_equal(got, [[7 * (10**14 + 1)] * 2])


def test_no_score_of_a_draw_is_ever_undefined() -> None:
    # Most groups hold nothing, so that many draws hold nothing at all.
    def some(*shape: int) -> Floats:
        counts = np.zeros((5, *shape))
        counts[0] = 3.0
        return counts

    for counts, statistic in (
        (some(2, 2), scores),
        (some(4), boundary_scores),
        (some(6), object_rates),
        (some(3, 1000), lambda sums: expected_calibration_error(sums)[:, None]),
        (some(3, 1000), lambda sums: average_precision(sums)[:, None]),
    ):
        got = bootstrap_intervals(counts, statistic, draws=200)
        assert got is not None
        assert np.isfinite(got).all()


def test_a_statistic_that_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        bootstrap_intervals(matrices(3), lambda sums: np.full((len(sums), 1), np.nan))
