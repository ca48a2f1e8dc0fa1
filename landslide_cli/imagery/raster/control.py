"""Ground control points and RPCs, which place rasters that have no transform."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import RasterioError, TransformError
from rasterio.rpc import RPC
from rasterio.transform import RPCTransformer

Points = NDArray[np.float64]

# The CRS of what RPCs say.
_DEGREES = "EPSG:4326"


@dataclass(frozen=True)
class Control:
    """What places a raster without a transform: ground control points in a CRS (WKT), or RPCs.

    Where a file has both, the points are taken.
    """

    points: tuple[GroundControlPoint, ...] = ()
    points_crs: str | None = None
    rpcs: RPC | None = None

    @property
    def kind(self) -> str:
        """What it is called."""
        return "ground control points" if self.points else "RPCs"

    @property
    def crs(self) -> str | None:
        """The CRS of the places."""
        return self.points_crs if self.points else _DEGREES

    @property
    def placing(self) -> Mapping[str, Any]:
        """The arguments by which `rasterio.open` gives it to a file."""
        if self.points:
            return {"gcps": list(self.points), "crs": self.points_crs or CRS()}
        return {"rpcs": self.rpcs}

    @property
    def warping(self) -> Mapping[str, Any]:
        """GDAL's options for warping by it: without a terrain model RPCs need a height."""
        return {} if self.rpcs is None or self.points else {"RPC_HEIGHT": self.rpcs.height_off}

    def approximation(self, width: int, height: int) -> Affine | None:
        """Fit a transform to it, by least squares; None where it leaves that open.

        Longitudes go beyond 180 degrees where the raster does.

        Args:
            width: of the raster, in pixels.
            height: likewise.
        """
        if self.crs is None:
            return None
        try:
            pixels, places = self._pairs(width, height)
            if CRS.from_user_input(self.crs).is_geographic:
                places[:, 0] = _unwrapped(places[:, 0])
        except (RasterioError, TransformError):
            return None
        return _fitted(pixels, places)

    def _pairs(self, width: int, height: int) -> tuple[Points, Points]:
        """Return (points, 2) of x, y in pixels, and in the CRS."""
        if self.points:
            pixels = np.array([(point.col, point.row) for point in self.points], np.float64)
            return pixels, np.array([(point.x, point.y) for point in self.points], np.float64)
        pixels = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
        with RPCTransformer(self.rpcs, **self.warping) as transformer:
            x, y = transformer.xy(pixels[:, 1], pixels[:, 0], offset="ul")
        return pixels, np.column_stack([x, y]).astype(np.float64)


def control_of(dataset: Any) -> Control | None:
    """Return the ground control points or RPCs of an opened raster; None if there are none."""
    points, crs = dataset.gcps
    if points:
        return Control(tuple(points), crs.to_wkt() if crs else None)
    return None if dataset.rpcs is None else Control(rpcs=dataset.rpcs)


def _unwrapped(longitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move longitudes west of 180 degrees to the east of it, where they lie on both sides."""
    return longitudes % 360.0 if np.ptp(longitudes) > 180.0 else longitudes


def _fitted(pixels: Points, places: Points) -> Affine | None:
    if not np.isfinite(places).all():
        return None
    # Around their middles, so that the sums keep their digits.
    middle, there = pixels.mean(axis=0), places.mean(axis=0)
    solution, _, rank, _ = np.linalg.lstsq(pixels - middle, places - there, rcond=1e-9)
    if rank < 2:
        return None
    (a, d), (b, e) = solution.tolist()
    x, y = (there - middle @ solution).tolist()
    return Affine(a, b, x, d, e, y)
