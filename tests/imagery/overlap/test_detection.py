"""Images that show the same ground are found, with the way from one to the other; no others."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.imagery.overlap import (
    Features,
    MatchSettings,
    Overlap,
    extract,
    find_leaks,
    find_overlaps,
)
from landslide_cli.imagery.overlap.matching import moved
from landslide_cli.imagery.warp import distort

Image = NDArray[np.uint8]
Points = NDArray[np.float64]

GRID = np.stack(np.meshgrid(np.arange(8.0, 256, 16), np.arange(8.0, 256, 16)), -1).reshape(-1, 2)


def nothing() -> None:
    pass


def features_of(images: Sequence[Image], settings: MatchSettings) -> list[Features]:
    return [extract(np.ascontiguousarray(image), settings) for image in images]


def overlaps_in(images: Sequence[Image], settings: MatchSettings) -> list[Overlap]:
    return find_overlaps(features_of(images, settings), settings, nothing)


def view(
    ground: Image, centre: tuple[float, float], scale: float, turn: float
) -> tuple[Image, Points]:
    """A (256, 256) view around a point of the ground; returns it and the way from the ground."""
    transform = cv2.getRotationMatrix2D(centre, turn, scale)
    transform[:, 2] += 127.5 - np.array(centre)
    smooth = ground if scale >= 1 else cv2.GaussianBlur(ground, (0, 0), 0.45 / scale)
    cut = cv2.warpAffine(smooth, transform, (256, 256), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(cut, np.uint8), np.asarray(transform, np.float64)


def lit(image: Image, gain: float, offset: float) -> Image:
    return np.clip(gain * image.astype(float) + offset, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("centre", "scale", "turn"),
    [
        ((220.0, 200.0), 1.0, 0.0),
        ((330.0, 250.0), 1.0, 90.0),
        ((260.0, 240.0), 0.6, 33.0),
        ((200.0, 230.0), 1.8, 200.0),
        ((320.0, 150.0), 1.0, -75.0),
    ],
)
def test_a_moved_turned_scaled_and_relit_view_is_found(
    ground: Image,
    unrelated: list[Image],
    settings: MatchSettings,
    centre: tuple[float, float],
    scale: float,
    turn: float,
) -> None:
    second, transform = view(ground, centre, scale, turn)
    first = ground[40:296, 30:286]
    (overlap,) = overlaps_in([unrelated[0], first, *unrelated[1:], lit(second, 0.75, 20)], settings)
    assert (overlap.first, overlap.second) == (1, len(unrelated) + 1)
    assert overlap.kind == "content"
    assert not overlap.mirrored
    expected = moved(GRID + np.array([30, 40]), transform)
    common = ((expected >= 0) & (expected < 256)).all(axis=1)
    actual = moved(GRID, np.array(overlap.transform))
    assert np.linalg.norm(actual - expected, axis=1)[common].max() < 1.5


def test_unrelated_images_are_not_found(unrelated: list[Image], settings: MatchSettings) -> None:
    assert overlaps_in(unrelated, settings) == []


def test_images_of_different_size_are_found(
    ground: Image, unrelated: list[Image], settings: MatchSettings
) -> None:
    small = ground[100:250, 200:420]
    large = cv2.resize(ground, (1500, 1250), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    (overlap,) = overlaps_in([large, small, *unrelated], settings)
    assert (overlap.first, overlap.second) == (0, 1)
    assert overlap.overlap > 0.98
    corner = moved(np.array([[502.0, 252.0]]), np.array(overlap.transform))
    np.testing.assert_allclose(corner, [[0.4, 0.4]], atol=1)


@pytest.mark.parametrize("flip", [np.s_[:, ::-1], np.s_[::-1, :], np.s_[::-1, ::-1]])
def test_mirrored_copies_are_found(
    ground: Image, unrelated: list[Image], settings: MatchSettings, flip: tuple[slice, ...]
) -> None:
    image = ground[:256, :256]
    (overlap,) = overlaps_in([*unrelated, image, image[flip]], settings)
    assert overlap.kind == "copy"
    assert overlap.mirrored == (flip[0].step != flip[1].step)
    index = np.arange(256 * 256).reshape(256, 256)[flip]
    x, y = moved(np.array([[10.0, 20.0]]), np.array(overlap.transform))[0]
    assert index[round(y), round(x)] == 20 * 256 + 10


@pytest.mark.parametrize("amount", [0.01, 0.02])
def test_distorted_copies_are_found(
    ground: Image, unrelated: list[Image], settings: MatchSettings, amount: float
) -> None:
    image = ground[:256, :256]
    mask = np.zeros(image.shape[:2], np.uint8)
    warped, _ = distort(image, mask, amount, np.random.default_rng(0))
    (overlap,) = overlaps_in([image, *unrelated, warped], settings)
    assert (overlap.first, overlap.second, overlap.kind) == (0, len(unrelated) + 1, "copy")
    assert overlap.inliers > 3 * settings.inliers


def test_small_tiles_and_their_copies_are_found(
    ground: Image, unrelated: list[Image], settings: MatchSettings
) -> None:
    tiles = [ground[y : y + 128, x : x + 128] for y in (0, 128, 256) for x in (0, 128, 256)]
    copies = [tile[:, ::-1] for tile in tiles]
    leaks = find_leaks(
        features_of([*copies, *unrelated], settings),
        features_of(tiles, settings),
        settings,
        nothing,
    )
    assert {(overlap.first, overlap.second) for overlap in leaks} >= {
        (n, n) for n in range(len(tiles))
    }
    assert {overlap.first for overlap in leaks} == set(range(len(tiles)))


def test_smooth_images_encoded_anew_are_found(snow: list[Image], settings: MatchSettings) -> None:
    _, code = cv2.imencode(".jpg", snow[3], [cv2.IMWRITE_JPEG_QUALITY, 70])
    again = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    (overlap,) = overlaps_in([*snow, again], settings)
    assert (overlap.first, overlap.second, overlap.kind) == (3, len(snow), "copy")
    assert overlap.overlap == 1


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_the_way_to_a_copy_without_texture_is_known(
    snow: list[Image], settings: MatchSettings, mirror: bool, turns: int
) -> None:
    index = np.arange(256 * 320).reshape(256, 320)
    laid = np.rot90(snow[0][:, ::-1] if mirror else snow[0], turns)
    numbers = np.rot90(index[:, ::-1] if mirror else index, turns)
    (overlap,) = overlaps_in([snow[0], laid], settings)
    assert overlap.mirrored == mirror
    x, y = moved(np.array([[10.0, 20.0]]), np.array(overlap.transform))[0]
    assert numbers[round(y), round(x)] == 20 * 320 + 10


def test_constant_images_never_match(settings: MatchSettings, unrelated: list[Image]) -> None:
    black, white = np.zeros((256, 256, 3), np.uint8), np.full((256, 256, 3), 255, np.uint8)
    images = [black, black, white, *unrelated[:2], white]
    assert overlaps_in(images, settings) == []
    features = features_of(images, settings)
    assert find_leaks(features[:3], features[3:], settings, nothing) == []


def test_a_common_black_frame_is_no_common_ground(
    unrelated: list[Image], snow: list[Image], settings: MatchSettings
) -> None:
    framed = []
    for image in (*unrelated, *(image[:, :256] for image in snow)):
        inside = image.copy()
        cv2.fillPoly(inside, [np.array([[0, 0], [180, 0], [0, 140]], np.int32)], (0, 0, 0))
        inside[:, 230:] = 0
        framed.append(inside)
    assert overlaps_in(framed, settings) == []


def test_the_result_does_not_depend_on_threads_or_repetition(
    ground: Image, unrelated: list[Image], settings: MatchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [ground[:256, :256], *unrelated, ground[80:336, 60:316], ground[:256, :256][::-1]]
    features = features_of(images, settings)
    once = find_overlaps(features, settings, nothing)
    assert len(once) == 3
    for threads in (1, 2, 7):
        monkeypatch.setattr("os.cpu_count", lambda: threads)  # noqa: B023
        assert find_overlaps(features, settings, nothing) == once


def test_no_image_and_one_image_have_no_overlaps(ground: Image, settings: MatchSettings) -> None:
    features = features_of([ground], settings)
    assert find_overlaps([], settings, nothing) == []
    assert find_overlaps(features, settings, nothing) == []
    assert find_leaks([], features, settings, nothing) == []
    assert find_leaks(features, [], settings, nothing) == []


def test_a_query_among_the_references_leaks(ground: Image, settings: MatchSettings) -> None:
    features = features_of([ground], settings)
    (leak,) = find_leaks(features, features, settings, nothing)
    assert (leak.first, leak.second, leak.kind) == (0, 0, "copy")
