"""Reading scenes for the model, whole or piece by piece, in memory that does not grow with them.

All formats go through rasterio (GDAL), which reads 8- and 16-bit gray, RGB, RGBA, palette and
many-band rasters alike and reports damage as an error.
"""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray

# What GDAL's errors are to rasterio, which has no public name for them.
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from landslide_cli.core.tiling.source import Piece
from landslide_cli.errors import DataError, counted
from landslide_cli.imagery.raster.bands import BandPlan, plan_bands
from landslide_cli.imagery.raster.border import Border, find_border
from landslide_cli.imagery.raster.edge import Encoding
from landslide_cli.imagery.raster.georeference import Georeference, georeference_of
from landslide_cli.imagery.raster.orientation import refuse_turned
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.recognition import require_file
from landslide_cli.imagery.raster.rectify import rectified, rectified_mask

Bools = NDArray[np.bool_]

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
    with _explained(path), rasterio.open(path) as dataset:
        _require_bands(path, dataset)
        yield dataset


class SceneReader:
    """A scene of any size, read piece by piece; to be opened and used in one thread.

    A pixel holds no data if all its bands have the raster's nodata value, or one band has it and
    the value lies outside the value range; if the raster's alpha band or the mask of a band says
    so; or if one of its bands is NaN. By the preprocessing's `nodata` it holds none if its bands
    have another value, likewise, or if it belongs to a border.

    Args:
        path: any raster that GDAL reads.
        preprocessing: how it becomes an image.
        warp: warp it by its ground control points or RPCs, if it has no other georeference; then
            `is_warped`, and its size is that of the warped scene.

    Raises:
        DataError: as `opened` and `refuse_turned`; or the raster has other bands than asked for, or
            values that no range is known for, complex ones or a palette of more than 256 colours;
            or it cannot be warped.
    """

    def __init__(self, path: Path, preprocessing: Preprocessing, warp: bool = False) -> None:
        self._path, self._preprocessing = path, preprocessing
        require_file(path)
        with ExitStack() as datasets, _explained(path):
            self._dataset = datasets.enter_context(_open_to_decode(path))
            _require_bands(path, self._dataset)
            refuse_turned(path, self._dataset)
            self.is_warped = False
            if warp and (warped := _warped(path, self._dataset)) is not None:
                self._dataset, self.is_warped = datasets.enter_context(warped), True
            self._plan = plan_bands(path, self._dataset, preprocessing)
            self.height: int = self._dataset.height
            self.width: int = self._dataset.width
            self.georeference: Georeference = georeference_of(self._dataset)
            self._datasets = datasets.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._datasets.close()

    @property
    def standardized(self) -> bool:
        """Whether the model wants the scene standardized; the pixels read are not yet."""
        return self._preprocessing.standardized

    @property
    def note(self) -> str | None:
        """What to tell of the order in which the bands are taken; None if nothing."""
        return self._plan.note

    @property
    def warning(self) -> str | None:
        """What the file says of its bands that makes a poor map likely; None if nothing."""
        return self._plan.warning

    @property
    def gsd(self) -> tuple[float, float] | None:
        """The scene's own GSD in metres, along a column and along a row; None if unknown."""
        return self._preprocessing.gsd_of(self.georeference, self.height, self.width)

    @property
    def scales(self) -> tuple[float, float]:
        """The factors by which rows and columns are resized for the model.

        Raises:
            DataError: as `Preprocessing.scales_of`.
        """
        return self._preprocessing.scales_of(self._path, self.georeference, self.height, self.width)

    @cached_property
    def border(self) -> Border | None:
        """The border that is no data although the file does not say so; found at the first use.

        Raises:
            DataError: the file is damaged there.
        """
        if self._preprocessing.nodata != "auto":
            return None
        if self.is_warped:
            return self._warped_border()
        encoding = _encoding(self._plan)
        block_shape = self._dataset.block_shapes[self._plan.bands[0] - 1]
        return find_border(self._pixels, self.height, self.width, block_shape, encoding)

    def _warped_border(self) -> Border | None:
        """Find the border at the edge of the scene itself, and warp it with the scene."""
        with SceneReader(self._path, self._preprocessing) as upright:
            border, control = upright.border, upright.georeference.control
        if border is None or control is None:
            return None
        with _explained(self._path):
            return replace(border, mask=rectified_mask(border.mask, control, self._dataset))

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        """Read a rectangle.

        Args:
            rows: first row, and the row after the last.
            cols: likewise.

        Raises:
            DataError: the file is damaged there, or holds values outside the value range.
            ValueError: the rectangle is empty or not inside the scene.
        """
        if not (0 <= rows[0] < rows[1] <= self.height and 0 <= cols[0] < cols[1] <= self.width):
            raise ValueError(f"rows {rows}, cols {cols} of {self.height} x {self.width} pixels")
        values, valid = self._pixels(rows, cols)
        border = None if self.border is None else self.border.within(rows, cols)
        if border is not None:
            valid = ~border if valid is None else valid & ~border
        image = self._image(values, valid)
        if valid is not None:
            image[~valid] = 0
        return Piece(image, valid)

    def _pixels(
        self, rows: tuple[int, int], cols: tuple[int, int]
    ) -> tuple[NDArray[Any], Bools | None]:
        """Read values, (bands, rows, cols) as in the file, and tell which hold data."""
        window, plan = Window.from_slices(rows, cols), self._plan
        with _explained(self._path):
            values = self._dataset.read(plan.bands_read, window=window)
            masks = None
            if plan.mask_bands:
                masks = self._dataset.read_masks(plan.mask_bands, window=window)
        return values[: len(plan.bands)], _valid(values, masks, plan)

    def _image(self, values: NDArray[Any], valid: Bools | None) -> NDArray[np.uint8]:
        """Turn (bands, rows, cols) of any type into (rows, cols, bands) uint8."""
        if self._plan.painting is not None:
            return _merged([cv2.LUT(values[0], column) for column in self._plan.painting])
        scaled = _scaled(values, valid, self._plan.value_range, self._path)
        return _merged([*scaled] * self._plan.copies)


def _valid(values: NDArray[Any], masks: NDArray[np.uint8] | None, plan: BandPlan) -> Bools | None:
    """Tell the pixels that hold data, (rows, cols); None if all do.

    `values` and `masks` are (bands, rows, cols), of the bands read and of the bands with masks.
    """
    colours = values[: len(plan.bands)]
    known: list[Bools] = [~nodata.missing(colours) for nodata in plan.nodata]
    if plan.floating:
        known.append(~np.asarray(np.isnan(colours).any(axis=0)))
    if plan.alpha is not None:
        known.append(values[-1] != 0)
    if masks is not None:
        known.append(np.asarray(masks.all(axis=0)))
    if plan.shown is not None and not plan.shown.all():
        known.append(plan.shown[values[0]])
    if not known:
        return None
    valid: Bools = np.logical_and.reduce(known)
    return None if valid.all() else valid


def _encoding(plan: BandPlan) -> Encoding:
    """Return black, white and a grey level in the numbers of a raster."""
    low, high = plan.value_range or (0, 255)
    step = 0.0 if plan.painting is not None else (high - low) / 255.0
    return Encoding(float(low), float(high), step)


def _scaled(
    values: NDArray[Any], valid: Bools | None, value_range: tuple[float, float] | None, path: Path
) -> NDArray[np.uint8]:
    """Map the value range to 0..255, (bands, rows, cols); any value where there is no data."""
    if value_range is None:
        return values
    if values.dtype == np.uint16 and value_range == (0, 65535):
        # Rounds each of the 65536 values as below, at six times the speed.
        return np.stack([cv2.convertScaleAbs(band, alpha=255.0 / 65535.0) for band in values])
    low, high = value_range
    _require_in_range(values if valid is None else values[:, valid], value_range, path)
    scaled = np.empty(values.shape, np.uint8)
    for band, target in zip(values, scaled, strict=True):
        numbers = band.astype(np.float32)
        if valid is not None:
            numbers[~valid] = low
        numbers -= low
        numbers *= 255.0 / (high - low)
        target[:] = np.rint(numbers, out=numbers)
    return scaled


def _require_in_range(values: NDArray[Any], value_range: tuple[float, float], path: Path) -> None:
    """Refuse values outside the range: clipping would hide a mistake."""
    if values.size == 0:
        return
    (low, high), least, most = value_range, float(values.min()), float(values.max())
    if not (least >= low and most <= high):
        raise DataError(
            f"{path}: holds values from {least:g} to {most:g}, outside source.value_range "
            f"[{low:g}, {high:g}]; widen it in the profile"
        )


def _merged(bands: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Turn bands of (rows, cols) into (rows, cols, bands).

    Reading the bands apart and merging them takes less time than having them transposed by GDAL,
    and much less than by numpy.
    """
    if len(bands) == 1:
        return np.expand_dims(bands[0], -1)
    merged: NDArray[np.uint8] = cv2.merge(bands)
    return merged


def _open_to_decode(path: Path) -> Any:
    """Open a raster, with all processors for what decodes in parallel at no cost in total."""
    dataset = rasterio.open(path)
    packed = "COMPRESSION" in dataset.tags(ns="IMAGE_STRUCTURE")
    if dataset.driver != "GTiff" or not packed or dataset.width * dataset.height < _LARGE:
        return dataset
    dataset.close()
    return rasterio.open(path, num_threads="all_cpus")


def _require_bands(path: Path, dataset: Any) -> None:
    if dataset.count == 0:
        parts = len(dataset.subdatasets)
        inside = f", but {counted(parts, 'raster')} in it" if parts else ""
        raise DataError(f"{path}: has no bands{inside}; convert what is to be mapped to GeoTIFF")


def _warped(path: Path, dataset: Any) -> Any:
    try:
        return rectified(dataset)
    except (RasterioError, CPLE_BaseError) as error:
        raise DataError(
            f"{path}: cannot be warped by its ground control points or RPCs ({error}); "
            "map it with infer.warp: false"
        ) from error


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Have GDAL report all damage, and raise what is wrong with the file in plain words.

    Each call of GDAL has a context of its own, as contexts of one thread must be nested and
    datasets need not be.
    """
    with rasterio.Env(**_READING):
        try:
            yield
        except (RasterioError, CPLE_BaseError) as error:
            raise DataError(f"{path}: {_why_unreadable(path, error)}") from error
        except _NOT_UNDERSTOOD as error:
            reason = " ".join(str(error).split())
            raise DataError(
                f"{path}: is of a form that cannot be read ({reason}); convert it to GeoTIFF"
            ) from error


def _why_unreadable(path: Path, error: Exception) -> str:
    if "not recognized" in str(error):
        return "is not an image of a known format; replace it or take it away"
    reason = str(error.__cause__ or error).splitlines()[0].removeprefix(f"{path.name}: ")
    return f"is damaged or cut short ({reason}); replace it"
