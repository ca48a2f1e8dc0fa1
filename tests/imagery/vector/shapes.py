"""Masks of known shapes, places on the ground, and the landslides of a mask."""

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from landslide_cli.imagery.provenance import Provenance
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.vector.landslides import Landslide, PolygonOptions, landslides_of
from landslide_cli.imagery.vector.outlines import Outline, Outliner

Mask = NDArray[np.uint8]

NAMES = ("background", "landslide", "rock fall")
WKT = CRS.from_epsg(32648).to_wkt()
# On the central meridian of its zone, where a metre of UTM is 1 / 0.9996 m long.
UTM = Georeference(WKT, Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000))
SQUARE_METRES = 0.25 / 0.9996**2  # a pixel
METRES = 0.5 / 0.9996  # a side of a pixel
DEGREES = Georeference(CRS.from_epsg(4326).to_wkt(), Affine(2e-6, 0, 103.5, 0, -2e-6, 31.25))
TURNED = Georeference(WKT, UTM.transform @ Affine.rotation(25))
ORIGIN = Provenance("Landslide001", 0.5, "3f2a", "2025-11-30")


def outlines_in(mask: Mask, probability: float = 0.9) -> list[Outline]:
    outliner = Outliner(len(NAMES))
    outliner.add(0, 0, mask, np.full(mask.shape, probability, np.float32))
    return outliner.finish()


def landslides_in(
    mask: Mask, place: Georeference | None = None, options: PolygonOptions | None = None
) -> list[Landslide]:
    rows, cols = mask.shape
    return landslides_of(
        outlines_in(mask), place or Georeference(), cols, rows, NAMES, options or PolygonOptions()
    )


def squares(*sizes: int) -> Mask:
    """Squares of so many pixels a side, beside each other."""
    mask = np.zeros((max(sizes) + 2, sum(sizes) + 2 * len(sizes)), np.uint8)
    left = 1
    for size in sizes:
        mask[1 : 1 + size, left : left + size] = 1
        left += size + 2
    return mask


def holed(outer: int, inner: int) -> Mask:
    mask = squares(outer)
    first = 1 + (outer - inner) // 2
    mask[first : first + inner, first : first + inner] = 0
    return mask


def blob(seed: int, size: int = 60) -> Mask:
    """A ragged mask, with holes and parts that touch by corners."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:size, :size]
    waves = sum(
        rng.normal() * np.sin(rng.normal() * rows / 5 + rng.normal() * cols / 5 + rng.normal())
        for _ in range(6)
    )
    field = np.asarray(waves + rng.normal(0, 0.6, (size, size)))
    return (field > 0.8).astype(np.uint8)
