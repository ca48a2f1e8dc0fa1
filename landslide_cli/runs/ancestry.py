"""What a model has learned from: the scenes of its own training, and those of its ancestors.

An ancestor is a run, or the packaged model, whose weights a training started from, directly or
through others. `run.json` keeps the scenes of all of them, since none may be there any more when
the model is scored: their names, their files' sizes and digests, and sketches of what they show.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from landslide_cli.dataset.sources import scenes_named
from landslide_cli.dataset.tiles import TILES, read_manifest
from landslide_cli.documents import damaged_record, restored
from landslide_cli.errors import LandslideError
from landslide_cli.imagery.overlap import (
    REDUCED,
    Sketch,
    find_copies,
    sketch_from_text,
    sketch_of,
    sketch_to_text,
)
from landslide_cli.imagery.raster.previews import read_preview
from landslide_cli.imagery.raster.recognition import file_of
from landslide_cli.profile import Profile
from landslide_cli.records import Input, Record
from landslide_cli.runs.files import LANDSLIDE, MODEL, PACKAGED, RUN_RECORD
from landslide_cli.runs.samples import Sample, Samples

# How a sample is recognised: as the same file, as a copy of what it shows, or by its group.
Evidence = Literal["file", "copy", "group"]

# A scene as `run.json` has it: name, size and digest of its file, sketch.
_Row = tuple[str, int, str, str]


@dataclass(frozen=True)
class Learned:
    """A scene, or a tile of unknown scene, that a model has learned from.

    `size` and `digest` are those of its file, as `records.Input` has them. `sketch` is the text of
    a sketch; empty where there is none.
    """

    name: str
    size: int
    digest: str
    sketch: str = ""


@dataclass(frozen=True)
class Ancestor:
    """A model with the scenes and the events that its own training has learned from.

    `model` is the folder of its run, or `landslide`.
    """

    model: str
    scenes: list[Learned]
    events: list[str]

    @property
    def title(self) -> str:
        """The model's name in messages."""
        return f"the packaged model `{LANDSLIDE}`" if self.model == LANDSLIDE else self.model


@dataclass(frozen=True)
class Known:
    """A sample to be scored that shows what a model has learned from.

    `shows` is the name of the scene that `model` learned from; where `evidence` is "group", that of
    another sample of the group.
    """

    sample: str
    model: str
    shows: str
    evidence: Evidence


@dataclass(frozen=True)
class _StoredAncestor:
    model: str
    scenes: list[_Row]
    events: list[str]


@dataclass(frozen=True)
class _Stored:
    """The part of the result in `run.json`; earlier versions recorded neither."""

    learned: list[_Row] | None = None
    ancestors: list[_StoredAncestor] | None = None
    events: list[str] = field(default_factory=list)


def learned_from(
    profile: Profile, images: Mapping[str, Path], inputs: Mapping[str, Input]
) -> list[Learned]:
    """Describe what a training learns from; of tiles whose scenes are there, the scenes.

    Args:
        profile: its `source` and `dataset` are used.
        images: of the training set, by the names of scenes or tiles.
        inputs: those of the training, by their paths; other files are read.

    Raises:
        OSError: a file cannot be read.
    """
    scenes = images_of_tiles(profile, images)
    images = dict(scenes.get(name, (name, image)) for name, image in images.items())
    sketches = _sketches(images.values())
    return [
        Learned(name, file.size, file.digest, sketch_to_text(sketch))
        for (name, image), sketch in zip(images.items(), sketches, strict=True)
        for file in [inputs.get(str(file_of(image)[0])) or Input.of(file_of(image)[0])]
    ]


def images_of_tiles(profile: Profile, names: Iterable[str]) -> dict[str, tuple[str, Path]]:
    """Return the name and the image of the scene that tiles were cut from, as far as it is there.

    What is not the name of a tile, or whose scene the source no longer has, is left out.
    """
    with suppress(LandslideError):
        wanted = set(names)
        scene_of = {t.tile: t.scene for t in read_manifest(profile.dataset / TILES)}
        scene_of = {tile: scene for tile, scene in scene_of.items() if tile in wanted}
        image_of = {s.name: s.image for s in scenes_named(profile, sorted({*scene_of.values()}))}
        return {tile: (scene, image_of[scene]) for tile, scene in scene_of.items()}
    return {}


def document_of(learned: Sequence[Learned], ancestors: Sequence[Ancestor]) -> dict[str, Any]:
    """Return what `run.json` keeps of a training's scenes and of its ancestors, as JSON values."""
    return {
        "learned": [_row(scene) for scene in learned],
        "ancestors": [
            {"model": a.model, "scenes": [_row(scene) for scene in a.scenes], "events": a.events}
            for a in ancestors
        ],
    }


def lineage_of(folder: Path, by_files: bool = False) -> list[Ancestor]:
    """Return the model of a run and its ancestors, the nearest first; none without a record.

    Args:
        folder: of the run.
        by_files: whether of a run of an earlier version, which has not recorded what it learned
            from, all files count, those of its validation set too. Those of its ancestors do.

    Raises:
        DataError: a record is damaged.
    """
    lineage: list[Ancestor] = []
    visited: set[Path] = set()
    while folder not in visited:
        visited.add(folder)
        path = folder / RUN_RECORD
        record = Record.read(path)
        if record is None:
            break
        stored = restored(_Stored, dict(record.result), path, others=True)
        scenes = _scenes(stored.learned or (), path)
        if stored.learned is None and (by_files or lineage):
            scenes = _files(record)
        model = LANDSLIDE if folder == PACKAGED else str(folder)
        lineage.append(Ancestor(model, scenes, stored.events))
        if stored.ancestors is not None:
            of_record = stored.ancestors
            lineage += [Ancestor(a.model, _scenes(a.scenes, path), a.events) for a in of_record]
            break
        weights = record.settings.get("model.weights")
        if weights is None:
            break
        folder = PACKAGED if weights == LANDSLIDE else Path(str(weights))
    return lineage


def known_samples(profile: Profile, lineage: Sequence[Ancestor], samples: Samples) -> list[Known]:
    """Find the samples that a model or one of its ancestors has learned from.

    A sample is recognised by its file, or as a copy by its sketch; and one of the same group with
    it. Tiles are looked for by their scenes too.

    Args:
        profile: its `source` and `dataset` are used for tiles.
        lineage: the model and its ancestors, the nearest first.
        samples: those to be scored; one that cannot be read is in no need of a warning.

    Returns:
        Each sample that is known once, with the nearest model that knows it, in their order.
    """
    if not any(model.scenes for model in lineage):
        return []
    tiles = [sample.name for sample in samples.items if sample.scene is None]
    scene_of = images_of_tiles(profile, tiles) if tiles else {}
    images = [
        (sample.name, image)
        for sample in samples.items
        for image in _images_of(sample, scene_of)
        if image.is_file()
    ]
    known: dict[str, Known] = {}
    # By its file rather than as a copy, and in the nearest model.
    for found in (*_same_files(lineage, images), *_copies(lineage, images)):
        known.setdefault(found.sample, found)
    of_group = {s.group: known[s.name] for s in reversed(samples.items) if s.name in known}
    for sample in samples.items:
        if sample.name not in known and sample.group in of_group:
            other = of_group[sample.group]
            known[sample.name] = Known(sample.name, other.model, other.sample, "group")
    return [known[sample.name] for sample in samples.items if sample.name in known]


def learned_events(profile: Profile, lineage: Sequence[Ancestor], samples: Samples) -> list[str]:
    """Name the events of scenes to be scored that a model or an ancestor has learned from."""
    indices = {sample.scene.source for sample in samples.items if sample.scene is not None}
    shown = {event for index in indices for event in profile.sources[index].events}
    return sorted(shown & {event for model in lineage for event in model.events})


def _images_of(sample: Sample, scene_of: Mapping[str, tuple[str, Path]]) -> list[Path]:
    """List the image of a sample and, of a tile, that of its scene."""
    _, scene = scene_of.get(sample.name, ("", sample.image))
    return list(dict.fromkeys((sample.image, scene)))


def _same_files(lineage: Sequence[Ancestor], images: Sequence[tuple[str, Path]]) -> Iterator[Known]:
    """Find samples, by their names and images, whose files were learned from."""
    sizes = {scene.size for model in lineage for scene in model.scenes}
    # A large file is read only if one of the same size was learned from.
    digest_of = {
        image: Input.of(file_of(image)[0]).digest
        for image in {image for _, image in images}
        if image.stat().st_size in sizes
    }
    for model in lineage:
        learned = {scene.digest: scene.name for scene in model.scenes}
        for sample, image in images:
            digest = digest_of.get(image)
            if digest in learned:
                yield Known(sample, model.model, learned[digest], "file")


def _copies(lineage: Sequence[Ancestor], images: Sequence[tuple[str, Path]]) -> Iterator[Known]:
    """Find samples, by their names and images, that look like what was learned from."""
    learned = [(model, scene) for model in lineage for scene in model.scenes if scene.sketch]
    if not learned:
        return
    files = list(dict.fromkeys(image for _, image in images))
    sketches = dict(zip(files, _sketches(files), strict=True))
    references = [sketch_from_text(scene.sketch) for _, scene in learned]
    for likeness in find_copies([sketches[image] for _, image in images], references):
        model, scene = learned[likeness.reference]
        yield Known(images[likeness.query][0], model.model, scene.name, "copy")


def _sketches(images: Iterable[Path]) -> list[Sketch]:
    # GDAL and OpenCV work without Python's lock.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(_sketch, images))


def _sketch(path: Path) -> Sketch:
    try:
        return sketch_of(read_preview(path, REDUCED).image)
    except LandslideError:
        return sketch_from_text("")  # what reads it next says what is wrong with it


def _row(scene: Learned) -> _Row:
    return scene.name, scene.size, scene.digest, scene.sketch


def _scenes(rows: Iterable[_Row], path: Path) -> list[Learned]:
    scenes = [Learned(*row) for row in rows]
    for scene in scenes:
        try:
            sketch_from_text(scene.sketch)
        except ValueError as error:
            raise damaged_record(path, f"the sketch of {scene.name} {error}") from None
    return scenes


def _files(record: Record) -> list[Learned]:
    """Return all files of a training, which earlier versions recorded without telling masks."""
    files = {Path(name): file for name, file in record.inputs.items()}
    return [
        Learned(path.stem, file.size, file.digest)
        for path, file in files.items()
        if path.name != MODEL
    ]
