"""Test-time augmentation: the mean prediction over a window's mirrored and transposed views."""

from typing import Literal

import numpy as np

from landslide_cli.core.arrays import Image, Probabilities
from landslide_cli.core.tiling.streaming import Predict

Symmetries = Literal["none", "flips", "symmetries"]

# The axes of (batch, rows, cols, ...) along which a window is mirrored.
_FLIPS: tuple[tuple[int, ...], ...] = ((), (2,), (1,), (1, 2))


def average_views(predict: Predict, transposed: Predict, symmetries: Symmetries) -> Predict:
    """Average a model's predictions over the mirror images of its windows.

    Args:
        predict: the model.
        transposed: the model for windows whose rows and columns are swapped.
        symmetries: `none` for the model as it is; `flips` for the four ways to mirror rows and
            columns; `symmetries` for the eight symmetries of the square, these and their
            transposes.
    """
    if symmetries == "none":
        return predict
    views = [
        (transpose, axes)
        for transpose in ((False, True) if symmetries == "symmetries" else (False,))
        for axes in _FLIPS
    ]

    def answer(windows: Image, transpose: bool, axes: tuple[int, ...]) -> Probabilities:
        """Predict a view, and turn the prediction back."""
        seen = np.flip(windows.swapaxes(1, 2) if transpose else windows, axes)
        view = (transposed if transpose else predict)(np.ascontiguousarray(seen))
        view = np.flip(view, axes)
        return view.swapaxes(1, 2) if transpose else view

    def mean(windows: Image) -> Probabilities:
        first, *others = views
        total = np.array(answer(windows, *first), np.float32)
        for view in others:
            total += answer(windows, *view)
        total /= np.float32(len(views))
        return total

    return mean
