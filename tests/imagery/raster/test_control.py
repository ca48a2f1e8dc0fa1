"""Ground control points and RPCs: what they tell of a raster's place, and that maps keep them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from landslide_cli.imagery.raster.control import Control
from landslide_cli.imagery.raster.georeference import Georeference, gsd_of, pixel_area
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.raster.writer import Layer, MapWriter, finish_cog
from tests.imagery.raster.control import STRAIGHT, TURNED, gcps, rpcs

WriteRaster = Callable[..., Path]

ROWS, COLS = 30, 40
GROUND = np.ones((ROWS, COLS), np.uint8)
UTM_GSD = 0.5 / 0.9996


def place_of(path: Path) -> Georeference:
    return probe(path).georeference


@pytest.mark.parametrize("transform", [STRAIGHT, TURNED, STRAIGHT @ Affine.scale(1, -1)])
@pytest.mark.parametrize("steps", [1, 4])
def test_gsd_is_estimated_from_ground_control_points_and_areas_stay_unknown(
    write_raster: WriteRaster, transform: Affine, steps: int
) -> None:
    place = place_of(write_raster("a.tif", GROUND, **gcps(transform, ROWS, COLS, steps=steps)))
    assert not place.is_known
    assert gsd_of(place, COLS, ROWS) == pytest.approx((UTM_GSD, UTM_GSD), rel=1e-4)
    assert pixel_area(place, COLS, ROWS) is None


@pytest.mark.parametrize("longitude", [103.5, 180.0, -180.0])
def test_gsd_is_estimated_from_points_in_degrees_on_both_sides_of_180(
    write_raster: WriteRaster, longitude: float
) -> None:
    transform = Affine(1e-5, 0, longitude - 2e-4, 0, -1e-5, 1.5e-4)
    control = gcps(transform, ROWS, COLS, "EPSG:4326", steps=2)
    for point in control["gcps"]:
        point.x = (point.x + 180.0) % 360.0 - 180.0
    gsd = gsd_of(place_of(write_raster("a.tif", GROUND, **control)), COLS, ROWS)
    assert gsd == pytest.approx((1.10574, 1.11319), rel=1e-4)


def test_gsd_is_estimated_from_rpcs(write_raster: WriteRaster) -> None:
    place = place_of(write_raster("a.tif", GROUND, **rpcs(ROWS, COLS, 1e-5)))
    assert not place.is_known
    # A degree on WGS 84 at 30.7 degrees north.
    assert gsd_of(place, COLS, ROWS) == pytest.approx((1.10860, 0.95809), rel=1e-3)


def points(*places: tuple[float, float, float, float]) -> tuple[GroundControlPoint, ...]:
    return tuple(GroundControlPoint(*place) for place in places)


@pytest.mark.parametrize(
    "control",
    [
        Control(points((0, 0, 5e5, 3e6)), "EPSG:32648"),
        Control(points((0, 0, 5e5, 3e6), (9, 9, 5e5 + 9, 3e6 - 9)), "EPSG:32648"),
        Control(
            points((0, 0, 5e5, 3e6), (4, 4, 5e5 + 4, 3e6 - 4), (9, 9, 5e5 + 9, 3e6 - 9)),
            "EPSG:32648",
        ),
        Control(points((0, 0, 5e5, 3e6), (0, 9, 5e5, 3e6), (9, 0, 5e5, 3e6)), "EPSG:32648"),
        Control(points((0, 0, np.nan, 3e6), (0, 9, 5e5, 3e6), (9, 0, 5e5, 3e6)), "EPSG:32648"),
        Control(points((0, 0, 0, 300), (0, 9, 1, 300), (9, 0, 0, 309)), "EPSG:4326"),
        Control(points((0, 0, 0, 0), (0, 9, 1, 0), (9, 0, 0, 1)), None),
        Control(points((0, 0, 0, 0), (0, 9, 1, 0), (9, 0, 0, 1)), "EPSG:4978"),
    ],
    ids=[
        *("one", "two", "on a line", "in one place", "not a number", "off the Earth", "no CRS"),
        "not a map",
    ],
)
def test_points_that_do_not_tell_where_leave_the_gsd_unknown(control: Control) -> None:
    assert gsd_of(Georeference(control=control), COLS, ROWS) is None


def test_a_georeference_takes_precedence_over_rpcs(write_raster: WriteRaster) -> None:
    both: dict[str, Any] = {"crs": "EPSG:32648", "transform": STRAIGHT}
    path = write_raster("a.tif", GROUND, **both, **rpcs(ROWS, COLS, 1e-4))
    assert place_of(path).control is None
    assert gsd_of(place_of(path), COLS, ROWS) == pytest.approx((UTM_GSD, UTM_GSD), rel=1e-4)


def mapped(folder: Path, place: Georeference) -> Path:
    layer = Layer("uint8", 255)
    with MapWriter(folder / "raw.tif", ROWS, COLS, place, layer) as writer:
        writer.write(0, 0, GROUND)
    finish_cog(folder / "raw.tif", folder / "map.tif", layer)
    return folder / "map.tif"


@pytest.mark.parametrize("crs", [CRS.from_epsg(32648), CRS()])
def test_a_map_keeps_ground_control_points(
    write_raster: WriteRaster, tmp_path: Path, crs: CRS
) -> None:
    scene = write_raster("a.tif", GROUND, **gcps(TURNED, ROWS, COLS, crs, steps=3))
    path = mapped(tmp_path, place_of(scene))
    with rasterio.open(scene) as before, rasterio.open(path) as after:
        assert after.gcps[1] == before.gcps[1]
        assert [point.asdict() for point in after.gcps[0]] == [
            point.asdict() for point in before.gcps[0]
        ]
        assert len(after.gcps[0]) == 16
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.tif", "map.tif", "raw.tif"]


def test_a_map_keeps_rpcs(write_raster: WriteRaster, tmp_path: Path) -> None:
    scene = write_raster("a.tif", GROUND, **rpcs(ROWS, COLS, 1e-5))
    with rasterio.open(scene) as before, rasterio.open(mapped(tmp_path, place_of(scene))) as after:
        assert after.rpcs is not None
        assert after.rpcs == before.rpcs
