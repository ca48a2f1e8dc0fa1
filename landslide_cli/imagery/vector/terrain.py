"""How landslides lie in the terrain, by an elevation model: heights, slope, aspect, reach."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.features import rasterize
from rasterio.windows import Window

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import (
    Georeference,
    georeference_of,
    pixel_steps,
    placed,
    reprojected,
)
from landslide_cli.imagery.vector.attributes import Fields, LandslideTable

# Cells of the model that are read at once; below a larger polygon it is read coarser.
_MOST_CELLS = 2**22

# The size of a cell in metres is computed once for this many cells per side.
_SAME_SIZE = 512

# Columns and their decimals.
_COLUMNS = {
    "lowest_m": 1,
    "highest_m": 1,
    "relief_m": 1,
    "slope_deg": 1,
    "aspect_deg": 0,
    "reach_h_l": 2,
    "reach_angle_deg": 1,
}

Grid = NDArray[np.float64]


def check_elevation(path: Path) -> None:
    """Check that a raster can serve as an elevation model.

    Raises:
        DataError: it cannot be read, or has no georeference.
    """
    with _opened(path):
        pass


def terrain_of(table: LandslideTable, path: Path) -> Fields:
    """Describe how landslides lie in the terrain.

    Lowest and highest point, and the relief between them, in metres; the mean of the slopes of the
    cells (Horn 1981) in degrees; the aspect, the direction in degrees clockwise from north into
    which the mean gradient falls; the reach H / L (Heim 1932): the relief over the horizontal
    distance between the highest and the lowest cell, and the angle of that slope. A polygon smaller
    than a cell is described by the cells that it touches; NaN where the model has no data.

    Args:
        table: with a georeference.
        path: an elevation model in metres, in any CRS.

    Raises:
        DataError: the model cannot be read; or the two have no place in common, as with a local
            CRS.
    """
    with _opened(path) as dataset:
        model = georeference_of(dataset)
        crs = str(model.crs)
        polygons = table.geometries
        if crs != table.crs:
            if model.is_local or not table.is_on_earth:
                raise DataError(f"{path}: is in another CRS than the scene, and one is local")
            polygons = reprojected(polygons, str(table.crs), crs)
        inverse = ~model.transform
        polygons = shapely.transform(polygons, lambda points: placed(points, inverse))
        sizes: dict[tuple[int, int], Grid] = {}
        try:
            rows = [_described(dataset, model, polygon, sizes) for polygon in polygons]
        except RasterioError as error:
            raise DataError(f"{path}: cannot be read: {error}") from None
    values = np.array(rows, float).reshape(-1, len(_COLUMNS)).T
    columns = zip(_COLUMNS.items(), values, strict=True)
    fields = {name: column.round(decimals) for (name, decimals), column in columns}
    fields["aspect_deg"] %= 360.0
    return fields


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        dataset = rasterio.open(path)
    except RasterioError as error:
        reason = str(error) if path.exists() else "there is no such file"
        raise DataError(f"{path}: cannot be read as an elevation model: {reason}") from None
    with dataset:
        if not georeference_of(dataset).is_known:
            raise DataError(f"{path}: has no georeference, so it cannot serve as infer.elevation")
        yield dataset


def _described(
    dataset: Any,
    model: Georeference,
    polygon: shapely.Geometry,
    sizes: dict[tuple[int, int], Grid],
) -> tuple[float, ...]:
    """Return the columns of a polygon in pixels of the model."""
    nothing = (np.nan,) * len(_COLUMNS)
    left, top, right, bottom = polygon.bounds
    # With a cell around, for the slopes.
    col, row = max(0, int(left) - 1), max(0, int(top) - 1)
    width = min(dataset.width, int(right) + 2) - col
    height = min(dataset.height, int(bottom) + 2) - row
    if width <= 0 or height <= 0:
        return nothing
    step = max(1, int(np.ceil((width * height / _MOST_CELLS) ** 0.5)))
    shape = max(1, height // step), max(1, width // step)
    scale = Affine.scale(width / shape[1], height / shape[0])
    cells = dataset.read(
        1, window=Window(col, row, width, height), out_shape=shape, masked=True, out_dtype=float
    ).filled(np.nan)
    inside = _inside(polygon, Affine.translation(col, row) @ scale, shape) & np.isfinite(cells)
    if not inside.any():
        return nothing
    key = (row // _SAME_SIZE, col // _SAME_SIZE)
    if key not in sizes:
        place = model.transform @ Affine.translation(col, row)
        sizes[key] = pixel_steps(Georeference(model.crs, place), width, height)
    return _measured(cells, inside, np.diag([scale.a, scale.e]) @ sizes[key])


def _inside(
    polygon: shapely.Geometry, transform: Affine, shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Tell the cells whose centres lie in a polygon, or if there are none, those it touches."""
    for all_touched in (False, True):
        cells = rasterize(
            [polygon], shape, transform=transform, all_touched=all_touched, dtype=np.uint8
        )
        if cells.any():
            break
    return np.asarray(cells > 0, np.bool_)


def _measured(cells: Grid, inside: NDArray[np.bool_], steps: Grid) -> tuple[float, ...]:
    """Measure the terrain in some cells.

    Args:
        cells: (rows, cols) heights, NaN where there are none.
        inside: the cells; their heights are known.
        steps: (2, 2) east and north in metres of the step to the next column, and to the next row.
    """
    places, heights = np.argwhere(inside), cells[inside]
    lowest, highest = int(heights.argmin()), int(heights.argmax())
    relief = float(heights[highest] - heights[lowest])
    fall = (places[lowest] - places[highest])[::-1] @ steps
    distance = float(np.hypot(*fall))
    reach = relief / distance if distance > 0.0 else np.nan
    gradients = _gradients(cells)[inside] @ np.linalg.inv(steps).T
    gradients = gradients[np.isfinite(gradients).all(axis=1)]
    slope, aspect = np.nan, np.nan
    if len(gradients):
        slope = float(np.degrees(np.arctan(np.hypot(*gradients.T))).mean())
        east, north = -gradients.mean(axis=0)
        if np.hypot(east, north) > 0.0:
            aspect = float(np.degrees(np.arctan2(east, north)) % 360.0)
    return (
        float(heights[lowest]),
        float(heights[highest]),
        relief,
        slope,
        aspect,
        reach,
        float(np.degrees(np.arctan(reach))),
    )


def _gradients(cells: Grid) -> Grid:
    """Return the rise from column to column and from row to row, (rows, cols, 2), by Horn (1981).

    NaN at the edge and beside cells without a height.
    """
    result = np.full((*cells.shape, 2), np.nan)
    if min(cells.shape) < 3:
        return result
    rows = cells[:-2] + 2.0 * cells[1:-1] + cells[2:]
    cols = cells[:, :-2] + 2.0 * cells[:, 1:-1] + cells[:, 2:]
    result[1:-1, 1:-1, 0] = (rows[:, 2:] - rows[:, :-2]) / 8.0
    result[1:-1, 1:-1, 1] = (cols[2:] - cols[:-2]) / 8.0
    return result
