"""Resizing arrays with any number of bands."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", np.uint8, np.float32)

# The most bands that OpenCV's area averaging accepts.
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
    rows, cols, bands = values.shape
    if (width, height) == (cols, rows):
        return values
    if (width < cols and height > rows) or (width > cols and height < rows):
        # OpenCV averages along both axes or along neither.
        shrunk = resample(values, min(width, cols), min(height, rows))
        return resample(shrunk, width, height)
    interpolation = cv2.INTER_AREA if width < cols or height < rows else cv2.INTER_LINEAR
    result = np.empty((height, width, bands), values.dtype)
    for start in range(0, bands, _MAX_BANDS):
        chunk = np.ascontiguousarray(values[..., start : start + _MAX_BANDS])
        resized = cv2.resize(chunk, (width, height), interpolation=interpolation)
        result[..., start : start + _MAX_BANDS] = resized.reshape(height, width, -1)
    return result
