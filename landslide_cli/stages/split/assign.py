"""Assignment of whole groups to parts or folds, as close to the parts' shares as groups allow."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Sizes = NDArray[np.float64]
Assignment = NDArray[np.int64]

# Bounds of the local search: swaps tried per group, and rounds over all groups.
_MAX_SWAPS, _MAX_ROUNDS = 256, 50


def assign(sizes: Sizes, shares: Sequence[float], seed: int, least: float = 1e-9) -> Assignment:
    """Assign groups to parts so that each part has its share of every measure.

    Groups are first assigned in random order, each to the part that is furthest below its share. A
    local search then moves single groups and swaps pairs of groups as long as that brings the parts
    closer to their shares; another seed may find another local optimum. The distance to minimize is
    the sum over parts and measures of (sum of the part - target)^2 / target, with every measure
    scaled to a total of 1.

    Args:
        sizes: (groups, measures), not negative, such as pixels and foreground pixels.
        shares: of the parts, relative to their sum. A part with the share 0 stays empty, every
            other part gets at least one group.
        seed: of the random order and of the swaps tried; equal seeds give equal results.
        least: smallest decrease of the distance for which a move or swap is made.

    Returns:
        (groups,), the index of each group's part.

    Raises:
        ValueError: there are fewer groups than parts with a share, or no part has a share.
    """
    if not any(share > 0.0 for share in shares):
        raise ValueError("no part has a share")
    targets = np.asarray(shares, np.float64) / sum(shares)
    open_parts = np.flatnonzero(targets > 0.0)
    if len(sizes) < len(open_parts):
        raise ValueError(f"{len(sizes)} groups for {len(open_parts)} parts")
    totals = sizes.sum(axis=0)
    # Measures whose total is 0 cannot be balanced.
    measures = np.asarray(sizes[:, totals > 0.0] / totals[totals > 0.0])
    if measures.shape[1] == 0:
        measures = np.full((len(sizes), 1), 1.0 / max(1, len(sizes)))
    rng = np.random.default_rng(seed)
    search = _LocalSearch(measures, targets, open_parts)
    search.assign_all(rng.permutation(len(sizes)))
    for _ in range(_MAX_ROUNDS):
        groups = rng.permutation(len(sizes))
        improved = [search.improve(int(group), rng, least) for group in groups]
        if not any(improved):
            break
    return search.part_of


class _LocalSearch:
    """The current assignment of groups to parts, and the measures' sums per part."""

    def __init__(self, measures: Sizes, targets: Sizes, open_parts: Assignment) -> None:
        self._measures, self._targets, self._open_parts = measures, targets, open_parts
        self.part_of = np.full(len(measures), -1, np.int64)
        self._sums = np.zeros((len(targets), measures.shape[1]))
        self._counts = np.zeros(len(targets), np.int64)

    def assign_all(self, order: Iterable[int]) -> None:
        """Assign each group in turn to the part that is then furthest below its share."""
        unassigned = len(self.part_of)
        for group in order:
            empty = self._open_parts[self._counts[self._open_parts] == 0]
            # The last groups are reserved for parts that would stay empty otherwise.
            parts = empty if len(empty) == unassigned else self._open_parts
            deficit = 1.0 - (self._sums[parts] / self._targets[parts, None]).mean(axis=1)
            self._assign(group, int(parts[deficit.argmax()]))
            unassigned -= 1

    def improve(self, group: int, rng: np.random.Generator, least: float) -> bool:
        """Make the best move or swap of a group; return False if none gains more than `least`."""
        home = int(self.part_of[group])
        partners = np.flatnonzero(self.part_of != home)
        if len(partners) > _MAX_SWAPS:
            partners = rng.choice(partners, _MAX_SWAPS, replace=False)
        # A part's last group may be swapped, but not moved.
        other_parts = self._open_parts[self._open_parts != home]
        destinations = other_parts if self._counts[home] > 1 else other_parts[:0]
        # A move is a swap with a group of size 0.
        parts = np.concatenate([destinations, self.part_of[partners]])
        zeros = np.zeros((len(destinations), self._measures.shape[1]))
        returned = np.concatenate([zeros, self._measures[partners]])
        if len(parts) == 0:
            return False
        shift = self._measures[group] - returned
        gain = (
            self._distance(np.full(len(parts), home), 0.0)
            - self._distance(np.full(len(parts), home), -shift)
            + self._distance(parts, 0.0)
            - self._distance(parts, shift)
        )
        best = int(gain.argmax())
        if gain[best] <= least:
            return False
        if best >= len(destinations):
            self._assign(int(partners[best - len(destinations)]), home)
        self._assign(group, int(parts[best]))
        return True

    def _distance(self, parts: Assignment, shift: Sizes | float) -> Sizes:
        """Compute the parts' distances from their shares if their sums changed by `shift`."""
        targets = self._targets[parts, None]
        return np.asarray(((self._sums[parts] + shift - targets) ** 2 / targets).sum(axis=1))

    def _assign(self, group: int, part: int) -> None:
        previous = int(self.part_of[group])
        if previous >= 0:
            self._sums[previous] -= self._measures[group]
            self._counts[previous] -= 1
        self.part_of[group] = part
        self._sums[part] += self._measures[group]
        self._counts[part] += 1
