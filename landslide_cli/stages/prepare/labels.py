"""Polygons laid on scenes: the masks that every later step reads, as GeoTIFFs in the dataset."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.windows
import shapely
from numpy.typing import NDArray
from rasterio.enums import MaskFlags

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.tiling.grid import Window
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.finding import existing, find_files
from landslide_cli.dataset.prepared import label_mask, labels_folder
from landslide_cli.dataset.scenes import Scene, background_scenes
from landslide_cli.errors import DataError, counted, listed
from landslide_cli.imagery.raster.georeference import (
    Geometries,
    Georeference,
    georeference_of,
    gsd_of,
    outline,
    reprojected,
)
from landslide_cli.imagery.raster.reader import opened
from landslide_cli.imagery.raster.writer import Layer, MapWriter
from landslide_cli.imagery.vector.layers import PolygonLayer, divide_layer, read_polygons
from landslide_cli.imagery.vector.painting import (
    LabelPainter,
    Polygons,
    count_outside,
    on_pixels,
)
from landslide_cli.outputs import whole_folder
from landslide_cli.profile import ClassFieldSettings, LabelSettings, Profile
from landslide_cli.records import Step, refuse_overwrite
from landslide_cli.reporting import Reporter

# Side of the windows in which a scene is drawn, in pixels: a whole number of blocks of the file.
SIDE = 2048


@dataclass(frozen=True)
class _Classed:
    """A layer and the class index of each of its polygons."""

    layer: PolygonLayer
    classes: NDArray[np.uint8]


@dataclass(frozen=True)
class _Placed:
    """A scene and where it lies."""

    scene: Scene
    georeference: Georeference
    width: int
    height: int


def lay_labels(
    profile: Profile,
    source: int,
    labels: LabelSettings,
    limit: int | None,
    overwrite: bool,
    reporter: Reporter,
) -> None:
    """Draw the polygons of a source's layers on its scenes, unless that is done.

    The masks hold class indices, and `IGNORE` where there is no label: outside of `labels.area`,
    near outlines (`labels.edge`), and where the image declares no data.

    Raises:
        ChangedError: there are masks of other polygons or settings.
        DataError: layers or scenes cannot be used, or do not lie on each other.
        OutputError: the folder holds files of another origin.
    """
    images = profile.sources[source].images or ""
    scenes = background_scenes(images, limit)
    folder = labels_folder(profile, source)
    files = [file for name in _layer_names(labels) for file in _files_of(divide_layer(name)[0])]
    key = profile.source_keys[source]
    settings = profile.settings(f"{key}.labels", "classes") | {"scenes": len(scenes)}
    step = Step.of(folder / PREPARE_RECORD, settings, [*files, *(s.image for s in scenes)])
    if step.finished_before("prepare", overwrite) is not None:
        return
    if not step.path.exists():
        refuse_overwrite([folder], overwrite)
    layers = [_classed(profile, labels, name) for name in _polygon_layers(labels)]
    area = read_polygons(labels.area, crs=labels.crs) if labels.area is not None else None
    placed = [_placed(scene) for scene in scenes]
    drawn = [classed.layer for classed in layers]
    counts = Counter(outside=sum(_outside(layer, placed) for layer in drawn))
    if area is not None:
        _outside(area, placed)
    with (
        whole_folder(folder) as partial,
        reporter.track("labelling scenes", len(scenes)) as advance,
    ):
        for scene in placed:
            target = label_mask(partial, scene.scene.name)
            counts += _draw(scene, target, profile, labels, layers, area)
            advance()
        step.finish({"scenes": len(scenes), **counts}, partial / PREPARE_RECORD)
    _tell(labels, drawn, counts, len(scenes), reporter)


def _layer_names(labels: LabelSettings) -> list[str]:
    return [*_polygon_layers(labels), *([labels.area] if labels.area is not None else [])]


def _polygon_layers(labels: LabelSettings) -> list[str]:
    """Name the layers, those of patterns one by one."""
    names = []
    for name in labels.layers:
        file, _ = divide_layer(name)
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
    return [path, *(other for other in beside if other.exists())]


def _classed(profile: Profile, labels: LabelSettings, name: str) -> _Classed:
    """Read a layer and give each polygon its class."""
    chosen, names = labels.class_, profile.palette.names
    field = chosen.field if isinstance(chosen, ClassFieldSettings) else None
    layer = read_polygons(name, field, labels.where, labels.crs)
    if not isinstance(chosen, ClassFieldSettings):
        index = profile.palette.foreground if chosen is None else names.index(chosen)
        return _Classed(layer, np.full(len(layer.geometries), index, np.uint8))
    indices = {
        str(value): IGNORE if to is None else names.index(to) for value, to in chosen.values.items()
    }
    unknown = Counter(str(value) for value in layer.values if str(value) not in indices)
    if unknown:
        told = [f"'{value}' ({counted(count, 'polygon')})" for value, count in unknown.items()]
        raise DataError(
            f"{name}: the field '{field}' has values that source.labels.class.values does not "
            f"name: {listed(told, most=5)}"
        )
    return _Classed(layer, np.array([indices[str(value)] for value in layer.values], np.uint8))


def _placed(scene: Scene) -> _Placed:
    with opened(scene.image) as dataset:
        georeference = georeference_of(dataset)
        if not georeference.is_known:
            raise DataError(
                f"{scene.image}: has no georeference, so polygons have no place on it; "
                "give it one, or use source.masks"
            )
        return _Placed(scene, georeference, dataset.width, dataset.height)


def _outside(layer: PolygonLayer, placed: Sequence[_Placed]) -> int:
    """Return how many polygons of a layer lie on no scene.

    Raises:
        DataError: all of them.
    """
    edges = _edges(placed, layer.crs)
    return count_outside(layer.name, layer.geometries, edges)


def _edges(placed: Sequence[_Placed], crs: str) -> Geometries:
    """Return the edges of the scenes in a CRS."""
    edges = []
    for scene in placed:
        own = str(scene.georeference.crs)
        edge = np.array([outline(scene.georeference, scene.width, scene.height)], object)
        edges.append(edge if own == crs else reprojected(edge, own, crs))
    return np.concatenate(edges)


def _draw(
    scene: _Placed,
    path: Path,
    profile: Profile,
    labels: LabelSettings,
    layers: Sequence[_Classed],
    area: PolygonLayer | None,
) -> Counter[str]:
    """Write the mask of a scene, window by window; count polygons and pixels."""
    size = scene.width, scene.height
    taken = [
        (on_pixels(one.layer.geometries, one.layer.crs, scene.georeference, *size), one.classes)
        for one in layers
    ]
    polygons = Polygons(
        np.concatenate([shapes for (shapes, _), _ in taken]),
        np.concatenate([classes[indices] for (_, indices), classes in taken]),
    )
    on_it = shapely.intersects(polygons.geometries, shapely.box(0, 0, *size))
    if labels.empty == "error" and not on_it.any():
        raise DataError(
            f"{scene.scene.image}: has no polygon; set source.labels.empty: background if there "
            "is no landslide on it"
        )
    examined = None
    if area is not None:
        examined, _ = on_pixels(area.geometries, area.crs, scene.georeference, *size)
    edge = _edge_pixels(labels, scene)
    painter = LabelPainter(polygons, examined, edge, labels.all_touched)
    pixels = _write(scene, path, profile, painter)
    return Counter(
        polygons=int(on_it.sum()),
        small=int((shapely.area(polygons.geometries[on_it]) < 1.0).sum()),
        without=int(not on_it.any()),
        unlabelled=int(pixels == 0),
    )


def _write(scene: _Placed, path: Path, profile: Profile, painter: LabelPainter) -> int:
    """Write a mask, and return how many of its pixels have a label."""
    colours = dict(enumerate(profile.palette.colours))
    layer = Layer("uint8", IGNORE, colours, "class")
    labelled = 0
    with (
        opened(scene.scene.image) as dataset,
        MapWriter(path, scene.height, scene.width, scene.georeference, layer) as writer,
    ):
        for row in range(0, scene.height, SIDE):
            for col in range(0, scene.width, SIDE):
                rows, cols = min(SIDE, scene.height - row), min(SIDE, scene.width - col)
                window = Window(col, row, cols, rows)
                mask = painter.paint(window)
                _leave_out(mask, dataset, window)
                writer.write(row, col, mask)
                labelled += int((mask != IGNORE).sum())
    return labelled


def _leave_out(mask: Mask, dataset: Any, window: Window) -> None:
    """Take the labels from the pixels for which the image declares no data, in place."""
    if any(MaskFlags.all_valid not in flags for flags in dataset.mask_flag_enums):
        there = rasterio.windows.Window(window.col_off, window.row_off, window.width, window.height)
        mask[dataset.dataset_mask(window=there) == 0] = IGNORE


def _edge_pixels(labels: LabelSettings, scene: _Placed) -> tuple[float, float] | None:
    """Return the distances without a label in pixels, along a row and along a column."""
    if labels.edge_size is None or labels.edge_size[0] == 0.0:
        return None
    size, unit = labels.edge_size
    if unit == "px":
        return size, size
    gsd = gsd_of(scene.georeference, scene.width, scene.height)
    return (size, size) if gsd is None else (size / gsd[1], size / gsd[0])


def _tell(
    labels: LabelSettings,
    layers: Sequence[PolygonLayer],
    counts: Mapping[str, int],
    scenes: int,
    reporter: Reporter,
) -> None:
    """Say what became of the polygons, and warn of what hardly anybody wants."""
    repaired = sum(layer.repaired for layer in layers)
    said = [f"{counted(counts['polygons'], 'polygon')} laid on {counted(scenes, 'scene')}"]
    said += [f"{repaired} repaired"] if repaired else []
    said += [f"{counts['outside']} on no scene"] if counts["outside"] else []
    said += [f"{counted(counts['without'], 'scene')} without any"] if counts["without"] else []
    reporter.note("; ".join(said))
    others = sum(layer.others for layer in layers)
    if others:
        reporter.warn(f"source.labels: left out {others} points, lines or empty geometries")
    if counts["small"] and not labels.all_touched:
        reporter.warn(
            f"source.labels: {counted(counts['small'], 'polygon')} of less than a pixel, lost "
            "where no middle of a pixel lies in it; source.labels.all_touched: true keeps all"
        )
    if counts["unlabelled"]:
        reporter.warn(
            f"source.labels: {counted(counts['unlabelled'], 'scene')} without any labelled pixel"
        )
