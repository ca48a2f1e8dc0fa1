"""Pictures for people: overlays, comparisons and sheets."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.core.composition import Band, Composition
from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.imagery.pictures import (
    FALSE_ALARM,
    HATCHING,
    HIT,
    MISS,
    OPACITY,
    OUTLINE,
    Reduced,
    as_rgb,
    comparison,
    fitted,
    hatched,
    outlined,
    overlay,
    reduced,
    sheet,
    shown,
    spread,
    strip,
)

GRAY = 100


def ground(rows: int = 40, cols: int = 60, bands: int = 3) -> NDArray[np.uint8]:
    return np.full((rows, cols, bands), GRAY, np.uint8)


def block(rows: slice, cols: slice, value: int = 1) -> NDArray[np.uint8]:
    mask = np.zeros((40, 60), np.uint8)
    mask[rows, cols] = value
    return mask


def mixed(colour: tuple[int, int, int]) -> list[int]:
    return [round(GRAY * (1 - OPACITY) + channel * OPACITY) for channel in colour]


@pytest.mark.parametrize(("bands", "shown"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (3, [0, 1, 2])])
def test_images_of_any_bands_are_shown_in_three(bands: int, shown: list[int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, bands), np.uint8)
    np.testing.assert_array_equal(as_rgb(image), image[..., shown])
    many = np.dstack([image] * 5)
    np.testing.assert_array_equal(as_rgb(many), many[..., :3])


def test_an_overlay_tints_the_foreground_with_a_full_outline(palette: Palette) -> None:
    picture = overlay(ground(), block(np.s_[10:30], np.s_[20:50]), palette)
    assert picture.shape == (40, 60, 3)
    assert picture.dtype == np.uint8
    assert picture[20, 35].tolist() == mixed((255, 0, 255))
    for row, col in ((10, 20), (29, 49), (10, 35), (20, 49)):
        assert picture[row, col].tolist() == [255, 0, 255]
    outside = block(np.s_[10:30], np.s_[20:50]) == 0
    assert (picture[outside] == GRAY).all()


def test_an_overlay_shows_each_class_in_its_colour_and_nothing_without_a_label() -> None:
    palette = Palette(("ground", "slide", "water"), ((0, 0, 0), (255, 0, 0), (0, 0, 255)))
    mask = block(np.s_[0:20], np.s_[0:30])
    mask[20:] = 2
    mask[:, 40:] = IGNORE
    picture = overlay(ground(), mask, palette)
    assert picture[5, 5].tolist() == mixed((255, 0, 0))
    assert picture[30, 5].tolist() == mixed((0, 0, 255))
    assert (picture[:, 40:] == GRAY).all()
    assert (picture[:20, 30:40] == GRAY).all()


def test_an_overlay_of_one_or_many_bands_is_rgb(palette: Palette) -> None:
    mask = block(np.s_[10:30], np.s_[20:50])
    for bands in (1, 3, 14):
        assert overlay(ground(bands=bands), mask, palette).shape == (40, 60, 3)


def test_hits_misses_and_false_alarms_have_their_own_colours() -> None:
    truth = block(np.s_[5:35], np.s_[0:40])
    prediction = block(np.s_[5:35], np.s_[20:60])
    picture = comparison(ground(), truth, prediction)
    assert picture[20, 10].tolist() == mixed(MISS)
    assert picture[20, 30].tolist() == mixed(HIT)
    assert picture[20, 50].tolist() == mixed(FALSE_ALARM)
    assert picture[5, 10].tolist() == list(MISS)
    assert picture[5, 30].tolist() == list(HIT)
    assert picture[5, 50].tolist() == list(FALSE_ALARM)
    assert (picture[:5] == GRAY).all()
    assert len({HIT, MISS, FALSE_ALARM}) == 3


def test_pixels_without_a_label_are_no_errors() -> None:
    truth = np.full((40, 60), IGNORE, np.uint8)
    picture = comparison(ground(), truth, block(np.s_[5:35], np.s_[0:40]))
    assert (picture == GRAY).all()


def test_another_foreground_class_is_a_miss() -> None:
    picture = comparison(
        ground(), block(np.s_[5:35], np.s_[0:40], 1), block(np.s_[5:35], np.s_[0:40], 2)
    )
    assert picture[20, 20].tolist() == mixed(MISS)


def test_two_equal_masks_show_hits_only() -> None:
    mask = block(np.s_[5:35], np.s_[0:40], 2)
    picture = comparison(ground(), mask, mask)
    colours = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
    assert colours == {(GRAY,) * 3, HIT, tuple(mixed(HIT))}


def test_pictures_leave_the_image_as_it_was(palette: Palette) -> None:
    image = ground()
    overlay(image, np.ones((40, 60), np.uint8), palette)
    comparison(image, np.ones((40, 60), np.uint8), np.zeros((40, 60), np.uint8))
    assert (image == GRAY).all()


@pytest.mark.parametrize(
    ("rows", "cols", "expected"),
    [
        (100, 50, (32, 16)),
        (50, 100, (16, 32)),
        (8, 8, (32, 32)),
        (1, 100, (1, 32)),
        (1, 1, (32, 32)),
    ],
)
def test_a_picture_is_fitted_into_its_cell(rows: int, cols: int, expected: tuple[int, int]) -> None:
    picture = fitted(ground(rows, cols), 32)
    assert picture.shape == (*expected, 3)
    assert (picture == GRAY).all()


def contains(page: NDArray[np.uint8], colour: tuple[int, int, int]) -> int:
    return int((page == np.array(colour, np.uint8)).all(axis=-1).sum())


def test_a_sheet_holds_every_picture_whole() -> None:
    reds = [np.full((32, 32, 3), (200 + i, 0, 0), np.uint8) for i in range(4)]
    page = sheet(["image", "mask"], [("one", reds[:2]), ("two", reds[2:])], 32)
    assert page.dtype == np.uint8
    for i in range(4):
        assert contains(page, (200 + i, 0, 0)) == 32 * 32


def test_a_sheets_rows_and_columns_are_in_order() -> None:
    pictures = [np.full((16, 32, 3), (200 + i, 0, 0), np.uint8) for i in range(4)]
    page = sheet(["image", "mask"], [("one", pictures[:2]), ("two", pictures[2:])], 32)
    (a, b, c, d) = (
        np.argwhere((page == (200 + i, 0, 0)).all(axis=-1)).min(axis=0).tolist() for i in range(4)
    )
    assert a[0] == b[0] < c[0] == d[0]
    assert a[1] == c[1] < b[1] == d[1]


def test_a_sheet_has_captions_and_a_legend() -> None:
    pictures = [("", [ground(32, 32)])]
    plain = sheet([""], pictures, 32)
    captioned = sheet(["image"], [("scene 1", [ground(32, 32)])], 32)
    explained = sheet([""], pictures, 32, [("a", (9, 200, 9)), ("b", (9, 9, 200))])
    assert captioned.shape == plain.shape
    assert (captioned < 128).sum() > (plain < 128).sum()
    assert explained.shape[0] > plain.shape[0]
    assert contains(explained, (9, 200, 9)) > 50
    assert contains(plain, (9, 200, 9)) == 0


def test_a_wide_enough_sheet_shows_the_whole_legend() -> None:
    legend = [("hit", HIT), ("miss", MISS), ("false alarm", FALSE_ALARM)]
    page = sheet(["a", "b"], [("", [ground(32, 32)] * 2)], 128, legend)
    counts = [contains(page, colour) for _, colour in legend]
    assert min(counts) == max(counts) > 50


def test_a_film_strip_is_one_row() -> None:
    page = strip("scene", [ground(32, 32)] * 3, ["epoch 1", "epoch 2", "epoch 3"], 128)
    assert contains(page, (GRAY,) * 3) >= 3 * 128 * 128
    assert page.shape[1] > 3 * 128
    assert page.shape[0] < 2 * 128


def box(left: float, top: float, right: float, bottom: float) -> NDArray[np.float64]:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def on_outline(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the outline is; its edges are smoothed, so that even its middle is not quite full."""
    return np.asarray((np.abs(picture.astype(int) - OUTLINE) < 25).all(axis=-1))


def test_an_outline_is_closed_and_leaves_what_it_surrounds() -> None:
    picture = outlined(ground(), box(10, 5, 49, 34))
    assert picture.shape == (40, 60, 3)
    assert picture.dtype == np.uint8
    drawn = on_outline(picture)
    for side in (drawn[5, 11:49], drawn[34, 11:49], drawn[6:34, 10], drawn[6:34, 49]):
        assert side.all()
    assert (picture[8:32, 13:47] == GRAY).all()
    around = block(np.s_[2:38], np.s_[7:53]) == 0
    assert (picture[around] == GRAY).all()


def test_the_corners_of_an_outline_are_x_and_y() -> None:
    corners = np.array([(30.0, 5.0), (55.0, 20.0), (30.0, 35.0)])
    rows, cols = np.nonzero(on_outline(outlined(ground(), corners)))
    assert (rows.min(), rows.max()) == pytest.approx((5, 35), abs=1)
    assert (cols.min(), cols.max()) == pytest.approx((30, 55), abs=1)


@pytest.mark.parametrize("far", [70.0, 1e4, 1e6, 1e9])
def test_an_outline_may_reach_beyond_the_picture(far: float) -> None:
    picture = outlined(ground(), box(10, 5, far, far))
    drawn = on_outline(picture)
    assert drawn[5, 11:].all()
    assert drawn[6:, 10].all()
    assert (picture[8:, 13:] == GRAY).all()


@pytest.mark.parametrize(
    "corners", [box(100, 100, 150, 150), box(-90, 5, -20, 30), box(-500, -500, 500, 500)]
)
def test_an_outline_outside_the_picture_leaves_it_as_it_is(corners: NDArray[np.float64]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    np.testing.assert_array_equal(outlined(image, corners), image)


@pytest.mark.parametrize("bands", [1, 3, 14])
def test_an_outline_is_coloured_on_images_of_any_bands(bands: int) -> None:
    image = ground(bands=bands)
    assert on_outline(outlined(image, box(10, 5, 49, 34))).sum() > 100
    assert (image == GRAY).all()


def test_an_outline_is_thicker_on_a_larger_picture() -> None:
    thickness = []
    for side in (100, 400, 1600):
        picture = outlined(ground(side, side), box(side / 2, -side, 3 * side, 3 * side))
        thickness.append(int((picture[side // 2] != GRAY).any(axis=-1).sum()))
    assert thickness[0] < thickness[1] < thickness[2]


def pieces(rows: int, cols: int, seed: int) -> list[tuple[slice, slice]]:
    """Divide so many rows and columns into pieces of all sizes."""
    rng = np.random.default_rng(seed)
    tops = [0, *sorted(rng.choice(np.arange(1, rows), min(4, rows - 1), replace=False)), rows]
    lefts = [0, *sorted(rng.choice(np.arange(1, cols), min(3, cols - 1), replace=False)), cols]
    return [
        np.s_[int(top) : int(bottom), int(left) : int(right)]
        for top, bottom in pairwise(tops)
        for left, right in pairwise(lefts)
    ]


@pytest.mark.parametrize("shape", [(40, 61), (61, 40), (1, 1), (3, 200), (200, 2)])
@pytest.mark.parametrize("longest", [7, 20, 1000])
@pytest.mark.parametrize("bands", [None, 3])
def test_a_picture_of_pieces_is_every_so_many_pixels_of_the_whole(
    shape: tuple[int, int], longest: int, bands: int | None
) -> None:
    size = shape if bands is None else (*shape, bands)
    scene = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    picture = Reduced(*shape, longest)
    for rows, cols in pieces(*shape, seed=longest):
        picture.put(rows.start, cols.start, scene[rows, cols])
    step = picture.step
    np.testing.assert_array_equal(picture.values, scene[::step, ::step])
    assert max(picture.values.shape[:2]) <= longest
    assert step == 1 or max(shape) > longest


def test_a_picture_may_be_put_together_of_pieces_that_are_reduced_elsewhere() -> None:
    scene = np.random.default_rng(1).integers(0, 256, (50, 70, 3), np.uint8)
    picture = Reduced(50, 70, 24)
    for rows, cols in pieces(50, 70, seed=3):
        picture.place(*reduced(rows.start, cols.start, scene[rows, cols], picture.step))
    np.testing.assert_array_equal(picture.values, scene[::3, ::3])


def test_a_picture_of_nothing_is_black() -> None:
    assert Reduced(50, 70, 24).values.shape == (17, 24)
    assert not Reduced(50, 70, 24).values.any()
    picture = Reduced(50, 70, 24)
    picture.put(0, 0, np.full((10, 70, 3), 9, np.uint8))
    assert (picture.values[:4] == 9).all()
    assert not picture.values[4:].any()


def test_hatched_part_is_dark_gray_with_stripes_and_the_rest_as_it_was() -> None:
    image = ground()
    image[..., 0] += 30
    where = block(np.s_[10:30], np.s_[20:50]).astype(bool)
    picture = hatched(image, where)
    np.testing.assert_array_equal(picture[~where], image[~where])
    stripes = (picture == HATCHING).all(axis=-1)
    assert 0.2 < stripes[where].mean() < 0.3
    assert (picture[where & ~stripes] == (GRAY + 10) // 2).all()


def test_spread_takes_the_first_the_last_and_even_steps_between() -> None:
    assert spread(range(101), 5) == [0, 25, 50, 75, 100]
    assert spread("abc", 3) == spread("abc", 9) == ["a", "b", "c"]
    assert spread("abc", 1) == ["a"]


def test_bands_called_red_green_and_blue_are_shown_of_8_bits_too() -> None:
    image = np.dstack([np.full((4, 5), level, np.uint8) for level in (10, 20, 30, 40)])
    named = Composition(tuple(Band(name) for name in ("nir", "blue", "green", "red")))
    np.testing.assert_array_equal(shown(image, named)[0, 0], [40, 30, 20])
    np.testing.assert_array_equal(shown(image, None), image)
