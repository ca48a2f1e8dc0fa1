"""Reading scenes piece by piece: any rectangle, every kind of no data, and damage where it is."""

import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.shutil import copy

from landslide_cli.errors import DataError, counted
from landslide_cli.imagery.raster.opening import BLOCK_CACHE
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from tests.imagery.raster.rasters import (
    COLS,
    ROWS,
    TILED,
    WriteRaster,
    noise,
    read_whole,
    valid_of,
    write_alpha,
    write_gray_png,
    write_jpeg,
    write_palette,
    write_strips,
    write_vrt,
)

PLAIN = {"photometric": "minisblack", "alpha": "no"}


@st.composite
def ranges(draw: st.DrawFn, length: int) -> tuple[int, int]:
    first = draw(st.integers(0, length - 1))
    return first, draw(st.integers(first + 1, length))


def write_gray(write: WriteRaster) -> tuple[Path, Preprocessing]:
    return write("scene.tif", noise(1), **TILED), Preprocessing(3)


def write_deflated(write: WriteRaster) -> tuple[Path, Preprocessing]:
    return write(
        "scene.tif", noise(3), compress="deflate", interleave="pixel", **TILED
    ), Preprocessing(3)


def write_float_with_gaps(write: WriteRaster) -> tuple[Path, Preprocessing]:
    values = noise(2).astype(np.float32)
    values[20:40, 30:50, 1] = np.nan
    return write("scene.tif", values, **TILED), Preprocessing(2, value_range=(0, 255))


def write_cog(write: WriteRaster) -> tuple[Path, Preprocessing]:
    path = write("plain.tif", noise(3))
    target = path.with_name("scene.tif")
    copy(str(path), str(target), driver="COG", blocksize=128, compress="deflate")
    return target, Preprocessing(3)


def write_jpeg2000(write: WriteRaster) -> tuple[Path, Preprocessing]:
    path = write("plain.tif", noise(3))
    target = path.with_name("scene.jp2")
    copy(str(path), str(target), driver="JP2OpenJPEG", quality=100, reversible="yes")
    return target, Preprocessing(3)


WRITERS = [
    write_gray,
    write_gray_png,
    write_jpeg,
    write_deflated,
    write_strips,
    write_float_with_gaps,
    write_alpha,
    write_palette,
    write_cog,
    write_jpeg2000,
    write_vrt,
]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_any_rectangle_is_that_part_of_the_whole(
    write_raster: WriteRaster, write: Callable[[WriteRaster], tuple[Path, Preprocessing]]
) -> None:
    path, preprocessing = write(write_raster)
    whole = read_whole(path, preprocessing)

    with SceneReader(path, preprocessing) as scene:
        assert (scene.height, scene.width) == (ROWS, COLS)

        @settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(rows=ranges(ROWS), cols=ranges(COLS))
        def check(rows: tuple[int, int], cols: tuple[int, int]) -> None:
            piece = scene.read(rows, cols)
            part = slice(*rows), slice(*cols)
            np.testing.assert_array_equal(piece.image, whole.image[part])
            np.testing.assert_array_equal(valid_of(piece), valid_of(whole)[part])
            assert piece.valid is None or not piece.valid.all()
            assert piece.image.flags.c_contiguous

        check()


@pytest.mark.parametrize("write", [write_cog, write_jpeg2000, write_vrt, write_deflated])
def test_formats_without_loss_give_the_values_that_were_written(
    write_raster: WriteRaster, write: Callable[[WriteRaster], tuple[Path, Preprocessing]]
) -> None:
    piece = read_whole(*write(write_raster))
    np.testing.assert_array_equal(piece.image, noise(3))
    assert piece.valid is None


@pytest.mark.parametrize(
    ("rows", "cols"), [((0, 0), (0, 5)), ((-1, 5), (0, 5)), ((0, 71), (0, 5)), ((0, 5), (80, 91))]
)
def test_a_rectangle_must_lie_inside_the_scene(
    write_raster: WriteRaster, rows: tuple[int, int], cols: tuple[int, int]
) -> None:
    with (
        SceneReader(*write_gray(write_raster)) as scene,
        pytest.raises(ValueError, match="70 x 90"),
    ):
        scene.read(rows, cols)


@pytest.mark.parametrize("order", [(3, 2, 1), (5, 1, 2), (4, 4, 4)])
def test_bands_are_taken_in_the_order_asked_for(
    write_raster: WriteRaster, order: tuple[int, ...]
) -> None:
    values = noise(5)
    piece = read_whole(write_raster("scene.tif", values, **PLAIN), Preprocessing(3, order))
    np.testing.assert_array_equal(piece.image, values[..., [band - 1 for band in order]])


def test_the_colours_of_a_palette_can_be_put_in_order(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", np.ones((2, 2), np.uint8), {1: (10, 20, 30, 255)})
    assert read_whole(path, Preprocessing(3, (3, 2, 1))).image[0, 0].tolist() == [30, 20, 10]
    assert read_whole(path, Preprocessing(1, (2,))).image[0, 0].tolist() == [20]


def test_an_alpha_band_that_is_asked_for_is_a_band_like_others(write_raster: WriteRaster) -> None:
    values = noise(4)
    values[:10, :, 3] = 0
    path = write_raster("scene.tif", values, alpha="yes")
    piece = read_whole(path, Preprocessing(2, (4, 1)))
    np.testing.assert_array_equal(piece.image, values[..., [3, 0]])
    assert piece.valid is None


def test_a_band_that_is_not_there_is_named_with_how_many_there_are(
    write_raster: WriteRaster,
) -> None:
    path = write_raster("scene.tif", noise(3))
    with pytest.raises(DataError, match=r"has 3 bands, .*infer\.bands: \[5, 1, 2\]") as caught:
        SceneReader(path, Preprocessing(3, (5, 1, 2)))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("order", [(1,), (1, 2), (1, 2, 3, 1)])
def test_as_many_bands_must_be_chosen_as_the_model_takes(
    write_raster: WriteRaster, order: tuple[int, ...]
) -> None:
    path = write_raster("scene.tif", noise(3))
    with pytest.raises(DataError, match=f"chooses {counted(len(order), 'band')} where .*bands: 3"):
        SceneReader(path, Preprocessing(3, order))


def test_another_number_of_bands_names_the_key_that_chooses(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", noise(5), **PLAIN)
    with pytest.raises(DataError, match="has 5 bands where the profile says bands: 3") as caught:
        SceneReader(path, Preprocessing(3))
    assert "infer.bands" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_the_scene_tells_where_it_lies(write_raster: WriteRaster) -> None:
    transform = Affine(0.5, 0.1, 4e5, 0.1, -0.5, 3.4e6)
    path = write_raster("scene.tif", noise(3), crs="EPSG:32648", transform=transform)
    with SceneReader(path, Preprocessing(3)) as scene:
        assert scene.georeference.transform == transform
        assert rasterio.CRS.from_wkt(scene.georeference.crs or "").to_epsg() == 32648
    with SceneReader(write_raster("bare.tif", noise(3)), Preprocessing(3)) as scene:
        assert not scene.georeference.is_known


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_values_are_refused(write_raster: WriteRaster, dtype: Any) -> None:
    path = write_raster("scene.tif", np.ones((3, 3), dtype))
    with pytest.raises(DataError, match="holds complex values") as caught:
        SceneReader(path, Preprocessing(1, value_range=(0, 1)))
    assert str(path) in str(caught.value)


def test_a_palette_of_more_than_256_colours_is_refused(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", np.ones((3, 3), np.uint16), photometric="palette")
    with pytest.raises(DataError, match="palette for uint16"):
        SceneReader(path, Preprocessing(3))


@pytest.mark.parametrize("rows", [64, 2112], ids=["small", "decoded by several threads"])
def test_a_corrupt_tile_is_an_error_only_where_it_is(write_raster: WriteRaster, rows: int) -> None:
    values = noise(1, rows=rows, cols=2048) % 50
    path = write_raster("scene.tif", values, compress="deflate", **TILED | {"blockxsize": 512})
    with rasterio.open(path) as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_2_2", "TIFF", bidx=1))
    with path.open("rb+") as file:
        file.seek(offset + 300)
        file.write(b"\xff" * 600)
    with SceneReader(path, Preprocessing(1)) as scene:
        np.testing.assert_array_equal(scene.read((0, 32), (0, 2048)).image, values[:32])
        np.testing.assert_array_equal(scene.read((0, 64), (0, 1024)).image, values[:64, :1024])
        with pytest.raises(DataError, match="damaged or cut short") as caught:
            scene.read((16, 64), (0, 2048))
        assert str(path) in str(caught.value)
        assert len(str(caught.value).splitlines()) <= 2


def test_a_scene_cut_short_is_an_error_where_it_ends(
    write_raster: WriteRaster, cut_short: Callable[..., Path]
) -> None:
    values = noise(3, rows=200)
    path = cut_short(write_raster("scene.tif", values, blockysize=10, interleave="pixel"), 0.5)
    with SceneReader(path, Preprocessing(3)) as scene:
        np.testing.assert_array_equal(scene.read((0, 90), (0, COLS)).image, values[:90])
        with pytest.raises(DataError, match="damaged or cut short"):
            scene.read((90, 120), (0, COLS))


def test_a_missing_scene_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.tif: no such file"):
        SceneReader(tmp_path / "none.tif", Preprocessing(3))


def test_scenes_are_read_in_threads_of_their_own(write_raster: WriteRaster) -> None:
    path, preprocessing = write_deflated(write_raster)
    with ThreadPoolExecutor(4) as pool:
        for piece in pool.map(lambda _: read_whole(path, preprocessing), range(20)):
            np.testing.assert_array_equal(piece.image, noise(3))


def test_damage_is_found_in_threads_too(
    write_raster: WriteRaster, cut_short: Callable[..., Path]
) -> None:
    path, preprocessing = write_jpeg(write_raster)
    cut_short(path)
    with ThreadPoolExecutor(1) as pool, pytest.raises(DataError, match="damaged"):
        pool.submit(read_whole, path, preprocessing).result()


def test_readers_may_be_closed_in_any_order(write_raster: WriteRaster) -> None:
    path, preprocessing = write_deflated(write_raster)
    first, second = SceneReader(path, preprocessing), SceneReader(path, preprocessing)
    with first:
        first.read((0, 5), (0, 5))
    with second:
        assert second.read((0, 5), (0, 5)).image.shape == (5, 5, 3)


def test_gdals_cache_does_not_grow_with_the_machine() -> None:
    from rasterio._env import get_gdal_config

    assert int(get_gdal_config("GDAL_CACHEMAX")) == BLOCK_CACHE * 2**20


def test_8_bit_values_are_held_as_decoded_and_as_image_and_not_once_more(
    write_raster: WriteRaster,
) -> None:
    values = noise(3, rows=512, cols=1024)
    with SceneReader(write_raster("scene.tif", values, **TILED), Preprocessing(3)) as scene:
        tracemalloc.start()
        try:
            scene.read((0, 512), (0, 1024))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 2.1 * values.nbytes
