"""Dealing whole groups out to parts or folds so that shares are met as nearly as they allow."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Sizes = NDArray[np.float64]
Dealt = NDArray[np.int64]

# Of very many groups, so many are tried in exchange for one, and so many rounds are made.
_PARTNERS, _ROUNDS = 256, 50


def deal(sizes: Sizes, shares: Sequence[float], seed: int, least: float = 1e-9) -> Dealt:
    """Deal groups out to parts so that each part has its share of every measure.

    Groups are first dealt in random order, each to the part that lacks most; then single groups are
    moved, and pairs exchanged, as long as that brings the parts nearer to their shares: to a local
    optimum, which another seed finds elsewhere. The distance from the shares is the sum over parts
    and measures of (part's sum - wanted)^2 / wanted, with every measure scaled to a total of 1.

    Args:
        sizes: (groups, measures), not negative, such as pixels and foreground pixels.
        shares: of each part; their sum counts as the whole. A part without a share stays empty, any
            other gets a group at least.
        seed: fixes the result.
        least: an exchange must bring this much to be made.

    Returns:
        The index of each group's part, (groups,).

    Raises:
        ValueError: there are fewer groups than parts with a share, or no part has one.
    """
    if not any(share > 0.0 for share in shares):
        raise ValueError("no part has a share")
    wanted = np.asarray(shares, np.float64) / sum(shares)
    open_parts = np.flatnonzero(wanted > 0.0)
    if len(sizes) < len(open_parts):
        raise ValueError(f"{len(sizes)} groups for {len(open_parts)} parts")
    totals = sizes.sum(axis=0)
    # Nothing can be balanced by a measure of which there is none.
    measures = np.asarray(sizes[:, totals > 0.0] / totals[totals > 0.0])
    if measures.shape[1] == 0:
        measures = np.full((len(sizes), 1), 1.0 / max(1, len(sizes)))
    rng = np.random.default_rng(seed)
    table = _Table(measures, wanted, open_parts)
    table.deal_all(rng.permutation(len(sizes)))
    for _ in range(_ROUNDS):
        better = [table.improve(int(group), rng, least) for group in rng.permutation(len(sizes))]
        if not any(better):
            break
    return table.part_of


class _Table:
    """The groups' parts as they are being dealt, and each part's sums."""

    def __init__(self, measures: Sizes, wanted: Sizes, open_parts: Dealt) -> None:
        self._measures, self._wanted, self._open = measures, wanted, open_parts
        self.part_of = np.full(len(measures), -1, np.int64)
        self._sums = np.zeros((len(wanted), measures.shape[1]))
        self._counts = np.zeros(len(wanted), np.int64)

    def deal_all(self, order: Iterable[int]) -> None:
        """Give each group in turn to the part that is then farthest below its share."""
        left = len(self.part_of)
        for group in order:
            empty = self._open[self._counts[self._open] == 0]
            # The last groups are for the parts that would stay empty otherwise.
            choice = empty if len(empty) == left else self._open
            lack = 1.0 - (self._sums[choice] / self._wanted[choice, None]).mean(axis=1)
            self._put(group, int(choice[lack.argmax()]))
            left -= 1

    def improve(self, group: int, rng: np.random.Generator, least: float) -> bool:
        """Make the move or the exchange of this group that brings most; False if none does."""
        home = int(self.part_of[group])
        partners = np.flatnonzero(self.part_of != home)
        if len(partners) > _PARTNERS:
            partners = rng.choice(partners, _PARTNERS, replace=False)
        targets = self._open[self._open != home] if self._counts[home] > 1 else self._open[:0]
        # A move is an exchange with nothing.
        parts = np.concatenate([targets, self.part_of[partners]])
        nothing = np.zeros((len(targets), self._measures.shape[1]))
        back = np.concatenate([nothing, self._measures[partners]])
        if len(parts) == 0:
            return False
        shift = self._measures[group] - back
        gain = (
            self._distance(np.full(len(parts), home), 0.0)
            - self._distance(np.full(len(parts), home), -shift)
            + self._distance(parts, 0.0)
            - self._distance(parts, shift)
        )
        best = int(gain.argmax())
        if gain[best] <= least:
            return False
        if best >= len(targets):
            self._put(int(partners[best - len(targets)]), home)
        self._put(group, int(parts[best]))
        return True

    def _distance(self, parts: Dealt, shift: Sizes | float) -> Sizes:
        wanted = self._wanted[parts, None]
        return np.asarray(((self._sums[parts] + shift - wanted) ** 2 / wanted).sum(axis=1))

    def _put(self, group: int, part: int) -> None:
        before = int(self.part_of[group])
        if before >= 0:
            self._sums[before] -= self._measures[group]
            self._counts[before] -= 1
        self.part_of[group] = part
        self._sums[part] += self._measures[group]
        self._counts[part] += 1
