"""How much memory there is, giving it back, and how much of it a network's features take."""

import ctypes
import sys
from collections.abc import Sequence

import psutil

# The GNU C library's number for the option M_ARENA_MAX.
_ARENA_MAX = -8


def free_memory() -> int:
    """Return the memory that can be had without swapping, in bytes."""
    return int(psutil.virtual_memory().available)


def give_back_memory() -> None:
    """Return to the system what was freed.

    The GNU C library keeps it, in pieces that large arrays of changing sizes seldom fit into: a
    long stream of them would seem to need more and more.
    """
    _call_c_library("malloc_trim", 0)


def share_freed_memory() -> None:
    """Let threads use what others have freed, from now on and in the whole process.

    The GNU C library gives each thread a pool of its own: arrays that are made in one thread and
    dropped in another leave gaps in all of them. Two pools take a tenth less memory for a scene of
    16,384 x 16,384 pixels, and no more time.
    """
    _call_c_library("mallopt", _ARENA_MAX, 2)


def _call_c_library(name: str, *arguments: int) -> None:
    """Call a function of the GNU C library; nothing happens where there is another one."""
    if sys.platform == "linux":
        function = getattr(ctypes.CDLL(None), name, None)
        if function is not None:
            function(*arguments)


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
