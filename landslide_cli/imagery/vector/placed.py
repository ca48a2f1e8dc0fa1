"""Polygons of several scenes in one file: each placed by its own scene, to look at in a GIS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from landslide_cli.imagery.raster.georeference import (
    LONGITUDE_LATITUDE,
    Georeference,
    placed,
    reprojected,
)
from landslide_cli.imagery.vector.polygon_files import layer_file

# GeoPackages name the day of their making. The same polygons make the same file on any other.
_DAY = "1970-01-01"


@dataclass(frozen=True)
class PlacedPolygon:
    """A polygon in pixels of a scene, where that lies, and what is said of the polygon."""

    polygon: shapely.Geometry
    georeference: Georeference
    attributes: Mapping[str, str | int | float]


def rectangle(col_off: int, row_off: int, width: int, height: int) -> shapely.Geometry:
    """Return a rectangle of pixels as a polygon."""
    return shapely.box(col_off, row_off, col_off + width, row_off + height)


def moved(polygon: shapely.Geometry, cols: int, rows: int) -> shapely.Geometry:
    """Move a polygon by columns and rows of pixels."""
    return shapely.transform(polygon, lambda points: points + np.array([cols, rows]))


def write_placed(
    path: Path, layer: str, polygons: Sequence[PlacedPolygon], style: str | None = None
) -> None:
    """Write polygons as a layer of a GeoPackage.

    In the CRS of the scenes, or in longitude and latitude if they have several. Where no scene has
    a georeference, in pixels; otherwise what is in scenes without one is left out.

    Args:
        path: the file to write.
        layer: its name.
        polygons: with the same attributes in the same order; of none the layer is empty.
        style: QML by which QGIS shows the layer.

    Raises:
        DataError: coordinates that have no place on the Earth.
        OSError: the file cannot be written.
    """
    known = [polygon for polygon in polygons if polygon.georeference.is_known]
    crss = {str(polygon.georeference.crs) for polygon in known}
    target = None if not known else crss.pop() if len(crss) == 1 else LONGITUDE_LATITUDE
    drawn = known or list(polygons)
    shapes = np.array([_there(polygon, target) for polygon in drawn], object)
    names = list(drawn[0].attributes) if drawn else []
    columns = {name: _column(drawn, name) for name in names}
    path.write_bytes(layer_file(shapes, columns, target, _DAY, layer, style=style))


def _there(polygon: PlacedPolygon, target: str | None) -> shapely.Geometry:
    transform, crs = polygon.georeference.transform, str(polygon.georeference.crs)
    there = shapely.transform(polygon.polygon, lambda points: placed(points, transform))
    if target is None or crs == target:
        return there
    return reprojected(np.array([there], object), crs, target)[0]


def _column(polygons: Sequence[PlacedPolygon], name: str) -> Any:
    values = [polygon.attributes[name] for polygon in polygons]
    return np.array(values, object if isinstance(values[0], str) else type(values[0]))
