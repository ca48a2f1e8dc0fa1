"""Losses over class-index masks in which unlabelled pixels do not count.

Each takes masks (batch, rows, cols) uint8, `IGNORE` where there is no label, and probabilities
(batch, rows, cols, channels), and returns a scalar. All are computed from sums over the batch. If a
batch is distributed over several devices, `total` adds the sums of all parts, so the loss is that
of the whole batch, not the mean of the losses of its parts.
"""

from collections.abc import Callable, Sequence
from typing import Any

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.metrics import all_classes
from landslide_cli.core.palette import IGNORE
from landslide_cli.profile import TrainSettings

Total = Callable[[list[Any]], list[Any]]
Loss = Callable[..., Any]

# The axes of all pixels of a batch; overlap losses are computed per class.
_PIXEL_AXES = (0, 1, 2)
_EPSILON = 1e-7


def alone(sums: list[Any]) -> list[Any]:
    """Return the sums as they are: the `total` of a batch on one device."""
    return sums


def make_loss(settings: TrainSettings) -> Loss:
    """Make the profile's loss, to be called with masks, probabilities and `total`.

    `categorical_crossentropy` and `focal` (Lin et al. 2017) are means over the labelled pixels.
    `dice` (Milletari et al. 2016) and `tversky` (Salehi et al. 2017) are means over the foreground
    classes of

        1 - TP / (TP + alpha FP + beta FN),
        TP = sum(t p), FP = sum((1 - t) p), FN = sum(t (1 - p)),

    over the labelled pixels of a batch, with true labels t and probabilities p; `dice` has
    alpha = beta = 1/2. `crossentropy_dice` is the sum of `categorical_crossentropy` and `dice`. All
    means are weighted by `class_weights`.
    """
    alpha, beta = settings.tversky_alpha, settings.tversky_beta
    terms: dict[str, Callable[..., Any]] = {
        "categorical_crossentropy": _crossentropy,
        "dice": _tversky(0.5, 0.5),
        "focal": _focal(settings.focal_gamma),
        "tversky": _tversky(alpha, beta),
    }
    names = (
        ["categorical_crossentropy", "dice"]
        if settings.loss == "crossentropy_dice"
        else [settings.loss]
    )
    class_weights = settings.class_weights

    def loss(mask: Any, probabilities: Any, total: Total = alone) -> Any:
        probabilities = all_classes(tf.cast(probabilities, tf.float32))
        # The one-hot vector of unlabelled pixels is all zeros.
        truth = tf.one_hot(tf.cast(mask, tf.int32), probabilities.shape[-1])
        labelled = tf.cast(tf.not_equal(tf.cast(mask, tf.int32), IGNORE), tf.float32)
        weights = _weights(class_weights, probabilities.shape[-1])
        arguments = truth, probabilities, labelled, weights, total
        return tf.add_n([terms[name](*arguments) for name in names])

    return loss


def _weights(class_weights: Sequence[float] | None, classes: int) -> Any:
    weights = [1.0] * classes if class_weights is None else list(class_weights)
    return tf.constant(weights, tf.float32)


def _crossentropy(truth: Any, probabilities: Any, labelled: Any, weights: Any, total: Total) -> Any:
    losses = keras.losses.categorical_crossentropy(truth, probabilities)
    return _mean(losses, truth, weights, total)


def _focal(gamma: float) -> Callable[..., Any]:
    def focal(truth: Any, probabilities: Any, labelled: Any, weights: Any, total: Total) -> Any:
        losses = keras.losses.categorical_focal_crossentropy(
            truth, probabilities, alpha=1.0, gamma=gamma
        )
        return _mean(losses, truth, weights, total)

    return focal


def _tversky(alpha: float, beta: float) -> Callable[..., Any]:
    def tversky(truth: Any, probabilities: Any, labelled: Any, weights: Any, total: Total) -> Any:
        t, p = truth[..., 1:], (probabilities * labelled[..., None])[..., 1:]
        hits, predicted, true = total([tf.reduce_sum(x, _PIXEL_AXES) for x in (t * p, p, t)])
        false_alarms, misses = predicted - hits, true - hits
        overlap = (hits + _EPSILON) / (hits + alpha * false_alarms + beta * misses + _EPSILON)
        weights = weights[1:]
        weighted = tf.reduce_sum((1.0 - overlap) * weights)
        return weighted / tf.maximum(tf.reduce_sum(weights), _EPSILON)

    return tversky


def _mean(losses: Any, truth: Any, weights: Any, total: Total) -> Any:
    """Average the losses of the labelled pixels, weighted by the class of each."""
    pixel_weights = tf.linalg.matvec(truth, weights)
    sums = [tf.reduce_sum(losses * pixel_weights), tf.reduce_sum(pixel_weights)]
    weighted, weight = total(sums)
    return weighted / tf.maximum(weight, _EPSILON)
