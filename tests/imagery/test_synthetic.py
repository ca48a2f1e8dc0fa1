"""The synthetic scenes: repeatable, varied, and with a mask that fits the picture."""

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.imagery.synthetic import draw_scene

SIDE = 128


@cache
def scenes() -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    return [draw_scene(7, index, SIDE, SIDE) for index in range(24)]


def test_scene_is_the_same_for_the_same_seed_and_index() -> None:
    image, mask = draw_scene(7, 3, SIDE, SIDE)
    np.testing.assert_array_equal(image, scenes()[3][0])
    np.testing.assert_array_equal(mask, scenes()[3][1])


def test_scene_does_not_depend_on_the_number_of_threads() -> None:
    threads = cv2.getNumThreads()
    drawn = []
    for count in (1, 4):
        cv2.setNumThreads(count)
        drawn.append(draw_scene(7, 5, 300, 260))
    cv2.setNumThreads(threads)
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])
    np.testing.assert_array_equal(drawn[0][1], drawn[1][1])


def test_drawing_leaves_the_global_random_state_alone() -> None:
    before = repr(np.random.get_state())
    draw_scene(7, 0, 64, 64)
    assert repr(np.random.get_state()) == before


def test_scenes_differ_by_index_and_by_seed() -> None:
    image = scenes()[0][0].astype(int)
    for other in (scenes()[1][0], draw_scene(8, 0, SIDE, SIDE)[0]):
        assert np.abs(image - other).mean() > 10


@pytest.mark.parametrize(("width", "height"), [(64, 64), (200, 64), (65, 131), (150, 96)])
def test_any_size_from_64_pixels_gives_rows_by_cols(width: int, height: int) -> None:
    for index in range(4):
        image, mask = draw_scene(1, index, width, height)
        assert image.shape == (height, width, 3)
        assert mask.shape == (height, width)
        assert image.dtype == mask.dtype == np.uint8
        assert image.std() > 10


@pytest.mark.parametrize(("width", "height"), [(63, 200), (200, 1)])
def test_a_side_under_64_pixels_is_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="64 pixels a side"):
        draw_scene(0, 0, width, height)


def test_mask_holds_only_background_and_landslide() -> None:
    assert set(np.unique([mask for _, mask in scenes()])) == {0, 1}


def test_most_scenes_have_landslides_and_some_have_none() -> None:
    without = sum(not mask.any() for _, mask in scenes())
    assert 1 <= without <= 8


def test_landslides_take_a_moderate_share_of_their_scene() -> None:
    shares = [mask.mean() for _, mask in scenes() if mask.any()]
    assert min(shares) > 0.02
    assert max(shares) < 0.30
    assert 0.06 < np.mean(shares) < 0.20


def test_landslides_stand_out_from_the_ring_around_them() -> None:
    contrasts = []
    for image, mask in scenes():
        if mask.any():
            ring = (cv2.dilate(mask, np.ones((15, 15), np.uint8)) == 1) & (mask == 0)
            contrasts.append(image[mask == 1].mean(axis=0) - image[ring].mean(axis=0))
    red, green, _ = np.transpose(contrasts)
    assert np.median(red) > 40
    assert np.mean(red - green > 5) > 0.9


def test_mask_ends_where_the_painted_ground_ends() -> None:
    """Right at the outline the picture already changes, with no band of doubt between."""
    for image, mask in scenes():
        if mask.any():
            red = image[..., 0].astype(int)
            kernel = np.ones((3, 3), np.uint8)
            just_in = (mask == 1) & (cv2.erode(mask, np.ones((5, 5), np.uint8)) == 0)
            just_out = (cv2.dilate(mask, kernel) == 1) & (mask == 0)
            assert red[just_in].mean() > red[just_out].mean() + 8
