"""Dealing groups: each goes to one part, and no move or exchange brings the parts nearer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.stages.split.assign import Dealt, Sizes, deal

DEFAULT = (0.7, 0.15, 0.15)


@dataclass(frozen=True)
class Case:
    sizes: Sizes
    shares: list[float]
    seed: int

    @property
    def open_parts(self) -> set[int]:
        return {part for part, share in enumerate(self.shares) if share > 0.0}

    def dealt(self) -> Dealt:
        return deal(self.sizes, self.shares, self.seed)


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


def case(
    sizes: Sequence[Sequence[float]], shares: Sequence[float] = DEFAULT, seed: int = 0
) -> Case:
    return Case(np.array(sizes, np.float64), list(shares), seed)


def equal(count: int, measures: int = 1) -> Sizes:
    return np.ones((count, measures))


def counts(dealt: Dealt, parts: int) -> tuple[int, ...]:
    return tuple(np.bincount(dealt, minlength=parts).tolist())


def portions(sizes: Sizes, dealt: Dealt, parts: int) -> NDArray[np.float64]:
    """Each part's portion of every measure that there is any of, (parts, measures)."""
    there = sizes[:, sizes.sum(axis=0) > 0.0]
    sums = np.stack([there[dealt == part].sum(axis=0) for part in range(parts)])
    return np.asarray(sums / there.sum(axis=0))


def distance(sizes: Sizes, shares: Sequence[float], dealt: Dealt) -> float:
    """The documented distance of what is dealt from what is wanted."""
    if not sizes.any():
        sizes = equal(len(sizes))
    wanted = np.asarray(shares)[:, None]
    has = portions(sizes, dealt, len(shares))
    given_out = wanted[:, 0] > 0.0
    return float(((has - wanted)[given_out] ** 2 / wanted[given_out]).sum())


def neighbours(one: Case, dealt: Dealt) -> Iterator[Dealt]:
    """Every other dealing that is one move, or one exchange of two groups, away."""
    for group, part in product(range(len(dealt)), sorted(one.open_parts)):
        if part != dealt[group] and (dealt == dealt[group]).sum() > 1:
            moved = dealt.copy()
            moved[group] = part
            yield moved
    for first, second in combinations(range(len(dealt)), 2):
        if dealt[first] != dealt[second]:
            exchanged = dealt.copy()
            exchanged[[first, second]] = dealt[[second, first]]
            yield exchanged


@given(cases())
@example(case([[1]], [1.0]))
@example(case([[0], [0], [0]]))
@example(case([[0, 5], [5, 0], [0, 0]], [0.5, 0.0, 0.5]))
def test_every_group_is_dealt_to_one_part_with_a_share(one: Case) -> None:
    dealt = one.dealt()
    assert dealt.shape == (len(one.sizes),)
    assert set(dealt.tolist()) <= one.open_parts


@given(cases(most_groups=12))
@example(case([[1]] * 3, [0.98, 0.01, 0.01]))
@example(case([[1000], [0], [0]]))
@example(case([[1000, 0], [1, 0], [1, 1]], [0.01, 0.98, 0.01]))
def test_every_part_with_a_share_gets_a_group(one: Case) -> None:
    assert set(one.dealt().tolist()) == one.open_parts


@given(cases(most_groups=9))
@example(case([[9], [5], [4], [3], [3]], [0.5, 0.5]))
@example(case([[0, 7], [3, 3], [7, 0], [5, 5], [0, 0]], [0.6, 0.2, 0.2]))
@example(case([[0], [0], [0], [0], [0]]))
def test_no_move_and_no_exchange_brings_the_parts_nearer_to_their_shares(one: Case) -> None:
    dealt = one.dealt()
    reached = distance(one.sizes, one.shares, dealt)
    for other in neighbours(one, dealt):
        assert reached <= distance(one.sizes, one.shares, other) + 1e-8


@given(st.integers(1, 14), st.tuples(*[st.integers(0, 20)] * 3).filter(any), st.integers(0, 99))
@example(10, (14, 3, 3), 137)
@example(4, (14, 3, 3), 137)
@example(14, (1, 20, 20), 0)
def test_of_equal_groups_no_other_counts_come_nearer_to_the_shares(
    count: int, parts: tuple[int, ...], seed: int
) -> None:
    shares = [part / sum(parts) for part in parts]
    assume(count >= sum(share > 0 for share in shares))

    def far(sizes: Sequence[int]) -> float:
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
    assert far(counts(deal(equal(count), shares, seed), 3)) <= min(map(far, possible)) + 1e-8


@pytest.mark.parametrize("seed", [0, 1, 137])
@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (20, DEFAULT, (14, 3, 3)),
        (100, DEFAULT, (70, 15, 15)),
        (3, DEFAULT, (1, 1, 1)),
        (10, (0.5, 0.0, 0.5), (5, 0, 5)),
        (12, (1.0, 1.0, 1.0, 1.0), (3, 3, 3, 3)),
        (2000, DEFAULT, (1400, 300, 300)),
    ],
)
def test_equal_groups_are_dealt_in_these_counts(
    count: int, shares: tuple[float, ...], expected: tuple[int, ...], seed: int
) -> None:
    assert counts(deal(equal(count, 2), shares, seed), len(shares)) == expected


@given(st.integers(3, 60), st.integers(3, 10), st.integers(0, 2**31))
def test_folds_of_equal_groups_differ_by_one_group_at_most(
    count: int, folds: int, seed: int
) -> None:
    assume(count >= folds)
    dealt = counts(deal(equal(count), [1.0] * folds, seed), folds)
    assert max(dealt) - min(dealt) <= 1


@given(cases())
def test_the_seed_fixes_the_result(one: Case) -> None:
    np.testing.assert_array_equal(one.dealt(), one.dealt())


def test_other_seeds_deal_others() -> None:
    dealt = {tuple(deal(equal(30), DEFAULT, seed).tolist()) for seed in range(10)}
    assert len(dealt) == 10


def test_groups_are_dealt_at_random_not_in_order() -> None:
    sizes = np.stack([np.arange(100, 140), np.arange(40) % 7], axis=-1).astype(np.float64)
    drawn = np.array([deal(sizes, [0.5, 0.5], seed) for seed in range(200)])
    # Each group is in the second part about half of the times; 0.5 +- 5 standard deviations.
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(200)


@given(cases())
def test_neither_the_unit_of_a_measure_nor_that_of_the_shares_matters(one: Case) -> None:
    # Powers of two leave every digit as it is.
    units = 2.0 ** np.arange(-3, one.sizes.shape[1] - 3)
    np.testing.assert_array_equal(
        deal(one.sizes * units, [4 * share for share in one.shares], one.seed), one.dealt()
    )


@given(cases())
def test_a_measure_of_which_there_is_none_does_not_matter(one: Case) -> None:
    none = np.zeros((len(one.sizes), 1))
    with_none = deal(np.hstack([none, one.sizes, none]), one.shares, one.seed)
    np.testing.assert_array_equal(with_none, one.dealt())


@pytest.mark.parametrize("measures", [1, 2])
def test_groups_that_measure_nothing_are_dealt_by_their_number(measures: int) -> None:
    assert counts(deal(np.zeros((20, measures)), DEFAULT, 5), 3) == (14, 3, 3)
    assert counts(deal(np.zeros((3, measures)), DEFAULT, 5), 3) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(6))
def test_pixels_and_foreground_are_both_balanced(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.lognormal(12, 0.8, 59)
    # From no foreground at all to half of the pixels, in no relation to the size.
    foreground = pixels * rng.choice([0.0, 0.02, 0.1, 0.5], 59)
    sizes = np.stack([pixels, foreground], axis=-1)
    has = portions(sizes, deal(sizes, DEFAULT, seed), 3)
    np.testing.assert_allclose(has, np.tile(np.array(DEFAULT)[:, None], 2), atol=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_groups_rich_in_one_measure_each_are_halved_one_by_one(seed: int) -> None:
    sizes = np.array([[10, 0]] * 10 + [[0, 3]] * 6, np.float64)
    dealt = deal(sizes, [0.5, 0.5], seed)
    assert counts(dealt[:10], 2) == (5, 5)
    assert counts(dealt[10:], 2) == (3, 3)


@pytest.mark.parametrize("seed", range(6))
def test_a_group_larger_than_every_share_goes_to_the_largest_part_alone(seed: int) -> None:
    sizes = np.array([[80]] + [[1]] * 20, np.float64)
    dealt = deal(sizes, [0.15, 0.7, 0.15], seed)
    assert dealt[0] == 1
    assert counts(dealt, 3) == (10, 1, 10)


@pytest.mark.parametrize("seed", range(6))
def test_small_groups_make_up_for_the_large_ones(seed: int) -> None:
    sizes = np.array([[50]] * 3 + [[30]] * 3 + [[1]] * 60, np.float64)
    has = portions(sizes, deal(sizes, [1.0, 1.0, 1.0], seed), 3)
    np.testing.assert_allclose(has, 1 / 3, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_more_groups_than_are_tried_in_exchange_still_meet_their_shares(seed: int) -> None:
    sizes = np.random.default_rng(seed).pareto(2.0, (1500, 2))
    has = portions(sizes, deal(sizes, DEFAULT, seed), 3)
    np.testing.assert_allclose(has, np.tile(np.array(DEFAULT)[:, None], 2), atol=0.001)


@pytest.mark.parametrize(
    ("count", "shares", "says"),
    [
        (0, DEFAULT, "0 groups for 3 parts"),
        (2, DEFAULT, "2 groups for 3 parts"),
        (1, (0.5, 0.0, 0.5), "1 groups for 2 parts"),
        (4, (1.0,) * 5, "4 groups for 5 parts"),
    ],
)
def test_fewer_groups_than_parts_with_a_share_are_refused(
    count: int, shares: tuple[float, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        deal(equal(count), shares, 0)


def test_dealing_leaves_the_sizes_as_they_were() -> None:
    sizes = np.random.default_rng(0).random((12, 2))
    before = sizes.copy()
    deal(sizes, DEFAULT, 0)
    np.testing.assert_array_equal(sizes, before)


def test_an_exchange_that_brings_too_little_is_not_made() -> None:
    sizes = np.random.default_rng(0).random((12, 2))
    distances = [
        [distance(sizes, DEFAULT, deal(sizes, DEFAULT, seed, least)) for seed in range(20)]
        for least in (1e-9, 1e9)
    ]
    assert np.mean(distances[0]) < np.mean(distances[1]) / 2
