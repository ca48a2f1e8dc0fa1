"""What the report says of a folder of maps: its scenes, its landslides, and how they were made."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import Palette
from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.errors import DataError
from landslide_cli.imagery.map_frame import Polygon, bounds_of, polygons_in_pixels
from landslide_cli.imagery.raster.georeference import Geometries
from landslide_cli.imagery.raster.images import probe, read_tags
from landslide_cli.imagery.vector.attributes import LandslideTable
from landslide_cli.imagery.vector.polygon_files import CONFIDENCE
from landslide_cli.imagery.vector.shapes import SIZE_CLASSES
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import mask_path
from landslide_cli.runs.map_record import FinishedScene, MapRecord, read_record
from landslide_cli.runs.plan import Plan
from landslide_cli.stages.show.landslides import DRAWN_BY_HAND, UNITS, Landslides
from landslide_cli.stages.show.report.scenes import ScenePart, scene_part, thumbnail

# Landslides of the table of the largest.
_LARGEST = 20
_CONFIDENCES = [str(category.value) for category in CONFIDENCE]


@dataclass(frozen=True)
class LargeRow:
    """A line of the table of the largest landslides; `bounds` are in pixels of its scene."""

    scene: str
    scene_key: str | None
    id: int
    class_name: str
    area: float
    confidence: str
    probability: float | None
    length: float | None
    width: float | None
    place: tuple[float, float] | None
    cut_by_edge: bool
    thumbnail: str | None
    bounds: list[float]


@dataclass(frozen=True)
class SizeTable:
    """Numbers and areas of landslides by size class, a row each, and by confidence."""

    unit: str
    confidences: list[str]
    rows: list[tuple[str, list[tuple[int, float]]]]
    without_area: int
    duplicates: int


@dataclass(frozen=True)
class MapPart:
    """A folder of maps as the report shows it.

    `scenes` are those that are drawn, `left_out` the names of the others; `summary` has a line per
    scene: name, size, GSD and landslides. `largest` has rows per unit of area, `m2` or `px`.
    `legend` and `confidences` are names and colours, the latter with a kind of line. Warnings and
    notes come with the name of their scene.
    """

    scenes: list[ScenePart]
    left_out: list[str]
    summary: list[tuple[str, ...]]
    key_figures: list[tuple[str, str]]
    sizes: list[SizeTable]
    largest: list[tuple[str, list[LargeRow]]]
    legend: list[tuple[str, tuple[int, int, int]]]
    confidences: list[tuple[str, tuple[int, int, int], str]]
    provenance: list[tuple[str, str]]
    warnings: list[tuple[str, str]]
    notes: list[tuple[str, str]]


def map_part(
    profile: Profile,
    folder: Path,
    tables: Mapping[str, LandslideTable],
    groups: Sequence[Landslides],
    limit: int | None,
    reporter: Reporter,
) -> MapPart | None:
    """Return what there is of a folder of maps; None without a record of it, or without maps.

    Args:
        profile: its palette and `show.items` are used.
        folder: of the maps.
        tables: the polygons of its scenes.
        groups: the same put together.
        limit: scenes to draw at the most. Default: `show.items`.
        reporter: shown the progress.

    Raises:
        DataError: the record is damaged.
    """
    record = read_record(folder / MAPS_RECORD)
    scenes = {name: stored.finished(name) for name, stored in sorted(record.scenes.items())}
    present = [scene for scene in scenes.values() if mask_path(folder, scene.name).exists()]
    if not present:
        return None
    # The scenes with the most landslides are looked at first.
    ordered = sorted(present, key=lambda scene: -_area(scene))
    most = limit or profile.show.items
    drawn, left_out = ordered[:most], ordered[most:]
    pixels = _in_pixels(present, folder, tables)
    parts: list[ScenePart] = []
    palette = profile.palette
    with reporter.track("drawing the report", len(drawn) + 1) as advance:
        for scene in drawn:
            key = f"scene-{len(parts) + 1}"
            polygons = pixels.get(scene.name)
            landslides = None if polygons is None else (tables[scene.name], polygons)
            parts.append(scene_part(scene, key, folder, profile, landslides, len(drawn), reporter))
            advance()
        keys = {part.name: part.key for part in parts}
        largest = [
            (group.unit, _largest(group, scenes, keys, tables, pixels, profile.shown_bands))
            for group in groups
        ]
        advance()
    return MapPart(
        parts,
        [scene.name for scene in left_out],
        [_line(scene) for scene in present],
        _key_figures(present, groups, palette),
        [_sizes(group) for group in groups],
        largest,
        [(palette.names[index], palette.colours[index]) for index in palette.foreground],
        [(category.label, category.colour, category.line) for category in CONFIDENCE],
        _provenance(profile, record, folder, present),
        [(scene.name, text) for scene in present for text in scene.scale.warnings],
        [(scene.name, text) for scene in present for text in scene.scale.notes],
    )


def _in_pixels(
    scenes: Sequence[FinishedScene], folder: Path, tables: Mapping[str, LandslideTable]
) -> dict[str, Geometries]:
    """Take the landslides of the scenes to pixels; of none that has no place there."""
    pixels = {}
    for scene in scenes:
        if scene.name in tables:
            place = probe(mask_path(folder, scene.name)).georeference
            try:
                pixels[scene.name] = polygons_in_pixels(tables[scene.name], place)
            except DataError:
                continue
    return pixels


def _largest(
    group: Landslides,
    scenes: Mapping[str, FinishedScene],
    keys: Mapping[str, str],
    tables: Mapping[str, LandslideTable],
    pixels: Mapping[str, Geometries],
    colours: Sequence[int] | None,
) -> list[LargeRow]:
    areas = np.where(group.are_measured, group.areas, 0.0)
    rows = []
    for index in np.argsort(-areas, kind="stable")[:_LARGEST].tolist():
        name, number = str(group.scenes[index]), int(group.ids[index])
        polygon = None
        if name in pixels:
            places = np.flatnonzero(tables[name].fields["id"] == number)
            polygon = pixels[name][places[0]] if len(places) else None
        if areas[index] > 0.0:
            picture = None if polygon is None else thumbnail(scenes[name], polygon, colours)
            rows.append(_row(group, index, keys.get(name), polygon, picture))
    return rows


def _row(
    group: Landslides,
    index: int,
    key: str | None,
    polygon: Polygon | None,
    picture: str | None,
) -> LargeRow:
    fields = group.fields
    longitude, latitude = (_number(fields[name], index) for name in ("longitude", "latitude"))
    return LargeRow(
        str(group.scenes[index]),
        None if polygon is None else key,
        int(group.ids[index]),
        str(fields["class"][index]),
        float(group.areas[index]),
        str(fields["confidence"][index]),
        _number(fields["mean_probability"], index),
        _number(group.lengths, index),
        _number(group.widths, index),
        None if longitude is None or latitude is None else (longitude, latitude),
        bool(fields["cut_by_edge"][index]),
        picture,
        [] if polygon is None else list(bounds_of(polygon)),
    )


def _line(scene: FinishedScene) -> tuple[str, ...]:
    """Return a line of the table of all scenes."""
    summary, unit = scene.summary, UNITS[scene.summary.unit]
    totals = [
        f"{total.name}: {total.landslides:,}, {total.area:,.0f} {unit} ({total.share:.1%})"
        for total in summary.totals
    ]
    gsd = "unknown" if summary.gsd is None else f"{summary.gsd:.3g} m"
    return scene.name, f"{scene.width:,} × {scene.height:,}", gsd, "; ".join(totals)


def _key_figures(
    scenes: Sequence[FinishedScene], groups: Sequence[Landslides], palette: Palette
) -> list[tuple[str, str]]:
    """Return the numbers that a reader looks for first, with their words."""
    figures = []
    for group in groups:
        areas = group.areas[group.are_measured]
        total, unit = float(areas.sum()), UNITS[group.unit]
        is_large = group.unit == "m2" and total >= 1e6
        words = palette.polygons.removesuffix("s" * (len(areas) == 1))
        if group.unit == "px" and len(groups) > 1:
            words += " without georeference"
        figures += [
            (words, f"{len(areas):,}"),
            ("their area", f"{total / 1e6:,.2f} km²" if is_large else f"{total:,.0f} {unit}"),
        ]
    pixels = [scene.summary.pixels for scene in scenes]
    names = [palette.names[index] for index in palette.foreground]
    shares = [sum(scene.summary.class_shares.get(name, 0.0) for name in names) for scene in scenes]
    marked = np.average(shares, weights=np.maximum(pixels, 1))
    figures.append(("of the pixels with data", f"{marked:.2%}"))
    sides = [scene.summary.gsd for scene in scenes]
    ground = [count * side**2 for count, side in zip(pixels, sides, strict=True) if side]
    if len(ground) == len(scenes):
        figures.append(("mapped", f"{sum(ground) / 1e6:,.2f} km²"))
    return figures


def _sizes(group: Landslides) -> SizeTable:
    known, measured = group.fields["confidence"], group.are_measured
    columns = {name: known == name for name in _CONFIDENCES if (known == name).any()}
    others = ~np.isin(known.astype(str), list(columns))
    if others.any():
        columns[DRAWN_BY_HAND] = others
    rows = {"all sizes": measured}
    if group.unit == "m2":
        sizes = group.fields["size_class"]
        of_size = {name.replace("m2", "m²"): measured & (sizes == name) for name in SIZE_CLASSES}
        rows = {name: row for name, row in of_size.items() if row.any()} | rows
    table = []
    for name, row in rows.items():
        cells = [*(row & column for column in columns.values()), row]
        table.append((name, [(int(cell.sum()), float(group.areas[cell].sum())) for cell in cells]))
    without_area = int((~measured).sum())
    return SizeTable(group.unit, list(columns), table, without_area, group.duplicates)


def _provenance(
    profile: Profile, record: MapRecord, folder: Path, scenes: Sequence[FinishedScene]
) -> list[tuple[str, str]]:
    settings, plan, first = record.made_from, record.plan, scenes[0]
    tags = read_tags(mask_path(folder, first.name))
    drawn = {**vars(first.outputs.drawing)}
    threshold = drawn.pop("threshold")
    rows = {
        "Made by": tags.get("SOFTWARE", ""),
        "Mapped on": _list(sorted(scene.summary.mapped for scene in scenes)),
        "Profile": profile.name,
        "Model": str(settings.get("model", "")),
        "Licence of the weights": tags.get("MODEL_LICENCE", ""),
        "Threshold": "the most probable class" if threshold is None else f"{threshold:g}",
        "Polygons": ", ".join(f"infer.{key} {value:g}" for key, value in drawn.items()),
        "Seen by the model at": _list(_model_gsd(scene) for scene in scenes),
        "Views averaged (infer.tta)": str(settings.get("infer.tta", "")),
        "No data (infer.nodata)": str(settings.get("infer.nodata", "")),
        "Engine": "" if plan is None else f"{plan.engine}, {plan.precision}",
        "Windows": "" if plan is None else _windows(plan),
        "Folder": str(folder),
    }
    return [(key, value) for key, value in rows.items() if value]


def _windows(plan: Plan) -> str:
    if plan.tile is None:
        return "whole scenes"
    return f"{plan.tile} pixels, overlapping by {plan.overlap}"


def _area(scene: FinishedScene) -> float:
    return sum(total.area for total in scene.summary.totals)


def _model_gsd(scene: FinishedScene) -> str:
    if scene.scale.model_gsd is not None:
        return f"{scene.scale.model_gsd:.3g} m per pixel"
    return f"{scene.scale.scale_factors[0]:.3g} of the scene's size"


def _list(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _number(column: NDArray[np.float64], index: int) -> float | None:
    return None if math.isnan(column[index]) else float(column[index])
