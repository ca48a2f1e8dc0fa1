"""Sizes and directions of polygons as inventories of landslides give them."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from landslide_cli.imagery.raster.georeference import Geometries

# Bounds between size classes in square metres, and the names of the classes.
_SIZE_BOUNDS = (1e2, 1e3, 1e4, 1e5, 1e6)
SIZE_CLASSES = (
    "under 100 m2",
    "100 to 1,000 m2",
    "1,000 to 10,000 m2",
    "1 to 10 ha",
    "10 to 100 ha",
    "over 1 km2",
)


@dataclass(frozen=True)
class Shape:
    """The shape of a polygon by the least rectangle around it, which may be turned.

    `length` and `width` are that rectangle's sides, in the polygon's unit; `orientation` the
    direction of the long side in degrees clockwise from north (from up, in pixels), in [0, 180);
    `elongation` is length over width; `compactness` 4 pi area / perimeter^2 (Polsby and Popper
    1991), 1 for a circle. Outlines follow the sides of pixels, so that their perimeter is longer
    than that of what they show, by up to 4 / pi: a circle of pixels has a compactness of 0.6.
    """

    length: float
    width: float
    orientation: float
    elongation: float
    compactness: float


def shapes_of(polygons: Geometries, y_is_north: bool = True) -> list[Shape]:
    """Describe the shapes of polygons in a plane.

    Args:
        polygons: with an area.
        y_is_north: whether y grows to the north; to the south, as rows of pixels do, if not.
    """
    if len(polygons) == 0:
        return []
    corners = shapely.get_coordinates(shapely.oriented_envelope(polygons)).reshape(-1, 5, 2)
    sides = np.diff(corners[:, :3], axis=1)
    lengths = np.linalg.norm(sides, axis=2)
    rows = np.arange(len(sides))
    longest, shortest = lengths.max(axis=1), lengths.min(axis=1)
    east, north = sides[rows, lengths.argmax(axis=1)].T
    azimuth = np.degrees(np.arctan2(east, north if y_is_north else -north)) % 180.0
    area, perimeter = shapely.area(polygons), shapely.length(polygons)
    compactness = 4.0 * np.pi * area / perimeter**2
    columns = (longest, shortest, azimuth, longest / shortest, compactness)
    return [Shape(*values) for values in np.column_stack(columns).tolist()]


def size_classes(areas: NDArray[np.float64]) -> NDArray[np.object_]:
    """Return the size class of each area in square metres: decades, by `SIZE_CLASSES`."""
    return np.array(SIZE_CLASSES, object)[np.searchsorted(_SIZE_BOUNDS, areas, side="right")]
