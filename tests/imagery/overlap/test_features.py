"""Key points lie in pixels of the original, are spread, and can be mirrored."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.imagery.overlap import MatchSettings, extract
from landslide_cli.imagery.overlap.features import DESCRIPTOR_NORM, gray_of, mirrored

Image = NDArray[np.uint8]


def test_features_have_the_documented_shapes_and_ranges(
    ground: Image, settings: MatchSettings
) -> None:
    features = extract(ground, settings)
    count = len(features.points)
    assert 0 < count <= settings.features
    assert (features.width, features.height, features.long_side) == (600, 500, 600)
    assert features.points.shape == (count, 2)
    assert features.points.dtype == np.float32
    assert (features.points >= 0).all()
    assert (features.points <= (600, 500)).all()
    assert features.descriptors.shape == (count, 128)
    assert features.descriptors.dtype == np.uint8
    norms = np.linalg.norm(features.descriptors.astype(float), axis=1)
    np.testing.assert_allclose(norms, DESCRIPTOR_NORM, rtol=0.02)
    assert not features.flat


def test_points_of_a_reduced_image_are_in_pixels_of_the_original(settings: MatchSettings) -> None:
    image = np.full((1400, 1800, 1), 90, np.uint8)
    centres = np.array([(x, y) for x in (210, 803, 1497) for y in (190, 700, 1204)])
    for x, y in centres:
        cv2.circle(image, (int(x), int(y)), 24, 220, -1)
    image = cv2.GaussianBlur(image, (0, 0), 3).reshape(image.shape)
    points = extract(image, settings).points
    away = np.linalg.norm(points[:, None] - centres, axis=2).min(axis=0)
    assert (away < 4).all()


def test_key_points_are_spread_over_the_image(ground: Image, settings: MatchSettings) -> None:
    image = ground.copy()
    image[:, 300:] = image[:, 300:] // 4 + 90
    points = extract(image, settings).points
    assert 0.35 < (points[:, 0] >= 300).mean() < 0.65


def test_mirrored_features_are_those_of_the_mirrored_image(
    ground: Image, settings: MatchSettings
) -> None:
    ours = mirrored(extract(ground, settings))
    theirs = extract(np.ascontiguousarray(ground[:, ::-1]), settings)
    likeness = ours.descriptors.astype(int) @ theirs.descriptors.astype(int).T
    nearest = likeness.argmax(axis=1)
    same = np.linalg.norm(ours.points - theirs.points[nearest], axis=1) < 1.5
    assert same.mean() > 0.8
    turn = (ours.angles - theirs.angles[nearest] + 180) % 360 - 180
    assert np.abs(np.median(turn[same])) < 1
    np.testing.assert_array_equal(ours.thumbnail, theirs.thumbnail)


def test_the_frame_of_a_mosaic_is_no_ground(ground: Image, settings: MatchSettings) -> None:
    image = ground.copy()
    triangle = np.array([[0, 0], [420, 0], [0, 380]], np.int32)
    cv2.fillPoly(image, [triangle], (0, 0, 0))
    points = extract(image, settings).points
    signed = [cv2.pointPolygonTest(triangle, (float(x), float(y)), True) for x, y in points]
    assert max(signed) < -5


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_constant_image_is_flat(value: int, settings: MatchSettings) -> None:
    features = extract(np.full((70, 90, 3), value, np.uint8), settings)
    assert features.flat
    assert features.points.shape == (0, 2)
    assert features.descriptors.shape == (0, 128)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 300, 3), (5, 4, 2), (40, 9, 8)])
def test_an_image_of_any_size_and_number_of_bands_is_taken(
    shape: tuple[int, int, int], settings: MatchSettings
) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    features = extract(image, settings)
    assert (features.height, features.width) == shape[:2]


def test_gray_is_the_rounded_mean_of_up_to_three_bands() -> None:
    image = np.array([[[0, 1, 1, 255], [255, 255, 255, 0]]], np.uint8)
    np.testing.assert_array_equal(gray_of(image), [[1, 255]])
    np.testing.assert_array_equal(gray_of(image[..., :2]), [[1, 255]])
    np.testing.assert_array_equal(gray_of(image[..., :1]), [[0, 255]])
