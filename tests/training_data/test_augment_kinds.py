"""Each kind of augmentation does what its range says."""

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landslide_cli.core.composition import Band, Composition
from landslide_cli.core.palette import IGNORE
from landslide_cli.imagery.warp import sharpened
from tests.training_data.augmenting import (
    ALL,
    SIDE,
    Image,
    augmenter,
    blobs,
    changed,
    one_kind,
    saturation,
    texture,
)


def coordinates() -> Image:
    """An image whose pixels say where they were: column and row, times 4, and 0."""
    y, x = np.indices((SIDE, SIDE)).astype(np.uint8) * 4
    return np.dstack([x, y, np.zeros_like(x)])


def test_flips_and_quarter_turns_are_exact() -> None:
    image, mask = texture(), blobs(1, [0, 1, IGNORE])
    for kind, flipped in (("hflip", np.s_[:, ::-1]), ("vflip", np.s_[::-1])):
        moved, moved_mask = changed(one_kind(kind), image, mask)
        np.testing.assert_array_equal(moved, image[flipped])
        np.testing.assert_array_equal(moved_mask, mask[flipped])
    turns = set()
    for position in range(20):
        moved, moved_mask = changed(one_kind("rotate90"), image, mask, position)
        (turn,) = (k for k in range(4) if np.array_equal(moved, np.rot90(image, k)))
        np.testing.assert_array_equal(moved_mask, np.rot90(mask, turn))
        turns.add(turn)
    assert turns == {1, 2, 3}


@pytest.mark.parametrize(("angle", "turns"), [(90.0, 1), (-90.0, 3), (180.0, 2)])
def test_rotate_turns_anticlockwise_by_degrees(angle: float, turns: int) -> None:
    image, mask = texture(), blobs(1, [0, 1, IGNORE])
    moved, moved_mask = changed(augmenter({"rotate": (angle, angle)}), image, mask)
    np.testing.assert_array_equal(moved, np.rot90(image, turns))
    np.testing.assert_array_equal(moved_mask, np.rot90(mask, turns))


@pytest.mark.parametrize(("low", "high"), [(2.0, 2.0), (0.5, 0.5), (0.8, 1.5), (1.5, 3.0)])
def test_zoom_enlarges_by_a_factor_of_its_range(low: float, high: float) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[24:40, 24:40] = 1
    image = np.zeros((64, 64, 3), np.uint8)
    by = augmenter({"zoom": (low, high)})
    for position in range(8):
        _, moved = changed(by, image, mask, position)
        # Near the edges are reflections of it.
        row, column = moved[32, 8:56], moved[8:56, 32]
        runs = [int(line.sum()) for line in (row, column)]
        assert runs[0] == runs[1]
        assert low * 16 - 1 <= runs[0] <= high * 16 + 1


def test_translate_shifts_right_and_down_and_reflects() -> None:
    image, mask = texture(), blobs(1, [0, 1, IGNORE])
    moved, moved_mask = changed(augmenter({"translate": (0.25, 0.25)}), image, mask)
    edges = [(8, 0), (8, 0)]
    np.testing.assert_array_equal(moved, np.pad(image, [*edges, (0, 0)], "symmetric")[:SIDE, :SIDE])
    np.testing.assert_array_equal(moved_mask, np.pad(mask, edges, "symmetric")[:SIDE, :SIDE])


def test_translate_shifts_the_two_ways_by_different_amounts() -> None:
    by = augmenter({"translate": (-0.2, 0.2)})
    middle = [changed(by, coordinates(), position=at)[0][16, 16] for at in range(10)]
    shifts = np.array(middle)[:, :2].astype(int) - 64
    assert np.abs(shifts).max() <= 0.2 * 4 * SIDE + 1
    assert (np.abs(shifts[:, 0] - shifts[:, 1]) > 2).sum() >= 8
    assert (shifts < 0).any(axis=0).all()
    assert (shifts > 0).any(axis=0).all()


def test_shear_moves_rows_or_columns_by_its_magnitude_to_either_side() -> None:
    by, seen = augmenter({"shear": (0.5, 0.5)}), set()
    for position in range(24):
        moved = changed(by, coordinates(), position=position)[0].astype(int) - coordinates()
        along_x, along_y = moved[:, 16, 0], moved[16, :, 1]
        assert not (moved[..., 0].any() and moved[..., 1].any())
        shift = along_x if along_x.any() else along_y
        np.testing.assert_allclose(np.abs(shift[:16]), 0.5 * 4 * np.arange(16), atol=1)
        seen.add((bool(along_x.any()), bool(shift[8] > 0)))
    assert len(seen) == 4


def test_perspective_moves_every_corner_by_at_most_its_share() -> None:
    by, reach = augmenter({"perspective": (0.2, 0.2)}), 0.2 * SIDE
    beyond = [changed(by, texture(), position=at)[1] == IGNORE for at in range(20)]
    inset = int(reach) + 2
    assert not any(mask[inset:-inset, inset:-inset].any() for mask in beyond)
    assert any(mask[int(0.7 * reach)].any() for mask in beyond)
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert len({bool(mask[corner]) for mask in beyond}) == 2


@given(position=st.integers(0, 100_000))
@settings(max_examples=20)
def test_what_perspective_brings_into_view_is_black_and_has_no_label(position: int) -> None:
    white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    moved, mask = changed(one_kind("perspective"), white, position=position)
    assert set(np.unique(mask)) <= {0, IGNORE}
    assert (moved[mask == 0] > 60).all()  # a quarter at least, at a corner
    assert (moved[mask == IGNORE] < 128).all()
    assert (mask == 0).mean() > 0.3


def test_brightness_adds_a_share_of_the_range_between_its_bounds() -> None:
    image, by = texture(), augmenter({"brightness": (-0.3, 0.1)})
    shifts = []
    for position in range(40):
        differences = changed(by, image, position=position)[0].astype(int) - image
        assert np.ptp(differences) <= 1
        shifts.append(differences.mean() / 255)
    assert -0.303 <= min(shifts) < -0.25
    assert 0.05 < max(shifts) <= 0.103


def ratios(kind: str, limits: tuple[float, float], measure: Callable[[Image], float]) -> list[Any]:
    """By which factors a kind changes what is measured."""
    by, image = augmenter({kind: limits}), texture()
    return [
        measure(changed(by, image, position=at)[0]) / measure(image)
        for at in range(30)
    ]  # fmt: skip


@pytest.mark.parametrize("limits", [(0.2, 0.6), (0.9, 1.8), (1.5, 1.9), (0.7, 1.0)])
def test_contrast_stretches_by_a_factor_of_its_range(limits: tuple[float, float]) -> None:
    low, high = limits
    measured = ratios(
        "contrast", limits, lambda image: float(image.astype(float).std(axis=(0, 1))[0])
    )
    assert low - 0.02 <= min(measured) < low + 0.2 * (high - low)
    assert high - 0.2 * (high - low) < max(measured) <= high + 0.02


@pytest.mark.parametrize("limits", [(0.0, 0.0), (0.3, 0.9), (1.0, 1.8), (0.5, 1.6)])
def test_saturation_multiplies_by_a_factor_of_its_range(limits: tuple[float, float]) -> None:
    low, high = limits
    measured = ratios("saturation", limits, saturation)
    assert low - 0.01 <= min(measured) <= low + 0.2 * (high - low) + 0.01
    assert high - 0.2 * (high - low) - 0.01 <= max(measured) <= high + 0.01


def test_saturated_colours_stay_colours() -> None:
    image = np.array([[[200, 20, 60], [10, 240, 0], [0, 0, 0], [255, 255, 255]]], np.uint8)
    moved, _ = changed(augmenter({"saturation": (4.0, 4.0)}), image)
    np.testing.assert_array_equal(moved.max(axis=-1), image.max(axis=-1))
    assert (moved.min(axis=-1)[0] == [0, 0, 0, 255]).all()


@pytest.mark.parametrize(("degrees", "colour"), [(120.0, 1), (-120.0, 2)])
def test_hue_turns_red_towards_green_and_back_towards_blue(degrees: float, colour: int) -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    moved, _ = changed(augmenter({"hue": (degrees, degrees)}), red)
    np.testing.assert_array_equal(moved, np.roll(red, colour, axis=-1))


def test_hue_turns_by_degrees_of_its_range_and_its_sign() -> None:
    by = augmenter({"hue": (-60.0, 20.0)})
    image = np.full((2, 2, 3), (60, 200, 60), np.uint8)
    turns = []
    for position in range(30):
        red, green, blue = changed(by, image, position=position)[0][0, 0] / 255
        turns.append(360 * colorsys.rgb_to_hsv(red, green, blue)[0] - 120)
    assert -60.5 <= min(turns) < -40
    assert 10 < max(turns) <= 20.5


@pytest.mark.parametrize("sigma", [0.8, 1.5, 4.0, 10.0])
def test_blur_has_its_sigma_in_pixels_both_ways(sigma: float) -> None:
    image = np.zeros((64, 64, 1), np.uint8)
    image[:, 32:] = 200
    by = augmenter({"blur": (sigma, sigma)})
    edge = changed(by, image)[0][..., 0].astype(float)
    np.testing.assert_array_equal(edge, edge[:1].repeat(64, axis=0))
    density = np.diff(edge[0]) / 200
    places = np.arange(63) - 31
    assert density.sum() == pytest.approx(1, abs=0.02)
    assert np.sqrt((density * places**2).sum()) == pytest.approx(sigma, rel=0.05)
    upright = changed(by, np.ascontiguousarray(image.swapaxes(0, 1)))[0][..., 0]
    np.testing.assert_allclose(upright.T, edge, atol=1)


@pytest.mark.parametrize("sigma", [2.0, 10.0])
def test_blur_does_not_darken_the_edges_even_of_small_images(sigma: float) -> None:
    even = np.full((16, 24, 3), 180, np.uint8)
    moved, _ = changed(augmenter({"blur": (sigma, sigma)}), even)
    np.testing.assert_array_equal(moved, even)


def test_noise_has_a_standard_deviation_of_its_range_and_differs_from_band_to_band() -> None:
    image, by = np.full((SIDE, SIDE, 3), 128, np.uint8), augmenter({"noise": (4.0, 20.0)})
    spreads = []
    for position in range(20):
        noise = changed(by, image, position=position)[0].astype(float) - 128
        assert abs(noise.mean()) < 1.5
        assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.15
        spreads.append(noise.std())
    assert 3.8 <= min(spreads) < 9
    assert 14 < max(spreads) <= 21


def test_sharpening_adds_the_difference_from_the_blurred_image() -> None:
    image = np.full((SIDE, SIDE, 3), 100, np.uint8)
    image[:, SIDE // 2 :] = 150
    moved, _ = changed(augmenter({"sharpen": (1.0, 1.0)}), image)
    assert np.abs(moved.astype(int) - sharpened(image, 1.0)).max() <= 1


@pytest.mark.parametrize("kind", ["hue", "saturation", "brightness"])
def test_light_and_colours_change_the_bands_that_have_them_alone(kind: str) -> None:
    names = ("dem", "blue", "green", "red")
    bands = [Band(name, layer="dem" if name == "dem" else None) for name in names]
    image = texture(bands=4)
    for order in (bands, bands[::-1]):
        colours = [order.index(band) for band in reversed(bands[1:])]
        by = augmenter({kind: ALL[kind]}, composition=Composition(tuple(order)))
        moved, _ = changed(by, image)
        expected, _ = changed(one_kind(kind), np.ascontiguousarray(image[..., colours]))
        np.testing.assert_array_equal(moved[..., colours], expected)
        dem = order.index(bands[0])
        np.testing.assert_array_equal(moved[..., dem], image[..., dem])
