"""An inventory: the landslides of many scenes as one layer, each landslide counted once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from landslide_cli.imagery.raster.georeference import LONGITUDE_LATITUDE, Geometries
from landslide_cli.imagery.vector.attributes import TITLES, Fields, LandslideTable
from landslide_cli.imagery.vector.globe import on_the_globe

# Intersection over union from which on polygons of two scenes are the same landslide.
SAME_IOU = 0.5


def inventory_of(tables: Sequence[LandslideTable], merge: bool) -> LandslideTable | None:
    """Put the landslides of scenes into one table, numbered from 1 on.

    Polygons of two scenes whose intersection is more than half of their union are one landslide. Of
    these the first is kept that is whole, not cut by the edge of its scene, then the one of the
    higher mean probability. `duplicate_of` of the others is its number, and 0 of all that are kept;
    `also_in` of those names the scenes of the others; `scene_id` is the number in the scene's file.

    The table is in the CRS of the scenes, or in longitude and latitude if they have several.

    Args:
        tables: of the scenes. Without a georeference they have no place in an inventory, nor have
            those in a local CRS beside those in another CRS.
        merge: leave the duplicates out.

    Returns:
        The table; None if no scene has a place in it.

    Raises:
        DataError: coordinates that have no place on the Earth.
    """
    placed = [table for table in tables if table.crs is not None]
    if len({table.crs for table in placed}) > 1:
        placed = [_on_the_globe(table) for table in placed if table.is_on_earth]
    if not placed:
        return None
    geometries = np.concatenate([table.geometries for table in placed])
    fields = _joined(placed)
    duplicate_of = duplicates(
        geometries, fields["scene"], fields["cut_by_edge"], fields["mean_probability"]
    )
    also_in = np.full(len(geometries), "", object)
    for index in np.flatnonzero(duplicate_of >= 0).tolist():
        kept = duplicate_of[index]
        also_in[kept] = ", ".join(filter(None, (also_in[kept], fields["scene"][index])))
    stays = duplicate_of < 0 if merge else np.ones(len(geometries), np.bool_)
    numbers = np.cumsum(stays)
    found = np.where(duplicate_of >= 0, numbers[duplicate_of], 0)
    fields = {"id": numbers} | {name: fields[name] for name in fields if name != "id"} | {
        "scene_id": fields["id"],
        "duplicate_of": found.astype(np.int64),
        "also_in": also_in,
    }  # fmt: skip
    kept_fields = {name: column[stays] for name, column in fields.items()}
    return LandslideTable(geometries[stays], kept_fields, placed[0].crs)


def duplicates(
    geometries: Geometries,
    scenes: NDArray[np.object_],
    cut: NDArray[np.bool_],
    probability: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Return for each polygon the index of that of another scene which is kept for it, or -1.

    Args:
        geometries: in one plane; of a small part of the Earth degrees will do.
        scenes: names of their scenes.
        cut: whether they are cut by the edge of the scene.
        probability: their mean probabilities.
    """
    first, second = _same(geometries, scenes)
    neighbours: dict[int, list[int]] = {}
    for a, b in zip(first.tolist(), second.tolist(), strict=True):
        neighbours.setdefault(a, []).append(b)
    result = np.full(len(geometries), -1, np.int64)
    is_kept = np.zeros(len(geometries), np.bool_)
    for index in np.lexsort((-probability, cut)).tolist():
        kept = [earlier for earlier in neighbours.get(index, []) if is_kept[earlier]]
        is_kept[index] = not kept
        if kept:
            result[index] = kept[0]
    return result


def _same(
    geometries: Geometries, scenes: NDArray[np.object_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of polygons of two scenes that are the same landslide, both ways round."""
    first, second = shapely.STRtree(geometries).query(geometries, predicate="intersects")
    pairs = (first < second) & (scenes[first] != scenes[second])
    first, second = first[pairs], second[pairs]
    shared = shapely.area(shapely.intersection(geometries[first], geometries[second]))
    union = shapely.area(geometries[first]) + shapely.area(geometries[second]) - shared
    same = shared > SAME_IOU * union
    first, second = first[same], second[same]
    return np.r_[first, second], np.r_[second, first]


def _on_the_globe(table: LandslideTable) -> LandslideTable:
    geometries = on_the_globe(table.geometries, str(table.crs))
    return replace(table, geometries=geometries, crs=LONGITUDE_LATITUDE)


def _joined(tables: Sequence[LandslideTable]) -> Fields:
    """Put columns below each other, in the order of the titles; empty where a scene has none."""
    names = {name for table in tables for name in table.fields}
    return {
        name: np.concatenate([_column(table, name, tables) for table in tables])
        for name in TITLES
        if name in names
    }


def _column(table: LandslideTable, name: str, tables: Sequence[LandslideTable]) -> NDArray[Any]:
    if name in table.fields:
        return table.fields[name]
    dtype = next(layer.fields[name].dtype for layer in tables if name in layer.fields)
    count = len(table.geometries)
    return np.full(count, None, object) if dtype.kind == "O" else np.full(count, np.nan)
