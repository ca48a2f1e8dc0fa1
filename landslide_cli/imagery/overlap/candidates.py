"""Pairs of images that may show the same ground, without comparing every image with every other.

All descriptors stand in one approximate nearest neighbour index, a forest of randomized k-d trees
(Muja and Lowe, Fast Approximate Nearest Neighbors with Automatic Algorithm Configuration, VISAPP
2009; OpenCV's FLANN). Each key point looks up its nearest neighbours and votes for the images that
they belong to, if they are much nearer than what is found further away.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.overlap.features import Features, Floats, mirrored

TREES = 4
CHECKS = 64  # leaves that a lookup visits; more find more, and take longer
SEED = 1  # of the trees
NEIGHBOURS = 16
# A neighbour counts if it is nearer than RATIO times the last of the neighbours: unrelated ones
# are about equally far away. Where even the last shows the same ground, as in a data set with many
# copies, BACKGROUND stands for it: unrelated images are seldom nearer (norm 512).
RATIO = 0.7
BACKGROUND = 200.0
# Votes count only together if they agree on how the images are turned and scaled, within two
# neighbouring bins of each.
TURNS, OCTAVES = 12, 8
MOST = 8  # candidates of an image that are looked into, those with most votes
VOTES = 4
# Descriptors, 512 bytes each: of many images fewer of each are kept, but not too few of any.
MOST_INDEXED = 500_000
FEWEST_INDEXED = 200
MIRRORED_SHARE = 2  # the limit of key points is divided by this for mirrored images, a rarer case
FLANN_KDTREE = 1  # OpenCV has no name for it
EMPTY = np.zeros((0, 128), np.float32)


@dataclass(frozen=True, order=True)
class Candidate:
    """Two images with common descriptors; `mirrored` if in the mirrored first one."""

    first: int
    second: int
    mirrored: bool
    votes: int


class DescriptorIndex:
    """Nearest neighbours among the descriptors of images; flat images are left out.

    Of many images only the first key points of each are kept.
    """

    def __init__(self, features: Sequence[Features]) -> None:
        self.most = _limit([0 if image.flat else len(image.points) for image in features])
        counts = [0 if image.flat else min(self.most, len(image.points)) for image in features]
        kept = list(zip(features, counts, strict=True))
        self._owners = np.repeat(np.arange(len(features)), counts)
        self._angles = _joined([image.angles[:count] for image, count in kept])
        self._sizes = _joined([image.sizes[:count] for image, count in kept])
        self._descriptors = np.empty((sum(counts), 128), np.float32)
        np.concatenate(
            [EMPTY, *(image.descriptors[:count] for image, count in kept)], out=self._descriptors
        )
        self._neighbours = min(NEIGHBOURS, len(self._descriptors))
        if self._neighbours:
            cv2.setRNGSeed(SEED)
            parameters = {"algorithm": FLANN_KDTREE, "trees": TREES}
            self._trees = cv2.flann.Index(self._descriptors, parameters)

    def votes(self, query: Features, itself: int | None = None, share: int = 1) -> dict[int, int]:
        """Count for each image the key points of `query` that have a near neighbour there.

        Args:
            query: the image looked up.
            itself: the number of the same image in the index, whose neighbours do not count.
            share: the limit of key points per image is divided by this.

        Returns:
            The votes of each image that has any.
        """
        descriptors = query.descriptors[: self.most // share].astype(np.float32)
        if query.flat or not self._neighbours or not len(descriptors):
            return {}
        neighbours, squares = self._trees.knnSearch(
            descriptors, self._neighbours, params={"checks": CHECKS}
        )
        owners, distances = self._owners[neighbours], np.sqrt(squares)
        background = np.maximum(distances[:, -1:], BACKGROUND)
        near = (distances < RATIO * background) & (owners != itself)
        points, places = np.nonzero(near)
        rows = neighbours[points, places]
        # The nearest of several neighbours in one image has the key point's vote for it.
        _, once = np.unique(points * len(self._owners) + self._owners[rows], return_index=True)
        return self._agreeing(query, points[once], rows[once])

    def _agreeing(
        self, query: Features, points: NDArray[np.intp], rows: NDArray[np.intp]
    ) -> dict[int, int]:
        """Count the matches of each image that agree in turn and scale."""
        turn = (self._angles[rows] - query.angles[points]) % 360 / 360 * TURNS
        octave = np.log2(self._sizes[rows] / query.sizes[points]) + OCTAVES / 2
        bins = turn.astype(int) % TURNS * OCTAVES + octave.astype(int).clip(0, OCTAVES - 1)
        images, order = np.unique(self._owners[rows], return_inverse=True)
        counts = np.bincount(
            order * (TURNS * OCTAVES) + bins, minlength=len(images) * TURNS * OCTAVES
        ).reshape(-1, TURNS, OCTAVES)
        counts = counts + np.roll(counts, 1, axis=1)
        counts[..., 1:] += counts[..., :-1].copy()
        return dict(zip(images.tolist(), counts.max(axis=(1, 2)).tolist(), strict=True))


def _limit(counts: Sequence[int]) -> int:
    """Return the largest number of key points per image with which all images fit the index.

    What images with fewer leave is for the others: a large scene keeps its key points among
    thousands of small tiles.
    """
    left, most = MOST_INDEXED, FEWEST_INDEXED
    for position, count in enumerate(sorted(counts)):
        most = left // (len(counts) - position)
        if count > most:
            break
        left -= count
        most = count
    return max(FEWEST_INDEXED, most)


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate([np.zeros(0, np.float32), *parts])


def candidates_within(features: Sequence[Features], advance: Callable[[], None]) -> list[Candidate]:
    """Find the pairs of images that may show the same ground, sorted, first < second.

    `advance` is called once an image.
    """
    votes_for: dict[tuple[int, int, bool], int] = {}
    for query, reflected, votes in _looked_up(features, DescriptorIndex(features), True, advance):
        for other, count in votes.items():
            pair = min(query, other), max(query, other), reflected
            votes_for[pair] = votes_for.get(pair, 0) + count
    voted = [Candidate(*pair, votes) for pair, votes in sorted(votes_for.items()) if votes >= VOTES]
    return _foremost(voted)


def candidates_among(
    queries: Sequence[Features], references: Sequence[Features], advance: Callable[[], None]
) -> list[Candidate]:
    """Find for each query (first) the references (second) that may show the same ground.

    Sorted by query and falling votes; `advance` is called once a query.
    """
    index = DescriptorIndex(references)
    voted = [
        Candidate(query, other, reflected, count)
        for query, reflected, votes in _looked_up(queries, index, False, advance)
        for other, count in votes.items()
        if count >= VOTES
    ]
    ordered = sorted(voted, key=lambda pair: (pair.first, -pair.votes, pair.second, pair.mirrored))
    return [
        pair
        for _, pairs in groupby(ordered, lambda pair: pair.first)
        for pair in islice(pairs, MOST)
    ]


def _foremost(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Keep the pairs that are among the `MOST` with most votes of one of their images.

    On smooth ground all images look a little alike: without this all pairs would be compared.
    """
    kept: list[Candidate] = []
    taken: Counter[int] = Counter()
    for pair in sorted(candidates, key=lambda pair: (-pair.votes, pair)):
        if min(taken[pair.first], taken[pair.second]) < MOST:
            kept.append(pair)
            taken.update((pair.first, pair.second))
    return sorted(kept)


def _looked_up(
    queries: Sequence[Features], index: DescriptorIndex, same: bool, advance: Callable[[], None]
) -> Iterator[tuple[int, bool, dict[int, int]]]:
    """Look up each query as it is and mirrored, in threads: OpenCV works without Python's lock."""

    def both(number: int) -> list[tuple[int, bool, dict[int, int]]]:
        itself = number if same else None
        query = queries[number]
        return [
            (number, False, index.votes(query, itself)),
            (number, True, index.votes(mirrored(query), itself, MIRRORED_SHARE)),
        ]

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for votes in threads.map(both, range(len(queries))):
            advance()
            yield from votes
