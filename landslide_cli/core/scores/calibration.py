"""Calibration of the predicted probabilities, and precision and recall at any threshold.

All are computed from one histogram of the labelled pixels by the probability of the foreground, any
class but background. Histograms of scenes add up.
"""

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.scores.confusion import scores_from, share

# Bin k holds probabilities from k / BINS to below (k + 1) / BINS, the last bin also 1.
BINS = 1000

# In float32, as probabilities are: a pixel is in bin k or above if its probability >= EDGES[k].
EDGES = (np.arange(BINS) / BINS).astype(np.float32)
_UPPER_EDGES = np.append(EDGES[1:], np.float32(np.inf))


def probability_counts(truth: Mask, probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Count the labelled pixels by bins of the probability of the foreground.

    Args:
        truth: class indices of any shape; 0 is background, pixels that are `IGNORE` do not count.
        probability: of the foreground, of the same shape, in [0, 1].

    Returns:
        (3, BINS), by rows: the number of background pixels per bin, the number of foreground
        pixels, and the sum of the probabilities of both.
    """
    labelled = truth != IGNORE
    probabilities = probability[labelled]
    bins = _bin_indices(probabilities)
    codes = bins + BINS * (truth[labelled] != 0)
    pixels = np.bincount(codes, minlength=2 * BINS).reshape(2, BINS)
    sums = np.bincount(bins, weights=probabilities, minlength=BINS)
    # numpy's weighted sums of no pixels at all are integers.
    return np.vstack([pixels, sums]).astype(np.float64)


def expected_calibration_error(counts: NDArray[np.float64], bins: int = 20) -> NDArray[np.float64]:
    """Compute the mean deviation of probabilities from frequencies, over all pixels.

    ECE = sum over bins of n_b / N * |mean probability_b - frequency of foreground_b|, for the
    probability of the foreground in bins of equal width (Naeini, Cooper and Hauskrecht, AAAI 2015;
    Guo et al., "On calibration of modern neural networks", ICML 2017).

    Args:
        counts: (..., 3, BINS).
        bins: number of bins; must divide `BINS`.

    Returns:
        (...) in [0, 1]; 0 without any pixels.

    Raises:
        ValueError: `bins` does not divide `BINS`.
    """
    background, foreground, sums = _merge_bins(counts, bins)
    gaps = np.abs(sums - foreground).sum(axis=-1)
    return share(gaps, (background + foreground).sum(axis=-1), empty=0.0)


def reliability(counts: NDArray[np.float64], bins: int = 20) -> NDArray[np.float64]:
    """Compute the reliability diagram: the frequency of the foreground by probability.

    Args:
        counts: (3, BINS).
        bins: number of bins of equal width; must divide `BINS`.

    Returns:
        (bins that are not empty, 3), ascending: mean probability, frequency of foreground, pixels.

    Raises:
        ValueError: `bins` does not divide `BINS`.
    """
    background, foreground, sums = _merge_bins(counts, bins)
    pixels = background + foreground
    rows = np.stack([share(sums, pixels, 0.0), share(foreground, pixels, 0.0), pixels], axis=-1)
    return np.asarray(rows[pixels > 0])


def threshold_scores(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the scores of the foreground at each threshold.

    Args:
        counts: (..., 3, BINS).

    Returns:
        (..., BINS, 4), in the order of `confusion.SCORE_NAMES`: at [k] the scores if pixels with
        probability >= k / BINS are predicted to be foreground.
    """
    background, foreground, _ = np.moveaxis(counts, -2, 0)
    hits = _sums_from_bin_on(foreground)
    false_alarms = _sums_from_bin_on(background)
    return scores_from(hits, false_alarms, hits[..., :1] - hits)


def precision_recall(
    counts: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compute the precision-recall curve of the foreground.

    Precision is 0 where nothing is predicted although there is foreground, as in `score_values`;
    draw the curve from the points with recall > 0.

    Args:
        counts: (..., 3, BINS).

    Returns:
        Thresholds k / BINS ascending from 0, (BINS,); precision, (..., BINS); recall, (..., BINS).
    """
    scores = threshold_scores(counts)
    return np.arange(BINS) / BINS, scores[..., 2], scores[..., 3]


def average_precision(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the area under the precision-recall curve by steps, without interpolation.

    AP = sum over thresholds k of (recall_k - recall_k+1) precision_k, with recall_BINS = 0.

    Args:
        counts: (..., 3, BINS).

    Returns:
        (...) in [0, 1]; 1 without any foreground.
    """
    foreground = counts[..., 1, :]
    _, precision, _ = precision_recall(counts)
    # A step of the recall is the share of the foreground in that bin.
    return share((foreground * precision).sum(axis=-1), foreground.sum(axis=-1), empty=1.0)


def best_threshold(counts: NDArray[np.float64]) -> float:
    """Choose the threshold with the highest Dice of the foreground, which also has the highest IoU.

    Of several equally good thresholds it is the middle of the longest run, as far as possible from
    where predictions change; of equally long runs, that with the middle nearest to 0.5.

    Args:
        counts: (3, BINS).

    Returns:
        A multiple of 1 / BINS in (0, 1), to compare float32 probabilities with by >=; 0.5 without
        any foreground.
    """
    if not counts[1].any():
        return 0.5
    dice = threshold_scores(counts)[1:, 0]
    best = 1 + np.flatnonzero(dice == dice.max())
    runs = np.split(best, 1 + np.flatnonzero(np.diff(best) > 1))
    middles = [(len(run), int(run[0] + run[-1]) // 2) for run in runs]
    _, middle = max(middles, key=lambda run: (run[0], -abs(run[1] - BINS // 2)))
    return middle / BINS


def _bin_indices(probability: NDArray[np.float32]) -> NDArray[np.intp]:
    bins = np.minimum((probability * np.float32(BINS)).astype(np.intp), BINS - 1)
    # The product may be rounded across an integer, so a bin may be off by one.
    bins -= probability < EDGES[bins]
    bins += probability >= _UPPER_EDGES[bins]
    return bins


def _merge_bins(counts: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Merge neighbouring bins: (..., 3, BINS) to (3, ..., bins)."""
    if bins < 1 or BINS % bins:
        raise ValueError(f"the number of bins must divide {BINS}, {bins} does not")
    merged = counts.reshape(*counts.shape[:-1], bins, BINS // bins).sum(axis=-1)
    return np.moveaxis(merged, -2, 0)


def _sums_from_bin_on(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum (..., BINS) over each bin and all above it."""
    return np.cumsum(pixels[..., ::-1], axis=-1)[..., ::-1]
