"""From the corners of pixel areas to polygons.

A corner is a point where the border of an area turns. Corners alone give the border: sorted along a
line of the grid, the first and second, the third and fourth ... are the ends of its sides
(O'Rourke, "Uniqueness of orthogonal connect-the-dots", 1988). An area is made of parts: pixels of
one class that touch by sides. x counts columns and y rows, from the upper left corner of the first
pixel.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Records = NDArray[np.void]

CORNER = np.dtype([("x", np.int32), ("y", np.int32), ("part", np.int64), ("turn", np.uint8)])

# The pixels around a point are its quadrants: 0 upper left, 1 upper right, 2 lower left, 3 lower
# right. The turn of a corner is the quadrant between the two sides that meet in the point, plus
# `_REFLEX` where it is the one quadrant not of the class. Quadrants of the class in a diagonal make
# two corners.
_REFLEX = 4


def polygons_of(corners: Records, places: Numbers) -> NDArray[np.object_]:
    """Build polygons from all corners of their parts.

    Args:
        corners: (corners,) of `CORNER`.
        places: by number of part, the place of its polygon in the result; each place occurs.

    Returns:
        (places,) valid Polygons, or MultiPolygons of the parts of one place, as of `group_parts`.
    """
    rings, hole, part = _rings(corners)
    place = places[part]
    order = np.lexsort((hole, part, place))
    shell = ~hole[order]
    polygons = shapely.polygons(rings[order], indices=shell.cumsum() - 1)
    return group_parts(polygons, place[order][shell])


def group_parts(polygons: NDArray[np.object_], places: Numbers) -> NDArray[np.object_]:
    """Put polygons together that have the same place: one alone, or several as a MultiPolygon.

    Args:
        polygons: (polygons,); those of a place must not overlap.
        places: (polygons,) ascending; each from 0 to the last occurs.

    Returns:
        (places,), normalized: independent of the order of polygons, rings and vertices.
    """
    _, first, counts = np.unique(places, return_index=True, return_counts=True)
    together = shapely.multipolygons(polygons, indices=places)
    together[counts == 1] = polygons[first[counts == 1]]
    return np.asarray(shapely.normalize(together), object)


def _rings(corners: Records) -> tuple[NDArray[np.object_], NDArray[np.bool_], Numbers]:
    """Build all rings; return for each whether it is a hole, and its part.

    Each part has one ring that is no hole: its shell.
    """
    following = _following(corners)
    order, starts = _in_rings(following)
    x, y = corners["x"].astype(np.int64), corners["y"].astype(np.int64)
    # The class is to the right, so that on the screen shells run clockwise, around a positive area.
    crosses = x * y[following] - y * x[following]
    hole = np.add.reduceat(crosses[order], starts) < 0
    number = np.zeros(len(order), np.int64)
    number[starts[1:]] = 1
    points = np.column_stack([x, y])[order].astype(np.float64)
    rings = shapely.linearrings(points, indices=number.cumsum())
    return rings, hole, corners["part"][order[starts]]


def _following(corners: Records) -> Numbers:
    """Return the index of the corner that follows on each along its ring, the class to the right.

    No ring comes to a point twice, as it must be in a valid polygon.
    """
    turn = corners["turn"]
    quadrant = np.where(turn < _REFLEX, turn, turn - _REFLEX)
    right, below = quadrant & 1, quadrant >> 1
    # Of two corners in one point, the one whose side leads left or up is first.
    along_rows = np.lexsort((right, corners["x"], corners["y"], corners["part"]))
    along_cols = np.lexsort((below, corners["y"], corners["x"], corners["part"]))
    by_row = (right == below) != (turn >= _REFLEX)
    following = np.where(by_row, _partners(along_rows), _partners(along_cols))
    return _split_at_touching(following, *_pairs_in_one_point(corners, along_rows))


def _pairs_in_one_point(corners: Records, along_rows: Numbers) -> tuple[Numbers, Numbers]:
    """Find the pairs of corners of one part that are in the same point."""
    places = np.column_stack([corners[name][along_rows] for name in ("part", "y", "x")])
    second = np.flatnonzero((places[1:] == places[:-1]).all(axis=1)) + 1
    return along_rows[second - 1], along_rows[second]


def _split_at_touching(following: Numbers, first: Numbers, second: Numbers) -> Numbers:
    """Split each ring that comes to a point twice into two that touch there.

    Such rings close around background, so points of a ring nest and no split hinders another.
    """
    ring = _smallest_along(following)
    same = ring[first] == ring[second]
    first, second = first[same], second[same]
    split = following.copy()
    split[first], split[second] = following[second], following[first]
    return split


def _partners(order: Numbers) -> Numbers:
    """Make the first and second, the third and fourth ... of an order each other's partner."""
    partners = np.empty_like(order)
    partners[order[0::2]], partners[order[1::2]] = order[1::2], order[0::2]
    return partners


def _in_rings(following: Numbers) -> tuple[Numbers, Numbers]:
    """Sort corners by ring and along it.

    Returns:
        The corners' order, and where in it each ring starts.
    """
    ring = _smallest_along(following)
    is_last = ring == np.arange(len(ring))
    # Steps to the last corner, doubling the distance looked ahead in each round.
    ahead = np.where(is_last, ring, following)
    steps = (~is_last).astype(np.int64)
    while not np.array_equal(ahead, ring):
        steps += steps[ahead]
        ahead = ahead[ahead]
    order = np.lexsort((-steps, ring))
    return order, np.flatnonzero(np.diff(ring[order], prepend=-1))


def _smallest_along(following: Numbers) -> Numbers:
    """Return the smallest index on each corner's ring."""
    smallest, ahead = np.arange(len(following)), following
    while not np.array_equal(smaller := np.minimum(smallest, smallest[ahead]), smallest):
        smallest, ahead = smaller, ahead[ahead]
    return smallest
