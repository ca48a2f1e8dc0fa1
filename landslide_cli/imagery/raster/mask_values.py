"""Mask files as they are: grays or colours, and which pixels the file itself leaves out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window as RasterWindow

from landslide_cli.core.palette import Colours
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError, counted
from landslide_cli.imagery.raster.bands import colour_bands, colour_table, is_palette
from landslide_cli.imagery.raster.georeference import Georeference, georeference_of
from landslide_cli.imagery.raster.nodata import NoData, mask_bands
from landslide_cli.imagery.raster.opening import opened
from landslide_cli.imagery.raster.orientation import refuse_turned
from landslide_cli.imagery.raster.recognition import ARRAYS, file_of


@dataclass(frozen=True)
class MaskValues:
    """A mask file as it is.

    `bands` is (1 or 3, rows, cols) uint8, gray or colour, `clear` is (rows, cols) bool: the pixels
    that are transparent, masked or of the file's value of no data; `void` those of that value that
    are not hidden otherwise, and `void_class` those where it could be one of a class. `table` has
    the colours of the values of a single band, (256, 3) uint8, in a palette image its palette's.
    """

    bands: NDArray[np.uint8]
    clear: NDArray[np.bool_]
    void: NDArray[np.bool_]
    void_class: NDArray[np.bool_]
    table: Colours | None = None
    painted: bool = False
    georeference: Georeference = Georeference()  # noqa: RUF009 - immutable

    @property
    def gray(self) -> NDArray[np.uint8] | None:
        """The single band of a gray or palette image, (rows, cols)."""
        return self.bands[0] if len(self.bands) == 1 else None

    def colours_at(self, where: NDArray[np.bool_]) -> Colours:
        """Return the colours of some pixels, (pixels, 3)."""
        if self.table is not None:
            return np.asarray(self.table[self.bands[0][where]], np.uint8)
        return np.ascontiguousarray(self.bands[:, where].T)


def read_mask_values(path: Path, window: Window | None = None) -> MaskValues:
    """Read a mask file, or a window inside it, without deciding what its values mean.

    The georeference is that of the whole file.

    Raises:
        DataError: as `opened` and `refuse_turned`; or the file is neither gray nor colour, 8 bits
            deep.
    """
    with opened(path) as dataset:
        refuse_turned(path, dataset)
        bands, place = colour_bands(dataset), georeference_of(dataset)
        table = colour_table(path, dataset) if is_palette(dataset) else None
        there = None if window is None else RasterWindow.from_slices(*window.spans)
        values, clear = dataset.read(bands, window=there), _hidden(dataset, bands, there)
        told = NoData.of([dataset.nodatavals[band - 1] for band in bands], values.dtype)
    missing = np.zeros(clear.shape, np.bool_) if told is None else told.missing(values)
    void = missing & ~clear
    clear |= missing
    if file_of(path)[0].suffix.lower() in ARRAYS and (classes := _one_hot(values)) is not None:
        values, bands, missing = classes[None], [1], np.zeros(clear.shape, np.bool_)
    if values.dtype.kind == "f":
        unknown = np.isnan(values).any(axis=0)
        values[:, unknown] = 0
        clear |= unknown
    whole, unfit = _in_8_bits(values)
    if len(bands) not in (1, 3) or (unfit & ~clear).any():
        raise DataError(
            f"{path}: is no mask: {counted(len(bands), 'band')} of {values.dtype}; "
            "a mask is gray, palette or RGB, with values from 0 to 255"
        )
    void_class = missing & ~unfit
    if table is not None:
        clear |= table[whole[0], 3] == 0
        return MaskValues(whole, clear, void, void_class, table[:, :3], True, place)
    grays = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    colours = grays if len(bands) == 1 else None
    return MaskValues(whole, clear, void, void_class, colours, False, place)


def _in_8_bits(values: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Convert (bands, rows, cols) to uint8, and tell the pixels that cannot be, (rows, cols)."""
    if values.dtype == np.uint8:
        return values, np.zeros(values.shape[1:], np.bool_)
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.uint8)
    return whole, np.asarray((whole != values).any(axis=0))


def _one_hot(values: NDArray[Any]) -> NDArray[np.uint8] | None:
    from landslide_cli.imagery.raster.array_files import one_hot_classes

    return one_hot_classes(values)


def _hidden(
    dataset: Any, bands: list[int], window: RasterWindow | None = None
) -> NDArray[np.bool_]:
    """Tell the pixels of a mask that its alpha band or a mask of its own hides, (rows, cols)."""
    shape = dataset.shape if window is None else (window.height, window.width)
    hidden = np.zeros(shape, np.bool_)
    alpha = [index for index in dataset.indexes if index not in bands]
    if alpha:
        hidden |= dataset.read(alpha[0], window=window) == 0
    masked = mask_bands(dataset, bands)
    if masked:
        hidden |= ~dataset.read_masks(list(masked), window=window).all(axis=0)
    return hidden
