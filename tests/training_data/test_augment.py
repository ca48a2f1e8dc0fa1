"""Online augmentation: image and mask move alike, within their ranges, and always the same way."""

import colorsys
import json
import random
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.palette import IGNORE
from landslide_cli.errors import DataError
from landslide_cli.profile.augment import OnlineAugmentSettings
from landslide_cli.training_data.augment import Augmenter

Image = NDArray[np.uint8]
Range = tuple[float, float] | None

GEOMETRIC: dict[str, Range] = {
    "hflip": None,
    "vflip": None,
    "rotate90": None,
    "rotate": (-180.0, 180.0),
    "zoom": (0.5, 3.0),
    "shear": (0.1, 0.8),
    "translate": (-0.6, 0.6),
    "perspective": (0.05, 0.2),
}
PHOTOMETRIC: dict[str, Range] = {
    "brightness": (0.1, 0.4),
    "contrast": (0.2, 0.6),
    "saturation": (1.5, 3.0),
    "hue": (20.0, 90.0),
    "blur": (0.8, 2.5),
    "noise": (5.0, 20.0),
}
ALL = GEOMETRIC | PHOTOMETRIC
SIDE = 32


def settings_of(kinds: dict[str, Range], probability: float = 1.0) -> OnlineAugmentSettings:
    given = {
        name: {"probability": probability} | ({"range": limits} if limits else {})
        for name, limits in kinds.items()
    }
    return OnlineAugmentSettings.model_validate_json(json.dumps(given))


def augmenter(kinds: dict[str, Range], probability: float = 1.0, seed: int = 1) -> Augmenter:
    return Augmenter(settings_of(kinds, probability), seed)


@cache
def one_kind(name: str) -> Augmenter:
    return augmenter({name: ALL[name]})


def changed(
    by: Augmenter, image: Image, mask: Image | None = None, position: int = 0, epoch: int = 0
) -> tuple[Image, Image]:
    """The eager result as arrays."""
    mask = np.zeros(image.shape[:2], np.uint8) if mask is None else mask
    moved, moved_mask = by.transform(
        tf.constant(image), tf.constant(mask), tf.constant(epoch, tf.int64), tf.constant(position)
    )
    assert moved.dtype == moved_mask.dtype == tf.uint8
    assert moved.shape == image.shape
    assert moved_mask.shape == mask.shape
    return moved.numpy(), moved_mask.numpy()


def texture(seed: int = 0, rows: int = SIDE, cols: int = SIDE, bands: int = 3) -> Image:
    """Colours that no kind saturates easily."""
    return np.random.default_rng(seed).integers(90, 160, (rows, cols, bands), np.uint8)


def blobs(seed: int, values: list[int], rows: int = SIDE, cols: int = SIDE) -> Image:
    """A mask of squares of 4 x 4 pixels."""
    coarse = np.random.default_rng(seed).choice(values, (rows // 4, cols // 4)).astype(np.uint8)
    return np.kron(coarse, np.ones((4, 4), np.uint8))


def coordinates() -> Image:
    """An image whose pixels say where they were: column and row, times 4, and 0."""
    y, x = np.indices((SIDE, SIDE)).astype(np.uint8) * 4
    return np.dstack([x, y, np.zeros_like(x)])


@pytest.mark.parametrize("kind", GEOMETRIC)
@given(seed=st.integers(0, 1000), position=st.integers(0, 100_000))
@settings(max_examples=8)
def test_image_and_mask_move_alike_and_no_class_comes_into_being(
    kind: str, seed: int, position: int
) -> None:
    values = [0, 1, 200, IGNORE]
    mask = blobs(seed, values)
    image = np.dstack([(mask == value) * 255 for value in values]).astype(np.uint8)
    moved, moved_mask = changed(one_kind(kind), image, mask, position)
    assert set(np.unique(moved_mask)) <= set(values)
    pure = 0.0
    for band, value in enumerate(values):
        # All pixels that such a one was interpolated from had this value.
        certain = moved[..., band] == 255
        pure += certain.mean()
        assert (moved_mask[certain] == value).all()
    assert pure > 0.2


def test_several_geometric_kinds_together_keep_image_and_mask_aligned() -> None:
    by = augmenter({"rotate": (-180.0, 180.0), "zoom": (1.5, 2.0), "translate": (-0.2, 0.2)})
    mask = np.kron(blobs(3, [0, 1])[:16, :16], np.ones((2, 2), np.uint8))
    image = np.repeat(mask[..., None] * 200, 3, axis=-1).astype(np.uint8)
    for position in range(5):
        moved, moved_mask = changed(by, image, mask, position)
        # Nearest neighbours of nearest neighbours are off by a pixel at edges.
        assert ((moved[..., 0] > 100) == (moved_mask == 1)).mean() > 0.85


@pytest.mark.parametrize("kind", PHOTOMETRIC)
def test_a_photometric_kind_changes_the_image_and_leaves_the_mask(kind: str) -> None:
    mask = blobs(0, [0, 1, 7, IGNORE])
    moved, moved_mask = changed(one_kind(kind), texture(), mask)
    np.testing.assert_array_equal(moved_mask, mask)
    assert (moved != texture()).mean() > 0.5


@pytest.mark.parametrize("kind", ALL)
def test_a_kind_of_probability_one_always_happens(kind: str) -> None:
    image, mask = texture(), blobs(0, [0, 1])
    for position in range(6):
        moved, _ = changed(one_kind(kind), image, mask, position)
        assert (moved != image).any()


def test_kinds_of_probability_zero_leave_everything_as_it_was() -> None:
    image, mask = texture(), blobs(0, [0, 1, IGNORE])
    by = augmenter(ALL | {"elastic": None}, probability=0.0)
    for position in range(5):
        for moved, moved_mask in (
            changed(by, image, mask, position),
            by.warp(image, mask, 0, position),
        ):
            np.testing.assert_array_equal(moved, image)
            np.testing.assert_array_equal(moved_mask, mask)


@pytest.mark.parametrize("kind", ["hflip", "elastic"])
def test_a_kind_happens_as_often_as_its_probability_says(kind: str) -> None:
    by = augmenter({kind: None}, probability=0.3)
    image, mask = texture(rows=8, cols=8), np.zeros((8, 8), np.uint8)
    happened = [
        ((by.warp(image, mask, 0, at) if kind == "elastic" else changed(by, image, mask, at))[0])
        .tobytes() != image.tobytes()
        for at in range(100)
    ]  # fmt: skip
    assert 15 <= sum(happened) <= 45


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


def square(value: int) -> Image:
    """A mask of one square in the middle."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:24, 8:24] = value
    return mask


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
    found = ratios("contrast", limits, lambda image: float(image.astype(float).std(axis=(0, 1))[0]))
    assert low - 0.02 <= min(found) < low + 0.2 * (high - low)
    assert high - 0.2 * (high - low) < max(found) <= high + 0.02


def saturation(image: Image) -> float:
    highest, lowest = image.max(axis=-1).astype(float), image.min(axis=-1)
    return float(((highest - lowest) / highest).mean())


@pytest.mark.parametrize("limits", [(0.0, 0.0), (0.3, 0.9), (1.0, 1.8), (0.5, 1.6)])
def test_saturation_multiplies_by_a_factor_of_its_range(limits: tuple[float, float]) -> None:
    low, high = limits
    found = ratios("saturation", limits, saturation)
    assert low - 0.01 <= min(found) <= low + 0.2 * (high - low) + 0.01
    assert high - 0.2 * (high - low) - 0.01 <= max(found) <= high + 0.01


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


def samples(count: int = 16) -> list[tuple[Image, Image]]:
    return [(texture(at), blobs(at, [0, 1, IGNORE])) for at in range(count)]


def mapped(by: Augmenter, order: list[int], **options: Any) -> dict[int, bytes]:
    """The results of a tf.data map by position."""
    images, masks = (np.stack(parts) for parts in zip(*samples(len(order)), strict=True))

    def change(position: Any) -> Any:
        epoch = tf.constant(2, tf.int64)
        image, mask = tf.gather(images, position), tf.gather(masks, position)
        return position, *by.transform(image, mask, epoch, position)

    data = tf.data.Dataset.from_tensor_slices(np.array(order, np.int64)).map(change, **options)
    return {
        int(position): image.numpy().tobytes() + mask.numpy().tobytes()
        for position, image, mask in data
    }


def test_results_are_the_same_bits_eagerly_and_in_parallel_maps_of_any_order() -> None:
    by = augmenter(ALL, probability=0.6)
    order = list(range(16))
    eager = {
        at: b"".join(part.tobytes() for part in changed(by, *samples()[at], at, epoch=2))
        for at in order
    }
    assert mapped(by, order) == eager
    shuffled = random.Random(1).sample(order, len(order))  # noqa: S311
    for options in (
        {"num_parallel_calls": 4, "deterministic": False},
        {"num_parallel_calls": tf.data.AUTOTUNE},
    ):
        assert mapped(augmenter(ALL, probability=0.6), shuffled, **options) == eager


@pytest.mark.parametrize("kind", sorted({*ALL, "elastic"} - {"hflip", "vflip", "rotate90"}))
def test_another_position_epoch_or_seed_draws_other_changes(kind: str) -> None:
    image = texture()

    def result(seed: int, epoch: int, position: int) -> bytes:
        by = augmenter({kind: ALL.get(kind)}, seed=seed)
        mask = blobs(0, [0, 1])
        if kind == "elastic":
            return by.warp(image, mask, epoch, position)[0].tobytes()
        return changed(by, image, mask, position, epoch)[0].tobytes()

    draws = [(1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0), (2**70, 0, 0)]
    assert len({result(*draw) for draw in draws}) == len(draws)
    assert result(*draws[-1]) == result(*draws[-1])


def test_switching_a_kind_on_leaves_the_draws_of_the_others() -> None:
    image, mask = texture(), blobs(1, [0, 1])
    rotate: dict[str, Range] = {"rotate": (-180.0, 180.0)}
    alone, among = augmenter(rotate), augmenter(rotate | {"hflip": None} | PHOTOMETRIC)
    flipped = np.ascontiguousarray(mask[:, ::-1])
    for position in range(4):
        _, expected = changed(alone, image, flipped, position)
        np.testing.assert_array_equal(changed(among, image, mask, position)[1], expected)


@pytest.mark.parametrize("bands", [1, 2, 5, 14])
def test_images_of_any_number_of_bands_and_any_sides_are_augmented(bands: int) -> None:
    kinds = {name: ALL[name] for name in ALL if name not in ("rotate90", "saturation", "hue")}
    image = texture(0, 24, 40, bands)
    moved, _ = changed(augmenter(kinds), image, blobs(0, [0, 1], 24, 40))
    assert (moved != image).any(axis=(0, 1)).all()


def test_quarter_turns_of_oblong_images_are_refused() -> None:
    with pytest.raises(DataError, match=r"rotate90 needs square images, not 40 x 24 pixels"):
        changed(one_kind("rotate90"), texture(0, 24, 40))


@pytest.mark.parametrize("kind", ["saturation", "hue"])
@pytest.mark.parametrize("bands", [1, 4])
def test_colour_kinds_refuse_images_that_have_no_three_bands(kind: str, bands: int) -> None:
    with pytest.raises(DataError, match=f"need images of three bands, not {bands}"):
        changed(one_kind(kind), texture(bands=bands))


def test_neither_keras_policy_nor_the_global_random_state_matter() -> None:
    image, mask = texture(), blobs(1, [0, 1])
    expected = changed(augmenter(ALL), image, mask)
    policy, state = keras.config.dtype_policy(), random.getstate()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = changed(augmenter(ALL), image, mask)
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert random.getstate() == state


@given(seed=st.integers(0, 1000), position=st.integers(0, 100_000))
@settings(max_examples=10)
def test_elastic_warps_image_and_mask_alike(seed: int, position: int) -> None:
    mask = blobs(seed, [0, 1, IGNORE])
    image = np.dstack([(mask == value) * 255 for value in (0, 1, IGNORE)]).astype(np.uint8)
    moved, moved_mask = augmenter({"elastic": (0.02, 0.1)}).warp(image, mask, 3, position)
    for band, value in enumerate((0, 1, IGNORE)):
        assert (moved_mask[moved[..., band] == 255] == value).all()
    assert (moved != image).any()
    again, _ = augmenter({"elastic": (0.02, 0.1)}).warp(image, mask, 3, position)
    np.testing.assert_array_equal(again, moved)


def test_an_elastic_displacement_of_nothing_moves_nothing() -> None:
    image, mask = texture(), blobs(1, [0, 1])
    moved, moved_mask = augmenter({"elastic": (0.0, 0.0)}).warp(image, mask, 0, 0)
    np.testing.assert_array_equal(moved, image)
    np.testing.assert_array_equal(moved_mask, mask)


# To which of 32 images each kind happens with a probability of a half: bits of the numbers that are
# drawn for it. They key every training with online augmentation, and never change.
DRAWN = {
    "hflip": 0x55B47691,
    "vflip": 0x21B41A37,
    "rotate90": 0x176745DA,
    "rotate": 0xD52FC936,
    "zoom": 0x3838C5C1,
    "shear": 0x895D1D3F,
    "translate": 0xF9047C9C,
    "perspective": 0x065FE8C4,
    "brightness": 0x92273CF1,
    "contrast": 0x7ACF6121,
    "saturation": 0x8BBD028C,
    "hue": 0xD7254903,
    "blur": 0x0565D9EF,
    "noise": 0x5AB7DC52,
}


@pytest.mark.parametrize("kind", DRAWN)
def test_each_kind_draws_the_numbers_it_always_drew(kind: str) -> None:
    by, bits = augmenter({kind: ALL[kind]}, probability=0.5, seed=11), 0
    image = texture(rows=16, cols=16)
    for position in range(32):
        moved, _ = changed(by, image, position=position, epoch=2)
        bits = 2 * bits + int((moved != image).any())
    assert bits == DRAWN[kind]
