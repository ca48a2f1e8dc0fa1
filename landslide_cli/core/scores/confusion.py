"""The scores of a segmentation, all from one confusion matrix of pixel counts.

A class that is neither in the masks nor predicted has nothing to be missed and raised no false
alarm: its scores are 1. A class that is only in one of the two scores 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landslide_cli.core.palette import Mask

Counts = NDArray[np.int64]

# What the scores are computed from: counts, or sums of counts, which float64 holds exactly to 2^53.
Tallies = NDArray[np.int64] | NDArray[np.float64]

SCORE_NAMES = ("dice", "iou", "precision", "recall")


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class, each in [0, 1]: with true positives TP, false alarms FP, misses FN.

    dice = 2 TP / (2 TP + FP + FN); iou = TP / (TP + FP + FN); precision = TP / (TP + FP);
    recall = TP / (TP + FN). `pixels` is TP + FN, the pixels of the class in the masks.
    """

    dice: float
    iou: float
    precision: float
    recall: float
    pixels: int


def confusion(truth: Mask, prediction: Mask, classes: int) -> Counts:
    """Count the pixels by true class (rows) and predicted class (columns).

    Args:
        truth: class indices of any shape; pixels whose value is no class are left out.
        prediction: class indices of the same shape.
        classes: number of classes.

    Returns:
        (classes, classes) int64.
    """
    labelled = truth < classes
    codes = truth[labelled].astype(np.int64) * classes + prediction[labelled]
    return np.bincount(codes, minlength=classes * classes).reshape(classes, classes)


def class_scores(counts: Counts, index: int) -> ClassScores:
    """Compute the scores of one class from the confusion matrix."""
    dice, iou, precision, recall = score_values(counts, index).tolist()
    return ClassScores(dice, iou, precision, recall, pixels=int(counts[index].sum()))


def score_values(counts: Tallies, index: int) -> NDArray[np.float64]:
    """Compute the scores of one class from any number of confusion matrices; see `ClassScores`.

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


def scores_from(hits: Tallies, false_alarms: Tallies, misses: Tallies) -> NDArray[np.float64]:
    """Compute the scores from true positives, false alarms and misses, each of shape (...).

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
    """Divide `part` by `whole`, both of shape (...); where `whole` is 0 the result is `empty`."""
    result = np.array(np.broadcast_to(empty, np.shape(whole)), np.float64)
    return np.divide(part, whole, out=result, where=np.asarray(whole > 0))
