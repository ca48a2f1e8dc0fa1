"""Connected components of numbered things, where pairs say which are connected."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def merged(count: int, pairs: Numbers) -> Numbers:
    """Give all numbers below `count` that pairs connect, in a chain too, the smallest of them.

    Args:
        count: of the numbers.
        pairs: (pairs, 2).

    Returns:
        (count,), by number.
    """
    smallest = np.arange(count)
    while len(pairs):
        ends = np.sort(smallest[pairs], axis=1)
        low, high = ends[ends[:, 0] < ends[:, 1]].T
        np.minimum.at(smallest, high, low)
        smallest = _followed(smallest)
        pairs = np.column_stack([low, high])
    return smallest


def _followed(towards: Numbers) -> Numbers:
    """Follow each number through the array until it changes no more."""
    while not np.array_equal(further := towards[towards], towards):
        towards = further
    return towards
