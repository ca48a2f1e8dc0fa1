"""Arrays in HDF5 and NumPy files as rasters: what is in the file, and which axis has the bands.

HDF5 files with one image each, as Landslide4Sense has, hold no raster by GDAL's rules; they are
read by h5py, and NumPy's archives by NumPy. Either is put into the memory of the process, so they
are for chips, not for orthophotos.
"""

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from landslide_cli.errors import DataError, first_line, listed
from landslide_cli.imagery.raster.addresses import is_virtual, shown
from landslide_cli.imagery.raster.recognition import HDF5, file_of

Value = TypeVar("Value")

# Values of an array that are read at most: 1 GB of float32.
_MOST_VALUES = 2**28

# What h5py and NumPy raise of damaged files.
_DAMAGED = (OSError, RuntimeError, KeyError, ValueError, EOFError, zipfile.BadZipFile)

# Types that GDAL has no name for, and those that hold their values.
_WIDENED = {"bool": "uint8", "float16": "float32"}


@contextmanager
def array_raster(path: Path) -> Iterator[Any]:
    """Open an array as a raster in memory.

    An array of three axes has its bands along the last one, unless the first is shorter.

    Args:
        path: of an HDF5 or NumPy file; or, where it holds several arrays, that and the name of one,
            as `chip.h5/img`.

    Raises:
        DataError: the file is damaged, holds no such array or several, or the array is no image.
    """
    values = _read(*file_of(path), np.asarray)
    if values.dtype.name in _WIDENED:
        values = values.astype(_WIDENED[values.dtype.name])
    if values.ndim == 2:
        bands = values[None]
    else:
        bands = values if _has_bands_first(values.shape) else np.moveaxis(values, -1, 0)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            count=bands.shape[0],
            height=bands.shape[1],
            width=bands.shape[2],
            dtype=values.dtype.name,
            photometric="minisblack",
            alpha="no",
            bigtiff="if_safer",
        ) as dataset:
            dataset.write(np.ascontiguousarray(bands))
        with memory.open() as dataset:
            yield dataset


@dataclass(frozen=True)
class ArrayInfo:
    """The size of an image in a file of arrays, in pixels, and the type of its values."""

    width: int
    height: int
    bands: int
    dtype: str


def array_info(path: Path) -> ArrayInfo:
    """Describe an array without reading it where it lies in an HDF5 file.

    Raises:
        DataError: as `array_raster`.
    """

    def describe(array: Any) -> ArrayInfo:
        shape, name = array.shape, array.dtype.name
        dtype = _WIDENED.get(name, name)
        if len(shape) == 2:
            return ArrayInfo(shape[1], shape[0], 1, dtype)
        if _has_bands_first(shape):
            return ArrayInfo(shape[2], shape[1], shape[0], dtype)
        return ArrayInfo(shape[1], shape[0], shape[2], dtype)

    return _read(*file_of(path), describe)


def _has_bands_first(shape: Sequence[int]) -> bool:
    return shape[0] < min(shape[1:])


def _read(file: Path, key: str | None, use: Callable[[Any], Value]) -> Value:
    """Find an array, check that it can be an image, and return what is made of it."""
    if is_virtual(file):
        raise DataError(
            f"{shown(file)}: HDF5 and NumPy files are read from disks of this machine; copy it here"
        )
    try:
        if file.suffix.lower() in HDF5:
            with h5py.File(file, "r") as document:
                name = _chosen_dataset(file, document, key)
                return use(_checked(file, name, document[name]))
        if not zipfile.is_zipfile(file):
            raise DataError(f"{file}: is no archive of NumPy's, or cut short; replace it")
        with np.load(file, allow_pickle=False) as archive:
            name = _chosen(file, list(archive.files), key)
            return use(_checked(file, name, archive[name]))
    except _DAMAGED as error:
        line = first_line(error)
        if "allow_pickle" in line:
            raise DataError(f"{file}: holds Python objects, which make no image") from error
        raise DataError(f"{file}: is damaged or cut short ({line}); replace it") from error


def _chosen_dataset(file: Path, document: Any, key: str | None) -> str:
    if key is not None and isinstance(document.get(key), h5py.Dataset):
        return key
    names: list[str] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim >= 2:
            names.append(name)

    document.visititems(visit)
    return _chosen(file, names, key)


def _chosen(file: Path, names: list[str], key: str | None) -> str:
    """Return the array that is meant, the only one where none is named."""
    if key in names:
        return str(key)
    found = listed(names, most=5) if names else "no array of two axes or more"
    how = "by source.key, for masks source.mask_key, for a layer as in"
    if key is not None:
        has = f"has no array '{key}', but {found}"
        raise DataError(f"{file}: {has}; name one {how} {file.name}/ARRAY")
    if len(names) != 1:
        raise DataError(f"{file}: holds {found}; name one {how} {file.name}/ARRAY")
    return names[0]


def _checked(file: Path, name: str, array: Any) -> Any:
    """Check that an array can be an image, before it is read."""
    dtype = array.dtype
    if dtype.names is not None or dtype.kind not in "biuf":
        kind = "compound values" if dtype.names is not None else f"{dtype.name} values"
        raise DataError(f"{file}: '{name}' holds {kind}, which make no image; choose another array")
    if array.ndim not in (2, 3) or 0 in array.shape:
        shape = " x ".join(map(str, array.shape))
        raise DataError(
            f"{file}: '{name}' is {shape or 'a single value'}; an image has two axes, or three "
            "with its bands"
        )
    if array.size > _MOST_VALUES:
        raise DataError(f"{file}: '{name}' is too large for an array file; convert it to GeoTIFF")
    return array


def hdf5_bytes(key: str, values: NDArray[Any]) -> bytes:
    """Return an HDF5 file with one array."""
    content = io.BytesIO()
    with h5py.File(content, "w") as document:
        document.create_dataset(key, data=values, compression="gzip")
    return content.getvalue()


def one_hot_classes(bands: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Return the classes of a one-hot mask, (bands, rows, cols), as (rows, cols).

    None if it is none. A pixel whose bands are all 0 is of the first class.
    """
    if len(bands) < 2 or not np.isin(bands, (0, 1)).all() or (bands.sum(axis=0) > 1).any():
        return None
    return np.asarray(bands.argmax(axis=0), np.uint8)
