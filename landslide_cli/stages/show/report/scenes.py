"""The scenes of a report: pictures, outlines that can be clicked, and what belongs to a map."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import Palette, is_foreground
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import LandslideError
from landslide_cli.imagery.map_frame import (
    GridLine,
    Polygon,
    bounds_of,
    crs_name,
    grid_of,
    largest_first,
    length_in_words,
    north_of,
    rings_of,
    round_length,
)
from landslide_cli.imagery.pictures import Picture, as_rgb, outlined
from landslide_cli.imagery.raster.georeference import Geometries, Georeference
from landslide_cli.imagery.raster.images import encoded_jpeg, encoded_png, probe
from landslide_cli.imagery.raster.previews import read_class_preview, read_preview
from landslide_cli.imagery.vector.attributes import LandslideTable
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import mask_path, overlay_path
from landslide_cli.runs.map_record import FinishedScene
from landslide_cli.stages.show.landslides import DRAWN_BY_HAND, UNITS
from landslide_cli.stages.show.report.page import data_uri

# Pixels of the longer side of a scene's picture, alone on the page; bytes of all pictures of
# scenes; and qualities of JPEG that are tried, one after the other, to keep to these.
_LONGEST, _BYTES, _QUALITIES = 4096, 9_000_000, (85, 75, 60, 45, 30)
# Of all scenes together, the largest landslides whose outlines can be clicked.
_MOST_OUTLINES = 4000
# How opaque the colour of a class lies over the scene, of 255.
_OPACITY = 90
# Longer side of the picture of a landslide, and the share of it around the landslide.
_THUMB, _MARGIN = 220, 0.35


@dataclass(frozen=True)
class ScenePart:
    """A scene as the report shows it.

    `image` and `overlay` are data URIs, the second with the classes where nothing else is;
    `outlines` the largest landslides, each with its `id`, `confidence`, `title` and `parts`, whose
    rings are in pixels of the scene; `others` counts the rest. `north` is in degrees clockwise from
    up. `bar` is the length of a scale bar in pixels, and what it means.
    """

    key: str
    name: str
    facts: list[tuple[str, str]]
    width: int
    height: int
    image: str
    overlay: str
    outlines: list[dict[str, Any]]
    others: int
    grid: list[GridLine]
    north: float | None
    bar: tuple[float, str] | None
    gsd: float | None
    crs: str | None
    transform: list[float]
    is_original: bool

    def viewer(self) -> dict[str, Any]:
        """Return what the map in the page needs, as plain JSON values."""
        return {
            "width": self.width,
            "height": self.height,
            "gsd": self.gsd,
            "transform": self.transform,
            "crs": self.crs,
            "outlines": self.outlines,
            "grid": [[line.axis, line.label, line.ends] for line in self.grid],
        }


def scene_part(
    scene: FinishedScene,
    key: str,
    folder: Path,
    profile: Profile,
    landslides: tuple[LandslideTable, Geometries] | None,
    count: int,
    reporter: Reporter,
) -> ScenePart:
    """Draw a scene for the page, reduced as far as its place there asks.

    Args:
        scene: by the record of its folder.
        key: its anchor in the page.
        folder: of the maps.
        profile: its palette, and the bands that it calls red, green and blue, are used.
        landslides: its polygons, with their geometries in pixels of the scene; None without.
        count: of the scenes that share the page.
        reporter: told of an image that cannot be read.
    """
    longest = round(_LONGEST / math.sqrt(count))
    picture, is_original = _picture(scene, folder, longest, profile.shown_bands, reporter)
    classes = read_class_preview(mask_path(folder, scene.name), longest // 2)
    place = probe(mask_path(folder, scene.name)).georeference
    width, height, gsd = scene.width, scene.height, scene.summary.gsd
    tolerance = max(0.1, 0.5 * max(width, height) / longest)
    outlines = (
        [] if landslides is None else _outlines(*landslides, _MOST_OUTLINES // count, tolerance)
    )
    transform = place.transform if place.is_known else Georeference().transform
    return ScenePart(
        key,
        scene.name,
        _facts(scene, place),
        width,
        height,
        data_uri("image/jpeg", _fitting_jpeg(picture, _BYTES // count)),
        data_uri("image/png", encoded_png(_overlaid(classes, profile.palette))),
        outlines,
        0 if landslides is None else len(landslides[1]) - len(outlines),
        grid_of(place, width, height),
        north_of(place, width, height),
        None if gsd is None else _scale_bar(gsd, width),
        gsd,
        crs_name(place) if place.is_known else None,
        list(transform[:6]),
        is_original,
    )


def thumbnail(
    scene: FinishedScene, polygon: Polygon, colours: Sequence[int] | None = None
) -> str | None:
    """Draw a landslide with some of the ground around it; None if the image cannot be read.

    Args:
        scene: where it is.
        polygon: in pixels of the scene.
        colours: numbers of the scene's bands to show; as of `read_preview`.
    """
    if not scene.image.exists():
        return None
    left, top, right, bottom = bounds_of(polygon)
    side = (1.0 + 2.0 * _MARGIN) * max(right - left, bottom - top, 32.0)
    window = _window((left + right) / 2, (top + bottom) / 2, side, scene.width, scene.height)
    try:
        picture = as_rgb(read_preview(scene.image, _THUMB, window, colours).image)
    except LandslideError:
        return None
    factor = picture.shape[1] / window.width
    for exterior, *_ in rings_of(polygon, max(0.1, 0.5 / factor)):
        corners = (np.array(exterior) - (window.col_off, window.row_off)) * factor
        picture = outlined(picture, corners)
    return data_uri("image/jpeg", encoded_jpeg(picture, 80))


def _picture(
    scene: FinishedScene,
    folder: Path,
    longest: int,
    colours: Sequence[int] | None,
    reporter: Reporter,
) -> tuple[Picture, bool]:
    """Read the image of a scene reduced, or what `infer-tiled` drew of it; and tell which."""
    try:
        if scene.image.exists():
            return as_rgb(read_preview(scene.image, longest, colours=colours).image), True
    except LandslideError as error:
        reporter.note(f"{error}: the report shows the overlay of {scene.name}")
    return as_rgb(read_preview(overlay_path(folder, scene.name), longest).image), False


def _outlines(
    table: LandslideTable, polygons: Geometries, most: int, tolerance: float
) -> list[dict[str, Any]]:
    """Describe the largest landslides of a scene, in the order of their numbers."""
    unit = "m2" if "area_m2" in table.fields else "px"
    outlines = []
    for index in sorted(largest_first(polygons)[:most]):
        number, area = int(table.fields["id"][index]), table.fields[f"area_{unit}"][index]
        confidence = str(table.fields["confidence"][index])
        words = [f"{table.fields['class'][index] or 'landslide'} {number}"]
        words += [f"{area:,.0f} {UNITS[unit]}"] if np.isfinite(area) else []
        words += [f"{confidence} confidence" if confidence else DRAWN_BY_HAND]
        parts = rings_of(polygons[index], tolerance)
        outlines.append(
            {"id": number, "confidence": confidence, "title": ", ".join(words), "parts": parts}
        )
    return outlines


def _facts(scene: FinishedScene, place: Georeference) -> list[tuple[str, str]]:
    """Return what is to be said of a scene beside its map."""
    summary = scene.summary
    shares = ", ".join(f"{name} {share:.1%}" for name, share in summary.class_shares.items())
    gsd = "unknown" if summary.gsd is None else f"{summary.gsd:.3g} m"
    return [
        ("Image", scene.image.name),
        ("Size", f"{scene.width:,} × {scene.height:,} pixels"),
        ("Ground sampling distance", gsd),
        ("Coordinate reference system", crs_name(place) or "none: coordinates are pixels"),
        ("Pixels with data", f"{summary.pixels:,}"),
        ("Of these", shares),
    ]


def _window(x: float, y: float, side: float, width: int, height: int) -> Window:
    """Return a square window around a point, as far as it lies in the scene."""
    left, top = max(0, math.floor(x - side / 2)), max(0, math.floor(y - side / 2))
    right, bottom = min(width, math.ceil(x + side / 2)), min(height, math.ceil(y + side / 2))
    return Window(left, top, max(1, right - left), max(1, bottom - top))


def _overlaid(classes: NDArray[np.uint8], palette: Palette) -> NDArray[np.uint8]:
    """Return the colours of the foreground, half transparent, and clear elsewhere; RGBA."""
    where = is_foreground(palette.only_foreground(classes))
    colours = palette.colourise(classes)
    alpha = np.where(where, _OPACITY, 0).astype(np.uint8)
    return np.dstack([np.where(where[..., None], colours, 0), alpha])


def _fitting_jpeg(picture: NDArray[np.uint8], most: int) -> bytes:
    """Encode a picture as well as its bytes allow."""
    for quality in _QUALITIES:
        encoded = encoded_jpeg(picture, quality)
        if len(encoded) <= most:
            break
    return encoded


def _scale_bar(gsd: float, width: int) -> tuple[float, str]:
    """Return the length of a scale bar of about a fifth of a scene, in pixels, and its words."""
    metres = round_length(gsd * width / 5.0)
    return metres / gsd, length_in_words(metres)
