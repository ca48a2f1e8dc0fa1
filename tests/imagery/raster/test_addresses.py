"""Rasters by GDAL's own names: in archives, on servers, as parts of files."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rasterio.shutil import copy

from landslide_cli.dataset.finding import find_scenes
from landslide_cli.dataset.scenes import labelled_scenes
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
        ('NETCDF:"a/file.nc":red', 'NETCDF:"a/file.nc":red', "file_red"),
        ("NETCDF:a/file.nc:red", "NETCDF:a/file.nc:red", "file_red"),
        ('HDF5:"file.h5"://group/red', 'HDF5:"file.h5"://group/red', "file_red"),
        (
            "/vsizip//vsicurl/https://host:80/a.zip/b.tif",
            "/vsizip//vsicurl/https://host:80/a.zip/b.tif",
            "b",
        ),
        (
            'STACIT:"https://host:80/items.json":asset=visual',
            'STACIT:"https://host:80/items.json":asset=visual',
            "items_asset_visual",
        ),
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


@pytest.fixture
def archive(tmp_path: Path, write_raster: Callable[..., Path]) -> str:
    """An archive with images, masks, a text, and a name with brackets."""
    image = write_raster("a.tif", np.zeros((9, 11, 3), np.uint8))
    with zipfile.ZipFile(tmp_path / "scenes.zip", "w") as file:
        for name in ("i/s2.tif", "i/s1.tif", "m/s1.tif", "i/deep/s3.tif", "i/s[4].tif"):
            file.write(image, name)
        file.writestr("i/read.txt", "me")
    return f"/vsizip/{tmp_path}/scenes.zip"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("i/s?.tif", ["i/s1.tif", "i/s2.tif"]),
        ("i/*", ["i/s1.tif", "i/s2.tif", "i/s[4].tif"]),
        ("i", ["i/s1.tif", "i/s2.tif", "i/s[4].tif"]),
        ("**/s[13].tif", ["i/deep/s3.tif", "i/s1.tif", "m/s1.tif"]),
        ("i/s[4].tif", ["i/s[4].tif"]),
        ("i/*.png", []),
    ],
)
def test_patterns_find_scenes_in_archives(archive: str, pattern: str, names: list[str]) -> None:
    found = find_scenes(f"{archive}/{pattern}").scenes
    assert found == [Path(f"{archive}/{name}") for name in names]


def test_images_and_masks_in_an_archive_are_pairs(archive: str) -> None:
    (scene,) = labelled_scenes(f"{archive}/i/s[1].tif", f"{archive}/m/*.tif")
    assert (scene.image.name, scene.mask) == ("s1.tif", Path(f"{archive}/m/s1.tif"))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.tif: "):
        read_image(Path(f"/vsizip/{tmp_path}/a.zip/none.tif"), 3)


def test_scenes_on_a_server_are_read(
    tmp_path: Path, served: str, archive: str, write_raster: Callable[..., Path]
) -> None:
    values = np.random.default_rng(1).integers(0, 256, (9, 11, 3), np.uint8)
    write_raster("s1.tif", values)
    write_item(tmp_path / "item.json", f"{served}/s1.tif", values.shape)
    np.testing.assert_array_equal(read_image(Path(f"{served}/s1.tif"), 3), values)
    item = Path(f'STACIT:"{served}/item.json"')
    np.testing.assert_array_equal(read_image(item, 3), values)
    found = find_scenes(f"/vsizip//vsicurl/{served}/scenes.zip/i/*.tif").scenes
    assert [path.name for path in found] == ["s1.tif", "s2.tif", "s[4].tif"]
    assert read_image(found[0], 3).shape == (9, 11, 3)
    with pytest.raises(DataError, match=rf"^{served}/none\.tif: cannot be opened .*404"):
        read_image(Path(f"{served}/none.tif"), 3)


def write_item(path: Path, image: str, shape: tuple[int, ...]) -> None:
    """A STAC item with one image."""
    where = {"proj:epsg": 32648, "proj:shape": list(shape[:2])}
    place = {"proj:transform": [0.5, 0, 400_000, 0, -0.5, 3_450_000]}
    kind = "image/tiff; application=geotiff; profile=cloud-optimized"
    asset = {"href": image, "type": kind, "eo:bands": [{"name": "red"}]}
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            "https://stac-extensions.github.io/projection/v1.0.0/schema.json",
            "https://stac-extensions.github.io/eo/v1.0.0/schema.json",
        ],
        "id": "item",
        "geometry": None,
        "properties": {"datetime": "2020-01-01T00:00:00Z"},
        "links": [],
        "collection": "scenes",
        "assets": {"visual": asset | where | place},
    }
    path.write_text(json.dumps(item))


def test_variables_of_netcdf_are_scenes(tmp_path: Path, write_raster: Callable[..., Path]) -> None:
    values = np.random.default_rng(1).integers(0, 256, (9, 11, 1), np.uint8)
    path = tmp_path / "a.nc"
    copy(write_raster("s1.tif", values), path, driver="netCDF")
    variable = Path(f'NETCDF:"{path}":Band1')
    np.testing.assert_array_equal(read_image(variable, 1), values)
    assert files_of([variable]) == [path]
