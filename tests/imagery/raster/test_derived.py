"""Bands that are computed of others."""

import numpy as np
import pytest

from landslide_cli.core.composition import Band, Derived
from landslide_cli.imagery.raster.derived import derive, gradient


def plane(down: float, across: float, rows: int = 9, cols: int = 7) -> np.ndarray:
    y, x = np.mgrid[:rows, :cols].astype(np.float32)
    return np.asarray(down * y + across * x)


def of_plane(kind: Derived, down: float, across: float, pixel: tuple[float, float]) -> np.ndarray:
    return derive(Band("it", derived=kind, of=("z",)), {"z": plane(down, across)}, pixel)


def test_the_gradient_of_a_plane_is_the_same_everywhere() -> None:
    down, across = gradient(plane(3.0, -2.0), (2.0, 0.5))
    np.testing.assert_allclose(down, 1.5, rtol=1e-6)
    np.testing.assert_allclose(across, -4.0, rtol=1e-6)


def test_slope_is_in_degrees_and_knows_the_sides_of_a_pixel() -> None:
    np.testing.assert_allclose(of_plane("slope", 30.0, 0.0, (30.0, 1.0)), 45.0, rtol=1e-6)
    np.testing.assert_allclose(of_plane("slope", 0.0, 30.0, (1.0, 60.0)), 26.565, rtol=1e-4)


@pytest.mark.parametrize(
    ("down", "across", "aspect"),
    [(1.0, 0.0, 0.0), (0.0, -1.0, 90.0), (-1.0, 0.0, 180.0), (0.0, 1.0, 270.0), (0.0, 0.0, 0.0)],
)
def test_aspect_is_the_way_down_from_north_over_east(
    down: float, across: float, aspect: float
) -> None:
    np.testing.assert_allclose(of_plane("aspect", down, across, (1.0, 1.0)), aspect, atol=1e-4)


def test_a_relief_is_brightest_towards_the_light() -> None:
    level = of_plane("hillshade", 0.0, 0.0, (1.0, 1.0))
    lit = of_plane("hillshade", 1.0, 1.0, (1.0, 1.0))
    shaded = of_plane("hillshade", -1.0, -1.0, (1.0, 1.0))
    np.testing.assert_allclose(level, 255.0 * np.sin(np.radians(45.0)), rtol=1e-5)
    assert lit.min() > level.max() > shaded.max()


def test_a_normalized_difference_is_0_where_there_is_nothing() -> None:
    band = Band("ndvi", derived="normalized_difference", of=("nir", "red"))
    values = {
        "nir": np.array([[3.0, 0.0]], np.float32),
        "red": np.array([[1.0, 0.0]], np.float32),
    }
    np.testing.assert_array_equal(derive(band, values, None), [[0.5, 0.0]])


def test_a_single_row_has_a_gradient_too() -> None:
    down, across = gradient(plane(1.0, 2.0, rows=1), (1.0, 1.0))
    assert down.shape == across.shape == (1, 7)
    assert np.isfinite([down, across]).all()
