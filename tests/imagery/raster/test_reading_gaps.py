"""Pixels without data, by whatever tells them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from landslide_cli.core.tiling.local_statistics import local_statistics
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from tests.imagery.raster.rasters import (
    COLS,
    ROWS,
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


def test_pixels_with_all_bands_nodata_hold_no_data(write_raster: WriteRaster) -> None:
    values = noise(3)
    values[5:9, 10:20] = 7
    values[30, 40, :2] = 7
    piece = read_whole(write_raster("scene.tif", values, nodata=7), Preprocessing(3))
    expected = ~(values == 7).all(axis=-1)
    assert piece.valid is not None
    np.testing.assert_array_equal(piece.valid, expected)
    np.testing.assert_array_equal(piece.image, np.where(expected[..., None], values, 0))


@pytest.mark.parametrize("write", [write_gray_png, write_jpeg, write_strips, write_alpha])
def test_levels_are_those_of_the_pixels_that_hold_data(
    write_raster: WriteRaster, write: Callable[[WriteRaster], tuple[Path, Preprocessing]]
) -> None:
    path, preprocessing = write(write_raster)
    piece = read_whole(path, preprocessing)
    with SceneReader(path, preprocessing) as scene:
        assert not scene.standardized
    with SceneReader(path, replace(preprocessing, standardized=True)) as scene:
        assert scene.standardized
        # What is read stays the scene's own; pixels without data are black in it.
        np.testing.assert_array_equal(scene.read((0, ROWS), (0, COLS)).image, piece.image)
        statistics = local_statistics(scene, (1.0, 1.0))
    np.testing.assert_array_equal(
        statistics.cells, local_statistics(ImageSource(piece.image), (1.0, 1.0)).cells
    )


@pytest.mark.parametrize("nodata", [-9999.0, -3.4028234663852886e38, 0.1, np.nan])
def test_nodata_of_float_values_is_recognised(write_raster: WriteRaster, nodata: float) -> None:
    values = np.array([[1.0, nodata, np.nan, 2.0]], np.float32)
    path = write_raster("scene.tif", values, nodata=nodata)
    piece = read_whole(path, Preprocessing(1, value_range=(1, 2)))
    assert valid_of(piece).tolist() == [[True, False, False, True]]
    assert piece.image[..., 0].tolist() == [[0, 0, 0, 255]]


def test_one_band_that_is_not_a_number_is_enough(write_raster: WriteRaster) -> None:
    values = np.ones((2, 2, 3), np.float32)
    values[0, 1, 2] = np.nan
    piece = read_whole(write_raster("scene.tif", values), Preprocessing(3, value_range=(0, 1)))
    assert valid_of(piece).tolist() == [[True, False], [True, True]]
    assert piece.image[0, 1].tolist() == [0, 0, 0]


def test_only_the_bands_that_are_read_tell_of_no_data(write_raster: WriteRaster) -> None:
    values = np.ones((2, 2, 3), np.float32)
    values[0, 1, 2] = np.nan
    path = write_raster("scene.tif", values)
    assert read_whole(path, Preprocessing(2, (1, 2), (0, 1))).valid is None


def test_values_are_checked_only_where_there_are_data(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", np.array([[100, -32768, 200]], np.int16), nodata=-32768)
    assert read_whole(path, Preprocessing(1, value_range=(100, 200))).image.ravel().tolist() == [
        0,
        0,
        255,
    ]


def test_a_scene_without_any_data_is_0_everywhere(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", np.full((3, 4), np.nan, np.float32))
    piece = read_whole(path, Preprocessing(3, value_range=(0, 1)))
    assert not valid_of(piece).any()
    assert not piece.image.any()


def test_values_outside_the_range_are_told_for_the_piece_they_are_in(
    write_raster: WriteRaster,
) -> None:
    values = np.full((20, 20), 50, np.int16)
    values[15, 3] = 300
    path = write_raster("scene.tif", values)
    with SceneReader(path, Preprocessing(1, value_range=(0, 100))) as scene:
        assert scene.read((0, 15), (0, 20)).image.max() == 128
        with pytest.raises(
            DataError, match=r"from 50 to 300, outside source\.value_range \[0, 100"
        ):
            scene.read((10, 20), (0, 20))


def test_transparent_pixels_hold_no_data(write_raster: WriteRaster) -> None:
    values = noise(4)
    values[:30, :25, 3] = 0
    piece = read_whole(write_raster("scene.png", values), Preprocessing(3))
    np.testing.assert_array_equal(valid_of(piece), values[..., 3] != 0)
    assert not piece.image[:30, :25].any()


def test_transparent_colours_of_a_palette_hold_no_data(write_raster: WriteRaster) -> None:
    path, preprocessing = write_palette(write_raster)
    indices = noise(1)[..., 0] % 3
    piece = read_whole(path, preprocessing)
    np.testing.assert_array_equal(valid_of(piece), indices != 2)
    assert piece.image[indices == 0][0].tolist() == [9, 8, 7]
    assert not piece.image[indices == 2].any()


@pytest.mark.parametrize("internal", [True, False], ids=["internal mask", "mask file"])
def test_what_a_mask_hides_holds_no_data(write_raster: WriteRaster, internal: bool) -> None:
    values, shown = noise(3), np.ones((ROWS, COLS), np.bool_)
    shown[20:50, 60:] = False
    path = write_raster("scene.tif", values)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(shown)
    assert path.with_name("scene.tif.msk").exists() != internal
    piece = read_whole(path, Preprocessing(3))
    np.testing.assert_array_equal(valid_of(piece), shown)
    np.testing.assert_array_equal(piece.image, np.where(shown[..., None], values, 0))


def test_the_mask_of_a_mosaic_is_followed(write_raster: WriteRaster, tmp_path: Path) -> None:
    # A mosaic of one source that fills its left part.
    source = write_raster("source.tif", noise(3))
    with rasterio.open(source, "r+") as dataset:
        dataset.write_mask(np.ones((ROWS, COLS), np.bool_))
    rectangles = '<SrcRect xOff="0" yOff="0" xSize="90" ySize="70"/><DstRect xOff="0" yOff="0" '
    rectangles += 'xSize="90" ySize="70"/>'
    part = "<SimpleSource><SourceFilename relativeToVRT='1'>source.tif</SourceFilename>"
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}">{part}<SourceBand>{band}</SourceBand>'
        f"{rectangles}</SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    mask = f'<MaskBand><VRTRasterBand dataType="Byte">{part}<SourceBand>mask,1</SourceBand>'
    mask += f"{rectangles}</SimpleSource></VRTRasterBand></MaskBand>"
    path = tmp_path / "mosaic.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="120" rasterYSize="70">{bands}{mask}</VRTDataset>',
        encoding="utf-8",
    )
    valid = valid_of(read_whole(path, Preprocessing(3)))
    assert valid[:, :90].all()
    assert not valid[:, 90:].any()


@pytest.mark.parametrize("nodata", ["-9999", "0.5", "300"])
def test_nodata_that_no_value_can_be_is_none(write_raster: WriteRaster, nodata: str) -> None:
    path, preprocessing = write_vrt(write_raster)
    told = f"<NoDataValue>{nodata}</NoDataValue><ColorInterp>"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("<ColorInterp>", told), encoding="utf-8")
    with SceneReader(path, preprocessing) as scene:
        piece = scene.read((0, ROWS), (0, COLS))
    assert piece.valid is None
    np.testing.assert_array_equal(piece.image, noise(3))


@pytest.mark.parametrize(
    ("dtype", "nodata", "value_range"),
    [(np.float32, -9999, (0, 255)), (np.int16, -1, (0, 255)), (np.uint16, 65535, (0, 255))],
)
def test_one_band_of_a_value_that_no_ground_has_is_enough(
    write_raster: WriteRaster, dtype: Any, nodata: int, value_range: tuple[float, float]
) -> None:
    values = noise(3).astype(dtype)
    values[4:9, 5:8, 1] = nodata
    piece = read_whole(
        write_raster("scene.tif", values, nodata=nodata), Preprocessing(3, None, value_range)
    )
    np.testing.assert_array_equal(valid_of(piece), (values != nodata).all(axis=-1))


def test_a_number_that_no_ground_has_is_enough_in_one_band(write_raster: WriteRaster) -> None:
    values = noise(3).astype(np.float32)
    values[4:9, 5:8, 1] = -9999
    scene = Preprocessing(3, value_range=(0, 255), nodata=-9999.0)
    piece = read_whole(write_raster("scene.tif", values), scene)
    np.testing.assert_array_equal(valid_of(piece), (values != -9999).all(axis=-1))


@pytest.mark.parametrize("bands", [(1,), (1, 3)])
def test_only_the_bands_that_declare_no_data_are_asked(
    write_raster: WriteRaster, tmp_path: Path, bands: tuple[int, ...]
) -> None:
    values = noise(3)
    values[3:6, :9, [band - 1 for band in bands]] = 7
    write_raster("source.tif", values)
    rasters = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}">'
        f"{'<NoDataValue>7</NoDataValue>' if band in bands else ''}<SimpleSource>"
        f'<SourceFilename relativeToVRT="1">source.tif</SourceFilename><SourceBand>{band}'
        "</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    path = tmp_path / "scene.vrt"
    text = f'<VRTDataset rasterXSize="{COLS}" rasterYSize="{ROWS}">{rasters}</VRTDataset>'
    path.write_text(text, encoding="utf-8")
    expected = (values[..., [band - 1 for band in bands]] != 7).any(axis=-1)
    np.testing.assert_array_equal(valid_of(read_whole(path, Preprocessing(3))), expected)
