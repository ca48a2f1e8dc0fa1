"""Footprints: where georeferenced scenes lie on the ground, and which of them overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from rasterio import features
from rasterio.enums import MaskFlags

from landslide_cli.core.arrays import Transform
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import (
    LONGITUDE_LATITUDE,
    Georeference,
    georeference_of,
    outline,
    placed,
    reprojected,
)
from landslide_cli.imagery.raster.opening import opened

# Longest side of the grid on which the outline of a scene's data is drawn.
_OUTLINE = 512


@dataclass(frozen=True)
class Footprint:
    """Where the scene of a file, of `width` x `height` pixels, lies.

    `outline` of its data is in the coordinates of the georeference's CRS.
    """

    path: Path
    georeference: Georeference
    outline: shapely.Geometry
    width: int
    height: int


@dataclass(frozen=True)
class FootprintOverlap:
    """Two scenes by their indices, and the share of the smaller footprint that they share.

    `transform` takes x, y in pixels of the first scene to those of the second.
    """

    first: int
    second: int
    share: float
    transform: Transform


def footprint_of(path: Path) -> Footprint | None:
    """Return where a scene lies, without its pixels of no data; None without georeference.

    None in a local CRS too, as sites far from each other may have the same.

    Raises:
        DataError: the file cannot be read.
    """
    with opened(path) as dataset:
        georeference, width, height = georeference_of(dataset), dataset.width, dataset.height
        if not georeference.is_known or georeference.is_local:
            return None
        has_gaps = any(MaskFlags.all_valid not in flags for flags in dataset.mask_flag_enums)
        edge = _data_outline(dataset) if has_gaps else outline(georeference, width, height)
        return Footprint(path, georeference, edge, width, height)


def overlapping(footprints: Sequence[Footprint | None], least: float) -> list[FootprintOverlap]:
    """Find the pairs of scenes whose footprints overlap.

    Args:
        footprints: of all scenes; None for those without georeference, which overlap nothing here.
        least: smallest share of the smaller footprint that counts, in [0, 1]: neighbouring sheets
            touch in slivers.

    Returns:
        The pairs, first index below second, sorted.

    Raises:
        DataError: the scenes have several CRSs, and a georeference places nothing on the Earth.
    """
    known = {i: footprint for i, footprint in enumerate(footprints) if footprint is not None}
    indices, shapes = list(known), np.array(_in_one_crs(list(known.values())), dtype=object)
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    first, second = first[first < second], second[first < second]
    common = shapely.area(shapely.intersection(shapes[first], shapes[second]))
    smaller = np.minimum(shapely.area(shapes[first]), shapely.area(shapes[second]))
    shares = np.divide(common, smaller, out=np.zeros_like(common), where=smaller > 0.0)
    pairs = sorted(
        (indices[a], indices[b], min(1.0, float(share)))
        for a, b, share in zip(first, second, shares, strict=True)
        if share >= least
    )
    return [FootprintOverlap(a, b, share, _between(known[a], known[b])) for a, b, share in pairs]


def _in_one_crs(footprints: Sequence[Footprint]) -> list[shapely.Geometry]:
    """Leave the outlines as they are if all share a CRS; otherwise reproject them to equal area."""
    if len({footprint.georeference.crs for footprint in footprints}) <= 1:
        return [footprint.outline for footprint in footprints]
    return _reprojected(footprints)


def _reprojected(footprints: Sequence[Footprint]) -> list[shapely.Geometry]:
    """Reproject outlines to one CRS in which shares of area are right."""
    target = _equal_area([_longitude(place) for place in footprints if not place.outline.is_empty])
    return [
        place.outline
        if place.outline.is_empty
        else shapely.make_valid(_moved(place, place.outline, target))
        for place in footprints
    ]


def _longitude(footprint: Footprint) -> float:
    """Return the longitude of the middle of a scene's data, in degrees."""
    left, bottom, right, top = footprint.outline.bounds
    middle = shapely.Point((left + right) / 2, (bottom + top) / 2)
    return float(_moved(footprint, middle, LONGITUDE_LATITUDE).x)


def _moved(footprint: Footprint, shape: shapely.Geometry, target: str) -> shapely.Geometry:
    """Take a shape from the CRS of a scene to another.

    Raises:
        DataError: it has no place there.
    """
    try:
        (moved,) = reprojected(np.array([shape]), str(footprint.georeference.crs), target)
    except DataError as error:
        raise DataError(f"{footprint.path}: {error}") from None
    return moved


def _equal_area(longitudes: Sequence[float]) -> str:
    """Return a cylindrical equal-area CRS whose seam lies where there is no scene.

    With the usual seam at 180 degrees a scene there would be torn into a strip around the globe.
    """
    around = np.sort(np.asarray(longitudes or [0.0]) % 360.0)
    gaps = np.diff(around, append=around[0] + 360.0)
    seam = around[gaps.argmax()] + gaps.max() / 2
    middle = (seam + 360.0) % 360.0 - 180.0
    return f"+proj=cea +lat_ts=30 +lon_0={middle:.6f} +datum=WGS84 +units=m +no_defs"


def _between(first: Footprint, second: Footprint) -> Transform:
    """Fit the affine transform from pixels of one scene to pixels of another, by the corners."""
    width, height = first.width, first.height
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    places = shapely.MultiPoint(placed(corners, first.georeference.transform))
    if first.georeference.crs != second.georeference.crs:
        places = _moved(first, places, str(second.georeference.crs))
    to_pixels = ~second.georeference.transform
    there = placed(shapely.get_coordinates(places), to_pixels)
    solution = np.linalg.lstsq(np.column_stack([corners, np.ones(4)]), there, rcond=None)[0]
    (a, d), (b, e), (c, f) = solution.tolist()
    return (a, b, c), (d, e, f)


def _data_outline(dataset: Any) -> shapely.Geometry:
    """Outline the pixels that hold data, on a coarse grid."""
    factor = max(1.0, max(dataset.width, dataset.height) / _OUTLINE)
    width, height = max(1, round(dataset.width / factor)), max(1, round(dataset.height / factor))
    mask = dataset.dataset_mask(out_shape=(height, width))
    cell = Affine.scale(dataset.width / width, dataset.height / height)
    shapes = features.shapes(mask, mask=mask > 0, transform=dataset.transform @ cell)
    return shapely.union_all([shapely.geometry.shape(shape) for shape, _ in shapes])
