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

from landslide_cli.core.components import merged
from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.scores.confusion import Counts, Tallies, share

OBJECT_COLUMNS = ("true", "found", "touched", "predicted", "matching", "false")
OBJECT_RATE_NAMES = ("found", "touched", "false")

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class _Overlaps:
    """The pairs of a true and a predicted object that overlap: their indices, and common pixels."""

    true: Numbers
    predicted: Numbers
    pixels: Numbers


class ObjectTally:
    """Counts the objects of one class in two masks that arrive in strips, from the top down.

    The counts are the same however the masks are cut. Memory grows with the number of objects, not
    with the area of the masks.

    Args:
        index: the class.
    """

    def __init__(self, index: int) -> None:
        self._index = index
        self._true, self._predicted = _GrowingObjects(), _GrowingObjects()
        self._overlaps = [np.zeros((3, 0), np.int64)]

    def add(self, truth: Mask, prediction: Mask) -> None:
        """Take in the next strip.

        Args:
            truth: (rows, cols) class indices; pixels that are `IGNORE` belong to no object.
            prediction: (rows, cols) class indices.
        """
        labelled = truth != IGNORE
        true = self._true.add((truth == self._index) & labelled)
        predicted = self._predicted.add((prediction == self._index) & labelled)
        common = (true > 0) & (predicted > 0)
        # Both labels in one number, so that a single sort counts the pairs.
        codes = (true[common].astype(np.int64) << 32) | predicted[common]
        pairs, pixels = np.unique(codes, return_counts=True)
        pieces = self._true.number_of(pairs >> 32), self._predicted.number_of(pairs & 0xFFFFFFFF)
        self._overlaps.append(np.stack([*pieces, pixels]))

    def counts(self, bounds: Sequence[float], pixel_area: float = 1.0) -> Counts:
        """Count the objects by size, as `object_counts`.

        Args:
            bounds: as of `object_counts`.
            pixel_area: likewise.

        Returns:
            (len(bounds) + 1, 6) int64.
        """
        true_areas, true_of = self._true.finished()
        predicted_areas, predicted_of = self._predicted.finished()
        true, predicted, pixels = np.concatenate(self._overlaps, axis=1)
        overlaps = _summed(true_of[true], predicted_of[predicted], pixels)
        matches = _matches(true_areas, predicted_areas, overlaps)
        true_classes = _size_classes(true_areas, bounds, pixel_area)
        predicted_classes = _size_classes(predicted_areas, bounds, pixel_area)
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


class _GrowingObjects:
    """The objects of one mask, of which each strip has pieces, numbered from 0 over all strips."""

    def __init__(self) -> None:
        self._areas = [np.zeros(0, np.int64)]
        self._same = [np.zeros((0, 2), np.int64)]  # pairs of pieces that touch
        self._last = np.zeros(0, np.int64)  # the pieces in the last row, -1 for none
        self._before, self._count = 0, 0  # pieces before the last strip, and with it

    def add(self, of_class: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Take in the next strip, and label the pieces in it from 1 on, (rows, cols)."""
        image = of_class.astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
        self._before, self._count = self._count, self._count + len(stats) - 1
        self._areas.append(stats[1:, cv2.CC_STAT_AREA].astype(np.int64))
        first = self._pieces_in(labels[0])
        if len(self._last):
            self._same.append(_touching(self._last, first))
        self._last = self._pieces_in(labels[-1])
        return np.asarray(labels, np.int32)

    def number_of(self, labels: Numbers) -> Numbers:
        """Return the pieces of labels in the last strip."""
        return labels + (self._before - 1)

    def finished(self) -> tuple[Numbers, Numbers]:
        """Return the areas of the objects in pixels, and the object of each piece."""
        roots = merged(self._count, np.concatenate(self._same))
        _, object_of = np.unique(roots, return_inverse=True)
        areas = np.zeros(int(object_of.max(initial=-1)) + 1, np.int64)
        np.add.at(areas, object_of, np.concatenate(self._areas))
        return areas, object_of

    def _pieces_in(self, row: NDArray[np.int32]) -> Numbers:
        return np.where(row > 0, self.number_of(row.astype(np.int64)), -1)


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
    tally = ObjectTally(index)
    tally.add(truth, prediction)
    return tally.counts(bounds, pixel_area)


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


def _touching(above: Numbers, below: Numbers) -> Numbers:
    """Pair the pieces of two rows that touch by sides or corners, (pairs, 2); -1 is none."""
    shifted = [(above, below), (above[1:], below[:-1]), (above[:-1], below[1:])]
    pairs = np.concatenate([np.column_stack(rows) for rows in shifted])
    return np.unique(pairs[(pairs >= 0).all(axis=1)], axis=0)


def _summed(true: Numbers, predicted: Numbers, pixels: Numbers) -> _Overlaps:
    """Add up the common pixels of each pair of objects."""
    pairs, at = np.unique(np.column_stack([true, predicted]), axis=0, return_inverse=True)
    common = np.zeros(len(pairs), np.int64)
    np.add.at(common, at.reshape(-1), pixels)
    return _Overlaps(pairs[:, 0], pairs[:, 1], common)


def _matches(true: Numbers, predicted: Numbers, overlaps: _Overlaps) -> NDArray[np.bool_]:
    # common / (a + b - common) >= 1/2, in integers.
    areas = true[overlaps.true] + predicted[overlaps.predicted]
    return 3 * overlaps.pixels >= areas


def _size_classes(areas: Numbers, bounds: Sequence[float], pixel_area: float) -> NDArray[np.intp]:
    # Slightly more than the area, so that rounding puts no object of exactly a bound below it.
    return np.searchsorted(
        np.asarray(bounds, np.float64), areas * (pixel_area * (1 + 1e-12)), side="right"
    )
