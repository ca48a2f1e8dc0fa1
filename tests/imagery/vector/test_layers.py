"""Vector layers as people draw them: read, or refused in words that say what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from pyogrio import raw

from landslide_cli.errors import DataError
from landslide_cli.imagery.vector.layers import divide_layer, read_polygons

SQUARE = shapely.box(0, 0, 10, 10)


def write_layer(path: Path, shapes: list[Any], layer: str = "slides", **options: Any) -> Path:
    driver = {".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".geojson": "GeoJSON"}[path.suffix]
    fields = options.pop("fields", {"kind": np.array(["slide"] * len(shapes), object)})
    options = {"crs": "EPSG:32648", "geometry_type": "Unknown"} | options
    where = {"layer": layer, "append": path.exists()} if driver == "GPKG" else {}
    names, values = list(fields), list(fields.values())
    raw.write(path, shapely.to_wkb(shapes), values, names, driver=driver, **where, **options)
    return path


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
def test_polygons_and_values_are_read_from_files_of_every_form(tmp_path: Path, suffix: str) -> None:
    crs = "EPSG:4326"  # GeoJSON knows no other
    path = write_layer(tmp_path / f"a{suffix}", [SQUARE], crs=crs, geometry_type="Polygon")
    layer = read_polygons(str(path), "kind")
    assert shapely.equals(layer.geometries[0], SQUARE)
    assert layer.values == ["slide"]
    assert (layer.repaired, layer.others) == (0, 0)
    assert "4326" in layer.crs or "WGS" in layer.crs


def test_invalid_polygons_are_repaired_and_counted(tmp_path: Path) -> None:
    bow = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    spike = shapely.Polygon([(0, 0), (15, 0), (10, 0), (10, 10), (5, 0), (0, 10)])
    layer = read_polygons(str(write_layer(tmp_path / "a.gpkg", [bow, spike, SQUARE])))
    assert shapely.area(layer.geometries).tolist() == [50.0, 50.0, 100.0]
    assert (layer.repaired, layer.others) == (2, 0)


def test_what_has_no_area_is_left_out_and_counted(tmp_path: Path) -> None:
    line = shapely.LineString([(0, 0), (1, 1)])
    flat = shapely.Polygon([(0, 0), (10, 0), (10, 10), (10, 0), (0, 0)])
    shapes = [shapely.Point(1, 1), SQUARE, line, shapely.Polygon(), None, flat]
    layer = read_polygons(str(write_layer(tmp_path / "a.gpkg", shapes)), "kind")
    assert (len(layer.geometries), layer.others, layer.repaired) == (1, 5, 0)
    assert layer.values == ["slide"]


def test_polygons_of_collections_are_taken(tmp_path: Path) -> None:
    mixed = shapely.GeometryCollection([SQUARE, shapely.Point(1, 1)])
    layer = read_polygons(str(write_layer(tmp_path / "a.gpkg", [mixed])))
    assert shapely.equals(layer.geometries[0], SQUARE)


def test_numbers_are_values_as_people_write_them(tmp_path: Path) -> None:
    fields = {"kind": np.array([1.0, 2.5, np.nan])}
    path = write_layer(tmp_path / "a.gpkg", [SQUARE] * 3, fields=fields)
    assert read_polygons(str(path), "kind").values == ["1", "2.5", None]


def test_a_filter_chooses_polygons(tmp_path: Path) -> None:
    fields = {"year": np.array([2008, 2018])}
    path = write_layer(tmp_path / "a.gpkg", [SQUARE, shapely.box(0, 0, 1, 1)], fields=fields)
    layer = read_polygons(str(path), where="year > 2010")
    assert shapely.area(layer.geometries).tolist() == [1.0]


def test_heights_of_vertices_are_dropped(tmp_path: Path) -> None:
    path = write_layer(tmp_path / "a.gpkg", [shapely.force_3d(SQUARE, 7.0)])
    assert not shapely.has_z(read_polygons(str(path)).geometries).any()


def test_a_layer_is_named_after_its_file_as_in_qgis(tmp_path: Path) -> None:
    path = write_layer(tmp_path / "a.gpkg", [SQUARE])
    write_layer(path, [shapely.box(0, 0, 1, 1)], layer="old")
    layer = read_polygons(f"{path}|layername=old")
    assert shapely.area(layer.geometries).tolist() == [1.0]
    assert divide_layer("a b.gpkg|layername=x y") == ("a b.gpkg", "x y")
    assert divide_layer("a.shp") == ("a.shp", None)


def test_the_styles_of_qgis_are_no_layer(tmp_path: Path) -> None:
    path = write_layer(tmp_path / "a.gpkg", [SQUARE])
    write_layer(path, [SQUARE], layer="layer_styles")
    assert len(read_polygons(str(path)).geometries) == 1


def broken(tmp_path: Path) -> dict[str, tuple[str, dict[str, Any], str]]:
    """The layer's name, further arguments, and what the error says."""
    good = write_layer(tmp_path / "good.gpkg", [SQUARE])
    several = write_layer(tmp_path / "several.gpkg", [SQUARE], layer="a")
    write_layer(several, [SQUARE], layer="b")
    cut = tmp_path / "cut.gpkg"
    cut.write_bytes(good.read_bytes()[:5000])
    text = tmp_path / "text.geojson"
    text.write_text("no layer")
    half = tmp_path / "half.geojson"
    half.write_text('{"type": "FeatureCollection", "features": [{"type": "Feature"')
    nothing = tmp_path / "nothing.geojson"
    nothing.write_bytes(b"")
    table = tmp_path / "table.csv"
    table.write_text("id,kind\n1,slide\n")
    bare = write_layer(tmp_path / "bare.shp", [SQUARE], geometry_type="Polygon")
    bare.with_suffix(".prj").unlink()
    short = write_layer(tmp_path / "short.shp", [SQUARE] * 9, geometry_type="Polygon")
    short.write_bytes(short.read_bytes()[:-100])
    points = write_layer(tmp_path / "points.gpkg", [shapely.Point(1, 1)])
    nowhere = shapely.Polygon([(0, 0), (np.inf, 0), (10, 10)])
    lost = write_layer(tmp_path / "lost.gpkg", [SQUARE, nowhere])
    empty = write_layer(tmp_path / "empty.gpkg", [])
    (tmp_path / "folder.gpkg").mkdir()
    return {
        "missing": (f"{tmp_path}/none.gpkg", {}, "cannot be read as a vector file"),
        "cut": (str(cut), {}, "cannot be read"),
        "text": (str(text), {}, "is no vector file of a known format"),
        "half": (str(half), {}, "cannot be read"),
        "nothing": (str(nothing), {}, "is no vector file of a known format"),
        "folder": (str(tmp_path / "folder.gpkg"), {}, "is no vector file of a known format"),
        "table": (str(table), {}, "is a table without geometries"),
        "no crs": (str(bare), {}, "has no CRS; set it in the file, or source.labels.crs"),
        "short": (str(short), {}, "is cut short"),
        "points": (str(points), {}, "holds points or lines, or geometries without an area"),
        "no place": (
            str(lost),
            {},
            "1 feature, the first in row 2, with a corner that has",
        ),
        "no driver": ("PG:dbname=x", {}, "GDAL has no driver for PG here; export the layer"),
        "empty": (str(empty), {}, "has no polygon"),
        "filtered": (str(good), {"where": "kind = 'x'"}, "for which source.labels.where holds"),
        "several": (
            str(several),
            {},
            f"has 2 layers (a, b); name one, as in {several}|layername=a",
        ),
        "no crs and no key for it": (
            str(bare),
            {"section": None},
            "has no CRS; set it in the file",
        ),
        "no layer": (f"{good}|layername=x", {}, "has no layer 'x'; there is slides"),
        "no layer's name": (f"{good}|layername=", {}, "is no name of a layer"),
        "other words": (f"{good}|subset=kind", {}, "is no name of a layer"),
        "no field": (str(good), {"field": "x"}, "has no field 'x'; there are kind"),
        "no sql": (str(good), {"where": "kind ="}, "or source.labels.where cannot be used"),
        "sql of another field": (
            str(good),
            {"where": "x = 1"},
            "or source.labels.where cannot be used",
        ),
    }


@pytest.mark.parametrize(
    "case",
    [
        *("missing", "cut", "text", "half", "nothing", "folder", "table", "no crs", "points"),
        *("short", "no place", "no driver"),
        *(
            "no crs and no key for it",
            "empty",
            "filtered",
            "several",
            "no layer",
            "no layer's name",
            "other words",
        ),
        *("no field", "no sql", "sql of another field"),
    ],
)
def test_layers_that_cannot_be_used_are_refused_in_a_line(tmp_path: Path, case: str) -> None:
    name, arguments, words = broken(tmp_path)[case]
    with pytest.raises(DataError) as caught:
        read_polygons(name, **arguments)
    message = str(caught.value)
    assert words in message
    assert message.startswith(name)
    assert len(message.splitlines()) == 1


def test_a_layer_without_a_crs_takes_that_of_the_profile(tmp_path: Path) -> None:
    bare = write_layer(tmp_path / "bare.shp", [SQUARE], geometry_type="Polygon")
    bare.with_suffix(".prj").unlink()
    assert read_polygons(str(bare), crs="EPSG:32648").crs == "EPSG:32648"
    with pytest.raises(DataError, match=r"source\.labels\.crs: no CRS is 'EPSG:999999'"):
        read_polygons(str(bare), crs="EPSG:999999")


def test_a_layer_on_a_server_is_read_by_its_address(tmp_path: Path, served: str) -> None:
    write_layer(tmp_path / "a.geojson", [SQUARE], crs="EPSG:4326")
    layer = read_polygons(f"{served}/a.geojson")
    assert shapely.equals(layer.geometries[0], SQUARE)
    with pytest.raises(DataError, match=r"b\.geojson: cannot be read as a vector file: .*404"):
        read_polygons(f"{served}/b.geojson")
