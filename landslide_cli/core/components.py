"""Connected components of numbered things, where pairs say which are connected."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


def merged(count: int, pairs: Numbers) -> Numbers:
    """Return for each number the smallest one that it is connected with, also through others.

    Args:
        count: how many numbers there are, from 0 on.
        pairs: (pairs, 2) numbers that are connected.

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
