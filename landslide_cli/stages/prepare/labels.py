"""Polygons laid on scenes: the masks that every later step reads, as GeoTIFFs in the dataset."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from landslide_cli.core.palette import IGNORE
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.finding import existing, find_files
from landslide_cli.dataset.prepared import label_mask, labels_folder
from landslide_cli.dataset.scenes import background_scenes
from landslide_cli.errors import DataError, counted, listed
from landslide_cli.imagery.vector.label_masks import (
    ClassedLayer,
    LabelCounts,
    LabelRules,
    PlacedScene,
    polygons_on_no_scene,
    write_label_mask,
)
from landslide_cli.imagery.vector.layers import PolygonLayer, divide_layer, read_polygons
from landslide_cli.outputs import whole_folder
from landslide_cli.profile import ClassFieldSettings, LabelSettings, Profile
from landslide_cli.records import Step, refuse_overwrite
from landslide_cli.reporting import Reporter


def lay_labels(
    profile: Profile,
    source: int,
    labels: LabelSettings,
    limit: int | None,
    overwrite: bool,
    reporter: Reporter,
) -> None:
    """Draw the polygons of a source's layers on its scenes, unless that is done.

    Raises:
        ChangedError: there are masks of other polygons or settings.
        DataError: layers or scenes cannot be used, or do not lie on each other.
        OutputError: the folder holds files of another origin.
    """
    scenes = background_scenes(profile.sources[source].images or "", limit)
    folder = labels_folder(profile, source)
    names = _names(labels)
    areas = [] if labels.area is None else [labels.area]
    files = [file for name in [*names, *areas] for file in _files_of(divide_layer(name)[0])]
    alone = profile.model_copy(update={"source": profile.sources[source]})
    settings = alone.settings("source.labels", "classes") | {"limit": limit}
    step = Step.of(
        folder / PREPARE_RECORD, settings, [*files, *(s.image for s in scenes)], overwrite
    )
    if step.finished_before("prepare", overwrite) is not None:
        return
    if not step.path.exists():
        refuse_overwrite([folder], overwrite)
    layers = [_classed(profile, labels, name) for name in names]
    area = None if labels.area is None else read_polygons(labels.area, crs=labels.crs)
    placed = {scene.name: PlacedScene.of(scene.image) for scene in scenes}
    drawn = [classed.layer for classed in layers]
    outside = sum(polygons_on_no_scene(layer, list(placed.values())) for layer in drawn)
    if area is not None:
        polygons_on_no_scene(area, list(placed.values()))
    rules = LabelRules(area, labels.edge_size, labels.all_touched)
    colours = dict(enumerate(profile.palette.colours))
    progress = reporter.track("labelling scenes", len(scenes))
    with whole_folder(folder) as partial, progress as advance:
        counts: dict[str, LabelCounts] = {}
        for name, scene in placed.items():
            counts[name] = write_label_mask(
                scene, label_mask(partial, name), layers, rules, colours
            )
            _require_polygons(scene, counts[name], labels)
            advance()
        step.finish({"scenes": len(scenes)}, partial / PREPARE_RECORD)
    _tell(labels, drawn, outside, counts, reporter)


def _require_polygons(scene: PlacedScene, counts: LabelCounts, labels: LabelSettings) -> None:
    if labels.empty == "error" and counts.polygons == 0:
        raise DataError(
            f"{scene.path}: has no polygon; set source.labels.empty: background if there is no "
            "landslide on it"
        )


def _names(labels: LabelSettings) -> list[str]:
    """Name the layers, those of patterns one by one."""
    names = []
    for name in labels.layers:
        file, _ = divide_layer(name)
        # A database or a service is no file.
        is_one = existing(file) is not None or ":" in file
        found = [] if is_one else [str(path) for path in find_files(file)]
        if not is_one and not found:
            raise DataError(f"{file}: no such file; name vector files in source.labels.files")
        names += [name.replace(file, path, 1) for path in found] or [name]
    return names


def _files_of(file: str) -> list[Path]:
    """Return the files of a layer: several of a shapefile, none of a service."""
    path = existing(file)
    if path is None:
        return []
    if path.is_dir():
        return sorted(inner for inner in path.iterdir() if inner.is_file())
    if path.suffix.lower() != ".shp":
        return [path]
    beside = (path.with_suffix(suffix) for suffix in (".dbf", ".shx", ".prj", ".cpg"))
    return [path, *(part for part in beside if part.exists())]


def _classed(profile: Profile, labels: LabelSettings, name: str) -> ClassedLayer:
    """Read a layer and give each polygon its class."""
    chosen, names = labels.class_, profile.palette.names
    field = chosen.field if isinstance(chosen, ClassFieldSettings) else None
    layer = read_polygons(name, field, labels.where, labels.crs)
    if not isinstance(chosen, ClassFieldSettings):
        index = profile.palette.foreground if chosen is None else names.index(chosen)
        return ClassedLayer(layer, np.full(len(layer.geometries), index, np.uint8))
    indices = {
        str(value): IGNORE if to is None else names.index(to) for value, to in chosen.values.items()
    }
    values = ["null" if value is None else value for value in layer.values]
    unknown = Counter(value for value in values if value not in indices)
    if unknown:
        told = [f"'{value}' ({counted(count, 'polygon')})" for value, count in unknown.items()]
        raise DataError(
            f"{name}: the field '{field}' has values that source.labels.class.values does not "
            f"name: {listed(told, most=5)}"
        )
    return ClassedLayer(layer, np.array([indices[value] for value in values], np.uint8))


def _tell(
    labels: LabelSettings,
    layers: Sequence[PolygonLayer],
    outside: int,
    counts: Mapping[str, LabelCounts],
    reporter: Reporter,
) -> None:
    """Say what became of the polygons, and warn of what hardly anybody wants."""
    polygons = sum(scene.polygons for scene in counts.values())
    small = sum(scene.small for scene in counts.values())
    without = sum(scene.polygons == 0 for scene in counts.values())
    repaired = sum(layer.repaired for layer in layers)
    others = sum(layer.others for layer in layers)
    said = [f"{counted(polygons, 'polygon')} laid on {counted(len(counts), 'scene')}"]
    said += [f"{repaired} repaired"] if repaired else []
    said += [f"{outside} on no scene"] if outside else []
    said += [f"{counted(without, 'scene')} without any"] if without else []
    reporter.note("; ".join(said))
    if others:
        reporter.warn(f"source.labels: left out {others} points, lines or empty geometries")
    if small and not labels.all_touched:
        reporter.warn(
            f"source.labels: {counted(small, 'polygon')} of less than a pixel, lost where no "
            "middle of a pixel lies in it; source.labels.all_touched: true keeps all"
        )
    unlabelled = [name for name, scene in counts.items() if scene.pixels == 0]
    if unlabelled:
        reporter.warn(f"source.labels: no pixel has a label in {listed(unlabelled, most=3)}")
