"""How far a score would move with other scenes: percentile intervals by the bootstrap.

Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13. Whole groups of scenes
are drawn, for the pixels of one place are not independent of each other.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.scores.confusion import Tallies

# How many numbers are held at once for the sums of the draws: 32 MB of float64.
BLOCK = 2**22

Sums = NDArray[np.float64]
Values = NDArray[np.float64]


def bootstrap_intervals(
    counts: Tallies,
    statistic: Callable[[Sums], Values],
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> NDArray[np.float64] | None:
    """Estimate the interval of each value of a statistic of summed counts.

    A draw takes as many groups as there are, with replacement, and sums their counts; the bounds
    are the quantiles (1 - level) / 2 and (1 + level) / 2 of the statistic over the draws.

    Two runs on the same groups are compared in pairs by stacking their counts to (groups, 2, ...),
    with a statistic that subtracts. A mean over scenes is the statistic
    `sums[:, :-1] / sums[:, -1:]` of the counts (sums of the scenes' scores, number of scenes).

    Args:
        counts: (groups, ...), what adds up over the scenes of each group.
        statistic: takes sums of counts, (draws, ...), and gives finite values, (draws, values),
            each draw's for itself; it is called several times, with blocks of the draws.
        draws: number of draws.
        seed: equal seeds draw equal groups.
        level: share of the draws within the interval, in (0, 1).

    Returns:
        (values, 2), lower and upper bounds; None with fewer than two groups, which say nothing of
        how groups differ.
    """
    if len(counts) < 2:
        return None
    values = np.concatenate([statistic(sums) for sums in _resampled(counts, draws, seed)])
    if not np.isfinite(values).all():
        raise ValueError("the statistic must be finite for any draw of groups")
    bounds = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.ascontiguousarray(bounds.T)


def _resampled(counts: Tallies, draws: int, seed: int) -> Iterator[Sums]:
    """Yield the sums of the draws in blocks, (draws of the block, ...)."""
    groups = len(counts)
    # In float64, which holds counts exactly, the product is a fast one.
    table = counts.reshape(groups, -1).astype(np.float64)
    block = max(1, BLOCK // max(groups, math.prod(counts.shape[1:])))
    rng = np.random.default_rng(seed)
    for start in range(0, draws, block):
        size = min(block, draws - start)
        times_drawn = rng.multinomial(groups, np.full(groups, 1 / groups), size)
        yield (times_drawn.astype(np.float64) @ table).reshape(size, *counts.shape[1:])
