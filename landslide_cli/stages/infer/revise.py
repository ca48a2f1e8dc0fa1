"""Scenes that were mapped before: what is asked for now is made of what is stored, without a model.

From the stored probability mask and polygons are drawn anew, and are those of the model to the bit
if it is stored as float32. From the stored polygons other formats and attributes are made.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.tiling.predict import mask_of
from landslide_cli.errors import LandslideError, counted, listed
from landslide_cli.imagery.pictures import Reduced
from landslide_cli.imagery.raster.opening import opened
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.imagery.vector.polygon_files import read_table
from landslide_cli.outputs import scratch_folder
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import MAP_SUFFIXES
from landslide_cli.runs.map_record import FinishedScene
from landslide_cli.stages.infer.folder import MapFolder, Standing
from landslide_cli.stages.infer.identity import identity_of
from landslide_cli.stages.infer.making import make_maps
from landslide_cli.stages.infer.mapper import Band, Recipe
from landslide_cli.stages.infer.polygons import described, write_formats
from landslide_cli.stages.infer.result import FailedScene, reason_of
from landslide_cli.stages.infer.scene_maps import PERCENT_NODATA, provenance_of
from landslide_cli.stages.infer.scenes import SceneFile

# Pixels of a scene that are read at once.
_PIXELS_AT_ONCE = 2**23


def tell_work(
    standings: Sequence[tuple[SceneFile, Standing]], classes: int, reporter: Reporter
) -> None:
    """Say of which scenes what is made anew, with or without the model, and why."""
    drawn = [(scene, standing) for scene, standing in standings if standing.work == "draw"]
    completed = [scene for scene, standing in standings if standing.work == "describe"]
    mapped = [
        (scene, standing)
        for scene, standing in standings
        if standing.work == "map" and standing.changes
    ]
    if drawn:
        why = ", ".join(drawn[0][1].changes) or "other polygons"
        note = f"{why}: polygons of {_names([scene for scene, _ in drawn])} are made anew from the "
        note += "stored probability, without the model"
        known = [standing.known for _, standing in drawn if standing.known is not None]
        if any(finished.outputs.probability == "percent" for finished in known):
            note += "; it is in whole per cent"
        reporter.note(note)
    if completed:
        reporter.note(f"polygons of {_names(completed)} get what is asked for, without the model")
    if mapped:
        reason = "--probability stores the probability, from which polygons are made without it"
        if classes > 2:
            reason = "with several classes the stored probability does not tell them apart"
        why = ", ".join(mapped[0][1].changes)
        names = _names([scene for scene, _ in mapped])
        reporter.note(f"{why}: the model runs for {names}; {reason}")


def _names(scenes: Sequence[SceneFile]) -> str:
    names = [scene.name for scene in scenes]
    return names[0] if len(names) == 1 else f"{counted(len(names), 'scene')} ({listed(names, 3)})"


def revise(
    recipe: Recipe, scenes: Sequence[SceneFile], folder: MapFolder, reporter: Reporter
) -> tuple[list[SceneFile], list[FailedScene]]:
    """Make of what is stored of scenes what is asked for.

    Args:
        recipe: of the maps, with what is asked for now.
        scenes: that the model need not run for.
        folder: of the maps.
        reporter: shown the progress.

    Returns:
        Scenes that the model is to run for after all, as another run has changed them meanwhile;
        and those that could not be made.
    """
    left, failed = [], []
    with reporter.track(f"polygons of {counted(len(scenes), 'scene')}", len(scenes)) as advance:
        for scene in scenes:
            try:
                if not _revise(recipe, scene, folder, reporter):
                    left.append(scene)
            except (LandslideError, OSError) as error:
                failed.append(FailedScene(scene.name, scene.image, reason_of(error, scene.image)))
            advance()
    return left, failed


def _revise(recipe: Recipe, scene: SceneFile, folder: MapFolder, reporter: Reporter) -> bool:
    """Make of what is stored of a scene what is asked for; return whether that can be done."""
    name, image = scene.name, scene.image
    with folder.mapping(name, image, reporter, lambda: None) as finished:
        standing = folder.standing(name, image, len(recipe.profile.palette))
        known = standing.known
        if finished is not None:
            return True
        if known is None or standing.work == "map":
            return False
        if standing.work == "describe":
            _describe(recipe, scene, folder, known)
        else:
            bands_of = partial(stored_bands, folder.folder, name, known, recipe.run.threshold)
            make_maps(recipe, scene, known.scale, folder, bands_of, known.summary)
        return True


def _describe(recipe: Recipe, scene: SceneFile, folder: MapFolder, known: FinishedScene) -> None:
    """Make formats and attributes of the stored polygons."""
    outputs = folder.outputs_of(scene.name, scene.image)
    identity = identity_of(scene.image, recipe.layers(scene.image))
    summary = known.summary
    provenance = provenance_of(recipe, scene.name, scene.image, summary.gsd, summary.mapped)
    with scratch_folder(folder.folder / scene.name) as scratch:
        table = described(read_table(folder.folder / summary.files["gpkg"]), outputs)
        palette = recipe.profile.palette
        files = write_formats(scratch, table, provenance, outputs, palette)
        summary = replace(summary, files=summary.files | files)
        finished = replace(known, summary=summary, outputs=outputs)
        folder.finish(finished, identity, scratch)


def stored_bands(
    folder: Path,
    name: str,
    known: FinishedScene,
    threshold: float | None,
    scene: SceneReader,
    picture: Reduced,
) -> Generator[Band]:
    """Yield a scene's bands by its stored mask and probability, as the model's were.

    Args:
        folder: of the maps.
        name: of the scene.
        known: what is stored.
        threshold: another than that of the stored mask makes another mask.
        scene: opened.
        picture: given the scene's own pixels.

    Raises:
        DataError: a file cannot be read.
    """
    is_same = known.outputs.drawing.threshold == threshold
    rows_at_once = max(1, _PIXELS_AT_ONCE // known.width)
    paths = [folder / f"{name}{MAP_SUFFIXES[kind]}" for kind in ("mask", "probability")]
    with opened(paths[0]) as masks, opened(paths[1]) as probabilities:
        for row in range(0, known.height, rows_at_once):
            rows, cols = (row, min(row + rows_at_once, known.height)), (0, known.width)
            mask = masks.read(1, window=(rows, cols))
            probability = _probability(probabilities.read(1, window=(rows, cols)))
            if not is_same:
                drawn = mask_of(probability[..., None], threshold)  # of two classes
                mask = np.where(mask == IGNORE, np.uint8(IGNORE), drawn)
            picture.put(row, 0, scene.read(rows, cols).image)
            yield Band(row, 0, mask, probability)


def _probability(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return stored probabilities in [0, 1], 0 where there is no data."""
    if values.dtype == np.uint8:
        percent = np.where(values == PERCENT_NODATA, 0, values).astype(np.float32)
        return percent / np.float32(100.0)
    return np.nan_to_num(np.asarray(values, np.float32), nan=0.0)
