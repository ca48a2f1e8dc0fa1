"""What the tests of images share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WriteRaster = Callable[..., Path]


CutShort = Callable[..., Path]

COLORMAP = {0: (0, 0, 0, 255), 1: (200, 10, 20, 255), 2: (1, 2, 3, 0)}


def noise(bands: int, dtype: Any = np.uint8, rows: int = 48, cols: int = 64) -> NDArray[Any]:
    return np.random.default_rng(bands).integers(
        0, np.iinfo(dtype).max + 1, (rows, cols, bands), dtype
    )


def write_png(write: WriteRaster) -> Path:
    return write("scene.png", noise(3))


def write_png16(write: WriteRaster) -> Path:
    return write("scene.png", noise(3, np.uint16))


def write_gray_png(write: WriteRaster) -> Path:
    return write("scene.png", noise(1))


def write_palette_png(write: WriteRaster) -> Path:
    indices = np.random.default_rng(0).integers(0, 3, (64, 64), np.uint8)
    return write("scene.png", indices, COLORMAP)


def write_jpeg(write: WriteRaster) -> Path:
    return write("scene.jpg", noise(3))


def write_gray_jpeg(write: WriteRaster) -> Path:
    return write("scene.jpg", noise(1))


def write_tiff(write: WriteRaster) -> Path:
    return write("scene.tif", noise(3))


def write_deflated_tiff(write: WriteRaster) -> Path:
    return write("scene.tif", noise(3, np.uint16), compress="deflate")


def write_tiled_tiff(write: WriteRaster) -> Path:
    return write("scene.tif", noise(3), tiled=True, blockxsize=16, blockysize=16, compress="lzw")


def write_bmp(write: WriteRaster) -> Path:
    return write("scene.bmp", noise(3))


WRITERS = [
    write_png,
    write_png16,
    write_gray_png,
    write_palette_png,
    write_jpeg,
    write_gray_jpeg,
    write_tiff,
    write_deflated_tiff,
    write_tiled_tiff,
    write_bmp,
]
