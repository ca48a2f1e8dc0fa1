"""The map of a split's blocks: in which part or fold each is, and what it holds."""

from collections.abc import Iterator, Mapping, Sequence

from landslide_cli.core.parts import PARTS, Part
from landslide_cli.dataset.blocks import Block, Blocks
from landslide_cli.dataset.files import BLOCK_MAP
from landslide_cli.dataset.sources import delivered_scenes_of
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.vector.placed import PlacedPolygon, rectangle, write_placed
from landslide_cli.imagery.vector.styles import Category, categorised
from landslide_cli.outputs import whole_file
from landslide_cli.profile import Profile
from landslide_cli.stages.split.result import SplitResult

_LAYER = "blocks"

# Told apart on brown and green ground and by those who do not tell red from green (Okabe and Ito
# 2008, Color Universal Design).
_ORANGE, _SKY, _VERMILION, _YELLOW = (230, 159, 0), (86, 180, 233), (213, 94, 0), (240, 228, 66)
_BLUE, _GREEN, _PURPLE = (0, 114, 178), (0, 158, 115), (204, 121, 167)
_COLOURS: dict[Part, tuple[int, int, int]] = {"train": _ORANGE, "valid": _SKY, "test": _PURPLE}
_FOLD_COLOURS = (_ORANGE, _SKY, _PURPLE, _GREEN, _YELLOW, _BLUE, _VERMILION)
_UNUSED = (128, 128, 128)


def map_blocks(profile: Profile, blocks: Blocks, result: SplitResult) -> None:
    """Write the blocks into `blocks.gpkg` in the dataset's folder; nothing if there are none.

    Each with its part, or the fold whose test part it is in, its group, and the shares of the
    classes in its labelled pixels. Blocks left out without any label have neither. QGIS shows the
    parts or folds in colours.

    Raises:
        DataError: a scene cannot be read, or has no place on the Earth.
        OutputError: the file cannot be written.
    """
    path = profile.dataset / BLOCK_MAP
    if not blocks.blocks:
        path.unlink(missing_ok=True)
        return
    divided = set(blocks.scene_of.values())
    places = {
        scene.name: probe(scene.image).georeference
        for scene in delivered_scenes_of(profile)
        if scene.name in divided
    }
    with whole_file(path) as partial:
        polygons = list(_mapped(profile.palette.names, blocks, result, places))
        write_placed(partial, _LAYER, polygons, _style(result))


def _style(result: SplitResult) -> str:
    """Return the style by which QGIS shows the blocks at once: a colour for each part or fold."""
    if not result.folds:
        parts = [Category(part, part, _COLOURS[part]) for part in PARTS]
        return categorised("part", [*parts, Category("none", "no label", _UNUSED)])
    folds = [
        Category(fold, f"fold {fold}", _FOLD_COLOURS[(fold - 1) % len(_FOLD_COLOURS)])
        for fold in range(1, len(result.folds) + 1)
    ]
    return categorised("fold", [*folds, Category(0, "in no fold's test part", _UNUSED)])


def _mapped(
    classes: Sequence[str],
    blocks: Blocks,
    result: SplitResult,
    places: Mapping[str, Georeference],
) -> Iterator[PlacedPolygon]:
    group_of = {name: group.scenes for group in result.groups for name in group.scenes}
    part_of = {name: part for part in PARTS for name in result.scenes.get(part, ())}
    fold_of = {name: fold for fold, parts in enumerate(result.folds, 1) for name in parts["test"]}
    for block in blocks.blocks:
        if block.scene not in places:
            continue
        group, attributes = group_of.get(block.name, []), dict[str, str | int | float]()
        attributes |= {"block": block.name, "scene": block.scene}
        if result.folds:
            attributes["fold"] = fold_of.get(block.name, 0)  # GIS layers have no gaps in numbers
        else:
            attributes["part"] = part_of.get(block.name, "none")
        attributes |= {"group": group[0] if group else "", "blocks_in_group": len(group)}
        attributes |= _shares(classes, block)
        window = block.division.window
        polygon = rectangle(window.col_off, window.row_off, window.width, window.height)
        yield PlacedPolygon(polygon, places[block.scene], attributes)


def _shares(classes: Sequence[str], block: Block) -> dict[str, str | int | float]:
    total = max(1, sum(block.class_pixels))
    shares = zip(classes, block.class_pixels, strict=True)
    return {
        "labelled_px": sum(block.class_pixels),
        **{f"share_{name}": round(pixels / total, 6) for name, pixels in shares},
    }
