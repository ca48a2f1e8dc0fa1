"""The samples of a part that are scored: whole scenes or tiles, with their groups."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from landslide_cli.core.palette import Mask
from landslide_cli.core.parts import Part
from landslide_cli.dataset.files import SPLIT_RECORD
from landslide_cli.dataset.groups import user_groups
from landslide_cli.dataset.prepared import read_truth
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.sources import labelled_scenes_of, scenes_named
from landslide_cli.dataset.split_record import groups_of, scene_names
from landslide_cli.dataset.tiles import MANIFEST, TILES, part_tiles, read_manifest
from landslide_cli.errors import DataError, LandslideError
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.profile import Profile
from landslide_cli.records import Record
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import RUN_RECORD, uses_packaged

Units = Literal["scenes", "mosaic", "tiles"]

# Groups of samples from which on an interval is given: fewer do not show how groups vary.
LEAST_GROUPS = 8


@dataclass(frozen=True)
class Sample:
    """A scene or a tile to be scored; samples of one `group` show the same ground.

    `scene` is the scene, None for a tile. A scene without a mask is background.
    """

    name: str
    group: str
    image: Path
    mask: Path | None
    fold: int | None = None
    scene: Scene | None = None


@dataclass(frozen=True)
class Samples:
    """The samples of a part, by name: whole scenes or tiles.

    `grouped` is false if it is not known which of them share ground: each is its own group then.
    """

    units: Units
    items: list[Sample]
    grouped: bool

    @property
    def noun(self) -> str:
        """What they are called in messages."""
        return "tiles" if self.units == "tiles" else "scenes"


def samples_of(profile: Profile, part: Part, limit: int | None, reporter: Reporter) -> Samples:
    """List the samples of a part.

    Whole scenes where the split names them and the source has them, otherwise the part's tiles;
    `evaluate.units` may insist on one of the two. A profile that insists on scenes of a source
    that was never split means all of them.

    Args:
        profile: its `evaluate.units`, `source`, `dataset`, `fold` and `split.groups` are used.
        part: which part.
        limit: take only the first, by name.
        reporter: told of a choice that may surprise.

    Raises:
        DataError: there are none, or they cannot be used.
    """
    units = profile.evaluate.units
    scenes = None if units == "tiles" else _scenes_in(profile, part, reporter)
    if scenes is not None:
        group_of = groups_of(profile)
        items = [
            Sample(
                scene.name,
                group_of.get(scene.name, scene.name),
                scene.image,
                scene.mask,
                profile.fold,
                scene,
            )
            for scene in scenes[:limit]
        ]
        if not items:
            raise DataError(f"{profile.dataset / SPLIT_RECORD}: puts no scene into {part}")
        return Samples("mosaic" if units == "mosaic" else "scenes", items, grouped=True)
    return _tiles(profile, part, limit)


def truth_of(profile: Profile, sample: Sample, shape: tuple[int, int]) -> Mask:
    """Read a sample's mask; all of a scene without one is background.

    Args:
        profile: its `source`, `classes` and `prepare.nearest_colour` are used.
        sample: a scene or a tile.
        shape: rows and columns of the image.

    Raises:
        DataError: the mask cannot be used.
    """
    if sample.scene is not None:
        return read_truth(profile, sample.scene, shape).mask
    if sample.mask is None:
        return np.zeros(shape, np.uint8)
    nearest = profile.prepare.nearest_colour
    return read_mask(sample.mask, profile.palette, nearest, sample.image).mask


def trained_on(profile: Profile, samples: Samples) -> list[str]:
    """Name the samples whose ground the profile's run has seen in its training, by the split.

    That of the packaged model is not known; `ancestry` tells by the scenes themselves.
    """
    if uses_packaged(profile):
        return []
    group_of = groups_of(profile)
    try:
        record = Record.read(profile.run_folder / RUN_RECORD)
        seen = set() if record is None else _learned_scenes(profile, record)
    except DataError:
        return []
    ground = {group_of.get(scene, scene) for scene in seen}
    return [sample.name for sample in samples.items if sample.group in ground]


def _learned_scenes(profile: Profile, record: Record) -> set[str]:
    """Name the scenes that a run with this record has learned from."""
    if record.settings.get("train.crop") is not None:
        # Crops are taken from the source's files, whose names do not show the part.
        return set(scene_names(profile, "train") or ())
    files = [Path(name) for name in record.inputs]
    learned = {file.stem for file in files if file.parent.parent.name == "train"}
    return {scene for tile, scene in _scene_of_tiles(profile).items() if tile in learned}


def _scenes_in(profile: Profile, part: Part, reporter: Reporter) -> list[Scene] | None:
    insists = profile.evaluate.units in ("scenes", "mosaic")
    names = scene_names(profile, part)
    if names is None and not insists:
        return None
    try:
        if names is not None:
            return scenes_named(profile, names)
        scenes = labelled_scenes_of(profile)
        reporter.note("no split of the scenes is recorded: scoring all of them")
        return scenes
    except LandslideError as error:
        if insists:
            raise
        reporter.warn(f"scoring tiles instead of scenes: {error}")
        return None


def _tiles(profile: Profile, part: Part, limit: int | None) -> Samples:
    tiles = part_tiles(profile.parts_folder, part)[:limit]
    names = [tile.image.stem for tile in tiles]
    group_of = _groups_of_tiles(profile, names)
    items = [
        Sample(name, group_of.get(name, name), tile.image, tile.mask, profile.fold)
        for name, tile in zip(names, tiles, strict=True)
    ]
    return Samples("tiles", items, grouped=bool(group_of))


def _groups_of_tiles(profile: Profile, names: list[str]) -> dict[str, str]:
    """Return the group of each tile: by the split, or by the profile's pattern on the names."""
    group_of = groups_of(profile)
    has_manifest = (profile.dataset / TILES / MANIFEST).exists()
    scene_of = _scene_of_tiles(profile) if group_of and has_manifest else {}
    if scene_of:
        return {tile: group_of.get(scene, scene) for tile, scene in scene_of.items()}
    return user_groups(profile, names)


def _scene_of_tiles(profile: Profile) -> dict[str, str]:
    return {tile.tile: tile.scene for tile in read_manifest(profile.dataset / TILES)}
