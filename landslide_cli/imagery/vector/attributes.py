"""Landslides as a table: a geometry and the attributes of landslide inventories in each row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.provenance import Provenance
from landslide_cli.imagery.raster.georeference import Geometries, Georeference
from landslide_cli.imagery.vector.landslides import Landslide
from landslide_cli.imagery.vector.shapes import size_classes

Fields = dict[str, NDArray[Any]]

# Decimals of degrees of a centroid, about a decimetre on the ground.
_CENTROID_DECIMALS = 6

# Names of the columns for people, with their units.
TITLES = {
    "id": "Number",
    "class": "Class",
    "area_m2": "Area (m²)",
    "area_px": "Area (pixels)",
    "perimeter_m": "Perimeter (m)",
    "perimeter_px": "Perimeter (pixels)",
    "length_m": "Length of the least rectangle (m)",
    "length_px": "Length of the least rectangle (pixels)",
    "width_m": "Width of the least rectangle (m)",
    "width_px": "Width of the least rectangle (pixels)",
    "orientation_deg": "Direction of the length (degrees from north)",
    "elongation": "Length / width",
    "compactness": "4π area / perimeter²",
    "size_class": "Size class",
    "mean_probability": "Mean probability",
    "min_probability": "Least probability",
    "confidence": "Confidence",
    "cut_by_edge": "Cut by the edge of the data",
    "longitude": "Longitude of the centroid (degrees)",
    "latitude": "Latitude of the centroid (degrees)",
    "lowest_m": "Lowest point (m)",
    "highest_m": "Highest point (m)",
    "relief_m": "Relief (m)",
    "slope_deg": "Mean slope (degrees)",
    "aspect_deg": "Aspect (degrees from north)",
    "reach_h_l": "Reach, H / L",
    "reach_angle_deg": "Reach angle (degrees)",
    "volume_guzzetti_m3": "Volume, estimate by Guzzetti et al. 2009 (m³)",
    "volume_larsen_m3": "Volume, estimate by Larsen et al. 2010, all (m³)",
    "volume_least_m3": "Volume, least of four estimates (m³)",
    "volume_most_m3": "Volume, greatest of four estimates (m³)",
    "scene": "Scene",
    "scene_id": "Number in the scene's file",
    "duplicate_of": "Duplicate of number (0: none)",
    "also_in": "Also in the scenes",
    "gsd_m": "Metres per pixel",
    "model": "Model",
    "mapped": "Date of the mapping",
    "xmin": "West",
    "ymin": "South",
    "xmax": "East",
    "ymax": "North",
}


@dataclass(frozen=True)
class LandslideTable:
    """Landslides as a layer: polygons in coordinates of `crs`, and columns of their attributes.

    `crs` is None without a georeference; the coordinates are those of the scene then.
    """

    geometries: Geometries
    fields: Fields
    crs: str | None

    @property
    def is_on_earth(self) -> bool:
        """Whether the place of the landslides on the Earth is known."""
        return self.crs is not None and not Georeference(self.crs).is_local


def table_of(
    landslides: Sequence[Landslide], georeference: Georeference, provenance: Provenance
) -> LandslideTable:
    """Make a table of the landslides of a scene, numbered from 1 on.

    Lengths are rounded to about a tenth of a pixel, areas to a tenth of a pixel's; angles to whole
    degrees, centroids to 1e-6 degrees.
    """
    in_metres = georeference.is_known
    geometries = np.array([landslide.geometry for landslide in landslides], object)
    fields = _attributes(landslides, in_metres, _decimals_of(provenance, in_metres))
    crs = str(georeference.crs) if in_metres else None
    if crs is not None and not georeference.is_local:
        points = np.array([landslide.centroid for landslide in landslides], float).reshape(-1, 2)
        longitude, latitude = points.round(_CENTROID_DECIMALS).T
        fields |= {"longitude": longitude, "latitude": latitude}
    fields |= _provenance_fields(provenance, len(landslides))
    return LandslideTable(geometries, fields, crs)


def inserted(table: LandslideTable, fields: Fields) -> LandslideTable:
    """Return the table with other columns, before those that tell where it comes from."""
    names = list(table.fields)
    at = names.index("scene")
    before = {name: table.fields[name] for name in names[:at] if name not in fields}
    after = {name: table.fields[name] for name in names[at:]}
    return LandslideTable(table.geometries, before | fields | after, table.crs)


def _attributes(
    landslides: Sequence[Landslide], in_metres: bool, decimals: tuple[int, int]
) -> Fields:
    length, area = ("m", "m2") if in_metres else ("px", "px")
    length_decimals, area_decimals = decimals

    def column(values: Sequence[object], dtype: type = float) -> NDArray[Any]:
        return np.array(values, dtype)

    areas = column([landslide.area for landslide in landslides])
    shapes = [landslide.shape for landslide in landslides]
    fields = {
        "id": np.arange(1, len(landslides) + 1),
        "class": column([landslide.class_name for landslide in landslides], object),
        f"area_{area}": areas.round(area_decimals),
        f"perimeter_{length}": column([landslide.perimeter for landslide in landslides]).round(
            length_decimals
        ),
        f"length_{length}": column([shape.length for shape in shapes]).round(length_decimals),
        f"width_{length}": column([shape.width for shape in shapes]).round(length_decimals),
        # 179.6 degrees are 0, not 180.
        "orientation_deg": column([shape.orientation for shape in shapes]).round() % 180.0,
        "elongation": column([shape.elongation for shape in shapes]).round(2),
        "compactness": column([shape.compactness for shape in shapes]).round(2),
    }
    if in_metres:
        fields["size_class"] = size_classes(areas)
    return fields | {
        "mean_probability": column([landslide.mean_probability for landslide in landslides]),
        "min_probability": column([landslide.min_probability for landslide in landslides]),
        "confidence": column([landslide.confidence for landslide in landslides], object),
        "cut_by_edge": column([landslide.cut_by_edge for landslide in landslides], bool),
    }


def _decimals_of(provenance: Provenance, in_metres: bool) -> tuple[int, int]:
    """Return the decimals of lengths and of areas that a scene's pixels bear."""
    pixel = provenance.gsd if in_metres and provenance.gsd is not None else 1.0

    def decimals(step: float) -> int:
        return max(0, math.ceil(-math.log10(step) - 1e-9))

    return decimals(pixel / 10.0), decimals(pixel**2 / 10.0)


def _provenance_fields(provenance: Provenance, count: int) -> Fields:
    """Repeat the provenance for each landslide."""
    gsd = np.nan if provenance.gsd is None else float(f"{provenance.gsd:.4g}")
    return {
        "scene": np.full(count, provenance.scene, object),
        "gsd_m": np.full(count, gsd),
        "model": np.full(count, provenance.model, object),
        "mapped": np.full(count, np.datetime64(provenance.mapped, "D")),
    }
