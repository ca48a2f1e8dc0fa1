"""How far two images of the same ground lie beside each other."""

import cv2
import numpy as np
import pytest

from landslide_cli.imagery.raster.shift import shift_between

GROUND = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(320, 320)), (0, 0), 1.2)


# OpenCV fills a side up to 128, 135, 150, 75 and 243 pixels.
@pytest.mark.parametrize("side", [128, 130, 149, 75, 241])
@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -2), (-5, 4)])
def test_a_shift_of_whole_pixels_is_found_at_any_size(side: int, right: int, down: int) -> None:
    planes = [
        GROUND[top : top + side, left : left + 140].astype(np.float32)
        for top, left in ((20, 20), (20 - down, 20 - right))
    ]
    first, second = (plane - plane.mean() for plane in planes)
    shift = shift_between(first, second)
    assert shift is not None
    np.testing.assert_allclose(shift, (right, down), atol=0.1)


def test_images_at_the_same_place_or_too_small_to_tell_have_none() -> None:
    plane = GROUND[:40, :50].astype(np.float32)
    assert shift_between(plane, plane) is None
    assert shift_between(plane[:10], plane[:10]) is None
