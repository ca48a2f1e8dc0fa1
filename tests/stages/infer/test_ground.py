"""Maps lie where the landslides are: on the ground, across windows, at other resolutions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.warp import transform

from landslide_cli.profile import Profile
from landslide_cli.stages.infer import infer_tiled

Bright = Callable[..., Profile]
Write = Callable[..., Path]
ReadPolygons = Callable[[Path], Any]
Place = tuple[slice, slice]

STRAIGHT = Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)
UTM = {"crs": "EPSG:32648", "transform": STRAIGHT}
TURNED = {"crs": "EPSG:32648", "transform": STRAIGHT @ Affine.rotation(25)}
# About 0.5 m a row and 0.43 m a column.
DEGREES = {"crs": "EPSG:4326", "transform": Affine(4.5e-6, 0, 103.5, 0, -4.5e-6, 31.25)}
GROUNDS = pytest.mark.parametrize(
    "ground", [UTM, DEGREES, TURNED], ids=["utm", "degrees", "turned"]
)

PLACES = [np.s_[21:80, 33:150], np.s_[100:141, 7:48], np.s_[99:177, 120:203]]
SHAPE = (190, 215)


def corners(place: Place) -> NDArray[np.float64]:
    rows, cols = place
    points = [
        (cols.start, rows.start), (cols.stop, rows.start),
        (cols.stop, rows.stop), (cols.start, rows.stop),
    ]  # fmt: skip
    return np.array(points, np.float64)


def in_pixels(geometry: shapely.Geometry, grid: Affine) -> shapely.Geometry:
    back = ~grid
    return shapely.transform(
        geometry, lambda points: np.array([back @ (x, y) for x, y in points.tolist()])
    )


def exact_area(place: Place, ground: dict[str, Any]) -> float:
    """The area of a rectangle of pixels on the ellipsoid of WGS 84, in square metres."""
    rows, cols = place
    pixels = (rows.stop - rows.start) * (cols.stop - cols.start)
    grid = ground["transform"]
    if ground["crs"] != "EPSG:4326":
        return float(pixels * abs(grid.determinant) / 0.9996**2)
    # Snyder, "Map projections: a working manual", 1987, equation 3-12.
    a, e = 6_378_137.0, 0.0818191908426

    def q(row: int) -> float:
        sine = np.sin(np.radians(grid.f + grid.e * row))
        part = np.log((1 - e * sine) / (1 + e * sine)) / (2 * e)
        return float((1 - e**2) * (sine / (1 - (e * sine) ** 2) - part))

    width = np.radians(grid.a * (cols.stop - cols.start))
    return float(a**2 / 2 * width * (q(rows.start) - q(rows.stop)))


def by_place(geometries: NDArray[np.object_], places: list[Place]) -> list[int]:
    """Tell which polygon lies on which place; each has one."""
    middles = [shapely.Polygon(corners(place)).centroid for place in places]
    order = [
        int(np.argmin([geometry.centroid.distance(m) for geometry in geometries])) for m in middles
    ]
    assert sorted(order) == list(range(len(geometries)))
    return order


@GROUNDS
@pytest.mark.parametrize("kind", ["gpkg", "geojson"])
def test_polygons_lie_on_the_planted_landslides(
    bright: Bright,
    plant: Write,
    read_polygons: ReadPolygons,
    tmp_path: Path,
    ground: dict[str, Any],
    kind: str,
) -> None:
    path = plant("scene.tif", SHAPE, PLACES, **ground)
    profile = bright(f"infer.polygons={kind}")
    (mapped,) = infer_tiled(profile, [str(path)], output=tmp_path / "maps").scenes
    layer = read_polygons(mapped.files["polygons"])
    assert shapely.is_valid(layer.geometries).all()
    if kind == "geojson" and ground["crs"] != "EPSG:4326":
        degrees = shapely.get_coordinates(layer.geometries).T
        points = np.column_stack(transform("EPSG:4326", ground["crs"], *degrees))
        shapely.set_coordinates(layer.geometries, points)
    pixels = np.array(
        [in_pixels(geometry, ground["transform"]) for geometry in layer.geometries], object
    )
    for place, index in zip(PLACES, by_place(pixels, PLACES), strict=True):
        planted = shapely.Polygon(corners(place))
        assert shapely.hausdorff_distance(pixels[index].boundary, planted.boundary) < 0.1
        vertices = shapely.get_coordinates(shapely.simplify(pixels[index], 1e-3))
        distances = np.linalg.norm(vertices[:, None] - corners(place), axis=-1)
        assert (distances.min(axis=0) < 0.1).all()
        area = layer.fields["area_m2"][index]
        assert area == pytest.approx(exact_area(place, ground), rel=0.005)
        assert area == pytest.approx(exact_area(place, ground), rel=1e-5)


@GROUNDS
def test_mask_lies_on_the_planted_landslides(
    bright: Bright, plant: Write, tmp_path: Path, ground: dict[str, Any]
) -> None:
    path = plant("scene.tif", SHAPE, PLACES, **ground)
    (mapped,) = infer_tiled(bright(), [str(path)], output=tmp_path / "maps").scenes
    with rasterio.open(mapped.mask) as mask, rasterio.open(path) as scene:
        assert mask.transform.almost_equals(scene.transform, precision=1e-12)
        assert mask.crs == scene.crs
        np.testing.assert_array_equal(mask.read(1), scene.read(1) == 250)
    assert mapped.totals[0].landslides == 3
    total = sum(exact_area(place, ground) for place in PLACES)
    assert mapped.totals[0].area == pytest.approx(total, rel=1e-5)
    assert mapped.totals[0].share == pytest.approx(mapped.class_shares["landslide"], rel=1e-3)


@GROUNDS
@pytest.mark.parametrize("setting", ["infer.scale=0.5", "infer.gsd=1.0", "infer.gsd=0.7"])
def test_maps_at_another_resolution_are_on_the_scenes_own_grid(
    bright: Bright,
    plant: Write,
    read_polygons: ReadPolygons,
    tmp_path: Path,
    ground: dict[str, Any],
    setting: str,
) -> None:
    path = plant("scene.tif", SHAPE, PLACES, **ground)
    (mapped,) = infer_tiled(bright(setting), [str(path)], output=tmp_path / "maps").scenes
    with rasterio.open(mapped.mask) as mask, rasterio.open(path) as scene:
        assert (mask.shape, mask.crs) == (scene.shape, scene.crs)
        assert mask.transform.almost_equals(scene.transform, precision=1e-12)
    layer = read_polygons(mapped.files["polygons"])
    pixels = np.array(
        [in_pixels(geometry, ground["transform"]) for geometry in layer.geometries], object
    )
    for place, index in zip(PLACES, by_place(pixels, PLACES), strict=True):
        planted = shapely.Polygon(corners(place))
        coarse = 2.6  # pixels of the scene to a pixel of the model, at the most
        assert shapely.hausdorff_distance(pixels[index].boundary, planted.boundary) < coarse
        assert pixels[index].centroid.distance(planted.centroid) < 0.1
        assert layer.fields["area_m2"][index] == pytest.approx(exact_area(place, ground), rel=0.005)


def test_the_model_sees_a_scene_at_the_gsd_asked_for(
    bright: Bright, plant: Write, tmp_path: Path, seen_windows: list[NDArray[np.uint8]]
) -> None:
    path = plant("scene.tif", (240, 240), [], **DEGREES)
    infer_tiled(bright("infer.gsd=1.0", "infer.tile=whole"), [str(path)], output=tmp_path / "maps")
    # 0.4989 m a row and 0.4286 m a column.
    assert [windows.shape[1:3] for windows in seen_windows] == [(120, 104)]


def test_landslides_across_windows_are_one_and_separate_ones_stay_separate(
    bright: Bright, plant: Write, read_polygons: ReadPolygons, tmp_path: Path
) -> None:
    places = [
        np.s_[5:15, 2:290],  # over all windows of a row
        np.s_[20:290, 60:70],  # over all of a column
        np.s_[100:101, 80:81],  # a pixel
        np.s_[101:102, 81:82],  # touches it by a corner
        np.s_[46:66, 120:140],  # over the corner of four windows
        np.s_[200:220, 100:120],
        np.s_[200:220, 121:141],  # a pixel apart
    ]
    path = plant("scene.tif", (300, 300), places, **UTM)
    (mapped,) = infer_tiled(bright(), [str(path)], output=tmp_path / "maps").scenes
    layer = read_polygons(mapped.files["polygons"])
    areas = sorted(round(area / (0.25 / 0.9996**2)) for area in layer.fields["area_m2"])
    assert areas in ([2, 400, 400, 400, 2700, 2880], [1, 1, 400, 400, 400, 2700, 2880])
    assert mapped.totals[0].landslides == len(areas)


@pytest.mark.parametrize("tile", [16, 32, "auto", "whole"])
@pytest.mark.parametrize(("overlap", "batch"), [(0, 1), (8, 1), (8, 5)])
def test_maps_do_not_depend_on_the_windows(
    bright: Bright, plant: Write, tmp_path: Path, tile: int | str, overlap: int, batch: int
) -> None:
    path = plant("scene.tif", (75, 131), [np.s_[10:40, 20:110]], **UTM)
    profile = bright(
        f"infer.tile={tile}",
        f"infer.overlap={overlap}",
        f"infer.batch={batch}",
        "infer.probability=float32",
    )
    (mapped,) = infer_tiled(profile, [str(path)], output=tmp_path / "maps").scenes
    with rasterio.open(mapped.files["probability"]) as dataset, rasterio.open(path) as scene:
        exact = 1 / (1 + np.exp(-(scene.read(1).astype(float) - 127.5) / 32))
        np.testing.assert_allclose(dataset.read(1), exact, atol=1e-5)


def test_small_landslides_are_dropped_by_square_metres_or_pixels(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    places = [np.s_[5:15, 5:15], np.s_[30:40, 30:50], np.s_[60:80, 60:80]]  # 100, 200, 400 pixels
    for name, ground in (("here", UTM), ("nowhere", {})):
        plant(f"scenes/{name}.tif", (96, 160), places, **ground)
    for least, counts in ((40.0, [2, 3]), (90.0, [1, 3]), (150.0, [0, 2]), (0.0, [3, 3])):
        result = infer_tiled(
            bright(f"infer.min_area={least}"),
            [str(tmp_path / "scenes")],
            output=tmp_path / f"maps-{least}",
        )
        assert [mapped.totals[0].landslides for mapped in result.scenes] == counts
        assert all(mapped.class_shares["landslide"] > 0.04 for mapped in result.scenes)


@pytest.mark.parametrize(("ground", "unit"), [(UTM, 0.25), ({}, 1.0)], ids=["utm", "nowhere"])
def test_small_holes_are_filled(
    bright: Bright,
    write_raster: Write,
    read_polygons: ReadPolygons,
    tmp_path: Path,
    ground: dict[str, Any],
    unit: float,
) -> None:
    image = np.full((90, 120, 3), 5, np.uint8)
    image[10:80, 10:110] = 250
    image[20:25, 20:25] = 5  # 25 pixels
    image[40:60, 50:70] = 5  # 400 pixels
    path = write_raster("scene.tif", image, **ground)
    (mapped,) = infer_tiled(
        bright(f"infer.fill_holes={100 * unit}"), [str(path)], output=tmp_path / "maps"
    ).scenes
    (geometry,) = read_polygons(mapped.files["polygons"]).geometries
    (polygon,) = geometry.geoms
    assert len(polygon.interiors) == 1
    assert mapped.totals[0].area == pytest.approx((7000 - 400) * unit, rel=1e-3)
    # The mask is what the model says.
    assert mapped.class_shares["landslide"] == pytest.approx((7000 - 425) / (90 * 120))


@pytest.mark.parametrize(("ground", "unit"), [(UTM, 0.5), ({}, 1.0)], ids=["utm", "nowhere"])
def test_outlines_are_simplified_by_metres_or_pixels(
    bright: Bright,
    write_raster: Write,
    read_polygons: ReadPolygons,
    tmp_path: Path,
    ground: dict[str, Any],
    unit: float,
) -> None:
    image = np.full((120, 120, 3), 5, np.uint8)
    rows, cols = np.mgrid[:120, :120]
    image[(rows - 60) ** 2 + (cols - 60) ** 2 < 45**2] = 250
    path = write_raster("scene.tif", image, **ground)

    def outline(simplify: float) -> shapely.Geometry:
        (mapped,) = infer_tiled(
            bright(f"infer.simplify={simplify}"), [str(path)], output=tmp_path / f"maps-{simplify}"
        ).scenes
        (geometry,) = read_polygons(mapped.files["polygons"]).geometries
        return in_pixels(geometry, ground.get("transform", Affine.identity()))

    exact, rough = outline(0.0), outline(3.0 * unit)
    assert len(shapely.get_coordinates(rough)) < len(shapely.get_coordinates(exact)) / 5
    assert 0.5 < shapely.hausdorff_distance(exact, rough) <= 3.01
