"""Metrics of training: counted batch by batch, computed from the sums over an epoch.

Masks are class indices (batch, rows, cols), with `IGNORE` where there is no label; probabilities
are (batch, rows, cols, channels), where a single channel is the probability of class 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.networks.backend import tf
from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.confusion import foreground_scores, mean_scores, share

# The first class after the background.
_FOREGROUND = (1,)


def all_classes(probabilities: Any) -> Any:
    """Give a single sigmoid channel its complement beside it, so that each class has a channel."""
    if probabilities.shape[-1] == 1:
        return tf.concat([1.0 - probabilities, probabilities], axis=-1)
    return probabilities


def with_background(probabilities: Any, classes: int) -> Any:
    """Give a background that a softmax has no output for the probability 0, as the first channel.

    Args:
        probabilities: (..., channels), as a network gives them.
        classes: number of classes, background included.
    """
    if probabilities.shape[-1] > 1 and probabilities.shape[-1] == classes - 1:
        return tf.concat([tf.zeros_like(probabilities[..., :1]), probabilities], axis=-1)
    return probabilities


def confusion_counts(y_true: Any, y_pred: Any, classes: int) -> Any:
    """Count the labelled pixels of a batch by true and by predicted class.

    Args:
        y_true: masks.
        y_pred: probabilities.
        classes: number of classes, background included.

    Returns:
        (classes, classes) float64, true classes by rows. float64 counts to 2^53 exactly; float32
        would stop at 16 million pixels.
    """
    truth = tf.reshape(tf.cast(y_true, tf.int32), [-1])
    predicted = tf.reshape(tf.argmax(all_classes(y_pred), axis=-1, output_type=tf.int32), [-1])
    # A cell of its own takes the unlabelled pixels, and is dropped.
    codes = tf.where(truth < classes, truth * classes + predicted, classes**2)
    counts = tf.math.bincount(codes, minlength=classes**2 + 1, dtype=tf.float64)
    return tf.reshape(counts[: classes**2], (classes, classes))


def soft_accuracy(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Sum `dice_coef_multiclass` over the images of a batch that have any label.

    That is the metric of the published experiment, kept under its name for comparison. For one
    image (2 sum(t p) + 1) / (sum(t) + sum(p) + 1), where t is the one-hot mask, p the
    probabilities, and the sums run over pixels and classes together; then the mean over images.
    Since sum(t) = sum(p) = number of pixels, it is the mean probability given to the true class,
    background included: a soft accuracy, which says little about landslides.

    Source: antillia.com, `dice_coef_multiclass.py`, 2025.

    Returns:
        The sum, and the number of these images, both float32.
    """
    probabilities = all_classes(tf.cast(y_pred, tf.float32))
    # Pixels without a label have an all-zero one-hot vector.
    truth = tf.one_hot(tf.cast(y_true, tf.int32), probabilities.shape[-1])
    labelled = tf.cast(tf.not_equal(tf.cast(y_true, tf.int32), IGNORE), tf.float32)
    hits = tf.reduce_sum(truth * probabilities, axis=(1, 2, 3))
    true_pixels = tf.reduce_sum(truth, axis=(1, 2, 3))
    sums = true_pixels + tf.reduce_sum(probabilities * labelled[..., None], axis=(1, 2, 3))
    is_counted = tf.cast(true_pixels > 0, tf.float32)
    total = tf.reduce_sum(is_counted * (2.0 * hits + 1.0) / (sums + 1.0))
    return total, tf.reduce_sum(is_counted)


def dice(counts: NDArray[Any], foreground: Sequence[int] = _FOREGROUND) -> float:
    """Compute the Dice coefficient of the foreground, 2 TP / (2 TP + FP + FN) (Dice 1945).

    Args:
        counts: (classes, classes) pixels, true classes by rows.
        foreground: its classes; of several it is the mean over those that are present or predicted.

    Returns:
        In [0, 1], rounded to float32 as all that a training logs; 1 for a foreground that is
        neither present nor predicted.

    Example:
        >>> round(dice(np.array([[1, 0], [1, 1]])), 4)
        0.6667
    """
    return _float32(foreground_scores(counts, foreground)[0])


def iou(counts: NDArray[Any], foreground: Sequence[int] = _FOREGROUND) -> float:
    """Compute the intersection over union of the foreground, TP / (TP + FP + FN) (Jaccard 1912).

    Arguments and result are as for `dice`.
    """
    return _float32(foreground_scores(counts, foreground)[1])


def sensitivity(counts: NDArray[Any], foreground: Sequence[int] = _FOREGROUND) -> float:
    """Compute the share of the foreground that is found, TP / (TP + FN); also called recall.

    Arguments and result are as for `dice`.
    """
    return _float32(foreground_scores(counts, foreground)[3])


def specificity(counts: NDArray[Any], foreground: Sequence[int] = _FOREGROUND) -> float:
    """Compute the share of other pixels that are not taken for a foreground class.

    That is TN / (TN + FP), of several classes the mean over all of them; arguments and result are
    as for `dice`.
    """
    each = [_specificity(counts, index) for index in foreground]
    return _float32(np.mean(each))


def _specificity(counts: NDArray[Any], index: int) -> float:
    others = counts.sum() - counts[index].sum()
    false_alarms = counts[:, index].sum() - counts[index, index]
    return float(share(others - false_alarms, others, empty=1.0))


def mean_dice(counts: NDArray[Any]) -> float:
    """Compute the mean Dice over all classes, as `mean_scores`; rounded to float32."""
    return _float32(mean_scores(counts)[0])


def mean_iou(counts: NDArray[Any]) -> float:
    """Compute the mean IoU over all classes, as `mean_scores`; rounded to float32."""
    return _float32(mean_scores(counts)[1])


def mean_soft_accuracy(total: float, images: float) -> float:
    """Compute `dice_coef_multiclass` from the sums over all batches; see `soft_accuracy`."""
    return _float32(np.float32(total) / np.float32(images)) if images else 0.0


def _float32(value: Any) -> float:
    return float(np.float32(value))
