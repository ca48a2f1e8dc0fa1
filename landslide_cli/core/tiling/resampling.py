"""Resizing arrays with any number of bands."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", np.uint8, np.float32)

# OpenCV's averaging over areas takes no more bands at once.
_BANDS_AT_ONCE = 4


def resample(values: NDArray[Value], width: int, height: int) -> NDArray[Value]:
    """Resize an image or probabilities: by averaging to shrink, linearly to enlarge.

    Args:
        values: (rows, cols, bands).
        width: columns of the result.
        height: rows of the result.

    Returns:
        (height, width, bands), of the same type.
    """
    rows, cols, bands = values.shape
    if (width, height) == (cols, rows):
        return values
    if (width < cols and height > rows) or (width > cols and height < rows):
        # OpenCV averages in both directions or in none.
        shrunk = resample(values, min(width, cols), min(height, rows))
        return resample(shrunk, width, height)
    how = cv2.INTER_AREA if width < cols or height < rows else cv2.INTER_LINEAR
    result = np.empty((height, width, bands), values.dtype)
    for start in range(0, bands, _BANDS_AT_ONCE):
        some = np.ascontiguousarray(values[..., start : start + _BANDS_AT_ONCE])
        resized = cv2.resize(some, (width, height), interpolation=how)
        result[..., start : start + _BANDS_AT_ONCE] = resized.reshape(height, width, -1)
    return result
