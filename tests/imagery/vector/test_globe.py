"""Polygons in longitude and latitude, where these tear: at a pole and at 180 degrees."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio import warp

from landslide_cli.imagery.vector.globe import on_the_globe

NORTH, SOUTH = "EPSG:3413", "EPSG:3031"  # polar stereographic
POLES = pytest.mark.parametrize("crs", [NORTH, SOUTH])

# The WGS 84 ellipsoid.
MAJOR, FLATTENING = 6_378_137.0, 1 / 298.257223563
E = math.sqrt(FLATTENING * (2 - FLATTENING))


def to_equator(latitude: float) -> float:
    """Square metres between the equator and a latitude in a radian (Snyder 1987, eq. 3-12)."""
    sine = math.sin(math.radians(latitude))
    whole = sine / (1 - (E * sine) ** 2) + math.atanh(E * sine) / E
    return MAJOR**2 * (1 - E**2) * whole / 2


def ground(geometry: shapely.Geometry) -> float:
    """Square metres of an area in degrees, in a cylindrical equal-area plane of our own."""

    def plane(points: NDArray[np.float64]) -> NDArray[np.float64]:
        heights = [to_equator(latitude) for latitude in points[:, 1].tolist()]
        return np.column_stack([np.radians(points[:, 0]), heights])

    moved = shapely.transform(shapely.segmentize(geometry, 1.0), plane)
    return float(shapely.area(moved))


def scale(crs: str) -> float:
    """Square metres on the ground to one of a polar CRS, at the pole."""
    sign = 1 if crs == NORTH else -1
    ((x,), (y,)) = warp.transform("EPSG:4326", crs, [0.0], [sign * 89.99])
    cap = 2 * math.pi * (to_equator(90.0) - to_equator(89.99))
    return float(cap / (math.pi * (x**2 + y**2)))


def seam(crs: str, degrees: float) -> tuple[float, float]:
    """A place at 180 degrees, so many degrees from the pole."""
    latitude = math.copysign(90 - degrees, 1 if crs == NORTH else -1)
    ((x,), (y,)) = warp.transform("EPSG:4326", crs, [180.0], [latitude])
    return x, y


def disc(x: float, y: float, radius: float) -> shapely.Polygon:
    return shapely.Point(x, y).buffer(radius)


def laid_out(shape: shapely.Geometry, crs: str) -> shapely.Geometry:
    (there,) = on_the_globe(np.array([shape], object), crs)
    assert there.is_valid
    assert there.geom_type in ("Polygon", "MultiPolygon")
    west, south, east, north = there.bounds
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
    return there


SHAPES = {
    "around": disc(300, 200, 1000),
    "hole at the pole": disc(300, 200, 1000) - disc(0, 0, 100),
    "ring": disc(0, 0, 1000) - disc(0, 0, 900),
    "long sides": shapely.box(-1000, -700, 3000, 2000),
    "corner at the pole": shapely.box(0, 0, 500, 400),
    "notch at the pole": shapely.box(-500, -400, 500, 400) - shapely.box(0, 0, 600, 600),
    "side through the pole": shapely.box(-300, 0, 400, 300),
    "hole with a side there": shapely.box(-500, -500, 500, 500) - shapely.box(-100, 0, 100, 100),
    "beside the pole": shapely.box(1, 1, 500, 400),
    "two parts": shapely.MultiPolygon([disc(0, 0, 50), shapely.box(90, 90, 200, 200)]),
}


@POLES
@pytest.mark.parametrize("name", SHAPES)
def test_a_polygon_near_a_pole_is_valid_and_keeps_its_area(crs: str, name: str) -> None:
    there = laid_out(SHAPES[name], crs)
    assert ground(there) == pytest.approx(SHAPES[name].area * scale(crs), rel=5e-5)


@POLES
def test_a_polygon_around_a_pole_reaches_to_it_and_around_the_globe(crs: str) -> None:
    there = laid_out(SHAPES["around"], crs)
    west, south, east, north = there.bounds
    assert (west, east) == (-180, 180)
    assert (north if crs == NORTH else south) == (90 if crs == NORTH else -90)
    # What contains the pole contains what is near to it, wherever that is.
    near = shapely.points(range(-179, 180, 7), math.copysign(89.999, 1 if crs == NORTH else -1))
    assert shapely.contains(there, near).all()


@POLES
def test_holes_on_180_degrees_stay(crs: str) -> None:
    x, y = seam(crs, 0.005)
    for radius in (50, 450):
        shape = disc(300, 200, 1500) - disc(x, y, radius)
        there = laid_out(shape, crs)
        assert ground(there) == pytest.approx(shape.area * scale(crs), rel=5e-5)
        assert not there.intersects(shapely.Point(180, 90 - 0.005 if crs == NORTH else 0.005 - 90))


@given(
    x=st.integers(-40, 40),
    y=st.integers(-40, 40),
    width=st.integers(1, 60),
    height=st.integers(1, 60),
    inner=st.booleans(),
)
@example(x=0, y=-19, width=18, height=55, inner=True)
@example(x=-27, y=-3, width=27, height=8, inner=True)
@example(x=-22, y=0, width=26, height=29, inner=True)
def test_rectangles_of_pixels_around_a_pole_keep_their_areas(
    x: int, y: int, width: int, height: int, inner: bool
) -> None:
    shape = shapely.box(x, y, x + width, y + height)
    if inner and min(width, height) > 2:
        shape -= shapely.box(x + 1, y + 1, x + width - 1, y + height - 1)
    shape = shapely.transform(shape, lambda pixels: pixels * 10.0)
    assert ground(laid_out(shape, NORTH)) == pytest.approx(shape.area * scale(NORTH), rel=2e-3)


@pytest.mark.parametrize("crs", ["EPSG:32701", "EPSG:32760", "EPSG:3832"])
def test_a_polygon_across_180_degrees_is_cut_there(crs: str) -> None:
    ((x,), (y,)) = warp.transform("EPSG:4326", crs, [180.0], [-16.8])
    shape = shapely.box(x - 500, y - 300, x + 400, y + 300) - shapely.box(
        x - 9, y - 9, x + 9, y + 9
    )
    there = laid_out(shape, crs)
    assert shapely.get_num_geometries(there) == 2
    west, east = sorted(there.geoms, key=lambda part: part.centroid.x)
    assert west.bounds[0] == -180
    assert east.bounds[2] == 180
    assert max(west.bounds[2] - west.bounds[0], east.bounds[2] - east.bounds[0]) < 0.01
    stretched = {"EPSG:3832": 1 / math.cos(math.radians(16.8))}.get(crs, 0.9996) ** 2
    assert ground(there) == pytest.approx(shape.area / stretched, rel=0.01)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4490"])
def test_degrees_beyond_180_are_brought_back(crs: str) -> None:
    shape = shapely.box(179.9, -17, 180.2, -16.5) - shapely.box(179.95, -16.9, 180.1, -16.8)
    there = laid_out(shape, crs)
    assert ground(there) == pytest.approx(ground(shape), rel=1e-6)
    assert not there.intersects(shapely.Point(-179.95, -16.85))


def test_other_polygons_are_taken_over_vertex_by_vertex() -> None:
    shapes = np.array([shapely.box(4e5, 3e6, 4e5 + 9, 3e6 + 9), SHAPES["around"]], object)
    (there,) = on_the_globe(shapes[:1], "EPSG:32648")
    degrees = warp.transform("EPSG:32648", "EPSG:4326", *shapely.get_coordinates(shapes[0]).T)
    np.testing.assert_array_equal(shapely.get_coordinates(there), np.column_stack(degrees))
    assert on_the_globe(np.zeros(0, object), "EPSG:32648").shape == (0,)
