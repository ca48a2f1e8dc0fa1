"""Files of polygons, such as landslides: GeoPackage, GeoJSON, CSV or KML, and read back."""

import csv
import io
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from landslide_cli.core.palette import Palette
from landslide_cli.errors import DataError, OutputError
from landslide_cli.imagery.provenance import Provenance
from landslide_cli.imagery.raster.georeference import LONGITUDE_LATITUDE, Geometries
from landslide_cli.imagery.vector.attributes import TITLES, Fields, LandslideTable
from landslide_cli.imagery.vector.geopackage import VERSION, titled
from landslide_cli.imagery.vector.globe import on_the_globe
from landslide_cli.imagery.vector.kml import Placemark, kml_document
from landslide_cli.imagery.vector.styles import Category, categorised, styled

LAYER = "landslides"
# What the layer of polygons may be called (`Palette.polygons`).
_LAYERS = (LAYER, "polygons")
# How much of an area is seen through a colour of a class, where there are several.
_CLASS_OPACITY = 0.35

# How the confidence of a landslide is drawn: as the probabilities, from light to dark, so that the
# colour-blind tell it too.
CONFIDENCE = (
    Category("high", "high confidence", (189, 0, 38), 0.0, 0.6),
    Category("medium", "medium confidence", (253, 141, 60), 0.0, 0.5),
    Category("low", "low confidence", (254, 217, 118), 0.0, 0.5, "dash"),
)
# Drawn by a person who corrects the map: without it they would vanish as soon as they are drawn.
_DRAWN = Category("", "drawn by hand", (0, 92, 230), 0.0, 0.6)

SUFFIXES = (".gpkg", ".geojson", ".csv", ".kml")

_BOUNDS = ("xmin", "ymin", "xmax", "ymax")

# Decimals of degrees, about a millimetre on the ground.
_DEGREE_DECIMALS = 8

_one_day = threading.Lock()

# The CRS by which a GeoPackage says that coordinates are plane and nothing else is known.
_UNDEFINED = (
    'LOCAL_CS["Undefined Cartesian SRS",UNIT["metre",1],'
    'AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
)


def write_polygons(
    path: Path, table: LandslideTable, provenance: Provenance, palette: Palette | None = None
) -> None:
    """Write polygons as a layer of MultiPolygons with attributes.

    `.gpkg`: a GeoPackage in the scene's CRS, with an undefined CRS where the scene has none, and
    with a style that QGIS opens it with. `.geojson`: RFC 7946, in longitude and latitude on WGS 84;
    where the scene has no georeference or a local one, which that format cannot express, the
    scene's own coordinates. `.csv`: a line each, with x and y of the centroid in the scene's
    coordinates. `.kml`: in longitude and latitude. The same arguments give the same bytes.

    Args:
        path: the file to write.
        table: the polygons.
        provenance: where they come from.
        palette: the classes: they name the layer, and several in the foreground are drawn in their
            colours, a single one by its confidence. Default: landslides.

    Raises:
        OSError: the file cannot be written.
        OutputError: another suffix; or KML of what has no place on the Earth.
        DataError: coordinates that have no place on the Earth.
    """
    if path.suffix not in SUFFIXES:
        raise OutputError(f"{path}: polygons are written as .gpkg, .geojson, .csv or .kml")
    if path.suffix == ".csv":
        path.write_bytes(_csv_file(table))
    elif path.suffix == ".kml":
        path.write_bytes(_kml_file(path, table, palette))
    elif path.suffix == ".geojson":
        path.write_bytes(_geojson_file(table, provenance.mapped, _layer_name(palette)))
    else:
        path.write_bytes(geopackage(table, provenance.tags(), provenance.mapped, palette))


def geopackage(
    table: LandslideTable, metadata: dict[str, str], day: str, palette: Palette | None = None
) -> bytes:
    """Return polygons as a GeoPackage, drawn by their confidence or class in QGIS.

    Args:
        table: the polygons.
        metadata: what is said of the layer, by keys.
        day: of its making, such as 2025-11-30.
        palette: as of `write_polygons`.
    """
    fields = table.fields | _bounds(table.geometries)
    titles = {name: TITLES[name] for name in fields}
    field, categories = _categories(palette)
    return layer_file(
        table.geometries,
        fields,
        table.crs,
        day,
        _layer_name(palette),
        style=categorised(field, [*categories, _DRAWN], titles),
        titles=titles,
        metadata=metadata,
    )


def _layer_name(palette: Palette | None) -> str:
    return LAYER if palette is None else palette.polygons


def _categories(palette: Palette | None) -> tuple[str, Sequence[Category]]:
    """Return the field that polygons are drawn by, and how those of each value are."""
    if palette is None or len(palette.foreground) == 1:
        return "confidence", CONFIDENCE
    names = [(palette.names[index], palette.colours[index]) for index in palette.foreground]
    return "class", [Category(name, name, colour, _CLASS_OPACITY) for name, colour in names]


def _geojson_file(table: LandslideTable, day: str, name: str) -> bytes:
    geometries, crs = table.geometries, table.crs
    if table.is_on_earth:
        geometries, crs = on_the_globe(geometries, str(table.crs)), LONGITUDE_LATITUDE
    fields = table.fields | _bounds(geometries, _DEGREE_DECIMALS)
    return layer_file(geometries, fields, crs, day, name, geojson=True)


def _csv_file(table: LandslideTable) -> bytes:
    """Return the attributes with x and y of the centroids; numbers as short as they are exact."""
    x, y = shapely.get_coordinates(shapely.centroid(table.geometries)).reshape(-1, 2).T
    decimals = 7 if np.abs(np.r_[x, y, 0.0]).max() <= 360.0 else 2  # degrees, or metres
    fields = table.fields | {"x": x.round(decimals), "y": y.round(decimals)}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(fields)
    columns = [_texts(column) for column in fields.values()]
    writer.writerows(zip(*columns, strict=True))
    return buffer.getvalue().encode()


def _texts(column: NDArray[Any]) -> list[str]:
    """Write values without a fraction of nought, and nothing where there is none."""
    values = column.astype("datetime64[D]") if column.dtype.kind == "M" else column
    return [_csv_text(value) for value in values.tolist()]


def _csv_text(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.12g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kml_file(path: Path, table: LandslideTable, palette: Palette | None) -> bytes:
    if not table.is_on_earth:
        raise OutputError(f"{path}: KML needs a place on the Earth, and the scene has none")
    names = list(table.fields)
    rows = zip(*(_texts(column) for column in table.fields.values()), strict=True)
    geometries = on_the_globe(table.geometries, str(table.crs))
    field, categories = _categories(palette)
    # Names of classes may hold spaces, which identifiers of KML must not.
    ids = {
        category.value: f"class-{number}" if field == "class" else category.value
        for number, category in enumerate(categories, start=1)
    }
    styles = [replace(category, value=ids[category.value]) for category in categories]
    placemarks = [
        Placemark(f"{values['class']} {values['id']}", str(ids[values[field]]), geometry, values)
        for geometry, row in zip(geometries, rows, strict=True)
        for values in [dict(zip(names, row, strict=True))]
    ]
    return kml_document(_layer_name(palette), placemarks, styles, TITLES)


def read_table(path: Path) -> LandslideTable:
    """Read the polygons in a GeoPackage or a GeoJSON file of `write_polygons`.

    Those of GeoJSON are in longitude and latitude if they have a place on the Earth; otherwise they
    have no `crs` and the scene's own coordinates. Without any polygon such a file has no columns.

    Raises:
        DataError: the file cannot be read, or is no file of polygons of this program.
    """
    from pyogrio import raw
    from pyogrio.errors import DataLayerError, DataSourceError

    is_geojson = path.suffix == ".geojson"
    try:
        layer = 0 if is_geojson else layer_of(path)
        meta, _, geometries, values = raw.read(path, layer=layer)
    except (DataSourceError, DataLayerError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    columns = dict(zip(meta["fields"].tolist(), values, strict=True))
    fields = {name: column for name, column in columns.items() if name not in _BOUNDS}
    if is_geojson and len(geometries) == 0:
        return LandslideTable(np.zeros(0, object), {}, None)
    if not {"id", "scene", "mapped", "confidence"} <= fields.keys():
        raise DataError(f"{path}: is no file of polygons of this program")
    if is_geojson:
        crs = LONGITUDE_LATITUDE if "longitude" in fields else None
    else:
        crs = None if "area_px" in fields else str(meta["crs"])
    fields["mapped"] = fields["mapped"].astype("datetime64[D]")
    return LandslideTable(np.asarray(shapely.from_wkb(geometries), object), fields, crs)


def layer_of(path: Path) -> str:
    """Return the name of the layer of polygons in a GeoPackage of `write_polygons`.

    Raises:
        DataSourceError: pyogrio cannot read the file.
    """
    import pyogrio

    names = {str(name) for name, _ in pyogrio.list_layers(path)}
    return next((name for name in _LAYERS if name in names), LAYER)


def _bounds(geometries: Geometries, decimals: int | None = None) -> Fields:
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    rounded = bounds if decimals is None else bounds.round(decimals)
    return dict(zip(_BOUNDS, rounded.T, strict=True))


def layer_file(
    geometries: Geometries,
    fields: Fields,
    crs: str | None,
    day: str,
    name: str = LAYER,
    geojson: bool = False,
    style: str | None = None,
    titles: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
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
        titles: names of the columns for people, in a GeoPackage.
        metadata: what a GeoPackage says of the layer, by keys.
    """
    from pyogrio import raw

    options: dict[str, Any] = {"driver": "GPKG", "dataset_options": {"VERSION": VERSION}}
    if metadata:
        options["layer_metadata"] = dict(metadata)
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
    result = file.getvalue()
    if titles and not geojson:
        result = titled(result, name, titles)
    return result if style is None or geojson else styled(result, name, style)


def _time(day: str) -> str:
    return f"{np.datetime64(day, 'D')}T00:00:00.000Z"


@contextmanager
def _dated(day: str) -> Iterator[None]:
    """Have GDAL record this day instead of the time of writing, so that files are reproducible."""
    import pyogrio

    name = "OGR_CURRENT_DATE"
    # The option is the whole process's: of two scenes that are finished at once, one would take
    # away the other's day, or leave its own for good.
    with _one_day:
        before = pyogrio.get_gdal_config_option(name)
        pyogrio.set_gdal_config_options({name: _time(day)})
        try:
            yield
        finally:
            pyogrio.set_gdal_config_options({name: before})
