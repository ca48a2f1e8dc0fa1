"""Files of landslide polygons: written as GeoPackage or GeoJSON, and read back."""

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
)
from landslide_cli.imagery.vector.globe import on_the_globe
from landslide_cli.imagery.vector.landslides import Landslide
from landslide_cli.imagery.vector.styles import styled

Fields = dict[str, NDArray[Any]]

LAYER = "landslides"

# Decimals of metres and square metres; of degrees, about a millimetre on the ground.
_MEASURE_DECIMALS, _DEGREE_DECIMALS = 4, 8

_one_day = threading.Lock()

# The CRS by which a GeoPackage says that coordinates are plane and nothing else is known.
_UNDEFINED = (
    'LOCAL_CS["Undefined Cartesian SRS",UNIT["metre",1],'
    'AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
)


@dataclass(frozen=True)
class Provenance:
    """Where the landslides of a file come from.

    The scene and its GSD in metres, None if unknown; the fingerprint of the model; and the date of
    the mapping, as in 2025-11-30.
    """

    scene: str
    gsd: float | None
    model: str
    mapped: str


def write_polygons(
    path: Path, landslides: Sequence[Landslide], georeference: Georeference, provenance: Provenance
) -> None:
    """Write landslides as a layer of MultiPolygons with attributes, numbered from 1 on.

    `.gpkg`: a GeoPackage in the scene's CRS, with an undefined CRS where the scene has none.
    `.geojson`: RFC 7946, in longitude and latitude on WGS 84; where the scene has no georeference
    or a local one, which that format cannot express, the scene's own coordinates. The same
    arguments give the same bytes.

    Raises:
        OSError: the file cannot be written.
        OutputError: another suffix.
        DataError: coordinates that have no place on the Earth.
    """
    if path.suffix not in (".gpkg", ".geojson"):
        raise OutputError(f"{path}: polygons are written as .gpkg or .geojson")
    geometries = np.array([landslide.geometry for landslide in landslides], object)
    geojson, crs = path.suffix == ".geojson", None
    if georeference.is_known:
        crs = str(georeference.crs)
        if geojson and not georeference.is_local:
            geometries = on_the_globe(geometries, str(georeference.crs))
            crs = LONGITUDE_LATITUDE
    fields = {
        **_attributes(landslides, in_metres=georeference.is_known),
        **_bounds(geometries, _DEGREE_DECIMALS if geojson else None),
        **_provenance_fields(provenance, len(landslides)),
    }
    path.write_bytes(layer_file(geometries, fields, crs, provenance.mapped, geojson=geojson))


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


def _attributes(landslides: Sequence[Landslide], in_metres: bool) -> Fields:
    area, perimeter = ("area_m2", "perimeter_m") if in_metres else ("area_px", "perimeter_px")

    def column(attribute: str, dtype: type = float) -> NDArray[Any]:
        return np.array([getattr(landslide, attribute) for landslide in landslides], dtype)

    return {
        "id": np.arange(1, len(landslides) + 1),
        "class": column("class_name", object),
        area: column("area").round(_MEASURE_DECIMALS),
        perimeter: column("perimeter").round(_MEASURE_DECIMALS),
        "mean_probability": column("mean_probability"),
        "min_probability": column("min_probability"),
        "confidence": column("confidence", object),
    }


def _bounds(geometries: Geometries, decimals: int | None) -> Fields:
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    rounded = bounds if decimals is None else bounds.round(decimals)
    return dict(zip(("xmin", "ymin", "xmax", "ymax"), rounded.T, strict=True))


def _provenance_fields(provenance: Provenance, count: int) -> Fields:
    """Repeat the provenance for each landslide."""
    return {
        "scene": np.full(count, provenance.scene, object),
        "gsd_m": np.full(count, np.nan if provenance.gsd is None else provenance.gsd, float),
        "model": np.full(count, provenance.model, object),
        "mapped": np.full(count, np.datetime64(provenance.mapped, "D")),
    }


def layer_file(
    geometries: Geometries,
    fields: Fields,
    crs: str | None,
    day: str,
    name: str = LAYER,
    geojson: bool = False,
    style: str | None = None,
) -> bytes:
    """Return a GeoPackage or GeoJSON file of one layer of polygons.

    It is made in memory: errors of the disk are then Python's own.

    Args:
        geometries: polygons.
        fields: their attributes.
        crs: of the coordinates; None for an undefined plane.
        day: of its making, such as 2025-11-30, in a GeoPackage.
        name: of the layer.
        geojson: the format.
        style: QML by which QGIS shows the layer, in a GeoPackage.
    """
    from pyogrio import raw

    options: dict[str, Any] = {"driver": "GPKG"}
    if geojson:
        # Without a georeference there are no longitudes and latitudes for the standard to rule.
        standard = "YES" if crs == LONGITUDE_LATITUDE else "NO"
        layer_options = {"COORDINATE_PRECISION": str(_DEGREE_DECIMALS), "RFC7946": standard}
        options = {"driver": "GeoJSON", "layer_options": layer_options}
    file = io.BytesIO()
    with _dated(day):
        raw.write(
            file,
            shapely.to_wkb(geometries),
            list(fields.values()),
            list(fields),
            layer=name,
            crs=crs or _UNDEFINED,
            geometry_type="MultiPolygon",
            promote_to_multi=True,
            **options,
        )
    return file.getvalue() if style is None else styled(file.getvalue(), name, style)


@contextmanager
def _dated(day: str) -> Iterator[None]:
    """Have GDAL record this day instead of the time of writing, so that files are reproducible."""
    import pyogrio

    name = "OGR_CURRENT_DATE"
    # The option is the whole process's: of two scenes that are finished at once, one would take
    # away the other's day, or leave its own for good.
    with _one_day:
        before = pyogrio.get_gdal_config_option(name)
        pyogrio.set_gdal_config_options({name: f"{np.datetime64(day, 'D')}T00:00:00.000Z"})
        try:
            yield
        finally:
            pyogrio.set_gdal_config_options({name: before})
