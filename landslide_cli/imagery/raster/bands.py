"""The choice of a raster's bands: which a model sees, and what tells pixels without data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from landslide_cli.errors import DataError, counted
from landslide_cli.imagery.raster.nodata import NoData, mask_bands
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.ranges import value_range_of

Bools = NDArray[np.bool_]

_COLOURS = ColorInterp.red, ColorInterp.green, ColorInterp.blue

# What a file calls a band of which it does not know what it shows.
_UNNAMED = ColorInterp.undefined, ColorInterp.gray


@dataclass(frozen=True)
class BandPlan:
    """Which bands of a raster are read, by their numbers from 1, and what tells its missing data.

    `copies` tells how often a gray band is repeated, `value_range` which values become 0 and 255
    (None: they are 8 bits as they are). `alpha` is the alpha band, None if there is none; `nodata`
    the values of no data; `mask_bands` are those whose masks of another kind must be read;
    `floating` tells that values may be NaN. `colours` is what the file calls the bands, empty where
    the profile chooses them. Of a palette image `painting` is (bands, 256) uint8, each index's
    colour, and `shown` (256,) bool, whether it is opaque.
    """

    bands: list[int]
    copies: int = 1
    value_range: tuple[float, float] | None = None
    alpha: int | None = None
    nodata: tuple[NoData, ...] = ()
    mask_bands: tuple[int, ...] = ()
    floating: bool = False
    colours: tuple[ColorInterp, ...] = ()
    painting: NDArray[np.uint8] | None = None
    shown: Bools | None = None

    @property
    def bands_read(self) -> list[int]:
        return self.bands if self.alpha is None else [*self.bands, self.alpha]

    @property
    def is_whole(self) -> bool:
        """Whether nothing can tell that a pixel holds no data."""
        told = self.nodata or self.mask_bands or self.floating
        return not told and self.alpha is None and (self.shown is None or bool(self.shown.all()))

    def read(self, dataset: Any, window: Window) -> tuple[NDArray[Any], Bools | None]:
        """Read the bands in a window, and tell the pixels that hold data.

        Args:
            dataset: the opened raster.
            window: inside the raster.

        Returns:
            (bands, rows, cols) of the raster's type; (rows, cols), None if all hold data.
        """
        values = dataset.read(self.bands_read, window=window)
        masks = None
        if self.mask_bands:
            masks = dataset.read_masks(self.mask_bands, window=window)
        return values[: len(self.bands)], self.valid(values, masks)

    def valid(self, values: NDArray[Any], masks: NDArray[np.uint8] | None) -> Bools | None:
        """Tell the pixels that hold data, (rows, cols); None if all do.

        Args:
            values: (bands, rows, cols), of `bands_read`.
            masks: likewise, of `mask_bands`; None if these are none.
        """
        colours = values[: len(self.bands)]
        known: list[Bools] = [~nodata.missing(colours) for nodata in self.nodata]
        if self.floating:
            known.append(~np.asarray(np.isnan(colours).any(axis=0)))
        if self.alpha is not None:
            known.append(values[-1] != 0)
        if masks is not None:
            known.append(np.asarray(masks.all(axis=0)))
        if self.shown is not None and not self.shown.all():
            known.append(self.shown[values[0]])
        if not known:
            return None
        valid: Bools = np.logical_and.reduce(known)
        return None if valid.all() else valid

    @property
    def note(self) -> str | None:
        """What to tell of the order of the bands; None if they are taken as they lie."""
        if not self.colours or self.bands == sorted(self.bands):
            return None
        named = ", ".join(f"{band} as {self.colours[i].name}" for i, band in enumerate(self.bands))
        return f"takes band {named}, as the file names them; infer.bands chooses otherwise"

    @property
    def warning(self) -> str | None:
        """What a model of colours makes of the bands that is likely wrong; None if nothing."""
        if self.painting is None and self.copies == len(_COLOURS):
            return "gray, where the model takes colours: expect a poor map"
        if len(self.colours) != len(_COLOURS):
            return None
        pairs = zip(self.colours, _COLOURS, strict=True)
        if all(told in (wanted, *_UNNAMED) for told, wanted in pairs):
            return None
        named = ", ".join(colour.name for colour in self.colours)
        return f"its bands are {named}, taken as red, green, blue; infer.bands chooses others"


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
    dtype = _pixel_type(path, dataset, chosen[0])
    alpha = next((i for i in dataset.indexes if i not in bands and i not in chosen), None)
    value_range = value_range_of(
        path, dataset, chosen, preprocessing.value_range, preprocessing.resized_by == "nothing"
    )
    return BandPlan(
        bands=chosen,
        copies=preprocessing.bands if len(chosen) < preprocessing.bands else 1,
        value_range=value_range,
        alpha=alpha,
        nodata=_nodata(_declared(dataset, chosen), dtype, value_range, preprocessing),
        mask_bands=mask_bands(dataset, chosen),
        floating=dtype.kind == "f",
        colours=_colours(dataset, chosen) if preprocessing.order is None else (),
    )


def plan_file(
    path: Path, dataset: Any, numbers: Sequence[int], preprocessing: Preprocessing
) -> BandPlan:
    """Decide which bands of an opened raster are read, in their own values.

    Args:
        path: of the raster, for messages.
        dataset: the opened raster.
        numbers: of the bands, from 1.
        preprocessing: its `nodata` is used.

    Raises:
        DataError: the raster has not these bands, or complex values or a palette.
    """
    require_numbers(path, dataset, numbers)
    if is_palette(dataset):
        raise DataError(f"{path}: is a palette image; convert it to RGB to read single bands")
    if not numbers:
        return BandPlan([])
    dtype = np.result_type(*(_pixel_type(path, dataset, number) for number in numbers))
    alpha = next(
        (
            index
            for index, meaning in zip(dataset.indexes, dataset.colorinterp, strict=True)
            if meaning == ColorInterp.alpha and index not in numbers
        ),
        None,
    )
    # Of 8 bits, 0 in one band may be a shadow; of more, a value of no data is meant as such.
    ground = None if dtype == np.uint8 else (np.inf, -np.inf)
    return BandPlan(
        bands=list(numbers),
        alpha=alpha,
        nodata=_nodata(_declared(dataset, list(numbers)), dtype, ground, preprocessing),
        mask_bands=mask_bands(dataset, numbers),
        floating=dtype.kind == "f",
    )


def require_numbers(path: Path, dataset: Any, numbers: Sequence[int]) -> None:
    """Refuse numbers of bands that an opened raster does not have.

    Raises:
        DataError: there are such.
    """
    absent = [number for number in numbers if number > dataset.count]
    if absent:
        raise DataError(
            f"{path}: has {counted(dataset.count, 'band')} where `bands` in the profile reads band "
            f"{absent[0]}; give another `band`, or take other images"
        )


def _nodata(
    declared: list[float | None],
    dtype: np.dtype[Any],
    value_range: tuple[float, float] | None,
    preprocessing: Preprocessing,
) -> tuple[NoData, ...]:
    """Return what the file declares, and the value that the preprocessing adds."""
    chosen = preprocessing.nodata
    added = [chosen if isinstance(chosen, int | float) else None] * len(declared)
    told = (NoData.of(values, dtype, value_range) for values in (declared, added))
    return tuple(nodata for nodata in told if nodata is not None)


def _plan_of_colours(path: Path, dataset: Any, preprocessing: Preprocessing) -> BandPlan:
    table = colour_table(path, dataset)
    chosen = _chosen_bands(path, [1, 2, 3], 3, preprocessing)
    return BandPlan(
        bands=[1],
        alpha=next((index for index in dataset.indexes if index != 1), None),
        nodata=_nodata(_declared(dataset, [1]), np.dtype(np.uint8), None, preprocessing),
        mask_bands=mask_bands(dataset, [1]),
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
                f"{path}: has {counted(count, 'band')}, and `bands`, source.bands or infer.bands: "
                f"{bands} names band {absent[0]}; choose others in the profile"
            )
    if len(bands) == preprocessing.bands or (len(bands) == 1 and preprocessing.order is None):
        return bands
    if preprocessing.order is not None:
        raise DataError(
            f"{path}: infer.bands chooses {counted(len(bands), 'band')} where the profile says "
            f"bands: {preprocessing.bands}; name as many"
        )
    raise DataError(
        f"{path}: has {counted(len(bands), 'band')} where the profile says bands: "
        f"{preprocessing.bands}; choose other images or change the profile\n"
        "(infer.bands chooses bands for inference)"
    )


def _pixel_type(path: Path, dataset: Any, band: int) -> np.dtype[Any]:
    name = dataset.dtypes[band - 1]
    if name.startswith("complex"):
        raise DataError(f"{path}: holds complex values, which make no picture; choose other images")
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


def _declared(dataset: Any, bands: list[int]) -> list[float | None]:
    return [dataset.nodatavals[band - 1] for band in bands]


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
    """Return the numbers of the bands that are not alpha, as the colours of the first three say.

    If these are red, green and blue in another order, they are put into this one.
    """
    interpretations = zip(dataset.indexes, dataset.colorinterp, strict=True)
    bands = [index for index, meaning in interpretations if meaning != ColorInterp.alpha]
    leading, others = bands[: len(_COLOURS)], bands[len(_COLOURS) :]
    named = dict(zip(_colours(dataset, leading), leading, strict=True))
    if named.keys() == set(_COLOURS):
        leading = [named[colour] for colour in _COLOURS]
    return leading + others


def _colours(dataset: Any, bands: list[int]) -> tuple[ColorInterp, ...]:
    return tuple(dataset.colorinterp[band - 1] for band in bands)


def told_otherwise(dataset: Any, names: Sequence[str]) -> str | None:
    """Say which of red, green and blue an opened raster has elsewhere than its bands' names say.

    None if there are none, or not all three have a name or are told by the file.

    Args:
        dataset: the opened raster.
        names: of its bands in turn.
    """
    told = {colour.name: i for i, colour in zip(dataset.indexes, dataset.colorinterp, strict=True)}
    said = {name.lower(): number for number, name in enumerate(names, start=1)}
    colours = [colour.name for colour in _COLOURS]
    if not told.keys() & said.keys() >= set(colours):
        return None
    wrong = [f"band {said[name]} {name}" for name in colours if said[name] != told[name]]
    if not wrong:
        return None
    other = ", ".join(f"{told[name]} {name}" for name in colours)
    return f"`bands` calls {', '.join(wrong)}, the file {other}; give each entry its `band`"


def named_bands(dataset: Any) -> dict[str, int]:
    """Return the numbers of the bands of an opened raster that are not alpha, by their names.

    These are their colours, or else what the file says of them, or their numbers.
    """
    names: dict[str, int] = {}
    for band in colour_bands(dataset):
        told = re.sub(r"\W+", "_", dataset.descriptions[band - 1] or "").strip("_").lower()
        colour = dataset.colorinterp[band - 1]
        name = colour.name if colour in _COLOURS else told[:40]
        names[name if name and name not in names else f"band{band}"] = band
    return names
