"""Scenes that only ground control points or RPCs place, warped onto a grid with a transform."""

from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.bands import is_palette
from landslide_cli.imagery.raster.control import Control
from landslide_cli.imagery.raster.flood import BlockMask
from landslide_cli.imagery.raster.georeference import (
    Georeference,
    approximation,
    georeference_of,
    middle_of,
)
from landslide_cli.imagery.raster.nodata import needs_alpha

# Side of the blocks in which masks are warped, in pixels.
_BLOCK = 256

# Latitudes of UTM; beyond lie the polar stereographic projections of its companion, UPS.
_UTM_SOUTH, _UTM_NORTH = -80.0, 84.0
_UPS_SOUTH, _UPS_NORTH = "EPSG:5042", "EPSG:5041"


def rectified(dataset: Any) -> WarpedVRT | None:
    """Warp an opened raster by its ground control points or RPCs, piece by piece as it is read.

    Into the points' own CRS if that is local or projected in metres, otherwise into UTM, at
    about the raster's own GSD. RPCs are evaluated at their mean height. What lies outside of the
    raster has no data.

    Returns:
        The warped raster, to be closed before the other; None where the raster has a georeference
        already, or nothing that it can be warped by.

    Raises:
        RasterioError: GDAL cannot warp it.
    """
    georeference = georeference_of(dataset)
    target = _target(georeference, dataset.width, dataset.height)
    if georeference.control is None or target is None:
        return None
    return WarpedVRT(
        dataset,
        src_crs=georeference.control.crs,
        crs=target,
        resampling=Resampling.nearest if is_palette(dataset) else Resampling.bilinear,
        add_alpha=needs_alpha(dataset),
        **georeference.control.warping,
    )


def rectified_mask(mask: BlockMask, control: Control, warped: WarpedVRT) -> BlockMask:
    """Warp a mask of a raster's pixels as the raster was; what its pixels bear upon is in it."""
    result = BlockMask(warped.height, warped.width, (_BLOCK, _BLOCK))
    with MemoryFile() as memory:
        _write(mask, control, memory)
        with (
            memory.open() as dataset,
            # The same size and control give the same grid.
            WarpedVRT(
                dataset,
                src_crs=control.crs,
                crs=warped.crs,
                resampling=Resampling.bilinear,
                **control.warping,
            ) as moved,
        ):
            for block in np.ndindex(result.block_counts):
                part = moved.read(1, window=Window.from_slices(*result.span(block))) > 0
                if part.any():
                    result.put(block, part)
    return result


def _write(mask: BlockMask, control: Control, memory: MemoryFile) -> None:
    with memory.open(
        driver="GTiff",
        height=mask.height,
        width=mask.width,
        count=1,
        dtype="uint8",
        tiled=True,
        blockxsize=_BLOCK,
        blockysize=_BLOCK,
        compress="deflate",
        **control.placing,
    ) as dataset:
        for block in mask:
            values = np.where(mask.get(block), np.uint8(255), np.uint8(0))
            dataset.write(values, 1, window=Window.from_slices(*mask.span(block)))


def _target(georeference: Georeference, width: int, height: int) -> str | None:
    """Return the CRS to warp into; None where there is nothing to warp by."""
    approximate = approximation(georeference, width, height)
    if approximate is None or approximate.is_local:
        return None if approximate is None else approximate.crs
    try:
        longitude, latitude = middle_of(approximate, width, height)
    except DataError:
        return None  # places nothing on the Earth
    crs = CRS.from_user_input(approximate.crs)
    is_metric = crs.is_projected and crs.units_factor[1] == 1.0
    return approximate.crs if is_metric else _utm(longitude, latitude)


def _utm(longitude: float, latitude: float) -> str:
    if not _UTM_SOUTH <= latitude <= _UTM_NORTH:
        return _UPS_NORTH if latitude > 0.0 else _UPS_SOUTH
    zone = int((longitude + 180.0) // 6.0) % 60 + 1
    return f"EPSG:{(32600 if latitude >= 0.0 else 32700) + zone}"
