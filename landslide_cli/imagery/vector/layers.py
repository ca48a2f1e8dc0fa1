"""Vector layers that people drew: their polygons, with one attribute, as GDAL reads them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from landslide_cli.errors import DataError, counted, listed
from landslide_cli.imagery.raster.georeference import Geometries
from landslide_cli.imagery.vector.vector_files import explained, layers_of, refuse_cut_short

_POLYGONS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)

# Between a file and its layer, as QGIS writes sources.
_LAYER = "|layername="


@dataclass(frozen=True)
class PolygonLayer:
    """The polygons of a layer.

    `geometries` are valid polygons and multipolygons in the CRS `crs`, `values` those of the field
    that was asked for, as text, None for null. `repaired` counts the polygons that were not valid,
    `others` the points, lines and geometries without an area that were left out, `filtered` the
    features that the filter left out.
    """

    name: str
    crs: str
    geometries: Geometries
    values: list[str | None]
    repaired: int = 0
    others: int = 0
    filtered: int = 0


@dataclass(frozen=True)
class LayerInfo:
    """What a layer holds: features, CRS, None for none, and how often each field has each value.

    Fields with more than `MOST_VALUES` values, and those of numbers with decimals, are left out.
    """

    features: int
    crs: str | None
    values: dict[str, dict[str, int]]


# Values of a field up to which it may stand for classes.
MOST_VALUES = 12


def is_vector(name: str) -> bool:
    """Whether a name is that of a vector layer, or of a file with layers."""
    file, layer = divide_layer(name)
    if layer is not None:
        return True
    if Path(file).is_dir() and Path(file).suffix.lower() != ".gdb":
        return False  # GDAL takes a folder of shapefiles for one source
    try:
        return len(layers_of(name, file)) > 0
    except DataError:
        return False


def layer_info(name: str) -> LayerInfo:
    """Look at a layer without reading its geometries.

    Raises:
        DataError: it cannot be read, or the file has several layers and none is named.
    """
    file, layer = _divided(name)
    meta, _, columns = _read(name, file, layer, None, None, geometries=False)
    values = {}
    for field, column in zip(meta["fields"], columns, strict=True):
        counts = Counter(text or "null" for text in _texts(column))
        if len(counts) <= MOST_VALUES and not any("." in text for text in counts):
            values[str(field)] = dict(counts.most_common())
    return LayerInfo(_count(file, layer), meta["crs"], values)


def divide_layer(name: str) -> tuple[str, str | None]:
    """Divide a name such as `inventory.gpkg|layername=slides` into the file and the layer, if any.

    Raises:
        DataError: it is of another form.
    """
    file, bar, layer = name.partition(_LAYER)
    if "|" in file or "|" in layer or (bar and not layer):
        raise DataError(f"{name}: is no name of a layer; write FILE or FILE{_LAYER}LAYER")
    return file, layer or None


def read_polygons(
    name: str,
    field: str | None = None,
    where: str | None = None,
    crs: str | None = None,
    section: str | None = "source.labels",
    may_be_empty: bool = False,
) -> PolygonLayer:
    """Read the polygons of a layer; invalid ones are repaired (`shapely.make_valid`).

    Args:
        name: file, and its layer if it has several: `inventory.gpkg|layername=slides`.
        field: whose values to read.
        where: filter, as in SQL.
        crs: CRS of a layer that names none.
        section: of the profile that has a key for the CRS, for messages; None for none.
        may_be_empty: whether a layer without any feature will do, as maps of scenes without a
            landslide are.

    Raises:
        DataError: the layer cannot be read, has no CRS that is known, no such field, no polygon, or
            polygons with corners that have no place.
    """
    file, layer = _divided(name)
    if field is not None:
        _require_field(name, file, layer, field)
    fields = [] if field is None else [field]
    meta, wkb, columns = _read(name, file, layer, fields, where)
    own = _known_crs(name, meta["crs"], crs, section)
    with np.errstate(invalid="ignore"):  # NaN among the coordinates is said below
        # What is no geometry becomes None.
        shapes = np.asarray(shapely.force_2d(shapely.from_wkb(wkb, on_invalid="ignore")), object)
    _require_places(name, shapes)
    collections = shapely.get_type_id(shapes) == shapely.GeometryType.GEOMETRYCOLLECTION
    shapes[collections] = [repaired(shape) for shape in shapes[collections]]
    are_polygons = np.isin(shapely.get_type_id(shapes), _POLYGONS) & ~shapely.is_empty(shapes)
    invalid = are_polygons & ~shapely.is_valid(shapes)
    shapes[invalid] = [repaired(polygon) for polygon in shapes[invalid]]
    are_polygons &= ~shapely.is_empty(shapes)
    if not are_polygons.any() and (len(shapes) or not may_be_empty):
        raise DataError(f"{name}: {_why_none(len(shapes), where)}")
    values = _texts(columns[0]) if columns else [None] * len(shapes)
    kept = [value for value, is_one in zip(values, are_polygons, strict=True) if is_one]
    repairs, others = int((invalid & are_polygons).sum()), int((~are_polygons).sum())
    filtered = 0 if where is None else _count(file, layer) - len(shapes)
    return PolygonLayer(name, own, shapes[are_polygons], kept, repairs, others, filtered)


def _known_crs(name: str, own: str | None, given: str | None, section: str | None) -> str:
    """Return the CRS of a layer, or else the one that the profile gives."""
    if own is None and given is None:
        key = "" if section is None else f", or {section}.crs"
        raise DataError(f"{name}: has no CRS; set it in the file{key}")
    try:
        CRS.from_user_input(own or given)
    except CRSError as error:
        whose = f"{name}: its CRS is unknown" if own else f"{section}.crs: no CRS is '{given}'"
        raise DataError(f"{whose}; give one such as EPSG:4326") from error
    return str(own or given)


def _require_places(name: str, shapes: Geometries) -> None:
    points, owners = shapely.get_coordinates(shapes, return_index=True)
    lost = owners[~np.isfinite(points).all(axis=1)]
    if len(lost):
        raise DataError(
            f"{name}: {counted(len(np.unique(lost)), 'feature')}, the first in row {lost[0] + 1}, "
            "with a corner that has no place (NaN or infinite); draw it again or delete it"
        )


def read_fields(
    name: str, fields: Sequence[str]
) -> tuple[dict[str, NDArray[Any]], Geometries] | None:
    """Read attributes and geometries of a layer as they are; None if it lacks one of the fields.

    Raises:
        DataError: the layer cannot be read.
    """
    file, layer = _divided(name)
    meta, wkb, columns = _read(name, file, layer, list(fields), None)
    if set(fields) - set(meta["fields"]):
        return None
    shapes = np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"), object)
    return dict(zip(meta["fields"], columns, strict=True)), shapes


def _count(file: str, layer: str) -> int:
    import pyogrio

    return int(pyogrio.read_info(file, layer=layer, force_feature_count=True)["features"])


def _divided(name: str) -> tuple[str, str]:
    """Return the file and the layer that a name means."""
    file, layer = divide_layer(name)
    refuse_cut_short(file)
    # QGIS keeps its styles in a layer beside those that they are of.
    layers = [known for known in layers_of(name, file) if known != "layer_styles"]
    if layer is not None:
        if layer not in layers:
            told = listed(layers, most=5) or "none"
            raise DataError(f"{name}: has no layer '{layer}'; there is {told}")
        return file, layer
    if len(layers) != 1:
        number = f"{len(layers)} layers ({listed(layers, most=5)})" if layers else "no layer"
        first = layers[0] if layers else "…"
        raise DataError(f"{name}: has {number}; name one, as in {file}{_LAYER}{first}")
    return file, layers[0]


def _require_field(name: str, file: str, layer: str, field: str) -> None:
    import pyogrio

    with explained(name):
        fields = [str(known) for known in pyogrio.read_info(file, layer=layer)["fields"]]
    if field not in fields:
        raise DataError(f"{name}: has no field '{field}'; there are {listed(fields, most=10)}")


def _read(
    name: str,
    file: str,
    layer: str,
    columns: list[str] | None,
    where: str | None,
    geometries: bool = True,
) -> tuple[dict[str, Any], NDArray[Any], Sequence[NDArray[Any]]]:
    from pyogrio import raw

    # A filter that cannot be understood is one of several errors, by the file's form.
    with explained(name, "" if where is None else ", or source.labels.where cannot be used"):
        meta, _, wkb, values = raw.read(
            file, layer=layer, columns=columns, where=where, read_geometry=geometries
        )
    if wkb is None and geometries:
        raise DataError(f"{name}: is a table without geometries")
    return meta, wkb, values


def _why_none(count: int, where: str | None) -> str:
    if count:
        return "holds points or lines, or geometries without an area, but no polygon"
    if where:
        return "has no polygon for which source.labels.where holds"
    return "has no polygon; for ground without landslides set source.masks: none"


def repaired(polygon: shapely.Geometry) -> shapely.Geometry:
    """Make a polygon valid, without the lines and points that this may leave."""
    parts = shapely.get_parts(shapely.make_valid(polygon))
    areas = parts[np.isin(shapely.get_type_id(parts), _POLYGONS)]
    return shapely.union_all(areas)


def _texts(values: NDArray[Any]) -> list[str | None]:
    """Write values as people do: whole numbers without a point; yes and no as 1 and 0."""
    return [_text(value) for value in values.tolist()]


def _text(value: Any) -> str | None:
    if value is None or value != value:  # noqa: PLR0124 - null is not-a-number in columns of floats
        return None
    # Whether a column of yes and no has gaps must make no difference: with them it is of floats.
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return str(value).strip()
