"""Windows as soft as the images that a model has learned from."""

from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image


def blur_windows(windows: Image, sigma: float) -> Image:
    """Blur each window by a Gaussian, mirrored at the window's edges.

    Args:
        windows: (batch, rows, cols, bands), of 8 bits or float32.
        sigma: standard deviation in pixels; 0 returns the windows as they are.
    """
    if sigma == 0.0:
        return windows
    weights = gaussian_weights(sigma)
    blurred = [
        cv2.sepFilter2D(window, -1, weights, weights, borderType=cv2.BORDER_REFLECT_101)
        for window in windows
    ]
    # OpenCV leaves out the axis of a single band.
    return np.stack(blurred).reshape(windows.shape)


def gaussian_weights(sigma: float) -> NDArray[np.float32]:
    """Return the weights of the pixels along a row, up to three deviations to either side.

    Args:
        sigma: standard deviation in pixels, above 0.

    Returns:
        (count,) float32, an odd number of weights that add up to 1.
    """
    offsets = np.arange(-ceil(3.0 * sigma), ceil(3.0 * sigma) + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.asarray(weights / weights.sum(), np.float32)
