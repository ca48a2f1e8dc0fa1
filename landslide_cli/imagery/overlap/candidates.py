"""Pairs of images that may show the same ground, without comparing every image with every other.

The descriptors of all images stand in an index. Each key point looks up its neighbours there and
votes for the images that they belong to, the more the nearer they are compared with unrelated ones.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.overlap.features import Features, Floats, mirrored
from landslide_cli.imagery.overlap.index import DescriptorIndex, KeyPoints

# Votes count only together if they agree on how the images are turned and scaled, within two
# neighbouring bins of each.
TURNS, OCTAVES = 12, 8
MOST = 4  # candidates of an image that are looked into, those with most votes
VOTES = 1.0  # a neighbour has up to one
# Descriptors, 512 bytes each: of many images fewer of each are kept, but not too few of any.
MOST_INDEXED = 500_000
FEWEST_INDEXED = 200
MIRRORED_SHARE = 2  # the limit of key points is divided by this for mirrored images, a rarer case
AT_ONCE = 2**17  # key points looked up at a time by one thread


@dataclass(frozen=True, order=True)
class Candidate:
    """Two images with common descriptors; `mirrored` if in the mirrored first one."""

    first: int
    second: int
    mirrored: bool
    votes: float


def candidates_within(
    features: Sequence[Features], sources: Sequence[int], advance: Callable[[], None]
) -> list[Candidate]:
    """Find the pairs of images that may show the same ground, sorted, first < second.

    Images of each source are compared with each other, and then with those of the others: of many
    images fewer key points of each are looked up, and thousands of tiles of one source must not
    hide what the scenes of another have in common. `advance` is called once per image, twice if
    there are several sources.
    """
    votes = _Votes()
    images_of = {
        source: [number for number, own in enumerate(sources) if own == source]
        for source in sorted(set(sources))
    }
    for own in images_of.values():
        votes.look_up(features, own, own, limit_of([features[number] for number in own]), advance)
    if len(images_of) > 1:
        most = limit_of(features)
        for source, own in images_of.items():
            others = [number for number, other in enumerate(sources) if other != source]
            votes.look_up(features, own, others, most, advance)
    return _foremost(votes.candidates())


def candidates_among(
    queries: Sequence[Features], references: Sequence[Features], advance: Callable[[], None]
) -> list[Candidate]:
    """Find for each query (first) the references (second) that may show the same ground.

    Sorted by query and falling votes; `advance` is called once per query.
    """
    most = limit_of(references)
    index = DescriptorIndex(KeyPoints.of(references, most))
    voted = [
        Candidate(query, other, reflected, votes)
        for query, other, reflected, votes in _looked_up(queries, index, most, False, advance)
        if votes >= VOTES
    ]
    ordered = sorted(voted, key=lambda pair: (pair.first, -pair.votes, pair.second, pair.mirrored))
    return [
        pair
        for _, pairs in groupby(ordered, lambda pair: pair.first)
        for pair in islice(pairs, MOST)
    ]


class _Votes:
    """The votes of the key points of both images for pairs of images."""

    def __init__(self) -> None:
        self._votes: dict[tuple[int, int, bool], float] = {}

    def look_up(
        self,
        features: Sequence[Features],
        queries: Sequence[int],
        references: Sequence[int],
        most: int,
        advance: Callable[[], None],
    ) -> None:
        """Look some images, by their numbers, up in others, or the same."""
        index = DescriptorIndex(KeyPoints.of([features[number] for number in references], most))
        wanted = [features[number] for number in queries]
        for query, other, reflected, votes in _looked_up(
            wanted, index, most, queries is references, advance
        ):
            first, second = sorted((queries[query], references[other]))
            pair = first, second, reflected
            self._votes[pair] = self._votes.get(pair, 0.0) + votes

    def candidates(self) -> list[Candidate]:
        """Return the pairs with enough votes, sorted."""
        pairs = sorted(self._votes.items())
        return [Candidate(*pair, votes) for pair, votes in pairs if votes >= VOTES]


def limit_of(features: Sequence[Features]) -> int:
    """Return the largest number of key points per image with which all images fit the index.

    What images with fewer leave is for the others: a large scene keeps its key points among
    thousands of small tiles.
    """
    counts = sorted(0 if image.flat else len(image.points) for image in features)
    left, most = MOST_INDEXED, FEWEST_INDEXED
    for position, count in enumerate(counts):
        most = left // (len(counts) - position)
        if count > most:
            break
        left -= count
        most = count
    return max(FEWEST_INDEXED, most)


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
    queries: Sequence[Features],
    index: DescriptorIndex,
    most: int,
    are_own: bool,
    advance: Callable[[], None],
) -> Iterator[tuple[int, int, bool, float]]:
    """Look up queries as they are and mirrored, in threads: NumPy works without Python's lock.

    Yields a query, an image of the index, whether the query was mirrored, and the votes.
    """

    def both(start: int) -> list[tuple[int, int, bool, float]]:
        images = queries[start : start + share]
        upright = KeyPoints.of(images, most, start)
        reflected = [mirrored(image) for image in images]
        return [
            (query, other, is_mirrored, votes)
            for is_mirrored, points in (
                (False, upright),
                (True, KeyPoints.of(reflected, most // MIRRORED_SHARE, start)),
            )
            for query, other, votes in _agreeing(points, index, are_own)
        ]

    share = max(1, AT_ONCE // max(1, most))
    starts, left = range(0, len(queries), share), len(queries)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for votes in threads.map(both, starts):
            for _ in range(min(share, left)):
                advance()
            left -= share
            yield from votes


def _agreeing(
    queries: KeyPoints, index: DescriptorIndex, are_own: bool
) -> Iterator[tuple[int, int, float]]:
    """Count the votes of each query image for each image of the index, as far as they agree."""
    found = index.neighbours(queries, are_own)
    owners = index.points.owners[found.rows].astype(np.int64)
    images = queries.owners[found.queries].astype(np.int64)
    turn = (index.points.angles[found.rows] - queries.angles[found.queries]) % 360 / 360 * TURNS
    octave = np.log2(index.points.sizes[found.rows] / queries.sizes[found.queries]) + OCTAVES / 2
    bins = turn.astype(int) % TURNS * OCTAVES + octave.astype(int).clip(0, OCTAVES - 1)
    pairs, order, counts = np.unique(images << 32 | owners, return_inverse=True, return_counts=True)
    # One match of two images agrees with nothing, and most pairs have no more.
    several = counts >= 2
    place = np.cumsum(several) - 1
    is_kept = several[order]
    votes = _most_agreeing(
        place[order[is_kept]], bins[is_kept], found.weights[is_kept], int(several.sum())
    )
    for pair, vote in zip(pairs[several].tolist(), votes.tolist(), strict=True):
        yield pair >> 32, pair & 0xFFFFFFFF, vote


def _most_agreeing(
    pairs: NDArray[np.intp], bins: NDArray[np.intp], weights: Floats, count: int
) -> NDArray[np.float64]:
    """Add up the weights of each pair's matches that agree in turn and scale; returns (count,)."""
    votes = np.bincount(
        pairs * (TURNS * OCTAVES) + bins, weights, minlength=count * TURNS * OCTAVES
    ).reshape(-1, TURNS, OCTAVES)
    votes = votes + np.roll(votes, 1, axis=1)
    votes[..., 1:] += votes[..., :-1].copy()
    return np.asarray(votes.max(axis=(1, 2)))
