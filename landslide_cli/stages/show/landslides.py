"""The landslides of a folder of maps, each counted once, and the distribution of their areas."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.frequency_area import LEAST, FrequencyArea, frequency_area
from landslide_cli.errors import DataError
from landslide_cli.imagery.vector.attributes import LandslideTable
from landslide_cli.imagery.vector.inventory import inventory_of
from landslide_cli.imagery.vector.polygon_files import read_table
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import polygon_files

# How the units of areas are written for people.
UNITS = {"m2": "m²", "px": "pixels"}

# What polygons without a confidence are: those that people add to the file.
DRAWN_BY_HAND = "drawn by hand"

# Columns that polygons drawn by hand may lack, with what stands there then.
_TEXTS = ("class", "confidence", "size_class")
_NUMBERS = ("mean_probability", "longitude", "latitude")


@dataclass(frozen=True)
class Landslides:
    """Landslides whose areas have the same unit, `m2` or `px`, as columns of equal length.

    `scenes` and `ids` name each by its scene and its number there; `lengths` and `widths` are those
    of the least rectangle, in metres or pixels. `fields` has the class, confidence, size class,
    mean probability, whether it is cut by the edge, longitude and latitude by their names in the
    files. `duplicates` is the number of polygons left out as landslides of an overlapping scene.
    """

    unit: str
    scenes: NDArray[np.object_]
    ids: NDArray[np.int64]
    areas: NDArray[np.float64]
    lengths: NDArray[np.float64]
    widths: NDArray[np.float64]
    fields: Mapping[str, NDArray[Any]]
    duplicates: int = 0

    @property
    def are_measured(self) -> NDArray[np.bool_]:
        """Which have an area; a person who draws a polygon may leave it out."""
        return np.asarray(np.isfinite(self.areas) & (self.areas > 0.0), np.bool_)

    @property
    def are_whole(self) -> NDArray[np.bool_]:
        """Which have an area that the edge of the data has not cut."""
        return np.asarray(self.are_measured & ~self.fields["cut_by_edge"], np.bool_)


@dataclass(frozen=True)
class Distribution:
    """The distribution of the areas of whole landslides in a unit, and how many were left out."""

    unit: str
    areas: NDArray[np.float64]
    fitted: FrequencyArea
    cut_by_edge: int
    duplicates: int

    def document(self) -> dict[str, Any]:
        """Return the numbers as plain JSON values."""
        return {
            "unit": self.unit,
            **asdict(self.fitted),
            "least_for_a_fit": LEAST,
            "left_out": {"cut_by_edge": self.cut_by_edge, "duplicates": self.duplicates},
        }


def tables_of(folder: Path, polygons: str, reporter: Reporter) -> dict[str, LandslideTable]:
    """Read the polygons of all scenes in a folder of maps, by the name of the scene.

    Files that cannot be read are warned of and left out.

    Args:
        folder: of the maps.
        polygons: what its files are called after (`Palette.polygons`).
        reporter: told of files that cannot be read.
    """
    tables = {}
    for scene, path in polygon_files(folder, polygons).items():
        try:
            tables[scene] = _completed(scene, read_table(path))
        except DataError as error:
            reporter.warn(f"{error}; it is left out")
    return {scene: table for scene, table in tables.items() if len(table.geometries)}


def landslides_of(tables: Mapping[str, LandslideTable]) -> list[Landslides]:
    """Put the landslides of scenes together by the unit of their areas, each counted once."""
    in_metres = [table for table in tables.values() if "area_m2" in table.fields]
    in_pixels = [table for table in tables.values() if "area_px" in table.fields]
    placed = [table for table in in_metres if table.is_on_earth]
    apart = [table for table in in_metres if not table.is_on_earth]
    count = sum(len(table.geometries) for table in placed)
    merged = inventory_of(placed, merge=True) if len(placed) > 1 else None
    placed = placed if merged is None else [merged]
    duplicates = count - sum(len(table.geometries) for table in placed)
    groups = [("m2", "m", [*placed, *apart], duplicates), ("px", "px", in_pixels, 0)]
    return [_joined(unit, length, own, twice) for unit, length, own, twice in groups if own]


def distributions(groups: Sequence[Landslides]) -> list[Distribution]:
    """Fit the areas of whole landslides, for each unit that there are any of."""
    results = []
    for landslides in groups:
        areas, measured = landslides.areas[landslides.are_whole], landslides.are_measured
        if len(areas):
            cut = int(measured.sum()) - len(areas)
            fitted = frequency_area(areas)
            results.append(Distribution(landslides.unit, areas, fitted, cut, landslides.duplicates))
    return results


def _completed(scene: str, table: LandslideTable) -> LandslideTable:
    """Fill the gaps that polygons have which a person has drawn; they are numbered last."""
    count, fields = len(table.geometries), dict(table.fields)
    if count == 0:
        return table
    for name in _TEXTS:
        column = fields.get(name, np.full(count, "", object))
        fields[name] = np.array([value or "" for value in column.tolist()], object)
    numbers = [name for name in fields if name.startswith(("area_", "length_", "width_"))]
    for name in (*_NUMBERS, *numbers):
        fields[name] = fields.get(name, np.full(count, np.nan)).astype(np.float64)
    cut = fields.get("cut_by_edge", np.zeros(count, np.bool_))
    fields["cut_by_edge"] = np.array([value in (True, 1) for value in cut.tolist()], np.bool_)
    ids = fields["id"].astype(np.float64)
    missing = np.isnan(ids)
    ids[missing] = np.nanmax(ids, initial=0.0) + 1.0 + np.arange(missing.sum())
    fields |= {"id": ids.astype(np.int64), "scene": np.full(count, scene, object)}
    return LandslideTable(table.geometries, fields, table.crs)


def _joined(
    unit: str, length: str, tables: Sequence[LandslideTable], duplicates: int
) -> Landslides:
    def column(name: str) -> NDArray[Any]:
        return np.concatenate([table.fields[name] for table in tables])

    numbers = [table.fields.get("scene_id", table.fields["id"]) for table in tables]
    return Landslides(
        unit,
        column("scene"),
        np.concatenate(numbers).astype(np.int64),
        column(f"area_{unit}"),
        column(f"length_{length}"),
        column(f"width_{length}"),
        {name: column(name) for name in (*_TEXTS, *_NUMBERS, "cut_by_edge")},
        duplicates,
    )
