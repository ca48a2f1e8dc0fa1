"""Which of a raster's values become 0 and 255, and what to ask for where nothing tells."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.sampling import sampled_windows


def value_range_of(
    path: Path, dataset: Any, bands: Sequence[int], chosen: tuple[float, float] | None, tiles: bool
) -> tuple[float, float] | None:
    """Return the values of an opened raster that become 0 and 255; None for 8-bit values as is.

    Without a choice the file has to tell how many bits of its unsigned values are used (the item
    NBITS of GDAL). The range of the type is none to go by: pictures of 11 or 12 bits lie in 16, and
    would be nearly black.

    Args:
        path: of the raster, for messages.
        dataset: the opened raster.
        bands: numbers of the bands that are read.
        chosen: the profile's `source.value_range`.
        tiles: the raster is a tile, for which the profile has no range.

    Raises:
        DataError: nothing tells the range; with what is measured in the file.
    """
    if chosen is not None:
        return chosen
    dtype = np.dtype(dataset.dtypes[bands[0] - 1])
    bits = _bits_of(dataset, bands)
    if dtype == np.uint8 and bits in (None, 8):
        return None
    if dtype.kind == "u" and bits is not None:
        return 0, 2**bits - 1
    holds = f"{path}: holds {dtype.name} values"
    if tiles:
        raise DataError(f"{holds}; a tile has 8 bits: write it as uint8, or prepare the scenes")
    seen, suggestion = _measured(dataset, bands), ""
    if seen is not None:
        low, high = _suggested(dtype, *seen)
        holds += f" from {seen[0]:g} to {seen[1]:g}"
        suggestion = f", such as [{low:.10g}, {high:.10g}]"
    raise DataError(
        f"{holds}; say which range becomes 0 to 255 with source.value_range in the profile"
        f"{suggestion}"
    )


def _bits_of(dataset: Any, bands: Sequence[int]) -> int | None:
    """Return how many bits of the values are used, None if the file does not tell for all bands."""
    told = [dataset.tags(band, ns="IMAGE_STRUCTURE").get("NBITS", "") for band in bands]
    return max(int(bits) for bits in told) if all(bits.isdecimal() for bits in told) else None


def implied_range(dataset: Any, band: int) -> tuple[float, float] | None:
    """Return the values of a band that become 0 and 255, as its bits tell; None if they do not."""
    dtype, bits = np.dtype(dataset.dtypes[band - 1]), _bits_of(dataset, [band])
    if dtype == np.uint8 and bits is None:
        bits = 8
    return (0, 2**bits - 1) if dtype.kind == "u" and bits is not None else None


def _suggested(dtype: np.dtype[Any], least: float, most: float) -> tuple[float, float]:
    """Return a range for the values measured: of whole numbers, all that the bits they use hold."""
    if dtype.kind == "f" or least < 0:
        return least, most if most > least else least + 1
    return 0, 2 ** max(8, int(most).bit_length()) - 1


def suggested_range(dataset: Any, bands: Sequence[int]) -> tuple[float, float] | None:
    """Suggest which values become 0 and 255; None where the file tells it, or has no data."""
    dtype = np.dtype(dataset.dtypes[bands[0] - 1])
    if dtype == np.uint8 or (dtype.kind == "u" and _bits_of(dataset, bands) is not None):
        return None
    seen = _measured(dataset, bands)
    return None if seen is None else _suggested(dtype, *seen)


def _measured(dataset: Any, bands: Sequence[int]) -> tuple[float, float] | None:
    """Return the least and the largest value in windows all over a raster; None without data."""
    ends: list[tuple[float, float]] = []
    for window in sampled_windows(dataset.height, dataset.width):
        values = dataset.read(list(bands), window=window, masked=True)
        known: NDArray[Any] = values.compressed()
        known = known[np.isfinite(known)]
        if known.size:
            ends.append((float(known.min()), float(known.max())))
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None
