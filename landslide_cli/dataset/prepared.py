"""The scenes of a profile's source, as delivered and as prepared for training."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import Mask
from landslide_cli.core.tiling.resampling import resample
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.core.tiling.standardize import local_statistics, standardize
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.scenes import Scene, labelled_scenes
from landslide_cli.dataset.tiles import IMAGES, MASKS, TILES
from landslide_cli.errors import DataError, ProfileError, listed
from landslide_cli.imagery.raster.images import probe, read_image
from landslide_cli.imagery.raster.masks import MaskReading, read_mask
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.profile import Profile
from landslide_cli.records import Record

SCENES = "scenes"


def synthetic_folder(profile: Profile) -> Path:
    """Return the folder that the scenes of the synthetic source are drawn into."""
    return profile.dataset / SCENES


def read_scene(
    profile: Profile, scene: Scene, order: Sequence[int] | None = None
) -> tuple[Image, MaskReading]:
    """Read a scene's image, (rows, cols, bands) uint8, and its mask, (rows, cols).

    Args:
        profile: its `bands`, `source`, `classes` and `prepare.nearest_colour` are used.
        scene: of the profile's source.
        order: numbers of the image's bands to read, from 1. Default: all.

    Raises:
        DataError: the image or the mask cannot be used.
    """
    image = read_image(scene.image, profile.bands, profile.source.value_range, order)
    return image, read_mask(scene.mask, profile.palette, profile.prepare.nearest_colour)


@dataclass(frozen=True)
class PreparedScene:
    """A scene resized for training, ready to be cut into tiles or crops.

    The image is (rows, cols, bands) uint8, the mask of `reading` (rows, cols). `scale` is the
    factor by which the columns were resized.
    """

    image: Image
    reading: MaskReading
    scale: float


def prepared_scene(profile: Profile, scene: Scene) -> PreparedScene:
    """Read a scene, resize it and, with `prepare.standardize`, standardize its image.

    The image is resized by averaging or linearly, the mask by nearest neighbour.

    Args:
        profile: its `prepare`, `source`, `classes` and `bands` are used.
        scene: of the profile's source.

    Raises:
        DataError: the image or the mask cannot be used.
    """
    image, reading = read_scene(profile, scene)
    rows, cols = reading.mask.shape
    size = _prepared_size(profile, cols, rows) or (cols, rows)
    scales = size[1] / rows, size[0] / cols
    source = ImageSource(image)
    if size != (cols, rows):
        nearest = cv2.resize(reading.mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
        image, reading = resample(image, *size), replace(reading, mask=nearest)
    if profile.prepare.standardize:
        image = standardize(image, local_statistics(source, scales), scales=scales)
    return PreparedScene(image, reading, scales[1])


def prepared_scale(profile: Profile, scene: Scene) -> float:
    """Return the factor by which `prepared_scene` resizes a scene's columns; reads the header only.

    Raises:
        DataError: the image cannot be read.
    """
    info = probe(scene.image)
    size = _prepared_size(profile, info.width, info.height)
    return 1.0 if size is None else size[0] / info.width


def training_preprocessing(profile: Profile, scenes: Sequence[Scene]) -> Preprocessing:
    """Return the preprocessing of the images that a training learns from.

    Args:
        profile: its `bands`, `prepare`, `source` and `dataset` are used.
        scenes: whose crops are learned, resized as the profile says. Empty for tiles, which were
            resized as the record of `prepare` says; tiles of other tools count as not resized.

    Raises:
        DataError: an image's header, or the record of the tiles, cannot be read.
    """
    if scenes:
        scale = float(np.median([prepared_scale(profile, scene) for scene in scenes]))
        standardized = profile.prepare.standardize
    else:
        record = Record.read(profile.dataset / TILES / PREPARE_RECORD)
        result = {} if record is None else record.result
        scale, standardized = float(result.get("scale", 1.0)), bool(result.get("standardized"))
    value_range = profile.source.value_range
    return Preprocessing(
        profile.bands, value_range=value_range, scale=scale, standardized=standardized
    )


def _prepared_size(profile: Profile, cols: int, rows: int) -> tuple[int, int] | None:
    """Return the columns and rows to which a scene is resized; None for no change."""
    scale = profile.prepare.scale
    if scale is not None:
        return max(1, round(cols * scale)), max(1, round(rows * scale))
    return profile.prepare.resize


def prepared_pair(profile: Profile, scene: Scene) -> tuple[Image, Mask]:
    """Return the image and the mask of `prepared_scene`.

    Raises:
        DataError: the image or the mask cannot be used.
    """
    prepared = prepared_scene(profile, scene)
    return prepared.image, prepared.reading.mask


def labelled_scenes_of(profile: Profile, limit: int | None = None) -> list[Scene]:
    """List the labelled scenes of the profile's source, by name.

    Raises:
        ProfileError: the profile names no source.
        DataError: the files are missing or cannot be used, or synthetic scenes are not drawn yet.
    """
    source = profile.source
    if source.synthetic is not None:
        folder = synthetic_folder(profile)
        if not folder.is_dir():
            raise DataError(f"{folder}: no scenes drawn yet; run `landslide prepare` first")
        return labelled_scenes(str(folder / IMAGES), str(folder / MASKS), limit)
    if source.images is None or source.masks is None:
        raise ProfileError(
            "the profile names no scenes: set source.images and source.masks, "
            "for example with --set source.images='data/Landslide*.tif'"
        )
    return labelled_scenes(source.images, source.masks, limit)


def scenes_named(profile: Profile, names: Sequence[str]) -> list[Scene]:
    """Return the labelled scenes of the given names, in their order.

    Raises:
        ProfileError: the profile names no source.
        DataError: the source no longer has all of them.
    """
    by_name = {scene.name: scene for scene in labelled_scenes_of(profile)}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise DataError(f"the source no longer has the scenes {listed(missing, most=3)}")
    return [by_name[name] for name in names]
