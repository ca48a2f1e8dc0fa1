"""How QGIS shows a layer of polygons: a style that lies in the GeoPackage and is taken unasked."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from landslide_cli.imagery.raster.styles import QGIS_VERSION
from landslide_cli.imagery.vector.geopackage import edited

# QGIS looks for its styles in this table. Catalogue and schema must be empty, not null.
_TABLE = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT,
  styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
  owner TEXT, ui TEXT, update_time DATETIME DEFAULT CURRENT_TIMESTAMP
)
"""
_CONTENT = """
INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change)
SELECT 'layer_styles', 'attributes', 'layer_styles', '', last_change
FROM gpkg_contents WHERE table_name = :layer
"""
_STYLE = """
INSERT INTO layer_styles
SELECT NULL, '', '', table_name, column_name, table_name, :qml, '', 1, '', '', '', last_change
FROM gpkg_geometry_columns JOIN gpkg_contents USING (table_name) WHERE table_name = :layer
"""


@dataclass(frozen=True)
class Category:
    """How polygons with a value of the style's field are drawn.

    `label` stands in the legend; `colour` is red, green and blue, of the outline as it is and of
    the area with an `opacity` from 0 to 1. `width` is the outline's in millimetres, `line` one of
    Qt's styles: solid, dash, dot.
    """

    value: str | int
    label: str
    colour: tuple[int, int, int]
    opacity: float = 0.35
    width: float = 0.4
    line: str = "solid"


def categorised(
    field: str, categories: Sequence[Category], titles: Mapping[str, str] | None = None
) -> str:
    """Return a style, as QML, that draws polygons by the value of a field.

    Polygons of other values, or of none, are drawn by the category of the empty text, if there is
    one, and else not at all.

    Args:
        field: whose values are drawn.
        categories: one for each value.
        titles: names of fields for people, by the fields.
    """
    qgis = ElementTree.Element("qgis", version=QGIS_VERSION, styleCategories="Symbology")
    renderer = ElementTree.SubElement(qgis, "renderer-v2", type="categorizedSymbol", attr=field)
    entries = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    for number, category in enumerate(categories):
        kind = "string" if isinstance(category.value, str) else "long"
        entry = {"value": str(category.value), "label": category.label, "type": kind}
        ElementTree.SubElement(entries, "category", entry, symbol=str(number), render="true")
        symbol = {"name": str(number), "type": "fill", "alpha": "1"}
        _fill(ElementTree.SubElement(symbols, "symbol", symbol), category)
    if titles:
        qgis.set("styleCategories", "Symbology|Fields")
        aliases = ElementTree.SubElement(qgis, "aliases")
        for name, title in titles.items():
            ElementTree.SubElement(aliases, "alias", field=name, name=title)
    return ElementTree.tostring(qgis, encoding="unicode")


def _fill(symbol: ElementTree.Element, category: Category) -> None:
    red, green, blue = category.colour
    layer = {"class": "SimpleFill", "enabled": "1", "pass": "0", "locked": "0"}
    values = {
        "color": f"{red},{green},{blue},{round(255 * category.opacity)}",
        "style": "solid",
        "outline_color": f"{red},{green},{blue},255",
        "outline_style": category.line,
        "outline_width": f"{category.width:g}",
        "outline_width_unit": "MM",
        "joinstyle": "miter",
    }
    drawn = ElementTree.SubElement(symbol, "layer", layer)
    options = ElementTree.SubElement(drawn, "Option", type="Map")
    for name, value in values.items():
        ElementTree.SubElement(options, "Option", type="QString", name=name, value=value)


def styled(geopackage: bytes, layer: str, qml: str) -> bytes:
    """Put a style into a GeoPackage, as the default of one of its layers.

    Args:
        geopackage: the file, without styles.
        layer: name of a layer with geometries.
        qml: the style, as QGIS saves it.
    """

    def add(database: sqlite3.Connection) -> None:
        database.execute(_TABLE)
        database.execute(_CONTENT, {"layer": layer})
        database.execute(_STYLE, {"layer": layer, "qml": qml})

    return edited(geopackage, add)
