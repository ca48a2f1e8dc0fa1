"""Percentile bootstrap intervals: how much a score varies with the choice of scenes.

Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13. Whole groups of scenes
are resampled, because pixels of the same ground are not independent of each other.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.scores.confusion import Tallies

Sums = NDArray[np.float64]
Values = NDArray[np.float64]


def bootstrap_intervals(
    counts: Tallies,
    statistic: Callable[[Sums], Values],
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    block_values: int = 2**22,
) -> NDArray[np.float64] | None:
    """Estimate the confidence interval of each value of a statistic of summed counts.

    Each draw takes as many groups as there are, with replacement, and sums their counts. The bounds
    are the quantiles (1 - level) / 2 and (1 + level) / 2 of the statistic over the draws.

    A paired comparison of two runs on the same groups stacks their counts to (groups, 2, ...), with
    a statistic that subtracts. A mean over scenes is the statistic `sums[:, :-1] / sums[:, -1:]` of
    the counts (sum of the scenes' scores, number of scenes).

    Args:
        counts: (groups, ...), sums over the scenes of each group.
        statistic: maps sums of counts, (draws, ...), to finite values, (draws, values), each draw
            independently; it is called once per block of draws.
        draws: number of draws.
        seed: of the draws.
        level: share of the draws within the interval, in (0, 1).
        block_values: bounds the memory: the most float64 values to hold per block of draws. The
            default is 32 MB. The result does not depend on it.

    Returns:
        (values, 2), lower and upper bounds; None for fewer than two groups, which do not show how
        groups vary.

    Raises:
        ValueError: the statistic is not finite.
    """
    if len(counts) < 2:
        return None
    blocks = _resampled_sums(counts, draws, seed, block_values)
    values = np.concatenate([statistic(sums) for sums in blocks])
    if not np.isfinite(values).all():
        raise ValueError("the statistic must be finite for any draw of groups")
    bounds = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.ascontiguousarray(bounds.T)


def _resampled_sums(counts: Tallies, draws: int, seed: int, block_values: int) -> Iterator[Sums]:
    """Yield the sums of the draws in blocks, (draws of the block, ...)."""
    groups = len(counts)
    # float64 represents counts exactly, and has a fast matrix product.
    table = counts.reshape(groups, -1).astype(np.float64)
    block = max(1, block_values // max(groups, math.prod(counts.shape[1:])))
    rng = np.random.default_rng(seed)
    for start in range(0, draws, block):
        size = min(block, draws - start)
        times_drawn = rng.multinomial(groups, np.full(groups, 1 / groups), size)
        yield (times_drawn.astype(np.float64) @ table).reshape(size, *counts.shape[1:])
