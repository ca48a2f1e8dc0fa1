"""Augmented copies: image and mask move alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE
from landslide_cli.imagery.warp import copies, distort, sharpened, through_lens

Image = NDArray[np.uint8]


def tile(seed: int = 0, rows: int = 64, cols: int = 64) -> tuple[Image, Image]:
    """Blobs whose class can be told from their brightness: 0 or 200."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 2, (-(-rows // 8), -(-cols // 8)), np.uint8)
    mask = np.kron(coarse, np.ones((8, 8), np.uint8))[:rows, :cols]
    return np.repeat((mask * 200)[..., None], 3, axis=-1).astype(np.uint8), mask


def coordinates(side: int) -> tuple[Image, Image]:
    """A tile whose pixels say where they were: column, row."""
    y, x = np.indices((side, side)).astype(np.uint8)
    return np.dstack([x, y]), np.zeros((side, side), np.uint8)


def test_no_augmentation_asked_for_gives_no_copy() -> None:
    assert list(copies(*tile(), seed=[1])) == []


def test_copies_come_with_names_in_the_order_of_the_options() -> None:
    made = copies(
        *tile(),
        [1],
        hflip=True,
        vflip=True,
        rotate90=True,
        distortions=(0.01, 0.1),
        lens=(0.2, -0.1),
        sharpen=(1.0,),
    )
    assert [name for name, _, _ in made] == [
        "hflip",
        "vflip",
        "rotate90",
        "rotate180",
        "rotate270",
        "distort1_0.01",
        "distort2_0.1",
        "barrel1_0.2",
        "pincushion2_0.1",
        "sharpen1_1",
    ]


@given(st.integers(0, 1000))
def test_flips_and_turns_move_image_and_mask_alike(seed: int) -> None:
    image, mask = tile(seed, 32, 24)
    for name, moved, moved_mask in copies(image, mask, [1], hflip=True, vflip=True, rotate90=True):
        np.testing.assert_array_equal(moved[..., 0] > 100, moved_mask == 1, err_msg=name)
        assert moved_mask.sum() == mask.sum()


def test_flips_and_turns_go_where_their_names_say() -> None:
    image = np.array([[1, 2], [3, 4]], np.uint8)[..., None]
    made = copies(image, image[..., 0], [1], hflip=True, vflip=True, rotate90=True)
    assert {name: moved[..., 0].tolist() for name, moved, _ in made} == {
        "hflip": [[2, 1], [4, 3]],
        "vflip": [[3, 4], [1, 2]],
        "rotate90": [[2, 4], [1, 3]],
        "rotate180": [[4, 3], [2, 1]],
        "rotate270": [[3, 1], [4, 2]],
    }


@given(st.integers(0, 1000), st.sampled_from([0.01, 0.02, 0.1, 0.2]))
@settings(max_examples=15)
def test_a_distortion_moves_image_and_mask_alike(seed: int, amount: float) -> None:
    image, mask = tile(seed)
    warped, warped_mask = distort(image, mask, amount, np.random.default_rng(seed))
    # Where all interpolated neighbours were of one class, the mask's nearest is of it too.
    certain = (warped[..., 0] == 0) | (warped[..., 0] == 200)
    assert certain.mean() > 0.5
    np.testing.assert_array_equal(warped_mask[certain], warped[..., 0][certain] == 200)
    assert set(np.unique(warped_mask)) <= {0, 1}


@pytest.mark.parametrize("side", [64, 128])
@pytest.mark.parametrize("amount", [0.01, 0.05, 0.2])
def test_a_distortion_displaces_by_at_most_the_stated_amount_and_by_about_as_much(
    side: int, amount: float
) -> None:
    image, mask = coordinates(side)
    for seed in range(3):
        warped, _ = distort(image, mask, amount, np.random.default_rng(seed))
        for band in (0, 1):
            moved = np.abs(warped[..., band].astype(int) - image[..., band])
            assert moved.max() <= amount * side + 0.6  # rounded to whole coordinates
            assert moved.max() >= amount * side * 0.4 - 0.6


def test_a_distortion_is_smooth() -> None:
    image, mask = coordinates(128)
    warped, _ = distort(image, mask, 0.05, np.random.default_rng(1))
    moved = (warped.astype(int) - image)[16:-16, 16:-16]
    assert np.abs(np.diff(moved, axis=0)).max() <= 2
    assert np.abs(np.diff(moved, axis=1)).max() <= 2


def test_distortions_are_fixed_by_the_seed() -> None:
    def warped(seed: list[int]) -> list[Image]:
        made = copies(*tile(), seed, distortions=(0.1, 0.1))
        return [image for _, image, _ in made]

    first, again, other = warped([3, 5]), warped([3, 5]), warped([3, 6])
    np.testing.assert_array_equal(first, again)
    assert (first[0] != other[0]).any()
    assert (first[0] != first[1]).any()


def test_distortions_do_not_depend_on_the_other_augmentations() -> None:
    (alone,) = copies(*tile(), [3], distortions=(0.1,))
    *_, last = copies(*tile(), [3], hflip=True, rotate90=True, distortions=(0.1,))
    np.testing.assert_array_equal(alone[1], last[1])
    np.testing.assert_array_equal(alone[2], last[2])


@pytest.mark.parametrize("bands", [1, 2, 3, 5, 14])
def test_tiles_of_any_number_of_bands_keep_them(bands: int) -> None:
    image, mask = tile()
    many = np.repeat(image[..., :1], bands, axis=-1)
    reference, reference_mask = distort(image, mask, 0.1, np.random.default_rng(1))
    warped, warped_mask = distort(many, mask, 0.1, np.random.default_rng(1))
    assert warped.shape == many.shape
    assert warped.dtype == np.uint8
    np.testing.assert_array_equal(warped_mask, reference_mask)
    for band in range(bands):
        # OpenCV may round positions to 1/32 pixel, depending on the number of bands.
        np.testing.assert_allclose(warped[..., band], reference[..., 0], atol=200 / 32, rtol=0)


def test_a_tile_that_is_no_square_keeps_its_size() -> None:
    warped, warped_mask = distort(*tile(1, 32, 64), 0.1, np.random.default_rng(1))
    assert warped.shape == (32, 64, 3)
    assert warped_mask.shape == (32, 64)


def test_pixels_without_a_label_stay_without_one() -> None:
    image, mask = tile()
    mask[:, 40:] = IGNORE
    made = copies(image, mask, [1], hflip=True, vflip=True, rotate90=True, distortions=(0.1,))
    for name, _, moved in made:
        assert set(np.unique(moved)) == {0, 1, IGNORE}, name
        share = (moved == IGNORE).mean()
        assert share == pytest.approx(24 / 64, abs=0.11 if "distort" in name else 0.0)


def test_the_tile_itself_is_left_as_it_was() -> None:
    image, mask = tile()
    before = image.copy(), mask.copy()
    list(copies(image, mask, [1], hflip=True, vflip=True, rotate90=True, distortions=(0.1,)))
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


@pytest.mark.parametrize("coefficient", [-0.3, -0.1, 0.1, 0.3])
def test_lens_takes_pixels_from_where_the_formula_says(coefficient: float) -> None:
    side = 101
    moved, _ = through_lens(*coordinates(side), coefficient)
    y, x = np.indices((side, side)) - 50.0
    scale = (1 + coefficient * (x**2 + y**2) / 5000) / (1 + max(0.0, coefficient))
    np.testing.assert_allclose(moved[..., 0], 50 + x * scale, atol=0.6)
    np.testing.assert_allclose(moved[..., 1], 50 + y * scale, atol=0.6)


def test_a_barrel_bulges_and_keeps_the_corners_and_a_pincushion_does_the_opposite() -> None:
    # A line near the upper edge, of which the middle is farther from the centre than in the image
    # for a barrel, as it is enlarged there, and nearer for a pincushion.
    mask = np.zeros((101, 101), np.uint8)
    mask[10:14] = 1
    image = np.repeat(mask[..., None] * 200, 3, axis=-1).astype(np.uint8)
    rows = {}
    for coefficient in (0.3, -0.3):
        _, moved = through_lens(image, mask, coefficient)
        rows[coefficient] = [np.flatnonzero(moved[:, col]).mean() for col in (20, 50, 80)]
    assert rows[0.3][1] < rows[0.3][0] == pytest.approx(rows[0.3][2])
    assert rows[-0.3][1] > rows[-0.3][0] == pytest.approx(rows[-0.3][2])
    corners, _ = through_lens(*coordinates(101), 0.3)
    assert corners[0, 0].tolist() == [0, 0]
    assert corners[-1, -1].tolist() == [100, 100]


@pytest.mark.parametrize("coefficient", [-0.2, 0.2])
def test_lens_moves_image_and_mask_alike(coefficient: float) -> None:
    image, mask = tile(3, 64, 48)
    moved, moved_mask = through_lens(image, mask, coefficient)
    assert ((moved[..., 0] > 100) == (moved_mask == 1)).mean() > 0.98
    assert set(np.unique(moved_mask)) <= {0, 1}


def test_sharpening_doubles_fine_contrast_and_leaves_even_ground() -> None:
    image = np.full((32, 32, 2), 100, np.uint8)
    np.testing.assert_array_equal(sharpened(image, 2.0), image)
    image[:, 16:] = 150
    row = sharpened(image, 1.0)[16, :, 0].astype(int)
    assert row[15] < 100
    assert row[16] > 150
    assert row[:10].tolist() == [100] * 10
    assert row[22:].tolist() == [150] * 10
    image[:, 16:] = 255
    assert sharpened(image, 3.0).max() == 255
