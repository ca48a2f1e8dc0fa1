"""The prediction of a whole scene, and the class of each pixel that follows from it.

Inside the program probabilities have one form, (..., channels) float32 in [0, 1]: of two classes a
single channel, the foreground's; of more, a channel per class, which is 0 for a background that the
model has no output for. `class_probabilities` adds the background's channel of two classes where a
distribution over all is wanted. The foreground is all classes but the first, or those of a choice.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Probabilities, Valid
from landslide_cli.core.palette import Mask
from landslide_cli.core.tiling.layout import Layout
from landslide_cli.core.tiling.source import Source
from landslide_cli.core.tiling.streaming import Predict, predict_block


def channels_of(classes: int) -> int:
    """Return how many channels the probabilities of so many classes have."""
    return 1 if classes == 2 else classes


def predict_scene(
    source: Source, predict: Predict, layout: Layout, channels: int, batch: int = 1
) -> tuple[Probabilities, Valid]:
    """Predict a scene that fits into memory, by overlapping windows, blended without seams.

    Args:
        source: the scene.
        predict: the model, or anything with its signature.
        layout: of the scene; the model must take its windows.
        channels: that `predict` returns.
        batch: windows per model call.

    Returns:
        (rows, cols, channels) float32 in [0, 1], at the scene's own size; and which pixels hold
        data, (rows, cols), None for all.
    """
    shape = source.height, source.width
    probabilities = np.empty((*shape, channels), np.float32)
    valid: Valid = None
    for strip in predict_block(source, predict, layout, layout.whole, channels, batch=batch):
        rows = slice(strip.row_off, strip.row_off + len(strip.probabilities))
        probabilities[rows] = strip.probabilities
        if strip.valid is not None:
            valid = np.ones(shape, np.bool_) if valid is None else valid
            valid[rows] = strip.valid
    return probabilities, valid


def mask_of(
    probabilities: Probabilities, threshold: float | None = None, chosen: Sequence[int] = ()
) -> Mask:
    """Decide the class of each pixel.

    Args:
        probabilities: (..., channels).
        threshold: foreground is where its probability is at least this, and has the most probable
            of the foreground's classes; elsewhere it is that of the others. Default: the most
            probable of all classes.
        chosen: the foreground's classes, ascending. Default: all but the first.

    Returns:
        (...) uint8 class indices.
    """
    if threshold is None and probabilities.shape[-1] > 1:
        return np.asarray(probabilities.argmax(axis=-1), np.uint8)
    foreground = foreground_probability(probabilities, chosen)
    is_foreground = foreground > 0.5 if threshold is None else foreground >= np.float32(threshold)
    if probabilities.shape[-1] == 1:
        return is_foreground.astype(np.uint8)
    if chosen:
        others = [index for index in range(probabilities.shape[-1]) if index not in chosen]
        best, rest = _most_probable(probabilities, chosen), _most_probable(probabilities, others)
        return np.where(is_foreground, best, rest)
    return np.where(is_foreground, 1 + probabilities[..., 1:].argmax(axis=-1), 0).astype(np.uint8)


def _most_probable(probabilities: Probabilities, classes: Sequence[int]) -> Mask:
    """Return the index of the most probable of some of the classes, (...) uint8."""
    best = probabilities[..., list(classes)].argmax(axis=-1)
    return np.asarray(np.asarray(classes, np.uint8)[best], np.uint8)


def foreground_probability(
    probabilities: Probabilities, chosen: Sequence[int] = ()
) -> NDArray[np.float32]:
    """Return the probability of any class of the foreground, (...) float32 in [0, 1].

    Args:
        probabilities: (..., channels).
        chosen: the foreground's classes. Default: all but the first.
    """
    if probabilities.shape[-1] == 1:
        return np.asarray(probabilities[..., 0], np.float32)
    if chosen:
        total = probabilities[..., list(chosen)].sum(axis=-1)
        return np.asarray(np.clip(total, 0.0, 1.0), np.float32)
    return np.asarray(np.clip(1.0 - probabilities[..., 0], 0.0, 1.0), np.float32)


def class_probabilities(probabilities: Probabilities) -> Probabilities:
    """Return one probability per class, (..., classes) float32, the background's first."""
    if probabilities.shape[-1] > 1:
        return probabilities
    return np.concatenate([1.0 - probabilities, probabilities], axis=-1)


def model_channels(answer: Probabilities, adds_background: bool = False) -> Probabilities:
    """Bring a network's answer, of a sigmoid or a softmax, into the form that is used inside.

    Args:
        answer: (..., outputs).
        adds_background: whether the network has no output for the background, whose probability
            is 0 then.
    """
    if adds_background:
        return np.concatenate([np.zeros_like(answer[..., :1]), answer], axis=-1)
    return np.ascontiguousarray(answer[..., 1:]) if answer.shape[-1] == 2 else answer
