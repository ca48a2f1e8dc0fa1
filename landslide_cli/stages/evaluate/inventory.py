"""`landslide evaluate --inventory`: the labels against another inventory, without any model.

Two inventories of the same ground never agree. The mapping error of the literature on landslides
tells how far they differ, and so what to expect of a model (Carrara et al., "Uncertainty in
assessing landslide hazard and risk", ITC Journal 1992; Galli et al., "Comparing landslide inventory
maps", Geomorphology 94, 2008).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from landslide_cli.core.palette import IGNORE, Mask, Palette, is_foreground
from landslide_cli.core.parts import Part
from landslide_cli.core.scores.confusion import confusion
from landslide_cli.core.scores.objects import ObjectTally
from landslide_cli.core.tiling.grid import Window
from landslide_cli.dataset.finding import existing
from landslide_cli.dataset.labels import layer_names, read_layer, read_rules
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.sources import delivered_scenes_of, scenes_named
from landslide_cli.dataset.split_record import scene_names
from landslide_cli.dataset.truth import form_of_mask, truth_in
from landslide_cli.documents import write_json
from landslide_cli.errors import DataError, UsageError, counted, listed
from landslide_cli.imagery.raster.georeference import pixel_area
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.raster.opening import opened
from landslide_cli.imagery.vector.label_masks import (
    ClassedLayer,
    LabelRules,
    PlacedScene,
    SceneLabels,
    polygons_on_no_scene,
)
from landslide_cli.imagery.vector.layers import PolygonLayer, divide_layer, read_polygons
from landslide_cli.locks import clear_leftovers, refusing
from landslide_cli.outputs import write_csv
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.runs.files import inventory_home, run_lock
from landslide_cli.runs.run import check_fold
from landslide_cli.stages.evaluate.inventory_result import InventoryResult, SceneOverlap

# Rows that are read together are a multiple of `_ROWS`, and about `_PIXELS` pixels.
_ROWS, _PIXELS = 256, 2**23

# From a window to the labels of its pixels.
ReadLabels = Callable[[Window], Mask]


def compare_inventories(
    profile: Profile,
    inventory: str,
    *,
    part: Part | None = None,
    limit: int | None = None,
    reporter: Reporter | None = None,
) -> InventoryResult:
    """Compare the labels of the profile's scenes with another inventory, by area and by objects.

    All classes of the foreground are taken together. Only pixels with a label are compared. Scenes
    are read in strips. `<run>.inventory` gets `inventory.json` and `inventory.csv`, a line per
    scene.

    Args:
        profile: its `source`, `classes`, `bands`, `run` and `evaluate.object_sizes` are used, with
            a part also its `dataset`, `split` and `fold`.
        inventory: a layer of polygons, named as in `source.labels.files`.
        part: compare only the scenes of this part. Default: all scenes of the source.
        limit: take only the first scenes, by name.
        reporter: shown the progress, and told how many polygons were taken.

    Raises:
        UsageError: the scenes of a part are split into folds and none is named.
        BusyError: another process compares inventories for the run.
        DataError: layers, masks or scenes cannot be used, or do not lie on each other.
    """
    reporter = reporter or SilentReporter()
    folder = inventory_home(profile)
    layer = _read_inventory(inventory)
    told = reporter if part is None else SilentReporter()
    every = _placed(_labelled(delivered_scenes_of(profile, are_drawn=False)), told)
    # A part, or the first scenes, may well have no polygon.
    outside = polygons_on_no_scene(layer, [place for _, place in every])
    _tell(layer, outside, reporter)
    scenes = every if part is None else _placed(_scenes_in(profile, part), reporter)
    with refusing(run_lock(folder), "compared", folder):
        clear_leftovers(folder)
        overlaps = _overlaps(profile, scenes[:limit], layer, reporter)
        result = InventoryResult(
            inventory=inventory,
            part=part,
            polygons=len(layer.geometries),
            outside=outside,
            bounds=list(profile.evaluate.object_sizes),
            overlaps=overlaps,
            files=[folder / "inventory.json", folder / "inventory.csv"],
            plural=profile.palette.plural,
        )
        document, table = result.files
        write_csv(table, *result.lines())
        write_json(document, result.document())
    return result


def _read_inventory(inventory: str) -> PolygonLayer:
    file, _ = divide_layer(inventory)
    if existing(file) is None and ":" not in file:
        raise DataError(f"{file}: no such file; name a vector file in --inventory")
    return read_polygons(inventory, section=None)


def _scenes_in(profile: Profile, part: Part) -> list[Scene]:
    """List the scenes of a part that have labels."""
    check_fold(profile)
    names = scene_names(profile, part)
    if names is None:
        raise UsageError(
            f"--on {part}: no split of the scenes is recorded; run `landslide split`, or leave it "
            "out to compare all scenes"
        )
    return _labelled(scenes_named(profile, names))


def _labelled(scenes: Sequence[Scene]) -> list[Scene]:
    """Keep the scenes that have labels, or are of a source that does.

    Raises:
        DataError: there are none.
    """
    labelled = [scene for scene in scenes if scene.mask is not None]
    if not labelled:
        raise DataError(
            "no scene has labels to compare the inventory with; set source.labels or source.masks"
        )
    return labelled


def _placed(scenes: Sequence[Scene], reporter: Reporter) -> list[tuple[Scene, PlacedScene]]:
    """Pair the scenes with where they lie; those without a place are left out.

    Raises:
        DataError: that are all.
    """
    are_known = [probe(scene.image).georeference.is_known for scene in scenes]
    unknown = [scene.name for scene, known in zip(scenes, are_known, strict=True) if not known]
    if len(unknown) == len(scenes):
        raise DataError(
            f"{scenes[0].image}: has no georeference, nor has any other scene, so polygons have no "
            "place on them; give the scenes one"
        )
    if unknown:
        reporter.warn(
            f"left out {counted(len(unknown), 'scene')} without georeference: "
            f"{listed(unknown, most=3)}"
        )
    pairs = zip(scenes, are_known, strict=True)
    return [(scene, PlacedScene.of(scene.image)) for scene, known in pairs if known]


def _tell(layer: PolygonLayer, outside: int, reporter: Reporter) -> None:
    """Say how many of the inventory's polygons were taken, repaired or left out."""
    said = [f"{layer.name}: {counted(len(layer.geometries), 'polygon')}"]
    said += [f"{layer.repaired} repaired"] if layer.repaired else []
    said += [f"{outside} on no scene"] if outside else []
    reporter.note("; ".join(said))
    if layer.others:
        reporter.warn(
            f"{layer.name}: left out {layer.others} points, lines or geometries without an area"
        )


def _overlaps(
    profile: Profile,
    scenes: Sequence[tuple[Scene, PlacedScene]],
    layer: PolygonLayer,
    reporter: Reporter,
) -> list[SceneOverlap]:
    drawn = _DrawnLabels(profile)
    overlaps = []
    with reporter.track("comparing inventories", len(scenes)) as advance:
        for scene, place in scenes:
            with drawn.reading(scene, place) as read:
                overlaps.append(_overlap(profile, scene, place, read, layer))
            advance()
    return overlaps


def _overlap(
    profile: Profile, scene: Scene, place: PlacedScene, read: ReadLabels, layer: PolygonLayer
) -> SceneOverlap:
    """Count the areas and objects of a scene."""
    settings = profile.sources[scene.source].labels
    # Both inventories are drawn by the same rule.
    rules = LabelRules(all_touched=settings is not None and settings.all_touched)
    ones = np.ones(len(layer.geometries), np.uint8)
    other = SceneLabels(place, [ClassedLayer(layer, ones)], rules)
    objects, pixels = ObjectTally(1), np.zeros((2, 2), np.int64)
    for window in _strips(place):
        labels, mapped = _binary(read(window), profile.palette), other.paint(window)
        objects.add(labels, mapped)
        pixels += confusion(labels, mapped, 2)
    area = pixel_area(place.georeference, place.width, place.height)
    if area is None:
        raise DataError(f"{place.path}: its georeference gives its pixels no area; correct it")
    counts = objects.counts(profile.evaluate.object_sizes, area)
    return SceneOverlap(scene.name, len(other.polygons), area, pixels, counts)


def _binary(labels: Mask, palette: Palette) -> Mask:
    """Take all classes of the foreground together."""
    if palette.ignores_background:
        labels[labels == 0] = IGNORE
    labels = palette.only_foreground(labels)
    labels[is_foreground(labels)] = 1
    return labels


def _strips(place: PlacedScene) -> Iterator[Window]:
    """Divide a scene into strips, from the top down."""
    rows = max(1, _PIXELS // place.width // _ROWS) * _ROWS
    for top in range(0, place.height, rows):
        yield Window(0, top, place.width, min(rows, place.height - top))


class _DrawnLabels:
    """Reads the labels of scenes, of which those by polygons need not have been drawn by `prepare`.

    The layers of each source are read once.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._layers: dict[int, tuple[list[ClassedLayer], LabelRules]] = {}

    @contextmanager
    def reading(self, scene: Scene, place: PlacedScene) -> Iterator[ReadLabels]:
        """Yield the function that reads the labels of a scene."""
        profile = self._profile
        # The labels of a block are where `prepare` has drawn them, without those of its rim.
        if profile.sources[scene.source].labels is None or scene.division is not None:
            form, info = form_of_mask(profile, scene), probe(scene.image)
            yield lambda window: truth_in(profile, scene, form, info, window)
            return
        labels = SceneLabels(place, *self._of(scene.source))
        with opened(scene.image) as dataset:
            yield lambda window: labels.paint(window, dataset)

    def _of(self, source: int) -> tuple[list[ClassedLayer], LabelRules]:
        settings = self._profile.sources[source].labels
        if source not in self._layers and settings is not None:
            names = layer_names(settings)
            layers = [read_layer(self._profile, settings, name) for name in names]
            self._layers[source] = layers, read_rules(settings)
        return self._layers[source]
