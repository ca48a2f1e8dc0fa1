"""The search for images that show the same ground: candidates, then proof.

Candidates share descriptors that are rare elsewhere (`candidates`), or are copies as a whole
(`copies`); of the former one similarity must explain the matches (`matching`).
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Literal

import numpy as np
from threadpoolctl import threadpool_limits

from landslide_cli.core.arrays import Transform
from landslide_cli.imagery.overlap.candidates import Candidate, candidates_among, candidates_within
from landslide_cli.imagery.overlap.copies import DuplicatePair, copies_among
from landslide_cli.imagery.overlap.features import Features, mirrored
from landslide_cli.imagery.overlap.matching import Matrix2x3, Similarity, fit
from landslide_cli.imagery.overlap.settings import MatchSettings

COPY_SHARE = 0.9  # of the area of the larger image that a copy covers


@dataclass(frozen=True, order=True)
class Overlap:
    """Two images that show the same ground.

    Args:
        first: number of the first image.
        second: number of the other.
        kind: "copy" if one is the other as a whole, as it is or encoded anew, enlarged, reduced,
            turned, mirrored or distorted; "content" if they have a part in common.
        inliers: matches of distinct key points that agree; 0 for copies found as a whole.
        transform: 2 x 3, pixels (x, y) of the first original to pixels of the second.
        overlap: share of the smaller scene's area that both show, in (0, 1].
        mirrored: whether the first shows the ground mirrored.
        correlation: of the texture in the common part, in [-1, 1]; None for copies found as a
            whole.
    """

    first: int
    second: int
    kind: Literal["copy", "content"]
    inliers: int
    transform: Transform
    overlap: float
    mirrored: bool
    correlation: float | None = None


def find_overlaps(
    features: Sequence[Features],
    settings: MatchSettings,
    advance: Callable[[], None],
    sources: Sequence[int] | None = None,
) -> list[Overlap]:
    """Find all pairs of images that show the same ground, first < second, sorted.

    The result does not depend on the number of threads.

    Args:
        features: of the images.
        settings: when two images show the same ground.
        advance: called once per image, and once more if there are several sources.
        sources: the source of each image: those of one are compared first. Default: all are of one.
    """
    with _a_thread_a_product(), ThreadPoolExecutor(os.cpu_count()) as threads:
        candidates = candidates_within(features, sources or [0] * len(features), advance)
        prove = partial(_proven, features, features, settings)
        proven = [overlap for overlap in threads.map(prove, candidates) if overlap]
    copies = [copy for copy in copies_among(features, features) if copy.first < copy.second]
    return _with_copies(proven, copies, features, features)


def find_leaks(
    queries: Sequence[Features],
    references: Sequence[Features],
    settings: MatchSettings,
    advance: Callable[[], None],
) -> list[Overlap]:
    """Find the queries (first) whose ground a reference (second) shows too, sorted.

    Not necessarily every such pair is returned, but one for every such query at least. `advance`
    is called once per query.
    """

    def best(group: Sequence[Candidate]) -> Overlap | None:
        proofs = (_proven(queries, references, settings, candidate) for candidate in group)
        return next((proof for proof in proofs if proof), None)

    with _a_thread_a_product(), ThreadPoolExecutor(os.cpu_count()) as threads:
        candidates = candidates_among(queries, references, advance)
        of_query = [list(group) for _, group in groupby(candidates, lambda pair: pair.first)]
        proven = [overlap for overlap in threads.map(best, of_query) if overlap]
    return _with_copies(proven, copies_among(queries, references), queries, references)


def _a_thread_a_product() -> threadpool_limits:
    """Have the threads of a search multiply matrices by themselves.

    NumPy's BLAS would deal each product to threads of its own, which wait for each other by
    spinning: several times the processor time, on a machine with other work.
    """
    return threadpool_limits(1, user_api="blas")


def _proven(
    firsts: Sequence[Features],
    seconds: Sequence[Features],
    settings: MatchSettings,
    candidate: Candidate,
) -> Overlap | None:
    """Return the overlap of a candidate pair; None if the images do not show the same ground."""
    first, second = firsts[candidate.first], seconds[candidate.second]
    similarity = fit(mirrored(first) if candidate.mirrored else first, second, settings)
    if similarity is None or not similarity.convinces(settings):
        return None
    return _overlap(candidate, first, similarity)


def _overlap(candidate: Candidate, first: Features, similarity: Similarity) -> Overlap:
    transform = similarity.transform
    if candidate.mirrored:
        transform = _after(transform, np.array([[-1.0, 0, first.width - 1], [0, 1, 0]]))
    return Overlap(
        candidate.first,
        candidate.second,
        "copy" if similarity.covered >= COPY_SHARE else "content",
        similarity.inliers,
        _as_tuples(transform),
        similarity.overlap,
        candidate.mirrored,
        similarity.correlation,
    )


def _with_copies(
    proven: Iterable[Overlap],
    copies: Iterable[DuplicatePair],
    firsts: Sequence[Features],
    seconds: Sequence[Features],
) -> list[Overlap]:
    """Add the copies to what was proven; of several proofs for one pair the strongest stays.

    How a copy lies is known better as a whole than from what may be few key points.
    """
    pairs: dict[tuple[int, int], Overlap] = {}
    for overlap in proven:
        pair = overlap.first, overlap.second
        if pair not in pairs or pairs[pair].inliers < overlap.inliers:
            pairs[pair] = overlap
    for copy in copies:
        first, second = firsts[copy.first], seconds[copy.second]
        transform = _as_tuples(_laid(copy, first, second))
        pair = copy.first, copy.second
        inliers = pairs[pair].inliers if pair in pairs else 0
        pairs[pair] = Overlap(*pair, "copy", inliers, transform, 1.0, copy.mirrored)
    return sorted(pairs.values())


def _laid(copy: DuplicatePair, first: Features, second: Features) -> Matrix2x3:
    """Return the transform that mirrors, turns and scales the first image onto the second."""
    width, height = float(first.width), float(first.height)
    laid = np.array([[1, 0, 0.5], [0, 1, 0.5]])
    if copy.mirrored:
        laid = _after(np.array([[-1, 0, width], [0, 1, 0]]), laid)
    for _ in range(copy.turns):
        laid = _after(np.array([[0, 1, 0], [-1, 0, width]]), laid)
        width, height = height, width
    x, y = second.width / width, second.height / height
    return _after(np.array([[x, 0, -0.5], [0, y, -0.5]]), laid)


def _after(second: Matrix2x3, first: Matrix2x3) -> Matrix2x3:
    """Return the (2, 3) transform that is `first` followed by `second`."""
    return np.asarray(second @ np.vstack([first, [0, 0, 1]]), np.float64)


def _as_tuples(transform: Matrix2x3) -> Transform:
    (a, b, c), (d, e, f) = transform.tolist()
    return (a, b, c), (d, e, f)
