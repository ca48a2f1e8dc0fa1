"""Copies of smooth images are found as a whole, and nothing else is."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.imagery.overlap import MatchSettings, extract
from landslide_cli.imagery.overlap.copies import DuplicatePair, copies_among

Image = NDArray[np.uint8]


def copies_between(
    firsts: list[Image], seconds: list[Image], settings: MatchSettings
) -> list[DuplicatePair]:
    return copies_among(
        [extract(image, settings) for image in firsts],
        [extract(image, settings) for image in seconds],
    )


def encoded_anew(image: Image, quality: int) -> Image:
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize("quality", [60, 75, 95])
def test_smooth_images_encoded_anew_are_copies(
    snow: list[Image], quality: int, settings: MatchSettings
) -> None:
    again = [encoded_anew(image, quality) for image in snow]
    expected = [DuplicatePair(number, number, False, 0) for number in range(len(snow))]
    assert copies_between(snow, again, settings) == expected


@pytest.mark.parametrize("ratio", [0.5, 0.8, 2.0])
def test_smooth_images_of_another_size_are_copies(
    snow: list[Image], ratio: float, settings: MatchSettings
) -> None:
    again = [cv2.resize(overlap, None, fx=ratio, fy=ratio).astype(np.uint8) for overlap in snow]
    expected = [DuplicatePair(number, number, False, 0) for number in range(len(snow))]
    assert copies_between(snow, again, settings) == expected


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_turned_and_mirrored_smooth_images_are_copies(
    snow: list[Image], mirror: bool, turns: int, settings: MatchSettings
) -> None:
    laid = np.rot90(snow[0][:, ::-1] if mirror else snow[0], turns)
    assert copies_between(snow[:3], [np.ascontiguousarray(laid)], settings) == [
        DuplicatePair(0, 0, mirror, turns)
    ]


def test_a_stretched_image_is_no_copy(snow: list[Image], settings: MatchSettings) -> None:
    wide = cv2.resize(snow[0], (640, 256)).astype(np.uint8)
    assert copies_between([snow[0]], [wide], settings) == []


def test_images_of_the_same_faint_noise_are_copies_only_if_identical(
    settings: MatchSettings,
) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(100, 103, (200, 200, 1), np.uint8) for _ in range(4)]
    expected = [DuplicatePair(number, number, False, 0) for number in range(4)]
    assert copies_between(noise, [image.copy() for image in noise], settings) == expected


def test_ramps_of_brightness_are_not_taken_for_ground(settings: MatchSettings) -> None:
    x, y = np.meshgrid(np.arange(300.0), np.arange(300.0))
    ramps = [x + y, x + 1.01 * y, 1.01 * x + y]
    images = [np.rint(100 + ramp / 8).astype(np.uint8)[..., None] for ramp in ramps]
    assert copies_between(images[:1], images[1:], settings) == []


def test_constant_images_are_never_copies(settings: MatchSettings) -> None:
    black = np.zeros((100, 100, 3), np.uint8)
    assert copies_between([black, black + 7], [black, black + 7], settings) == []
