"""Rasters by GDAL's own names: in archives, on servers, as parts of files."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.dataset.finding import find_scenes
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.addresses import gdal_name, is_virtual
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.imagery.raster.recognition import stem_of
from landslide_cli.imagery.raster.scene_files import files_of

ITEM = 'STACIT:"https://host/collections/a/items/b.json"'


@pytest.mark.parametrize(
    ("name", "opened", "stem"),
    [
        ("/vsicurl/https://host/a/b.tif", "/vsicurl/https://host/a/b.tif", "b"),
        ("https://host/a/b.tif", "/vsicurl/https://host/a/b.tif", "b"),
        ("/vsis3/bucket/b.tif", "/vsis3/bucket/b.tif", "b"),
        ('NETCDF:"a/file.nc":red', 'NETCDF:"a/file.nc":red', "red"),
        (ITEM, ITEM, "b"),
    ],
)
def test_a_path_keeps_what_gdal_needs(name: str, opened: str, stem: str) -> None:
    path = Path(name)
    assert is_virtual(name)
    assert gdal_name(path) == opened
    assert stem_of(path) == stem
    assert find_scenes(name).scenes == [path]


@pytest.mark.parametrize("name", ["a/b.tif", "a/vsi/b.tif", "C:/a.tif", "C:\\a.tif", "vsizip/a"])
def test_files_are_files(name: str) -> None:
    assert not is_virtual(name)
    assert gdal_name(Path(name)) == str(Path(name))


def test_a_scene_in_an_archive_is_read(tmp_path: Path, write_raster: Callable[..., Path]) -> None:
    values = np.random.default_rng(1).integers(0, 256, (9, 11, 3), np.uint8)
    archive = tmp_path / "scenes.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(write_raster("s1.tif", values), "folder/s1.tif")
    (path,) = find_scenes(f"/vsizip/{archive}/folder/s1.tif").scenes
    np.testing.assert_array_equal(read_image(path, 3), values)
    assert stem_of(path) == "s1"
    assert files_of([path]) == [archive]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.tif: "):
        read_image(Path(f"/vsizip/{tmp_path}/a.zip/none.tif"), 3)
