"""Online augmentation: image and mask move alike, within their ranges, and always the same way."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landslide_cli.core.composition import Band, Composition
from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.palette import IGNORE
from landslide_cli.errors import DataError
from landslide_cli.imagery.warp import through_lens
from landslide_cli.training_data.augment import Augmenter
from tests.training_data.augmenting import (
    ALL,
    GEOMETRIC,
    PHOTOMETRIC,
    SIDE,
    WARPS,
    Image,
    Range,
    augmenter,
    blobs,
    changed,
    one_kind,
    texture,
)


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
    by = augmenter(ALL | dict.fromkeys(WARPS), probability=0.0)
    for position in range(5):
        for moved, moved_mask in (
            changed(by, image, mask, position),
            by.warp(image, mask, 0, position),
        ):
            np.testing.assert_array_equal(moved, image)
            np.testing.assert_array_equal(moved_mask, mask)


@pytest.mark.parametrize("kind", ["hflip", *WARPS])
def test_a_kind_happens_as_often_as_its_probability_says(kind: str) -> None:
    by = augmenter({kind: None}, probability=0.3)
    image, mask = texture(rows=8, cols=8), np.zeros((8, 8), np.uint8)
    happened = [
        ((by.warp(image, mask, 0, at) if kind in WARPS else changed(by, image, mask, at))[0])
        .tobytes() != image.tobytes()
        for at in range(100)
    ]  # fmt: skip
    assert 15 <= sum(happened) <= 45


def square(value: int) -> Image:
    """A mask of one square in the middle."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:24, 8:24] = value
    return mask


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


def test_results_are_the_same_bits_eagerly_and_in_a_parallel_map_of_any_order() -> None:
    by = augmenter(ALL, probability=0.6)
    order = list(range(16))
    eager = {
        at: b"".join(part.tobytes() for part in changed(by, *samples()[at], at, epoch=2))
        for at in order
    }
    shuffled = random.Random(1).sample(order, len(order))  # noqa: S311
    another = augmenter(ALL, probability=0.6)
    assert mapped(another, shuffled, num_parallel_calls=4, deterministic=False) == eager


@pytest.mark.parametrize("kind", sorted({*ALL, *WARPS} - {"hflip", "vflip", "rotate90"}))
def test_another_position_epoch_or_seed_draws_other_changes(kind: str) -> None:
    image = texture()

    def result(seed: int, epoch: int, position: int) -> bytes:
        by = augmenter({kind: ALL.get(kind)}, seed=seed)
        mask = blobs(0, [0, 1])
        if kind in WARPS:
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


@pytest.mark.parametrize("kind", ["saturation", "hue"])
def test_colour_kinds_find_red_green_and_blue_among_other_bands(kind: str) -> None:
    planes = dict(
        zip(["red", "green", "blue", "nir"], np.moveaxis(texture(bands=4), -1, 0), strict=True)
    )
    colours = np.dstack([planes[name] for name in ("red", "green", "blue")])
    expected, _ = changed(one_kind(kind), colours)
    for names in (["red", "green", "blue", "nir"], ["nir", "blue", "green", "red"]):
        named = Composition(tuple(Band(name) for name in names))
        by = augmenter({kind: ALL[kind]}, composition=named)
        moved, _ = changed(by, np.dstack([planes[name] for name in names]))
        found = dict(zip(names, np.moveaxis(moved, -1, 0), strict=True))
        np.testing.assert_array_equal(found.pop("nir"), planes["nir"])
        np.testing.assert_array_equal(
            np.dstack([found[name] for name in ("red", "green", "blue")]), expected
        )


@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation", "hue"])
def test_values_beyond_0_and_255_stay_beyond(kind: str) -> None:
    named = Composition(tuple(Band(name) for name in ("red", "green", "blue")))
    image, mask = texture().astype(np.float32), np.zeros((SIDE, SIDE), np.uint8)
    by = augmenter({kind: ALL[kind]}, composition=named)
    inside = by.transform(tf.constant(image), mask, 0, 0)[0].numpy()
    image[0, 0], image[9, 9] = 600.0, -80.0
    moved = by.transform(tf.constant(image), mask, 0, 0)[0].numpy()
    assert (moved[0, 0] > 500.0).all()
    assert (moved[9, 9] < inside.min()).all()
    if kind != "contrast":  # which depends on the mean
        np.testing.assert_array_equal(moved[10:], inside[10:])


def test_neither_keras_policy_nor_the_global_random_state_matter() -> None:
    image, mask = texture(), blobs(1, [0, 1])
    expected = changed(augmenter(ALL), image, mask)
    policy, state = keras.config.dtype_policy(), random.getstate()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        augmented = changed(augmenter(ALL), image, mask)
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_array_equal(augmented[0], expected[0])
    np.testing.assert_array_equal(augmented[1], expected[1])
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


def test_a_lens_distorts_without_changing_what_elastic_draws() -> None:
    image, mask = texture(), blobs(1, [0, 1, IGNORE])
    by = augmenter({"lens": (0.2, 0.2)})
    for moved, expected in zip(
        by.warp(image, mask, 0, 0), through_lens(image, mask, 0.2), strict=True
    ):
        np.testing.assert_array_equal(moved, expected)
    elastic = augmenter({"elastic": (0.05, 0.1)}).warp(image, mask, 2, 3)
    both = augmenter({"elastic": (0.05, 0.1), "lens": (0.2, 0.2)}).warp(image, mask, 2, 3)
    for moved, expected in zip(both, through_lens(*elastic, 0.2), strict=True):
        np.testing.assert_array_equal(moved, expected)


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
    "sharpen": 0xE4A13B02,
}


@pytest.mark.parametrize("kind", DRAWN)
def test_each_kind_draws_the_numbers_it_always_drew(kind: str) -> None:
    by, bits = augmenter({kind: ALL[kind]}, probability=0.5, seed=11), 0
    image = texture(rows=16, cols=16)
    for position in range(32):
        moved, _ = changed(by, image, position=position, epoch=2)
        bits = 2 * bits + int((moved != image).any())
    assert bits == DRAWN[kind]
