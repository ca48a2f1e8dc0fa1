"""Files of landslide polygons: what a GIS reads in them."""

import csv
import errno
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from landslide_cli.core.palette import Palette
from landslide_cli.errors import DataError, OutputError
from landslide_cli.imagery.provenance import Provenance
from landslide_cli.imagery.raster.georeference import Georeference, reprojected
from landslide_cli.imagery.vector.attributes import LandslideTable, table_of
from landslide_cli.imagery.vector.polygon_files import layer_of, read_table, write_polygons
from landslide_cli.outputs import whole_file
from tests.imagery.vector.shapes import (
    DEGREES,
    ORIGIN,
    TURNED,
    UTM,
    WKT,
    Mask,
    blob,
    holed,
    landslides_in,
    squares,
)


def written(path: Path, mask: Mask, place: Georeference, origin: Provenance = ORIGIN) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_polygons(path, table_of(landslides_in(mask, place), place, origin), origin)
    return path


def table_in(mask: Mask, place: Georeference = UTM) -> LandslideTable:
    return table_of(landslides_in(mask, place), place, ORIGIN)


BUILDINGS = Palette(("background", "buildings"), ((0, 0, 0), (181, 0, 0)))
DRONE = Palette(("none", "buildings", "paved ground"), ((0, 0, 0), (181, 0, 0), (135, 135, 135)))


@pytest.mark.parametrize("suffix", [".gpkg", ".kml"])
@pytest.mark.parametrize("palette", [BUILDINGS, DRONE])
def test_polygons_of_other_classes_are_called_so_and_several_are_drawn_by_class(
    tmp_path: Path, suffix: str, palette: Palette
) -> None:
    mask = squares(10, 4)
    found = [replace(it, class_name="buildings") for it in landslides_in(mask, UTM)]
    path = tmp_path / f"a{suffix}"
    write_polygons(path, table_of(found, UTM, ORIGIN), ORIGIN, palette)
    by_class = len(palette) > 2
    if suffix == ".kml":
        text = path.read_text(encoding="utf-8")
        assert "<name>polygons</name>" in text
        assert ("#class-1" in text, "#high" in text) == (by_class, not by_class)
        return
    assert pyogrio.list_layers(path)[0][0] == layer_of(path) == "polygons"
    assert len(read_table(path).geometries) == len(found)
    with closing(sqlite3.connect(path)) as database:
        ((style,),) = database.execute("SELECT styleQML FROM layer_styles").fetchall()
    assert f'attr="{"class" if by_class else "confidence"}"' in style
    assert ('label="paved ground"' in style) == by_class


def content(path: Path) -> tuple[dict[str, Any], NDArray[np.object_], dict[str, list[Any]]]:
    meta, _, geometries, values = pyogrio.raw.read(path, layer=0)
    columns = {name: v.tolist() for name, v in zip(meta["fields"], values, strict=True)}
    return meta, shapely.from_wkb(geometries), columns


LOCAL = Georeference('LOCAL_CS["site",UNIT["metre",1]]', Affine(0.5, 0, 100, 0, -0.5, 500))
CHANGED = "SELECT DISTINCT last_change FROM gpkg_contents"


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
    assert pyogrio.list_layers(tmp_path / "a.gpkg")[:, 0].tolist() == [
        "landslides",
        "layer_styles",
    ]
    expected = landslides_in(mask, UTM)
    assert [geometry.geom_type for geometry in geometries] == ["MultiPolygon"] * 2
    for landslide, geometry in zip(expected, geometries, strict=True):
        assert geometry.equals(landslide.geometry)
    assert columns["id"] == [1, 2]
    assert columns["class"] == ["landslide", "rock fall"]
    assert columns["area_m2"] == pytest.approx(
        [landslide.area for landslide in expected], abs=0.006
    )
    assert columns["perimeter_m"] == pytest.approx(
        [landslide.perimeter for landslide in expected], abs=0.006
    )
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
    expected = np.array([landslide.geometry for landslide in landslides_in(mask, UTM)], object)
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
    assert max(len(digits) for digits in decimals) <= 8


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
    (landslide,) = landslides_in(squares(10), place)
    assert geometry.equals(landslide.geometry)
    assert columns["area_px"] == [100]
    assert columns["perimeter_px"] == [40]
    assert "area_m2" not in columns


def test_a_geopackage_without_a_georeference_has_an_undefined_crs(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gpkg", squares(10), Georeference())
    with sqlite3.connect(path) as database:
        assert database.execute(
            "SELECT srs_id FROM gpkg_contents WHERE data_type = 'features'"
        ).fetchall() == [(-1,)]


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
        ((changed,),) = database.execute(CHANGED).fetchall()
    assert changed == "2025-11-30T00:00:00.000Z"
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


def test_layers_that_are_written_at_once_have_each_its_own_day(tmp_path: Path) -> None:
    days = [f"2025-11-{day:02}" for day in range(1, 25)]

    def changed(day: str) -> str:
        path = written(tmp_path / f"{day}.gpkg", squares(3), UTM, replace(ORIGIN, mapped=day))
        with sqlite3.connect(path) as database:
            ((when,),) = database.execute(CHANGED).fetchall()
        return str(when)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(changed, days)) == [f"{day}T00:00:00.000Z" for day in days]
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
        write_polygons(tmp_path / "missing" / f"a{suffix}", table_of([], UTM, ORIGIN), ORIGIN)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match=re.escape(os.strerror(errno.ENOSPC))):
        write_polygons(path, table_in(squares(3)), ORIGIN)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder that is never writable")
def test_a_file_that_cannot_be_written_is_named_by_its_final_name() -> None:
    path = Path("/proc/a.gpkg")  # where nobody can make a file
    with (
        pytest.raises(OutputError, match=f"{re.escape(str(path))}: cannot be written"),
        whole_file(path) as partial,
    ):
        write_polygons(partial, table_of([], UTM, ORIGIN), ORIGIN)


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.gpkg, \.geojson, \.csv or \.kml"):
        write_polygons(tmp_path / "a.shp", table_of([], UTM, ORIGIN), ORIGIN)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
@pytest.mark.parametrize(("place", "unit"), [(UTM, "m2"), (Georeference(), "px")])
def test_landslides_are_read_back_in_either_format(
    tmp_path: Path, suffix: str, place: Georeference, unit: str
) -> None:
    path = written(tmp_path / f"a{suffix}", squares(2, 5, 9), place)
    table = read_table(path)
    expected = [landslide.area for landslide in landslides_in(squares(2, 5, 9), place)]
    np.testing.assert_allclose(table.fields[f"area_{unit}"], expected, atol=0.06)
    assert table.fields["mapped"].dtype == "datetime64[D]"
    assert table.is_on_earth == (unit == "m2")
    middles = shapely.get_coordinates(shapely.centroid(table.geometries))
    if suffix == ".geojson" and unit == "m2":
        there = np.column_stack([table.fields["longitude"], table.fields["latitude"]])
        np.testing.assert_allclose(middles, there, atol=1e-5)


def test_geojson_without_landslides_is_read_as_an_empty_table(tmp_path: Path) -> None:
    path = written(tmp_path / "a.geojson", np.zeros((5, 5), np.uint8), Georeference())
    table = read_table(path)
    assert (len(table.geometries), table.fields) == (0, {})


def test_other_files_are_not_read_as_landslides(tmp_path: Path) -> None:
    missing, other = tmp_path / "a.gpkg", tmp_path / "b.geojson"
    with pytest.raises(DataError, match="cannot be read"):
        read_table(missing)
    missing.write_text("no database")
    with pytest.raises(DataError, match="cannot be read"):
        read_table(missing)
    point = {"type": "Point", "coordinates": [1, 2]}
    feature = {"type": "Feature", "properties": {"name": "x"}, "geometry": point}
    other.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(DataError, match="no file of polygons"):
        read_table(other)


def test_pyogrio_is_imported_only_to_read_and_write() -> None:
    program = (
        "import sys, landslide_cli.imagery.vector.landslides; "
        "assert not any(name.partition('.')[0] == 'pyogrio' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


POLE = Georeference(CRS.from_epsg(3413).to_wkt(), Affine(10, 0, -60, 0, -10, 70))


def test_a_geojson_reaches_to_the_pole_and_a_geopackage_stays_in_its_own_crs(
    tmp_path: Path,
) -> None:
    mask = holed(12, 2)
    document = json.loads(written(tmp_path / "a.geojson", mask, POLE).read_text(encoding="utf-8"))
    (feature,) = document["features"]
    there = shapely.geometry.shape(feature["geometry"])
    assert there.is_valid
    assert there.bounds[::2] == (-180, 180)
    assert all(shapely.is_ccw(part.exterior) for part in there.geoms)
    for part in there.geoms:
        jumps = np.abs(np.diff(shapely.get_coordinates(part.exterior)[:, 0]))
        assert (jumps <= 180).all()
    _, (geometry,), _ = content(written(tmp_path / "a.gpkg", mask, POLE))
    assert geometry.equals(landslides_in(mask, POLE)[0].geometry)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson"])
def test_landslides_in_a_local_crs_keep_its_coordinates_and_are_in_square_metres(
    tmp_path: Path, suffix: str
) -> None:
    path = written(tmp_path / f"a{suffix}", squares(10), LOCAL)
    meta, (geometry,), columns = content(path)
    assert geometry.equals(shapely.box(100.5, 494.5, 105.5, 499.5))
    assert columns["area_m2"] == [25.0]
    assert columns["perimeter_m"] == [20.0]
    if suffix == ".gpkg":
        assert "site" in meta["crs"]


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as database:
        return database.execute(query).fetchall()


def test_a_geopackage_tells_where_it_comes_from_and_what_its_columns_are(tmp_path: Path) -> None:
    origin = replace(
        ORIGIN, threshold=0.35, source="north.tif", licence="MIT", software="landslide-cli 9"
    )
    path = written(tmp_path / "a.gpkg", squares(3), UTM, origin)
    info = pyogrio.read_info(path, layer="landslides")
    assert info["layer_metadata"] == {
        "SOFTWARE": "landslide-cli 9",
        "SOURCE": "north.tif",
        "GSD_M": "0.5",
        "MODEL": "3f2a",
        "MODEL_LICENCE": "MIT",
        "THRESHOLD": "0.35",
        "MAPPED": "2025-11-30",
    }
    titles = dict(rows(path, "SELECT column_name, title FROM gpkg_data_columns"))
    assert set(titles) == set(info["fields"])
    assert titles["area_m2"] == "Area (m²)"
    assert rows(path, "PRAGMA user_version") == [(10200,)]  # GeoPackage 1.2


def test_a_geopackage_is_drawn_by_confidence_in_qgis(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gpkg", squares(3), UTM)
    ((style,),) = rows(path, "SELECT styleQML FROM layer_styles WHERE useAsDefault")
    assert 'attr="confidence"' in style
    assert '<alias field="area_m2" name="Area (m²)" />' in style
    assert all(f'value="{grade}"' in style for grade in ("high", "medium", "low"))


@pytest.mark.parametrize("place", [UTM, DEGREES, TURNED, LOCAL, Georeference()])
def test_a_geopackage_is_read_back_as_it_was_written(tmp_path: Path, place: Georeference) -> None:
    first = table_in(two_classes(), place)
    write_polygons(tmp_path / "a.gpkg", first, ORIGIN)
    second = read_table(tmp_path / "a.gpkg")
    assert list(second.fields) == list(first.fields)
    assert (second.crs is None, second.is_on_earth) == (first.crs is None, first.is_on_earth)
    write_polygons(tmp_path / "b.gpkg", second, ORIGIN)
    for suffix in (".gpkg", ".geojson", ".csv"):
        write_polygons(tmp_path / f"b{suffix}", second, ORIGIN)
        write_polygons(tmp_path / f"c{suffix}", first, ORIGIN)
        written_again = (tmp_path / f"b{suffix}").read_bytes()
        assert written_again == (tmp_path / f"c{suffix}").read_bytes()


def test_a_table_has_coordinates_and_numbers_without_needless_digits(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", squares(10), UTM)
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["x"], row["y"]) == ("500003", "3399997")
    assert float(row["longitude"]) == pytest.approx(105.0, abs=1e-4)
    assert row["area_m2"] == "25.02"
    assert (row["cut_by_edge"], row["mapped"], row["scene"]) == (
        *("false", "2025-11-30", "Landslide001"),
    )


def test_a_table_of_an_unknown_place_is_in_pixels(tmp_path: Path) -> None:
    origin = replace(ORIGIN, gsd=None)
    path = written(tmp_path / "a.csv", squares(10), Georeference(), origin)
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["x"], row["y"], row["area_px"], row["gsd_m"]) == ("6", "6", "100", "")
    assert "longitude" not in row


def test_a_kml_holds_the_landslides_in_longitude_and_latitude(tmp_path: Path) -> None:
    mask = holed(10, 4)
    path = written(tmp_path / "a.kml", mask, UTM)
    _, (geometry,), columns = content(path)
    (landslide,) = landslides_in(mask, UTM)
    expected = reprojected(np.array([landslide.geometry], object), WKT, "EPSG:4326")[0]
    assert shapely.hausdorff_distance(shapely.force_2d(geometry), expected) < 1e-7
    assert len(shapely.get_parts(geometry)[0].interiors) == 1
    assert columns["Name"] == ["landslide 1"]
    assert b"#high" in path.read_bytes()


@pytest.mark.parametrize("place", [LOCAL, Georeference()])
def test_a_kml_of_what_has_no_place_on_the_earth_is_refused(
    tmp_path: Path, place: Georeference
) -> None:
    with pytest.raises(OutputError, match="KML needs a place on the Earth"):
        written(tmp_path / "a.kml", squares(3), place)
