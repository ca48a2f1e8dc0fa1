"""How QGIS shows maps: styles in QML, its own format, read unasked from `NAME.qml` by a raster."""

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from landslide_cli.core.palette import Palette

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
# The oldest QGIS that the styles, of polygons too, are tried with.
QGIS_VERSION = "3.22.0"

# Of classes over a scene, in [0, 255].
_HALF = 128

# Probabilities from light yellow to dark red, which differ in lightness too, so that the
# colour-blind and a gray print tell them apart (YlOrRd of colorbrewer2.org); the alphas let the
# scene show where there is little to see.
_RAMP = (
    (0.0, "#ffffb2", 0),
    (0.1, "#ffffb2", 0),
    (0.3, "#fecc5c", 150),
    (0.5, "#fd8d3c", 190),
    (0.75, "#f03b20", 210),
    (1.0, "#bd0026", 230),
)


def mask_style(palette: Palette) -> str:
    """Return the style of a class mask: clear background, classes half transparent, by name.

    A background that is ignored is not in the legend.
    """
    root, renderer = _raster("paletted")
    entries = ET.SubElement(renderer, "colorPalette")
    for index in palette.meaningful:
        name, colour = palette.names[index], palette.colours[index]
        alpha = 0 if index == 0 else _HALF
        ET.SubElement(
            entries, "paletteEntry", value=str(index), alpha=str(alpha), color=_hex(colour),
            label=name,
        )  # fmt: skip
    return _text(root)


def probability_style(certain: float) -> str:
    """Return the style of a probability.

    Args:
        certain: the value of probability 1: 1, or 100 for per cent.
    """
    root, renderer = _raster("singlebandpseudocolor")
    renderer.set("classificationMin", "0")
    renderer.set("classificationMax", f"{certain:g}")
    shader = ET.SubElement(ET.SubElement(renderer, "rastershader"), "colorrampshader")
    shader.attrib.update(
        colorRampType="INTERPOLATED", classificationMode="1", clip="0",
        minimumValue="0", maximumValue=f"{certain:g}", labelPrecision="2",
    )  # fmt: skip
    for share, colour, alpha in _RAMP:
        ET.SubElement(
            shader, "item", value=f"{share * certain:g}", alpha=str(alpha), color=colour,
            label=f"{share:.0%}",
        )  # fmt: skip
    return _text(root)


def _raster(kind: str) -> tuple[ET.Element, ET.Element]:
    """Begin a style of a raster of one band; return it and its renderer."""
    root = ET.Element("qgis", version=QGIS_VERSION, styleCategories="Symbology")
    pipe = ET.SubElement(root, "pipe")
    renderer = ET.SubElement(pipe, "rasterrenderer", type=kind, band="1", opacity="1")
    renderer.attrib.update(alphaBand="-1", nodataColor="")
    ET.SubElement(renderer, "rasterTransparency")
    # Classes and probabilities are not averaged with each other on the screen.
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ET.SubElement(root, "blendMode").text = "0"
    return root, renderer


def _hex(colour: Sequence[int]) -> str:
    return "#" + bytes(colour).hex()


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return _DOCTYPE + ET.tostring(root, encoding="unicode") + "\n"
