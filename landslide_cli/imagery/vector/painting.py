"""Polygons on the pixels of a raster: reprojected, and drawn piece by piece as class indices."""

from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio import features
from rasterio.crs import CRS

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import (
    Geometries,
    Georeference,
    is_same_crs,
    outline,
    placed,
    reprojected,
)
from landslide_cli.imagery.vector.layers import repaired

# Straight sides in one CRS are bent in another: over such a length by centimetres.
_LONGEST_SIDE = 500.0  # metres or feet
_LONGEST_SIDE_DEGREES = 0.005


def on_pixels(
    geometries: Geometries, crs: str, georeference: Georeference, width: int, height: int
) -> tuple[Geometries, NDArray[np.intp]]:
    """Take polygons to the pixels of a raster.

    Args:
        geometries: valid, in the CRS `crs`.
        crs: WKT or authority.
        georeference: of the raster, known.
        width: of the raster, in pixels.
        height: likewise.

    Returns:
        Those that may lie on the raster, with x and y in pixels from its upper left corner, and
        their positions in `geometries`.

    Raises:
        DataError: the raster has no place in the CRS.
    """
    edge = np.array([outline(georeference, width, height)], object)
    target = str(georeference.crs)
    is_same = is_same_crs(crs, target)
    (around,) = edge if is_same else reprojected(edge, target, crs)
    # The sides of the edge are bent a little between its vertices.
    left, bottom, right, top = shapely.bounds(around)
    margin = 0.01 * max(right - left, top - bottom)
    box = shapely.box(left - margin, bottom - margin, right + margin, top + margin)
    indices = np.flatnonzero(shapely.intersects(geometries, box))
    found = geometries[indices]
    if not is_same and len(found):
        # What lies far off may have no place in the raster's CRS.
        near = shapely.clip_by_rect(found, *_wider(box.bounds))
        is_geographic = CRS.from_user_input(crs).is_geographic
        longest = _LONGEST_SIDE_DEGREES if is_geographic else _LONGEST_SIDE
        bent = reprojected(shapely.segmentize(near, longest), crs, target)
        found = np.array([repaired(polygon) for polygon in bent], object)
    to_pixels = ~georeference.transform
    moved = shapely.transform(found, lambda points: placed(points, to_pixels))
    return np.asarray(moved, object), indices


def _wider(bounds: tuple[float, ...]) -> tuple[float, float, float, float]:
    left, bottom, right, top = bounds
    return 2 * left - right, 2 * bottom - top, 2 * right - left, 2 * top - bottom


@dataclass(frozen=True)
class Polygons:
    """Polygons in pixels of a raster, and the class index of each; `IGNORE` for no label."""

    geometries: Geometries
    classes: NDArray[np.uint8]


class LabelPainter:
    """The labels of a raster from polygons, drawn window by window.

    A pixel has the class of the polygon that its middle lies in (as `rasterio.features.rasterize`
    decides); where several lie, that of the last class in the order of the palette, and no label
    only where there is no class.

    Args:
        polygons: what to draw.
        area: polygons in pixels outside of which there is no label; None for everywhere.
        edge: distances from an outline, in pixels along a row and along a column, within which
            there is no label; None for none.
        all_touched: draw all pixels that a polygon touches.
    """

    def __init__(
        self,
        polygons: Polygons,
        area: Geometries | None = None,
        edge: tuple[float, float] | None = None,
        all_touched: bool = False,
    ) -> None:
        # No label first, so that every class lies over it.
        ranks = np.where(polygons.classes == IGNORE, -1, polygons.classes.astype(int))
        order = np.argsort(ranks, kind="stable")
        self._geometries, self._classes = polygons.geometries[order], polygons.classes[order]
        self._tree = shapely.STRtree(self._geometries)
        self._area, self._edge, self._all_touched = area, edge, all_touched

    def paint(self, window: Window) -> Mask:
        """Return the class indices of a window's pixels, (rows, cols), `IGNORE` for no label."""
        rows, cols = window.height, window.width
        shape, corner = (rows, cols), Affine.translation(window.col_off, window.row_off)
        margin = max(self._edge) + 1.0 if self._edge is not None else 0.0
        box = shapely.box(
            window.col_off - margin,
            window.row_off - margin,
            window.col_off + cols + margin,
            window.row_off + rows + margin,
        )
        near = np.sort(self._tree.query(box, predicate="intersects"))
        mask = np.zeros(shape, np.uint8)
        self._draw(mask, self._geometries[near], self._classes[near], corner)
        if self._edge is not None:
            outlines = self._outlines(near, box, *self._edge)
            self._draw(mask, outlines, np.full(len(outlines), IGNORE, np.uint8), corner)
        if self._area is not None:
            examined = np.zeros(shape, np.uint8)
            self._draw(examined, self._area, np.ones(len(self._area), np.uint8), corner)
            mask[examined == 0] = IGNORE
        return mask

    def _draw(
        self, mask: Mask, geometries: Geometries, values: NDArray[np.uint8], corner: Affine
    ) -> None:
        pairs = zip(geometries, values.tolist(), strict=True)
        shapes = [(shape, value) for shape, value in pairs if not shape.is_empty]
        if shapes:
            features.rasterize(shapes, out=mask, transform=corner, all_touched=self._all_touched)

    def _outlines(
        self, near: NDArray[np.intp], box: shapely.Geometry, x: float, y: float
    ) -> Geometries:
        """Return the ground within x and y of each class's outlines, its polygons as one."""
        bands = []
        for index in np.unique(self._classes[near]):
            alike = self._geometries[near[self._classes[near] == index]]
            line = shapely.intersection(shapely.boundary(shapely.union_all(alike)), box)
            unit = shapely.transform(line, lambda points: points / (x, y))
            bands.append(
                shapely.transform(shapely.buffer(unit, 1.0), lambda points: points * (x, y))
            )
        return np.array(bands, object)


def count_outside(layer: str, geometries: Geometries, scenes: Geometries) -> int:
    """Count the polygons of a layer that lie on no scene.

    Args:
        layer: its name.
        geometries: its polygons.
        scenes: the edges of the scenes, in the CRS of the polygons.

    Raises:
        DataError: all do; coordinates of which some would not if x and y were exchanged are told.
    """
    ground = shapely.union_all(scenes)
    shapely.prepare(ground)
    outside = int((~shapely.intersects(geometries, ground)).sum())
    if outside < len(geometries):
        return outside
    swapped = shapely.transform(geometries, lambda points: points[:, ::-1])
    if shapely.intersects(swapped, ground).any():
        raise DataError(
            f"{layer}: its coordinates are exchanged, latitude before longitude: polygons lie on "
            "the scenes only with x and y swapped; swap them (in QGIS: Swap X and Y coordinates)"
        )
    raise DataError(
        f"{layer}: no polygon lies on a scene; the layer covers {_extent(geometries)}, "
        f"the scenes {_extent(scenes)}, both in the layer's CRS; if it is wrong, set it in the file"
    )


def _extent(geometries: Geometries) -> str:
    left, bottom, right, top = shapely.total_bounds(geometries).tolist()
    return f"x {left:.8g} to {right:.8g}, y {bottom:.8g} to {top:.8g}"
