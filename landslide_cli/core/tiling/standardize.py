"""Standardization: the same mean and contrast in all scenes, and in all parts of a large one.

Haze, light, season and sensor change the colours of whole scenes, and from one flight line of an
orthophoto to the next. A model generalizes better to unlike scenes if such differences are removed
first: each band gets the mean `MEAN`, and all bands together the standard deviation `DEVIATION`.
The statistics are local, of cells about as large as the scenes that models are trained on, and are
interpolated between the cells: nnU-Net normalizes each image by its own statistics (Isensee et al.,
2021, doi:10.1038/s41592-020-01008-z), and contrast-limited equalization interpolates between the
cells of a grid (Zuiderveld, 1994, Graphics Gems IV).
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import DEVIATION, MEAN, Image, like
from landslide_cli.core.tiling.local_statistics import LocalStatistics

# Lower bound of the deviation divided by, so that noise of even scenes is not amplified.
LEAST_DEVIATION = 8.0

# Pixels standardized at once, to bound the memory of intermediate results.
_PIXELS_AT_ONCE = 2**15


def standardize(
    image: Image,
    statistics: LocalStatistics,
    offset: tuple[int, int] = (0, 0),
    scales: tuple[float, float] = (1.0, 1.0),
) -> Image:
    """Standardize a part of a scene.

    Args:
        image: (rows, cols, bands), resized for the model.
        statistics: of the scene around this part.
        offset: the image's first row and column in the resized scene.
        scales: the factors that it was resized by.

    Returns:
        (rows, cols, bands) of the same type.
    """
    if statistics.changed is not None:
        result = image.copy()
        part = np.ascontiguousarray(image[..., statistics.changed])
        result[..., statistics.changed] = standardize(
            part, replace(statistics, changed=None), offset, scales
        )
        return result
    known_rows, known_cols, _ = statistics.cells.shape
    if known_rows == known_cols == 1 and image.dtype == np.uint8:
        return _by_one_cell(image, statistics.cells[0, 0])
    above, below, down = statistics.rows.interpolation(
        offset[0], image.shape[0], scales[0], known_rows
    )
    left, right, across = statistics.cols.interpolation(
        offset[1], image.shape[1], scales[1], known_cols
    )
    result = np.empty_like(image)
    rows_at_once = max(1, _PIXELS_AT_ONCE // image.shape[1])
    cells = np.ascontiguousarray(np.moveaxis(statistics.cells, -1, 0))
    for start in range(0, image.shape[0], rows_at_once):
        rows = slice(start, start + rows_at_once)
        # The same arithmetic per pixel wherever a part begins: parts agree to the bit.
        local = _interpolate(cells[:, above[rows]], cells[:, below[rows]], down[rows, None])
        local = _interpolate(np.take(local, left, axis=-1), np.take(local, right, axis=-1), across)
        result[rows] = _standardize(image[rows], local)
    return result


def _by_one_cell(image: Image, statistics: NDArray[np.float32]) -> Image:
    """Standardize an image by the same statistics everywhere: 256 values instead of all pixels."""
    bands = image.shape[-1]
    values = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], bands, axis=-1)
    table = _standardize(values, statistics[:, None, None])
    return np.asarray(cv2.LUT(np.ascontiguousarray(image), table).reshape(image.shape), np.uint8)


def _interpolate(
    first: NDArray[np.float32], second: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Interpolate between two arrays, which are used up."""
    first *= 1.0 - weight
    second *= weight
    first += second
    return first


def _standardize(image: Image, statistics: NDArray[np.float32]) -> Image:
    """Standardize each pixel by its interpolated statistics, (1 + bands + 1, rows, cols)."""
    # Where no cell has data the shares are 0; the pixels have no data either.
    shares = np.maximum(statistics[0], np.float32(1e-6))
    contrast = DEVIATION / np.maximum(statistics[-1] / shares, LEAST_DEVIATION)
    result = np.empty_like(image)
    # Band by band: several times as fast as along the short axis of the bands.
    for band, weighted in enumerate(statistics[1:-1]):
        values = image[..., band] - weighted / shares
        values *= contrast
        values += np.float32(MEAN)
        result[..., band] = like(values, image)
    return result
