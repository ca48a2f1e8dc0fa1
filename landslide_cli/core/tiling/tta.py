"""Test-time augmentation: the mean prediction over a window's mirrored and transposed views."""

from typing import Literal

import numpy as np

from landslide_cli.core.arrays import Image, Probabilities
from landslide_cli.core.tiling.streaming import Predict

Symmetries = Literal["none", "flips", "symmetries"]


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
        for axes in _flips()
    ]

    def mean(windows: Image) -> Probabilities:
        total: Probabilities | None = None
        for transpose, axes in views:
            seen = np.flip(windows.swapaxes(1, 2) if transpose else windows, axes)
            answer = (transposed if transpose else predict)(np.ascontiguousarray(seen))
            answer = np.flip(answer, axes)
            answer = answer.swapaxes(1, 2) if transpose else answer
            if total is None:
                total = np.array(answer, np.float32)
            else:
                total += answer
        assert total is not None  # noqa: S101 - there are views
        total /= np.float32(len(views))
        return total

    return mean


def _flips() -> list[tuple[int, ...]]:
    return [(), (2,), (1,), (1, 2)]
