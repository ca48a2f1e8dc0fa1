"""Resizing arrays with any number of bands."""

from collections.abc import Callable
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)

# The most bands that OpenCV's area averaging and its warps accept at once.
_MAX_BANDS = 4


def resample(values: NDArray[Value], width: int, height: int) -> NDArray[Value]:
    """Resize an image or probabilities, by area averaging to shrink and linearly to enlarge.

    Args:
        values: (rows, cols, bands).
        width: columns of the result.
        height: rows of the result.

    Returns:
        (height, width, bands) of the same type; `values` itself if it already has that size.
    """
    rows, cols, _ = values.shape
    if (width, height) == (cols, rows):
        return values
    if (width < cols and height > rows) or (width > cols and height < rows):
        # OpenCV averages along both axes or along neither.
        shrunk = resample(values, min(width, cols), min(height, rows))
        return resample(shrunk, width, height)
    interpolation = cv2.INTER_AREA if width < cols or height < rows else cv2.INTER_LINEAR

    def resize(chunk: NDArray[Value]) -> NDArray[Value]:
        resized = cv2.resize(chunk, (width, height), interpolation=interpolation)
        return np.asarray(resized.reshape(height, width, -1), values.dtype)

    return by_bands(values, resize)


def by_bands(
    image: NDArray[Value], change: Callable[[NDArray[Value]], NDArray[Value]]
) -> NDArray[Value]:
    """Apply what OpenCV does to an image of up to four bands to one of any number.

    Args:
        image: (rows, cols, bands).
        change: takes some of the bands, (rows, cols, 1 to 4), and returns as many.
    """
    bands = image.shape[-1]
    parts = [
        change(np.ascontiguousarray(image[..., start : start + _MAX_BANDS]))
        for start in range(0, bands, _MAX_BANDS)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
