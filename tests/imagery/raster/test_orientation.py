"""Images that their EXIF tag turns are refused, in every format that has the tag."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from PIL import Image

from landslide_cli.core.palette import Palette
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import probe, read_image
from landslide_cli.imagery.raster.masks import read_mask

WriteRaster = Callable[..., Path]

SUFFIXES = [".jpg", ".png", ".webp", ".tif"]


def write_turned(path: Path, orientation: int, **options: Any) -> Path:
    image, exif = Image.fromarray(np.full((8, 8, 3), 90, np.uint8)), Image.Exif()
    exif[274] = orientation
    if path.suffix == ".tif":
        image.save(path, tiffinfo={274: orientation}, **options)
    else:
        image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_image_is_refused_with_a_remedy(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    path = write_turned(tmp_path / f"scene{suffix}", orientation)
    for read in (lambda: read_image(path, 3), lambda: probe(path)):
        with pytest.raises(DataError, match=rf"orientation {orientation}") as caught:
            read()
        assert "auto-orient" in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_upright_image_is_read(tmp_path: Path, suffix: str) -> None:
    assert read_image(write_turned(tmp_path / f"scene{suffix}", 1), 3).shape == (8, 8, 3)


def test_a_turned_bigtiff_is_refused(tmp_path: Path) -> None:
    path = write_turned(tmp_path / "scene.tif", 6, big_tiff=True)
    with pytest.raises(DataError, match="orientation 6"):
        probe(path)


def test_a_tag_after_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    path = write_turned(tmp_path / "scene.png", 1)
    exif = Image.Exif()
    exif[274] = 8
    chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    framed = (len(chunk) - 4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    content = bytearray(write_without_exif(tmp_path).read_bytes())
    content[-12:-12] = framed
    path.write_bytes(content)
    with pytest.raises(DataError, match="orientation 8"):
        probe(path)


def write_without_exif(tmp_path: Path) -> Path:
    path = tmp_path / "plain.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    return path


def test_a_turned_mask_is_refused(tmp_path: Path, palette: Palette) -> None:
    with pytest.raises(DataError, match="orientation 3"):
        read_mask(write_turned(tmp_path / "mask.png", 3), palette)


def test_a_georeference_counts_more_than_the_tag(tmp_path: Path) -> None:
    path = write_turned(tmp_path / "scene.tif", 6)
    a, b, c, d, e, f = Affine(0.5, 0, 400000, 0, -0.5, 3450000)[:6]
    path.with_suffix(".tfw").write_text("\n".join(map(str, (a, d, b, e, c, f))))
    assert read_image(path, 3).shape == (8, 8, 3)
