import math

import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio import warp
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import (
    Georeference,
    georeference_of,
    gsd_of,
    metric_crs,
    placed,
    reprojected,
)

WIDTH, HEIGHT = 400, 300


def georeference(crs: str, transform: Affine) -> Georeference:
    return Georeference(CRS.from_user_input(crs).to_wkt(), transform)


def frame(place: Georeference) -> shapely.Geometry:
    """The rim of the raster in coordinates of its CRS, with a vertex at every pixel."""
    ring = shapely.segmentize(shapely.box(0, 0, WIDTH, HEIGHT), 1.0)
    return shapely.transform(ring, lambda points: placed(points, place.transform))


def metric_area(place: Georeference) -> float:
    metric = metric_crs(place, WIDTH, HEIGHT)
    shapes = np.array([frame(place)], object)
    return float(shapely.area(reprojected(shapes, str(place.crs), metric))[0])


def ellipsoidal_area(west: float, south: float, east: float, north: float) -> float:
    """Square metres between two meridians and two parallels on WGS 84 (Snyder 1987, eq. 3-12)."""
    a, f = 6378137.0, 1 / 298.257223563
    e = math.sqrt(f * (2 - f))

    def q(latitude: float) -> float:
        s = math.sin(math.radians(latitude))
        log = math.log((1 - e * s) / (1 + e * s)) / (2 * e)
        return (1 - e * e) * (s / (1 - e * e * s * s) - log)

    return a * a / 2 * math.radians(east - west) * (q(north) - q(south))


def radii_of_curvature(latitude: float) -> tuple[float, float]:
    """Metres in a radian along the meridian, and along the parallel, on WGS 84."""
    a, f = 6378137.0, 1 / 298.257223563
    root = math.sqrt(1 - f * (2 - f) * math.sin(math.radians(latitude)) ** 2)
    across = a / root
    return across * (1 - f) ** 2 / root**2, across * math.cos(math.radians(latitude))


@pytest.mark.parametrize("latitude", [-75.0, -31.0, 0.001, 31.0, 63.0])
@pytest.mark.parametrize("pixel", [2e-6, 1e-4])
def test_areas_of_a_scene_in_degrees_are_those_on_the_ellipsoid(
    latitude: float, pixel: float
) -> None:
    place = georeference("EPSG:4326", Affine(pixel, 0, 103.5, 0, -pixel, latitude))
    bounds = shapely.bounds(frame(place)).tolist()
    assert metric_area(place) == pytest.approx(ellipsoidal_area(*bounds), rel=1e-6)


def test_areas_hold_across_the_antimeridian() -> None:
    place = georeference("EPSG:4326", Affine(1e-4, 0, 179.98, 0, -1e-4, -17.0))
    bounds = shapely.bounds(frame(place)).tolist()
    assert metric_area(place) == pytest.approx(ellipsoidal_area(*bounds), rel=1e-6)


def test_areas_of_a_scene_in_utm_are_without_the_scale_of_its_meridian() -> None:
    # On the central meridian UTM makes lengths 0.9996 of what they are.
    place = georeference("EPSG:32648", Affine(0.5, 0, 500_000 - 100, 0, -0.5, 3_400_000))
    on_the_ground = WIDTH * HEIGHT * 0.25 / 0.9996**2
    assert metric_area(place) == pytest.approx(on_the_ground, rel=1e-6)


def test_gsd_of_a_scene_in_degrees_differs_along_rows_and_columns() -> None:
    place = georeference("EPSG:4326", Affine(2e-6, 0, 103.0, 0, -3e-6, 31.0))
    meridian, parallel = radii_of_curvature(31.0 - 3e-6 * HEIGHT / 2)
    expected = (math.radians(3e-6) * meridian, math.radians(2e-6) * parallel)
    assert gsd_of(place, WIDTH, HEIGHT) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("crs", "easting", "northing", "unit"),
    [
        ("EPSG:32648", 500_000, 3_400_000, 1 / 0.9996),  # UTM, on its meridian
        ("EPSG:2225", 6_561_666.667, 2_000_000, 1200 / 3937),  # US survey feet
        ("EPSG:2193", 1_600_000, 5_400_000, 1 / 0.9996),  # northing is its first axis
    ],
)
def test_gsd_is_in_metres_on_the_ground(
    crs: str, easting: float, northing: float, unit: float
) -> None:
    place = georeference(crs, Affine(0.5, 0, easting, 0, -0.25, northing))
    expected = (0.25 * unit, 0.5 * unit)
    assert gsd_of(place, WIDTH, HEIGHT) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("crs", ["EPSG:3413", "EPSG:3031", "EPSG:5041"])
@pytest.mark.parametrize("off", [0.0, 3.0, 2_000.0, 9_000.0, 20_000.0])
def test_gsd_and_area_hold_at_a_pole(crs: str, off: float) -> None:
    # Stereographic around the pole: its scale, which is the same for kilometres around, by a cap.
    pole = (0.0, 0.0) if crs != "EPSG:5041" else (2e6, 2e6)
    sign = -1 if crs == "EPSG:3031" else 1
    (x,), (y,) = warp.transform("EPSG:4326", crs, [0.0], [sign * 89.99])
    cap = abs(ellipsoidal_area(0, 89.99, 360, 90))
    scale = math.sqrt(cap / math.pi) / math.hypot(x - pole[0], y - pole[1])
    left, top = pole[0] - WIDTH / 4 + off, pole[1] + HEIGHT / 4
    place = georeference(crs, Affine(0.5, 0, left, 0, -0.5, top))
    side = 0.5 * scale
    assert gsd_of(place, WIDTH, HEIGHT) == pytest.approx((side, side), rel=1e-5)
    assert metric_area(place) == pytest.approx(WIDTH * HEIGHT * side**2, rel=1e-5)
    small = Georeference(place.crs, Affine(0.5, 0, pole[0] + off, 0, -0.5, pole[1]))
    assert gsd_of(small, 4, 4) == pytest.approx((side, side), rel=1e-5)


def test_gsd_of_a_rotated_scene_is_along_its_own_rows_and_columns() -> None:
    turned = Affine.translation(500_000, 3_400_000) @ Affine.rotation(30) @ Affine.scale(0.5, -0.25)
    gsd = gsd_of(georeference("EPSG:32648", turned), WIDTH, HEIGHT)
    assert gsd == pytest.approx((0.25 / 0.9996, 0.5 / 0.9996), rel=1e-6)


@pytest.mark.parametrize(
    "place",
    [
        Georeference(),
        Georeference(None, Affine(0.5, 0, 10, 0, -0.5, 20)),
        georeference("EPSG:32648", Affine.identity()),
    ],
)
def test_without_a_georeference_there_is_no_gsd_and_no_metric_crs(place: Georeference) -> None:
    assert not place.is_known
    assert gsd_of(place, WIDTH, HEIGHT) is None
    with pytest.raises(DataError):
        metric_crs(place, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    "place",
    [
        georeference("EPSG:4326", Affine(1, 0, 0, 0, 1.5, 0)),
        georeference("EPSG:32648", Affine(1, 0, 1e9, 0, -1, 1e9)),
        georeference("EPSG:4978", Affine(1, 0, 100, 0, -1, 500)),
        georeference("EPSG:5773", Affine(1, 0, 100, 0, -1, 500)),
        georeference("+proj=longlat +a=1737400 +b=1737400", Affine(1e-5, 0, 1, 0, -1e-5, 5)),
    ],
)
def test_a_georeference_off_the_earth_is_an_error_that_says_where(place: Georeference) -> None:
    with pytest.raises(DataError, match="nothing on the Earth at x = "):
        gsd_of(place, WIDTH, HEIGHT)


def test_many_shapes_are_reprojected_at_once_as_one_by_one() -> None:
    boxes = shapely.box(*np.random.default_rng(0).uniform([[3e5] * 4], 5e5, (20, 4)).T)
    shapes = np.array([*boxes, shapely.MultiPolygon([boxes[0], boxes[1]])], object)
    together = reprojected(shapes, "EPSG:32648", "EPSG:4326")
    for shape, moved in zip(shapes, together, strict=True):
        (alone,) = reprojected(np.array([shape], object), "EPSG:32648", "EPSG:4326")
        assert moved.geom_type == shape.geom_type
        assert shapely.equals_exact(moved, alone)


def test_reprojecting_there_and_back_ends_where_it_began() -> None:
    place = georeference("EPSG:32648", Affine(0.2, 0, 400_000, 0, -0.2, 3_400_000))
    shapes = np.array([frame(place)], object)
    metric = metric_crs(place, WIDTH, HEIGHT)
    back = reprojected(reprojected(shapes, str(place.crs), metric), metric, str(place.crs))
    assert shapely.equals_exact(back, shapes, tolerance=1e-6).all()


def test_no_shapes_are_reprojected_to_none() -> None:
    assert reprojected(np.zeros(0, object), "EPSG:32648", "EPSG:4326").shape == (0,)


def test_a_raster_says_where_it_lies() -> None:
    transform = Affine(0.5, 0, 400_000, 0, -0.5, 3_400_000)
    options = {"driver": "GTiff", "width": 3, "height": 2, "count": 1, "dtype": "uint8"}
    with MemoryFile() as file:
        with file.open(**options, crs="EPSG:32648", transform=transform) as dataset:
            dataset.write(np.zeros((1, 2, 3), np.uint8))
        with file.open() as dataset:
            read = georeference_of(dataset)
    assert read.is_known
    assert read.transform == transform
    assert CRS.from_wkt(str(read.crs)) == CRS.from_epsg(32648)
