"""What is around a map: places in pixels, a grid, north."""

import numpy as np
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from landslide_cli.imagery.map_frame import (
    crs_name,
    grid_of,
    north_of,
    polygons_in_pixels,
    rings_of,
    round_length,
)
from landslide_cli.imagery.raster.georeference import (
    LONGITUDE_LATITUDE,
    Georeference,
    placed,
    reprojected,
)
from landslide_cli.imagery.vector.attributes import LandslideTable
from tests.imagery.vector.shapes import DEGREES, TURNED, UTM

SQUARE = np.array([shapely.box(10, 20, 30, 40)], object)


def on_the_ground(place: Georeference) -> LandslideTable:
    geometries = shapely.transform(SQUARE, lambda xy: placed(xy, place.transform))
    return LandslideTable(np.asarray(geometries, object), {}, place.crs)


@pytest.mark.parametrize("place", [UTM, DEGREES, TURNED])
def test_polygons_come_back_to_their_pixels(place: Georeference) -> None:
    (square,) = polygons_in_pixels(on_the_ground(place), place)
    assert square.equals_exact(SQUARE[0], 1e-3)


def test_polygons_in_longitude_and_latitude_come_to_pixels() -> None:
    table = on_the_ground(UTM)
    there = reprojected(table.geometries, str(UTM.crs), LONGITUDE_LATITUDE)
    (square,) = polygons_in_pixels(LandslideTable(there, {}, LONGITUDE_LATITUDE), UTM)
    assert square.equals_exact(SQUARE[0], 1e-2)


def test_polygons_of_a_scene_without_georeference_are_in_pixels_already() -> None:
    (square,) = polygons_in_pixels(LandslideTable(SQUARE, {}, None), Georeference())
    assert square is SQUARE[0]


def test_rings_keep_holes_and_parts_without_needless_vertices() -> None:
    ring = shapely.segmentize(shapely.box(0, 0, 100, 100), 1.0)
    holed = ring - shapely.box(40, 40, 60, 60)
    parts = rings_of(shapely.MultiPolygon([holed, shapely.box(200, 0, 250, 50)]), 0.5)
    assert sorted(len(rings) for rings in parts) == [1, 2]
    assert all(len(ring) == 5 and ring[0] == ring[-1] for rings in parts for ring in rings)


def test_grid_has_round_coordinates_at_their_places() -> None:
    lines = grid_of(UTM, 1000, 800)
    assert [line.label for line in lines if line.axis == "x"] == [
        f"500,{metres:03d}" for metres in range(0, 501, 100)
    ]
    by_label = {line.label: line for line in lines}
    # 500,100 is 200 pixels of half a metre to the right; its label is below.
    assert by_label["500,100"].ends == ((200.0, 800.0), (200.0, 0.0))
    # 3,399,900 is 200 pixels below the upper edge; its label is to the left.
    assert by_label["3,399,900"].ends == ((0.0, 200.0), (1000.0, 200.0))


def test_grid_of_degrees_names_their_sides() -> None:
    labels = {line.label for line in grid_of(DEGREES, 1000, 1000)}
    assert "103.5010° E" in labels
    assert "31.2490° N" in labels
    west = Georeference(DEGREES.crs, Affine(1, 0, -12, 0, -1, 3))
    labels = {line.label for line in grid_of(west, 10, 10)}
    assert {"4° W", "4° S"} <= labels


def test_grid_of_a_turned_scene_stays_inside() -> None:
    lines = grid_of(TURNED, 300, 200)
    ends = np.array([line.ends for line in lines])
    assert len(lines) > 4
    assert (ends >= 0).all()
    assert (ends <= (300, 200)).all()


def test_scene_without_georeference_has_no_grid_and_no_north() -> None:
    assert grid_of(Georeference(), 10, 10) == []
    assert north_of(Georeference(), 10, 10) is None
    assert crs_name(Georeference()) is None


def test_north_is_up_where_the_grid_is_and_turns_with_the_scene() -> None:
    # On the central meridian of the zone.
    assert north_of(UTM, 100, 100) == pytest.approx(0.0, abs=0.1)
    here, up = placed(np.array([[0.0, 0.0], [0.0, -1.0]]), TURNED.transform)
    east, north = up - here
    # If the image's up is so far east of north, north is as far west of up.
    expected = -np.degrees(np.arctan2(east, north))
    assert north_of(TURNED, 100, 100) == pytest.approx(expected, abs=0.1)
    south = Georeference(DEGREES.crs, Affine(-1e-5, 0, 20, 0, 1e-5, -33))
    assert abs(north_of(south, 100, 100) or 0.0) == pytest.approx(180.0)


def test_crs_is_named_with_its_code() -> None:
    assert crs_name(UTM) == "WGS 84 / UTM zone 48N (EPSG:32648)"
    own = CRS.from_proj4("+proj=laea +lat_0=31 +lon_0=103 +datum=WGS84").to_wkt()
    assert "EPSG" not in str(crs_name(Georeference(own, UTM.transform)))


@pytest.mark.parametrize(
    ("most", "length"), [(1.0, 1.0), (1.9, 1.0), (4.9, 2.0), (77, 50), (0.6, 0.5)]
)
def test_lengths_of_scale_bars_are_round(most: float, length: float) -> None:
    assert round_length(most) == pytest.approx(length)
