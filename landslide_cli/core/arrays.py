"""The arrays that everything passes on."""

import numpy as np
from numpy.typing import NDArray

# (rows, cols, bands), as scenes are read for the model: 0 and 255 are the ends of a band's range.
# Of 8 bits where scenes have no more; otherwise float32, not rounded, and beyond the ends too.
Image = NDArray[np.uint8 | np.float32]

# (..., channels) in [0, 1]: of two classes the foreground's alone, of more one channel per class.
Probabilities = NDArray[np.float32]

# Which pixels hold data, (rows, cols); None for all of them.
Valid = NDArray[np.bool_] | None

# What standardized bands get, in gray levels of 0 to 255; close to those of typical aerial scenes.
MEAN, DEVIATION = 110.0, 50.0

# A 2 x 3 matrix, from pixels (x, y) of one scene to pixels of another.
Transform = tuple[tuple[float, float, float], tuple[float, float, float]]


def like(values: NDArray[np.floating], image: Image) -> Image:
    """Convert what was computed from an image to its type: 8 bits are rounded and clipped."""
    if image.dtype == np.uint8:
        return np.asarray(np.rint(np.clip(values, 0.0, 255.0)), np.uint8)
    return np.asarray(values, np.float32)
