"""Scenes that ground control points or RPCs alone place."""

from typing import Any

from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC

# On the central meridian of UTM zone 48, where a metre of UTM is 1 / 0.9996 m long.
STRAIGHT = Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)
TURNED = STRAIGHT @ Affine.rotation(30)


def gcps(
    transform: Affine, rows: int, cols: int, crs: Any = "EPSG:32648", steps: int = 1
) -> dict[str, Any]:
    """Points on a grid of so many steps over a scene, as arguments of `rasterio.open`."""
    points = [
        GroundControlPoint(row, col, *(transform @ (col, row)))
        for row in (rows * i / steps for i in range(steps + 1))
        for col in (cols * i / steps for i in range(steps + 1))
    ]
    return {"gcps": points, "crs": crs}


def rpcs(
    rows: int, cols: int, degrees: float, longitude: float = 105.0, latitude: float = 30.7
) -> dict[str, Any]:
    """RPCs of pixels of so many degrees, right at a height of 800 m, as arguments of `open`.

    The higher the ground, the more it is shifted.
    """
    nought = [0.0] * 16
    return {
        "rpcs": RPC(
            height_off=800.0,
            height_scale=500.0,
            lat_off=latitude,
            lat_scale=degrees * rows / 2,
            long_off=longitude,
            long_scale=degrees * cols / 2,
            line_off=rows / 2,
            line_scale=rows / 2,
            samp_off=cols / 2,
            samp_scale=cols / 2,
            line_den_coeff=[1.0, 0.0, 0.0, 0.0, *nought],
            line_num_coeff=[0.0, 0.0, -1.0, 0.4, *nought],
            samp_den_coeff=[1.0, 0.0, 0.0, 0.0, *nought],
            samp_num_coeff=[0.0, 1.0, 0.0, 0.4, *nought],
            err_bias=None,
            err_rand=None,
        )
    }
