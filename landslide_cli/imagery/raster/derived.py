"""Bands that are computed of others: terrain, normalized differences, differences."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.composition import Band

Floats = NDArray[np.float32]

# Where rows and columns of a raster lead on the ground: unit vectors (east, north) of a step across
# and of a step down.
Axes = tuple[tuple[float, float], tuple[float, float]]
NORTH_UP: Axes = ((1.0, 0.0), (0.0, -1.0))


def derive(
    band: Band,
    values: Mapping[str, Floats],
    pixel: tuple[float, float] | None,
    axes: Axes = NORTH_UP,
) -> Floats:
    """Compute a derived band.

    Args:
        band: which one.
        values: of the bands that it is of, (rows, cols).
        pixel: sides of a pixel in metres, down and across, for those of terrain.
        axes: where rows and columns lead, likewise.

    Returns:
        (rows, cols): degrees of slope; degrees of aspect from north over east, 0 on level ground;
        a shaded relief of 0 to 255, lit from the north-west at 45 degrees; a normalized difference
        of -1 to 1; or a difference.
    """
    first, *others = (values[name] for name in band.of)
    if band.derived == "normalized_difference":
        total = first + others[0]
        ratio = np.divide(first - others[0], total, out=np.zeros_like(total), where=total != 0)
        return np.asarray(np.clip(ratio, -1.0, 1.0), np.float32)
    if band.derived == "difference":
        return first - others[0]
    south, east = _by_compass(*gradient(first, pixel or (1.0, 1.0)), axes)
    if band.derived == "slope":
        return np.degrees(np.arctan(np.hypot(south, east)))
    if band.derived == "aspect":  # of the way down
        aspect = np.degrees(np.arctan2(-east, south)) % 360.0
        return np.where((south == 0.0) & (east == 0.0), np.float32(0.0), aspect)
    return hillshade(south, east)


def gradient(heights: Floats, pixel: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return how heights rise down and across, by Horn (1981, doi:10.1109/PROC.1981.11918).

    At the edges the ground is `continued`.

    Args:
        heights: (rows, cols) in metres.
        pixel: sides of a pixel in metres, down and across.
    """
    padded = continued(heights, [(1, 1), (1, 1)])
    above, below = padded[:-2], padded[2:]
    down = _smoothed(below - above) / np.float32(8.0 * pixel[0])
    left, right = padded[:, :-2], padded[:, 2:]
    across = _smoothed((right - left).T).T / np.float32(8.0 * pixel[1])
    return down, across


def continued(values: Floats, widths: Sequence[tuple[int, int]]) -> Floats:
    """Continue (..., rows, cols) beyond the edges, rising and falling as they do there.

    Args:
        values: of ground.
        widths: how many rows above and below, and how many columns left and right, are added.
    """
    padding = [*[(0, 0)] * (values.ndim - 2), *widths]
    if min(values.shape[-2:]) > 1:
        return np.pad(values, padding, mode="reflect", reflect_type="odd")
    return np.pad(values, padding, mode="edge")


def _by_compass(down: Floats, across: Floats, axes: Axes) -> tuple[Floats, Floats]:
    """Return how heights rise to the south and to the east, of how they rise down and across."""
    (across_east, across_north), (down_east, down_north) = axes
    area = across_east * down_north - down_east * across_north
    east = (down_north * across - across_north * down) / area
    south = (down_east * across - across_east * down) / area
    return np.asarray(south, np.float32), np.asarray(east, np.float32)


def hillshade(
    south: Floats, east: Floats, azimuth: float = 315.0, altitude: float = 45.0
) -> Floats:
    """Shade a relief by its gradient, 0 to 255: the cosine between ground and light.

    Args:
        south: rise of the heights to the south, in metres per metre.
        east: likewise.
        azimuth: of the light, in degrees from north over east.
        altitude: of the light over the horizon, in degrees.
    """
    turn, height = np.radians(azimuth), np.radians(altitude)
    towards = np.sin(height) - np.cos(height) * (np.sin(turn) * east - np.cos(turn) * south)
    shade = towards / np.sqrt(1.0 + south**2 + east**2)
    return np.asarray(255.0 * np.clip(shade, 0.0, 1.0), np.float32)


def _smoothed(values: Floats) -> Floats:
    """Weigh each pixel twice and its neighbours along the columns once; two columns are lost."""
    return values[:, :-2] + 2.0 * values[:, 1:-1] + values[:, 2:]
