"""What a file is before it is read: no raster can be, or a map of this program."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_cli.errors import DataError
from landslide_cli.imagery.plots import plot_histogram
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.raster.images import probe, read_image, write_image, write_picture
from landslide_cli.imagery.raster.recognition import is_map, require_file
from landslide_cli.imagery.raster.writer import Layer, MapWriter, finish_cog, finish_png

WriteRaster = Callable[..., Path]

PIXELS = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)


def reason(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        require_file(path)
    with pytest.raises(DataError) as probed:
        probe(path)
    assert str(probed.value) == str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_what_cannot_be_a_raster_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "empty.tif").touch()
    (tmp_path / "link.tif").symlink_to("nowhere.tif")
    (tmp_path / "loop.tif").symlink_to("loop.tif")
    for name, why in (
        ("pipe.tif", "is not a regular file"),
        ("folder.tif", "is a folder"),
        ("empty.tif", "is an empty file"),
        ("link.tif", "links to a file that is not there"),
        ("loop.tif", "symbolic links"),
        ("none.tif", "no such file"),
        ("none.tif/a.tif", "no such file"),
    ):
        assert f"{tmp_path / name}: " in reason(tmp_path / name)
        assert why in reason(tmp_path / name)


def test_file_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "a.png", PIXELS)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "may not be read" in reason(tmp_path / "a.png")


@pytest.mark.parametrize("name", [b"Fl\xe4che.tif", b"d\xff/a.tif"])
def test_name_that_is_not_utf8_is_refused_in_a_line_that_can_be_printed(
    tmp_path: Path, name: bytes
) -> None:
    path = tmp_path / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"any")
    message = reason(path)
    assert "not UTF-8" in message
    assert message.encode()


def test_raster_with_bands_of_two_types_is_refused(
    tmp_path: Path, write_raster: WriteRaster
) -> None:
    write_raster("deep.tif", PIXELS.astype(np.uint16))
    write_raster("flat.tif", PIXELS)
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{band}"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{file}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for band, kind, file in ((1, "Byte", "flat.tif"), (2, "UInt16", "deep.tif"))
    )
    path = tmp_path / "two.vrt"
    path.write_text(f'<VRTDataset rasterXSize="50" rasterYSize="40">{bands}</VRTDataset>')
    with pytest.raises(DataError, match=r"two\.vrt: ") as caught:
        read_image(path, 2)
    assert len(str(caught.value).splitlines()) == 1


def test_container_of_rasters_has_no_bands_of_its_own(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "two.nc", "w") as file:
        for name in "ab":
            file[name] = PIXELS[..., 0]
    with pytest.raises(DataError, match=r"has no bands, but 2 rasters in it; name one, as \w+:"):
        read_image(tmp_path / "two.nc", 1)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("side", [30, 700])
def test_maps_carry_the_mark_whatever_they_are_called(
    tmp_path: Path, dtype: str, side: int
) -> None:
    colours = {value: (value, 0, 0) for value in range(2)} if dtype == "uint8" else None
    layer = Layer("uint8" if dtype == "uint8" else "float32", 255, colours)
    place = Georeference(None, Affine.identity())
    with MapWriter(tmp_path / "raw.tif", side, side, place, layer) as writer:
        writer.write(0, 0, np.ones((side, side), dtype))
    finish_cog(tmp_path / "raw.tif", tmp_path / "a scene", layer)
    assert is_map(tmp_path / "a scene")
    if colours is not None:
        finish_png(tmp_path / "raw.tif", tmp_path / "map.png")
        assert is_map(tmp_path / "map.png")
        with rasterio.open(tmp_path / "map.png") as dataset:
            assert (dataset.read(1) == 1).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_mark_leaves_a_picture_as_it_is(tmp_path: Path, suffix: str) -> None:
    plain, marked = tmp_path / f"plain{suffix}", tmp_path / f"marked{suffix}"
    write_image(plain, PIXELS)
    write_picture(marked, PIXELS)
    assert is_map(marked)
    assert not is_map(plain)
    np.testing.assert_array_equal(read_image(marked, 3), read_image(plain, 3))


def test_plots_carry_the_mark(tmp_path: Path) -> None:
    plot_histogram(tmp_path / "plot.png", "any", [0.1, 0.2])
    assert is_map(tmp_path / "plot.png")


def test_other_files_carry_no_mark(tmp_path: Path, write_raster: WriteRaster) -> None:
    write_raster("a.tif", PIXELS)
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:60])
    (tmp_path / "text.txt").write_text("landslide-cli map")
    for name in ("a.tif", "cut.tif", "text.txt", "none", "."):
        assert not is_map(tmp_path / name)
