"""Footprints: where georeferenced scenes lie on the ground, and which of them overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from rasterio import features, warp
from rasterio.enums import MaskFlags

from landslide_cli.imagery.reader import opened

Transform = tuple[tuple[float, float, float], tuple[float, float, float]]

# Longest side of the grid on which the outline of a scene's data is drawn; pieces into which a side
# is cut, because straight lines of one projection are bent in another.
_OUTLINE, _PIECES = 512, 16


@dataclass(frozen=True)
class Footprint:
    """Where a scene of `width` x `height` pixels lies.

    `crs` is given as WKT, `outline` of its data in the coordinates of the CRS, `transform` takes
    pixels to them.
    """

    crs: str
    outline: shapely.Geometry
    transform: Affine
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

    Raises:
        DataError: the file cannot be read.
    """
    with opened(path) as dataset:
        if dataset.crs is None or dataset.transform.is_identity:
            return None
        outline = _data_outline(dataset) if _has_gaps(dataset) else _frame(dataset)
        crs, transform = dataset.crs.to_wkt(), dataset.transform
        return Footprint(crs, outline, transform, dataset.width, dataset.height)


def pixel_area(path: Path) -> float | None:
    """Return the area of a scene's pixel in square metres, on average; None without georeference.

    Raises:
        DataError: the file cannot be read.
    """
    with opened(path) as dataset:
        if dataset.crs is None or dataset.transform.is_identity:
            return None
        frame, crs = _frame(dataset), dataset.crs.to_wkt()
        (placed,) = _reprojected([(frame, crs)])
        area = float(shapely.area(placed)) / (dataset.width * dataset.height)
        return area if area > 0.0 else None


def overlapping(footprints: Sequence[Footprint | None], least: float) -> list[FootprintOverlap]:
    """Find the pairs of scenes whose footprints overlap.

    Args:
        footprints: of all scenes; None for those without georeference, which overlap nothing here.
        least: smallest share of the smaller footprint that counts, in [0, 1]: neighbouring sheets
            touch in slivers.

    Returns:
        The pairs, first index below second, sorted.
    """
    placed = {i: footprint for i, footprint in enumerate(footprints) if footprint is not None}
    indices, shapes = list(placed), np.array(_in_one_crs(list(placed.values())), dtype=object)
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
    return [FootprintOverlap(a, b, share, _between(placed[a], placed[b])) for a, b, share in pairs]


def _in_one_crs(footprints: Sequence[Footprint]) -> list[shapely.Geometry]:
    """Leave the outlines as they are if all share a CRS; otherwise reproject them to equal area."""
    if len({one.crs for one in footprints}) <= 1:
        return [one.outline for one in footprints]
    return _reprojected([(one.outline, one.crs) for one in footprints])


def _reprojected(outlines: Sequence[tuple[shapely.Geometry, str]]) -> list[shapely.Geometry]:
    """Reproject outlines, each with its CRS, to one in which shares of area are right."""
    target = _equal_area([_longitude(*one) for one in outlines if not one[0].is_empty])
    return [
        outline
        if outline.is_empty
        else shapely.make_valid(
            shapely.geometry.shape(
                warp.transform_geom(crs, target, shapely.geometry.mapping(outline))
            )
        )
        for outline, crs in outlines
    ]


def _longitude(outline: shapely.Geometry, crs: str) -> float:
    """Return the longitude of an outline's middle, in degrees."""
    left, bottom, right, top = outline.bounds
    (longitude,), _ = warp.transform(crs, "EPSG:4326", [(left + right) / 2], [(bottom + top) / 2])
    return float(longitude)


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
    corners = np.array(_corners(first.width, first.height), np.float64)
    places = [first.transform @ tuple(corner) for corner in corners]
    xs, ys = warp.transform(first.crs, second.crs, *zip(*places, strict=True))
    there = np.array([~second.transform @ place for place in zip(xs, ys, strict=True)])
    solution = np.linalg.lstsq(np.column_stack([corners, np.ones(4)]), there, rcond=None)[0]
    (a, d), (b, e), (c, f) = solution.tolist()
    return (a, b, c), (d, e, f)


def _corners(width: int, height: int) -> list[tuple[int, int]]:
    return [(0, 0), (width, 0), (width, height), (0, height)]


def _has_gaps(dataset: Any) -> bool:
    return any(MaskFlags.all_valid not in flags for flags in dataset.mask_flag_enums)


def _frame(dataset: Any) -> shapely.Geometry:
    corners = _corners(dataset.width, dataset.height)
    ring = shapely.Polygon([dataset.transform @ corner for corner in corners])
    return shapely.segmentize(ring, ring.length / (4 * _PIECES))


def _data_outline(dataset: Any) -> shapely.Geometry:
    """Outline the pixels that hold data, on a coarse grid."""
    factor = max(1.0, max(dataset.width, dataset.height) / _OUTLINE)
    width, height = max(1, round(dataset.width / factor)), max(1, round(dataset.height / factor))
    mask = dataset.dataset_mask(out_shape=(height, width))
    cell = Affine.scale(dataset.width / width, dataset.height / height)
    shapes = features.shapes(mask, mask=mask > 0, transform=dataset.transform @ cell)
    return shapely.union_all([shapely.geometry.shape(outline) for outline, _ in shapes])
