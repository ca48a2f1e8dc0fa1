"""Polygons in longitude and latitude as RFC 7946 has them: cut at 180 degrees, closed at a pole."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from landslide_cli.imagery.raster.georeference import LONGITUDE_LATITUDE, Geometries, reprojected

Points = NDArray[np.float64]

# Beyond this latitude, sides that are straight on a map are bent in longitude and latitude.
_POLAR = 85.0

# How far a side may be off there, in metres, and how often it is halved at most.
_TOLERANCE, _MOST_HALVINGS = 0.01, 32
_METRES_PER_DEGREE = 111_320.0

# Vertices this near to a pole, in degrees, are at it: they have no longitude.
_AT_POLE = 1e-9

# The grid of coordinates, in degrees; about a millimetre.
_GRID = 1e-8


def on_the_globe(geometries: Geometries, crs: str) -> Geometries:
    """Take polygons of a CRS to longitude and latitude on WGS 84.

    Those that cross 180 degrees are cut there; one around a pole reaches to it along 180 degrees,
    as an area around a pole has no outline in these coordinates.

    Args:
        geometries: Polygons and MultiPolygons.
        crs: their CRS.

    Raises:
        DataError: coordinates that have no place on the Earth.
    """
    there = reprojected(geometries, crs, LONGITUDE_LATITUDE)
    torn = np.flatnonzero(_is_torn(there))
    polygons, owner = shapely.get_parts(geometries[torn], return_index=True)
    rings, polygon = shapely.get_rings(polygons, return_index=True)
    areas = np.array([_area_in(ring) for ring in _bent(rings, crs)], object)
    pieces = np.array([_laid_out(rings) for rings in _grouped(areas, polygon)], object)
    for place, parts in zip(torn, _grouped(pieces, owner), strict=True):
        there[place] = _only_polygons(shapely.union_all(parts, grid_size=_GRID))
    return there


def _grouped(values: NDArray[Any], group: NDArray[np.int64]) -> list[NDArray[Any]]:
    """Divide values by the groups that they belong to, which ascend."""
    return np.split(values, np.flatnonzero(np.diff(group)) + 1) if len(values) else []


def _is_torn(geometries: Geometries) -> NDArray[np.bool_]:
    """Tell which have a side across 180 degrees, or are near a pole."""
    points, owner = shapely.get_coordinates(geometries, return_index=True)
    torn = np.zeros(len(geometries), np.bool_)
    torn[owner[(np.abs(points[:, 0]) > 180.0) | (np.abs(points[:, 1]) > _POLAR)]] = True
    jumps = (np.abs(np.diff(points[:, 0])) > 180.0) & (np.diff(owner) == 0)
    torn[owner[:-1][jumps]] = True
    return torn


def _laid_out(areas: Geometries) -> shapely.Geometry:
    """Take from the area within a polygon's shell, the first, those within its holes."""
    return shapely.difference(areas[0], shapely.union_all(areas[1:]))


def _area_in(ring: Points) -> shapely.Geometry:
    """Return the area that a ring encloses, between -180 and 180 degrees."""
    points = _unrolled(_at_poles(ring))
    turn = points[-1, 0] - points[0, 0]
    if abs(turn) > 180.0:
        # Around the pole: on along it, in steps that no reader takes for a crossing of 180 degrees.
        back = np.linspace(points[-1, 0], points[0, 0], 5)
        pole = np.copysign(90.0, points[:, 1].mean())
        points = np.vstack([points, np.column_stack([back, np.full(5, pole)])])
    return shapely.union_all(_sheets(shapely.make_valid(shapely.Polygon(points))))


def _bent(rings: Geometries, crs: str) -> list[Points]:
    """Take rings to longitude and latitude, with vertices where their sides are bent there."""
    places, ring = shapely.get_coordinates(rings, return_index=True)
    there = _degrees(places, crs)
    waiting = np.diff(ring) == 0
    for _ in range(_MOST_HALVINGS):
        sides = np.flatnonzero(waiting)
        if not len(sides):
            break
        halves = (places[sides] + places[sides + 1]) / 2
        middles = _degrees(halves, crs)
        straight = there[sides] + _step(there[sides], there[sides + 1]) / 2
        off = _step(straight, middles)
        off[:, 0] *= np.cos(np.radians(middles[:, 1]))
        bent = np.hypot(*off.T) * _METRES_PER_DEGREE > _TOLERANCE
        waiting[sides[~bent]] = False
        split = sides[bent] + 1
        places = np.insert(places, split, halves[bent], axis=0)
        there = np.insert(there, split, middles[bent], axis=0)
        ring = np.insert(ring, split, ring[split])
        waiting = np.insert(waiting, split, True)
    return _grouped(there, ring)


def _degrees(points: Points, crs: str) -> Points:
    moved = reprojected(np.array([shapely.MultiPoint(points)], object), crs, LONGITUDE_LATITUDE)
    return np.asarray(shapely.get_coordinates(moved), np.float64)


def _step(start: Points, end: Points) -> Points:
    """Return the steps from points to points, the shorter way around the globe."""
    step = end - start
    step[:, 0] = (step[:, 0] + 180.0) % 360.0 - 180.0
    return step


def _at_poles(ring: Points) -> Points:
    """Give a vertex at a pole the longitudes of its neighbours, as it has none of its own."""
    points = ring[:-1].copy()
    poles = np.flatnonzero(90.0 - np.abs(points[:, 1]) < _AT_POLE)
    before, after = np.roll(points, 1, axis=0)[poles], np.roll(points, -1, axis=0)[poles]
    points[poles, 0] = before[:, 0]
    points = np.insert(points, poles + 1, np.column_stack([after[:, 0], points[poles, 1]]), axis=0)
    return np.vstack([points, points[:1]])


def _unrolled(ring: Points) -> Points:
    """Make longitudes continuous along a ring, whatever multiples of 360 degrees that takes."""
    longitudes = ring[0, 0] + np.append(0.0, np.cumsum(_step(ring[:-1], ring[1:])[:, 0]))
    return np.column_stack([longitudes, ring[:, 1]])


def _sheets(area: shapely.Geometry) -> list[shapely.Geometry]:
    """Cut an area at 180 degrees and each 360 from there, and move the pieces between the two."""
    west, _, east, _ = area.bounds
    world = shapely.box(-180.0, -90.0, 180.0, 90.0)
    offsets = 360.0 * np.arange((west + 180.0) // 360.0, (east + 180.0) // 360.0 + 1)
    moved = [shapely.transform(area, lambda xy, by=(by, 0.0): xy - by) for by in offsets]
    return [shapely.intersection(sheet, world) for sheet in moved]


def _only_polygons(shape: shapely.Geometry) -> shapely.Geometry:
    """Drop lines and points, at which the pieces of an area may touch."""
    parts = shapely.get_parts(shape)
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(list(polygons))
