"""Opening rasters by GDAL, and saying in plain words what is wrong with them."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, cast

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from landslide_cli.errors import DataError, counted
from landslide_cli.imagery.raster.addresses import gdal_name, is_virtual, shown
from landslide_cli.imagery.raster.recognition import ARRAYS, file_of, require_file

# What rasterio raises of GDAL: its own errors, and GDAL's, for which it has no public name.
GDAL_ERRORS = (RasterioError, CPLE_BaseError)

# GDAL's cache of decoded blocks, in megabytes; its default, 5 % of the memory, grows with the
# machine. It is shared by the process: rasterio.Env would set it for all threads and reset it when
# the first of them leaves. GDAL reads it from the environment at its first use; a value that the
# user has set there is kept.
BLOCK_CACHE = 128
os.environ.setdefault("GDAL_CACHEMAX", str(BLOCK_CACHE))

# GDAL's fast PNG reader takes a truncated file for a whole one, and a truncated JPEG is a warning:
# both must be errors.
_READING = {"GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO", "GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE"}

# Pixels from which several threads decode a compressed TIFF: below, starting them costs more.
_LARGE = 2**22

# What rasterio raises of rasters that it cannot describe, such as bands of several types.
_NOT_UNDERSTOOD = (ValueError, TypeError, LookupError, OverflowError)

# Errors reach the caller as exceptions; GDAL's log lines would only repeat them on stderr. Scenes
# without georeference are nothing to warn of; the filter is global, as a thread's own is not safe.
logging.getLogger("rasterio").addHandler(logging.NullHandler())
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a raster for reading.

    Raises:
        DataError: the file is missing, unreadable, truncated or not an image.
    """
    require_file(path)
    with explained(path), _dataset(path) as dataset:
        require_bands(path, dataset)
        yield dataset


def _dataset(path: Path) -> AbstractContextManager[Any]:
    if file_of(path)[0].suffix.lower() in ARRAYS:
        from landslide_cli.imagery.raster.array_files import array_raster

        return array_raster(path)
    return cast(AbstractContextManager[Any], rasterio.open(gdal_name(path)))


def open_to_decode(path: Path) -> AbstractContextManager[Any]:
    """Open a raster, with all processors for what decodes in parallel at no cost in total."""
    if file_of(path)[0].suffix.lower() in ARRAYS:
        return _dataset(path)
    dataset = rasterio.open(gdal_name(path))
    packed = "COMPRESSION" in dataset.tags(ns="IMAGE_STRUCTURE")
    if dataset.driver != "GTiff" or not packed or dataset.width * dataset.height < _LARGE:
        return cast(AbstractContextManager[Any], dataset)
    dataset.close()
    return cast(AbstractContextManager[Any], rasterio.open(gdal_name(path), num_threads="all_cpus"))


def require_bands(path: Path, dataset: Any) -> None:
    """Refuse a raster without bands.

    Raises:
        DataError: it has none.
    """
    if dataset.count == 0:
        parts = list(dataset.subdatasets)
        inside = f", but {counted(len(parts), 'raster')} in it; name one, as {parts[0]}"
        raise DataError(f"{path}: has no bands{inside if parts else '; choose another image'}")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Have GDAL report all damage, and raise what is wrong with the file in plain words.

    Each call of GDAL has a context of its own, as contexts of one thread must be nested and
    datasets need not be.
    """
    with rasterio.Env(**_READING):
        try:
            yield
        except GDAL_ERRORS as error:
            raise DataError(f"{shown(path)}: {_why_unreadable(path, error)}") from error
        except _NOT_UNDERSTOOD as error:
            reason = " ".join(str(error).split())
            raise DataError(
                f"{path}: is of a form that cannot be read ({reason}); convert it to GeoTIFF"
            ) from error


def _why_unreadable(path: Path, error: Exception) -> str:
    reason = str(error.__cause__ or error).splitlines()[0].removeprefix(f"{path.name}: ")
    if is_virtual(path) and not path.exists():
        is_missing = "not recognized" in str(error) or "No such file" in reason
        why = "no such raster, or of no format that GDAL reads here" if is_missing else reason
        return f"cannot be opened by GDAL ({why}); check the name"
    if "not recognized" in str(error):
        return "is not an image of a known format; replace it or take it away"
    return f"is damaged or cut short ({reason}); replace it"
