"""Windows are blurred by a Gaussian, each by itself."""

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.blur import blur_windows


def drawn(shape: tuple[int, ...], dtype: type = np.uint8) -> Image:
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


def expected(window: Image, sigma: float) -> NDArray[np.float64]:
    """Weigh the neighbours of each pixel, up to four deviations away, by their distance."""
    reach = int(np.ceil(4 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    result = np.asarray(window, np.float64)
    for axis in (0, 1):
        pad = [(0, 0)] * result.ndim
        pad[axis] = (reach, reach)
        padded = np.pad(result, pad, mode="reflect")
        size = result.shape[axis]
        result = sum(
            weight * np.take(padded, range(shift, shift + size), axis)
            for shift, weight in enumerate(weights)
        )
    return result


@pytest.mark.parametrize("bands", [1, 3, 5])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.uint8, 1.5), (np.float32, 0.5)])
def test_each_window_and_band_is_weighed_by_a_gaussian(
    bands: int, dtype: type, tolerance: float
) -> None:
    windows = drawn((2, 20, 31, bands), dtype)
    blurred = blur_windows(windows, 0.9)
    assert (blurred.shape, blurred.dtype) == (windows.shape, windows.dtype)
    for window, result in zip(windows, blurred, strict=True):
        assert np.abs(expected(window, 0.9) - result).max() <= tolerance


def test_even_ground_and_no_blur_leave_windows_as_they_are() -> None:
    even = np.full((1, 9, 9, 3), 77, np.uint8)
    assert np.array_equal(blur_windows(even, 2.0), even)
    windows = drawn((2, 8, 8, 3))
    assert np.array_equal(blur_windows(windows, 0.0), windows)
