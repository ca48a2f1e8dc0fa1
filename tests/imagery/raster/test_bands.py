"""Which bands are taken as red, green and blue, by what the file calls them."""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from landslide_cli.imagery.raster.images import read_image
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.previews import read_preview
from landslide_cli.imagery.raster.reader import SceneReader
from tests.imagery.raster.rasters import noise, read_whole

WriteRaster = Callable[..., Path]

RED, GREEN, BLUE = ColorInterp.red, ColorInterp.green, ColorInterp.blue
NIR, ALPHA, NONE = ColorInterp.nir, ColorInterp.alpha, ColorInterp.undefined


def write(write_raster: WriteRaster, *names: ColorInterp) -> Path:
    values = noise(len(names))
    path = write_raster("scene.tif", values, photometric="minisblack", alpha="no")
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = names
    return path


@pytest.mark.parametrize("names", list(permutations((RED, GREEN, BLUE))))
def test_bands_are_red_green_blue_as_the_file_names_them(
    write_raster: WriteRaster, names: tuple[ColorInterp, ...]
) -> None:
    path = write(write_raster, *names)
    expected = noise(3)[..., [names.index(colour) for colour in (RED, GREEN, BLUE)]]
    np.testing.assert_array_equal(read_image(path, 3), expected)
    np.testing.assert_array_equal(read_preview(path, 1000).image, expected)
    with SceneReader(path, Preprocessing(3)) as scene:
        assert (scene.note is None) == (names == (RED, GREEN, BLUE))
        assert scene.warning is None


@pytest.mark.parametrize(
    ("names", "bands"),
    [
        ((RED, GREEN, BLUE, NIR), 4),
        ((NONE, NONE, NONE), 3),
        ((ColorInterp.gray, NONE, NONE), 3),
        ((RED, GREEN, BLUE, ALPHA), 3),
        ((NIR, RED, GREEN, BLUE), 4),
    ],
)
def test_other_bands_are_taken_as_they_lie(
    write_raster: WriteRaster, names: tuple[ColorInterp, ...], bands: int
) -> None:
    path = write(write_raster, *names)
    np.testing.assert_array_equal(read_image(path, bands), noise(len(names))[..., :bands])
    with SceneReader(path, Preprocessing(bands)) as scene:
        assert (scene.note, scene.warning) == (None, None)


def test_colours_before_an_infrared_band_are_put_in_order(write_raster: WriteRaster) -> None:
    path = write(write_raster, BLUE, GREEN, RED, NIR)
    np.testing.assert_array_equal(read_image(path, 4), noise(4)[..., [2, 1, 0, 3]])


def test_bands_that_the_profile_chooses_are_taken_as_chosen(write_raster: WriteRaster) -> None:
    path = write(write_raster, BLUE, GREEN, RED)
    np.testing.assert_array_equal(read_image(path, 3, order=(1, 2, 3)), noise(3))
    with SceneReader(path, Preprocessing(3, (1, 2, 3))) as scene:
        assert scene.note is None


def test_the_note_names_the_bands(write_raster: WriteRaster) -> None:
    with SceneReader(write(write_raster, BLUE, GREEN, RED), Preprocessing(3)) as scene:
        assert scene.note is not None
        assert "band 3 as red, 2 as green, 1 as blue" in scene.note


def test_gray_for_a_model_of_colours_is_warned_of(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", noise(1))
    for bands, is_warned in ((3, True), (1, False)):
        with SceneReader(path, Preprocessing(bands)) as scene:
            assert (scene.warning is not None) == is_warned


def test_bands_of_other_colours_are_warned_of(write_raster: WriteRaster) -> None:
    path = write(write_raster, NIR, RED, GREEN)
    assert read_whole(path, Preprocessing(3)).valid is None
    with SceneReader(path, Preprocessing(3)) as scene:
        assert scene.warning is not None
        assert "nir, red, green" in scene.warning
