"""Levels: what a scene's bands are changed by so that all scenes have the same mean and contrast.

Haze, light, season and sensor change a scene's colours as a whole. A model that is to map scenes
unlike those it has learned from does better if these are taken out first: each band gets the mean
`MEAN`, and the bands together the deviation `DEVIATION`, as nnU-Net normalizes each of its images
by its own statistics (Isensee et al., 2021, doi:10.1038/s41592-020-01008-z).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from landslide_cli.core.windows import Source

# A table for each band, (bands, 256) uint8: what its values become.
Levels = NDArray[np.uint8]

# In gray levels, of 0 to 255: about what aerial scenes have by themselves.
MEAN, DEVIATION = 110.0, 50.0

# A scene's deviation counts as this at least: what there is little of would become noise.
_LEAST = 8.0

# Along an axis so many stretches of so many pixels are looked at; all of it if it is no longer.
_STRETCHES, _LENGTH = 16, 128


def levels_of(source: "Source") -> Levels:
    """Find out a scene's levels, from 256 squares spread over it if it is large.

    What a scene has no data for does not count; black in all bands is taken for that too.
    """
    counts: NDArray[np.int64] | None = None
    for rows in _stretches(source.height):
        for cols in _stretches(source.width):
            piece = source.read(rows, cols)
            counted = piece.image.any(axis=-1)
            if piece.valid is not None:
                counted &= piece.valid
            pixels = piece.image[counted]
            found = [np.bincount(band, minlength=256) for band in pixels.T]
            counts = np.array(found) if counts is None else counts + found
    assert counts is not None  # noqa: S101 - a scene has at least one pixel
    return _tables(counts)


def levelled(image: NDArray[np.uint8], levels: Levels) -> NDArray[np.uint8]:
    """Return an image, (rows, cols, bands) uint8, with its scene's levels."""
    bands = [cv2.LUT(image[..., band], table) for band, table in enumerate(levels)]
    return np.stack(bands, axis=-1)


def _stretches(length: int) -> Iterator[tuple[int, int]]:
    if length <= _STRETCHES * _LENGTH:
        yield 0, length
        return
    for start in np.linspace(0, length - _LENGTH, _STRETCHES).round().astype(int).tolist():
        yield start, start + _LENGTH


def _tables(counts: NDArray[np.int64]) -> Levels:
    """Make the tables from how often each band has each value, (bands, 256)."""
    values = np.arange(256.0)
    pixels = np.maximum(1, counts.sum(axis=1, keepdims=True))
    means = (counts * values).sum(axis=1, keepdims=True) / pixels
    deviations = np.sqrt((counts * (values - means) ** 2).sum(axis=1) / pixels[:, 0])
    factor = DEVIATION / max(_LEAST, float(deviations.mean()))
    tables = (values - means) * factor + MEAN
    return np.asarray(np.rint(np.clip(tables, 0.0, 255.0)), np.uint8)
