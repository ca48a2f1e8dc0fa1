"""The sun that lights the surface, with its shadows, and the camera that takes the picture."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from landslide_cli.imagery.synthetic.patterns import Floats, blurred, smoothstep
from landslide_cli.imagery.synthetic.surface import Surface


def photograph(rng: Generator, surface: Surface) -> NDArray[np.uint8]:
    """The picture of one flight: its sun, softness, haze, exposure, colour cast, tone and noise."""
    light = _sunlit(surface, rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(40, 66)))
    picture = blurred(light, rng.uniform(0.45, 0.85))
    haze = rng.uniform(0, 0.22) * rng.random()
    picture = picture + haze * (np.array([0.80, 0.84, 0.88], np.float32) - picture)
    gain = rng.uniform(0.9, 1.25) * rng.normal(1, 0.04, 3)
    toned = np.maximum(picture * gain.astype(np.float32), 0) ** rng.uniform(0.8, 1.1)
    noise = rng.uniform(0.004, 0.015) * rng.standard_normal(picture.shape, np.float32)
    return np.clip((toned + noise) * 255 + 0.5, 0, 255).astype(np.uint8)


def _sunlit(surface: Surface, azimuth: float, elevation: float) -> Floats:
    """Radiance of the surface under direct sun, with cast shadows, and a bluish sky."""
    towards = np.array([np.cos(azimuth), np.sin(azimuth)], np.float32)  # (row, col)
    climb = np.float32(np.tan(elevation))
    down, right = np.gradient(blurred(surface.height, 0.7))
    facing = climb - down * towards[0] - right * towards[1]
    direct = np.maximum(facing, 0) / climb / np.sqrt(1 + down**2 + right**2)
    horizon = surface.height
    for distance in (1, 2, 4, 8, 16, 32):  # doubled, so that 63 pixels are looked at in six steps
        shift = np.array([[1, 0, distance * towards[1]], [0, 1, distance * towards[0]]], np.float32)
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = horizon.shape[::-1]
        further = cv2.warpAffine(horizon, shift, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
        horizon = np.maximum(horizon, further - distance * climb)
    direct = direct * smoothstep(horizon - surface.height, 1.6, 0.2)
    sky = np.array([0.31, 0.34, 0.38], np.float32)
    light: Floats = sky + np.float32(0.68) * direct[..., None]
    return surface.albedo * light
