"""Masks of scenes from layers of polygons, written window by window."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.windows import Window as RasterWindow

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import (
    Geometries,
    Georeference,
    georeference_of,
    gsd_of,
    is_same_crs,
    outline,
    reprojected,
)
from landslide_cli.imagery.raster.opening import opened
from landslide_cli.imagery.raster.writer import Layer, MapWriter
from landslide_cli.imagery.vector.layers import PolygonLayer
from landslide_cli.imagery.vector.painting import LabelPainter, Polygons, count_outside, on_pixels

# Side of the windows in which a scene is drawn, in pixels: a whole number of blocks of the file.
SIDE = 2048


@dataclass(frozen=True)
class ClassedLayer:
    """A layer and the class index of each of its polygons; `IGNORE` for no label."""

    layer: PolygonLayer
    classes: NDArray[np.uint8]


@dataclass(frozen=True)
class LabelRules:
    """Which pixels have a label.

    None outside of the polygons of `area`, and none within `edge` of an outline, in pixels or
    metres. `all_touched` labels all pixels that a polygon touches.
    """

    area: PolygonLayer | None = None
    edge: tuple[float, Literal["px", "m"]] | None = None
    all_touched: bool = False


@dataclass(frozen=True)
class LabelCounts:
    """How many polygons lie on a scene and are below a pixel, and how many pixels have a label."""

    polygons: int
    small: int
    pixels: int


@dataclass(frozen=True)
class PlacedScene:
    """A scene and where it lies; its size in pixels."""

    path: Path
    georeference: Georeference
    width: int
    height: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read a scene's header.

        Raises:
            DataError: it cannot be read, or has no georeference.
        """
        with opened(path) as dataset:
            georeference = georeference_of(dataset)
            if not georeference.is_known:
                raise DataError(
                    f"{path}: has no georeference, so polygons have no place on it; "
                    "give it one, or use source.masks"
                )
            return cls(path, georeference, dataset.width, dataset.height)

    def edge_in(self, crs: str) -> Geometries:
        """Return the edge of the scene in a CRS, as the only entry of an array."""
        own = str(self.georeference.crs)
        edge = np.array([outline(self.georeference, self.width, self.height)], object)
        return edge if is_same_crs(own, crs) else reprojected(edge, own, crs)

    def on_pixels(self, layer: PolygonLayer) -> tuple[Geometries, NDArray[np.intp]]:
        """Return what of a layer may lie on the scene, in pixels, and its positions there."""
        where = self.georeference, self.width, self.height
        return on_pixels(layer.geometries, layer.crs, *where)


def polygons_on_no_scene(layer: PolygonLayer, scenes: Sequence[PlacedScene]) -> int:
    """Return how many polygons of a layer lie on no scene.

    Raises:
        DataError: all of them.
    """
    edges = []
    for scene in scenes:
        try:
            edges.append(scene.edge_in(layer.crs))
        except DataError as error:
            raise DataError(f"{layer.name}: cannot be laid on {scene.path}: {error}") from error
    return count_outside(layer.name, layer.geometries, np.concatenate(edges))


def write_label_mask(
    scene: PlacedScene,
    path: Path,
    layers: Sequence[ClassedLayer],
    rules: LabelRules,
    colours: Mapping[int, tuple[int, int, int]],
) -> LabelCounts:
    """Write the mask of a scene as a GeoTIFF of class indices, `IGNORE` where there is no label.

    Pixels for which the image declares no data have none.

    Args:
        scene: whose mask.
        path: the file to write.
        layers: of polygons.
        rules: which pixels have a label.
        colours: of the class indices.

    Raises:
        DataError: the scene cannot be read, or has no place in a layer's CRS.
        OSError: the file cannot be written.
    """
    labels = SceneLabels(scene, layers, rules)
    pixels = _write(labels, path, Layer("uint8", IGNORE, colours, "class"))
    shapes = labels.polygons
    return LabelCounts(len(shapes), int((shapely.area(shapes) < 1.0).sum()), pixels)


class SceneLabels:
    """The labels of a scene from layers of polygons, drawn window by window.

    Args:
        scene: the labelled one.
        layers: of polygons.
        rules: which pixels have a label.

    Raises:
        DataError: the scene has no place in a layer's CRS.
    """

    def __init__(
        self, scene: PlacedScene, layers: Sequence[ClassedLayer], rules: LabelRules
    ) -> None:
        self.scene = scene
        taken = [(scene.on_pixels(classed.layer), classed.classes) for classed in layers]
        drawn = Polygons(
            np.concatenate([shapes for (shapes, _), _ in taken]),
            np.concatenate([classes[indices] for (_, indices), classes in taken]),
        )
        area = None if rules.area is None else scene.on_pixels(rules.area)[0]
        edge = _edge_pixels(rules, scene)
        self._painter = LabelPainter(drawn, area, edge, rules.all_touched)
        whole = shapely.box(0, 0, scene.width, scene.height)
        self.polygons: Geometries = drawn.geometries[shapely.intersects(drawn.geometries, whole)]

    def paint(self, window: Window, dataset: Any = None) -> Mask:
        """Return the class indices of a window's pixels, `IGNORE` for no label.

        Args:
            window: inside the scene, in pixels.
            dataset: the scene, opened, to leave out the pixels for which it declares no data.

        Returns:
            (rows, cols).
        """
        mask = self._painter.paint(window)
        if dataset is not None:
            _leave_out(mask, dataset, window)
        return mask


def _write(labels: SceneLabels, path: Path, layer: Layer) -> int:
    """Write a mask, and return how many of its pixels have a label."""
    labelled, scene = 0, labels.scene
    with (
        opened(scene.path) as dataset,
        MapWriter(path, scene.height, scene.width, scene.georeference, layer) as writer,
    ):
        for row in range(0, scene.height, SIDE):
            for col in range(0, scene.width, SIDE):
                rows, cols = min(SIDE, scene.height - row), min(SIDE, scene.width - col)
                mask = labels.paint(Window(col, row, cols, rows), dataset)
                writer.write(row, col, mask)
                labelled += int((mask != IGNORE).sum())
    return labelled


def _leave_out(mask: Mask, dataset: Any, window: Window) -> None:
    """Take the labels from the pixels for which the image declares no data, in place."""
    if any(MaskFlags.all_valid not in flags for flags in dataset.mask_flag_enums):
        there = RasterWindow.from_slices(*window.spans)
        mask[dataset.dataset_mask(window=there) == 0] = IGNORE


def _edge_pixels(rules: LabelRules, scene: PlacedScene) -> tuple[float, float] | None:
    """Return the distances without a label in pixels, along a row and along a column."""
    if rules.edge is None or rules.edge[0] == 0.0:
        return None
    size, unit = rules.edge
    gsd = gsd_of(scene.georeference, scene.width, scene.height)
    if unit == "px" or gsd is None:
        return size, size
    return size / gsd[1], size / gsd[0]
