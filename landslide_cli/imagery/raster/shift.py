"""How far two images of the same ground lie beside each other."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# The least side of images that are compared, in pixels.
_LEAST = 16


def shift_between(first: Floats, second: Floats) -> tuple[float, float] | None:
    """Measure a shift by phase correlation (Kuglin and Hines, 1975).

    Where much has changed that can find a peak of noise: a shift by which the two agree less is
    none.

    Args:
        first: an image, (rows, cols), of the mean 0.
        second: another of the same size.

    Returns:
        By how many pixels the second lies to the right and below; None if that cannot be told.
    """
    if min(first.shape) < _LEAST:
        return None
    rows, cols = map(_compared, first.shape)
    planes = tuple(np.ascontiguousarray(plane[:rows, :cols]) for plane in (first, second))
    if not all(plane.std() > 0.0 for plane in planes):
        return None
    window = cv2.createHanningWindow((cols, rows), cv2.CV_32F)
    (right, down), _ = cv2.phaseCorrelate(planes[0], planes[1], window)
    if _agreement(planes, round(right), round(down)) > _agreement(planes, 0, 0):
        return right, down
    return None


def _compared(side: int) -> int:
    """Return how many of a side's pixels OpenCV compares as they are.

    It fills others up to a size that is fast to transform, and where that is odd it is half a pixel
    off.
    """
    return next(n for n in range(side, 0, -1) if n % 2 == 0 and cv2.getOptimalDFTSize(n) == n)


def _agreement(planes: Sequence[Floats], right: int, down: int) -> float:
    """Return the correlation of two images where the second is moved back by a shift."""
    height, width = planes[0].shape
    rows, cols = height - abs(down), width - abs(right)
    top, left = max(0, -down), max(0, -right)
    first = planes[0][top : top + rows, left : left + cols].ravel()
    second = planes[1][top + down : top + down + rows, left + right : left + right + cols].ravel()
    if min(rows, cols) < 2 or not (first.std() > 0.0 and second.std() > 0.0):
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
