"""The arrays that everything passes on."""

import numpy as np
from numpy.typing import NDArray

# (rows, cols, bands), as scenes are read for the model.
Image = NDArray[np.uint8]

# (..., channels) in [0, 1]: of two classes the foreground's alone, of more one channel per class.
Probabilities = NDArray[np.float32]

# Which pixels hold data, (rows, cols); None for all of them.
Valid = NDArray[np.bool_] | None

# A 2 x 3 matrix, from pixels (x, y) of one scene to pixels of another.
Transform = tuple[tuple[float, float, float], tuple[float, float, float]]
