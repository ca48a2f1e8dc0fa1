"""Near neighbours among millions of descriptors, found by products of matrices.

An inverted file (Sivic and Zisserman, Video Google, ICCV 2003; Jégou et al., Product quantization
for nearest neighbor search, PAMI 2011): descriptors are kept in cells around centres, and a query
is compared with all of the cells that it is nearest to. Descriptors and centres are integers and
all sums below 2^24, so that distances are exact in float32, on any number of threads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.tiling.grid import ceil_div
from landslide_cli.imagery.overlap.features import Features, Floats

SEED = 1  # of the choice of centres
CELLS = 1.5  # as many cells as this times the root of the number of descriptors
SAMPLE = 20  # descriptors for each centre that it is moved by
ROUNDS = 2  # in which centres are moved
PROBES = 2  # cells that a query is looked for in; more find more, and take longer
# A cell is dealt into so many parts. The nearest of each part is a neighbour; how far the nearest
# of most parts is tells how far unrelated descriptors are.
PARTS, UNRELATED = 16, 12
# A neighbour counts if it is nearer than RATIO times that. Where even these show the same ground,
# as in a data set with many copies, the first of BACKGROUND stands for it, unrelated images are
# seldom nearer; the second where a cell has few descriptors (norm 512).
RATIO = 0.7
BACKGROUND = 200.0, 300.0
FAR = 1e9  # more than any squared distance
BLOCK = 512  # queries compared at a time


@dataclass(frozen=True, eq=False)
class KeyPoints:
    """Key points of several images; n in all.

    Args:
        descriptors: (n, 128) uint8.
        owners: (n,) int32, the number of each one's image.
        angles: (n,) float32, degrees.
        sizes: (n,) float32, pixels.
    """

    descriptors: NDArray[np.uint8]
    owners: NDArray[np.int32]
    angles: Floats
    sizes: Floats

    @classmethod
    def of(cls, images: Sequence[Features], most: int, first: int = 0) -> "KeyPoints":
        """Take the first `most` of each image, none of flat ones; images count from `first`."""
        counts = [0 if image.flat else min(most, len(image.points)) for image in images]
        kept = list(zip(images, counts, strict=True))
        nothing = np.zeros(0, np.float32)
        return cls(
            np.concatenate(
                [np.zeros((0, 128), np.uint8), *(image.descriptors[:n] for image, n in kept)]
            ),
            np.repeat(np.arange(first, first + len(images), dtype=np.int32), counts),
            np.concatenate([nothing, *(image.angles[:n] for image, n in kept)]),
            np.concatenate([nothing, *(image.sizes[:n] for image, n in kept)]),
        )

    def __len__(self) -> int:
        return len(self.owners)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Pairs of a query and a descriptor of the index near to it.

    Args:
        queries: (m,) the numbers of the queries.
        rows: (m,) those of their neighbours in the index.
        weights: (m,) float32, from 1 for equal descriptors to 0 for those that hardly count.
    """

    queries: NDArray[np.intp]
    rows: NDArray[np.intp]
    weights: Floats


@dataclass(frozen=True, eq=False)
class _Cell:
    """`rows` of the index; the columns of `right` are theirs, dealt to `PARTS` in turns."""

    rows: NDArray[np.intp]
    owners: NDArray[np.int32]  # of the columns, -1 where there is no descriptor
    right: Floats  # (130, columns), for squared distances as one product

    @classmethod
    def of(cls, points: KeyPoints, rows: NDArray[np.intp]) -> "_Cell":
        columns = ceil_div(len(rows), PARTS) * PARTS
        ours = points.descriptors[rows].astype(np.float32)
        right = np.zeros((130, columns), np.float32)
        right[:128, : len(rows)] = ours.T
        right[128] = 1
        right[129] = FAR
        right[129, : len(rows)] = np.square(ours).sum(axis=1)
        owners = np.full(columns, -1, np.int32)
        owners[: len(rows)] = points.owners[rows]
        return cls(rows, owners, right)


class DescriptorIndex:
    """An index of key points, whose descriptors are looked up by those of others."""

    def __init__(self, points: KeyPoints) -> None:
        self.points = points
        if not len(points):
            return
        self._centres = _centres(points.descriptors)
        cells = _nearest(points.descriptors, self._centres, 1)[:, 0]
        order, bounds = _by_cell(cells, len(self._centres))
        self._cells = [
            _Cell.of(points, order[start:stop]) for start, stop in pairwise(bounds.tolist())
        ]

    def neighbours(self, queries: KeyPoints, are_own: bool = False) -> Neighbours:
        """Find for each query the descriptors that are much nearer than unrelated ones.

        Args:
            queries: what is looked up.
            are_own: whether queries are of the images in the index, whose own descriptors do not
                count.
        """
        nothing = Neighbours(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.float32))
        is_any = len(self.points) and len(queries)
        found = [nothing, *(self._found(queries, are_own) if is_any else ())]
        return Neighbours(
            np.concatenate([near.queries for near in found]),
            np.concatenate([near.rows for near in found]),
            np.concatenate([near.weights for near in found]),
        )

    def _found(self, queries: KeyPoints, are_own: bool) -> Iterator[Neighbours]:
        probes = min(PROBES, len(self._centres))
        cells = _nearest(queries.descriptors, self._centres, probes)
        order, bounds = _by_cell(cells.ravel(), len(self._centres))
        for cell, (start, stop) in zip(self._cells, pairwise(bounds.tolist()), strict=True):
            if not len(cell.rows):
                continue
            for first in range(start, stop, BLOCK):
                numbers = order[first : min(first + BLOCK, stop)] // probes
                owners = queries.owners[numbers] if are_own else None
                near = _near(queries.descriptors[numbers], owners, cell)
                yield replace(near, queries=numbers[near.queries])


def _near(
    descriptors: NDArray[np.uint8], owners: NDArray[np.int32] | None, cell: _Cell
) -> Neighbours:
    """Find the neighbours of (n, 128) queries in a cell."""
    ours = descriptors.astype(np.float32)
    left = np.empty((len(ours), 130), np.float32)
    left[:, :128] = -2 * ours
    left[:, 128] = np.square(ours).sum(axis=1)
    left[:, 129] = 1
    squares = left @ cell.right
    if owners is not None:
        np.copyto(squares, FAR, where=owners[:, None] == cell.owners)
    parts = squares.reshape(len(ours), -1, PARTS)
    nearest = parts.min(axis=1)
    unrelated = np.partition(nearest, UNRELATED, axis=1)[:, UNRELATED]
    limits = RATIO**2 * unrelated.clip(BACKGROUND[0] ** 2, BACKGROUND[1] ** 2)
    near, part = np.nonzero(nearest < limits[:, None])
    places = parts[near, :, part].argmin(axis=1) * PARTS + part
    weights = 1 - nearest[near, part] / limits[near]
    return Neighbours(near, cell.rows[places], np.asarray(weights, np.float32))


def _centres(descriptors: NDArray[np.uint8]) -> Floats:
    """Place the centres of cells by k-means, on a sample; (cells, 128), rounded."""
    count = max(1, round(CELLS * np.sqrt(len(descriptors))))
    chosen = np.random.default_rng(SEED).permutation(len(descriptors))[: SAMPLE * count]
    sample = descriptors[chosen]
    centres = sample[:count].astype(np.float32)
    for _ in range(ROUNDS):
        order, bounds = _by_cell(_nearest(sample, centres, 1)[:, 0], len(centres))
        for number, (start, stop) in enumerate(pairwise(bounds.tolist())):
            if stop > start:
                centres[number] = np.rint(sample[order[start:stop]].mean(axis=0))
    return centres


def _nearest(descriptors: NDArray[np.uint8], centres: Floats, count: int) -> NDArray[np.intp]:
    """Return the numbers of the `count` nearest centres of each of (n, 128), (n, count)."""
    nearest = np.empty((len(descriptors), count), np.intp)
    doubled, squares = np.ascontiguousarray(2 * centres.T), np.square(centres).sum(axis=1)
    for start in range(0, len(descriptors), BLOCK):
        block = descriptors[start : start + BLOCK].astype(np.float32)
        closeness = block @ doubled - squares
        every = np.arange(len(block))
        for place in range(count):
            best = closeness.argmax(axis=1)
            nearest[start : start + BLOCK, place] = best
            closeness[every, best] = -np.inf
    return nearest


def _by_cell(cells: NDArray[np.intp], count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order by cell, and where in it each of `count` cells begins and the last ends."""
    order = np.argsort(cells, kind="stable")
    return order, np.searchsorted(cells[order], np.arange(count + 1))
