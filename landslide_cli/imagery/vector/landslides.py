"""Landslides as polygons with attributes: from outlines in pixels to a file that opens in a GIS."""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from landslide_cli.errors import DataError, OutputError
from landslide_cli.imagery.raster.georeference import (
    LONGITUDE_LATITUDE,
    Geometries,
    Georeference,
    metric_crs,
    pixel_steps,
    placed,
    reprojected,
)
from landslide_cli.imagery.vector.outlines import Outline
from landslide_cli.imagery.vector.rings import gathered

Fields = dict[str, NDArray[Any]]

LAYER = "landslides"

# Inventories grade how certain each landslide is. Ours is high or medium if the probabilities over
# its pixels reach a mean and a minimum, and else low. The minimum is next to always that of a pixel
# at the rim, just above the threshold, and best thresholds may be as low as 0.2: only pixels that
# are almost surely no landslide count against it.
HIGH_CONFIDENCE = (0.85, 0.1)
MEDIUM_CONFIDENCE = (0.65, 0.05)

# Decimals of probabilities, beyond which float32 says nothing; of metres and square metres; and of
# degrees, a millimetre on the ground.
_PROBABILITY, _MEASURE, _DEGREES = 6, 4, 8

# Coordinates of polygons that are measured at once.
_COORDINATES_AT_ONCE = 2**16

# The CRS by which a GeoPackage says that coordinates are plane and nothing else is known.
_UNDEFINED = (
    'LOCAL_CS["Undefined Cartesian SRS",UNIT["metre",1],'
    'AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
)


@dataclass(frozen=True)
class Shaping:
    """What is done to outlines, in metres and square metres; without georeference, in pixels.

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
    in pixels. The probabilities are over the pixels of the outline.
    """

    geometry: shapely.Geometry
    class_name: str
    area: float
    perimeter: float
    mean_probability: float
    min_probability: float
    confidence: str


@dataclass(frozen=True)
class Origin:
    """Where landslides come from.

    The scene and its GSD in metres, None if unknown; the fingerprint of the model; and the date of
    the mapping, as in 2025-11-30.
    """

    scene: str
    gsd: float | None
    model: str
    mapped: str


@dataclass(frozen=True)
class _Ground:
    """How pixels are placed and measured; `metric` is the CRS to measure in, None: in pixels."""

    georeference: Georeference
    metric: str | None
    steps: NDArray[np.float64]  # (2, 2) metres, or pixels, a column on and a row down

    def placed(self, polygons: Geometries) -> Geometries:
        """Take polygons from pixels to the coordinates of the scene."""
        transform = self.georeference.transform
        return np.asarray(shapely.transform(polygons, lambda xy: placed(xy, transform)), object)

    def measured(self, polygons: Geometries) -> Geometries:
        """Take polygons from pixels to where their areas and lengths are measured."""
        if self.metric is None:
            return polygons
        return reprojected(self.placed(polygons), str(self.georeference.crs), self.metric)


def landslides_of(
    outlines: Sequence[Outline],
    georeference: Georeference,
    width: int,
    height: int,
    class_names: Sequence[str],
    shaping: Shaping,
) -> list[Landslide]:
    """Shape, measure, grade and place the outlines of a scene, in their order.

    A hole that holds an outline of another class is not filled, unless that one is a speck.
    Outlines of the same class in a hole that is filled become part of the landslide around them;
    its probabilities stay its own.
    Simplified polygons are valid and keep their holes, and what they keep of their vertices stays
    on pixel corners; the common side of two classes is simplified for each alone.

    Args:
        outlines: in pixels of the scene.
        georeference: of the scene.
        width: of the scene, in pixels.
        height: of the scene, in pixels.
        class_names: by class index, background first.
        shaping: what is done to the outlines.

    Raises:
        DataError: the georeference names no place on the Earth.
    """
    ground = _ground(georeference, width, height)
    outlines = _not_tiny(outlines, ground, shaping.min_area)
    polygons = np.array([one.polygon for one in outlines], object)
    index = np.array([one.index for one in outlines], np.int64)
    polygons, kept = _filled(polygons, index, shaping.fill_holes, ground)
    polygons = _simplified(polygons, shaping.simplify, ground.steps)
    areas, perimeters = _measures(polygons, ground)
    large = np.flatnonzero(areas >= shaping.min_area)
    geometries = ground.placed(polygons[large])
    return [
        _landslide(outlines[kept[i]], class_names, geometry, float(areas[i]), float(perimeters[i]))
        for i, geometry in zip(large, geometries, strict=True)
    ]


def write_polygons(
    path: Path, landslides: Sequence[Landslide], georeference: Georeference, origin: Origin
) -> None:
    """Write landslides as a layer of MultiPolygons with attributes, numbered from 1 on.

    `.gpkg`: a GeoPackage in the scene's CRS, with an undefined CRS where the scene has none.
    `.geojson`: RFC 7946, in longitude and latitude on WGS 84; where the scene has no georeference,
    which that format cannot express, the scene's own coordinates. The same landslides and origin
    give the same bytes.

    Raises:
        OSError: the file cannot be written.
        OutputError: another suffix.
        DataError: coordinates that have no place on the Earth.
    """
    if path.suffix not in (".gpkg", ".geojson"):
        raise OutputError(f"{path}: polygons are written as .gpkg or .geojson")
    geometries = np.array([one.geometry for one in landslides], object)
    geojson, crs = path.suffix == ".geojson", _UNDEFINED
    if georeference.is_known:
        crs = str(georeference.crs)
        if geojson:
            geometries = reprojected(geometries, crs, LONGITUDE_LATITUDE)
            crs = LONGITUDE_LATITUDE
    fields = {
        **_attributes(landslides, in_metres=georeference.is_known),
        **_bounds(geometries, _DEGREES if geojson else None),
        **_repeated(origin, len(landslides)),
    }
    path.write_bytes(_layer(geometries, fields, crs, origin.mapped, geojson))


def read_areas(path: Path) -> tuple[NDArray[np.float64], str]:
    """Read the areas of the landslides in a file of `write_polygons`, and their unit: m2 or px.

    An empty GeoJSON does not tell its unit; m2 is returned.

    Raises:
        DataError: the file cannot be read, or is no file of landslides.
    """
    from pyogrio import raw
    from pyogrio.errors import DataLayerError, DataSourceError

    areas = ["area_m2", "area_px"]
    try:
        meta, ids, _, values = raw.read(path, read_geometry=False, columns=areas, return_fids=True)
    except (DataSourceError, DataLayerError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(values) > 0:
        return np.asarray(values[0], np.float64), str(meta["fields"][0]).removeprefix("area_")
    if len(ids) > 0:
        raise DataError(f"{path}: has no areas of landslides: no field {' or '.join(areas)}")
    return np.zeros(0), "m2"


def _ground(georeference: Georeference, width: int, height: int) -> _Ground:
    if not georeference.is_known:
        return _Ground(georeference, None, np.eye(2))
    metric = metric_crs(georeference, width, height)
    return _Ground(georeference, metric, pixel_steps(georeference, width, height))


def _not_tiny(outlines: Sequence[Outline], ground: _Ground, min_area: float) -> list[Outline]:
    """Leave out specks that could not reach the least area if their whole bounding box counted.

    Masks have many of them, and each takes as long to shape and to measure as a landslide.
    """
    if min_area <= 0.0:
        return list(outlines)
    bounds = shapely.bounds(np.array([one.polygon for one in outlines], object))
    pixels = (bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1])
    # Over a scene the area of a pixel varies by much less than a quarter.
    possible = pixels * abs(np.linalg.det(ground.steps)) * 1.25 >= min_area
    return [one for one, is_possible in zip(outlines, possible, strict=True) if is_possible]


def _measures(
    polygons: Geometries, ground: _Ground
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure areas and perimeters, of some polygons at a time: each is copied for it."""
    counts = shapely.get_num_coordinates(polygons).cumsum() // _COORDINATES_AT_ONCE
    bounds = [*np.flatnonzero(np.diff(counts, prepend=-1)).tolist(), len(polygons)]
    areas, perimeters = np.zeros(len(polygons)), np.zeros(len(polygons))
    for start, stop in pairwise(bounds):
        measured = ground.measured(polygons[start:stop])
        areas[start:stop], perimeters[start:stop] = shapely.area(measured), shapely.length(measured)
    return areas, perimeters


def _filled(
    polygons: Geometries, index: NDArray[np.int64], smaller_than: float, ground: _Ground
) -> tuple[Geometries, NDArray[np.int64]]:
    """Fill small holes.

    Returns:
        the polygons, without those that lay in a hole that was filled; and the positions at which
        these were.
    """
    if smaller_than <= 0.0 or len(polygons) == 0:
        return polygons, np.arange(len(polygons))
    pieces, owner = shapely.get_parts(polygons, return_index=True)
    rings, piece = shapely.get_rings(pieces, return_index=True)
    # The first ring of a polygon is its shell.
    holes = np.flatnonzero(np.diff(piece, prepend=-1) == 0)
    areas = shapely.polygons(rings[holes])
    small = shapely.area(ground.measured(areas)) < smaller_than
    holes, areas = holes[small], areas[small]

    inner = shapely.STRtree(shapely.point_on_surface(pieces))
    hole, inside = inner.query(areas, predicate="contains")
    foreign = index[owner[inside]] != index[owner[piece[holes[hole]]]]
    stays = np.isin(np.arange(len(holes)), hole[foreign])
    swallowed = np.isin(np.arange(len(pieces)), inside[~stays[hole]])

    keep = ~swallowed[piece]
    keep[holes[~stays]] = False
    pieces = shapely.polygons(rings[keep], indices=_renumbered(piece[keep]))
    owner = owner[~swallowed]
    return gathered(pieces, _renumbered(owner)), np.unique(owner)


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
    left = np.arange(len(polygons))
    # Few are spoilt by the fast way, which looks at no other side; fewer still by the other.
    for careful in (False, True):
        simple = shapely.simplify(plane[left], tolerance, preserve_topology=careful)
        back = shapely.transform(simple, lambda xy: np.rint(xy @ np.linalg.inv(steps)))
        usable = shapely.is_valid(back) & (_rings_of(back) == _rings_of(polygons[left]))
        result[left[usable]] = back[usable]
        left = left[~usable]
    return result


def _rings_of(polygons: Geometries) -> NDArray[np.int64]:
    """Count the rings of each, holes included."""
    pieces, owner = shapely.get_parts(polygons, return_index=True)
    rings = shapely.get_num_interior_rings(pieces) + ~shapely.is_empty(pieces)
    return np.bincount(owner, weights=rings, minlength=len(polygons)).astype(np.int64)


def _landslide(
    outline: Outline,
    class_names: Sequence[str],
    geometry: shapely.Geometry,
    area: float,
    perimeter: float,
) -> Landslide:
    # Rounded first, so that no grade depends on the order in which the mean was summed.
    mean = round(outline.mean_probability, _PROBABILITY)
    least = round(outline.min_probability, _PROBABILITY)
    name = class_names[outline.index]
    return Landslide(geometry, name, area, perimeter, mean, least, _confidence(mean, least))


def _confidence(mean: float, least: float) -> str:
    for grade, (from_mean, from_least) in (
        ("high", HIGH_CONFIDENCE),
        ("medium", MEDIUM_CONFIDENCE),
    ):
        if mean >= from_mean and least >= from_least:
            return grade
    return "low"


def _attributes(landslides: Sequence[Landslide], in_metres: bool) -> Fields:
    area, perimeter = ("area_m2", "perimeter_m") if in_metres else ("area_px", "perimeter_px")
    return {
        "id": np.arange(1, len(landslides) + 1),
        "class": np.array([one.class_name for one in landslides], object),
        area: np.array([one.area for one in landslides], float).round(_MEASURE),
        perimeter: np.array([one.perimeter for one in landslides], float).round(_MEASURE),
        "mean_probability": np.array([one.mean_probability for one in landslides], float),
        "min_probability": np.array([one.min_probability for one in landslides], float),
        "confidence": np.array([one.confidence for one in landslides], object),
    }


def _bounds(geometries: Geometries, decimals: int | None) -> Fields:
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    rounded = bounds if decimals is None else bounds.round(decimals)
    return dict(zip(("xmin", "ymin", "xmax", "ymax"), rounded.T, strict=True))


def _repeated(origin: Origin, count: int) -> Fields:
    """Say of each landslide where it comes from."""
    return {
        "scene": np.full(count, origin.scene, object),
        "gsd_m": np.full(count, np.nan if origin.gsd is None else origin.gsd, float),
        "model": np.full(count, origin.model, object),
        "mapped": np.full(count, np.datetime64(origin.mapped, "D")),
    }


def _layer(geometries: Geometries, fields: Fields, crs: str, mapped: str, geojson: bool) -> bytes:
    """Return a file of one layer, made in memory: errors of the disk are then Python's own."""
    from pyogrio import raw

    options: dict[str, Any] = {"driver": "GPKG"}
    if geojson:
        # Without a georeference there are no longitudes and latitudes for the standard to rule.
        standard = "YES" if crs == LONGITUDE_LATITUDE else "NO"
        layer_options = {"COORDINATE_PRECISION": str(_DEGREES), "RFC7946": standard}
        options = {"driver": "GeoJSON", "layer_options": layer_options}
    file = io.BytesIO()
    with _dated(mapped):
        raw.write(
            file,
            shapely.to_wkb(geometries),
            list(fields.values()),
            list(fields),
            layer=LAYER,
            crs=crs,
            geometry_type="MultiPolygon",
            promote_to_multi=True,
            **options,
        )
    return file.getvalue()


@contextmanager
def _dated(day: str) -> Iterator[None]:
    """Have GDAL take a day for now: the time of writing would make each file another."""
    import pyogrio

    name = "OGR_CURRENT_DATE"
    before = pyogrio.get_gdal_config_option(name)
    pyogrio.set_gdal_config_options({name: f"{np.datetime64(day, 'D')}T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({name: before})
