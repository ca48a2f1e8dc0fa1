"""Losses over class-index masks in which unlabelled pixels do not count.

Each takes masks (batch, rows, cols) uint8, with `IGNORE` where there is no label, and probabilities
(batch, rows, cols, channels), and returns a scalar. All are made of sums over the batch; where a
batch is spread over several processors, `total` adds these sums up, so that the loss is that of the
whole batch and not a mean of its parts' losses.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.metrics import all_classes
from landslide_cli.core.palette import IGNORE

if TYPE_CHECKING:
    from landslide_cli.profile import TrainSettings

Total = Callable[[list[Any]], list[Any]]
Loss = Callable[..., Any]

# Overlap losses count over the batch and its pixels, and keep the classes apart.
_PIXELS = (0, 1, 2)
_TINY = 1e-7


def alone(sums: list[Any]) -> list[Any]:
    """Return the sums of a batch that is on one processor."""
    return sums


def make_loss(settings: "TrainSettings") -> Loss:
    """Make the profile's loss, called with masks, probabilities and `total`.

    `categorical_crossentropy` and `focal` (Lin et al. 2017) are means over labelled pixels; `dice`
    (Milletari et al. 2016) and `tversky` (Salehi et al. 2017),

        1 - TP / (TP + alpha FP + beta FN),
        TP = sum(t p), FP = sum((1 - t) p), FN = sum(t (1 - p)),

    the former with alpha = beta = 1/2, are means over the foreground classes of a batch;
    `crossentropy_dice` is the sum of the first and the third. All means are weighted by
    `class_weights`.
    """
    alpha, beta = settings.tversky_alpha, settings.tversky_beta
    chosen: dict[str, Callable[..., Any]] = {
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
    losses, weights = [chosen[name] for name in names], settings.class_weights

    def loss(mask: Any, probabilities: Any, total: Total = alone) -> Any:
        probabilities = all_classes(tf.cast(probabilities, tf.float32))
        # Pixels without a label have an all-zero one-hot vector.
        truth = tf.one_hot(tf.cast(mask, tf.int32), probabilities.shape[-1])
        labelled = tf.cast(tf.not_equal(tf.cast(mask, tf.int32), IGNORE), tf.float32)
        by_class = _class_weights(weights, probabilities.shape[-1])
        return tf.add_n([one(truth, probabilities, labelled, by_class, total) for one in losses])

    return loss


def _class_weights(weights: Sequence[float] | None, classes: int) -> Any:
    return tf.constant([1.0] * classes if weights is None else list(weights), tf.float32)


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
        truth, counted = truth[..., 1:], (probabilities * labelled[..., None])[..., 1:]
        sums = [truth * counted, counted, truth]
        hits, found, there = total([tf.reduce_sum(one, _PIXELS) for one in sums])
        missed = there - hits
        overlap = (hits + _TINY) / (hits + alpha * (found - hits) + beta * missed + _TINY)
        weights = weights[1:]
        return tf.reduce_sum((1.0 - overlap) * weights) / tf.maximum(tf.reduce_sum(weights), _TINY)

    return tversky


def _mean(losses: Any, truth: Any, weights: Any, total: Total) -> Any:
    """Average the pixels' losses over those that have a label, each by its class's weight."""
    by_pixel = tf.linalg.matvec(truth, weights)
    summed, weight = total([tf.reduce_sum(losses * by_pixel), tf.reduce_sum(by_pixel)])
    return summed / tf.maximum(weight, _TINY)
