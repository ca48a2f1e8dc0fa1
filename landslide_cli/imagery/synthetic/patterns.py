"""The patterns that all parts of a scene are drawn from: noise, smooth steps, domes."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from landslide_cli.core.tiling.grid import ceil_div

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]
Shape = tuple[int, int]


def fractal(
    rng: Generator, shape: Shape, largest: float, smallest: float, fall: float = 1.0
) -> Floats:
    """Noise of about unit variance: octaves of wavelengths whose amplitude is wavelength**fall."""
    octaves = max(0, round(np.log2(largest / smallest)))
    cell = smallest / 2 * 2**octaves
    noise: Floats = np.zeros([int(side / cell) + 5 for side in shape], np.float32)
    variance = 0.0
    for octave in range(octaves, -1, -1):
        cell = smallest / 2 * 2**octave
        rows, cols = (int(side / cell) + 5 for side in shape)
        coarser = cv2.resize(noise, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)[:rows, :cols]
        noise = coarser * np.float32(2**fall) + rng.standard_normal((rows, cols), np.float32)
        variance = variance * 4**fall + 1
    noise /= np.float32(np.sqrt(variance))
    full = cv2.resize(noise, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(full[: shape[0], : shape[1]])


def smoothstep(values: ArrayLike, low: float, high: float) -> Floats:
    """A smooth step from 0 at `low` to 1 at `high`."""
    ramp: Floats = np.clip((np.asarray(values, np.float32) - low) / (high - low), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def blurred(values: Floats, sigma: float) -> Floats:
    """The values smoothed by a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)


def nearest_point(shape: Shape, points: Floats) -> tuple[Floats, Indices]:
    """For each pixel the distance to the nearest (row, col) point in `shape`, and its number."""
    row, col = np.round(points).astype(int).T
    inside = np.flatnonzero((row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1]))
    if not inside.size:
        return np.full(shape, np.inf, np.float32), np.zeros(shape, np.intp)
    row, col = row[inside], col[inside]
    ground = np.ones(shape, np.uint8)
    ground[row, col] = 0
    away, labels = cv2.distanceTransformWithLabels(
        ground, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    number = np.zeros(labels.max() + 1, np.intp)
    number[labels[row, col]] = inside
    return away, number[labels]


def lumps(
    rng: Generator, chance: Floats, spacing: int, smallest: float, largest: float
) -> tuple[Floats, Indices, Indices]:
    """Ragged domes (crowns, blocks, pebbles), their number at each pixel, and their places."""
    shape = chance.shape[0], chance.shape[1]
    corners = np.argwhere(np.ones([ceil_div(side, spacing) for side in shape])) * spacing
    places = np.minimum(corners + rng.integers(0, spacing, corners.shape), np.array(shape) - 1)
    places = places[rng.random(len(places)) < chance[places[:, 0], places[:, 1]]]
    places = places if len(places) else np.full((1, 2), -spacing)  # out of sight
    away, nearest = nearest_point(shape, places)
    radius = rng.uniform(smallest, largest, len(places)).astype(np.float32)[nearest]
    reach = radius * (1 + 0.18 * fractal(rng, shape, 8, 2.5, 0.3))
    dome = radius * np.sqrt(np.clip(1 - (away / np.maximum(reach, 0.5)) ** 2, 0, 1))
    return dome, nearest, places
