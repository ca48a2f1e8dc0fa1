"""What a model says of a whole scene, and the class of each pixel that follows from it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.layout import Tiling
from landslide_cli.core.palette import Mask
from landslide_cli.core.streaming import Predict, channels_of, predict_block
from landslide_cli.core.tiler import Image, Probabilities
from landslide_cli.core.windows import ImageSource


def predict_scene(predict: Predict, image: Image, classes: int, tiling: Tiling) -> Probabilities:
    """Predict a scene in memory by overlapping windows, blended without seams.

    Args:
        predict: the model, or anything with its signature.
        image: (rows, cols, bands) uint8.
        classes: channels that `predict` returns.
        tiling: the windows; the model must take their size.

    Returns:
        (rows, cols, classes) float32 in [0, 1], at the scene's own size.
    """
    layout, source = tiling.layout(*image.shape[:2]), ImageSource(image, tiling.standardized)
    result = np.empty((*image.shape[:2], channels_of(classes)), np.float32)
    for strip in predict_block(source, predict, layout, layout.whole, classes, batch=tiling.batch):
        result[strip.row_off : strip.row_off + len(strip.probabilities)] = strip.probabilities
    if classes != 2:
        return result
    return np.concatenate([1.0 - result, result], axis=-1)


def mask_of(probabilities: Probabilities, threshold: float | None = None) -> Mask:
    """Decide the class of each pixel.

    Args:
        probabilities: (..., classes); a single channel is the foreground's of two classes.
        threshold: foreground is where its probability is at least this, whichever of the foreground
            classes is the most probable. Default: the most probable of all classes.

    Returns:
        (...) uint8 class indices.
    """
    if threshold is None and probabilities.shape[-1] > 1:
        return np.asarray(probabilities.argmax(axis=-1), np.uint8)
    foreground = foreground_probability(probabilities)
    found = foreground > 0.5 if threshold is None else foreground >= np.float32(threshold)
    if probabilities.shape[-1] <= 2:
        return found.astype(np.uint8)
    return np.where(found, 1 + probabilities[..., 1:].argmax(axis=-1), 0).astype(np.uint8)


def foreground_probability(probabilities: Probabilities) -> NDArray[np.float32]:
    """Return the probability of any class but background, (...) float32 in [0, 1]."""
    if probabilities.shape[-1] <= 2:
        return np.asarray(probabilities[..., -1], np.float32)
    return np.asarray(np.clip(1.0 - probabilities[..., 0], 0.0, 1.0), np.float32)


def predictor(model: Any) -> Predict:
    """Wrap a Keras model as a compiled function that returns one probability a class."""
    from landslide_cli.core.backend import tf
    from landslide_cli.core.metrics import all_classes

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def call(windows: Any) -> Any:
        return all_classes(model(tf.cast(windows, tf.float32), training=False))

    return lambda windows: call(tf.constant(windows)).numpy()
