"""Resizing a scene piece by piece for the model, and the model's answer back to the scene.

Both grids are tied by a ratio of small whole numbers, a unit: so many pixels of the scene are so
many of the model. Pieces that begin and end at units resize exactly as the whole scene would, so
that a scene of any size is resized without ever being held.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.tiling.resampling import resample

Value = TypeVar("Value", np.uint8, np.float32)

# How far the ratio may be off the scale asked for: a thousandth, a pixel in a tile's side.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Ratio:
    """A unit along one axis: so many pixels of the scene are so many of the model."""

    scene: int = 1
    model: int = 1

    @classmethod
    def of(cls, scale: float) -> "Ratio":
        """Return the ratio of the least numbers within `TOLERANCE` of a factor above 0."""
        for denominator in _counting():
            near = Fraction(scale).limit_denominator(denominator)
            if near > 0 and abs(float(near) / scale - 1.0) <= TOLERANCE:
                return cls(near.denominator, near.numerator)
        raise AssertionError("unreachable: every number above 0 has a fraction near it")

    @property
    def scale(self) -> float:
        """The factor from the scene to the model."""
        return self.model / self.scene

    def model_length(self, length: int) -> int:
        """Return how many pixels of the model stand for `length` pixels of the scene."""
        return max(1, round(Fraction(length * self.model, self.scene)))

    def units(self, length: int) -> int:
        """Return how many units cover `length` pixels of the scene."""
        return -(-length // self.scene)

    @property
    def halo_to_model(self) -> int:
        """Units around a piece that its resizing for the model looks at: to enlarge needs one."""
        return 1 if self.model > self.scene else 0

    @property
    def halo_to_scene(self) -> int:
        """Units around a piece that its resizing back looks at."""
        return 1 if self.scene > self.model else 0


def to_model(values: NDArray[Value], rows: Ratio, cols: Ratio) -> NDArray[Value]:
    """Resize (rows, cols, bands) of the scene for the model; a part of a unit is filled up.

    Shrinks by averaging over areas, enlarges linearly.

    Returns:
        Whole units of the model, of the same type.
    """
    full = filled_up(values, rows.units(values.shape[0]), rows.scene, axis=0)
    full = filled_up(full, cols.units(values.shape[1]), cols.scene, axis=1)
    if full.dtype == np.uint8 and rows.scene % rows.model == cols.scene % cols.model == 0:
        # Whole pixels are averaged in whole numbers, so OpenCV's speed costs no exactness.
        height = full.shape[0] * rows.model // rows.scene
        return resample(full, full.shape[1] * cols.model // cols.scene, height)
    result = np.empty(
        (
            full.shape[0] // rows.scene * rows.model,
            full.shape[1] // cols.scene * cols.model,
            full.shape[2],
        ),
        values.dtype,
    )
    for band in range(full.shape[2]):
        plane = _resized_plane(np.ascontiguousarray(full[..., band]), rows, cols)
        result[..., band] = np.rint(plane) if values.dtype == np.uint8 else plane
    return result


def to_scene(values: NDArray[Value], rows: Ratio, cols: Ratio) -> NDArray[Value]:
    """Resize (rows, cols, bands) of the model for the scene; a part of a unit is filled up.

    Returns:
        Whole units of the scene, of the same type.
    """
    return to_model(values, Ratio(rows.model, rows.scene), Ratio(cols.model, cols.scene))


def filled_up(values: NDArray[Value], units: int, size: int, axis: int) -> NDArray[Value]:
    """Repeat the last row or column until there are so many units of `size` pixels."""
    missing = units * size - values.shape[axis]
    if missing <= 0:
        return values
    widths = [(0, missing if index == axis else 0) for index in range(values.ndim)]
    return np.pad(values, widths, mode="edge")


def _resized_plane(values: NDArray[Value], rows: Ratio, cols: Ratio) -> NDArray[np.float32]:
    """Resize whole units of one band, (rows, cols): what shrinks first, for the least work."""
    if rows.scale <= cols.scale:
        return _resized_cols(_resized_rows(values, rows), cols)
    return _resized_rows(_resized_cols(values, cols), rows)


def _resized_cols(values: NDArray[Value], ratio: Ratio) -> NDArray[np.float32]:
    return np.ascontiguousarray(_resized_rows(np.ascontiguousarray(values.T), ratio).T)


def _resized_rows(values: NDArray[Value], ratio: Ratio) -> NDArray[np.float32]:
    """Resize whole units of rows.

    Written out, since OpenCV's result depends in its last bits on where a piece begins.
    """
    if ratio.scene == ratio.model:
        return values.astype(np.float32, copy=False)
    units, width = values.shape[0] // ratio.scene, values.shape[1]
    padded = np.pad(values, [(1, 1), (0, 0)], mode="edge")
    result = np.empty((units, ratio.model, width), np.float32)
    part = np.empty((units, width), np.float32)
    for place in range(ratio.model):
        target = result[:, place]
        for index, (offset, weight) in enumerate(_taps(ratio, place)):
            source = padded[1 + offset :: ratio.scene][:units]
            np.multiply(source, np.float32(weight), out=part if index else target)
            if index:
                target += part
    return result.reshape(units * ratio.model, width)


def _taps(ratio: Ratio, place: int) -> list[tuple[int, float]]:
    """Return which pixels of a unit make up one of the resized unit, and with which weights."""
    size, into = ratio.scene, ratio.model
    if into < size:
        begin, stop = place * size, (place + 1) * size
        pixels = range(begin // into, -(-stop // into))
        shares = [min(stop, (p + 1) * into) - max(begin, p * into) for p in pixels]
        return [(pixel, share / size) for pixel, share in zip(pixels, shares, strict=True)]
    below, rest = divmod((2 * place + 1) * size - into, 2 * into)
    upper = rest / (2 * into)
    return [(below, 1.0 - upper), (below + 1, upper)]


def _counting() -> Iterator[int]:
    number = 1
    while True:
        yield number
        number += 1
