"""Which files an image follows from."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import rasterio.vrt

from landslide_cli.imagery.raster.scene_files import beside, files_of
from tests.imagery.raster.control import rpcs

Write = Callable[..., Path]

VRT = """<VRTDataset rasterXSize="8" rasterYSize="6"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename relativeToVRT="{relative}">{source}</SourceFilename>
<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>{more}</VRTDataset>"""


@pytest.fixture
def tile(write_raster: Write) -> Path:
    return write_raster("tile.tif", np.zeros((6, 8), np.uint8))


def vrt(path: Path, source: object, relative: int = 0, more: str = "") -> Path:
    text = str(source).replace("&", "&amp;")
    path.write_text(VRT.format(source=text, relative=relative, more=more))
    return path


def names(files: list[Path]) -> set[str]:
    return {path.name for path in files}


def test_plain_image_is_its_only_file(tile: Path) -> None:
    assert files_of([tile]) == [tile]


@pytest.mark.parametrize(
    "name",
    ["tile.tif.msk", "tile.tif.ovr", "tile.tif.msk.ovr", "tile.tfw", "tile.tifw", "tile.wld",
     "TILE.TFW", "tile.prj", "tile.tab", "tile.rpb", "tile_RPC.TXT", "tile.IMD"],
)  # fmt: skip
def test_what_gdal_takes_from_beside_belongs_to_it(tile: Path, name: str) -> None:
    tile.with_name(name).write_text("something")
    assert names(files_of([tile])) == {"tile.tif", name}


@pytest.mark.parametrize("option", ["RPB", "RPCTXT"])
@pytest.mark.parametrize("change", [str, str.lower, str.upper])
def test_what_gdal_reads_rpcs_from_belongs_to_the_image(
    tmp_path: Path, option: str, change: Callable[[str], str]
) -> None:
    path = tmp_path / "tile.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=8,
        height=6,
        count=1,
        dtype="uint8",
        **rpcs(6, 8, 1e-5),
        **{option: "YES"},
    ):
        pass  # fmt: skip
    (sidecar,) = set(tmp_path.iterdir()) - {path}
    sidecar.rename(sidecar.with_name(sidecar.stem + change(sidecar.suffix)))
    with rasterio.open(path) as dataset:
        read = {Path(name) for name in dataset.files}
    assert read <= set(files_of([path]))


@pytest.mark.parametrize("name", ["tile.txt", "tile2.tfw", "tile.png", "other.tif.msk", "tile.qgz"])
def test_other_files_do_not(tile: Path, name: str) -> None:
    tile.with_name(name).write_text("something")
    assert files_of([tile]) == [tile]


def test_file_that_comes_later_is_seen(tile: Path) -> None:
    assert beside(tile) == []
    tile.with_name("tile.tif.msk").touch()
    assert names(beside(tile)) == {"tile.tif.msk"}


@pytest.mark.parametrize(
    ("inner", "belongs"),
    [
        ("", False),
        ('<PAMRasterBand band="1"><Metadata><MDI key="STATISTICS_MEAN">3</MDI></Metadata>'
         "<Histograms><HistItem><HistMin>0</HistMin></HistItem></Histograms></PAMRasterBand>",
         False),
        ("<SRS>EPSG:32648</SRS>", True),
        ('<PAMRasterBand band="1"><NoDataValue>0</NoDataValue></PAMRasterBand>', True),
        ("<GeoTransform>1, 2, 0, 3, 0, -2</GeoTransform>", True),
    ],
)  # fmt: skip
def test_statistics_that_a_viewer_has_written_change_nothing(
    tile: Path, inner: str, belongs: bool
) -> None:
    path = tile.with_name("tile.tif.aux.xml")
    path.write_text(f"<PAMDataset>\n  {inner}\n</PAMDataset>")
    assert (path in files_of([tile])) == belongs


@pytest.mark.parametrize("relative", [0, 1])
def test_mosaic_has_the_files_of_its_sources_through_any_number_of_steps(
    tile: Path, tmp_path: Path, relative: int
) -> None:
    (tmp_path / "tile.tif.msk").touch()
    inner = vrt(tmp_path / "inner & mosaic.vrt", "tile.tif" if relative else tile, relative)
    outer = vrt(tmp_path / "outer.vrt", inner.name if relative else inner, relative)
    everything = {"outer.vrt", inner.name, "tile.tif", "tile.tif.msk"}
    assert names(files_of([outer])) == everything
    disguised = outer.rename(tmp_path / "outer.tif")
    assert names(files_of([disguised])) == everything - {"outer.vrt"} | {"outer.tif"}


def test_mask_of_a_mosaic_belongs_to_it(tile: Path, tmp_path: Path, write_raster: Write) -> None:
    mask = write_raster("hidden/mask.tif", np.zeros((6, 8), np.uint8))
    band = (
        VRT.format(source=mask, relative=0, more="").partition(">")[2].removesuffix("</VRTDataset>")
    )
    mosaic = vrt(tmp_path / "m.vrt", tile, more=f"<MaskBand>{band}</MaskBand>")
    assert mask in files_of([mosaic])


def test_warped_mosaic_has_its_source(tile: Path, tmp_path: Path) -> None:
    with rasterio.open(tile, "r+") as dataset:
        dataset.crs, dataset.transform = "EPSG:32648", rasterio.Affine(1, 0, 5e5, 0, -1, 3e6)
    path = tmp_path / "warped.vrt"
    with (
        rasterio.open(tile) as dataset,
        rasterio.vrt.WarpedVRT(dataset, crs="EPSG:3857") as warped,
    ):
        rasterio.shutil.copy(warped, path, driver="VRT")
    assert tile in files_of([path])


def test_mosaics_in_a_circle_end(tmp_path: Path) -> None:
    a, b = tmp_path / "a.vrt", tmp_path / "b.vrt"
    vrt(a, b)
    vrt(b, a)
    assert names(files_of([a])) == {"a.vrt", "b.vrt"}


def test_archive_is_the_file_of_what_is_in_it(tmp_path: Path) -> None:
    archive = tmp_path / "tiles.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("tile.tif", b"")
    assert archive in files_of([vrt(tmp_path / "m.vrt", f"/vsizip/{archive}/deep/tile.tif")])


def test_source_that_is_missing_or_elsewhere_is_left_out(tmp_path: Path) -> None:
    for source in (tmp_path / "gone.tif", "/vsicurl/https://example.org/a.tif", "vrt://gone.tif"):
        mosaic = vrt(tmp_path / "m.vrt", source)
        assert files_of([mosaic]) == [mosaic]


def test_files_of_many_images_are_each_listed_once(tile: Path, tmp_path: Path) -> None:
    mosaics = [vrt(tmp_path / f"{number}.vrt", tile) for number in range(3)]
    assert files_of([*mosaics, tile]) == [mosaics[0], tile, *mosaics[1:]]
