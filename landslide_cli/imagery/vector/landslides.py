"""Landslides as polygons with attributes: outlines filtered, simplified, measured and graded."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import features

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.imagery.raster.georeference import (
    LONGITUDE_LATITUDE,
    Geometries,
    Georeference,
    Metric,
    metric_of,
    pixel_steps,
    placed,
    reprojected,
)
from landslide_cli.imagery.vector.outlines import Outline, Outliner
from landslide_cli.imagery.vector.rings import group_parts
from landslide_cli.imagery.vector.shapes import Shape, shapes_of

# Inventories grade how certain each landslide is. Ours is high or medium if the probabilities over
# its pixels reach a mean and a minimum, and else low. The minimum is nearly always that of a pixel
# at the rim, just above the threshold, and best thresholds may be as low as 0.2: only pixels that
# are almost surely no landslide count against it.
HIGH_CONFIDENCE = (0.85, 0.1)
MEDIUM_CONFIDENCE = (0.65, 0.05)

# Decimals of probabilities: half precision, which models may compute in, has no more.
_PROBABILITY_DECIMALS = 3

# Coordinates of polygons that are measured at once.
_COORDINATES_AT_ONCE = 2**16


@dataclass(frozen=True)
class PolygonOptions:
    """How outlines become polygons; in metres and square metres, without georeference in pixels.

    Holes smaller than `fill_holes` are filled; polygons are simplified by at most `simplify`
    (Douglas and Peucker 1973); those smaller than `min_area` are dropped then. 0 does nothing.
    """

    min_area: float = 0.0
    fill_holes: float = 0.0
    simplify: float = 0.0


@dataclass(frozen=True)
class Landslide:
    """An outline on the ground.

    `geometry` is in coordinates of the scene's CRS, in pixels without a transform. `area` and
    `perimeter`, that of the holes included, are in square metres and metres; without georeference,
    in pixels; so are those of `shape`. The probabilities are over the pixels of the outline.
    `centroid` is its longitude and latitude in degrees, None where its place on the Earth is not
    known. `cut_by_edge` tells that it reaches the edge of the scene or pixels without data, beyond
    which it may go on.
    """

    geometry: shapely.Geometry
    class_name: str
    area: float
    perimeter: float
    mean_probability: float
    min_probability: float
    confidence: str
    shape: Shape
    centroid: tuple[float, float] | None = None
    cut_by_edge: bool = False


@dataclass(frozen=True)
class _Measures:
    """What is measured of polygons: areas, perimeters, shapes and centroids, as in `Landslide`."""

    areas: NDArray[np.float64]
    perimeters: NDArray[np.float64]
    shapes: list[Shape]
    centroids: list[tuple[float, float] | None]


@dataclass(frozen=True)
class _Ground:
    """How pixels are placed and measured; `metric` is the plane to measure in, None: in pixels."""

    georeference: Georeference
    metric: Metric | None
    steps: NDArray[np.float64]  # (2, 2) metres, or pixels, a column on and a row down

    def to_crs(self, polygons: Geometries) -> Geometries:
        """Take polygons from pixels to the coordinates of the scene."""
        transform = self.georeference.transform
        return np.asarray(shapely.transform(polygons, lambda xy: placed(xy, transform)), object)

    def to_metric(self, polygons: Geometries) -> Geometries:
        """Take polygons from pixels to where their areas and lengths are measured."""
        if self.metric is None:
            return polygons
        return self.metric.measured(self.to_crs(polygons))


def landslides_of(
    outlines: Sequence[Outline],
    georeference: Georeference,
    width: int,
    height: int,
    class_names: Sequence[str],
    options: PolygonOptions,
) -> list[Landslide]:
    """Shape, measure, grade and place the outlines of a scene, in their order.

    A hole that holds an outline of another class is not filled, unless that one is a speck.
    Outlines of the same class in a filled hole become part of the landslide around them, whose
    probabilities stay as they were.
    Simplified polygons are valid and keep their holes, and what they keep of their vertices stays
    on pixel corners; the common side of two classes is simplified for each alone.

    Args:
        outlines: in pixels of the scene.
        georeference: of the scene.
        width: of the scene, in pixels.
        height: of the scene, in pixels.
        class_names: by class index, background first.
        options: what is done to the outlines.

    Raises:
        DataError: the georeference names no place, neither on the Earth nor in a local plane.
    """
    ground = _ground(georeference, width, height)
    outlines, polygons = _without_small_holes(outlines, ground, options)
    polygons = _simplified(polygons, options.simplify, ground.steps)
    measures = _measures(polygons, ground)
    large = np.flatnonzero(measures.areas >= options.min_area)
    geometries = ground.to_crs(polygons[large])
    return [
        _landslide(outlines[i], class_names, geometry, measures, i)
        for i, geometry in zip(large.tolist(), geometries, strict=True)
    ]


def shaped_mask(
    mask: Mask, georeference: Georeference, classes: int, options: PolygonOptions
) -> Mask:
    """Return a mask of what its landslides' polygons hold, which are not simplified.

    Small holes are filled and small landslides background, as in the polygons of `landslides_of`.

    Args:
        mask: (rows, cols) class indices of a whole scene; `IGNORE` stays as it is.
        georeference: of the scene.
        classes: number of classes.
        options: of the polygons.

    Raises:
        DataError: as `landslides_of`.
    """
    rows, cols = mask.shape
    ground = _ground(georeference, cols, rows)
    outliner = Outliner(classes)
    outliner.add(0, 0, mask, np.zeros((rows, cols), np.float32))
    outlines, polygons = _without_small_holes(outliner.finish(), ground, options)
    areas = _measures(polygons, ground).areas
    shapes = [
        (polygon, outline.index)
        for polygon, outline, area in zip(polygons, outlines, areas.tolist(), strict=True)
        if area >= options.min_area
    ]
    shaped = np.zeros((rows, cols), np.uint8)
    if shapes:
        features.rasterize(shapes, out=shaped)  # on corners of pixels, so that no middle is near
    shaped[mask == IGNORE] = IGNORE
    return shaped


def _ground(georeference: Georeference, width: int, height: int) -> _Ground:
    if not georeference.is_known:
        return _Ground(georeference, None, np.eye(2))
    metric = metric_of(georeference, width, height)
    return _Ground(georeference, metric, pixel_steps(georeference, width, height))


def _without_small_holes(
    outlines: Sequence[Outline], ground: _Ground, options: PolygonOptions
) -> tuple[list[Outline], Geometries]:
    """Fill small holes, and drop specks.

    Returns:
        The outlines that are left, and their polygons.
    """
    outlines = _without_specks(outlines, ground, options.min_area)
    polygons = np.array([outline.polygon for outline in outlines], object)
    index = np.array([outline.index for outline in outlines], np.int64)
    polygons, kept = _filled(polygons, index, options.fill_holes, ground)
    return [outlines[i] for i in kept.tolist()], polygons


def _without_specks(outlines: Sequence[Outline], ground: _Ground, min_area: float) -> list[Outline]:
    """Drop outlines whose whole bounding box is smaller than the minimum area.

    Masks have many such specks, and each takes as long to simplify and measure as a landslide.
    """
    if min_area <= 0.0:
        return list(outlines)
    bounds = shapely.bounds(np.array([outline.polygon for outline in outlines], object))
    pixels = (bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1])
    # Over a scene the area of a pixel varies by much less than a quarter.
    possible = pixels * abs(np.linalg.det(ground.steps)) * 1.25 >= min_area
    return [outline for outline, keep in zip(outlines, possible, strict=True) if keep]


def _measures(polygons: Geometries, ground: _Ground) -> _Measures:
    """Measure polygons, in chunks: they are copied for it."""
    counts = shapely.get_num_coordinates(polygons).cumsum() // _COORDINATES_AT_ONCE
    bounds = [*np.flatnonzero(np.diff(counts, prepend=-1)).tolist(), len(polygons)]
    areas, perimeters = np.zeros(len(polygons)), np.zeros(len(polygons))
    shapes: list[Shape] = []
    centroids: list[tuple[float, float] | None] = []
    for start, stop in pairwise(bounds):
        measured = ground.to_metric(polygons[start:stop])
        areas[start:stop], perimeters[start:stop] = shapely.area(measured), shapely.length(measured)
        shapes += shapes_of(measured, y_is_north=ground.metric is not None)
        centroids += _centroids(measured, ground.metric)
    return _Measures(areas, perimeters, shapes, centroids)


def _centroids(measured: Geometries, metric: Metric | None) -> list[tuple[float, float] | None]:
    if metric is None or metric.target is None:
        return [None] * len(measured)
    centroids = reprojected(shapely.centroid(measured), metric.target, LONGITUDE_LATITUDE)
    return [(x, y) for x, y in shapely.get_coordinates(centroids).tolist()]


def _filled(
    polygons: Geometries, index: NDArray[np.int64], smaller_than: float, ground: _Ground
) -> tuple[Geometries, NDArray[np.int64]]:
    """Fill small holes.

    Returns:
        The polygons, without those that lay in a hole that was filled; and the positions at which
        these were.
    """
    if smaller_than <= 0.0 or len(polygons) == 0:
        return polygons, np.arange(len(polygons))
    pieces, owner = shapely.get_parts(polygons, return_index=True)
    rings, piece = shapely.get_rings(pieces, return_index=True)
    # The first ring of a polygon is its shell.
    holes = np.flatnonzero(np.diff(piece, prepend=-1) == 0)
    areas = shapely.polygons(rings[holes])
    small = shapely.area(ground.to_metric(areas)) < smaller_than
    holes, areas = holes[small], areas[small]

    inner = shapely.STRtree(shapely.point_on_surface(pieces))
    hole, inside = inner.query(areas, predicate="contains")
    foreign = index[owner[inside]] != index[owner[piece[holes[hole]]]]
    stays = np.isin(np.arange(len(holes)), hole[foreign])
    absorbed = np.isin(np.arange(len(pieces)), inside[~stays[hole]])

    keep = ~absorbed[piece]
    keep[holes[~stays]] = False
    pieces = shapely.polygons(rings[keep], indices=_renumbered(piece[keep]))
    owner = owner[~absorbed]
    return group_parts(pieces, _renumbered(owner)), np.unique(owner)


def _renumbered(ascending: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number ascending values without gaps, from 0 on."""
    return np.unique(ascending, return_inverse=True)[1]


def _simplified(polygons: Geometries, tolerance: float, steps: NDArray[np.float64]) -> Geometries:
    """Simplify polygons in pixels, by a tolerance in the unit of the steps that pixels make.

    To simplify in a plane that is linear in the pixels, and not in a projection, brings the
    vertices back without rounding: they are whole pixels. Over the size of a scene the scale of a
    projection varies far too little for a tolerance to matter.
    """
    if tolerance <= 0.0:
        return polygons
    # Nearly all of the time is spent in compiled code.
    with ThreadPoolExecutor(2) as pool:
        halves = [polygons[::2], polygons[1::2]]
        done = list(pool.map(lambda half: _simplified_at_once(half, tolerance, steps), halves))
    result = polygons.copy()
    result[::2], result[1::2] = done
    return result


def _simplified_at_once(
    polygons: Geometries, tolerance: float, steps: NDArray[np.float64]
) -> Geometries:
    plane = shapely.transform(polygons, lambda xy: xy @ steps)
    result = polygons.copy()
    remaining = np.arange(len(polygons))
    # The fast algorithm ignores other sides and spoils a few polygons, the careful one fewer still;
    # what both spoil stays as it is.
    for careful in (False, True):
        simple = shapely.simplify(plane[remaining], tolerance, preserve_topology=careful)
        back = shapely.transform(simple, lambda xy: np.rint(xy @ np.linalg.inv(steps)))
        usable = shapely.is_valid(back) & _alike(back, polygons[remaining])
        result[remaining[usable]] = back[usable]
        remaining = remaining[~usable]
    return result


def _alike(simple: Geometries, polygons: Geometries) -> NDArray[np.bool_]:
    """Tell which polygons have kept the number of their parts and of their rings."""
    parts = shapely.get_num_geometries(simple) == shapely.get_num_geometries(polygons)
    return np.asarray(parts & (_count_rings(simple) == _count_rings(polygons)), np.bool_)


def _count_rings(polygons: Geometries) -> NDArray[np.int64]:
    """Count the rings of each polygon, holes included."""
    pieces, owner = shapely.get_parts(polygons, return_index=True)
    rings = shapely.get_num_interior_rings(pieces) + ~shapely.is_empty(pieces)
    return np.bincount(owner, weights=rings, minlength=len(polygons)).astype(np.int64)


def _landslide(
    outline: Outline,
    class_names: Sequence[str],
    geometry: shapely.Geometry,
    measures: _Measures,
    position: int,
) -> Landslide:
    # Rounded first, so that grades and what files say of the probabilities agree.
    mean = round(outline.mean_probability, _PROBABILITY_DECIMALS)
    least = round(outline.min_probability, _PROBABILITY_DECIMALS)
    return Landslide(
        geometry=geometry,
        class_name=class_names[outline.index],
        area=float(measures.areas[position]),
        perimeter=float(measures.perimeters[position]),
        mean_probability=mean,
        min_probability=least,
        confidence=_confidence(mean, least),
        shape=measures.shapes[position],
        centroid=measures.centroids[position],
        cut_by_edge=outline.is_cut,
    )


def _confidence(mean: float, least: float) -> str:
    for grade, (from_mean, from_least) in (
        ("high", HIGH_CONFIDENCE),
        ("medium", MEDIUM_CONFIDENCE),
    ):
        if mean >= from_mean and least >= from_least:
            return grade
    return "low"
