"""Polygons laid on scenes: the masks that every later step reads, as GeoTIFFs in the dataset."""

from collections.abc import Mapping, Sequence

from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.labels import layer_files, layer_names, read_layer, read_rules
from landslide_cli.dataset.scenes import background_scenes
from landslide_cli.dataset.sources import label_mask, labels_folder
from landslide_cli.errors import DataError, counted, listed
from landslide_cli.imagery.vector.label_masks import (
    ClassedLayer,
    LabelCounts,
    PlacedScene,
    polygons_on_no_scene,
    write_label_mask,
)
from landslide_cli.imagery.vector.layers import PolygonLayer
from landslide_cli.imagery.vector.own_maps import is_untouched_map
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
    names = layer_names(labels)
    areas = [] if labels.area is None else [labels.area]
    files = [file for name in [*names, *areas] for file in layer_files(name)]
    alone = profile.model_copy(update={"source": profile.sources[source]})
    settings = alone.settings("source.labels", "classes") | {"limit": limit}
    step = Step.of(
        folder / PREPARE_RECORD, settings, [*files, *(s.image for s in scenes)], overwrite
    )
    if step.finished_before("prepare", overwrite) is not None:
        return
    if not step.path.exists():
        refuse_overwrite([folder], overwrite)
    layers = _layers(profile, labels, names)
    rules = read_rules(labels)
    placed = {scene.name: PlacedScene.of(scene.image) for scene in scenes}
    drawn = [classed.layer for classed in layers if len(classed.layer.geometries)]
    outside = sum(polygons_on_no_scene(layer, list(placed.values())) for layer in drawn)
    if rules.area is not None:
        polygons_on_no_scene(rules.area, list(placed.values()))
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
    _tell(labels, [classed.layer for classed in layers], outside, counts, reporter)
    _warn_of_maps(labels, names, reporter)


def _layers(profile: Profile, labels: LabelSettings, names: Sequence[str]) -> list[ClassedLayer]:
    """Read the layers. Of several some may be empty, as maps of scenes without landslides are."""
    layers = [read_layer(profile, labels, name, may_be_empty=len(names) > 1) for name in names]
    if not any(len(classed.layer.geometries) for classed in layers):
        raise DataError(
            f"{names[0]} and {counted(len(names) - 1, 'layer')} more: no polygon in any of them; "
            f"for ground without {profile.palette.plural} set source.masks: none"
        )
    return layers


def _require_polygons(scene: PlacedScene, counts: LabelCounts, labels: LabelSettings) -> None:
    if labels.empty == "error" and counts.polygons == 0:
        raise DataError(
            f"{scene.path}: has no polygon; set source.labels.empty: background if all of it is"
        )


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
    filtered = sum(layer.filtered for layer in layers)
    empty = sum(len(layer.geometries) == 0 for layer in layers)
    said = [f"{counted(polygons, 'polygon')} laid on {counted(len(counts), 'scene')}"]
    said += [f"{repaired} repaired"] if repaired else []
    said += [f"{outside} on no scene"] if outside else []
    said += [f"{counted(without, 'scene')} without any"] if without else []
    said += [f"{counted(empty, 'layer')} without any"] if empty else []
    said += [f"{filtered} left out by source.labels.where, as background"] if filtered else []
    reporter.note("; ".join(said))
    if others:
        reporter.warn(
            f"source.labels: left out {others} points, lines or geometries without an area"
        )
    if small and not labels.all_touched:
        reporter.warn(
            f"source.labels: {counted(small, 'polygon')} of less than a pixel, lost where no "
            "middle of a pixel lies in it; source.labels.all_touched: true keeps all"
        )
    unlabelled = [name for name, scene in counts.items() if scene.pixels == 0]
    if unlabelled:
        reporter.warn(f"source.labels: no pixel has a label in {listed(unlabelled, most=3)}")


def _warn_of_maps(labels: LabelSettings, names: Sequence[str], reporter: Reporter) -> None:
    """Warn of maps of this program in which nobody has corrected or marked anything."""
    # By another field than that of the classes a person has said something of the polygons.
    is_marked = isinstance(labels.class_, ClassFieldSettings) and labels.class_.values is not None
    if is_marked or labels.where is not None or labels.area is not None:
        return
    untouched = [name for name in names if is_untouched_map(name)]
    if untouched:
        reporter.warn(
            f"{listed(untouched, most=3)}: as `infer-tiled` wrote it, so that a training on it "
            "learns the mistakes of the model; correct it, and set source.labels.area to what has "
            "been checked"
        )
