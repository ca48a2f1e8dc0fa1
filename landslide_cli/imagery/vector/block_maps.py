"""Blocks of scenes as a layer of polygons to look at in a GIS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from landslide_cli.core.tiling.grid import Window
from landslide_cli.imagery.raster.georeference import (
    LONGITUDE_LATITUDE,
    Georeference,
    placed,
    reprojected,
)
from landslide_cli.imagery.vector.polygon_files import layer_file

LAYER = "blocks"

# GeoPackages name the day of their making. The same blocks make the same file on any other.
_DAY = "1970-01-01"


@dataclass(frozen=True)
class MappedBlock:
    """A block: where its scene lies, its window there in pixels, and what is said of it."""

    georeference: Georeference
    window: Window
    attributes: Mapping[str, str | int | float | None]


def write_block_map(path: Path, blocks: Sequence[MappedBlock]) -> None:
    """Write blocks as a GeoPackage.

    In the CRS of the scenes, or in longitude and latitude if they have several. Where no scene has
    a georeference, in pixels; otherwise blocks of scenes without one are left out.

    Args:
        path: the file to write.
        blocks: with the same attributes in the same order; at least one.

    Raises:
        DataError: coordinates that have no place on the Earth.
        OSError: the file cannot be written.
    """
    known = [block for block in blocks if block.georeference.is_known]
    crss = {str(block.georeference.crs) for block in known}
    target = None if not known else crss.pop() if len(crss) == 1 else LONGITUDE_LATITUDE
    drawn = known or list(blocks)
    shapes = np.array([_outline(block, target) for block in drawn], object)
    columns = {name: _column(drawn, name) for name in drawn[0].attributes}
    path.write_bytes(layer_file(shapes, columns, target, _DAY, LAYER))


def _outline(block: MappedBlock, target: str | None) -> shapely.Geometry:
    window = block.window
    box = shapely.box(window.col_off, window.row_off, window.col_stop, window.row_stop)
    transform, crs = block.georeference.transform, str(block.georeference.crs)
    there = shapely.transform(box, lambda points: placed(points, transform))
    if target is None or crs == target:
        return there
    return reprojected(np.array([there], object), crs, target)[0]


def _column(blocks: Sequence[MappedBlock], name: str) -> Any:
    values = [block.attributes[name] for block in blocks]
    kind = type(next((value for value in values if value is not None), ""))
    return np.array(values, object if kind is str else kind)
