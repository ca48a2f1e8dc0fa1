"""What a mask file says, however it says it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import probe, write_mask
from landslide_cli.imagery.raster.masks import form_of, read_mask, read_mask_window

WriteRaster = Callable[..., Path]

THREE = Palette(("ground", "slide", "water"), ((0, 0, 0), (255, 0, 255), (0, 0, 255)))
GRAYS = Palette(("ground", "slide"), ((0, 0, 0), (100, 100, 100)))


def classes(count: int, rows: int = 20, cols: int = 30) -> NDArray[np.uint8]:
    mask = np.random.default_rng(count).integers(0, count, (rows, cols), np.uint8)
    mask[0, :count] = range(count)
    return mask


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_class_colours_are_recognised(write_raster: WriteRaster, suffix: str) -> None:
    mask = classes(3)
    reading = read_mask(write_raster(f"mask{suffix}", THREE.colourise(mask)), THREE)
    assert (reading.encoding, reading.changed) == ("colours", 0)
    assert reading.mask.dtype == np.uint8
    np.testing.assert_array_equal(reading.mask, mask)


@pytest.mark.parametrize("is_coloured", [False, True])
def test_a_background_that_is_ignored_has_no_label(
    write_raster: WriteRaster, is_coloured: bool
) -> None:
    mask, palette = classes(3), replace(THREE, ignores_background=True)
    path = write_raster("mask.png", THREE.colourise(mask) if is_coloured else mask)
    expected = np.where(mask == 0, np.uint8(IGNORE), mask)
    np.testing.assert_array_equal(read_mask(path, palette).mask, expected)
    form, window = form_of(path, palette), Window(4, 2, 9, 7)
    part = read_mask_window(path, window, form, probe(path))
    np.testing.assert_array_equal(part, expected[2:9, 4:13])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_class_indices_are_recognised(write_raster: WriteRaster, dtype: type) -> None:
    mask = classes(3)
    reading = read_mask(write_raster("mask.tif", mask.astype(dtype)), THREE)
    assert (reading.encoding, reading.changed) == ("indices", 0)
    np.testing.assert_array_equal(reading.mask, mask)


def test_0_and_255_are_background_and_foreground(
    write_raster: WriteRaster, palette: Palette
) -> None:
    mask = classes(2)
    reading = read_mask(write_raster("mask.png", mask * np.uint8(255)), palette)
    assert (reading.encoding, reading.changed) == ("binary", 0)
    np.testing.assert_array_equal(reading.mask, mask)


def test_an_all_foreground_binary_mask_is_recognised(
    write_raster: WriteRaster, palette: Palette
) -> None:
    reading = read_mask(write_raster("mask.png", np.full((4, 5), 255, np.uint8)), palette)
    assert reading.encoding == "binary"
    assert (reading.mask == 1).all()


def test_an_all_black_mask_is_all_background(write_raster: WriteRaster, palette: Palette) -> None:
    for bands in (1, 3):
        reading = read_mask(write_raster("mask.png", np.zeros((4, 5, bands), np.uint8)), palette)
        assert not reading.mask.any()


def test_0_and_255_among_three_classes_are_refused(write_raster: WriteRaster) -> None:
    path = write_raster("mask.png", classes(2) * np.uint8(255))
    with pytest.raises(DataError, match=r"\(255, 255, 255\) on \d+ pixels"):
        read_mask(path, THREE)


def test_grays_that_are_class_colours_are_recognised(write_raster: WriteRaster) -> None:
    mask = classes(2)
    reading = read_mask(write_raster("mask.png", mask * np.uint8(100)), GRAYS)
    assert reading.encoding == "colours"
    np.testing.assert_array_equal(reading.mask, mask)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_palette_of_class_colours_is_recognised(write_raster: WriteRaster, suffix: str) -> None:
    mask = classes(3)
    # The file's palette has the classes in another order.
    colormap = {2 - i: (*colour, 255) for i, colour in enumerate(THREE.colours)}
    path = write_raster(f"mask{suffix}", (2 - mask).astype(np.uint8), colormap)
    reading = read_mask(path, THREE)
    assert reading.encoding == "colours"
    np.testing.assert_array_equal(reading.mask, mask)


def test_a_palette_of_other_colours_holds_class_indices(write_raster: WriteRaster) -> None:
    mask = classes(3)
    colormap = {i: (10 * i + 5, 7, 9, 255) for i in range(3)}
    reading = read_mask(write_raster("mask.png", mask, colormap), THREE)
    assert reading.encoding == "indices"
    np.testing.assert_array_equal(reading.mask, mask)


def test_transparent_pixels_have_no_label_whatever_their_colour(
    write_raster: WriteRaster, palette: Palette
) -> None:
    mask = classes(2)
    rgba = np.dstack([palette.colourise(mask), np.full(mask.shape, 255, np.uint8)])
    rgba[:2, :5] = (12, 34, 56, 0)
    reading = read_mask(write_raster("mask.png", rgba), palette)
    expected = mask.copy()
    expected[:2, :5] = IGNORE
    np.testing.assert_array_equal(reading.mask, expected)
    assert reading.changed == 0


@pytest.mark.parametrize("factor", [1, 255])
def test_transparent_pixels_of_a_gray_mask_have_no_label(
    write_raster: WriteRaster, palette: Palette, factor: int
) -> None:
    mask = classes(2)
    gray_alpha = np.dstack([mask * np.uint8(factor), np.full(mask.shape, 255, np.uint8)])
    gray_alpha[3] = (77, 0)
    reading = read_mask(write_raster("mask.png", gray_alpha), palette)
    expected = mask.copy()
    expected[3] = IGNORE
    np.testing.assert_array_equal(reading.mask, expected)


def test_a_transparent_palette_entry_has_no_label(
    write_raster: WriteRaster, palette: Palette
) -> None:
    indices = classes(3)
    colormap = {0: (0, 0, 0, 255), 1: (255, 0, 255, 255), 2: (9, 9, 9, 0)}
    reading = read_mask(write_raster("mask.png", indices, colormap), palette)
    np.testing.assert_array_equal(reading.mask, np.where(indices == 2, IGNORE, indices))


def test_a_wholly_transparent_mask_has_no_label_at_all(
    write_raster: WriteRaster, palette: Palette
) -> None:
    reading = read_mask(write_raster("mask.png", np.zeros((4, 5, 4), np.uint8)), palette)
    assert (reading.mask == IGNORE).all()


def test_an_unknown_colour_is_named_with_its_count_and_file(
    write_raster: WriteRaster, palette: Palette
) -> None:
    rgb = palette.colourise(classes(2))
    rgb[5, :7] = (0, 255, 0)
    rgb[6, :2] = (1, 2, 3)
    path = write_raster("mask.png", rgb)
    with pytest.raises(DataError) as caught:
        read_mask(path, palette)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "(0, 255, 0) on 7 pixels, (1, 2, 3) on 2 pixels" in message
    assert "prepare.nearest_colour" in message
    assert len(message.splitlines()) <= 2


def test_many_unknown_colours_are_not_all_listed(
    write_raster: WriteRaster, palette: Palette
) -> None:
    rgb = np.random.default_rng(0).integers(1, 255, (60, 60, 3), np.uint8)
    with pytest.raises(DataError, match=r"and \d+ more") as caught:
        read_mask(write_raster("mask.png", rgb), palette)
    assert len(str(caught.value)) < 500


def test_an_index_beyond_the_classes_is_refused(
    write_raster: WriteRaster, palette: Palette
) -> None:
    mask = classes(2)
    mask[2, :3] = 2
    with pytest.raises(
        DataError, match=r"class indices that `classes` does not have: 2 on 3 pixels"
    ):
        read_mask(write_raster("mask.png", mask), palette)


def test_the_nearest_class_is_given_when_asked_for(
    write_raster: WriteRaster, palette: Palette
) -> None:
    mask = classes(2)
    rgb = palette.colourise(mask)
    rgb[0, 0], rgb[0, 1], rgb[0, 2] = (20, 30, 10), (240, 10, 250), (126, 0, 126)
    reading = read_mask(write_raster("mask.png", rgb), palette, nearest=True)
    expected = mask.copy()
    expected[0, :3] = 0, 1, 0
    assert reading.changed == 3
    np.testing.assert_array_equal(reading.mask, expected)


def test_a_jpeg_mask_needs_the_nearest_class(write_raster: WriteRaster, palette: Palette) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[13:45, 11:50] = 1
    path = write_raster("mask.jpg", palette.colourise(mask), quality=60)
    with pytest.raises(DataError, match="nearest_colour"):
        read_mask(path, palette)
    reading = read_mask(path, palette, nearest=True)
    assert reading.changed > 0
    np.testing.assert_array_equal(reading.mask, mask)


def test_a_gray_jpeg_mask_takes_the_nearer_of_black_and_white(
    write_raster: WriteRaster, palette: Palette
) -> None:
    gray = np.array([[0, 3, 127, 128, 250, 255]], np.uint8)
    path = write_raster("mask.png", gray)
    with pytest.raises(DataError, match="colours that are no class"):
        read_mask(path, palette)
    reading = read_mask(path, palette, nearest=True)
    assert reading.encoding == "binary"
    assert reading.mask.tolist() == [[0, 0, 0, 1, 1, 1]]
    assert reading.changed == 4


@pytest.mark.parametrize(
    ("palette", "bands"), [(THREE, 3), (GRAYS, 3), (GRAYS, 1)], ids=["rgb", "gray rgb", "gray"]
)
def test_the_nearest_class_changes_nothing_where_every_colour_is_one(
    write_raster: WriteRaster, palette: Palette, bands: int
) -> None:
    mask = classes(2)
    values = palette.colourise(mask)[..., :bands]
    reading = read_mask(write_raster("mask.png", values), palette, nearest=True)
    assert reading.changed == 0
    np.testing.assert_array_equal(reading.mask, mask)


def test_transparent_pixels_are_not_given_the_nearest_class(
    write_raster: WriteRaster, palette: Palette
) -> None:
    rgba = np.full((4, 5, 4), (240, 0, 240, 255), np.uint8)
    rgba[0, :, 3] = 0
    reading = read_mask(write_raster("mask.png", rgba), palette, nearest=True)
    assert (reading.mask[0] == IGNORE).all()
    assert (reading.mask[1:] == 1).all()
    assert reading.changed == 15


@pytest.mark.parametrize(
    "values",
    [
        np.full((3, 3), 300, np.uint16),
        np.full((3, 3), 0.5, np.float32),
        np.zeros((3, 3, 5), np.uint8),
    ],
    ids=["above 255", "fraction", "five bands"],
)
def test_what_cannot_be_a_mask_is_called_so(
    write_raster: WriteRaster, palette: Palette, values: NDArray[np.generic]
) -> None:
    path = write_raster("mask.tif", values, photometric="minisblack")
    with pytest.raises(DataError, match="is no mask") as caught:
        read_mask(path, palette)
    assert str(path) in str(caught.value)


HOLE = np.zeros((20, 30), np.bool_)
HOLE[4:9, 10:20] = True


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [(np.uint8, 15), (np.uint8, 255), (np.int16, -9999), (np.float32, -1e30), (np.float32, np.nan)],
)
def test_a_masks_value_of_no_data_is_no_label(
    write_raster: WriteRaster, palette: Palette, dtype: type, nodata: float
) -> None:
    mask = classes(2)
    values = np.where(HOLE, np.array(nodata, dtype), mask.astype(dtype))
    reading = read_mask(write_raster("mask.tif", values, nodata=nodata), palette)
    np.testing.assert_array_equal(reading.mask, np.where(HOLE, IGNORE, mask))


def test_no_data_of_a_colour_mask_is_no_label(write_raster: WriteRaster, palette: Palette) -> None:
    mask = classes(2)
    values = np.where(HOLE[..., None], np.uint8(9), palette.colourise(mask))
    reading = read_mask(write_raster("mask.tif", values, nodata=9), palette)
    np.testing.assert_array_equal(reading.mask, np.where(HOLE, IGNORE, mask))


def test_255_for_no_data_is_no_foreground(write_raster: WriteRaster, palette: Palette) -> None:
    values = HOLE * np.uint8(255)
    reading = read_mask(write_raster("mask.tif", values, nodata=255), palette)
    np.testing.assert_array_equal(reading.mask, values)


@pytest.mark.parametrize("internal", [True, False], ids=["internal", "beside"])
@pytest.mark.parametrize("factor", [1, 255])
def test_what_a_masks_own_mask_hides_is_no_label(
    write_raster: WriteRaster, palette: Palette, internal: bool, factor: int
) -> None:
    mask = classes(2)
    path = write_raster("mask.tif", mask * np.uint8(factor))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(~HOLE)
    np.testing.assert_array_equal(read_mask(path, palette).mask, np.where(HOLE, IGNORE, mask))


@pytest.mark.parametrize("bands", [1, 3])
def test_no_data_of_the_value_of_a_class_is_refused(
    write_raster: WriteRaster, palette: Palette, tmp_path: Path, bands: int
) -> None:
    values = palette.colourise(classes(2)) if bands == 3 else classes(2)
    with pytest.raises(DataError, match="the class background as no data") as caught:
        read_mask(write_raster("mask.tif", values, nodata=0), palette)
    assert "set source.mask_nodata: background" in str(caught.value)
    assert f"gdal_edit.py -unsetnodata {tmp_path}/mask.tif" in str(caught.value)


@pytest.mark.parametrize("factor", [1, 255])
@pytest.mark.parametrize("nodata", [0, 7, -9999])
def test_no_data_may_be_background(
    write_raster: WriteRaster, palette: Palette, factor: int, nodata: int
) -> None:
    expected = classes(2)
    values = (expected * factor).astype(np.int16 if nodata < 0 else np.uint8)
    values[expected == 0] = nodata
    path = write_raster("mask.tif", values, nodata=nodata)
    read = read_mask(path, palette, nodata_is_background=True).mask
    np.testing.assert_array_equal(read, expected)


def test_no_data_of_a_value_of_another_class_is_refused_without_the_setting_that_would_not_help(
    write_raster: WriteRaster,
) -> None:
    with pytest.raises(DataError) as caught:
        read_mask(write_raster("mask.tif", classes(3), nodata=1), THREE)
    assert "mask_nodata" not in str(caught.value)


def test_transparent_pixels_have_no_label_although_no_data_is_background(
    write_raster: WriteRaster, palette: Palette
) -> None:
    mask = classes(2)
    alpha = np.where(HOLE, 0, 255).astype(np.uint8)
    bands = np.dstack([palette.colourise(mask), alpha])
    path = write_raster("mask.tif", bands, nodata=0, photometric="rgb", alpha="yes")
    read = read_mask(path, palette, nodata_is_background=True).mask
    np.testing.assert_array_equal(read, np.where(HOLE, IGNORE, mask))


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_written_mask_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, seed: int, ignoring: bool
) -> None:
    path = tmp_path_factory.mktemp("mask") / "mask.png"
    rng = np.random.default_rng(seed)
    values = [0, 1, 2, IGNORE] if ignoring else [0, 1, 2]
    mask = rng.choice(np.array(values, np.uint8), rng.integers(1, 12, 2))
    write_mask(path, mask, THREE)
    np.testing.assert_array_equal(read_mask(path, THREE).mask, mask)
