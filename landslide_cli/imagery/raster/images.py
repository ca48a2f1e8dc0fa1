"""Images as wholes: their headers, reading them for the model, and writing them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from landslide_cli.core.arrays import Image, Valid
from landslide_cli.core.composition import Composition
from landslide_cli.core.palette import IGNORE, Mask, Palette
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.bands import colour_bands, is_palette, named_bands
from landslide_cli.imagery.raster.georeference import Georeference, georeference_of, gsd_of
from landslide_cli.imagery.raster.opening import opened
from landslide_cli.imagery.raster.orientation import refuse_turned
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.ranges import suggested_range
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.imagery.raster.recognition import ARRAYS, file_of, marked, require_file


@dataclass(frozen=True)
class RasterInfo:
    """What a raster's header says: size in pixels, bands without alpha, type, and place."""

    width: int
    height: int
    bands: int
    dtype: str
    georeference: Georeference


def probe(path: Path, decode: bool = False) -> RasterInfo:
    """Read a raster's header; with `decode` also all its pixels, which finds hidden damage.

    Raises:
        DataError: as `opened` and `refuse_turned`.
    """
    if file_of(path)[0].suffix.lower() in ARRAYS and not decode:
        return _probed_array(path)
    with opened(path) as dataset:
        refuse_turned(path, dataset)
        bands = 3 if is_palette(dataset) else len(colour_bands(dataset))
        if decode:
            dataset.read()
        return RasterInfo(
            dataset.width, dataset.height, bands, dataset.dtypes[0], georeference_of(dataset)
        )


def _probed_array(path: Path) -> RasterInfo:
    from landslide_cli.imagery.raster.array_files import array_info

    require_file(path)
    info = array_info(path)
    return RasterInfo(info.width, info.height, info.bands, info.dtype, Georeference())


def ground_width(path: Path, cols: int | None = None) -> float | None:
    """Return the width in metres of the ground that a raster shows, or that so many columns do.

    None without a georeference, or with one that has no place on the Earth.

    Raises:
        DataError: as `probe`.
    """
    raster = probe(path)
    try:
        sides = gsd_of(raster.georeference, raster.width, raster.height)
    except DataError:
        return None
    return None if sides is None else sides[1] * (cols or raster.width)


def bands_by_name(path: Path) -> dict[str, int]:
    """Return the numbers of a raster's bands by their names, as `named_bands`.

    Raises:
        DataError: it cannot be read.
    """
    with opened(path) as dataset:
        return named_bands(dataset)


def read_tags(path: Path) -> dict[str, str]:
    """Read what a raster's header says of itself, by keys.

    Raises:
        DataError: as `opened`.
    """
    with opened(path) as dataset:
        return dict(dataset.tags())


def value_range_for(path: Path) -> tuple[float, float] | None:
    """Suggest a range of values for a raster that does not tell which become black and white.

    Raises:
        DataError: it cannot be read.
    """
    with opened(path) as dataset:
        return suggested_range(dataset, colour_bands(dataset))


def read_image(
    path: Path,
    bands: int,
    value_range: tuple[float, float] | None = None,
    order: Sequence[int] | None = None,
) -> NDArray[np.uint8]:
    """Read a whole image for the model.

    Gray becomes as many equal bands as asked for, a palette its colours; alpha is dropped. Pixels
    without data, as `SceneReader` tells them, are 0.

    Args:
        path: any raster that GDAL reads.
        bands: bands that the model takes.
        value_range: the values that become 0 and 255. Default: those of the bits that the file says
            are used; without a word of it, 8.
        order: numbers of the bands to read, from 1. Default: all, red, green and blue as named.

    Returns:
        (rows, cols, bands) uint8.

    Raises:
        DataError: as `SceneReader`; or values lie outside the range given.
    """
    preprocessing = Preprocessing(bands, None if order is None else tuple(order), value_range)
    with SceneReader(path, preprocessing) as scene:
        return np.asarray(scene.read((0, scene.height), (0, scene.width)).image, np.uint8)


def read_tile(path: Path, bands: int, composition: Composition | None = None) -> Image:
    """Read the image of a tile, (rows, cols, bands), which is prepared already.

    Args:
        path: of the image.
        bands: that it has.
        composition: what they are (`Composition.of_tiles`); None for bands of 8 bits.

    Raises:
        DataError: as `SceneReader`; or there is no composition, and its values are not of 8 bits.
    """
    reading = Preprocessing(bands, resized_by="nothing", composition=composition)
    with SceneReader(path, reading) as tile:
        return tile.read((0, tile.height), (0, tile.width)).image


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write (rows, cols, bands) uint8, by the suffix.

    As PNG for 1, 3 or 4 (RGBA) bands, as JPEG, which is smaller and not exact, for 1 or 3, and as
    TIFF for any number.

    Raises:
        OSError: the file cannot be written.
    """
    if path.suffix == ".png":
        path.write_bytes(_encoded(image, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]))
    elif path.suffix == ".jpg":
        path.write_bytes(_encoded(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 90]))
    else:
        path.write_bytes(_tiff(image))


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write (rows, cols, 1 or 3) uint8 as PNG or JPEG, marked so as never to be taken for a scene.

    Raises:
        OSError: the file cannot be written.
    """
    write_image(path, picture)
    path.write_bytes(marked(path.read_bytes()))


def write_mask(path: Path, mask: Mask, palette: Palette) -> None:
    """Write class indices as a PNG in the class colours; where there is no label it is transparent.

    Raises:
        OSError: the file cannot be written.
    """
    colours = palette.colourise(mask)
    if (mask == IGNORE).any():
        alpha = np.where(mask == IGNORE, 0, 255).astype(np.uint8)
        colours[mask == IGNORE] = 0  # for who drops the alpha band, rather than a foreground
        colours = np.dstack([colours, alpha])
    path.write_bytes(_encoded(colours, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]))


def encoded_jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """Return (rows, cols, 1 or 3) uint8 as a JPEG of a quality from 0 to 100."""
    return _encoded(picture, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def encoded_png(picture: NDArray[np.uint8]) -> bytes:
    """Return (rows, cols, 1, 3 or 4) uint8 as a PNG, as small as it gets."""
    return _encoded(picture, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _encoded(image: NDArray[np.uint8], suffix: str, options: list[int]) -> bytes:
    # OpenCV has blue first. Encoding in memory leaves the writing, and its errors, to Python.
    bands = image.shape[-1]
    if bands in (3, 4):
        turned = cv2.COLOR_RGB2BGR if bands == 3 else cv2.COLOR_RGBA2BGRA
        image = cv2.cvtColor(np.ascontiguousarray(image), turned)
    elif bands != 1:
        raise ValueError(f"no {suffix} for an array of shape {image.shape}")
    ok, encoded = cv2.imencode(suffix, image, options)
    if not ok:
        raise ValueError(f"no {suffix} for an array of shape {image.shape}")
    return bytes(encoded)


def _tiff(
    image: NDArray[Any],
    names: Sequence[str] = (),
    limits: Sequence[tuple[float, float] | None] | None = None,
    valid: Valid = None,
) -> bytes:
    height, width, count = image.shape
    with MemoryFile() as memory, rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"):
        with memory.open(
            driver="GTiff",
            width=width,
            height=height,
            count=count,
            dtype=image.dtype.name,
            compress="deflate",
            photometric="minisblack",
            alpha="no",
        ) as dataset:
            dataset.write(np.moveaxis(image, -1, 0))
            for number, name in enumerate(names, start=1):
                dataset.set_band_description(number, name)
            if limits is not None:
                ends = [known or (0.0, 255.0) for known in limits]
                dataset.scales = tuple(255.0 / (high - low) for low, high in ends)
                dataset.offsets = tuple(-255.0 * low / (high - low) for low, high in ends)
            if valid is not None:
                dataset.write_mask(valid)
        return bytes(memory.read())


def write_values(
    path: Path,
    values: NDArray[Any],
    names: Sequence[str],
    limits: Sequence[tuple[float, float] | None] | None = None,
    valid: Valid = None,
) -> None:
    """Write (rows, cols, bands) of any type as a GeoTIFF that says what its values are.

    Args:
        path: of the file.
        values: of uint8, uint16, int16 or float32.
        names: of the bands.
        limits: the values of each band that become 0 and 255, written as its scale and offset;
            None for a band of which they are not known.
        valid: which pixels hold data, (rows, cols), written as a mask; None for all.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_bytes(_tiff(values, names, limits, valid))


def image_suffix(bands: int) -> str:
    """Return the suffix of a tile's image: PNG where it can hold the bands."""
    return ".png" if bands in (1, 3) else ".tif"
