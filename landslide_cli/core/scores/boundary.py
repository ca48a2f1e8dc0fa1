"""Boundary F1: how well the predicted outline of a class agrees with the true one.

Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC
2013. They average the score over images; here counts of boundary pixels are summed over scenes, so
each scene is weighted by the length of its outlines.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.scores.confusion import Counts, Tallies, share

Pixels = NDArray[np.bool_]

BOUNDARY_COLUMNS = ("predicted", "predicted_near", "true", "true_near")
BOUNDARY_SCORE_NAMES = ("f1", "precision", "recall")

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def boundary_counts(truth: Mask, prediction: Mask, index: int, tolerance: float) -> Counts:
    """Count the boundary pixels of one class, and those near the boundary in the other mask.

    A pixel of the class is on its boundary if one of its 4 neighbours is of another class. The edge
    of the image and unlabelled pixels do not make a boundary, since the class beyond is unknown.

    Args:
        truth: (rows, cols) class indices; pixels that are `IGNORE` do not count in either mask.
        prediction: (rows, cols) class indices.
        index: the class.
        tolerance: the largest Euclidean distance that counts as near, in pixels.

    Returns:
        (4,) int64 in the order of `BOUNDARY_COLUMNS`: boundary pixels of the prediction, and how
        many of them are near the true boundary; boundary pixels of the truth, and how many of them
        are near the predicted boundary.
    """
    labelled = truth != IGNORE
    true = _boundary_pixels(truth == index, labelled)
    predicted = _boundary_pixels(prediction == index, labelled)
    return np.array(
        [
            np.count_nonzero(predicted),
            _count_near(predicted, true, tolerance),
            np.count_nonzero(true),
            _count_near(true, predicted, tolerance),
        ],
        np.int64,
    )


def boundary_scores(counts: Tallies) -> NDArray[np.float64]:
    """Compute the boundary scores from the counts of `boundary_counts`, or their sums.

    precision = predicted near / predicted; recall = true near / true; f1 is their harmonic mean,
    2 precision recall / (precision + recall). All are 1 if neither mask has a boundary, and 0 if
    only one of them has.

    Args:
        counts: (..., 4).

    Returns:
        (..., 3) in [0, 1], in the order of `BOUNDARY_SCORE_NAMES`.
    """
    predicted, predicted_near, true, true_near = np.moveaxis(counts, -1, 0)
    precision = share(predicted_near, predicted, empty=true == 0)
    recall = share(true_near, true, empty=predicted == 0)
    f1 = share(2 * precision * recall, precision + recall, empty=0.0)
    return np.stack([f1, precision, recall], axis=-1)


def _boundary_pixels(of_class: Pixels, labelled: Pixels) -> Pixels:
    outside = (labelled & ~of_class).astype(np.uint8)
    # Nothing spreads into the image from beyond its edge.
    next_to_outside: Pixels = cv2.dilate(outside, _CROSS) > 0
    return labelled & of_class & next_to_outside


def _count_near(pixels: Pixels, targets: Pixels, tolerance: float) -> int:
    # Without any target OpenCV's distances are arbitrary.
    if not targets.any():
        return 0
    source = (~targets).astype(np.uint8)
    distances = cv2.distanceTransform(source, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[pixels]
    # float32 distances are rounded. Their squares are integers, which rounding restores exactly for
    # distances up to 2000 pixels.
    exact = np.sqrt(np.rint(np.square(distances, dtype=np.float64)))
    return int(np.count_nonzero(exact <= tolerance))
