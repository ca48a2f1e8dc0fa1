"""Tiled prediction of a whole scene: windows in, one seamless map of probabilities out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import Mask
from landslide_cli.core.resampling import resample
from landslide_cli.core.tiler import Blender, Grid, Image, Probabilities, cut

# Windows (batch, tile, tile, bands) uint8 to probabilities (batch, tile, tile, classes).
Predict = Callable[[Image], Probabilities]


@dataclass(frozen=True)
class Tiling:
    """How a scene is predicted.

    `tile` is the side of a window and `overlap` what neighbours share, in pixels; `batch` is the
    windows of a model call; `scale` the factor by which the scene is resized for the model.
    """

    tile: int
    overlap: int
    batch: int = 1
    scale: float = 1.0


def predict_scene(predict: Predict, image: Image, classes: int, tiling: Tiling) -> Probabilities:
    """Predict a scene of any size by overlapping windows, blended without seams.

    Args:
        predict: the model, or anything with its signature.
        image: (rows, cols, bands) uint8.
        classes: channels that `predict` returns.
        tiling: the windows; the model must take their size.

    Returns:
        (rows, cols, classes) float32 in [0, 1], at the scene's own size.
    """
    rows, cols, _ = image.shape
    width, height = max(1, round(cols * tiling.scale)), max(1, round(rows * tiling.scale))
    scaled = resample(image, width, height)
    grid = Grid(height, width, tiling.tile, tiling.overlap)
    blender = Blender(grid, classes)
    windows = list(grid)
    for start in range(0, len(windows), tiling.batch):
        chosen = windows[start : start + tiling.batch]
        predictions = predict(np.stack([cut(scaled, window) for window in chosen]))
        for window, prediction in zip(chosen, predictions, strict=True):
            blender.add(window, prediction)
    return resample(blender.result(), cols, rows)


def mask_of(probabilities: Probabilities, threshold: float | None = None) -> Mask:
    """Decide the class of each pixel.

    Args:
        probabilities: (..., classes).
        threshold: foreground is where its probability is at least this, whichever of the foreground
            classes is the most probable. Default: the most probable of all classes.

    Returns:
        (...) uint8 class indices.
    """
    if threshold is None:
        return np.asarray(probabilities.argmax(axis=-1), np.uint8)
    found = foreground_probability(probabilities) >= np.float32(threshold)
    if probabilities.shape[-1] == 2:
        return found.astype(np.uint8)
    return np.where(found, 1 + probabilities[..., 1:].argmax(axis=-1), 0).astype(np.uint8)


def foreground_probability(probabilities: Probabilities) -> NDArray[np.float32]:
    """Return the probability of any class but background, (...) float32 in [0, 1]."""
    if probabilities.shape[-1] == 2:
        return np.asarray(probabilities[..., 1], np.float32)
    return np.asarray(np.clip(1.0 - probabilities[..., 0], 0.0, 1.0), np.float32)


def predictor(model: Any) -> Predict:
    """Wrap a Keras model as a compiled function that returns one probability a class."""
    from landslide_cli.core.backend import tf
    from landslide_cli.core.metrics import all_classes

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def call(windows: Any) -> Any:
        return all_classes(model(tf.cast(windows, tf.float32), training=False))

    return lambda windows: call(tf.constant(windows)).numpy()
