"""Arrays are resized with all their bands, in both directions by what each asks for."""

import cv2
import numpy as np
import pytest

from landslide_cli.core.tiling.resampling import resample

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 9, 600])
@pytest.mark.parametrize("size", [(4, 6), (8, 12), (16, 24), (5, 7)])
def test_every_band_is_resized_as_if_alone(bands: int, size: tuple[int, int]) -> None:
    values = RNG.random((12, 8, bands), np.float32)
    resized = resample(values, *size)
    assert resized.shape == (size[1], size[0], bands)
    assert resized.dtype == np.float32
    for band in (0, bands // 2, bands - 1):
        alone = resample(values[..., band : band + 1], *size)
        np.testing.assert_allclose(resized[..., band], alone[..., 0], atol=1e-6)


@pytest.mark.parametrize(("size", "how"), [((5, 7), cv2.INTER_AREA), ((19, 33), cv2.INTER_LINEAR)])
def test_averages_to_shrink_and_interpolates_to_enlarge(size: tuple[int, int], how: int) -> None:
    image = RNG.integers(0, 256, (30, 18, 3), np.uint8)
    expected = cv2.resize(image, size, interpolation=how)
    np.testing.assert_array_equal(resample(image, *size), expected)


@pytest.mark.parametrize(("width", "height"), [(6, 36), (32, 3)])
def test_shrinks_in_one_direction_by_averaging_while_it_enlarges_in_the_other(
    width: int, height: int
) -> None:
    values = RNG.random((12, 16, 2), np.float32)
    resized = resample(values, width, height)
    shrunk = cv2.resize(values, (min(width, 16), min(height, 12)), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(resized, expected, atol=1e-6)


def test_an_image_of_that_size_is_returned_as_it_is() -> None:
    image = RNG.integers(0, 256, (5, 6, 3), np.uint8)
    np.testing.assert_array_equal(resample(image, 6, 5), image)


def test_the_values_given_are_left_as_they_were() -> None:
    image = RNG.integers(0, 256, (9, 6, 3), np.uint8)
    before = image.copy()
    resample(image, 3, 20)
    np.testing.assert_array_equal(image, before)
