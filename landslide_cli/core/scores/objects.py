"""How many objects of a class, such as single landslides, are found, by their size.

An object is a set of pixels of the class that touch by sides or corners. A true and a predicted
object match if their intersection over union is at least a half; so no object has two matches
(Kirillov et al., "Panoptic segmentation", CVPR 2019).
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
class Objects:
    """The objects of one mask: their number at each pixel, from 1 on, and their areas in pixels."""

    labels: NDArray[np.int32]  # (rows, cols), 0 where there is no object
    areas: NDArray[np.int64]  # (objects,)


@dataclass(frozen=True)
class Overlaps:
    """The pairs of a true and a predicted object that share pixels, by position in `areas`."""

    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    pixels: NDArray[np.int64]


def object_counts(
    truth: Mask, prediction: Mask, index: int, bounds: Sequence[float], pixel_area: float = 1.0
) -> Counts:
    """Count the objects of one class, and how many of them were found, by size.

    Each object counts in the size class of its own area. The columns, `OBJECT_COLUMNS`:
    true: objects in the truth; found: of these, those that match a predicted object; touched: of
    these, those with any pixel predicted to be of the class; predicted: objects in the prediction;
    matching: of these, those that match a true object; false: of these, those without any pixel on
    a true object.

    Args:
        truth: (rows, cols) class indices; pixels that are `IGNORE` belong to no object.
        prediction: (rows, cols) class indices.
        index: the class.
        bounds: ascending areas between the size classes, in units of `pixel_area`; an object of
            exactly a bound belongs to the class above it.
        pixel_area: area of one pixel.

    Returns:
        (len(bounds) + 1, 6) int64.
    """
    labelled = truth != IGNORE
    true = _objects((truth == index) & labelled)
    predicted = _objects((prediction == index) & labelled)
    overlaps = _overlaps(true, predicted)
    matches = _matches(true, predicted, overlaps)

    true_sizes = _size_classes(true, bounds, pixel_area)
    sizes = _size_classes(predicted, bounds, pixel_area)
    false = np.setdiff1d(np.arange(len(sizes)), overlaps.predicted)
    columns = [
        true_sizes,
        true_sizes[overlaps.true[matches]],
        true_sizes[np.unique(overlaps.true)],
        sizes,
        sizes[overlaps.predicted[matches]],
        sizes[false],
    ]
    counts = [np.bincount(column, minlength=len(bounds) + 1) for column in columns]
    return np.stack(counts, axis=-1).astype(np.int64)


def object_rates(counts: Tallies) -> NDArray[np.float64]:
    """Turn the counts of `object_counts`, or their sums, into shares.

    found / true and touched / true, both 1 where there was nothing to be found; and
    false / predicted, 0 where nothing was predicted. For all sizes together, sum over them first.

    Args:
        counts: (..., 6); with size classes (..., sizes, 6).

    Returns:
        (..., 3) in [0, 1], in the order of `OBJECT_RATE_NAMES`.
    """
    true, found, touched, predicted, _, false = np.moveaxis(counts, -1, 0)
    return np.stack(
        [
            share(found, true, empty=1.0),
            share(touched, true, empty=1.0),
            share(false, predicted, empty=0.0),
        ],
        axis=-1,
    )


def _objects(of_class: NDArray[np.bool_]) -> Objects:
    image = of_class.astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
    return Objects(labels, stats[1:, cv2.CC_STAT_AREA].astype(np.int64))


def _overlaps(true: Objects, predicted: Objects) -> Overlaps:
    shared = (true.labels > 0) & (predicted.labels > 0)
    # Both numbers in one, so that a single sort counts the pairs.
    codes = (true.labels[shared].astype(np.int64) << 32) | predicted.labels[shared]
    pairs, pixels = np.unique(codes, return_counts=True)
    return Overlaps((pairs >> 32) - 1, (pairs & 0xFFFFFFFF) - 1, pixels)


def _matches(true: Objects, predicted: Objects, overlaps: Overlaps) -> NDArray[np.bool_]:
    # both / (a + b - both) >= 1/2, in whole numbers.
    areas = true.areas[overlaps.true] + predicted.areas[overlaps.predicted]
    return 3 * overlaps.pixels >= areas


def _size_classes(objects: Objects, bounds: Sequence[float], pixel_area: float) -> NDArray[np.intp]:
    # A trifle more than the area, lest rounding put an object of exactly a bound below it.
    areas = objects.areas * (pixel_area * (1 + 1e-12))
    return np.searchsorted(np.asarray(bounds, np.float64), areas, side="right")
