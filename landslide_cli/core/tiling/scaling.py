"""Resizing a scene piece by piece for the model, and predictions back to the scene.

The scale is a ratio of small integers: a unit of `scene` pixels is resized to `model` pixels, such
as 3 to 2. A piece that begins and ends at units is resized exactly as the whole scene would be, so
a scene of any size is resized in bounded memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.tiling.grid import ceil_div
from landslide_cli.core.tiling.resampling import Value, resample

# Largest relative error of a ratio: about one pixel along a window of 1024.
TOLERANCE = 1e-3

# Pixels that are resized at once along their rows.
_PIXELS_AT_ONCE = 2**16

# OpenCV takes twice as many channels at the most.
_MAX_CHANNELS = 64


@dataclass(frozen=True)
class Ratio:
    """A unit along one axis: `scene` pixels of the scene are `model` pixels of the model."""

    scene: int = 1
    model: int = 1

    @classmethod
    def of(cls, scale: float) -> "Ratio":
        """Return the ratio of smallest integers within `TOLERANCE` of a positive scale."""
        for denominator in count(1):
            fraction = Fraction(scale).limit_denominator(denominator)
            if fraction > 0 and abs(float(fraction) / scale - 1.0) <= TOLERANCE:
                return cls(fraction.denominator, fraction.numerator)
        raise AssertionError("unreachable: every positive number has a fraction near it")

    @property
    def scale(self) -> float:
        """Pixels of the model per pixel of the scene."""
        return self.model / self.scene

    def model_length(self, length: int) -> int:
        """Round `length` pixels of the scene to whole pixels of the model, at least 1."""
        return max(1, round(Fraction(length * self.model, self.scene)))

    def units(self, length: int) -> int:
        """Return how many units cover `length` pixels of the scene."""
        return ceil_div(length, self.scene)

    @property
    def halo_to_model(self) -> int:
        """Units around a piece that resizing to the model needs: 1 to enlarge, else 0."""
        return 1 if self.model > self.scene else 0

    @property
    def halo_to_scene(self) -> int:
        """Units around a piece that resizing back to the scene needs."""
        return 1 if self.scene > self.model else 0


def to_model(values: NDArray[Value], rows: Ratio, cols: Ratio) -> NDArray[Value]:
    """Resize (rows, cols, bands) of the scene for the model, padding the last units by their edge.

    Shrinks by area averaging, enlarges linearly.

    Returns:
        Whole units of the model, of the same type.
    """
    full = pad_to_units(values, rows.units(values.shape[0]), rows.scene, axis=0)
    full = pad_to_units(full, cols.units(values.shape[1]), cols.scene, axis=1)
    height = full.shape[0] // rows.scene * rows.model
    width = full.shape[1] // cols.scene * cols.model
    if full.dtype == np.uint8 and rows.scene % rows.model == cols.scene % cols.model == 0:
        # Averages of whole pixels are integer arithmetic in OpenCV: fast, and exact in any piece.
        return resample(full, width, height)
    planes = [
        _resized_plane(np.ascontiguousarray(full[..., band]), rows, cols)
        for band in range(full.shape[2])
    ]
    if full.dtype == np.float32 and len(planes) == 1:
        return np.asarray(planes[0][..., None], values.dtype)
    result = np.empty((height, width, len(planes)), values.dtype)
    for band, plane in enumerate(planes):
        result[..., band] = np.rint(plane) if values.dtype == np.uint8 else plane
    return result


def to_scene(values: NDArray[Value], rows: Ratio, cols: Ratio) -> NDArray[Value]:
    """Resize (rows, cols, bands) of the model to the scene, padding the last units by their edge.

    Returns:
        Whole units of the scene, of the same type.
    """
    return to_model(values, Ratio(rows.model, rows.scene), Ratio(cols.model, cols.scene))


def pad_to_units(values: NDArray[Value], units: int, size: int, axis: int) -> NDArray[Value]:
    """Pad an axis to `units` units of `size` pixels by repeating its last row or column."""
    missing = units * size - values.shape[axis]
    if missing <= 0:
        return values
    widths = [(0, missing if index == axis else 0) for index in range(values.ndim)]
    return np.pad(values, widths, mode="edge")


def _resized_plane(values: NDArray[Value], rows: Ratio, cols: Ratio) -> NDArray[np.float32]:
    """Resize whole units of one band, (rows, cols): the axis that shrinks more comes first."""
    if rows.scale <= cols.scale:
        return _resized_cols(_resized_rows(values, rows), cols)
    return _resized_rows(_resized_cols(values, cols), rows)


def _resized_rows(values: NDArray[Value], ratio: Ratio) -> NDArray[np.float32]:
    if ratio.scene == ratio.model:
        return np.asarray(values, np.float32)
    padded = np.pad(values, [(1, 1), (0, 0)], mode="edge")
    units, width = values.shape[0] // ratio.scene, values.shape[1]
    resized = np.empty((units, ratio.model, width), np.float32)
    for position in range(ratio.model):
        taps = [
            (padded[1 + offset :: ratio.scene][:units], weight)
            for offset, weight in _taps(ratio, position)
        ]
        _weigh(taps, resized[:, position])
    return resized.reshape(-1, width)


def _resized_cols(values: NDArray[Value], ratio: Ratio) -> NDArray[np.float32]:
    if ratio.scene == ratio.model:
        return np.asarray(values, np.float32)
    height, width = values.shape
    units = width // ratio.scene
    resized = np.empty((height, units * ratio.model), np.float32)
    # Few rows at a time, so that what is computed of them stays in the processor's cache.
    rows_at_once = max(1, _PIXELS_AT_ONCE // resized.shape[1])
    for top in range(0, height, rows_at_once):
        part = resized[top : top + rows_at_once]
        padded = np.pad(values[top : top + rows_at_once], [(0, 0), (1, 1)], mode="edge")
        planes = np.empty((ratio.model, len(part), units), np.float32)
        for position, plane in enumerate(planes):
            taps = [
                (padded[:, 1 + offset :: ratio.scene][:, :units], weight)
                for offset, weight in _taps(ratio, position)
            ]
            _weigh(taps, plane)
        _interleave(planes, part.reshape(len(part), units, ratio.model))
    return resized


def _weigh(taps: Sequence[tuple[NDArray[np.generic], float]], total: NDArray[np.float32]) -> None:
    """Sum pixels by their weights.

    Not by OpenCV, whose last bits depend on where a piece begins.
    """
    product = np.empty_like(total)
    for index, (pixels, weight) in enumerate(taps):
        np.multiply(pixels, np.float32(weight), out=product if index else total)
        if index:
            total += product


def _interleave(planes: NDArray[np.float32], target: NDArray[np.float32]) -> None:
    """Put (count, rows, cols) into (rows, cols, count)."""
    if 1 < len(planes) <= _MAX_CHANNELS:
        cv2.merge([*planes], target)  # several times as fast as numpy
    else:
        target[...] = planes.transpose(1, 2, 0)


def _taps(ratio: Ratio, position: int) -> list[tuple[int, float]]:
    """List the source pixels and their weights for one pixel of a resized unit.

    For 3 pixels to 2 the first is pixel 0 with 2/3 and pixel 1 with 1/3; for 1 to 2 it is pixel -1,
    of the unit before, with 1/4 and pixel 0 with 3/4.
    """
    size, new_size = ratio.scene, ratio.model
    if new_size < size:
        # In units of 1 / new_size of a source pixel, all bounds are integers.
        begin, stop = position * size, (position + 1) * size
        pixels = range(begin // new_size, ceil_div(stop, new_size))
        lengths = [min(stop, (p + 1) * new_size) - max(begin, p * new_size) for p in pixels]
        return [(pixel, length / size) for pixel, length in zip(pixels, lengths, strict=True)]
    pixel, rest = divmod((2 * position + 1) * size - new_size, 2 * new_size)
    upper = rest / (2 * new_size)
    return [(pixel, 1.0 - upper), (pixel + 1, upper)]
