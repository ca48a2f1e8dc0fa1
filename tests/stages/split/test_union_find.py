"""Groups are the connected components, in the order of the names."""

from itertools import combinations, pairwise, product
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landslide_cli.stages.split.union_find import connected

Pairs = list[tuple[str, str]]


@st.composite
def linked(draw: st.DrawFn) -> tuple[list[str], Pairs]:
    # The order of the names is not that of the alphabet.
    names = draw(st.permutations([f"scene-{i}" for i in range(draw(st.integers(1, 14)))]))
    one = st.sampled_from(names)
    return names, draw(st.lists(st.tuples(one, one), max_size=20))


def closure(names: list[str], pairs: Pairs) -> set[tuple[str, str]]:
    """All pairs that are linked directly or through others, by Warshall's algorithm."""
    links = {(name, name) for name in names} | {(b, a) for a, b in pairs} | set(pairs)
    for middle, first, second in product(names, repeat=3):
        if (first, middle) in links and (middle, second) in links:
            links.add((first, second))
    return links


@given(linked())
@example((["b", "a", "c"], [("a", "c"), ("c", "b")]))
@example((["a"], [("a", "a")]))
def test_names_are_in_one_group_if_and_only_if_a_chain_of_pairs_links_them(
    case: tuple[list[str], Pairs],
) -> None:
    names, pairs = case
    groups = connected(names, pairs)
    together = {pair for group in groups for pair in product(group, repeat=2)}
    assert together == closure(names, pairs)


@given(linked())
def test_every_name_is_in_exactly_one_group(case: tuple[list[str], Pairs]) -> None:
    names, pairs = case
    assert sorted(name for group in connected(names, pairs) for name in group) == sorted(names)


@given(linked())
@example((["z", "a", "m", "b"], [("b", "z"), ("m", "a")]))
def test_groups_and_their_members_are_in_the_order_of_the_names(
    case: tuple[list[str], Pairs],
) -> None:
    names, pairs = case
    places = [[names.index(name) for name in group] for group in connected(names, pairs)]
    assert all(group == sorted(group) for group in places)
    firsts = [group[0] for group in places]
    assert firsts == sorted(firsts)


@given(linked(), st.randoms(use_true_random=False))
def test_neither_the_order_of_pairs_nor_their_direction_matters(
    case: tuple[list[str], Pairs], random: Random
) -> None:
    names, pairs = case
    others = [pair if random.random() < 0.5 else pair[::-1] for pair in pairs]
    random.shuffle(others)
    assert connected(names, others) == connected(names, pairs)


@given(linked())
def test_a_pair_within_a_group_changes_nothing(case: tuple[list[str], Pairs]) -> None:
    names, pairs = case
    groups = connected(names, pairs)
    within = [pair for group in groups for pair in combinations(group, 2)]
    assert connected(names, [*pairs, *pairs, *within]) == groups


def test_names_without_pairs_are_groups_of_their_own() -> None:
    assert connected(["c", "a", "b"], []) == [["c"], ["a"], ["b"]]
    assert connected([], []) == []


def test_a_chain_is_one_group_beside_single_names() -> None:
    groups = connected(list("abcdef"), [("e", "c"), ("a", "c")])
    assert groups == [["a", "c", "e"], ["b"], ["d"], ["f"]]


@pytest.mark.parametrize("step", [1, -1, 7919])
def test_a_chain_may_be_very_long(step: int) -> None:
    names = [f"{i:05d}" for i in range(20_000)]
    pairs = list(pairwise(names))
    # Its links come from one end, from the other, or from all over (the step is a prime).
    links = [pairs[i * step % len(pairs)] for i in range(len(pairs))]
    assert connected(names, links) == [names]
