"""Previews: rasters of any size read reduced, for the eye and for comparing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterWindow

from landslide_cli.core.palette import Mask
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.bands import colour_bands, colour_table, is_palette
from landslide_cli.imagery.raster.opening import opened


@dataclass(frozen=True)
class Preview:
    """A reduced copy, (rows, cols, 1 or 3) uint8, of a raster of `width` x `height` pixels."""

    image: NDArray[np.uint8]
    width: int
    height: int


def read_preview(
    path: Path,
    longest: int,
    window: Window | None = None,
    colours: Sequence[int] | None = None,
) -> Preview:
    """Read a raster of any size, or a window in it, reduced; all its pixels are never held.

    Values other than 8-bit are stretched between their 2nd and 98th percentile: good for looking
    and for comparing, not for the model.

    Args:
        path: any raster that GDAL reads.
        longest: the longer side of the copy, in pixels; smaller rasters keep their size.
        window: what to read; it must lie inside.
        colours: numbers of the bands that are red, green and blue, if the raster has them. Default:
            those that it calls so, or the first three.

    Raises:
        DataError: as `opened`.
    """
    with opened(path) as dataset:
        there = None if window is None else RasterWindow.from_slices(*window.spans)
        size = _reduced_size(window or dataset, longest)
        if is_palette(dataset):
            indices = dataset.read(1, window=there, out_shape=size)
            values = colour_table(path, dataset)[indices][..., :3]
        else:
            bands = colour_bands(dataset)
            bands = bands[:3] if len(bands) >= 3 else bands[:1]
            if colours is not None and max(colours) <= dataset.count:
                bands = list(colours)
            if "complex" in dataset.dtypes[0]:
                raise DataError(f"{path}: holds complex values, which make no picture")
            reduced = dataset.read(
                bands,
                window=there,
                out_shape=(len(bands), *size),
                resampling=Resampling.average,
                masked=True,
            )
            values = np.moveaxis(reduced, 0, -1)
        return Preview(_stretched(values), dataset.width, dataset.height)


def read_class_preview(path: Path, longest: int) -> Mask:
    """Read a map of this program reduced, as class indices, `IGNORE` where it has no data.

    Args:
        path: the map, a mask of `infer-tiled`.
        longest: as of `read_preview`, whose copies of scenes of the same size are as large.

    Raises:
        DataError: as `opened`.
    """
    with opened(path) as dataset:
        indices: Mask = dataset.read(1, out_shape=_reduced_size(dataset, longest))
        return indices


def _reduced_size(whole: Any, longest: int) -> tuple[int, int]:
    """Return the rows and columns of a copy of a raster that is no longer than `longest`."""
    factor = min(1.0, longest / max(whole.width, whole.height))
    return max(1, round(whole.height * factor)), max(1, round(whole.width * factor))


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return np.ascontiguousarray(np.ma.getdata(values))
    known = np.isfinite(np.ma.getdata(values)) & ~np.ma.getmaskarray(values)
    if not known.any():
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(np.ma.getdata(values)[known], (2, 98))
    scaled = (np.where(known, values, low) - low) * (255.0 / max(high - low, 1e-9))
    return np.asarray(np.rint(np.clip(scaled, 0.0, 255.0)), np.uint8)
