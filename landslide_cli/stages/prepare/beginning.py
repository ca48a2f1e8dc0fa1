"""`landslide prepare --init`: a first profile, from a look at images and labels."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landslide_cli.core.palette import colour_counts
from landslide_cli.dataset.finding import existing
from landslide_cli.dataset.scenes import Scene, background_scenes, labelled_scenes
from landslide_cli.errors import DataError, OutputError, counted, listed
from landslide_cli.imagery.raster.georeference import gsd_of
from landslide_cli.imagery.raster.images import RasterInfo, bands_by_name, probe, value_range_for
from landslide_cli.imagery.raster.mask_values import read_mask_values
from landslide_cli.imagery.vector.layers import LayerInfo, is_vector, layer_info
from landslide_cli.outputs import write_text
from landslide_cli.profile import load_profile
from landslide_cli.profile.profile import FOLDER_NAME
from landslide_cli.reporting import Reporter, Result, Table

# Masks that are read to find the classes, and how many colours are taken for classes.
_MASKS, _MOST_CLASSES = 20, 16

# Of more colours than that, those count as one whose bands all differ by less than this, and those
# as none of a class that cover less than this share of what is not background.
_NEAR, _LEAST_SHARE = 48, 0.1

# Below this many scenes a split by scene leaves a part with hardly any.
_FEW = 3

# Bands of the packaged model, and the side of its crops.
_COLOURS_OF_MODEL, _CROP = 3, 256

# Fields that name polygons, and values that are days: neither tells a class.
_NO_CLASS = re.compile(r"(?i)(?:\w*_)?(?:fid|[gou]?id|objectid|uuid|name|label)(?:_\d+)?")
_DATE = re.compile(r"\d{4}[-/]\d\d[-/]\d\d")

_BACKGROUND, _LANDSLIDE = (0, 0, 0), (255, 0, 255)

# Colours of classes that have none of their own.
_COLOURS = [
    (255, 0, 255),
    (0, 170, 255),
    (255, 170, 0),
    (0, 200, 80),
    (230, 50, 50),
    (120, 80, 230),
]

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class FirstProfileResult(Result):
    """The profile that was written, and the notes that its comments give too."""

    profile: Path
    scenes: int
    classes: list[str]
    notes: list[str]

    def headline(self) -> str:
        return f"{self.profile} written; look through it, then: landslide prepare {self.profile}"

    def tables(self) -> Sequence[Table]:
        return []


def write_first_profile(
    path: Path | None, images: str, labels: str, overwrite: bool, reporter: Reporter
) -> FirstProfileResult:
    """Write a commented profile that extends the packaged one, after looking at the data.

    Args:
        path: of the profile. Default: named after the images, in the working folder.
        images: glob, folder or file of the scenes.
        labels: glob or folder of their masks; or a vector file, with its layer if it has several.
        overwrite: replace a profile.
        reporter: told what the profile leaves to be filled in.

    Raises:
        DataError: images or labels cannot be used.
        OutputError: the profile exists, or cannot be written.
    """
    name = _name(images) if path is None else _as_name(path.stem)
    path = Path(f"{name}.yaml") if path is None else path
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: exists; name another profile, or replace it by --overwrite")
    by_polygons = is_vector(labels)
    scenes = background_scenes(images) if by_polygons else labelled_scenes(images, labels)
    infos = [probe(scene.image) for scene in scenes]
    notes: list[str] = []
    if by_polygons:
        (lines, classes), is_blurred = _of_layer(labels, notes), False
    else:
        lines = [f"masks: {_text(labels)}"]
        classes, is_blurred = _of_masks(scenes, notes)
    is_listed = max(info.bands for info in infos) not in (1, _COLOURS_OF_MODEL)
    source = [
        f"# {_seen(infos)}",
        f"images: {_text(images)}",
        *lines,
        *_source(scenes, infos, is_listed, notes),
    ]
    rest = _listed_bands(scenes, infos, notes) if is_listed else []
    prepare = ["# The masks hold more colours than these.", "nearest_colour: true"]
    lines = list(_document(name, path, source, classes, notes))
    lines += [*rest, *_prepare(infos, is_listed, prepare if is_blurred else [])]
    write_text(path, "\n".join(lines) + "\n")
    try:
        load_profile(path)
    except Exception:
        path.unlink()
        raise
    for note in notes:
        reporter.note(note)
    return FirstProfileResult(path, len(scenes), [name for name, _ in classes], notes)


def _document(
    name: str,
    path: Path,
    source: Sequence[str],
    classes: Sequence[tuple[str, Colour]],
    notes: Sequence[str],
) -> Iterator[str]:
    yield "# Written by `landslide prepare --init`. Look through it, then:"
    yield f"#   landslide prepare {path}; landslide split {path}; landslide train {path}"
    yield "# All else is as in the packaged profile, which it extends."
    for note in notes:
        yield f"# To do: {note}"
    yield "extends: landslide"
    yield f"name: {_text(name)}"
    yield ""
    yield "source:"
    yield from (f"  {line}" for line in source)
    yield ""
    yield "# In the order of their indices, the background first."
    yield "classes:"
    for label, colour in classes:
        yield f"  - {{name: {_text(label)}, colour: {list(colour)}}}"


def _seen(infos: Sequence[RasterInfo]) -> str:
    """Describe the images: how many, bands, type, size and GSD."""
    sides = sorted(
        {(info.width, info.height) for info in infos}, key=lambda side: side[0] * side[1]
    )
    sizes = " to ".join(
        dict.fromkeys(f"{cols:,} x {rows:,}" for cols, rows in (sides[0], sides[-1]))
    )
    bands = " or ".join(str(count) for count in sorted({info.bands for info in infos}))
    types = " or ".join(sorted({info.dtype for info in infos}))
    gsds = sorted(gsd for info in infos if (gsd := _gsd(info)) is not None)
    ground = "no georeference"
    if gsds:
        ends = dict.fromkeys(f"{gsd:.3g}" for gsd in (gsds[0], gsds[-1]))
        ground = f"{' to '.join(ends)} m per pixel"
    return f"{counted(len(infos), 'image')}: {bands} bands of {types}, {sizes} pixels, {ground}"


def _gsd(info: RasterInfo) -> float | None:
    sides = gsd_of(info.georeference, info.width, info.height)
    return None if sides is None else (sides[0] * sides[1]) ** 0.5


def _source(
    scenes: Sequence[Scene], infos: Sequence[RasterInfo], is_listed: bool, notes: list[str]
) -> Iterator[str]:
    """Yield the lines on GSD and values, as far as the data ask for any."""
    if any(_gsd(info) is None for info in infos):
        notes.append("give source.gsd, the metres per pixel of the images without georeference")
        yield "# gsd: 0.5"
    ranges = [
        ends
        for scene in ([] if is_listed else scenes[:_MASKS])
        if (ends := value_range_for(scene.image)) is not None
    ]
    if ranges:
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        notes.append("check source.value_range: the values that become black and white")
        yield f"value_range: [{low:.10g}, {high:.10g}]"
    if len(scenes) < _FEW:
        notes.append(
            f"{counted(len(scenes), 'scene')} cannot be divided into training, validation and test "
            "sets as wholes: set split.block (docs/labels.md, One orthophoto)"
        )


def _listed_bands(
    scenes: Sequence[Scene], infos: Sequence[RasterInfo], notes: list[str]
) -> list[str]:
    """Return the lines on bands and model where the packaged model does not take the images."""
    names = max((bands_by_name(scene.image) for scene in scenes[:_MASKS]), key=len)
    scaling = "" if all(info.dtype == "uint8" for info in infos) else ", auto: true"
    lines = ["", "# In the order of the model; `auto`: scaled by the training set (docs/bands.md)."]
    lines += ["bands:"]
    lines += [f"  - {{name: {name}, band: {n}{scaling}}}" for name, n in names.items()]
    told = "name the bands"
    if not {"red", "green", "blue"} <= set(names):
        told += "; pictures and the encoder's weights need red, green and blue"
    if len(names) >= _COLOURS_OF_MODEL:
        told += (
            ". The packaged model takes these three alone: to go on from it, set source.bands to "
            "their numbers, and source.value_range, instead of bands, model and prepare"
        )
    notes.append(told)
    lines += ["", "# Trained anew: the packaged model takes three bands."]
    lines += ["model: {weights: null, encoder: efficientnet_lite0}", "", "train:"]
    side = min(min(info.width, info.height) for info in infos)
    lines += [f"  crop: {min(_CROP, max(32, side // 32 * 32))}"]
    if not {"red", "green", "blue"} <= set(names):
        lines += ["  # These need red, green and blue.", "  augment:"]
        lines += [f"    {kind}: {{probability: 0}}" for kind in ("saturation", "hue")]
    return lines


def _prepare(infos: Sequence[RasterInfo], is_listed: bool, lines: Sequence[str]) -> list[str]:
    """Return the section `prepare`, empty where nothing asks for it."""
    own = list(lines)
    if is_listed:
        gsds = sorted(gsd for info in infos if (gsd := _gsd(info)) is not None)
        size = f"gsd: {gsds[len(gsds) // 2]:.3g}" if gsds else "gsd: null"
        own += ["# As they are, neither resized nor standardized.", size, "standardize: false"]
    return ["", "prepare:", *(f"  {line}" for line in own)] if own else []


def _of_layer(labels: str, notes: list[str]) -> tuple[list[str], list[tuple[str, Colour]]]:
    """Return the lines of `source.labels`, and the classes."""
    info = layer_info(labels)
    lines = ["labels:", f"  # {counted(info.features, 'feature')}, {info.crs or 'no CRS'}"]
    lines.append(f"  files: {_text(labels)}")
    if info.crs is None:
        notes.append("give source.labels.crs, such as EPSG:4326: the layer names none")
        lines.append("  # crs: EPSG:4326")
    lines += [
        "  # A layer of what was examined; without it, all ground without a polygon is background:",
        "  # area: inventory.gpkg|layername=examined",
    ]
    lines += [f"  {line}" for line in _fields(info)]
    return lines, [("background", _BACKGROUND), ("landslide", _LANDSLIDE)]


def _fields(info: LayerInfo) -> Iterator[str]:
    """Suggest the classes that fields would give whose values are of several polygons each."""
    for field, counts in info.values.items():
        is_class = 1 < len(counts) <= info.features / 2 and not _NO_CLASS.fullmatch(field)
        if is_class and not any(_DATE.match(value) for value in counts):
            told = listed([f"{value} ({count})" for value, count in counts.items()])
            values = ", ".join(f"{_text(value)}: landslide" for value in counts)
            yield f"# Classes by the field {field}: {told}"
            yield f"# class: {{field: {_text(field)}, values: {{{values}}}}}"


def _of_masks(scenes: Sequence[Scene], notes: list[str]) -> tuple[list[tuple[str, Colour]], bool]:
    """Find the classes by the colours or indices of the first masks.

    Returns:
        The classes, and whether there are other colours beside theirs, as in JPEG masks.
    """
    grays: Counter[int] = Counter()
    colours: Counter[Colour] = Counter()
    paths = [scene.mask for scene in scenes if scene.mask is not None][:_MASKS]
    for path in paths:
        values = read_mask_values(path)
        shown = ~values.clear
        if values.gray is not None and not values.painted:
            found, counts = np.unique(values.gray[shown], return_counts=True)
            grays.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
        else:
            colours.update(colour_counts(values.colours_at(shown)))
    if not colours:
        return _numbered(sorted(grays), notes), False
    main = _main_colours(colours)
    return _coloured(main, notes), len(main) < len(colours)


def _main_colours(colours: Counter[Colour]) -> list[Colour]:
    """Choose the colours of classes, the most frequent first, where JPEG has added others."""
    if len(colours) <= _MOST_CLASSES:
        return [colour for colour, _ in colours.most_common()]
    main: Counter[Colour] = Counter()
    for colour, count in colours.most_common():
        near = [m for m in main if max(abs(a - b) for a, b in zip(m, colour, strict=True)) < _NEAR]
        main[near[0] if near else colour] += count
    least = _LEAST_SHARE * (main.total() - main.most_common(1)[0][1])
    return [colour for colour, count in main.most_common(_MOST_CLASSES) if count >= least]


def _coloured(ranked: Sequence[Colour], notes: list[str]) -> list[tuple[str, Colour]]:
    first = _BACKGROUND if _BACKGROUND in ranked else ranked[0]
    others = [colour for colour in ranked if colour != first] or [_LANDSLIDE]
    if len(others) == 1:
        return [("background", first), ("landslide", others[0])]
    notes.append(f"name the {len(others)} classes of the masks' colours")
    return [("background", first), *((f"class {n}", c) for n, c in enumerate(others, 1))]


def _numbered(grays: Sequence[int], notes: list[str]) -> list[tuple[str, Colour]]:
    """Name the classes of gray masks: 0 and 255, or indices from 0."""
    indices = [gray for gray in grays if gray != 255]
    if len(indices) <= 1 or max(indices) <= 1:
        return [("background", _BACKGROUND), ("landslide", _LANDSLIDE)]
    if max(indices) >= _MOST_CLASSES:
        told = listed([str(gray) for gray in grays])
        raise DataError(f"the masks hold the grays {told}; classes are numbered from 0")
    notes.append(f"name the classes 1 to {max(indices)} of the masks")
    colours = [_COLOURS[(n - 1) % len(_COLOURS)] for n in range(1, max(indices) + 1)]
    return [("background", _BACKGROUND), *((f"class {n}", c) for n, c in enumerate(colours, 1))]


def _name(images: str) -> str:
    """Name a profile after its images: the file, or the folder that a glob begins with."""
    path = existing(images)
    if path is not None and path.is_file():
        return _as_name(path.stem)
    parts = [part for part in Path(images).parts if not re.search(r"[*?\[]", part)]
    own = [part for part in parts if re.match(r"\w", part) and part != "images"]
    return _as_name(own[-1] if own else "")


def _as_name(text: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:80]
    return name if re.match(FOLDER_NAME, name) else "landslides"


def _text(value: str) -> str:
    """Write text for YAML: as it is where that is read as the same text, else quoted."""
    is_plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_/.| =-]*[A-Za-z0-9]", value)
    is_word = value.lower() in {"none", "null", "true", "false", "yes", "no", "on", "off", "y", "n"}
    return value if is_plain and not is_word and ": " not in value else json.dumps(value)
