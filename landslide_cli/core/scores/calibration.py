"""What the predicted probabilities are worth: calibration, precision and recall at any threshold.

All from one histogram of the labelled pixels by the probability of the foreground, that is of any
class but background. Histograms of scenes add up.
"""

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.scores.confusion import scores_from, share

# Bins of probability: bin k holds those from k / BINS to below (k + 1) / BINS, the last also 1.
BINS = 1000

PROBABILITY_ROWS = ("background", "foreground", "probability")

# Compared in float32 as a prediction is: a pixel is in bin k or above if probability >= EDGES[k].
EDGES = (np.arange(BINS) / BINS).astype(np.float32)
_UPPER_EDGES = np.append(EDGES[1:], np.float32(np.inf))


def probability_counts(truth: Mask, probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sort the labelled pixels into bins of their probability of being foreground.

    Args:
        truth: class indices of any shape; 0 is background, `IGNORE` is left out.
        probability: of the same shape, in [0, 1].

    Returns:
        (3, BINS), rows in the order of `PROBABILITY_ROWS`: how many pixels of each bin are
        background, how many foreground (whole numbers), and the sum of their probabilities.
    """
    labelled = truth != IGNORE
    known = probability[labelled]
    bins = _bins(known)
    codes = bins + BINS * (truth[labelled] != 0)
    pixels = np.bincount(codes, minlength=2 * BINS).reshape(2, BINS)
    sums = np.bincount(bins, weights=known, minlength=BINS)
    # Of no pixels at all numpy's weighted sums are integers.
    return np.vstack([pixels, sums]).astype(np.float64)


def expected_calibration_error(counts: NDArray[np.float64], bins: int = 20) -> NDArray[np.float64]:
    """Compute how far probabilities are from frequencies, on average over the pixels.

    ECE = sum over bins of n_b / N * |mean probability_b - frequency of foreground_b|, for the
    probability of the foreground in bins of equal width (Naeini, Cooper and Hauskrecht, AAAI 2015;
    Guo et al., "On calibration of modern neural networks", ICML 2017).

    Args:
        counts: (..., 3, BINS).
        bins: number of bins; must divide `BINS`.

    Returns:
        (...) in [0, 1]; 0 without any pixels.
    """
    background, foreground, sums = _merged(counts, bins)
    gaps = np.abs(sums - foreground).sum(axis=-1)
    return share(gaps, (background + foreground).sum(axis=-1), empty=0.0)


def reliability(counts: NDArray[np.float64], bins: int = 20) -> NDArray[np.float64]:
    """Compute the reliability diagram: how often pixels of a probability are foreground.

    Args:
        counts: (3, BINS).
        bins: number of bins of equal width; must divide `BINS`.

    Returns:
        (bins that hold pixels, 3), ascending: mean probability, frequency of foreground, pixels.
    """
    background, foreground, sums = _merged(counts, bins)
    pixels = background + foreground
    filled = pixels > 0
    rows = np.stack([share(sums, pixels, 0.0), share(foreground, pixels, 0.0), pixels], axis=-1)
    return np.asarray(rows[filled])


def threshold_scores(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the scores of the foreground where it is predicted from each threshold on.

    Args:
        counts: (..., 3, BINS).

    Returns:
        (..., BINS, 4), the scores in the order of `scores.SCORE_NAMES` if the pixels with
        probability >= k / BINS are predicted to be foreground, for k from 0 to BINS - 1.
    """
    background, foreground, _ = np.moveaxis(counts, -2, 0)
    hits = _from_each_bin_on(foreground)
    false_alarms = _from_each_bin_on(background)
    return scores_from(hits, false_alarms, hits[..., :1] - hits)


def precision_recall(
    counts: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compute the precision-recall curve of the foreground.

    Precision is 0 where nothing is predicted and there is foreground, as in `scores`; to draw the
    curve, take the points with recall > 0.

    Args:
        counts: (..., 3, BINS).

    Returns:
        Thresholds k / BINS ascending from 0, (BINS,); precision, (..., BINS); recall, (..., BINS).
    """
    scores = threshold_scores(counts)
    return np.arange(BINS) / BINS, scores[..., 2], scores[..., 3]


def average_precision(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the area under the precision-recall curve, in steps, without interpolation.

    AP = sum over thresholds k of (recall_k - recall_k+1) precision_k, with recall 0 above the last.

    Args:
        counts: (..., 3, BINS).

    Returns:
        (...) in [0, 1]; 1 without any foreground, which nothing could be ranked above.
    """
    foreground = counts[..., 1, :]
    _, precision, _ = precision_recall(counts)
    # A step of the recall is the share of the foreground that is in the bin.
    return share((foreground * precision).sum(axis=-1), foreground.sum(axis=-1), empty=1.0)


def best_threshold(counts: NDArray[np.float64]) -> float:
    """Choose the threshold with the largest Dice of the foreground; it has the largest IoU, too.

    Where several thresholds are equally good, it is the middle of their longest run, as far as
    possible from where the predictions change; of equally long runs, of the one nearest 0.5.

    Args:
        counts: (3, BINS).

    Returns:
        A multiple of 1 / BINS in (0, 1), to be compared with float32 probabilities by >=; 0.5
        without any foreground.
    """
    if not counts[1].any():
        return 0.5
    dice = threshold_scores(counts)[1:, 0]
    best = 1 + np.flatnonzero(dice == dice.max())
    runs = np.split(best, 1 + np.flatnonzero(np.diff(best) > 1))
    middles = [(len(run), int(run[0] + run[-1]) // 2) for run in runs]
    _, middle = max(middles, key=lambda run: (run[0], -abs(run[1] - BINS // 2)))
    return middle / BINS


def _bins(probability: NDArray[np.float32]) -> NDArray[np.intp]:
    bins = np.minimum((probability * np.float32(BINS)).astype(np.intp), BINS - 1)
    # The product may be rounded across a whole number, by far less than 1.
    bins -= probability < EDGES[bins]
    bins += probability >= _UPPER_EDGES[bins]
    return bins


def _merged(counts: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Merge neighbouring bins: (..., 3, BINS) to (3, ..., bins)."""
    if bins < 1 or BINS % bins:
        raise ValueError(f"the number of bins must divide {BINS}, {bins} does not")
    merged = counts.reshape(*counts.shape[:-1], bins, BINS // bins).sum(axis=-1)
    return np.moveaxis(merged, -2, 0)


def _from_each_bin_on(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cumsum(pixels[..., ::-1], axis=-1)[..., ::-1]
