"""The files of one scene from its bands, wherever these come from: made aside, then named."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace

from landslide_cli.errors import DataError
from landslide_cli.imagery.pictures import Reduced
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.outputs import scratch_folder
from landslide_cli.runs.map_record import BorderSummary, FinishedScene, SceneSummary
from landslide_cli.runs.scales import SceneScale
from landslide_cli.stages.infer.folder import MapFolder
from landslide_cli.stages.infer.identity import identity_of, is_unchanged
from landslide_cli.stages.infer.mapper import Band, Recipe
from landslide_cli.stages.infer.scene_maps import SceneFacts, SceneMaps
from landslide_cli.stages.infer.scenes import SceneFile

# The bands of an opened scene, whose own pixels are put into the picture.
BandsOf = Callable[[SceneReader, Reduced], Generator[Band]]


def make_maps(
    recipe: Recipe,
    scene: SceneFile,
    scale: SceneScale,
    folder: MapFolder,
    bands_of: BandsOf,
    before: SceneSummary | None = None,
) -> None:
    """Make the maps of a scene: bands to files, and the files into the folder.

    Args:
        recipe: what the bands are made by.
        scene: the scene.
        scale: how the model saw it.
        folder: of the maps.
        bands_of: gives the bands.
        before: what is known of the scene if the model does not run: its date, its border, and what
            of its values was cut off.

    Raises:
        DataError: the scene cannot be read, or changes meanwhile.
        OSError: a file cannot be written.
    """
    name, image = scene.name, scene.image
    identity = identity_of(image, recipe.layers(image))
    outputs = folder.outputs_of(name, image)
    with scratch_folder(folder.folder / name) as scratch:
        with recipe.opened(image) as reader:
            mapped = None if before is None else before.mapped
            facts = SceneFacts.of(name, image, reader, recipe, mapped)
            maps = SceneMaps(scratch, facts, recipe.profile.palette, outputs)
            bands = bands_of(reader, maps.picture)
            # Closed at an error, too: it may hold the model, which other scenes wait for.
            with maps, closing(bands):
                for band in bands:
                    maps.add(band)
            border = _border_of(reader) if before is None else before.border
            clipped = reader.clipped if before is None else before.clipped
        summary = replace(maps.finish(), border=border, clipped=clipped)
        if not is_unchanged(image, identity):
            raise DataError(f"{image}: was changed while it was mapped; map it again")
        finished = FinishedScene(name, image, facts.width, facts.height, scale, summary, outputs)
        folder.finish(finished, identity, scratch)


def _border_of(reader: SceneReader) -> BorderSummary | None:
    border = reader.border
    return None if border is None else BorderSummary(border.share, border.values)
