"""Drawn ground and views of it, of which it is known where they lie."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.imagery.overlap import MatchSettings
from landslide_cli.imagery.synthetic import draw_scene

Image = NDArray[np.uint8]


@pytest.fixture(scope="session")
def settings() -> MatchSettings:
    return MatchSettings(
        size=1024, features=600, ratio=0.85, inliers=8, tolerance=0.015, correlation=0.6
    )


@pytest.fixture(scope="session")
def ground() -> Image:
    """Ground to cut overlapping views from, (500, 600, 3)."""
    return draw_scene(5, 0, 600, 500)[0]


@pytest.fixture(scope="session")
def unrelated() -> list[Image]:
    """Views of other ground, (256, 256, 3) each."""
    return [draw_scene(5, index, 256, 256)[0] for index in range(1, 9)]


@pytest.fixture(scope="session")
def snow() -> list[Image]:
    """Smooth ground almost without key points, (256, 320, 3) each, of faint contrast."""

    def drift(seed: int) -> Image:
        noise = np.random.default_rng(seed).standard_normal((256, 320)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 12)
        gray = 200 + 4 * smooth / smooth.std()
        return np.repeat(np.rint(gray).astype(np.uint8)[..., None], 3, axis=2)

    return [drift(seed) for seed in range(12)]
