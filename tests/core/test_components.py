"""Connected components agree with SciPy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from landslide_cli.core.components import merged


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29))))
def test_connected_numbers_have_the_smallest_of_them(
    count: int, drawn: list[tuple[int, int]]
) -> None:
    pairs = np.array([pair for pair in drawn if max(pair) < count], np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count))
    components = connected_components(graph, directed=False)[1]
    expected = [int(np.flatnonzero(components == own)[0]) for own in components]
    assert merged(count, pairs).tolist() == expected


def test_nothing_is_connected_without_pairs() -> None:
    assert merged(0, np.zeros((0, 2), np.int64)).tolist() == []
    assert merged(3, np.zeros((0, 2), np.int64)).tolist() == [0, 1, 2]
