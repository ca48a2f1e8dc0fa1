"""Windows of rasters as files of their own that hold no pixels: VRTs, which GDAL reads as rasters.

GDAL describes the whole raster, with its palette, masks, value ranges and whatever else it knows;
of that description only sizes and places are changed.
"""

import os
from pathlib import Path
from xml.etree import ElementTree

import rasterio.shutil
from affine import Affine
from rasterio.io import MemoryFile

from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.opening import GDAL_ERRORS

# Offsets of what places a raster without a transform.
_RPC_OFFSETS = ("SAMP_OFF", "LINE_OFF")


def describe(image: Path) -> str:
    """Return GDAL's description of a raster as a VRT, of which `window_of` takes windows.

    Raises:
        DataError: the raster cannot be described so.
    """
    try:
        with MemoryFile(ext=".vrt") as memory:
            # A VRT is described by what it is composed of, with the names that it has from here.
            rasterio.shutil.copy(str(image.resolve()), memory.name, driver="VRT")
            description = str(memory.read().decode())
    except GDAL_ERRORS as error:
        raise DataError(f"{image}: cannot be divided into blocks ({error})") from error
    if "subClass" in ElementTree.fromstring(description).attrib:  # noqa: S314 - by GDAL itself
        raise DataError(f"{image}: is a warped VRT, which has no blocks; convert it to GeoTIFF")
    return description


def window_of(description: str, window: Window, folder: Path) -> str:
    """Return the VRT of a window of a raster.

    Args:
        description: of the raster, as `describe` returns it.
        window: inside the raster.
        folder: that the VRT is for: files are named relative to it, so that all may be moved.

    Returns:
        Its XML.
    """
    root = ElementTree.fromstring(description)  # noqa: S314 - written by GDAL itself
    root.set("rasterXSize", str(window.width))
    root.set("rasterYSize", str(window.height))
    _move(root, window)
    for target in root.iter("DstRect"):
        # What lies outside of the VRT is not read.
        for name, offset in (("xOff", window.col_off), ("yOff", window.row_off)):
            target.set(name, repr(float(target.get(name, "0")) - offset))
    for source in root.iter("SourceFilename"):
        source.text = _relative(str(source.text), folder)
        source.set("relativeToVRT", "0" if Path(source.text).is_absolute() else "1")
    for band in root.iter("VRTRasterBand"):
        for name in ("blockXSize", "blockYSize"):  # of the whole raster
            band.attrib.pop(name, None)
    return ElementTree.tostring(root, encoding="unicode")


def _move(root: ElementTree.Element, window: Window) -> None:
    """Give a VRT the place of a window, be it by a transform, control points or RPCs."""
    transform = root.find("GeoTransform")
    if transform is not None and transform.text:
        numbers = [float(number) for number in transform.text.split(",")]
        there = Affine.from_gdal(*numbers) @ Affine.translation(window.col_off, window.row_off)
        transform.text = ", ".join(repr(number) for number in there.to_gdal())
    offsets = (window.col_off, window.row_off)
    for point in root.iter("GCP"):
        for name, offset in zip(("Pixel", "Line"), offsets, strict=True):
            point.set(name, repr(float(point.get(name, "0")) - offset))
    for entry in root.iterfind("Metadata[@domain='RPC']/MDI"):
        if entry.get("key") in _RPC_OFFSETS and entry.text:
            offset = offsets[_RPC_OFFSETS.index(str(entry.get("key")))]
            entry.text = repr(float(entry.text) - offset)


def _relative(name: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(name, folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return name
