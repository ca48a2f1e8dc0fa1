"""How much memory there is, and how much of it a network's features take."""

from collections.abc import Sequence

import psutil


def free_memory() -> int:
    """Return the memory that can be had without swapping, in bytes."""
    return int(psutil.virtual_memory().available)


def peak_size(sizes: Sequence[int], inputs: Sequence[Sequence[int]]) -> int:
    """Return the largest sum of the results that are needed at one time.

    Args:
        sizes: of each operation's result, in the order in which they run.
        inputs: for each operation, which earlier operations' results it takes.
    """
    last_use = list(range(len(sizes)))
    for index, taken in enumerate(inputs):
        for source in taken:
            last_use[source] = index
    released: list[list[int]] = [[] for _ in sizes]
    for source, index in enumerate(last_use):
        released[index].append(source)
    live = peak = 0
    for index, size in enumerate(sizes):
        live += size
        peak = max(peak, live)
        live -= sum(sizes[source] for source in released[index])
    return peak
