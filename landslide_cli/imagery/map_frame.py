"""What a map needs around it and on it: outlines in pixels, a grid, the direction of north."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from rasterio.crs import CRS

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import (
    LONGITUDE_LATITUDE,
    Geometries,
    Georeference,
    Points,
    middle_of,
    placed,
    reprojected,
)
from landslide_cli.imagery.vector.attributes import LandslideTable

# Lines of a grid across the longer side of a scene, about.
_LINES = 5

Polygon = Any  # of Shapely
Ring = list[tuple[float, float]]


@dataclass(frozen=True)
class GridLine:
    """A line on which x or y of the CRS is the same, by its `label`.

    `ends` are in pixels, the first is where the label belongs: the lower one of a line of equal x,
    the left one of a line of equal y.
    """

    axis: str
    label: str
    ends: tuple[tuple[float, float], tuple[float, float]]


def polygons_in_pixels(table: LandslideTable, georeference: Georeference) -> Geometries:
    """Take landslides to pixels of their scene: columns and rows from its upper left corner.

    Raises:
        DataError: coordinates that have no place in the scene's CRS.
    """
    geometries = table.geometries
    if not georeference.is_known:
        return geometries
    if table.crs == LONGITUDE_LATITUDE != georeference.crs:
        geometries = reprojected(geometries, table.crs, str(georeference.crs))
    inverse = ~georeference.transform
    return np.asarray(shapely.transform(geometries, lambda xy: placed(xy, inverse)), object)


def bounds_of(polygon: Polygon) -> tuple[float, float, float, float]:
    """Return the least and greatest x and y of a polygon: left, top, right and bottom in pixels."""
    left, top, right, bottom = shapely.bounds(polygon).round(1).tolist()
    return left, top, right, bottom


def largest_first(geometries: Geometries) -> list[int]:
    """Return the indices of polygons from the largest area to the smallest."""
    order: list[int] = np.argsort(-shapely.area(geometries), kind="stable").tolist()
    return order


def rings_of(polygon: Polygon, tolerance: float) -> list[list[Ring]]:
    """Return the rings of each part of a polygon, the outer first, in steps of a tolerance.

    Vertices that the tolerance does not tell apart are left out, and parts that it cannot show.
    """
    decimals = max(0, math.ceil(-math.log10(tolerance)))
    simple = shapely.simplify(polygon, tolerance, preserve_topology=True)
    parts = []
    for part in shapely.get_parts(simple):
        if shapely.get_type_id(part) != shapely.GeometryType.POLYGON or shapely.is_empty(part):
            continue
        rings = [part.exterior, *part.interiors]
        parts.append(
            [
                [(x, y) for x, y in shapely.get_coordinates(ring).round(decimals).tolist()]
                for ring in rings
            ]
        )
    return parts


def grid_of(georeference: Georeference, width: int, height: int) -> list[GridLine]:
    """Return the lines of a grid in coordinates of the scene's CRS; none without a georeference."""
    if not georeference.is_known:
        return []
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    x, y = placed(corners, georeference.transform).T
    step = _round_step(max(np.ptp(x), np.ptp(y)) / _LINES)
    is_angle = _is_geographic(georeference)
    frame, inverse = shapely.box(0.0, 0.0, width, height), ~georeference.transform
    lines = []
    for axis, along, across in (("x", x, y), ("y", y, x)):
        for value in _multiples(float(along.min()), float(along.max()), step):
            ends = np.array([(value, across.min()), (value, across.max())], np.float64)
            ends = ends if axis == "x" else ends[:, ::-1]
            line = shapely.LineString(placed(ends, inverse)).intersection(frame)
            if shapely.get_type_id(line) == shapely.GeometryType.LINESTRING and line.length > 0.0:
                points = shapely.get_coordinates(line).round(1).tolist()
                first, last = sorted(points, key=lambda xy: -xy[1] if axis == "x" else xy[0])
                label = _label(value, step, axis, is_angle)
                lines.append(GridLine(axis, label, (tuple(first), tuple(last))))
    return lines


def north_of(georeference: Georeference, width: int, height: int) -> float | None:
    """Return where north is in the middle of a scene, in degrees clockwise from the image's up.

    None where it is not known: without a georeference, in a local CRS, at a pole.
    """
    if not georeference.is_known or georeference.is_local:
        return None
    try:
        longitude, latitude = middle_of(georeference, width, height)
        reach = 1e-4 if latitude < 89.9 else -1e-4
        line = np.array([(longitude, latitude), (longitude, latitude + reach)], np.float64)
        there = reprojected(
            np.array([shapely.LineString(line)], object), LONGITUDE_LATITUDE, str(georeference.crs)
        )
    except DataError:
        return None
    steps: Points = placed(shapely.get_coordinates(there), ~georeference.transform)
    (right, down) = np.diff(steps, axis=0)[0] * math.copysign(1.0, reach)
    return float(np.degrees(np.arctan2(right, -down)).round(1))


def crs_name(georeference: Georeference) -> str | None:
    """Return the name of the CRS, with its EPSG code if it has one; None without a CRS."""
    if georeference.crs is None:
        return None
    crs = CRS.from_wkt(georeference.crs)
    name = georeference.crs.partition('"')[2].partition('"')[0] or "unnamed"
    code = crs.to_epsg()
    return name if code is None else f"{name} (EPSG:{code})"


def round_length(most: float) -> float:
    """Return the greatest of 1, 2 and 5 times a power of ten that is not above a length."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(factor * power for factor in (5.0, 2.0, 1.0) if factor * power <= most)


def length_in_words(metres: float) -> str:
    """Return a round length as people write it, such as 500 m or 2 km."""
    return f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"


def _is_geographic(georeference: Georeference) -> bool:
    return bool(CRS.from_wkt(str(georeference.crs)).is_geographic)


def _round_step(rough: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is not below a rough step."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough)


def _multiples(low: float, high: float, step: float) -> Iterator[float]:
    first, last = math.ceil(low / step), math.floor(high / step)
    return (index * step for index in range(first, last + 1))


def _label(value: float, step: float, axis: str, is_angle: bool) -> str:
    decimals = max(0, math.ceil(-math.log10(step) - 1e-9))
    if not is_angle:
        return f"{value:,.{decimals}f}"
    sides: Sequence[str] = ("E", "W") if axis == "x" else ("N", "S")
    return f"{abs(value):.{decimals}f}° {sides[value < 0]}"
