"""What tells a raster's pixels without data: declared values and masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class NoData:
    """Values of bands that mean no data, by the position of the band among those read.

    One band that has its value is enough if `alone`. Otherwise all must have theirs: a value that
    can be one of ground, such as 0 of an RGB orthophoto, is in one band alone that of a shadow.
    """

    values: tuple[tuple[int, np.generic], ...]
    alone: bool = False

    @classmethod
    def of(
        cls,
        values: Sequence[float | None],
        dtype: np.dtype[Any],
        value_range: tuple[float, float] | None = None,
    ) -> Self | None:
        """Return what the values of bands mean, None if there are none that the bands can hold.

        Args:
            values: of each band that is read; None if it has none.
            dtype: of the bands.
            value_range: which values can be those of ground. Default: all.
        """
        held = [
            (position, value)
            for position, value in enumerate(values)
            if value is not None and _can_hold(dtype, value)
        ]
        low, high = (-np.inf, np.inf) if value_range is None else value_range
        foreign = [pair for pair in held if not low <= pair[1] <= high]
        told = tuple((position, dtype.type(value)) for position, value in foreign or held)
        return cls(told, bool(foreign)) if told else None

    def missing(self, bands: NDArray[Any]) -> Bools:
        """Tell the pixels without data, (rows, cols), of (bands, rows, cols)."""
        (first, value), *others = self.values
        found: Bools = bands[first] == value
        for position, value in others:
            if self.alone:
                found |= bands[position] == value
            elif not found.any():
                break
            else:
                found &= bands[position] == value
        return found


def _can_hold(dtype: np.dtype[Any], value: float) -> bool:
    """Tell whether values can be equal to this one."""
    if np.isnan(value):
        return False
    if dtype.kind == "f":
        return True
    ends = np.iinfo(dtype)
    return value % 1 == 0 and ends.min <= value <= ends.max


def needs_alpha(dataset: Any) -> bool:
    """Whether an opened raster needs an alpha band to tell what a warp brings in beside it."""
    has_nodata = any(value is not None for value in dataset.nodatavals)
    return ColorInterp.alpha not in dataset.colorinterp and not has_nodata


def mask_bands(dataset: Any, bands: Sequence[int]) -> tuple[int, ...]:
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
