"""What the tests of reader share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.shutil import copy

from landslide_cli.core.tiling.source import Piece
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader

WriteRaster = Callable[..., Path]

ROWS, COLS = 70, 90


TILED = {"tiled": True, "blockxsize": 16, "blockysize": 16}


def noise(bands: int, dtype: Any = np.uint8, rows: int = ROWS, cols: int = COLS) -> NDArray[Any]:
    rng = np.random.default_rng(bands)
    return rng.integers(1, np.iinfo(dtype).max + 1, (rows, cols, bands), dtype)


def read_whole(path: Path, preprocessing: Preprocessing) -> Piece:
    with SceneReader(path, preprocessing) as scene:
        return scene.read((0, scene.height), (0, scene.width))


def valid_of(piece: Piece) -> NDArray[np.bool_]:
    return np.ones(piece.image.shape[:2], np.bool_) if piece.valid is None else piece.valid


def write_gray_png(write: WriteRaster) -> tuple[Path, Preprocessing]:
    return write("scene.png", noise(1)), Preprocessing(3)


def write_jpeg(write: WriteRaster) -> tuple[Path, Preprocessing]:
    return write("scene.jpg", noise(3)), Preprocessing(3)


def write_strips(write: WriteRaster) -> tuple[Path, Preprocessing]:
    path = write("scene.tif", noise(5, np.uint16), interleave="band")
    return path, Preprocessing(2, (5, 2), (0, 65535))


def write_alpha(write: WriteRaster) -> tuple[Path, Preprocessing]:
    values = noise(4)
    values[:30, :25, 3] = 0
    return write("scene.tif", values, alpha="yes", interleave="pixel", **TILED), Preprocessing(3)


def write_palette(write: WriteRaster) -> tuple[Path, Preprocessing]:
    colours = {0: (9, 8, 7, 255), 1: (200, 10, 20, 255), 2: (1, 2, 3, 0)}
    return write("scene.png", noise(1) % 3, colours), Preprocessing(3)


def write_vrt(write: WriteRaster) -> tuple[Path, Preprocessing]:
    path = write("plain.tif", noise(3))
    target = path.with_name("scene.vrt")
    copy(str(path), str(target), driver="VRT")
    return target, Preprocessing(3)
