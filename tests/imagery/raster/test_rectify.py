"""Scenes warped by ground control points or RPCs as they are read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from landslide_cli.imagery.raster.georeference import pixel_area
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from tests.imagery.raster.control import STRAIGHT, TURNED, gcps, rpcs

WriteRaster = Callable[..., Path]
Values = NDArray[Any]

ROWS, COLS = 60, 80
GRAY = Preprocessing(1)


def patch(bright: int = 200) -> Values:
    """A bright rectangle of 20 x 30 pixels on dark ground."""
    values = np.full((ROWS, COLS), 20, np.uint8)
    values[20:40, 30:60] = bright
    return values


def warped(path: Path, preprocessing: Preprocessing = GRAY) -> tuple[SceneReader, Values, Values]:
    """Read a scene whole, by halves; return the closed reader, pixels, and which hold data."""
    with SceneReader(path, preprocessing, warp=True) as scene:
        middle = scene.height // 2
        halves = [
            scene.read(rows, (0, scene.width)) for rows in ((0, middle), (middle, scene.height))
        ]
    image = np.vstack([half.image for half in halves])
    valid = [
        np.ones(half.image.shape[:2], bool) if half.valid is None else half.valid for half in halves
    ]
    return scene, image[..., 0], np.vstack(valid)


def bright_ground(scene: SceneReader, image: Values) -> float:
    area = pixel_area(scene.georeference, scene.width, scene.height)
    assert area is not None
    return float((image > 110).sum() * area)


@pytest.mark.parametrize("transform", [STRAIGHT, TURNED])
def test_a_scene_is_warped_by_its_points_into_their_own_crs(
    write_raster: WriteRaster, transform: Affine
) -> None:
    scene, image, valid = warped(write_raster("a.tif", patch(), **gcps(transform, ROWS, COLS)))
    assert scene.is_warped
    assert CRS.from_wkt(str(scene.georeference.crs)) == CRS.from_epsg(32648)
    assert bright_ground(scene, image) == pytest.approx(150 / 0.9996**2, rel=0.02)
    # Its middle is where it was.
    rows, cols = np.nonzero(image > 110)
    x, y = scene.georeference.transform @ (cols.mean() + 0.5, rows.mean() + 0.5)
    assert (x, y) == pytest.approx(transform @ (45, 30), abs=0.3)
    assert valid.sum() == pytest.approx(ROWS * COLS, rel=0.03)
    assert (image[~valid] == 0).all()


@pytest.mark.parametrize(
    ("longitude", "latitude", "code"),
    [
        (105.0, 30.7, 32648),
        (-72.1, -30.7, 32718),
        (179.99, 10.0, 32660),
        (20.0, 84.5, 5041),
        (20.0, -85.0, 5042),
    ],
)
def test_rpcs_warp_a_scene_into_utm_or_near_a_pole_ups(
    write_raster: WriteRaster, longitude: float, latitude: float, code: int
) -> None:
    control = rpcs(ROWS, COLS, 1e-5, longitude, latitude)
    scene, image, _ = warped(write_raster("a.tif", patch(), **control))
    assert CRS.from_wkt(str(scene.georeference.crs)) == CRS.from_epsg(code)
    # At the mean height of the RPCs, 1.11 m a row, and less a column the nearer the pole.
    expected = 600 * 1.11 * 1.113 * np.cos(np.radians(latitude))
    assert bright_ground(scene, image) == pytest.approx(expected, rel=0.04)


def test_points_in_degrees_or_feet_are_warped_into_utm(write_raster: WriteRaster) -> None:
    degrees = Affine(1e-5, 0, 103.5, 0, -1e-5, 31.0)
    feet = Affine(2, 0, 6_561_666.667, 0, -2, 2_000_000)  # California, zone 10
    for transform, crs, code in ((degrees, "EPSG:4326", 32648), (feet, "EPSG:2225", 32610)):
        path = write_raster("a.tif", patch(), **gcps(transform, ROWS, COLS, crs))
        scene, _, _ = warped(path)
        assert CRS.from_wkt(str(scene.georeference.crs)) == CRS.from_epsg(code)


@pytest.mark.parametrize("metre", [1.0, 0.3048])
def test_points_in_a_local_crs_are_warped_into_its_plane(
    write_raster: WriteRaster, metre: float
) -> None:
    local = CRS.from_wkt(f'LOCAL_CS["site",UNIT["unit",{metre}]]')
    transform = Affine.translation(100, 200) @ Affine.rotation(20) @ Affine.scale(0.5, -0.5)
    scene, image, _ = warped(write_raster("a.tif", patch(), **gcps(transform, ROWS, COLS, local)))
    assert scene.georeference.is_local
    assert bright_ground(scene, image) == pytest.approx(150 * metre**2, rel=0.02)


def nodata(values: Values) -> tuple[Values, dict[str, Any]]:
    return values, {"nodata": 0}


def alpha(values: Values) -> tuple[Values, dict[str, Any]]:
    return np.dstack([values, np.where(values == 0, 0, 255).astype(np.uint8)]), {"alpha": "yes"}


@pytest.mark.parametrize("declared", [nodata, alpha])
def test_pixels_without_data_stay_so_and_new_corners_join_them(
    write_raster: WriteRaster, declared: Callable[[Values], tuple[Values, dict[str, Any]]]
) -> None:
    values = patch()
    values[:, :10] = 0
    values, options = declared(values)
    path = write_raster("a.tif", values, **options, **gcps(TURNED, ROWS, COLS))
    _, image, valid = warped(path)
    assert valid.sum() == pytest.approx(ROWS * (COLS - 10), rel=0.05)
    assert image[valid].min() >= 15
    assert not valid[0, 0]


@pytest.mark.parametrize(
    ("declared", "control"),
    [
        (None, gcps(TURNED, ROWS, COLS)),
        (alpha, gcps(TURNED, ROWS, COLS)),
        (None, rpcs(ROWS, COLS, 1e-5)),
    ],
    ids=["points", "alpha", "rpcs"],
)
def test_an_undeclared_border_is_found_at_the_edge_of_the_scene_itself(
    write_raster: WriteRaster,
    declared: Callable[[Values], tuple[Values, dict[str, Any]]] | None,
    control: dict[str, Any],
) -> None:
    values = np.random.default_rng(0).integers(60, 200, (ROWS, COLS)).astype(np.uint8)
    values[:, :16] = 255
    values[:12] = 255
    values, options = (values, {}) if declared is None else declared(values)
    path = write_raster("a.tif", values, **options, **control)
    _, _, whole = warped(path)
    scene, image, valid = warped(path, Preprocessing(1, nodata="auto"))
    assert scene.border is not None
    assert scene.border.values == [[255]]
    kept = whole.sum() * (1 - 12 / ROWS) * (1 - 16 / COLS)
    assert valid.sum() == pytest.approx(kept, rel=0.06)
    assert valid.sum() < kept  # what the border bears upon is out
    assert image[valid].max() < 200


def test_the_colours_of_a_palette_are_not_blended(write_raster: WriteRaster) -> None:
    colours = {0: (10, 10, 10, 255), 1: (250, 10, 10, 255), 2: (10, 250, 10, 255)}
    values = np.zeros((ROWS, COLS), np.uint8)
    values[20:40, 30:60] = 2
    path = write_raster("a.tif", values, colours, **gcps(TURNED, ROWS, COLS))
    _, red, valid = warped(path, Preprocessing(3))
    assert set(red[valid].tolist()) == {10}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"crs": "EPSG:32648", "transform": TURNED},
        gcps(STRAIGHT, ROWS, COLS, CRS()),
        {"gcps": gcps(STRAIGHT, ROWS, COLS)["gcps"][:2], "crs": "EPSG:32648"},
        gcps(Affine.translation(1e9, 1e9) @ STRAIGHT, ROWS, COLS),
        gcps(STRAIGHT, ROWS, COLS, "EPSG:4978"),
    ],
    ids=["no control", "georeferenced", "no CRS", "two points", "off the Earth", "not a map"],
)
def test_what_cannot_or_need_not_be_warped_is_read_as_it_is(
    write_raster: WriteRaster, options: dict[str, Any]
) -> None:
    scene, image, _ = warped(write_raster("a.tif", patch(), **options))
    assert not scene.is_warped
    np.testing.assert_array_equal(image, patch())


def test_without_being_asked_nothing_is_warped(write_raster: WriteRaster) -> None:
    path = write_raster("a.tif", patch(), **gcps(TURNED, ROWS, COLS))
    with SceneReader(path, GRAY) as scene:
        assert (scene.height, scene.width, scene.is_warped) == (ROWS, COLS, False)
