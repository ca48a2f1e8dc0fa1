"""Reading images of any format and type into uint8 arrays, and writing images whole.

All formats go through rasterio (GDAL), which reads 8- and 16-bit gray, RGB, RGBA, palette and
many-band rasters alike and reports damage as an error.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile

from landslide_cli.core.palette import IGNORE, Colours, Mask, Palette
from landslide_cli.errors import DataError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2", ".vrt", ".bmp"})

# GDAL's fast PNG reader returns a truncated file as a whole one, and a truncated JPEG is a warning:
# both must be errors.
_READING = {"GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO", "GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE"}

# Errors reach the caller as exceptions; GDAL's log lines would only repeat them on stderr. Scenes
# without georeference are nothing to warn of; the filter is global, as a thread's own is not safe.
logging.getLogger("rasterio").addHandler(logging.NullHandler())
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)


@dataclass(frozen=True)
class RasterInfo:
    """What a raster's header says: its size in pixels, its bands without alpha, and its type."""

    width: int
    height: int
    bands: int
    dtype: str


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a raster for reading.

    Raises:
        DataError: the file is missing, unreadable, truncated or not an image.
    """
    with rasterio.Env(**_READING):
        try:
            with rasterio.open(path) as dataset:
                yield dataset
        except RasterioError as error:
            raise DataError(f"{path}: {_why_unreadable(path, error)}") from error


def probe(path: Path, decode: bool = False) -> RasterInfo:
    """Read a raster's header; with `decode` also all its pixels, which finds hidden damage.

    Raises:
        DataError: as `opened`.
    """
    with opened(path) as dataset:
        bands = 3 if _is_palette(dataset) else len(_colour_bands(dataset))
        if decode:
            dataset.read()
        return RasterInfo(dataset.width, dataset.height, bands, dataset.dtypes[0])


def read_image(
    path: Path, bands: int, value_range: tuple[float, float] | None = None
) -> NDArray[np.uint8]:
    """Read a whole image for the model.

    Gray becomes as many equal bands as asked for, a palette its colours; alpha is dropped.

    Args:
        path: any raster that GDAL reads.
        bands: bands that the model takes.
        value_range: the values that become 0 and 255. Default: the range of the type, for uint8 and
            uint16.

    Returns:
        (rows, cols, bands) uint8.

    Raises:
        DataError: as `opened`; or the number of bands is another; or the type has no range of its
            own and none is given; or values lie outside the range given.
    """
    with opened(path) as dataset:
        if _is_palette(dataset):
            values = _painted(dataset)[..., :3]
        else:
            values = np.moveaxis(dataset.read(_colour_bands(dataset)), 0, -1)
    if values.shape[-1] == 1 and bands > 1:
        values = np.repeat(values, bands, axis=-1)
    if values.shape[-1] != bands:
        raise DataError(
            f"{path}: has {values.shape[-1]} bands where the profile says bands: {bands}; "
            "choose other images or change the profile"
        )
    return np.ascontiguousarray(_scaled(values, value_range, path))


@dataclass(frozen=True)
class Preview:
    """A reduced copy, (rows, cols, 1 or 3) uint8, of a raster of `width` x `height` pixels."""

    image: NDArray[np.uint8]
    width: int
    height: int


def read_preview(path: Path, longest: int) -> Preview:
    """Read a raster of any size reduced, without ever holding all its pixels.

    Values other than 8-bit are stretched between their 2nd and 98th percentile: good for looking
    and for comparing, not for the model. Of many bands the first three are taken.

    Args:
        path: any raster that GDAL reads.
        longest: the longer side of the copy, in pixels; smaller rasters keep their size.

    Raises:
        DataError: as `opened`.
    """
    with opened(path) as dataset:
        factor = min(1.0, longest / max(dataset.width, dataset.height))
        size = max(1, round(dataset.height * factor)), max(1, round(dataset.width * factor))
        if _is_palette(dataset):
            values = _painted(dataset, size)[..., :3]
        else:
            bands = _colour_bands(dataset)
            bands = bands[:3] if len(bands) >= 3 else bands[:1]
            if "complex" in dataset.dtypes[0]:
                raise DataError(f"{path}: holds complex values, which make no picture")
            reduced = dataset.read(
                bands, out_shape=(len(bands), *size), resampling=Resampling.average, masked=True
            )
            values = np.moveaxis(reduced, 0, -1)
        return Preview(_stretched(values), dataset.width, dataset.height)


def _stretched(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return np.ascontiguousarray(np.ma.getdata(values))
    known = np.isfinite(np.ma.getdata(values)) & ~np.ma.getmaskarray(values)
    if not known.any():
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(np.ma.getdata(values)[known], (2, 98))
    scaled = (np.where(known, values, low) - low) * (255.0 / max(high - low, 1e-9))
    return np.asarray(np.rint(np.clip(scaled, 0.0, 255.0)), np.uint8)


def _scaled(
    values: NDArray[Any], value_range: tuple[float, float] | None, path: Path
) -> NDArray[np.uint8]:
    """Map the value range to 0..255."""
    if value_range is None:
        if values.dtype == np.uint8:
            return values
        if values.dtype != np.uint16:
            raise DataError(
                f"{path}: holds {values.dtype} values; say which range becomes 0 to 255 with "
                "source.value_range in the profile"
            )
        value_range = (0.0, 65535.0)
    low, high = value_range
    least, most = float(values.min()), float(values.max())
    # Clipping would hide a wrong range, and NaN fails both comparisons.
    if not (least >= low and most <= high):
        raise DataError(
            f"{path}: holds values from {least:g} to {most:g}, outside source.value_range "
            f"[{low:g}, {high:g}]; widen it in the profile"
        )
    scaled = (values.astype(np.float32) - low) * (255.0 / (high - low))
    return np.asarray(np.rint(scaled), np.uint8)


@dataclass(frozen=True)
class MaskValues:
    """A mask file as it is.

    `colours` is (rows, cols, 3) uint8, `gray` the single band of a gray or palette image, (rows,
    cols) uint8, `clear` is (rows, cols) bool: the transparent pixels. `painted` tells a palette
    image, whose colours are its palette's, from a gray one.
    """

    colours: Colours
    gray: NDArray[np.uint8] | None
    clear: NDArray[np.bool_]
    painted: bool = False


def read_mask_values(path: Path) -> MaskValues:
    """Read a mask file without deciding what its values mean.

    Raises:
        DataError: as `opened`; or the file is neither gray nor colour, 8 bits deep.
    """
    with opened(path) as dataset:
        if _is_palette(dataset):
            painted = _painted(dataset)
            return MaskValues(painted[..., :3], dataset.read(1), painted[..., 3] == 0, True)
        bands = _colour_bands(dataset)
        values = np.moveaxis(dataset.read(bands), 0, -1)
        alpha = [index for index in dataset.indexes if index not in bands]
        clear = dataset.read(alpha[0]) == 0 if alpha else np.zeros(values.shape[:2], np.bool_)
    whole = values.astype(np.uint8)
    if values.shape[-1] not in (1, 3) or not (whole == values).all():
        raise DataError(
            f"{path}: is no mask: {values.shape[-1]} bands of {values.dtype}; "
            "a mask is gray, palette or RGB, with values from 0 to 255"
        )
    gray = whole[..., 0] if values.shape[-1] == 1 else None
    return MaskValues(np.broadcast_to(whole, (*clear.shape, 3)), gray, clear)


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write (rows, cols, bands) uint8: as PNG for 1, 3 or 4 (RGBA) bands, as TIFF for any number.

    Raises:
        OSError: the file cannot be written.
    """
    if path.suffix == ".png":
        path.write_bytes(_png(image))
    else:
        path.write_bytes(_tiff(image))


def write_mask(path: Path, mask: Mask, palette: Palette) -> None:
    """Write class indices as a PNG in the class colours; where there is no label it is transparent.

    Raises:
        OSError: the file cannot be written.
    """
    colours = palette.colourise(mask)
    if (mask == IGNORE).any():
        alpha = np.where(mask == IGNORE, 0, 255).astype(np.uint8)
        colours = np.dstack([colours, alpha])
    path.write_bytes(_png(colours))


def _png(image: NDArray[np.uint8]) -> bytes:
    # OpenCV has blue first. Encoding in memory leaves the writing, and its errors, to Python.
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[image.shape[-1]]
    ok, encoded = cv2.imencode(".png", image[..., order], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not ok:
        raise ValueError(f"no PNG for an array of shape {image.shape}")
    return bytes(encoded)


def _tiff(image: NDArray[np.uint8]) -> bytes:
    height, width, count = image.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=width,
            height=height,
            count=count,
            dtype="uint8",
            compress="deflate",
            photometric="minisblack",
            alpha="no",
        ) as dataset:
            dataset.write(np.moveaxis(image, -1, 0))
        return bytes(memory.read())


def image_suffix(bands: int) -> str:
    """Return the suffix of a tile's image: PNG where it can hold the bands."""
    return ".png" if bands in (1, 3) else ".tif"


def _is_palette(dataset: Any) -> bool:
    return bool(dataset.count == 1 and dataset.colorinterp[0] == ColorInterp.palette)


def _painted(dataset: Any, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read a palette image as (rows, cols, 4), red, green, blue, alpha; of the size if given."""
    table = np.zeros((256, 4), np.uint8)
    for index, colour in dataset.colormap(1).items():
        table[index] = colour
    painted: NDArray[np.uint8] = table[dataset.read(1, out_shape=size)]
    return painted


def _colour_bands(dataset: Any) -> list[int]:
    """Return the numbers of the bands that are not alpha."""
    interpretations = zip(dataset.indexes, dataset.colorinterp, strict=True)
    return [index for index, meaning in interpretations if meaning != ColorInterp.alpha]


def _why_unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "is a folder, not an image"
    if path.stat().st_size == 0:
        return "is an empty file; replace it or take it away"
    if "not recognized" in str(error):
        return "is not an image of a known format; replace it or take it away"
    reason = str(error.__cause__ or error).splitlines()[0].removeprefix(f"{path.name}: ")
    return f"is damaged or cut short ({reason}); replace it"
