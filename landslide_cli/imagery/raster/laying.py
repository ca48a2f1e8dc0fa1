"""Masks laid on their images by where both lie on the ground."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from rasterio import warp
from rasterio.crs import CRS

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import Georeference, outline, placed, reprojected
from landslide_cli.imagery.raster.images import RasterInfo
from landslide_cli.imagery.raster.opening import GDAL_ERRORS

# Grids are the same if their corners differ by no more than this, in pixels.
_SAME = 0.01

# Pixels around what lies under a window: sides that are straight in one CRS are bent in another.
_AROUND = 4

# Stands for the CRS of two rasters that name none: nothing is reprojected.
_ANY_CRS = CRS.from_epsg(3857)


def is_placed(georeference: Georeference) -> bool:
    """Tell whether a raster has a place, be it in a CRS that it does not name."""
    transform = georeference.transform
    return not transform.is_identity and bool(transform.determinant)


def lies_elsewhere(path: Path, mask: RasterInfo, image: RasterInfo) -> str | None:
    """Say why a mask has no place on its image; None if it has one.

    Without a georeference of both, which would tell, their sizes must be equal.

    Args:
        path: of the mask.
        mask: its header.
        image: that of the image.
    """
    if not (is_placed(mask.georeference) and is_placed(image.georeference)):
        if (mask.width, mask.height) == (image.width, image.height):
            return None
        return (
            f"{path}: the mask is {mask.width} x {mask.height} pixels, "
            f"its image {image.width} x {image.height}"
        )
    ground = outline(image.georeference, image.width, image.height)
    covered = outline(mask.georeference, mask.width, mask.height)
    source, target = _crs_of(mask, image)
    if source != target:
        try:
            edge = np.array([covered], object)
            covered = reprojected(edge, source.to_wkt(), target.to_wkt())[0]
        except DataError:
            return f"{path}: {_beside(covered, source, ground, target)}"
    if covered.intersection(ground).area > 0.0:
        return None
    return f"{path}: {_beside(covered, target, ground, target)}"


def laid_on(path: Path, mask: Mask, own: Georeference, image: RasterInfo) -> Mask:
    """Lay a mask on the pixels of its image by their places, each pixel by the nearest one.

    Args:
        path: of the mask, for messages.
        mask: (rows, cols) class indices.
        own: where the mask lies.
        image: the header of the image.

    Returns:
        (rows, cols) of the image, `IGNORE` outside the mask; the mask as it is if either has no
        place.

    Raises:
        DataError: the two do not overlap, or one has a place that cannot be found from the other.
    """
    if not (is_placed(own) and is_placed(image.georeference)):
        return mask
    info = RasterInfo(mask.shape[1], mask.shape[0], 1, "uint8", own)
    if is_same_grid(info, image):
        return mask
    problem = lies_elsewhere(path, info, image)
    if problem is not None:
        raise DataError(problem)
    laid = np.full((image.height, image.width), IGNORE, np.uint8)
    source, target = _crs_of(info, image)
    try:
        warp.reproject(
            mask,
            laid,
            src_transform=own.transform,
            src_crs=source,
            src_nodata=IGNORE,
            dst_transform=image.georeference.transform,
            dst_crs=target,
            dst_nodata=IGNORE,
            resampling=warp.Resampling.nearest,
            tolerance=0.0,
        )
    except GDAL_ERRORS as error:
        raise DataError(
            f"{path}: cannot be laid on its image ({error}); give both the same CRS"
        ) from error
    return laid


def window_info(info: RasterInfo, window: Window) -> RasterInfo:
    """Return the header that a window of a raster would have as a raster of its own."""
    place = info.georeference
    moved = place.transform @ Affine.translation(window.col_off, window.row_off)
    place = replace(place, transform=moved) if is_placed(place) else place
    return replace(info, width=window.width, height=window.height, georeference=place)


def window_under(mask: RasterInfo, image: RasterInfo) -> Window | None:
    """Return the window of a mask that lies under an image; None if none does.

    Args:
        mask: its header; it has a place.
        image: likewise.

    Raises:
        DataError: the image has no place in the CRS of the mask.
    """
    ground = np.array([outline(image.georeference, image.width, image.height)], object)
    target, source = _crs_of(mask, image)
    if source != target:
        ground = reprojected(ground, source.to_wkt(), target.to_wkt())
    to_pixels = ~mask.georeference.transform
    left, top, right, bottom = shapely.total_bounds(
        shapely.transform(ground, lambda points: placed(points, to_pixels))
    )
    first = max(0, math.floor(left) - _AROUND), max(0, math.floor(top) - _AROUND)
    stop = (
        min(mask.width, math.ceil(right) + _AROUND),
        min(mask.height, math.ceil(bottom) + _AROUND),
    )
    size = stop[0] - first[0], stop[1] - first[1]
    return Window(*first, *size) if min(size) > 0 else None


def _crs_of(mask: RasterInfo, image: RasterInfo) -> tuple[CRS, CRS]:
    """Return both CRS; a raster that names none has that of the other."""
    named = [info.georeference.crs for info in (mask, image)]
    known = [_ANY_CRS if crs is None else CRS.from_wkt(crs) for crs in named]
    if None in named:
        known = [known[named.index(None) - 1]] * 2
    return known[0], known[1]


def is_same_grid(mask: RasterInfo, image: RasterInfo) -> bool:
    """Tell whether two rasters that have a place, a mask and its image, have the same pixels."""
    if (mask.width, mask.height) != (image.width, image.height):
        return False
    source, target = _crs_of(mask, image)
    between: Affine = ~image.georeference.transform @ mask.georeference.transform
    corners = [(x, y) for x in (0, mask.width) for y in (0, mask.height)]
    moved = [(between @ corner) for corner in corners]
    return source == target and bool(np.abs(np.subtract(moved, corners)).max() <= _SAME)


def _beside(covered: shapely.Polygon, crs: CRS, ground: shapely.Polygon, other: CRS) -> str:
    return (
        f"lies beside its image: the mask covers {_extent(covered, crs)}, the image "
        f"{_extent(ground, other)};\ncorrect the georeference, or remove that of the mask to "
        "take it pixel for pixel"
    )


def _extent(polygon: shapely.Polygon, crs: CRS) -> str:
    xmin, ymin, xmax, ymax = polygon.bounds
    name = "" if crs == _ANY_CRS else f" ({crs.to_string()[:40]})"
    return f"x {xmin:.10g} to {xmax:.10g}, y {ymin:.10g} to {ymax:.10g}{name}"
