"""Where a raster lies on the ground, and measuring there in metres."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import warp

# What GDAL's errors are to rasterio, which has no public name for them.
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from landslide_cli.errors import DataError

Geometries = NDArray[np.object_]
Points = NDArray[np.float64]

LONGITUDE_LATITUDE = "EPSG:4326"


@dataclass(frozen=True)
class Georeference:
    """Where a raster lies.

    `crs` is WKT, None where the file names none; `transform` takes (col, row) in pixels, from the
    upper left corner of the upper left pixel, to coordinates of the CRS.
    """

    crs: str | None = None
    transform: Affine = Affine.identity()  # noqa: RUF009 - immutable

    @property
    def is_known(self) -> bool:
        """Whether pixels have a place on the ground."""
        return self.crs is not None and not self.transform.is_identity


# More points at once would take many times their own memory.
_POINTS_AT_ONCE = 2**16

# Pieces into which the sides of an outline are cut: straight lines of one projection are bent in
# another.
_PIECES = 64


def georeference_of(dataset: Any) -> Georeference:
    """Return where an opened raster lies."""
    crs = dataset.crs.to_wkt() if dataset.crs else None
    return Georeference(crs, dataset.transform)


def metric_crs(georeference: Georeference, width: int, height: int) -> str:
    """Return a CRS in metres in which to measure a raster of `width` x `height` pixels.

    It is Lambert's azimuthal equal-area projection of the WGS 84 ellipsoid around the middle of the
    raster. Areas are exact there; lengths at a distance d from the middle are off by a share of at
    most (d / 18,000 km)^2, which is 5e-6 at 40 km (Snyder, "Map projections: a working manual",
    1987, chapter 24).

    Raises:
        DataError: the raster has no place on the Earth.
    """
    if not georeference.is_known:
        raise DataError("without a georeference there is nothing to measure in metres")
    middle = placed(np.array([[width / 2, height / 2]]), georeference.transform)
    ((longitude, latitude),) = _warped(middle, str(georeference.crs), LONGITUDE_LATITUDE)
    if abs(latitude) > 90.0:
        raise DataError(_off_the_earth(middle))
    place = f"+lat_0={latitude:.9f} +lon_0={longitude:.9f}"
    return f"+proj=laea {place} +datum=WGS84 +units=m +no_defs"


def pixel_steps(georeference: Georeference, width: int, height: int) -> Points:
    """Return the steps from a raster's middle pixel to its neighbours, in metres of the metric CRS.

    Returns:
        (2, 2): east and north of the step to the next column, then of the step to the next row.

    Raises:
        DataError: the raster has no place on the Earth.
    """
    metric = metric_crs(georeference, width, height)
    ends = np.array([[-0.5, 0.0], [0.0, -0.5], [0.5, 0.0], [0.0, 0.5]])
    around = placed(ends + np.array([width / 2, height / 2]), georeference.transform)
    before, after = np.split(_warped(around, str(georeference.crs), metric), 2)
    return after - before


def gsd_of(georeference: Georeference, width: int, height: int) -> tuple[float, float] | None:
    """Return a raster's GSD at its middle pixel, in metres: along a column, then along a row.

    None without a georeference.

    Raises:
        DataError: the raster has no place on the Earth.
    """
    if not georeference.is_known:
        return None
    column, row = np.linalg.norm(pixel_steps(georeference, width, height), axis=1).tolist()
    return row, column


def outline(georeference: Georeference, width: int, height: int) -> shapely.Polygon:
    """Return the edge of a raster in the coordinates of its CRS, with vertices along its sides."""
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    ring = shapely.Polygon(placed(corners, georeference.transform))
    return shapely.segmentize(ring, ring.length / _PIECES)


def pixel_area(georeference: Georeference, width: int, height: int) -> float | None:
    """Return the area of a raster's pixel in square metres, on average over the raster.

    None without a georeference, or with one that leaves no area.

    Raises:
        DataError: the raster has no place on the Earth.
    """
    if not georeference.is_known:
        return None
    metric = metric_crs(georeference, width, height)
    edge = np.array([outline(georeference, width, height)], object)
    area = float(shapely.area(reprojected(edge, str(georeference.crs), metric))[0])
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
    try:
        x, y = warp.transform(source, target, points[:, 0], points[:, 1])
    except (CPLE_BaseError, RasterioError) as error:
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
