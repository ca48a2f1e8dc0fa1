"""Arrays of any number of bands are resized, along each axis by averaging or interpolation."""

import cv2
import numpy as np
import pytest

from landslide_cli.core.tiling.resampling import resample

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 9, 600])
@pytest.mark.parametrize("size", [(4, 6), (8, 12), (16, 24), (5, 7)])
def test_every_band_is_resized_like_a_single_band(bands: int, size: tuple[int, int]) -> None:
    values = RNG.random((12, 8, bands), np.float32)
    resized = resample(values, *size)
    assert resized.shape == (size[1], size[0], bands)
    assert resized.dtype == np.float32
    for band in (0, bands // 2, bands - 1):
        single = resample(values[..., band : band + 1], *size)
        np.testing.assert_allclose(resized[..., band], single[..., 0], atol=1e-6)


@pytest.mark.parametrize(
    ("size", "interpolation"), [((5, 7), cv2.INTER_AREA), ((19, 33), cv2.INTER_LINEAR)]
)
def test_images_are_averaged_to_shrink_and_interpolated_to_enlarge(
    size: tuple[int, int], interpolation: int
) -> None:
    image = RNG.integers(0, 256, (30, 18, 3), np.uint8)
    expected = cv2.resize(image, size, interpolation=interpolation)
    np.testing.assert_array_equal(resample(image, *size), expected)


@pytest.mark.parametrize(("width", "height"), [(6, 36), (32, 3)])
def test_one_axis_is_averaged_while_the_other_is_enlarged(width: int, height: int) -> None:
    values = RNG.random((12, 16, 2), np.float32)
    resized = resample(values, width, height)
    shrunk = cv2.resize(values, (min(width, 16), min(height, 12)), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(resized, expected, atol=1e-6)


def test_an_image_of_the_requested_size_is_not_changed() -> None:
    image = RNG.integers(0, 256, (5, 6, 3), np.uint8)
    np.testing.assert_array_equal(resample(image, 6, 5), image)


def test_the_input_is_not_changed() -> None:
    image = RNG.integers(0, 256, (9, 6, 3), np.uint8)
    original = image.copy()
    resample(image, 3, 20)
    np.testing.assert_array_equal(image, original)
