"""Each group gets one part, and no move or swap brings the parts closer to their shares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.stages.split.assign import Assignment, Sizes, assign

DEFAULT = (0.7, 0.15, 0.15)


@dataclass(frozen=True)
class Case:
    sizes: Sizes
    shares: list[float]
    seed: int

    @property
    def open_parts(self) -> set[int]:
        return {part for part, share in enumerate(self.shares) if share > 0.0}

    def assign(self) -> Assignment:
        return assign(self.sizes, self.shares, self.seed)


@st.composite
def cases(draw: st.DrawFn, most_groups: int = 40) -> Case:
    shares = draw(st.lists(st.integers(0, 20), min_size=1, max_size=5).filter(any))
    count = draw(st.integers(sum(share > 0 for share in shares), most_groups))
    measures = draw(st.integers(1, 3))
    size = st.integers(0, 1000)
    rows = draw(
        st.lists(
            st.lists(size, min_size=measures, max_size=measures), min_size=count, max_size=count
        )
    )
    seed = draw(st.integers(0, 2**31))
    return Case(np.array(rows, np.float64), [share / sum(shares) for share in shares], seed)


def example_of(
    sizes: Sequence[Sequence[float]], shares: Sequence[float] = DEFAULT, seed: int = 0
) -> Case:
    return Case(np.array(sizes, np.float64), list(shares), seed)


def equal(count: int, measures: int = 1) -> Sizes:
    return np.ones((count, measures))


def counts(part_of: Assignment, parts: int) -> tuple[int, ...]:
    return tuple(np.bincount(part_of, minlength=parts).tolist())


def portions(sizes: Sizes, part_of: Assignment, parts: int) -> NDArray[np.float64]:
    """Compute each part's portion of every measure whose total is not 0, (parts, measures)."""
    measures = sizes[:, sizes.sum(axis=0) > 0.0]
    sums = np.stack([measures[part_of == part].sum(axis=0) for part in range(parts)])
    return np.asarray(sums / measures.sum(axis=0))


def distance(sizes: Sizes, shares: Sequence[float], part_of: Assignment) -> float:
    """Compute the documented distance of an assignment from the shares."""
    if not sizes.any():
        sizes = equal(len(sizes))
    targets = np.asarray(shares)[:, None]
    deviations = portions(sizes, part_of, len(shares)) - targets
    is_open = targets[:, 0] > 0.0
    return float((deviations[is_open] ** 2 / targets[is_open]).sum())


def neighbours(case: Case, part_of: Assignment) -> Iterator[Assignment]:
    """Yield every assignment that is one move, or one swap of two groups, away."""
    for group, part in product(range(len(part_of)), sorted(case.open_parts)):
        if part != part_of[group] and (part_of == part_of[group]).sum() > 1:
            moved = part_of.copy()
            moved[group] = part
            yield moved
    for first, second in combinations(range(len(part_of)), 2):
        if part_of[first] != part_of[second]:
            swapped = part_of.copy()
            swapped[[first, second]] = part_of[[second, first]]
            yield swapped


@given(cases())
@example(example_of([[1]], [1.0]))
@example(example_of([[0], [0], [0]]))
@example(example_of([[0, 5], [5, 0], [0, 0]], [0.5, 0.0, 0.5]))
def test_every_group_is_assigned_to_one_part_with_a_share(case: Case) -> None:
    part_of = case.assign()
    assert part_of.shape == (len(case.sizes),)
    assert set(part_of.tolist()) <= case.open_parts


@given(cases(most_groups=12))
@example(example_of([[1]] * 3, [0.98, 0.01, 0.01]))
@example(example_of([[1000], [0], [0]]))
@example(example_of([[1000, 0], [1, 0], [1, 1]], [0.01, 0.98, 0.01]))
def test_every_part_with_a_share_gets_a_group(case: Case) -> None:
    assert set(case.assign().tolist()) == case.open_parts


@given(cases(most_groups=9))
@example(example_of([[9], [5], [4], [3], [3]], [0.5, 0.5]))
@example(example_of([[0, 7], [3, 3], [7, 0], [5, 5], [0, 0]], [0.6, 0.2, 0.2]))
@example(example_of([[0], [0], [0], [0], [0]]))
def test_no_move_and_no_swap_brings_the_parts_closer_to_their_shares(case: Case) -> None:
    part_of = case.assign()
    optimum = distance(case.sizes, case.shares, part_of)
    for neighbour in neighbours(case, part_of):
        assert optimum <= distance(case.sizes, case.shares, neighbour) + 1e-8


@given(st.integers(1, 14), st.tuples(*[st.integers(0, 20)] * 3).filter(any), st.integers(0, 99))
@example(10, (14, 3, 3), 137)
@example(4, (14, 3, 3), 137)
@example(14, (1, 20, 20), 0)
def test_no_other_counts_of_equal_groups_are_closer_to_the_shares(
    count: int, weights: tuple[int, ...], seed: int
) -> None:
    shares = [weight / sum(weights) for weight in weights]
    assume(count >= sum(share > 0 for share in shares))

    def distance_of(sizes: Sequence[int]) -> float:
        pairs = zip(sizes, shares, strict=True)
        return sum((n / count - share) ** 2 / share for n, share in pairs if share > 0)

    possible = [
        (first, second, count - first - second)
        for first, second in product(range(count + 1), repeat=2)
        if first + second <= count
    ]
    possible = [
        sizes
        for sizes in possible
        if all((n > 0) == (share > 0) for n, share in zip(sizes, shares, strict=True))
    ]
    reached = distance_of(counts(assign(equal(count), shares, seed), 3))
    assert reached <= min(map(distance_of, possible)) + 1e-8


@pytest.mark.parametrize("seed", [0, 1, 137])
@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (20, DEFAULT, (14, 3, 3)),
        (100, DEFAULT, (70, 15, 15)),
        (3, DEFAULT, (1, 1, 1)),
        (10, (0.5, 0.0, 0.5), (5, 0, 5)),
        (12, (1.0, 1.0, 1.0, 1.0), (3, 3, 3, 3)),
        (1000, DEFAULT, (700, 150, 150)),
    ],
)
def test_parts_get_their_shares_of_equal_groups(
    count: int, shares: tuple[float, ...], expected: tuple[int, ...], seed: int
) -> None:
    assert counts(assign(equal(count, 2), shares, seed), len(shares)) == expected


@given(st.integers(3, 60), st.integers(3, 10), st.integers(0, 2**31))
def test_folds_of_equal_groups_differ_by_at_most_one_group(
    count: int, folds: int, seed: int
) -> None:
    assume(count >= folds)
    groups = counts(assign(equal(count), [1.0] * folds, seed), folds)
    assert max(groups) - min(groups) <= 1


@given(cases())
def test_equal_seeds_give_equal_assignments(case: Case) -> None:
    np.testing.assert_array_equal(case.assign(), case.assign())


def test_different_seeds_give_different_assignments() -> None:
    assignments = {tuple(assign(equal(30), DEFAULT, seed).tolist()) for seed in range(10)}
    assert len(assignments) == 10


def test_groups_are_assigned_at_random_not_in_order() -> None:
    sizes = np.stack([np.arange(100, 120), np.arange(20) % 7], axis=-1).astype(np.float64)
    assignments = np.array([assign(sizes, [0.5, 0.5], seed) for seed in range(200)])
    # Each group is in the second part for about half of the seeds: 0.5 +- 5 standard deviations.
    assert np.abs(assignments.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(200)


@given(cases())
def test_the_units_of_measures_and_shares_do_not_matter(case: Case) -> None:
    # Powers of two, which do not change the rounding.
    units = 2.0 ** np.arange(-3, case.sizes.shape[1] - 3)
    np.testing.assert_array_equal(
        assign(case.sizes * units, [4 * share for share in case.shares], case.seed), case.assign()
    )


@given(cases())
def test_a_measure_whose_total_is_0_does_not_matter(case: Case) -> None:
    zeros = np.zeros((len(case.sizes), 1))
    with_zeros = assign(np.hstack([zeros, case.sizes, zeros]), case.shares, case.seed)
    np.testing.assert_array_equal(with_zeros, case.assign())


@pytest.mark.parametrize("measures", [1, 2])
def test_groups_of_size_0_are_assigned_by_their_number(measures: int) -> None:
    assert counts(assign(np.zeros((20, measures)), DEFAULT, 5), 3) == (14, 3, 3)
    assert counts(assign(np.zeros((3, measures)), DEFAULT, 5), 3) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(6))
def test_pixels_and_foreground_are_both_balanced(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.lognormal(12, 0.8, 59)
    # From no foreground to half of the pixels, independent of the size.
    foreground = pixels * rng.choice([0.0, 0.02, 0.1, 0.5], 59)
    sizes = np.stack([pixels, foreground], axis=-1)
    reached = portions(sizes, assign(sizes, DEFAULT, seed), 3)
    np.testing.assert_allclose(reached, np.tile(np.array(DEFAULT)[:, None], 2), atol=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_groups_of_one_measure_each_are_halved_per_measure(seed: int) -> None:
    sizes = np.array([[10, 0]] * 10 + [[0, 3]] * 6, np.float64)
    part_of = assign(sizes, [0.5, 0.5], seed)
    assert counts(part_of[:10], 2) == (5, 5)
    assert counts(part_of[10:], 2) == (3, 3)


@pytest.mark.parametrize("seed", range(6))
def test_a_group_larger_than_every_share_is_alone_in_the_largest_part(seed: int) -> None:
    sizes = np.array([[80]] + [[1]] * 20, np.float64)
    part_of = assign(sizes, [0.15, 0.7, 0.15], seed)
    assert part_of[0] == 1
    assert counts(part_of, 3) == (10, 1, 10)


@pytest.mark.parametrize("seed", range(6))
def test_small_groups_balance_large_groups(seed: int) -> None:
    sizes = np.array([[50]] * 3 + [[30]] * 3 + [[1]] * 60, np.float64)
    reached = portions(sizes, assign(sizes, [1.0, 1.0, 1.0], seed), 3)
    np.testing.assert_allclose(reached, 1 / 3, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_parts_meet_their_shares_with_more_groups_than_swaps_are_tried(seed: int) -> None:
    sizes = np.random.default_rng(seed).pareto(2.0, (600, 2))
    reached = portions(sizes, assign(sizes, DEFAULT, seed), 3)
    np.testing.assert_allclose(reached, np.tile(np.array(DEFAULT)[:, None], 2), atol=0.001)


@pytest.mark.parametrize(
    ("count", "shares", "message"),
    [
        (0, DEFAULT, "0 groups for 3 parts"),
        (2, DEFAULT, "2 groups for 3 parts"),
        (1, (0.5, 0.0, 0.5), "1 groups for 2 parts"),
        (4, (1.0,) * 5, "4 groups for 5 parts"),
    ],
)
def test_fewer_groups_than_parts_with_a_share_are_refused(
    count: int, shares: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        assign(equal(count), shares, 0)


def test_the_sizes_are_not_changed() -> None:
    sizes = np.random.default_rng(0).random((12, 2))
    original = sizes.copy()
    assign(sizes, DEFAULT, 0)
    np.testing.assert_array_equal(sizes, original)


def test_no_move_or_swap_is_made_that_gains_too_little() -> None:
    sizes = np.random.default_rng(0).random((12, 2))
    distances = [
        [distance(sizes, DEFAULT, assign(sizes, DEFAULT, seed, least)) for seed in range(20)]
        for least in (1e-9, 1e9)
    ]
    assert np.mean(distances[0]) < np.mean(distances[1]) / 2
