"""The losses of a training for one prediction, in NumPy: a score does not need TensorFlow.

The formulas are those of `core/networks/losses`, which says where they are from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Probabilities
from landslide_cli.core.palette import Mask

Floats = NDArray[np.float64]

SMALLEST = 1e-7  # of probabilities under a logarithm, and added to quotients
# Losses that are sums of others.
SUMS: dict[str, tuple[str, ...]] = {
    "crossentropy_dice": ("categorical_crossentropy", "dice"),
    "basnet": ("categorical_crossentropy", "ssim", "jaccard"),
}
# Of structural similarity: radius and deviation of the Gaussian in pixels, and what keeps its
# quotients finite where there is no structure.
SSIM_RADIUS, SSIM_SIGMA = 5, 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2


@dataclass(frozen=True)
class LossSettings:
    """A loss by its name in the profile, and what its formula takes from there."""

    name: str
    tversky_alpha: float
    tversky_beta: float
    focal_gamma: float
    class_weights: Sequence[float] | None = None


@dataclass(frozen=True, eq=False)
class _Pixels:
    """One-hot truth, 0 without a label, and probabilities, (rows, cols, classes); what counts."""

    truth: Floats
    probabilities: Floats
    labelled: Floats
    weights: Floats

    def mean(self, losses: Floats) -> float:
        """Average (rows, cols) losses, weighted by the class of each pixel."""
        weights = self.truth @ self.weights
        return float((losses * weights).sum() / max(weights.sum(), SMALLEST))


def loss_of(mask: Mask, probabilities: Probabilities, settings: LossSettings) -> float:
    """Return the loss of one prediction; 0 or nearly so where nothing is labelled.

    Args:
        mask: class indices, (rows, cols); what is no class has no label.
        probabilities: (rows, cols, classes), of two classes or more.
        settings: which loss.
    """
    classes = probabilities.shape[-1]
    weights = np.ones(classes) if settings.class_weights is None else settings.class_weights
    pixels = _Pixels(
        truth=(mask[..., None] == np.arange(classes)).astype(np.float64),
        probabilities=probabilities.astype(np.float64),
        labelled=(mask < classes).astype(np.float64),
        weights=np.asarray(weights, np.float64),
    )
    terms: dict[str, Callable[[_Pixels], float]] = {
        "categorical_crossentropy": lambda pixels: _crossentropy(pixels, 0.0),
        "dice": lambda pixels: _tversky(pixels, 0.5, 0.5),
        "focal": lambda pixels: _crossentropy(pixels, settings.focal_gamma),
        "jaccard": lambda pixels: _tversky(pixels, 1.0, 1.0),
        "lovasz": _lovasz,
        "ssim": _ssim,
        "tversky": lambda pixels: _tversky(pixels, settings.tversky_alpha, settings.tversky_beta),
    }
    return sum(terms[name](pixels) for name in SUMS.get(settings.name, (settings.name,)))


def _crossentropy(pixels: _Pixels, gamma: float) -> float:
    shares = pixels.probabilities / pixels.probabilities.sum(axis=-1, keepdims=True)
    shares = shares.clip(SMALLEST, 1.0 - SMALLEST)
    focus = (1.0 - shares) ** gamma
    return pixels.mean(-(pixels.truth * focus * np.log(shares)).sum(axis=-1))


def _tversky(pixels: _Pixels, alpha: float, beta: float) -> float:
    true = pixels.truth[..., 1:]
    predicted = (pixels.probabilities * pixels.labelled[..., None])[..., 1:]
    hits, positives = (true * predicted).sum(axis=(0, 1)), true.sum(axis=(0, 1))
    false_alarms, misses = predicted.sum(axis=(0, 1)) - hits, positives - hits
    overlap = (hits + SMALLEST) / (hits + alpha * false_alarms + beta * misses + SMALLEST)
    weights = pixels.weights[1:]
    return float(((1.0 - overlap) * weights).sum() / max(weights.sum(), SMALLEST))


def _lovasz(pixels: _Pixels) -> float:
    errors = np.abs(pixels.truth - pixels.probabilities) * pixels.labelled[..., None]
    losses, weights = np.zeros(len(pixels.weights)), np.zeros(len(pixels.weights))
    for index in range(len(losses)):
        true, wrong = pixels.truth[..., index].ravel(), errors[..., index].ravel()
        if true.any():
            order = np.argsort(-wrong, kind="stable")
            hits = true.sum() - np.cumsum(true[order])
            union = true.sum() + np.cumsum(1.0 - true[order])
            losses[index] = wrong[order] @ np.diff(1.0 - hits / union, prepend=0.0)
            weights[index] = pixels.weights[index]
    return float(losses @ weights / weights.sum()) if weights.sum() else 0.0


def _ssim(pixels: _Pixels) -> float:
    true = pixels.truth[..., 1:]
    predicted = (pixels.probabilities * pixels.labelled[..., None])[..., 1:]
    mean_t, mean_p, mean_tt, mean_pp, mean_tp = map(
        _local_mean, (true, predicted, true * true, predicted * predicted, true * predicted)
    )
    variances = mean_tt - mean_t**2 + mean_pp - mean_p**2
    means = (2.0 * mean_t * mean_p + SSIM_C1) / (mean_t**2 + mean_p**2 + SSIM_C1)
    covariance = mean_tp - mean_t * mean_p
    similarity = means * (2.0 * covariance + SSIM_C2) / (variances + SSIM_C2)
    weights = pixels.labelled[..., None] * pixels.weights[1:]
    return float(((1.0 - similarity) * weights).sum() / max(weights.sum(), SMALLEST))


def _local_mean(values: Floats) -> Floats:
    """Average (rows, cols, channels) around every pixel by a Gaussian, zeros beyond the edges."""
    offsets = np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1)
    kernel = np.exp(-0.5 * np.square(offsets / SSIM_SIGMA))
    kernel /= kernel.sum()
    averaged = [
        cv2.sepFilter2D(
            np.ascontiguousarray(values[..., channel]),
            cv2.CV_64F,
            kernel,
            kernel,
            borderType=cv2.BORDER_CONSTANT,
        )
        for channel in range(values.shape[-1])
    ]
    return np.asarray(np.stack(averaged, axis=-1), np.float64)
