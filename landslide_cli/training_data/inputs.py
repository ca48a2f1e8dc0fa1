"""The files of a part, tiles or whole scenes, and the examples that are drawn from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from landslide_cli.core.parts import Part
from landslide_cli.dataset.band_statistics import tile_composition
from landslide_cli.dataset.files import SPLIT_RECORD
from landslide_cli.dataset.prepared import prepared_pair, prepared_scene
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.sources import scenes_named
from landslide_cli.dataset.split_record import scene_names
from landslide_cli.dataset.tiles import TileFiles, part_tiles, steps_to_parts
from landslide_cli.errors import DataError
from landslide_cli.profile import Profile
from landslide_cli.training_data.crops import CropExamples
from landslide_cli.training_data.examples import Examples, Pair
from landslide_cli.training_data.mosaics import Ground, MosaicExamples
from landslide_cli.training_data.tiles import TileExamples
from landslide_cli.training_data.windows import WindowExamples


@dataclass(frozen=True)
class PartFiles:
    """The files of a part: tiles, or else whole scenes."""

    part: Part
    tiles: Sequence[TileFiles] = ()
    scenes: Sequence[Scene] = ()

    @property
    def images(self) -> list[Path]:
        """The images alone."""
        pairs: list[TileFiles | Scene] = [*self.tiles, *self.scenes]
        return [pair.image for pair in pairs]

    @property
    def named_images(self) -> dict[str, Path]:
        """The images by the names of their tiles or scenes."""
        scenes = {scene.name: scene.image for scene in self.scenes}
        return {tile.image.stem: tile.image for tile in self.tiles} | scenes

    @property
    def files(self) -> list[Path]:
        """All images and masks."""
        pairs: list[TileFiles | Scene] = [*self.tiles, *self.scenes]
        return [path for pair in pairs for path in pair.files]


def files_of_part(profile: Profile, part: Part, limit: int | None) -> PartFiles:
    """List a part's tiles; or its scenes, where crops are taken from them.

    The validation set is empty where the split means it to be.

    Args:
        profile: its `dataset` and `fold` are used, with `train.crop` also its `source`.
        part: which part.
        limit: take only the first, by name.

    Raises:
        DataError: there are none, or they cannot be used.
    """
    names = scene_names(profile, part)
    if part == "valid" and names == []:
        return PartFiles(part)
    if profile.train.crop is None:
        return PartFiles(part, tiles=part_tiles(profile.parts_folder, part)[:limit])
    record = profile.dataset / SPLIT_RECORD
    if names is None:
        raise DataError(
            f"{record}: does not say which scenes are in {part}; "
            f"{steps_to_parts(profile.dataset)}, by group or scene"
        )
    scenes = scenes_named(profile, names)
    if not scenes:
        raise DataError(f"{record}: puts no scene into {part}")
    return PartFiles(part, scenes=scenes[:limit])


def examples_of(profile: Profile, files: PartFiles, cache_folder: Path | None) -> Examples:
    """Return the examples of a part: in random order for training, in a fixed one for validation.

    Args:
        profile: its `train`, `model`, `classes` and `bands` are used, with `train.crop` also
            `prepare`.
        files: of the part.
        cache_folder: for decoded files, if the profile wants them on disk.

    Raises:
        DataError: a file cannot be used.
    """
    settings = profile.train
    is_training = files.part == "train"
    if settings.crop is None:
        return TileExamples(
            files.tiles,
            profile.palette,
            profile.model_inputs,
            multiple=profile.model.multiple,
            cache=settings.cache,
            folder=cache_folder,
            nearest_colour=profile.prepare.nearest_colour,
            seed=settings.seed if is_training else None,
            composition=tile_composition(profile),
        )

    def load(scene: Scene) -> Pair:
        return prepared_pair(profile, scene)

    if is_training and settings.mosaic:
        return _mosaics(profile, files.scenes, settings.crop, cache_folder)
    if is_training:
        only, lit = profile.palette.only_foreground, _lit(profile)
        return CropExamples(files.scenes, load, settings.crop, settings, cache_folder, only, lit)
    return WindowExamples(files.scenes, load, settings.crop, settings.cache, cache_folder)


def _mosaics(
    profile: Profile, scenes: Sequence[Scene], side: int, cache_folder: Path | None
) -> MosaicExamples:
    grounds = [
        Ground(
            [scene for scene in scenes if scene.source == index],
            1.0 if source.weight is None else source.weight,
            source.zoom or (1.0, 1.0),
        )
        for index, source in enumerate(profile.sources)
    ]

    def load(scene: Scene) -> Pair:
        prepared = prepared_scene(profile, scene, standardized=False)
        return prepared.image, prepared.reading.mask

    standardized, only = profile.prepare.standardize, profile.palette.only_foreground
    kept = () if profile.composition is None else profile.composition.kept
    return MosaicExamples(
        grounds, load, side, profile.train, standardized, cache_folder, kept, only, _lit(profile)
    )


def _lit(profile: Profile) -> tuple[int, ...] | None:
    """Return the positions of the bands that show light; None for all."""
    return None if profile.composition is None else profile.composition.lit
