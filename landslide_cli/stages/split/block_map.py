"""The map of a split's blocks: in which part or fold each is, and what it holds."""

from collections.abc import Iterator, Mapping, Sequence

from landslide_cli.core.parts import PARTS
from landslide_cli.dataset.blocks import Block, Blocks
from landslide_cli.dataset.files import BLOCK_MAP
from landslide_cli.dataset.prepared import delivered_scenes_of
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.vector.placed import PlacedPolygon, rectangle, write_placed
from landslide_cli.outputs import whole_file
from landslide_cli.profile import Profile
from landslide_cli.stages.split.result import SplitResult

_LAYER = "blocks"


def map_blocks(profile: Profile, blocks: Blocks, result: SplitResult) -> None:
    """Write the blocks into `blocks.gpkg` in the dataset's folder; nothing if there are none.

    Each with its part, or the fold whose test part it is in, its group, and the shares of the
    classes in its labelled pixels. Blocks left out without any label have neither.

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
        write_placed(partial, _LAYER, polygons)


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
