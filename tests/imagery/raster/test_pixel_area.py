"""The area of a pixel on the ground, in every projection."""

import math

import numpy as np
import pytest

from tests.imagery.raster.places import (
    DEGREES,
    LEFT,
    MERCATOR,
    TOP,
    ZONE_48,
    WriteRaster,
    area_of_pixel,
    collared,
    filled,
    north_up,
    reprojected,
    turned,
)


def area_between(south: float, north: float, degrees: float) -> float:
    """The area between two latitudes, so many degrees wide, on WGS 84, in square metres.

    The closed formula of the ellipsoid (Snyder 1987, Map Projections, equation 3-12).
    """
    major, flattening = 6_378_137.0, 1 / 298.257223563
    e = math.sqrt(flattening * (2 - flattening))

    def to_equator(latitude: float) -> float:
        sine = math.sin(math.radians(latitude))
        return sine / (1 - (e * sine) ** 2) + math.atanh(e * sine) / e

    strip = to_equator(north) - to_equator(south)
    return math.radians(degrees) * major**2 * (1 - e**2) * strip / 2


@pytest.mark.parametrize("pixel", [0.2, 10.0])
@pytest.mark.parametrize("easting", [200_000.0, 400_000.0, 500_000.0])
def test_the_area_of_a_pixel_of_utm_is_its_square_but_for_the_scale_factor(
    write_raster: WriteRaster, easting: float, pixel: float
) -> None:
    path = write_raster(
        "scene.tif", filled(100, 120), crs=ZONE_48, transform=north_up(easting, TOP, pixel)
    )
    # The scale is 0.9996 on the central meridian and grows with the distance from it.
    middle = easting + 60 * pixel
    scale = 0.9996 * (1 + ((middle - 500_000) / 0.9996 / 6_371_000) ** 2 / 2)
    assert area_of_pixel(path) == pytest.approx((pixel / scale) ** 2, rel=5e-5)
    assert area_of_pixel(path) == pytest.approx(pixel**2, rel=0.003)


@pytest.mark.parametrize("latitude", [-44.0, 0.0, 30.7, 62.0])
@pytest.mark.parametrize("pixel", [1e-5, 1e-3])
def test_the_area_of_a_pixel_in_degrees_is_that_on_the_ellipsoid(
    write_raster: WriteRaster, latitude: float, pixel: float
) -> None:
    path = write_raster(
        "scene.tif", filled(80, 90), crs=DEGREES, transform=north_up(103.0, latitude, pixel)
    )
    whole = area_between(latitude - 80 * pixel, latitude, 90 * pixel)
    assert area_of_pixel(path) == pytest.approx(whole / (80 * 90), rel=1e-4)


def test_the_area_of_a_pixel_of_web_maps_is_not_its_square(write_raster: WriteRaster) -> None:
    x, y = reprojected(103.0, 31.0, DEGREES, MERCATOR)
    path = write_raster("scene.tif", filled(50, 50), crs=MERCATOR, transform=north_up(x, y))
    (west, north), (east, south) = (
        reprojected(x + right, y - down, MERCATOR, DEGREES) for right, down in ((0, 0), (50, 50))
    )
    expected = area_between(south, north, east - west) / 50**2
    assert expected == pytest.approx(math.cos(math.radians(31)) ** 2, rel=0.01)
    assert area_of_pixel(path) == pytest.approx(expected, rel=1e-4)


def test_the_area_of_a_pixel_in_feet_is_in_square_metres(write_raster: WriteRaster) -> None:
    # New York, Long Island: US survey feet.
    transform = north_up(1_000_000.0, 200_000.0, 2.0)
    path = write_raster("scene.tif", filled(50, 50), crs="EPSG:2263", transform=transform)
    assert area_of_pixel(path) == pytest.approx((2 * 1200 / 3937) ** 2, rel=0.001)


def test_the_area_of_a_pixel_minds_neither_turns_nor_collars(write_raster: WriteRaster) -> None:
    straight, slanting, marked = (
        area_of_pixel(write_raster(name, values, crs=ZONE_48, transform=transform, nodata=nodata))
        for name, values, transform, nodata in (
            ("a.tif", filled(100, 100), north_up(), None),
            ("b.tif", filled(100, 100), turned(LEFT, TOP, 30), None),
            ("c.tif", collared(np.s_[20:80], np.s_[20:80]), north_up(), 0),
        )
    )
    assert slanting == pytest.approx(straight, rel=1e-5)
    assert marked == straight


def test_the_area_of_a_pixel_is_right_across_the_date_line(write_raster: WriteRaster) -> None:
    """The scene lies on Taveuni, Fiji, half of it east and half west of 180 degrees."""
    left, top = reprojected(180.0, -16.8, DEGREES, "EPSG:32701")
    transform = north_up(left - 50, top)
    path = write_raster("scene.tif", filled(100, 100), crs="EPSG:32701", transform=transform)
    assert area_of_pixel(path) == pytest.approx(1.0, rel=0.003)
