"""The choice of a raster's bands: which a model sees, and what tells pixels without data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.preprocessing import Preprocessing

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class BandPlan:
    """Which bands of a raster are read, by their numbers from 1, and what tells its missing data.

    `copies` tells how often a gray band is repeated. `alpha` is the alpha band, `nodata` each
    band's value of no data, both None if there is none; `mask_bands` are those whose masks of
    another kind must be read; `floating` tells that values may be NaN. Of a palette image
    `painting` is (bands, 256) uint8, each index's colour, and `shown` (256,) bool, whether it is
    opaque.
    """

    bands: list[int]
    copies: int = 1
    alpha: int | None = None
    nodata: list[np.generic] | None = None
    mask_bands: tuple[int, ...] = ()
    floating: bool = False
    painting: NDArray[np.uint8] | None = None
    shown: Bools | None = None

    @property
    def bands_read(self) -> list[int]:
        return self.bands if self.alpha is None else [*self.bands, self.alpha]


def plan_bands(path: Path, dataset: Any, preprocessing: Preprocessing) -> BandPlan:
    """Decide which bands of an opened raster a model sees.

    Raises:
        DataError: the raster has other bands than asked for, or values that no range is known for,
            complex ones or a palette of more than 256 colours.
    """
    if is_palette(dataset):
        return _plan_of_colours(path, dataset, preprocessing)
    bands = colour_bands(dataset)
    chosen = _chosen_bands(path, bands, dataset.count, preprocessing)
    dtype = _pixel_type(path, dataset, chosen[0], preprocessing)
    alpha = next((i for i in dataset.indexes if i not in bands and i not in chosen), None)
    nodata = _nodata(dataset, chosen, dtype)
    return BandPlan(
        bands=chosen,
        copies=preprocessing.bands if len(chosen) < preprocessing.bands else 1,
        alpha=alpha,
        nodata=nodata,
        mask_bands=_mask_bands(dataset, chosen),
        floating=dtype.kind == "f",
    )


def _plan_of_colours(path: Path, dataset: Any, preprocessing: Preprocessing) -> BandPlan:
    table = colour_table(path, dataset)
    chosen = _chosen_bands(path, [1, 2, 3], 3, preprocessing)
    return BandPlan(
        bands=[1],
        alpha=next((index for index in dataset.indexes if index != 1), None),
        nodata=_nodata(dataset, [1], np.dtype(np.uint8)),
        mask_bands=_mask_bands(dataset, [1]),
        painting=np.ascontiguousarray(table.T[[band - 1 for band in chosen]]),
        shown=table[:, 3] != 0,
    )


def _chosen_bands(
    path: Path, bands: list[int], count: int, preprocessing: Preprocessing
) -> list[int]:
    """Return the bands to read out of those with colours; `count` is how many there are in all."""
    if preprocessing.order is not None:
        bands = list(preprocessing.order)
        absent = [band for band in bands if not 1 <= band <= count]
        if absent:
            raise DataError(
                f"{path}: has {count} bands, and infer.bands: {bands} names band {absent[0]}; "
                "choose others in the profile"
            )
    if len(bands) == preprocessing.bands or (len(bands) == 1 and preprocessing.order is None):
        return bands
    if preprocessing.order is not None:
        raise DataError(
            f"{path}: infer.bands chooses {len(bands)} bands where the profile says bands: "
            f"{preprocessing.bands}; name as many"
        )
    raise DataError(
        f"{path}: has {len(bands)} bands where the profile says bands: {preprocessing.bands}; "
        "choose other images or change the profile\n(infer.bands chooses bands for inference)"
    )


def _pixel_type(path: Path, dataset: Any, band: int, preprocessing: Preprocessing) -> np.dtype[Any]:
    name = dataset.dtypes[band - 1]
    if name.startswith("complex"):
        raise DataError(f"{path}: holds complex values, which make no picture; choose other images")
    if preprocessing.value_range is None and name not in ("uint8", "uint16"):
        raise DataError(
            f"{path}: holds {name} values; say which range becomes 0 to 255 with "
            "source.value_range in the profile"
        )
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


def _nodata(dataset: Any, bands: list[int], dtype: np.dtype[Any]) -> list[np.generic] | None:
    """Return the bands' values of no data; None if a band has none, or one it cannot hold."""
    values = [dataset.nodatavals[band - 1] for band in bands]
    if any(value is None or np.isnan(value) for value in values):
        return None
    # Values beyond the type's range do not get here.
    if dtype.kind != "f" and any(value % 1 for value in values):
        return None
    return [dtype.type(value) for value in values]


def _mask_bands(dataset: Any, bands: list[int]) -> tuple[int, ...]:
    """Return the bands with masks, in the file or beside it, that no value and no alpha band tells.

    If the bands share one mask, it is that of the first.
    """
    flags = {band: set(dataset.mask_flag_enums[band - 1]) for band in bands}
    masked = [
        band
        for band in bands
        if not flags[band] & {MaskFlags.all_valid, MaskFlags.alpha}
        and (MaskFlags.nodata not in flags[band] or dataset.nodatavals[band - 1] is None)
    ]
    shared = bool(masked) and MaskFlags.per_dataset in flags[masked[0]]
    return tuple(masked[:1] if shared else masked)


def is_palette(dataset: Any) -> bool:
    """Tell an image whose values are indices into a palette; it may have an alpha band."""
    return bool(colour_bands(dataset) == [1] and dataset.colorinterp[0] == ColorInterp.palette)


def colour_table(path: Path, dataset: Any) -> NDArray[np.uint8]:
    """Return the red, green, blue and alpha of a palette image's indices, (256, 4).

    Raises:
        DataError: the indices are not 8 bits deep.
    """
    if dataset.dtypes[0] != "uint8":
        raise DataError(
            f"{path}: has a palette for {dataset.dtypes[0]} indices, not uint8; convert it to RGB"
        )
    table = np.zeros((256, 4), np.uint8)
    for index, colour in dataset.colormap(1).items():
        table[index] = colour
    return table


def colour_bands(dataset: Any) -> list[int]:
    """Return the numbers of the bands that are not alpha."""
    interpretations = zip(dataset.indexes, dataset.colorinterp, strict=True)
    return [index for index, meaning in interpretations if meaning != ColorInterp.alpha]
