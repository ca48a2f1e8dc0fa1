"""What a training learns from: the tiles of a part, or whole scenes that crops are taken of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from landslide_cli.core.parts import Part
from landslide_cli.dataset.files import SPLIT_RECORD
from landslide_cli.dataset.prepared import palette_of, prepared_pair, scenes_named
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.split_record import scene_names
from landslide_cli.dataset.tiles import TileFiles, part_tiles
from landslide_cli.errors import DataError
from landslide_cli.profile import Profile
from landslide_cli.training_data.examples import (
    CropExamples,
    Examples,
    Pair,
    TileExamples,
    WindowExamples,
)


@dataclass(frozen=True)
class Material:
    """The files of a part: tiles, or else whole scenes."""

    part: Part
    tiles: Sequence[TileFiles] = ()
    scenes: Sequence[Scene] = ()

    @property
    def files(self) -> list[Path]:
        """All images and masks."""
        pairs = [(one.image, one.mask) for some in (self.tiles, self.scenes) for one in some]
        return [path for pair in pairs for path in pair]


def material_of(profile: Profile, part: Part, limit: int | None) -> Material:
    """List a part's tiles; or its scenes, where crops are taken of them.

    Valid is empty where the split means it to be.

    Args:
        profile: its `dataset` and `fold` are used, with `train.crop` also its `source`.
        part: which part.
        limit: take only the first, by name.

    Raises:
        DataError: there are none, or they cannot be used.
    """
    names = scene_names(profile, part)
    if part == "valid" and names == []:
        return Material(part)
    if profile.train.crop is None:
        return Material(part, tiles=part_tiles(profile.parts_folder, part)[:limit])
    record = profile.dataset / SPLIT_RECORD
    if names is None:
        raise DataError(
            f"{record}: does not say which scenes are in {part}; run `landslide split` first, "
            "by group or scene"
        )
    scenes = scenes_named(profile, names)
    if not scenes:
        raise DataError(f"{record}: puts no scene into {part}")
    return Material(part, scenes=scenes[:limit])


def examples_of(profile: Profile, material: Material, cache: Path | None) -> Examples:
    """Make what the batches of a part are drawn from: at random for train, in order for valid.

    Args:
        profile: its `train`, `model`, `classes` and `bands` are used, with `train.crop` also
            `prepare`.
        material: of the part.
        cache: a folder for decoded files, if the profile wants them on disk.

    Raises:
        DataError: a file cannot be used.
    """
    settings, bands = profile.train, profile.bands
    is_train, kept = material.part == "train", settings.cache
    if settings.crop is None:
        return TileExamples(
            material.tiles,
            palette_of(profile),
            bands,
            multiple=profile.model.multiple,
            cache=kept,
            folder=cache,
            nearest_colour=profile.prepare.nearest_colour,
            seed=settings.seed if is_train else None,
        )

    def load(scene: Scene) -> Pair:
        return prepared_pair(profile, scene)

    if not is_train:
        return WindowExamples(
            material.scenes, load, settings.crop, bands=bands, cache=kept, folder=cache
        )
    return CropExamples(
        material.scenes,
        load,
        settings.crop,
        count=settings.crops,
        foreground_share=settings.foreground_share,
        seed=settings.seed,
        bands=bands,
        cache=kept,
        folder=cache,
        scale=settings.crop_scale,
        rotation=settings.crop_rotation,
        copy_paste=settings.copy_paste,
        paste_light=settings.paste_light,
    )
