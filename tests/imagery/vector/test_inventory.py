"""An inventory of several scenes: numbers, duplicates, and where it lies."""

import numpy as np
import pytest
import shapely

from landslide_cli.imagery.raster.georeference import reprojected
from landslide_cli.imagery.vector.attributes import LandslideTable
from landslide_cli.imagery.vector.inventory import inventory_of

UTM, NEXT_ZONE = "EPSG:32648", "EPSG:32649"
LOCAL = 'LOCAL_CS["site",UNIT["metre",1]]'


def square(west: float, size: float = 10.0, south: float = 3_400_000.0) -> shapely.Geometry:
    return shapely.MultiPolygon([shapely.box(west, south, west + size, south + size)])


def scene(
    name: str,
    *squares: shapely.Geometry,
    cut: bool = False,
    probability: float = 0.9,
    crs: str | None = UTM,
    **more: float,
) -> LandslideTable:
    count = len(squares)
    fields = {
        "id": np.arange(1, count + 1),
        "mean_probability": np.full(count, probability),
        "cut_by_edge": np.full(count, cut),
        **{key: np.full(count, value) for key, value in more.items()},
        "scene": np.full(count, name, object),
    }
    return LandslideTable(np.array(squares, object), fields, crs)


def columns(table: LandslideTable | None, *names: str) -> list[tuple[object, ...]]:
    assert table is not None
    return list(zip(*(table.fields[name].tolist() for name in names), strict=True))


def test_numbers_are_unique_and_the_scene_tells_the_rest() -> None:
    table = inventory_of([scene("a", square(0), square(50)), scene("b", square(200))], merge=False)
    assert columns(table, "id", "scene", "scene_id", "duplicate_of", "also_in") == [
        (1, "a", 1, 0, ""),
        (2, "a", 2, 0, ""),
        (3, "b", 1, 0, ""),
    ]


# A square moved by a third of its side has an IoU of a half.
@pytest.mark.parametrize(("moved", "is_same"), [(0.0, True), (3.3, True), (3.4, False)])
def test_polygons_of_two_scenes_are_one_landslide_above_half_their_union(
    moved: float, is_same: bool
) -> None:
    tables = [scene("a", square(0)), scene("b", square(moved), probability=0.8)]
    expected = [(1, 0, "b"), (2, 1, "")] if is_same else [(1, 0, ""), (2, 0, "")]
    assert columns(inventory_of(tables, merge=False), "id", "duplicate_of", "also_in") == expected
    merged = columns(inventory_of(tables, merge=True), "id", "scene")
    assert merged == ([(1, "a")] if is_same else [(1, "a"), (2, "b")])


def test_what_overlaps_in_one_scene_is_no_duplicate() -> None:
    table = inventory_of([scene("a", square(0), square(1))], merge=False)
    assert columns(table, "duplicate_of") == [(0,), (0,)]


def test_the_whole_one_is_kept_and_then_the_likelier_one() -> None:
    cut = scene("a", square(0), cut=True, probability=0.99)
    whole, likelier = scene("b", square(0), probability=0.7), scene("c", square(1), probability=0.8)
    table = inventory_of([cut, whole, likelier], merge=False)
    assert columns(table, "scene", "duplicate_of", "also_in") == [
        ("a", 3, ""),
        ("b", 3, ""),
        ("c", 0, "a, b"),
    ]
    assert columns(inventory_of([cut, whole, likelier], merge=True), "id", "scene_id", "scene") == [
        (1, 1, "c")
    ]


def test_scenes_of_several_crs_are_in_longitude_and_latitude() -> None:
    here = square(500_000, 100)
    there = reprojected(np.array([here], object), UTM, NEXT_ZONE)[0]
    table = inventory_of([scene("a", here), scene("b", there, crs=NEXT_ZONE)], merge=False)
    assert table is not None
    assert table.crs == "EPSG:4326"
    assert columns(table, "duplicate_of") == [(0,), (1,)]
    assert table.geometries[0].centroid.x == pytest.approx(105, abs=0.01)


def test_what_has_no_common_place_is_left_out() -> None:
    nowhere, local = scene("n", square(0), crs=None), scene("l", square(0), crs=LOCAL)
    assert inventory_of([nowhere], merge=False) is None
    assert inventory_of([], merge=False) is None
    assert columns(inventory_of([nowhere, local], merge=False), "scene") == [("l",)]
    assert columns(inventory_of([local, scene("a", square(0))], merge=False), "scene") == [("a",)]


def test_scenes_without_landslides_or_with_other_columns_go_together() -> None:
    tables = [scene("a", square(0), relief_m=12.5), scene("b", square(99)), scene("c")]
    table = inventory_of(tables, merge=False)
    assert table is not None
    np.testing.assert_array_equal(table.fields["relief_m"], [12.5, np.nan])
    empty = inventory_of([scene("c")], merge=True)
    assert empty is not None
    assert len(empty.geometries) == 0
