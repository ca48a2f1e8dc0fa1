"""Losses over class-index masks in which unlabelled pixels do not count.

Each takes masks (batch, rows, cols) uint8, `IGNORE` where there is no label, and probabilities
(batch, rows, cols, channels), and returns a scalar. All are computed from sums over the batch. If a
batch is distributed over several devices, `total` adds the sums of all parts, so the loss is that
of the whole batch, not the mean of the losses of its parts.
"""

from collections.abc import Callable, Sequence
from typing import Any

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.gaussian import gaussian_blur
from landslide_cli.core.networks.metrics import all_classes
from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.losses import (
    SMALLEST,
    SSIM_C1,
    SSIM_C2,
    SSIM_RADIUS,
    SSIM_SIGMA,
    SUMS,
)
from landslide_cli.profile import TrainSettings

Total = Callable[[list[Any]], list[Any]]
Loss = Callable[..., Any]

# The axes of all pixels of a batch; overlap losses are computed per class.
_PIXEL_AXES = (0, 1, 2)


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
    alpha = beta = 1/2, `jaccard` 1. `lovasz` (Berman et al. 2018) is the Lovasz extension of the
    Jaccard loss, averaged over the classes of each image, background included, and over the images.
    `ssim` (Wang et al. 2004) is 1 minus the structural similarity of probabilities and mask, the
    mean over the labelled pixels and the foreground classes. `crossentropy_dice` is the sum of
    `categorical_crossentropy` and `dice`, `basnet` (Qin et al. 2019) that of
    `categorical_crossentropy`, `ssim` and `jaccard`. All means are weighted by `class_weights`.
    """
    alpha, beta = settings.tversky_alpha, settings.tversky_beta
    terms: dict[str, Callable[..., Any]] = {
        "categorical_crossentropy": _crossentropy,
        "dice": _tversky(0.5, 0.5),
        "focal": _focal(settings.focal_gamma),
        "jaccard": _tversky(1.0, 1.0),
        "lovasz": _lovasz,
        "ssim": _ssim,
        "tversky": _tversky(alpha, beta),
    }
    names = SUMS.get(settings.loss, (settings.loss,))
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
        overlap = (hits + SMALLEST) / (hits + alpha * false_alarms + beta * misses + SMALLEST)
        weights = weights[1:]
        weighted = tf.reduce_sum((1.0 - overlap) * weights)
        return weighted / tf.maximum(tf.reduce_sum(weights), SMALLEST)

    return tversky


def _lovasz(truth: Any, probabilities: Any, labelled: Any, weights: Any, total: Total) -> Any:
    """Average the Lovasz-softmax losses of the images.

    By image, the loss is a sum over parts of a batch; the pixels of a whole batch would have to be
    sorted together.
    """
    # (batch, classes, pixels). Unlabelled pixels have no error, and so no part in the sum.
    errors = tf.abs(truth - probabilities) * labelled[..., None]
    t, errors = (_by_class(values) for values in (truth, errors))
    order = tf.argsort(errors, axis=-1, direction="DESCENDING", stable=True)
    ranked = tf.gather(t, order, axis=-1, batch_dims=2)
    count = tf.reduce_sum(t, axis=-1, keepdims=True)
    hits = count - tf.cumsum(ranked, axis=-1)
    union = count + tf.cumsum(1.0 - ranked, axis=-1)
    jaccard = 1.0 - hits / union
    slopes = jaccard - tf.concat([tf.zeros_like(jaccard[..., :1]), jaccard[..., :-1]], -1)
    # The slope that belongs to each pixel: back from the order of their errors.
    rank = tf.argsort(order, axis=-1)
    slopes = tf.stop_gradient(tf.gather(slopes, rank, axis=-1, batch_dims=2))
    losses = tf.reduce_sum(errors * slopes, axis=-1)
    weights = tf.cast(count[..., 0] > 0.0, tf.float32) * weights
    weight = tf.reduce_sum(weights, axis=-1)
    of_images = tf.math.divide_no_nan(tf.reduce_sum(losses * weights, axis=-1), weight)
    images = tf.cast(weight > 0.0, tf.float32)
    loss, images = total([tf.reduce_sum(of_images), tf.reduce_sum(images)])
    return loss / tf.maximum(images, 1.0)


def _by_class(values: Any) -> Any:
    """Reshape (batch, rows, cols, classes) to (batch, classes, pixels)."""
    shape = tf.shape(values)
    return tf.transpose(tf.reshape(values, [shape[0], -1, shape[-1]]), [0, 2, 1])


def _ssim(truth: Any, probabilities: Any, labelled: Any, weights: Any, total: Total) -> Any:
    # Pixels without a label are taken for equal.
    t, p = truth[..., 1:], (probabilities * labelled[..., None])[..., 1:]
    mean_t, mean_p, mean_tt, mean_pp, mean_tp = map(_local_mean, (t, p, t * t, p * p, t * p))
    variances = mean_tt - mean_t**2 + mean_pp - mean_p**2
    covariance = mean_tp - mean_t * mean_p
    means = (2.0 * mean_t * mean_p + SSIM_C1) / (mean_t**2 + mean_p**2 + SSIM_C1)
    similarity = means * (2.0 * covariance + SSIM_C2) / (variances + SSIM_C2)
    pixel_weights = labelled[..., None] * weights[1:]
    weighted = tf.reduce_sum((1.0 - similarity) * pixel_weights)
    loss, weight = total([weighted, tf.reduce_sum(pixel_weights)])
    return loss / tf.maximum(weight, SMALLEST)


def _local_mean(values: Any) -> Any:
    """Average each channel around every pixel by a Gaussian, with zeros beyond the edges."""
    return gaussian_blur(values, SSIM_SIGMA, SSIM_RADIUS, "SAME")


def _mean(losses: Any, truth: Any, weights: Any, total: Total) -> Any:
    """Average the losses of the labelled pixels, weighted by the class of each."""
    pixel_weights = tf.linalg.matvec(truth, weights)
    sums = [tf.reduce_sum(losses * pixel_weights), tf.reduce_sum(pixel_weights)]
    weighted, weight = total(sums)
    return weighted / tf.maximum(weight, SMALLEST)
