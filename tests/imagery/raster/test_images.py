"""Reading images of every kind into uint8, and refusing what is damaged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import (
    probe,
    read_image,
)
from tests.imagery.raster.images import (
    COLORMAP,
    WRITERS,
    CutShort,
    WriteRaster,
    noise,
    write_jpeg,
)


def smooth(bands: int) -> NDArray[np.uint8]:
    line = np.linspace(20, 230, 64).astype(np.uint8)
    return np.repeat(np.tile(line, (48, 1))[..., None], bands, axis=-1)


@pytest.mark.parametrize(
    ("suffix", "bands"),
    [(".png", 1), (".png", 3), (".tif", 1), (".tif", 3), (".tif", 7), (".tif", 14), (".bmp", 3)],
)
def test_8_bit_values_are_read_as_they_are(
    write_raster: WriteRaster, suffix: str, bands: int
) -> None:
    values = noise(bands)
    image = read_image(write_raster(f"scene{suffix}", values), bands)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, values)


@pytest.mark.parametrize("bands", [1, 3])
def test_a_jpeg_is_read_up_to_its_loss(write_raster: WriteRaster, bands: int) -> None:
    values = smooth(bands)
    image = read_image(write_raster("scene.jpg", values, quality=95), bands)
    assert image.shape == values.shape
    assert np.abs(image.astype(int) - values).max() <= 4


@pytest.mark.parametrize(("suffix", "bands"), [(".png", 1), (".png", 3), (".tif", 3), (".tif", 5)])
def test_the_range_of_16_bit_becomes_that_of_8(
    write_raster: WriteRaster, suffix: str, bands: int
) -> None:
    expected = noise(bands)
    path = write_raster(f"scene{suffix}", expected.astype(np.uint16) * 257)
    image = read_image(path, bands, (0, 65535))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)


def test_16_bit_values_are_rounded_to_the_nearest(write_raster: WriteRaster) -> None:
    values = np.array([[0, 128, 129, 65535]], np.uint16)
    image = read_image(write_raster("scene.tif", values), 1, (0, 65535))
    assert image[..., 0].tolist() == [[0, 0, 1, 255]]


def test_gray_becomes_as_many_equal_bands_as_asked_for(write_raster: WriteRaster) -> None:
    values = noise(1)
    image = read_image(write_raster("scene.png", values), 3)
    np.testing.assert_array_equal(image, np.repeat(values, 3, axis=-1))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_palette_becomes_its_colours(write_raster: WriteRaster, suffix: str) -> None:
    indices = np.random.default_rng(0).integers(0, 3, (20, 30), np.uint8)
    opaque = {index: (*colour[:3], 255) for index, colour in COLORMAP.items()}
    path = write_raster(f"scene{suffix}", indices, opaque)
    expected = np.array([opaque[i][:3] for i in range(3)], np.uint8)[indices]
    np.testing.assert_array_equal(read_image(path, 3), expected)
    assert probe(path).bands == 3


@pytest.mark.parametrize(("suffix", "bands"), [(".png", 2), (".png", 4), (".tif", 4)])
def test_alpha_is_dropped(write_raster: WriteRaster, suffix: str, bands: int) -> None:
    values = noise(bands)
    values[..., -1] |= 1
    path = write_raster(f"scene{suffix}", values, **({"alpha": "yes"} if suffix == ".tif" else {}))
    np.testing.assert_array_equal(read_image(path, bands - 1), values[..., :-1])
    assert probe(path).bands == bands - 1


def test_a_fourth_band_that_is_no_alpha_is_kept(write_raster: WriteRaster) -> None:
    values = noise(4)
    path = write_raster("scene.tif", values, photometric="minisblack", alpha="no")
    np.testing.assert_array_equal(read_image(path, 4), values)


@pytest.mark.parametrize(("has", "wanted"), [(3, 1), (3, 4), (7, 3)])
def test_another_number_of_bands_is_refused(
    write_raster: WriteRaster, has: int, wanted: int
) -> None:
    path = write_raster("scene.tif", noise(has))
    with pytest.raises(DataError, match=f"has {has} bands where the profile says bands: {wanted}"):
        read_image(path, wanted)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.uint32, np.uint16])
def test_a_type_without_a_range_needs_one_from_the_profile(
    write_raster: WriteRaster, dtype: Any
) -> None:
    path = write_raster("scene.tif", np.array([[[0], [500], [1000]]], dtype))
    with pytest.raises(DataError, match=r"source\.value_range") as caught:
        read_image(path, 1)
    assert str(path) in str(caught.value)
    assert np.dtype(dtype).name in str(caught.value)
    assert read_image(path, 1, (0, 1000))[..., 0].tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float64])
def test_a_value_range_maps_its_ends_to_0_and_255(write_raster: WriteRaster, dtype: Any) -> None:
    path = write_raster("scene.tif", np.array([[10, 20, 110]], dtype))
    assert read_image(path, 1, (10, 110))[..., 0].tolist() == [[0, 26, 255]]


@pytest.mark.parametrize("values", [[9.0, 50.0], [50.0, 111.0], [np.nan, 9.0], [np.inf, 50.0]])
def test_values_outside_the_value_range_are_refused(
    write_raster: WriteRaster, values: list[float]
) -> None:
    path = write_raster("scene.tif", np.array([values], np.float32))
    with pytest.raises(DataError, match=r"outside source\.value_range \[10, 110\]"):
        read_image(path, 1, (10, 110))


def test_what_is_not_a_number_is_no_data_and_becomes_0(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", np.array([[110.0, np.nan, 20.0]], np.float32))
    assert read_image(path, 1, (10, 110))[..., 0].tolist() == [[255, 0, 26]]


def test_a_probe_tells_what_the_header_says(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", noise(5, np.uint16, rows=7, cols=9))
    info = probe(path)
    assert (info.width, info.height, info.bands, info.dtype) == (9, 7, 5, "uint16")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_truncated_image_is_refused_by_its_name(
    write_raster: WriteRaster,
    cut_short: CutShort,
    capfd: pytest.CaptureFixture[str],
    write: Callable[[WriteRaster], Path],
    share: float,
) -> None:
    path = write(write_raster)
    bands = probe(path, decode=True).bands
    cut_short(path, share)
    for read in (lambda: read_image(path, bands), lambda: probe(path, decode=True)):
        with pytest.raises(DataError) as caught:
            read()
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert len(message.splitlines()) <= 2
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "hole", [b"\xff\xd9", bytes(200), b"\xff\xd3\xff\xd4"], ids=["early end", "zeros", "markers"]
)
def test_a_jpeg_with_damage_inside_is_refused(
    write_raster: WriteRaster, capfd: pytest.CaptureFixture[str], hole: bytes
) -> None:
    path = write_jpeg(write_raster)
    content = path.read_bytes()
    middle = len(content) * 2 // 3
    path.write_bytes(content[:middle] + hole + content[middle + len(hole) :])
    with pytest.raises(DataError, match="damaged") as caught:
        read_image(path, 3)
    assert str(path) in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_whole_image_is_no_damaged_one(
    write_raster: WriteRaster, write: Callable[[WriteRaster], Path]
) -> None:
    path = write(write_raster)
    assert probe(path) == probe(path, decode=True)


@pytest.mark.parametrize("name", ["empty.tif", "empty.png", "empty.jpg"])
def test_an_empty_file_is_called_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    with pytest.raises(DataError, match="is an empty file") as caught:
        read_image(path, 3)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["notes.png", "notes.jpg", "notes.tif"])
def test_a_text_file_is_no_image_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("These are notes, not pixels.\n" * 20, encoding="utf-8")
    with pytest.raises(DataError, match="is not an image of a known format") as caught:
        read_image(path, 3)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.tif: no such file"):
        read_image(tmp_path / "none.tif", 3)


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder, not an image"):
        read_image(tmp_path, 3)
