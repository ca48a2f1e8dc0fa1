"""Where a raster lies on the ground, and measuring there in metres."""

import math
import re
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import warp
from rasterio.crs import CRS

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.control import Control, control_of
from landslide_cli.imagery.raster.opening import GDAL_ERRORS

Geometries = NDArray[np.object_]
Points = NDArray[np.float64]

LONGITUDE_LATITUDE = "EPSG:4326"

# A CRS of a plane somewhere, alone or with heights: of a building site, or of photogrammetry
# without control points. No place on the Earth is known for it.
_LOCAL = re.compile(
    r'\s*(?:(?:COMPD_CS|COMPOUNDCRS)\s*\[\s*"(?:[^"]|"")*"\s*,\s*)?'
    r"(?:LOCAL_CS|ENGCRS|ENGINEERINGCRS)\s*\[",
    re.IGNORECASE,
)
# The CRS by which a GeoPackage says that nothing is known, whatever unit it names.
_UNDEFINED = re.compile(r'[^"]*"Undefined ', re.IGNORECASE)
# Units of a local CRS in which nothing can be measured.
_NO_LENGTHS = frozenset({"degree", "radian", "grad", "unknown", "unity"})


@dataclass(frozen=True)
class Georeference:
    """Where a raster lies.

    `crs` is WKT, None where the file names none; `transform` takes (col, row) in pixels, from the
    upper left corner of the upper left pixel, to coordinates of the CRS. A raster that has not both
    may have a `control`. `spoilt` tells that the file's transform gives pixels no area, and was
    left out.
    """

    crs: str | None = None
    transform: Affine = Affine.identity()  # noqa: RUF009 - immutable
    control: Control | None = None
    spoilt: bool = False

    @property
    def is_known(self) -> bool:
        """Whether pixels have a place, on the ground or in a local plane."""
        return self.crs is not None and not self.transform.is_identity

    @property
    def is_local(self) -> bool:
        """Whether the CRS is a local plane, of which no place on the Earth is known."""
        return self.crs is not None and _LOCAL.match(self.crs) is not None


@dataclass(frozen=True)
class Metric:
    """A plane in metres in which to measure what has coordinates of the CRS `source`.

    `target` is the CRS of the plane; None: that of the source, whose unit is `unit` metres.
    """

    source: str
    target: str | None
    unit: float = 1.0

    def measured(self, geometries: Geometries) -> Geometries:
        """Take geometries into the plane.

        Raises:
            DataError: coordinates that have no place in it.
        """
        if self.target is not None:
            return reprojected(geometries, self.source, self.target)
        return np.asarray(shapely.transform(geometries, lambda points: points * self.unit), object)


# More points at once would take many times their own memory.
_POINTS_AT_ONCE = 2**16

# Pieces into which the sides of an outline are cut: straight lines of one projection are bent in
# another.
_PIECES = 64

# How near to a pole the middle of a raster is measured around the pole itself, in degrees.
_NEAR_POLE = 0.1

# The least share that a pixel's area is of the product of its sides; less is a line.
_LEAST_SLANT = 1e-9


def georeference_of(dataset: Any) -> Georeference:
    """Return where an opened raster lies."""
    crs = dataset.crs.to_wkt() if dataset.crs else None
    if crs is not None and _LOCAL.match(crs) and _unit_of(crs) is None:
        crs = None
    transform, spoilt = dataset.transform, False
    if not _gives_area(transform):
        transform, spoilt = Affine.identity(), True
    placed_already = crs is not None and not transform.is_identity
    control = None if placed_already else control_of(dataset)
    if control is not None and control.points:
        transform = Affine.identity()  # that has no CRS; a GeoTIFF can hold one of the two
    return Georeference(crs, transform, control, spoilt)


def _is_map(crs: str) -> bool:
    """Whether x and y of a CRS are a place on a globe, not a height or a point inside of it."""
    known = CRS.from_user_input(crs)
    return bool(known.is_geographic or known.is_projected)


def _gives_area(transform: Affine) -> bool:
    """Whether pixels have an area that float64 can tell: neither noughts nor NaN, nor on a line."""
    a, b, x, d, e, y = transform[:6]
    column, row, area = math.hypot(a, d), math.hypot(b, e), abs(a * e - b * d)
    if not all(math.isfinite(number) for number in (a, b, x, d, e, y, area)):
        return False
    tellable = math.ulp(max(abs(x), abs(y)))
    return min(column, row) > tellable and area > max(
        _LEAST_SLANT * column * row, sys.float_info.min
    )


def _unit_of(crs: str) -> float | None:
    """Return the unit of a local CRS in metres; None if it has no lengths."""
    if _UNDEFINED.match(crs):
        return None
    name, factor = CRS.from_wkt(crs).units_factor
    return None if name.lower() in _NO_LENGTHS or not factor > 0.0 else float(factor)


def metric_crs(georeference: Georeference, width: int, height: int) -> str:
    """Return a CRS in metres in which to measure a raster of `width` x `height` pixels.

    It is Lambert's azimuthal equal-area projection of the WGS 84 ellipsoid around the middle of the
    raster. Areas are exact there; lengths at a distance d from the middle are off by a share of at
    most (d / 18,000 km)^2, which is 5e-6 at 40 km (Snyder, "Map projections: a working manual",
    1987, chapter 24).

    Nearest to the poles, where that has no more than decimetres in float64, it is the azimuthal
    equidistant projection around the pole: areas are off by a share of (d / 15,600 km)^2.

    Raises:
        DataError: the raster has no place on the Earth.
    """
    longitude, latitude = middle_of(georeference, width, height)
    if 90.0 - abs(latitude) < _NEAR_POLE:
        pole = math.copysign(90.0, latitude)
        return f"+proj=aeqd +lat_0={pole:.0f} +lon_0=0 +datum=WGS84 +units=m +no_defs"
    place = f"+lat_0={latitude:.9f} +lon_0={longitude:.9f}"
    return f"+proj=laea {place} +datum=WGS84 +units=m +no_defs"


def middle_of(georeference: Georeference, width: int, height: int) -> tuple[float, float]:
    """Return the longitude and latitude of a raster's middle, in degrees.

    Raises:
        DataError: the raster has no place on the Earth.
    """
    if not georeference.is_known:
        raise DataError("without a georeference there is nothing to measure in metres")
    middle = placed(np.array([[width / 2, height / 2]]), georeference.transform)
    if not _is_map(str(georeference.crs)):
        raise DataError(_off_the_earth(middle))
    ((longitude, latitude),) = _warped(middle, str(georeference.crs), LONGITUDE_LATITUDE)
    if abs(latitude) > 90.0:
        raise DataError(_off_the_earth(middle))
    return float(longitude), float(latitude)


def metric_of(georeference: Georeference, width: int, height: int) -> Metric:
    """Return the plane in which to measure a raster: by `metric_crs`, or that of a local CRS.

    Raises:
        DataError: the raster has no place, neither on the Earth nor in a local CRS.
    """
    if georeference.is_local and georeference.is_known:
        crs = str(georeference.crs)
        return Metric(crs, None, _unit_of(crs) or 1.0)
    metric = metric_crs(georeference, width, height)
    return Metric(str(georeference.crs), metric)


def pixel_steps(georeference: Georeference, width: int, height: int) -> Points:
    """Return the steps from a raster's middle pixel to its neighbours, in metres.

    Returns:
        (2, 2): east and north of the step to the next column, then of the step to the next row.

    Raises:
        DataError: as `metric_of`.
    """
    metric = metric_of(georeference, width, height)
    ends = np.array([[-0.5, 0.0], [0.0, -0.5], [0.5, 0.0], [0.0, 0.5]])
    around = placed(ends + np.array([width / 2, height / 2]), georeference.transform)
    there = metric.measured(np.array([shapely.MultiPoint(around)], object))
    before, after = np.split(shapely.get_coordinates(there), 2)
    steps = np.asarray(after - before, np.float64)
    if np.linalg.det(steps) == 0.0:
        raise DataError(_off_the_earth(around))
    return steps


def gsd_of(georeference: Georeference, width: int, height: int) -> tuple[float, float] | None:
    """Return a raster's GSD at its middle pixel, in metres: along a column, then along a row.

    Without a georeference it is estimated from ground control points or RPCs; None without these.

    Raises:
        DataError: as `metric_of`.
    """
    if not georeference.is_known:
        return _estimated_gsd(georeference, width, height)
    column, row = np.linalg.norm(pixel_steps(georeference, width, height), axis=1).tolist()
    return row, column


def approximation(georeference: Georeference, width: int, height: int) -> Georeference | None:
    """Return where a raster lies by a transform fitted to its control; None where that fails."""
    control = georeference.control
    transform = None if control is None else control.approximation(width, height)
    if control is None or transform is None or not _gives_area(transform):
        return None
    place = Georeference(control.crs, transform)
    return place if place.is_local or _is_map(str(place.crs)) else None


def _estimated_gsd(
    georeference: Georeference, width: int, height: int
) -> tuple[float, float] | None:
    approximate = approximation(georeference, width, height)
    try:
        return None if approximate is None else gsd_of(approximate, width, height)
    except DataError:
        return None  # places nothing on the Earth


def outline(georeference: Georeference, width: int, height: int) -> shapely.Polygon:
    """Return the edge of a raster in the coordinates of its CRS, with vertices along its sides."""
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    ring = shapely.Polygon(placed(corners, georeference.transform))
    return shapely.segmentize(ring, ring.length / _PIECES)


def pixel_area(georeference: Georeference, width: int, height: int) -> float | None:
    """Return the area of a raster's pixel in square metres, on average over the raster.

    None without a georeference, or with one that leaves no area.

    Raises:
        DataError: as `metric_of`.
    """
    if not georeference.is_known:
        return None
    metric = metric_of(georeference, width, height)
    edge = np.array([outline(georeference, width, height)], object)
    area = float(shapely.area(metric.measured(edge))[0])
    return area / (width * height) if area > 0.0 else None


def placed(points: Points, transform: Affine) -> Points:
    """Take points from pixels to the coordinates of a transform; (points, 2) of x and y."""
    x, y = points.T
    return np.column_stack(
        [
            x * transform.a + y * transform.b + transform.c,
            x * transform.d + y * transform.e + transform.f,
        ]
    )


def is_same_crs(one: str, other: str) -> bool:
    """Whether coordinates of two CRS, each named by WKT, PROJ string or authority, are the same."""
    return one == other or CRS.from_user_input(one) == CRS.from_user_input(other)


def reprojected(geometries: Geometries, source: str, target: str) -> Geometries:
    """Take geometries from one CRS to another, each named by its WKT, PROJ string or authority.

    Sides stay straight between the reprojected vertices.

    Raises:
        DataError: coordinates that have no place in the target.
    """
    # One call for all coordinates: a call for each geometry would look up the projections anew.
    moved = shapely.transform(geometries, lambda points: _warped(points, source, target))
    return np.asarray(moved, object)


def _warped(points: Points, source: str, target: str) -> Points:
    """Take points from one CRS to another, in chunks: rasterio turns them into Python numbers."""
    starts = range(0, max(1, len(points)), _POINTS_AT_ONCE)
    chunks = [_warped_at_once(points[i : i + _POINTS_AT_ONCE], source, target) for i in starts]
    return np.concatenate(chunks)


def _warped_at_once(points: Points, source: str, target: str) -> Points:
    for crs in (source, target):
        if _LOCAL.match(crs):
            raise DataError("a local CRS has no place on the Earth; give it the CRS of the ground")
    try:
        x, y = warp.transform(source, target, points[:, 0], points[:, 1])
    except GDAL_ERRORS as error:
        raise DataError(_off_the_earth(points)) from error
    there = np.column_stack([x, y]).astype(np.float64).reshape(-1, 2)
    if not np.isfinite(there).all():
        raise DataError(_off_the_earth(points))
    return there


def _off_the_earth(points: Points) -> str:
    x, y = points[0]
    return (
        f"the georeference places nothing on the Earth at x = {x:g}, y = {y:g}; "
        "correct it, or remove it to measure in pixels"
    )
