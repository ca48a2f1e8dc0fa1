"""What the tests of footprints share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio import warp

from landslide_cli.imagery.raster.georeference import pixel_area
from landslide_cli.imagery.raster.images import probe

WriteRaster = Callable[..., Path]

# UTM zones 48 and 49 north; zone 48 has its central meridian, 105 degrees east, at 500 km.
ZONE_48, ZONE_49, DEGREES, MERCATOR = "EPSG:32648", "EPSG:32649", "EPSG:4326", "EPSG:3857"


LEFT, TOP = 400_000.0, 3_400_000.0


def north_up(left: float = LEFT, top: float = TOP, pixel: float = 1.0) -> Affine:
    return Affine(pixel, 0.0, left, 0.0, -pixel, top)


def turned(x: float, y: float, degrees: float, pixel: float = 1.0) -> Affine:
    """A raster with its upper left corner at x, y, turned about it."""
    return Affine.translation(x, y) @ Affine.rotation(degrees) @ Affine.scale(pixel, -pixel)


def filled(rows: int, cols: int, value: int = 7) -> NDArray[np.uint8]:
    return np.full((rows, cols), value, np.uint8)


def reprojected(x: float, y: float, source: str, target: str) -> tuple[float, float]:
    xs, ys = warp.transform(source, target, [x], [y])
    return xs[0], ys[0]


def area_of_pixel(path: Path) -> float | None:
    info = probe(path)
    return pixel_area(info.georeference, info.width, info.height)


def collared(rows: slice, cols: slice, side: int = 100) -> NDArray[np.uint8]:
    values = np.zeros((side, side), np.uint8)
    values[rows, cols] = 7
    return values
