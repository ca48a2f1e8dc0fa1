"""Windows as soft as the images that a model has learned from."""

import cv2
import numpy as np

from landslide_cli.core.arrays import Image


def blur_windows(windows: Image, sigma: float) -> Image:
    """Blur each window by a Gaussian, mirrored at the window's edges.

    Args:
        windows: (batch, rows, cols, bands), of 8 bits or float32.
        sigma: standard deviation in pixels; 0 returns the windows as they are.
    """
    if sigma == 0.0:
        return windows
    blurred = [
        cv2.GaussianBlur(window, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
        for window in windows
    ]
    # OpenCV leaves out the axis of a single band.
    return np.stack(blurred).reshape(windows.shape)
