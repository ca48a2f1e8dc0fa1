"""Styles of maps, as QGIS reads them beside a raster."""

from xml.etree import ElementTree

import pytest

from landslide_cli.core.palette import Palette
from landslide_cli.imagery.raster.styles import mask_style, probability_style


def test_a_mask_is_clear_where_there_is_no_landslide_and_has_a_legend_of_its_classes() -> None:
    palette = Palette(("ground", "slide & flow"), ((0, 0, 0), (255, 0, 128)))
    style = ElementTree.fromstring(mask_style(palette))  # noqa: S314
    renderer = style.find("pipe/rasterrenderer")
    assert renderer is not None
    assert renderer.attrib["type"] == "paletted"
    entries = [entry.attrib for entry in renderer.iterfind("colorPalette/paletteEntry")]
    assert [(entry["value"], entry["label"], entry["color"]) for entry in entries] == [
        ("0", "ground", "#000000"),
        ("1", "slide & flow", "#ff0080"),
    ]
    assert [int(entry["alpha"]) for entry in entries] == [0, 128]


@pytest.mark.parametrize("certain", [1.0, 100.0])
def test_a_probability_is_clear_at_nought_and_labelled_in_per_cent(certain: float) -> None:
    style = ElementTree.fromstring(probability_style(certain))  # noqa: S314
    items = [item.attrib for item in style.iter("item")]
    values = [float(item["value"]) for item in items]
    assert (values[0], values[-1], values == sorted(values)) == (0.0, certain, True)
    assert (items[0]["alpha"], items[0]["label"], items[-1]["label"]) == ("0", "0%", "100%")
