"""How well the outline of a class is met: the boundary F1 score, from counts of boundary pixels.

Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC
2013. They average the score over images; here the counts add up over the scenes, so that a scene
weighs by the length of its outlines.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.scores.confusion import Counts, Tallies, share

Pixels = NDArray[np.bool_]

BOUNDARY_COLUMNS = ("predicted", "predicted_near", "true", "true_near")
BOUNDARY_SCORE_NAMES = ("f1", "precision", "recall")

CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def boundary_counts(truth: Mask, prediction: Mask, index: int, tolerance: float) -> Counts:
    """Count the boundary pixels of one class, and those near the other mask's boundary.

    A pixel of the class is on its boundary if one of its 4 neighbours is not of the class. Neither
    the edge of the image nor a pixel without a label makes a boundary: what is there is not known.

    Args:
        truth: (rows, cols) class indices; where it is `IGNORE` the prediction is left out, too.
        prediction: (rows, cols) class indices.
        index: the class.
        tolerance: the largest Euclidean distance, in pixels, that is near.

    Returns:
        (4,) in the order of `BOUNDARY_COLUMNS`: boundary pixels of the prediction, of these those
        near the truth's boundary; boundary pixels of the truth, of these those near the
        prediction's.
    """
    labelled = truth != IGNORE
    true = _boundary(truth == index, labelled)
    predicted = _boundary(prediction == index, labelled)
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
    2 precision recall / (precision + recall). Without any boundary all are 1; with one in only the
    truth or only the prediction, 0.

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


def _boundary(of_class: Pixels, labelled: Pixels) -> Pixels:
    others = (labelled & ~of_class).astype(np.uint8)
    # Dilation takes nothing from beyond the image.
    beside_others: Pixels = cv2.dilate(others, CROSS) > 0
    return labelled & of_class & beside_others


def _count_near(pixels: Pixels, targets: Pixels, tolerance: float) -> int:
    # Without a target OpenCV's distances are arbitrary numbers.
    if not targets.any():
        return 0
    source = (~targets).astype(np.uint8)
    distances = cv2.distanceTransform(source, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[pixels]
    # In float32 a distance is off by its last digits. Its square is a whole number, which rounding
    # restores exactly up to 2000 pixels.
    exact = np.sqrt(np.rint(np.square(distances, dtype=np.float64)))
    return int(np.count_nonzero(exact <= tolerance))
