"""Detection rates of objects of a class, such as single landslides, by size.

An object is a set of 8-connected pixels of the class. A true and a predicted object match if their
IoU is at least 0.5, so no object has two matches (Kirillov et al., "Panoptic segmentation", CVPR
2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.scores.confusion import Counts, Tallies, share

OBJECT_COLUMNS = ("true", "found", "touched", "predicted", "matching", "false")
OBJECT_RATE_NAMES = ("found", "touched", "false")


@dataclass(frozen=True)
class _Objects:
    """The objects of one mask, numbered from 1."""

    labels: NDArray[np.int32]  # (rows, cols), the object of each pixel, 0 for none
    areas: NDArray[np.int64]  # (objects,), in pixels


@dataclass(frozen=True)
class _Overlaps:
    """The pairs of a true and a predicted object that overlap: their indices, and common pixels."""

    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    pixels: NDArray[np.int64]


def object_counts(
    truth: Mask, prediction: Mask, index: int, bounds: Sequence[float], pixel_area: float = 1.0
) -> Counts:
    """Count the objects of one class, and how many of them are detected, by size.

    Each object counts in the size class of its own area. The columns are `OBJECT_COLUMNS`:

    - true: objects in the truth,
    - found: true objects that match a predicted object,
    - touched: true objects that overlap a predicted object,
    - predicted: objects in the prediction,
    - matching: predicted objects that match a true object,
    - false: predicted objects that overlap no true object.

    Args:
        truth: (rows, cols) class indices; pixels that are `IGNORE` belong to no object.
        prediction: (rows, cols) class indices.
        index: the class.
        bounds: ascending areas that separate the size classes, in units of `pixel_area`; an object
            whose area equals a bound belongs to the class above it.
        pixel_area: area of one pixel, such as in square metres.

    Returns:
        (len(bounds) + 1, 6) int64.
    """
    labelled = truth != IGNORE
    true = _label((truth == index) & labelled)
    predicted = _label((prediction == index) & labelled)
    overlaps = _overlaps(true, predicted)
    matches = _matches(true, predicted, overlaps)

    true_classes = _size_classes(true, bounds, pixel_area)
    predicted_classes = _size_classes(predicted, bounds, pixel_area)
    false = np.setdiff1d(np.arange(len(predicted_classes)), overlaps.predicted)
    columns = [
        true_classes,
        true_classes[overlaps.true[matches]],
        true_classes[np.unique(overlaps.true)],
        predicted_classes,
        predicted_classes[overlaps.predicted[matches]],
        predicted_classes[false],
    ]
    counts = [np.bincount(column, minlength=len(bounds) + 1) for column in columns]
    return np.stack(counts, axis=-1).astype(np.int64)


def object_rates(counts: Tallies) -> NDArray[np.float64]:
    """Compute detection rates from the counts of `object_counts`, or their sums.

    found / true and touched / true are 1 without true objects; false / predicted is 0 without
    predicted objects. For rates over all sizes, sum the counts over the size classes first.

    Args:
        counts: (..., 6); with size classes (..., sizes, 6).

    Returns:
        (..., 3) in [0, 1], in the order of `OBJECT_RATE_NAMES`.
    """
    true, detected, touched, predicted, _, false = np.moveaxis(counts, -1, 0)
    return np.stack(
        [
            share(detected, true, empty=1.0),
            share(touched, true, empty=1.0),
            share(false, predicted, empty=0.0),
        ],
        axis=-1,
    )


def _label(of_class: NDArray[np.bool_]) -> _Objects:
    image = of_class.astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
    return _Objects(labels, stats[1:, cv2.CC_STAT_AREA].astype(np.int64))


def _overlaps(true: _Objects, predicted: _Objects) -> _Overlaps:
    common = (true.labels > 0) & (predicted.labels > 0)
    # Both labels in one number, so that a single sort counts the pairs.
    codes = (true.labels[common].astype(np.int64) << 32) | predicted.labels[common]
    pairs, pixels = np.unique(codes, return_counts=True)
    return _Overlaps((pairs >> 32) - 1, (pairs & 0xFFFFFFFF) - 1, pixels)


def _matches(true: _Objects, predicted: _Objects, overlaps: _Overlaps) -> NDArray[np.bool_]:
    # common / (a + b - common) >= 1/2, in integers.
    areas = true.areas[overlaps.true] + predicted.areas[overlaps.predicted]
    return 3 * overlaps.pixels >= areas


def _size_classes(
    objects: _Objects, bounds: Sequence[float], pixel_area: float
) -> NDArray[np.intp]:
    # Slightly more than the area, so that rounding puts no object of exactly a bound below it.
    areas = objects.areas * (pixel_area * (1 + 1e-12))
    return np.searchsorted(np.asarray(bounds, np.float64), areas, side="right")
