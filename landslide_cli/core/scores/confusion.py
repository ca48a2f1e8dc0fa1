"""Scores of a segmentation, computed from a confusion matrix of pixel counts.

A class that is neither in the masks nor predicted scores 1: nothing was missed, and there was no
false alarm. A class that is only in the masks or only predicted scores 0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landslide_cli.core.palette import Mask

Counts = NDArray[np.int64]

# Counts, or sums of counts, which float64 represents exactly up to 2^53.
Tallies = NDArray[np.int64] | NDArray[np.float64]

SCORE_NAMES = ("dice", "iou", "precision", "recall")


def confusion(truth: Mask, prediction: Mask, classes: int) -> Counts:
    """Count the pixels by true class (rows) and predicted class (columns).

    Args:
        truth: class indices of any shape; pixels with any other value do not count.
        prediction: class indices of the same shape.
        classes: number of classes.

    Returns:
        (classes, classes) int64.
    """
    labelled = truth < classes
    codes = truth[labelled].astype(np.int64) * classes + prediction[labelled]
    return np.bincount(codes, minlength=classes * classes).reshape(classes, classes)


def score_values(counts: Tallies, index: int) -> NDArray[np.float64]:
    """Compute the scores of one class from any number of confusion matrices.

    With TP true positives, FP false positives and FN false negatives, all numbers of pixels:

        dice = 2 TP / (2 TP + FP + FN), iou = TP / (TP + FP + FN),
        precision = TP / (TP + FP), recall = TP / (TP + FN).

    Args:
        counts: (..., classes, classes), true classes by rows.
        index: the class.

    Returns:
        (..., 4) in [0, 1], in the order of `SCORE_NAMES`.
    """
    hits = counts[..., index, index]
    false_alarms = counts[..., :, index].sum(axis=-1) - hits
    misses = counts[..., index, :].sum(axis=-1) - hits
    return scores_from(hits, false_alarms, misses)


def mean_scores(counts: Tallies) -> NDArray[np.float64]:
    """Average the scores over the classes, each class counting the same.

    A class that is neither in the masks nor predicted is left out: it would score 1 for nothing.

    Args:
        counts: (..., classes, classes), true classes by rows.

    Returns:
        (..., 4) in [0, 1], in the order of `SCORE_NAMES`; 1 where there is no pixel at all.
    """
    return _mean_of(counts, range(counts.shape[-1]))


def foreground_scores(counts: Tallies, foreground: Sequence[int]) -> NDArray[np.float64]:
    """Compute the scores of the foreground: of its class, or the mean over its classes.

    Args:
        counts: (..., classes, classes), true classes by rows.
        foreground: indices of its classes; of several, those that are neither in the masks nor
            predicted are left out.

    Returns:
        (..., 4) in [0, 1], in the order of `SCORE_NAMES`; 1 where none of them is anywhere.
    """
    if len(foreground) == 1:
        return score_values(counts, foreground[0])
    return _mean_of(counts, foreground)


def together(counts: Tallies, foreground: Sequence[int]) -> NDArray[np.float64]:
    """Compute the scores of the foreground taken as one class, by whatever class it is mapped.

    Args:
        counts: (..., classes, classes), true classes by rows.
        foreground: indices of its classes.

    Returns:
        (..., 4) in [0, 1], in the order of `SCORE_NAMES`.
    """
    chosen = list(foreground)
    true, predicted = counts[..., chosen, :], counts[..., :, chosen]
    hits = true[..., chosen].sum(axis=(-2, -1))
    false_alarms, misses = predicted.sum(axis=(-2, -1)) - hits, true.sum(axis=(-2, -1)) - hits
    return scores_from(hits, false_alarms, misses)


def _mean_of(counts: Tallies, classes: Sequence[int]) -> NDArray[np.float64]:
    each = np.stack([score_values(counts, index) for index in classes], axis=-2)
    there = np.stack(
        [counts[..., i, :].sum(axis=-1) + counts[..., :, i].sum(axis=-1) > 0 for i in classes],
        axis=-1,
    )
    total = (each * there[..., None]).sum(axis=-2)
    number = np.broadcast_to(there.sum(axis=-1)[..., None], total.shape)
    return share(total, number, empty=1.0)


def scores_from(hits: Tallies, false_alarms: Tallies, misses: Tallies) -> NDArray[np.float64]:
    """Compute the scores of `score_values` from TP, FP and FN, each of shape (...).

    Returns:
        (..., 4) in [0, 1], in the order of `SCORE_NAMES`.
    """
    errors = false_alarms + misses
    return np.stack(
        [
            share(2 * hits, 2 * hits + errors, empty=1.0),
            share(hits, hits + errors, empty=1.0),
            share(hits, hits + false_alarms, empty=misses == 0),
            share(hits, hits + misses, empty=false_alarms == 0),
        ],
        axis=-1,
    )


def share(part: Tallies, whole: Tallies, empty: ArrayLike) -> NDArray[np.float64]:
    """Divide `part` by `whole`, both of shape (...); the result is `empty` where `whole` is 0."""
    result = np.array(np.broadcast_to(empty, np.shape(whole)), np.float64)
    return np.divide(part, whole, out=result, where=np.asarray(whole > 0))
