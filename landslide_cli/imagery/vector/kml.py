"""KML, the form in which phones and virtual globes open polygons (OGC 12-007r2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import shapely

from landslide_cli.imagery.vector.styles import Category

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_NAMESPACE = "http://www.opengis.net/kml/2.2"

# Decimals of degrees, about a centimetre on the ground.
_DECIMALS = 7


@dataclass(frozen=True)
class Placemark:
    """A polygon in longitude and latitude, its category, and its values."""

    name: str
    category: str
    geometry: shapely.Geometry
    values: Mapping[str, str]


def kml_document(
    name: str,
    placemarks: Sequence[Placemark],
    categories: Sequence[Category],
    titles: Mapping[str, str],
) -> bytes:
    """Return a KML document of polygons on the ground, outlined in their colours.

    Args:
        name: of the document.
        placemarks: the polygons.
        categories: how they are drawn, by their outlines.
        titles: of their values, for people.
    """
    head = [f"<name>{escape(name)}</name>", *map(_style, categories)]
    # One after the other: a tree of all would take many times the memory of the text.
    parts = [*head, *(_written(_placemark(placemark, titles)) for placemark in placemarks)]
    lines = [_DECLARATION, f'<kml xmlns="{_NAMESPACE}"><Document>', *parts, "</Document></kml>"]
    return "\n".join([*lines, ""]).encode()


def _style(category: Category) -> str:
    style = ET.Element("Style", id=str(category.value))
    line = ET.SubElement(style, "LineStyle")
    _text(line, "color", _colour(category.colour))
    _text(line, "width", "3")
    _text(ET.SubElement(style, "PolyStyle"), "fill", "0")
    return _written(style)


def _written(element: ET.Element) -> str:
    return ET.tostring(element, "unicode")


def _placemark(placemark: Placemark, titles: Mapping[str, str]) -> ET.Element:
    element = ET.Element("Placemark")
    _text(element, "name", placemark.name)
    _text(element, "styleUrl", f"#{placemark.category}")
    data = ET.SubElement(element, "ExtendedData")
    for key, value in placemark.values.items():
        entry = ET.SubElement(data, "Data", name=key)
        _text(entry, "displayName", titles.get(key, key))
        _text(entry, "value", value)
    geometry = ET.SubElement(element, "MultiGeometry")
    for polygon in shapely.get_parts(placemark.geometry):
        part = ET.SubElement(geometry, "Polygon")
        _text(part, "tessellate", "1")
        _ring(part, "outerBoundaryIs", polygon.exterior)
        for hole in polygon.interiors:
            _ring(part, "innerBoundaryIs", hole)
    return element


def _ring(polygon: ET.Element, kind: str, ring: shapely.LinearRing) -> None:
    points = shapely.get_coordinates(ring).round(_DECIMALS).tolist()
    coordinates = " ".join(f"{x:.{_DECIMALS}f},{y:.{_DECIMALS}f}" for x, y in points)
    _text(ET.SubElement(ET.SubElement(polygon, kind), "LinearRing"), "coordinates", coordinates)


def _text(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text


def _colour(colour: tuple[int, int, int]) -> str:
    """Write red, green and blue as KML does: alpha, blue, green, red."""
    red, green, blue = colour
    return bytes([255, blue, green, red]).hex()
