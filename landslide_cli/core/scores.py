"""The scores of a segmentation, all from one confusion matrix of pixel counts.

A class that is neither in the masks nor predicted has nothing to be missed and raised no false
alarm: its scores are 1. A class that is only in one of the two scores 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import Mask

Counts = NDArray[np.int64]


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
    hits = int(counts[index, index])
    false_alarms = int(counts[:, index].sum()) - hits
    misses = int(counts[index].sum()) - hits
    return ClassScores(
        dice=_ratio(2 * hits, 2 * hits + false_alarms + misses, 0),
        iou=_ratio(hits, hits + false_alarms + misses, 0),
        precision=_ratio(hits, hits + false_alarms, misses),
        recall=_ratio(hits, hits + misses, false_alarms),
        pixels=hits + misses,
    )


def _ratio(part: int, whole: int, errors: int) -> float:
    if whole == 0:
        return 0.0 if errors else 1.0
    return part / whole
