import errno
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import rasterize

from landslide_cli.errors import DataError, OutputError
from landslide_cli.imagery.raster.georeference import Georeference, reprojected
from landslide_cli.imagery.vector.landslides import (
    Landslide,
    Origin,
    Shaping,
    landslides_of,
    read_areas,
    write_polygons,
)
from landslide_cli.imagery.vector.outlines import Outline, Outliner
from landslide_cli.outputs import whole_file

Mask = NDArray[np.uint8]

NAMES = ("background", "landslide", "rock fall")
WKT = CRS.from_epsg(32648).to_wkt()
# On the central meridian of its zone, where a metre of UTM is 1 / 0.9996 m long.
UTM = Georeference(WKT, Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000))
SQUARE_METRES = 0.25 / 0.9996**2  # a pixel
METRES = 0.5 / 0.9996  # a side of a pixel
DEGREES = Georeference(CRS.from_epsg(4326).to_wkt(), Affine(2e-6, 0, 103.5, 0, -2e-6, 31.25))
TURNED = Georeference(WKT, UTM.transform @ Affine.rotation(25))
ORIGIN = Origin("Landslide001", 0.5, "3f2a", "2025-11-30")


def outlines_in(mask: Mask, probability: float = 0.9) -> list[Outline]:
    outliner = Outliner(len(NAMES))
    outliner.add(0, 0, mask, np.full(mask.shape, probability, np.float32))
    return outliner.finish()


def landslides_in(
    mask: Mask, place: Georeference | None = None, shaping: Shaping | None = None
) -> list[Landslide]:
    rows, cols = mask.shape
    return landslides_of(
        outlines_in(mask), place or Georeference(), cols, rows, NAMES, shaping or Shaping()
    )


def squares(*sizes: int) -> Mask:
    """Squares of so many pixels a side, beside each other."""
    mask = np.zeros((max(sizes) + 2, sum(sizes) + 2 * len(sizes)), np.uint8)
    left = 1
    for size in sizes:
        mask[1 : 1 + size, left : left + size] = 1
        left += size + 2
    return mask


def holed(outer: int, inner: int) -> Mask:
    mask = squares(outer)
    first = 1 + (outer - inner) // 2
    mask[first : first + inner, first : first + inner] = 0
    return mask


def blob(seed: int, size: int = 60) -> Mask:
    """A ragged mask, with holes and parts that touch by corners."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:size, :size]
    waves = sum(
        rng.normal() * np.sin(rng.normal() * rows / 5 + rng.normal() * cols / 5 + rng.normal())
        for _ in range(6)
    )
    field = np.asarray(waves + rng.normal(0, 0.6, (size, size)))
    return (field > 0.8).astype(np.uint8)


@pytest.mark.parametrize("place", [UTM, DEGREES, TURNED, Georeference()])
def test_untouched_landslides_lie_exactly_on_pixel_corners(place: Georeference) -> None:
    mask = blob(1)
    found = landslides_in(mask, place)
    for one, outline in zip(found, outlines_in(mask), strict=True):
        expected = [place.transform @ xy for xy in shapely.get_coordinates(outline.polygon)]
        np.testing.assert_array_equal(shapely.get_coordinates(one.geometry), expected)
        assert shapely.is_valid(one.geometry)


def test_landslides_are_measured_in_metres_on_the_ground() -> None:
    (one,) = landslides_in(squares(20), UTM)
    assert one.area == pytest.approx(400 * SQUARE_METRES, rel=1e-6)
    assert one.perimeter == pytest.approx(80 * METRES, rel=1e-6)


def test_landslides_of_a_scene_in_degrees_are_measured_in_metres() -> None:
    (one,) = landslides_in(squares(20), DEGREES)
    # On WGS 84 at 31.25 degrees north: 110,869 m a degree of latitude, 95,249 m of longitude.
    assert one.area == pytest.approx(400 * 4e-12 * 110_869 * 95_249, rel=5e-4)
    assert one.perimeter == pytest.approx(40 * 2e-6 * (110_869 + 95_249), rel=5e-4)


def test_a_turned_scene_has_the_areas_of_a_straight_one() -> None:
    (one,) = landslides_in(squares(20), TURNED)
    assert one.area == pytest.approx(400 * SQUARE_METRES, rel=1e-6)


@pytest.mark.parametrize(
    "place",
    [
        Georeference(),
        Georeference(None, Affine(0.5, 0, 10, 0, -0.5, 20)),
        Georeference(WKT, Affine.identity()),
    ],
)
def test_without_a_georeference_landslides_are_measured_in_pixels(place: Georeference) -> None:
    (one,) = landslides_in(squares(20), place)
    assert (one.area, one.perimeter) == (400, 80)
    corner = place.transform @ (1, 1)
    assert corner in [tuple(xy) for xy in shapely.get_coordinates(one.geometry).tolist()]


def test_a_perimeter_counts_the_rims_of_holes() -> None:
    (one,) = landslides_in(holed(10, 4))
    assert (one.area, one.perimeter) == (84, 56)


@pytest.mark.parametrize(
    ("place", "unit"), [(Georeference(), 1.0), (UTM, SQUARE_METRES), (TURNED, SQUARE_METRES)]
)
def test_landslides_below_the_least_area_are_dropped(place: Georeference, unit: float) -> None:
    mask = squares(2, 5, 9)
    for least, kept in ((25 * unit * 0.9999, [25, 81]), (25 * unit * 1.0001, [81])):
        found = landslides_in(mask, place, Shaping(min_area=least))
        assert [one.area for one in found] == pytest.approx([n * unit for n in kept], rel=1e-5)


@pytest.mark.parametrize(("place", "unit"), [(Georeference(), 1.0), (UTM, SQUARE_METRES)])
def test_holes_below_an_area_are_filled_and_others_stay(place: Georeference, unit: float) -> None:
    mask = np.hstack([holed(10, 2), holed(10, 4)])
    found = landslides_in(mask, place, Shaping(fill_holes=10 * unit))
    assert [one.area / unit for one in found] == pytest.approx([100, 84], rel=1e-5)
    assert [len(one.geometry.interiors) for one in found] == [0, 1]


def test_landslides_are_dropped_by_their_area_with_filled_holes() -> None:
    assert len(landslides_in(holed(10, 8), shaping=Shaping(min_area=90))) == 0
    assert len(landslides_in(holed(10, 8), shaping=Shaping(min_area=90, fill_holes=70))) == 1


def test_an_island_in_a_filled_hole_becomes_part_of_the_landslide_around_it() -> None:
    mask = holed(11, 7)
    mask[6, 6] = 1
    assert [one.area for one in landslides_in(mask)] == [72, 1]
    assert [one.area for one in landslides_in(mask, shaping=Shaping(fill_holes=50))] == [121]


def test_a_part_in_a_filled_hole_that_touches_by_a_corner_does_not_overlap() -> None:
    mask = holed(9, 5)
    mask[4, 4] = 1
    mask[3, 3] = 1  # touches the rim of the hole by a corner only
    mask[3, 4] = mask[4, 3] = 0
    (one,) = landslides_in(mask, shaping=Shaping(fill_holes=30))
    assert one.geometry.equals(shapely.box(1, 1, 10, 10))


def test_a_hole_that_holds_another_class_is_not_filled() -> None:
    mask = holed(11, 7)
    mask[6, 6] = 2
    found = landslides_in(mask, shaping=Shaping(fill_holes=50))
    assert [(one.class_name, one.area) for one in found] == [("landslide", 72), ("rock fall", 1)]


@given(st.integers(0, 2**32 - 1), st.sampled_from([2.0, 5.0, 30.0, 1e9]))
def test_filling_holes_adds_background_only_and_leaves_no_small_holes(
    seed: int, least: float
) -> None:
    mask = blob(seed)
    found = landslides_in(mask, shaping=Shaping(fill_holes=least))
    assert all(shapely.is_valid(one.geometry) for one in found)
    holes = [
        hole for one in found for part in shapely.get_parts(one.geometry) for hole in part.interiors
    ]
    assert all(shapely.area(shapely.Polygon(hole)) >= least for hole in holes)
    if found:
        times = sum(rasterize([one.geometry], out_shape=mask.shape).astype(int) for one in found)
        assert times.max() == 1
        assert (times >= mask).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.6, 1.5, 4.0, 50.0]))
def test_simplified_landslides_are_valid_and_keep_their_holes_and_pixel_corners(
    seed: int, tolerance: float
) -> None:
    mask = blob(seed)
    plain = landslides_in(mask)
    simple = landslides_in(mask, shaping=Shaping(simplify=tolerance))
    for one, other in zip(plain, simple, strict=True):
        assert shapely.is_valid(other.geometry)
        assert not other.geometry.is_empty
        parts, others = shapely.get_parts([one.geometry, other.geometry], return_index=True)
        assert len(parts[others == 0]) == len(parts[others == 1])
        rings = shapely.get_num_interior_rings(parts)
        assert rings[others == 0].sum() == rings[others == 1].sum()
        kept = {tuple(xy) for xy in shapely.get_coordinates(other.geometry).tolist()}
        assert kept <= {tuple(xy) for xy in shapely.get_coordinates(one.geometry).tolist()}
        assert shapely.hausdorff_distance(one.geometry, other.geometry) < 2 * tolerance + 1


@pytest.mark.parametrize("place", [UTM, DEGREES, TURNED])
def test_the_tolerance_of_simplification_is_in_metres(place: Georeference) -> None:
    mask = squares(40)
    mask[0, 10:30] = 1  # a step of one pixel
    step = METRES if place is not DEGREES else 0.2217
    (fine,) = landslides_in(mask, place, Shaping(simplify=0.4 * step))
    (coarse,) = landslides_in(mask, place, Shaping(simplify=1.1 * step))
    assert shapely.get_num_coordinates(fine.geometry) == 9
    assert shapely.get_num_coordinates(coarse.geometry) == 5


def test_the_areas_of_simplified_landslides_are_their_own() -> None:
    mask = squares(40)
    mask[0, 10:20] = 1
    (one,) = landslides_in(mask, shaping=Shaping(simplify=1.1))
    assert one.area == shapely.area(one.geometry) == 1600


@pytest.mark.parametrize(
    ("mean", "least", "grade"),
    [
        (0.85, 0.1, "high"),
        (0.85, 0.09, "medium"),
        (0.84, 0.5, "medium"),
        (0.65, 0.05, "medium"),
        (0.65, 0.04, "low"),
        (0.64, 0.5, "low"),
        (float(np.float32(0.65)), float(np.float32(0.05)), "medium"),
    ],
)
def test_confidence_grades_by_the_mean_and_the_least_probability(
    mean: float, least: float, grade: str
) -> None:
    (outline,) = outlines_in(squares(3))
    outline = replace(outline, mean_probability=mean, min_probability=least)
    (one,) = landslides_of([outline], UTM, 5, 5, NAMES, Shaping())
    assert one.confidence == grade
    assert (one.mean_probability, one.min_probability) == pytest.approx((mean, least), abs=1e-6)


@pytest.mark.parametrize("shaping", [Shaping(), Shaping(1.0, 1.0, 1.0)])
def test_no_outlines_are_no_landslides(shaping: Shaping) -> None:
    assert landslides_of([], UTM, 5, 5, NAMES, shaping) == []


def written(path: Path, mask: Mask, place: Georeference, origin: Origin = ORIGIN) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_polygons(path, landslides_in(mask, place), place, origin)
    return path


def content(path: Path) -> tuple[dict[str, Any], NDArray[np.object_], dict[str, list[Any]]]:
    meta, _, geometries, values = pyogrio.raw.read(path)
    columns = {name: v.tolist() for name, v in zip(meta["fields"], values, strict=True)}
    return meta, shapely.from_wkb(geometries), columns


def two_classes() -> Mask:
    mask = squares(10, 4)
    mask[:, 12:] *= 2
    mask[0, 0] = 1  # touches by a corner: a MultiPolygon
    return mask


def test_a_geopackage_holds_the_landslides_in_the_crs_of_the_scene(tmp_path: Path) -> None:
    mask = two_classes()
    meta, geometries, columns = content(written(tmp_path / "a.gpkg", mask, UTM))
    assert CRS.from_user_input(meta["crs"]) == CRS.from_wkt(WKT)
    assert meta["geometry_type"] == "MultiPolygon"
    assert pyogrio.list_layers(tmp_path / "a.gpkg")[:, 0].tolist() == ["landslides"]
    expected = landslides_in(mask, UTM)
    assert [one.geom_type for one in geometries] == ["MultiPolygon"] * 2
    for one, geometry in zip(expected, geometries, strict=True):
        assert geometry.equals(one.geometry)
    assert columns["id"] == [1, 2]
    assert columns["class"] == ["landslide", "rock fall"]
    assert columns["area_m2"] == pytest.approx([one.area for one in expected], abs=1e-4)
    assert columns["perimeter_m"] == pytest.approx([one.perimeter for one in expected], abs=1e-4)
    assert columns["mean_probability"] == columns["min_probability"] == [0.9, 0.9]
    assert columns["confidence"] == ["high", "high"]
    bounds = np.column_stack([columns[name] for name in ("xmin", "ymin", "xmax", "ymax")])
    np.testing.assert_array_equal(bounds, shapely.bounds(geometries))
    assert columns["scene"] == ["Landslide001"] * 2
    assert columns["gsd_m"] == [0.5, 0.5]
    assert columns["model"] == ["3f2a"] * 2
    assert [str(day) for day in columns["mapped"]] == ["2025-11-30"] * 2


def test_a_geojson_is_in_longitude_and_latitude_with_rings_to_the_right_hand(
    tmp_path: Path,
) -> None:
    mask = np.hstack([holed(10, 4), holed(10, 8)])
    path = written(tmp_path / "a.geojson", mask, UTM)
    document = json.loads(path.read_text("utf-8"))
    assert "crs" not in document
    expected = np.array([one.geometry for one in landslides_in(mask, UTM)], object)
    expected = reprojected(expected, WKT, "EPSG:4326")
    for feature, geometry in zip(document["features"], expected, strict=True):
        shape = shapely.geometry.shape(feature["geometry"])
        assert shapely.hausdorff_distance(shape, geometry) < 1e-8
        for part in shape.geoms:
            assert part.exterior.is_ccw
            assert not any(hole.is_ccw for hole in part.interiors)
        properties = feature["properties"]
        bounds = [properties[name] for name in ("xmin", "ymin", "xmax", "ymax")]
        assert bounds == pytest.approx(geometry.bounds, abs=1e-8)
    decimals = re.findall(r"\d+\.(\d+)", str(document["features"][0]["geometry"]))
    assert max(len(one) for one in decimals) <= 8


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
@pytest.mark.parametrize(
    "place",
    [
        Georeference(),
        Georeference(None, Affine(0.5, 0, 1000, 0, -0.5, 2000)),
        Georeference(WKT, Affine.identity()),
    ],
)
def test_without_a_georeference_a_file_is_in_coordinates_of_the_scene(
    tmp_path: Path, suffix: str, place: Georeference
) -> None:
    path = written(tmp_path / f"a{suffix}", squares(10), place)
    _, (geometry,), columns = content(path)
    (one,) = landslides_in(squares(10), place)
    assert geometry.equals(one.geometry)
    assert columns["area_px"] == [100]
    assert columns["perimeter_px"] == [40]
    assert "area_m2" not in columns


def test_a_geopackage_without_a_georeference_has_an_undefined_crs(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gpkg", squares(10), Georeference())
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT srs_id FROM gpkg_contents").fetchall() == [(-1,)]


def test_a_geopackage_without_landslides_is_an_empty_layer_with_its_fields(tmp_path: Path) -> None:
    empty, full = np.zeros((5, 5), np.uint8), squares(3)
    meta, geometries, _ = content(written(tmp_path / "a.gpkg", empty, UTM))
    expected, _, _ = content(written(tmp_path / "b.gpkg", full, UTM))
    assert len(geometries) == 0
    assert meta["fields"].tolist() == expected["fields"].tolist()
    assert meta["ogr_types"] == expected["ogr_types"]
    assert meta["crs"] == expected["crs"]


def test_a_geojson_without_landslides_is_an_empty_collection(tmp_path: Path) -> None:
    path = written(tmp_path / "a.geojson", np.zeros((5, 5), np.uint8), UTM)
    document = json.loads(path.read_text("utf-8"))
    assert (document["type"], document["features"]) == ("FeatureCollection", [])


def test_an_unknown_gsd_is_null(tmp_path: Path) -> None:
    origin = replace(ORIGIN, gsd=None)
    path = written(tmp_path / "a.geojson", squares(3), Georeference(), origin)
    (feature,) = json.loads(path.read_text("utf-8"))["features"]
    assert feature["properties"]["gsd_m"] is None


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_the_same_landslides_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first = written(tmp_path / f"a{suffix}", two_classes(), UTM).read_bytes()
    time.sleep(0.01)
    assert written(tmp_path / f"b{suffix}", two_classes(), UTM).read_bytes() == first
    other_day = replace(ORIGIN, mapped="2025-12-01")
    assert written(tmp_path / f"c{suffix}", two_classes(), UTM, other_day).read_bytes() != first


def test_a_geopackage_says_that_it_changed_on_the_day_of_mapping(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gpkg", squares(3), UTM)
    with sqlite3.connect(path) as database:
        ((changed,),) = database.execute("SELECT last_change FROM gpkg_contents").fetchall()
    assert changed == "2025-11-30T00:00:00.000Z"
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


def test_a_geopackage_is_sound(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gpkg", blob(3), UTM)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_an_existing_file_is_replaced_by_the_new_landslides(tmp_path: Path) -> None:
    written(tmp_path / "a.gpkg", squares(3, 3, 3), UTM)
    _, geometries, _ = content(written(tmp_path / "a.gpkg", squares(3), UTM))
    assert len(geometries) == 1


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(FileNotFoundError):
        write_polygons(tmp_path / "missing" / f"a{suffix}", [], UTM, ORIGIN)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match=re.escape(os.strerror(errno.ENOSPC))):
        write_polygons(path, landslides_in(squares(3), UTM), UTM, ORIGIN)


def test_a_file_that_cannot_be_written_is_named_by_its_final_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.gpkg"
    with (
        pytest.raises(OutputError, match=f"{re.escape(str(path))}: cannot be written"),
        whole_file(path) as partial,
    ):
        write_polygons(partial, [], UTM, ORIGIN)


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.gpkg or \.geojson"):
        write_polygons(tmp_path / "a.shp", [], UTM, ORIGIN)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
@pytest.mark.parametrize(("place", "unit"), [(UTM, "m2"), (Georeference(), "px")])
def test_areas_are_read_back_with_their_unit(
    tmp_path: Path, suffix: str, place: Georeference, unit: str
) -> None:
    path = written(tmp_path / f"a{suffix}", squares(2, 5, 9), place)
    areas, found = read_areas(path)
    assert found == unit
    assert areas.dtype == np.float64
    expected = [one.area for one in landslides_in(squares(2, 5, 9), place)]
    np.testing.assert_allclose(areas, expected, atol=1e-4)


@pytest.mark.parametrize(("suffix", "unit"), [(".gpkg", "px"), (".geojson", "m2")])
def test_areas_of_an_empty_file_are_none(tmp_path: Path, suffix: str, unit: str) -> None:
    path = written(tmp_path / f"a{suffix}", np.zeros((5, 5), np.uint8), Georeference())
    areas, found = read_areas(path)
    assert (len(areas), found) == (0, unit)


def test_areas_of_other_files_are_refused(tmp_path: Path) -> None:
    missing, other = tmp_path / "a.gpkg", tmp_path / "b.geojson"
    with pytest.raises(DataError, match="cannot be read"):
        read_areas(missing)
    missing.write_text("no database")
    with pytest.raises(DataError, match="cannot be read"):
        read_areas(missing)
    point = {"type": "Point", "coordinates": [1, 2]}
    feature = {"type": "Feature", "properties": {"name": "x"}, "geometry": point}
    other.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(DataError, match="area_m2"):
        read_areas(other)


def test_pyogrio_is_imported_only_to_read_and_write() -> None:
    program = (
        "import sys, landslide_cli.imagery.vector.landslides; "
        "assert not any(name.partition('.')[0] == 'pyogrio' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
