import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely
from pyogrio import list_layers, raw

from landslide_cli.imagery.vector.attributes import table_of
from landslide_cli.imagery.vector.layers import read_polygons
from landslide_cli.imagery.vector.polygon_files import layer_file, write_polygons
from landslide_cli.imagery.vector.styles import Category, categorised
from tests.imagery.vector.shapes import ORIGIN, UTM, landslides_in, squares

QML = categorised(
    "part", [Category("train", 'to "learn" <from>', (230, 159, 0)), Category("", "none", (9, 8, 7))]
)


def geopackage(folder: Path, style: str | None = QML) -> Path:
    squares = np.array([shapely.box(x, 0, x + 1, 1) for x in range(3)], object)
    fields = {"part": np.array(["train", "test", ""], object)}
    path = folder / "blocks.gpkg"
    path.write_bytes(layer_file(squares, fields, "EPSG:32648", "2025-11-30", "blocks", style=style))
    return path


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_a_style_has_a_symbol_for_each_value() -> None:
    style = ElementTree.fromstring(QML)  # noqa: S314
    renderer = style.find("renderer-v2")
    assert renderer is not None
    assert renderer.attrib == {"type": "categorizedSymbol", "attr": "part"}
    entries = [dict(entry.attrib) for entry in renderer.iterfind("categories/category")]
    assert [(entry["value"], entry["label"]) for entry in entries] == [
        ("train", 'to "learn" <from>'),
        ("", "none"),
    ]
    colours = {
        symbol.attrib["name"]: option.attrib["value"]
        for symbol in renderer.iterfind("symbols/symbol")
        for option in symbol.iterfind("layer/Option/Option[@name='outline_color']")
    }
    assert [colours[entry["symbol"]] for entry in entries] == ["230,159,0,255", "9,8,7,255"]


def test_numbers_are_values_of_numeric_fields() -> None:
    style = ElementTree.fromstring(categorised("fold", [Category(3, "fold 3", (0, 0, 0))]))  # noqa: S314
    entry = style.find("renderer-v2/categories/category")
    assert entry is not None
    assert (entry.attrib["value"], entry.attrib["type"]) == ("3", "long")


def test_the_style_is_the_default_of_its_layer_where_qgis_looks_for_it(tmp_path: Path) -> None:
    path = geopackage(tmp_path)
    found = rows(
        path,
        "SELECT styleQML FROM layer_styles WHERE f_table_catalog = '' AND f_table_schema = '' "
        "AND f_table_name = 'blocks' AND f_geometry_column = 'geom' AND useAsDefault",
    )
    assert found == [(QML,)]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "SELECT DISTINCT last_change FROM gpkg_contents") == [
        ("2025-11-30T00:00:00.000Z",)
    ]


@pytest.mark.filterwarnings("error")
def test_a_styled_layer_is_read_as_one_without(tmp_path: Path) -> None:
    path = geopackage(tmp_path)
    assert [tuple(layer) for layer in list_layers(path)] == [
        ("blocks", "MultiPolygon"),
        ("layer_styles", None),
    ]
    layer = read_polygons(str(path), "part")
    assert (layer.values, layer.crs) == (["train", "test", ""], "EPSG:32648")
    # By its spatial index too.
    _, _, inside, _ = raw.read(path, layer="blocks", bbox=(2.2, 0.2, 2.8, 0.8))
    assert len(inside) == 1


def test_the_same_style_makes_the_same_file_with_any_sqlite(tmp_path: Path) -> None:
    plain = geopackage(tmp_path, style=None).read_bytes()
    styled = geopackage(tmp_path).read_bytes()
    assert styled == geopackage(tmp_path).read_bytes()
    assert styled[96:100] == plain[96:100]  # which SQLite wrote it


def test_a_layer_without_features_has_its_style(tmp_path: Path) -> None:
    path = tmp_path / "blocks.gpkg"
    path.write_bytes(layer_file(np.array([], object), {}, None, "2025-11-30", "blocks", style=QML))
    assert rows(path, "SELECT count(*) FROM layer_styles") == [(1,)]


def test_a_map_shows_what_a_person_draws_into_it(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    landslides = landslides_in(squares(10, 4), UTM)
    write_polygons(path, table_of(landslides, UTM, ORIGIN), ORIGIN)
    ((qml,),) = rows(path, "SELECT styleQML FROM layer_styles")
    entries = ElementTree.fromstring(str(qml)).iterfind("renderer-v2/categories/category")  # noqa: S314
    assert "" in [entry.attrib["value"] for entry in entries]  # QGIS: all other values
