"""Copies of images are recognised by sketches of 256 bytes, and nothing else is."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.imagery.overlap import (
    find_copies,
    sketch_from_text,
    sketch_of,
    sketch_to_text,
)

Image = NDArray[np.uint8]


def recognised(firsts: list[Image], seconds: list[Image]) -> list[tuple[int, int]]:
    found = find_copies(
        [sketch_of(image) for image in firsts], [sketch_of(image) for image in seconds]
    )
    return [(likeness.query, likeness.reference) for likeness in found]


def resized(image: Image, width: int, height: int) -> Image:
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def encoded_anew(image: Image) -> Image:
    _, code = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


def framed(image: Image, colour: int) -> Image:
    """Turn an image by 15 degrees on a canvas of one colour, as an orthophoto may lie."""
    rows, cols = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((cols / 2, rows / 2), 15, 0.8)
    return np.asarray(cv2.warpAffine(image, matrix, (cols, rows), borderValue=[colour] * 3))


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        encoded_anew,
        lambda image: resized(image, 128, 128),
        lambda image: resized(image, 600, 600),
        lambda image: resized(image, 300, 256),
        np.rot90,
        lambda image: np.rot90(image[:, ::-1], 2),
        lambda image: (image // 2 + 60).astype(np.uint8),
        lambda image: image[..., ::-1],
        lambda image: image[3:-3, 3:-3],
    ],
    ids=["same", "jpeg", "half", "larger", "wider", "turned", "mirrored", "light", "bands", "cut"],
)
def test_copies_are_recognised(unrelated: list[Image], change: Callable[[Image], Image]) -> None:
    changed = [change(image) for image in unrelated]
    assert recognised(changed, unrelated) == [(n, n) for n in range(len(unrelated))]


@pytest.mark.parametrize("colour", [0, 255])
def test_the_frame_of_a_mosaic_is_no_likeness(unrelated: list[Image], colour: int) -> None:
    laid = [framed(image, colour) for image in unrelated]
    assert recognised(laid[:4], laid[4:]) == []
    smaller = [resized(image, 180, 180) for image in laid]
    assert recognised(smaller, laid) == [(n, n) for n in range(len(laid))]


def test_other_ground_is_not_recognised(unrelated: list[Image], snow: list[Image]) -> None:
    assert recognised(unrelated[:4], [*unrelated[4:], *snow]) == []
    assert recognised(snow[:6], [*snow[6:], *unrelated]) == []


def test_smooth_ground_is_recognised(snow: list[Image]) -> None:
    again = [encoded_anew(image) for image in snow]
    assert recognised(again, snow) == [(n, n) for n in range(len(snow))]


def test_a_part_of_an_image_is_not_recognised(ground: Image) -> None:
    assert recognised([ground[:250, :300]], [ground]) == []


def test_images_without_details_are_blank_and_like_nothing() -> None:
    x, y = np.meshgrid(np.arange(300.0), np.arange(200.0))
    ramp = np.rint(100 + (x + y) / 8).astype(np.uint8)[..., None]
    flat = [np.full((50, 70, 3), level, np.uint8) for level in (0, 128, 255)]
    assert recognised([*flat, ramp], [*flat, np.ascontiguousarray(ramp[:, ::-1])]) == []
    assert [sketch_to_text(sketch_of(image)) for image in flat] == ["", "", ""]


def test_an_image_of_one_pixel_has_a_sketch() -> None:
    assert not sketch_of(np.full((1, 1, 1), 77, np.uint8)).any()


def test_a_sketch_is_short_text_and_comes_back(unrelated: list[Image]) -> None:
    sketch = sketch_of(unrelated[0])
    text = sketch_to_text(sketch)
    assert len(text) == 344
    np.testing.assert_array_equal(sketch_from_text(text), sketch)
    assert not sketch_from_text("").any()


@pytest.mark.parametrize("text", ["AAAA", "not base64", "ä" * 344])
def test_other_text_is_no_sketch(text: str) -> None:
    with pytest.raises(ValueError, match=r"bytes instead of 256|base64|ASCII"):
        sketch_from_text(text)


def test_nothing_is_compared_with_nothing(unrelated: list[Image]) -> None:
    assert recognised([], unrelated) == recognised(unrelated, []) == []
