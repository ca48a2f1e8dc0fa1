"""Windows of rasters as VRTs: the same pixels, masks, values and places as in the raster."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.windows import Window as RasterWindow

from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.imagery.raster.window_files import describe, window_of

WriteRaster = Callable[..., Path]

VALUES = np.random.default_rng(3).integers(0, 255, (40, 60, 4), np.uint8)
WINDOW = Window(13, 7, 30, 21)
ROWS, COLS = slice(7, 28), slice(13, 43)
UTM = {"crs": "EPSG:32648", "transform": Affine(0.5, 0, 400_000, 0, -0.5, 3_450_000)}


def cut_out(image: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "window.vrt"
    path.write_text(window_of(describe(image), WINDOW, folder), encoding="utf-8")
    return path


def test_pixels_alpha_and_place_are_those_of_the_window(
    write_raster: WriteRaster, tmp_path: Path
) -> None:
    image = write_raster("image.tif", VALUES, photometric="RGB", alpha="YES", **UTM)
    with (
        rasterio.open(cut_out(image, tmp_path / "blocks")) as window,
        rasterio.open(image) as whole,
    ):
        there = RasterWindow(13, 7, 30, 21)
        np.testing.assert_array_equal(window.read(), whole.read(window=there))
        np.testing.assert_array_equal(window.dataset_mask(), whole.dataset_mask(window=there))
        assert window.transform.almost_equals(whole.window_transform(there))
        assert window.crs == whole.crs


def test_a_palette_and_no_data_are_kept(write_raster: WriteRaster, tmp_path: Path) -> None:
    indices = (VALUES[..., 0] % 3).astype(np.uint8)
    table = {0: (1, 2, 3, 255), 1: (9, 8, 7, 255), 2: (50, 60, 70, 255)}
    image = write_raster("image.tif", indices, table, nodata=2)
    path = cut_out(image, tmp_path / "blocks")
    with SceneReader(path, Preprocessing(3)) as reader:
        piece = reader.read((0, 21), (0, 30))
    expected = np.array([colour[:3] for colour in table.values()], np.uint8)[indices[ROWS, COLS]]
    assert piece.valid is not None
    np.testing.assert_array_equal(piece.valid, indices[ROWS, COLS] != 2)
    np.testing.assert_array_equal(piece.image[piece.valid], expected[piece.valid])


def test_the_bits_in_use_are_kept(write_raster: WriteRaster, tmp_path: Path) -> None:
    image = write_raster("image.tif", VALUES[..., :3].astype(np.uint16) * 16, nbits=12)
    with SceneReader(cut_out(image, tmp_path / "blocks"), Preprocessing(3)) as reader:
        assert reader.read((0, 21), (0, 30)).image.max() > 200


def test_a_window_of_a_vrt_reads_its_files(write_raster: WriteRaster, tmp_path: Path) -> None:
    image = write_raster("image.tif", VALUES[..., :3])
    (tmp_path / "sheets").mkdir()
    rasterio.shutil.copy(image, tmp_path / "sheets" / "all.vrt", driver="VRT")
    with rasterio.open(cut_out(tmp_path / "sheets" / "all.vrt", tmp_path / "blocks")) as window:
        np.testing.assert_array_equal(window.read(), np.moveaxis(VALUES[ROWS, COLS, :3], -1, 0))


def test_control_points_move_with_the_window(write_raster: WriteRaster, tmp_path: Path) -> None:
    points = [GroundControlPoint(row=7, col=13, x=1.0, y=2.0), GroundControlPoint(30, 40, 3.0, 4.0)]
    image = write_raster("image.tif", VALUES[..., :3], gcps=points, crs="EPSG:32648")
    with rasterio.open(cut_out(image, tmp_path / "blocks")) as window:
        moved = [(point.row, point.col, point.x) for point in window.gcps[0]]
    assert moved == [(0.0, 0.0, 1.0), (23.0, 27.0, 3.0)]


def test_folder_with_image_and_windows_can_be_moved(
    write_raster: WriteRaster, tmp_path: Path
) -> None:
    (tmp_path / "old").mkdir()
    image = write_raster("old/image.tif", VALUES[..., :3])
    cut_out(image, tmp_path / "old" / "blocks")
    (tmp_path / "old").rename(tmp_path / "new")
    with rasterio.open(tmp_path / "new" / "blocks" / "window.vrt") as window:
        np.testing.assert_array_equal(window.read(1), VALUES[ROWS, COLS, 0])


def test_a_warped_vrt_is_refused(write_raster: WriteRaster, tmp_path: Path) -> None:
    image = write_raster("image.tif", VALUES[..., :3], **UTM)
    path = tmp_path / "warped.vrt"
    with rasterio.open(image) as whole, rasterio.vrt.WarpedVRT(whole, crs="EPSG:4326") as warped:
        rasterio.shutil.copy(warped, path, driver="VRT")
    with pytest.raises(DataError, match="convert it to GeoTIFF"):
        describe(path)
