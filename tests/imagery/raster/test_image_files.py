"""Images as they are written, and reduced for the eye."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import (
    image_suffix,
    probe,
    read_image,
    write_image,
    write_mask,
)
from landslide_cli.imagery.raster.mask_values import read_mask_values
from landslide_cli.imagery.raster.previews import read_preview
from tests.imagery.raster.images import COLORMAP, WRITERS, CutShort, WriteRaster, noise


@pytest.mark.parametrize(
    ("suffix", "bands"),
    [(".png", 1), (".png", 3), (".tif", 1), (".tif", 2), (".tif", 4), (".tif", 14)],
)
def test_a_written_image_is_read_as_it_was(tmp_path: Path, suffix: str, bands: int) -> None:
    path, image = tmp_path / f"tile{suffix}", noise(bands)
    write_image(path, image)
    np.testing.assert_array_equal(read_image(path, bands), image)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 14])
def test_the_suffix_for_a_tile_can_hold_its_bands(tmp_path: Path, bands: int) -> None:
    path, image = tmp_path / f"tile{image_suffix(bands)}", noise(bands)
    write_image(path, image)
    np.testing.assert_array_equal(read_image(path, bands), image)


def test_a_written_png_has_red_first(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    write_image(path, np.full((4, 4, 3), (250, 20, 10), np.uint8))
    with rasterio.open(path) as dataset:
        assert dataset.read()[:, 0, 0].tolist() == [250, 20, 10]


def test_a_picture_with_alpha_is_written_with_it(tmp_path: Path) -> None:
    path, image = tmp_path / "picture.png", noise(4)
    write_image(path, image)
    expected = np.where(image[..., 3:] == 0, 0, image[..., :3])
    np.testing.assert_array_equal(read_image(path, 3), expected)
    np.testing.assert_array_equal(read_mask_values(path).clear, image[..., 3] == 0)


def test_a_mask_is_written_in_the_class_colours(tmp_path: Path, palette: Palette) -> None:
    path = tmp_path / "mask.png"
    write_mask(path, np.array([[0, 1], [1, 0]], np.uint8), palette)
    values = read_mask_values(path)
    assert values.bands[:, 0].T.tolist() == [[0, 0, 0], [255, 0, 255]]
    assert not values.clear.any()
    assert probe(path).bands == 3


def test_a_masks_pixels_without_a_label_are_transparent(tmp_path: Path, palette: Palette) -> None:
    path = tmp_path / "mask.png"
    mask = np.array([[0, IGNORE], [1, 0]], np.uint8)
    write_mask(path, mask, palette)
    np.testing.assert_array_equal(read_mask_values(path).clear, mask == IGNORE)


def test_writing_where_there_is_no_folder_is_an_os_error(tmp_path: Path) -> None:
    for name in ("none/tile.png", "none/tile.tif"):
        with pytest.raises(OSError, match="No such file"):
            write_image(tmp_path / name, noise(3))


@pytest.mark.parametrize(
    ("rows", "cols", "longest", "size"),
    [
        (100, 200, 50, (25, 50)),
        (200, 100, 50, (50, 25)),
        (99, 101, 10, (10, 10)),
        (1, 1000, 10, (1, 10)),
        (1000, 1, 10, (10, 1)),
        (7, 9, 1, (1, 1)),
    ],
)
def test_a_preview_keeps_the_proportions_and_tells_the_size_of_the_raster(
    write_raster: WriteRaster, rows: int, cols: int, longest: int, size: tuple[int, int]
) -> None:
    preview = read_preview(write_raster("scene.tif", noise(3, rows=rows, cols=cols)), longest)
    assert preview.image.shape == (*size, 3)
    assert preview.image.dtype == np.uint8
    assert (preview.width, preview.height) == (cols, rows)


@pytest.mark.parametrize("longest", [64, 65, 10_000])
@pytest.mark.parametrize("bands", [1, 3])
def test_a_preview_never_enlarges(write_raster: WriteRaster, bands: int, longest: int) -> None:
    values = noise(bands)
    preview = read_preview(write_raster("scene.png", values), longest)
    np.testing.assert_array_equal(preview.image, values)
    assert (preview.width, preview.height) == (64, 48)


def test_a_preview_shows_the_bands_that_are_asked_for_where_they_are_there(
    write_raster: WriteRaster,
) -> None:
    values = noise(5)
    path = write_raster("scene.tif", values, photometric="minisblack")
    shown = read_preview(path, 100, colours=(5, 1, 3)).image
    np.testing.assert_array_equal(shown, values[..., [4, 0, 2]])
    np.testing.assert_array_equal(read_preview(path, 100, colours=(6, 1, 3)).image, values[..., :3])


def test_a_pixel_of_a_preview_is_the_mean_of_those_it_stands_for(
    write_raster: WriteRaster,
) -> None:
    values = noise(3)
    means = values.reshape(12, 4, 16, 4, 3).mean(axis=(1, 3))
    preview = read_preview(write_raster("scene.tif", values), 16)
    assert np.abs(preview.image - means).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("suffix", "bands", "options", "shown"),
    [
        (".tif", 1, {}, [0]),
        (".tif", 2, {"photometric": "minisblack", "alpha": "no"}, [0]),
        (".png", 2, {}, [0]),
        (".png", 4, {}, [0, 1, 2]),
        (".tif", 4, {"photometric": "minisblack", "alpha": "no"}, [0, 1, 2]),
        (".tif", 14, {}, [0, 1, 2]),
    ],
    ids=["gray", "two bands", "gray and alpha", "RGB and alpha", "four bands", "many bands"],
)
def test_a_preview_has_the_first_three_bands_or_one(
    write_raster: WriteRaster,
    suffix: str,
    bands: int,
    options: dict[str, str],
    shown: list[int],
) -> None:
    values = noise(bands)
    preview = read_preview(write_raster(f"scene{suffix}", values, **options), 64)
    np.testing.assert_array_equal(preview.image, values[..., shown])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("longest", [15, 60])
def test_a_preview_of_a_palette_shows_its_colours(
    write_raster: WriteRaster, suffix: str, longest: int
) -> None:
    indices = np.kron(np.random.default_rng(0).integers(0, 3, (10, 15)), np.ones((4, 4)))
    path = write_raster(f"scene{suffix}", indices.astype(np.uint8), COLORMAP)
    preview = read_preview(path, longest)
    assert preview.image.shape == (longest * 2 // 3, longest, 3)
    # No colours in between, which a mean of indices or of colours would be.
    step = 60 // longest
    expected = np.array([COLORMAP[i][:3] for i in range(3)])[indices[::step, ::step].astype(int)]
    np.testing.assert_array_equal(preview.image, expected)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.uint32, np.float32, np.float64])
def test_a_preview_stretches_values_other_than_8_bit(write_raster: WriteRaster, dtype: Any) -> None:
    # A ramp from 1000 to 2000 with one in a hundred far beyond it on either side.
    ramp = np.linspace(1000, 2000, 9800)
    values = np.concatenate([np.full(100, 0), ramp, np.full(100, 30_000)]).reshape(100, 100)
    image = read_preview(write_raster("scene.tif", values.astype(dtype)), 100).image
    assert image.shape == (100, 100, 1)
    line = image.ravel().astype(int)
    assert (np.diff(line) >= 0).all()
    assert (line[0], line[-1]) == (0, 255)
    # The 2nd and the 98th percentile lie one in a hundred within the ramp.
    expected = np.clip((ramp - 1010) / 980 * 255, 0, 255)
    assert np.abs(line[100:-100] - expected).max() <= 1.5


def test_a_preview_stretches_all_bands_alike(write_raster: WriteRaster) -> None:
    dark = np.random.default_rng(0).uniform(0.0, 0.5, (40, 60))
    path = write_raster("scene.tif", np.dstack([dark, dark + 0.2, dark + 0.5]).astype(np.float32))
    means = read_preview(path, 60).image.mean(axis=(0, 1))
    assert means[0] < means[1] - 20 < means[2] - 40


def test_8_bit_values_are_not_stretched(write_raster: WriteRaster) -> None:
    values = np.random.default_rng(0).integers(90, 110, (40, 60, 3), np.uint8)
    np.testing.assert_array_equal(read_preview(write_raster("scene.tif", values), 60).image, values)


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_a_preview_is_black_where_values_are_no_numbers(
    write_raster: WriteRaster, hole: float
) -> None:
    values = np.random.default_rng(0).uniform(-3.0, 5.0, (40, 60)).astype(np.float32)
    whole = read_preview(write_raster("whole.tif", values[:, 30:]), 60).image
    values[:, :30] = hole
    image = read_preview(write_raster("scene.tif", values), 60).image
    assert (image[:, :30] == 0).all()
    # The holes have no part in the stretching.
    np.testing.assert_array_equal(image[:, 30:], whole)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 0.25, -7.0])
def test_a_preview_of_one_value_all_over_is_black(write_raster: WriteRaster, value: float) -> None:
    path = write_raster("scene.tif", np.full((20, 30), value, np.float32))
    assert (read_preview(path, 10).image == 0).all()


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9])
def test_no_preview_of_a_truncated_image(
    write_raster: WriteRaster,
    cut_short: CutShort,
    capfd: pytest.CaptureFixture[str],
    write: Callable[[WriteRaster], Path],
    share: float,
) -> None:
    path = write(write_raster)
    assert max(read_preview(path, 16).image.shape) == 16
    cut_short(path, share)
    with pytest.raises(DataError) as caught:
        read_preview(path, 16)
    assert str(caught.value).startswith(f"{path}: ")
    assert capfd.readouterr().err == ""


def test_no_preview_of_what_is_no_image(tmp_path: Path) -> None:
    notes = tmp_path / "notes.tif"
    notes.write_text("These are notes, not pixels.\n" * 20, encoding="utf-8")
    with pytest.raises(DataError, match=r"notes\.tif: is not an image of a known format"):
        read_preview(notes, 100)
    with pytest.raises(DataError, match=r"none\.tif: no such file"):
        read_preview(tmp_path / "none.tif", 100)
