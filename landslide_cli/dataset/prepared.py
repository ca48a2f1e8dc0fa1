"""The scenes that a profile names, drawn first where the source is synthetic."""

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
    """Return where the scenes of the synthetic source are drawn to."""
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
        DataError: one of the files cannot be used.
    """
    image = read_image(scene.image, profile.bands, profile.source.value_range, order)
    return image, read_mask(scene.mask, profile.palette, profile.prepare.nearest_colour)


@dataclass(frozen=True)
class PreparedScene:
    """A scene at the size at which it is learned: as tiles are cut and crops taken from it.

    The image is (rows, cols, bands) uint8, the mask of `reading` (rows, cols); `scale` is the
    factor by which its columns were resized.
    """

    image: Image
    reading: MaskReading
    scale: float


def prepared_scene(profile: Profile, scene: Scene) -> PreparedScene:
    """Read a scene, and resize image (averaged or linearly) and mask (nearest neighbour) alike.

    Then the image gets standard levels, if `prepare.standardize` says so.

    Args:
        profile: its `prepare`, `source`, `classes` and `bands` are used.
        scene: of the profile's source.

    Raises:
        DataError: one of the files cannot be used.
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
    """Return the factor at which `prepared_scene` resizes a scene's columns; reads its header.

    Raises:
        DataError: the image cannot be read.
    """
    info = probe(scene.image)
    size = _prepared_size(profile, info.width, info.height)
    return 1.0 if size is None else size[0] / info.width


def training_preprocessing(profile: Profile, scenes: Sequence[Scene]) -> Preprocessing:
    """Return what the images that a training learns from have gone through.

    Args:
        profile: its `bands`, `prepare`, `source` and `dataset` are used.
        scenes: that crops are taken of, resized as the profile says now; none for tiles, which were
            resized as it said when they were cut. Those of another tool count as they are.

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
    """Return the columns and rows to which a scene is resized; None to leave it as it is."""
    scale = profile.prepare.scale
    if scale is not None:
        return max(1, round(cols * scale)), max(1, round(rows * scale))
    return profile.prepare.resize


def prepared_pair(profile: Profile, scene: Scene) -> tuple[Image, Mask]:
    """Read a scene's image and class indices as `prepared_scene` does.

    Raises:
        DataError: one of the files cannot be used.
    """
    prepared = prepared_scene(profile, scene)
    return prepared.image, prepared.reading.mask


def labelled_scenes_of(profile: Profile, limit: int | None = None) -> list[Scene]:
    """List the labelled scenes of the profile's source, by name.

    Raises:
        ProfileError: the profile names no source.
        DataError: the files are missing or cannot be used; synthetic ones are not drawn yet.
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
    """Return the labelled scenes of these names, in their order.

    Raises:
        ProfileError: the profile names no source.
        DataError: the source has them no more.
    """
    by_name = {scene.name: scene for scene in labelled_scenes_of(profile)}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise DataError(f"the source no longer has the scenes {listed(missing, most=3)}")
    return [by_name[name] for name in names]
