"""Groups are the connected components of the pairs, in the order of the names."""

from itertools import combinations, pairwise, product
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landslide_cli.stages.split.union_find import connected

Pairs = list[tuple[str, str]]


@st.composite
def linked(draw: st.DrawFn) -> tuple[list[str], Pairs]:
    # The names are not in alphabetical order.
    names = draw(st.permutations([f"scene-{i}" for i in range(draw(st.integers(1, 14)))]))
    name = st.sampled_from(names)
    return names, draw(st.lists(st.tuples(name, name), max_size=20))


def closure(names: list[str], pairs: Pairs) -> set[tuple[str, str]]:
    """Compute all pairs that are linked directly or in a chain, by Warshall's algorithm."""
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
    positions = [[names.index(name) for name in group] for group in connected(names, pairs)]
    assert all(group == sorted(group) for group in positions)
    firsts = [group[0] for group in positions]
    assert firsts == sorted(firsts)


@given(linked(), st.randoms(use_true_random=False))
def test_neither_the_order_of_pairs_nor_their_direction_matters(
    case: tuple[list[str], Pairs], random: Random
) -> None:
    names, pairs = case
    reordered = [pair if random.random() < 0.5 else pair[::-1] for pair in pairs]
    random.shuffle(reordered)
    assert connected(names, reordered) == connected(names, pairs)


@given(linked())
def test_repeated_and_redundant_pairs_do_not_change_the_groups(
    case: tuple[list[str], Pairs],
) -> None:
    names, pairs = case
    groups = connected(names, pairs)
    redundant = [pair for group in groups for pair in combinations(group, 2)]
    assert connected(names, [*pairs, *pairs, *redundant]) == groups


def test_names_without_pairs_are_groups_of_their_own() -> None:
    assert connected(["c", "a", "b"], []) == [["c"], ["a"], ["b"]]
    assert connected([], []) == []


def test_a_chain_of_pairs_is_one_group() -> None:
    groups = connected(list("abcdef"), [("e", "c"), ("a", "c")])
    assert groups == [["a", "c", "e"], ["b"], ["d"], ["f"]]


@pytest.mark.parametrize("step", [1, -1, 7919])
def test_a_chain_of_20000_names_is_one_group(step: int) -> None:
    names = [f"{i:05d}" for i in range(20_000)]
    pairs = list(pairwise(names))
    # Pairs in order, in reverse, or scattered, as the step is a prime.
    links = [pairs[i * step % len(pairs)] for i in range(len(pairs))]
    assert connected(names, links) == [names]
