"""The scenes that a profile names, drawn first where the source is synthetic."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from landslide_cli.core.levels import levelled, levels_of
from landslide_cli.core.palette import Mask, Palette
from landslide_cli.core.resampling import resample
from landslide_cli.core.tiler import Image
from landslide_cli.core.windows import ImageSource
from landslide_cli.errors import DataError, ProfileError
from landslide_cli.imagery.dataset import IMAGES, MASKS
from landslide_cli.imagery.georeference import gsd_of
from landslide_cli.imagery.masks import MaskReading, read_mask
from landslide_cli.imagery.raster import probe, read_image
from landslide_cli.imagery.reader import Reading, SceneReader
from landslide_cli.imagery.scenes import Scene, labelled_scenes
from landslide_cli.profile import Profile

SCENES = "scenes"

# How much scenes may be resized by their GSD: what is beyond is a mistake in the units.
_LEAST_SCALE, _MOST_SCALE = 1e-3, 8.0


def palette_of(profile: Profile) -> Palette:
    """Return the profile's classes as a palette."""
    classes = profile.palette_classes
    return Palette(tuple(one.name for one in classes), tuple(one.colour for one in classes))


def synthetic_folder(profile: Profile) -> Path:
    """Return where the scenes of the synthetic source are drawn to."""
    return profile.dataset / SCENES


def read_scene(profile: Profile, scene: Scene) -> tuple[Image, MaskReading]:
    """Read a scene's image, (rows, cols, bands) uint8, and its mask, (rows, cols).

    Raises:
        DataError: one of the files cannot be used.
    """
    image = read_image(scene.image, profile.bands, profile.source.value_range)
    return image, read_mask(scene.mask, palette_of(profile), profile.prepare.nearest_colour)


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
        image = levelled(image, levels_of(source, scales), scales=scales)
    return PreparedScene(image, reading, scales[1])


def prepared_scale(profile: Profile, scene: Scene) -> float:
    """Return the factor at which `prepared_scene` resizes a scene's columns; reads its header.

    Raises:
        DataError: the image cannot be read.
    """
    info = probe(scene.image)
    size = _prepared_size(profile, info.width, info.height)
    return 1.0 if size is None else size[0] / info.width


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


def reading_of(profile: Profile, standardized: bool) -> Reading:
    """Return how scenes to be mapped become images for the profile's model.

    Args:
        profile: its `bands`, `infer.bands` and `source.value_range` are used.
        standardized: as the model has learned them.
    """
    order = profile.infer.bands
    return Reading(
        profile.bands,
        None if order is None else tuple(order),
        profile.source.value_range,
        standardized,
    )


def scales_of(
    profile: Profile, run_scale: float, path: Path, scene: SceneReader
) -> tuple[float, float]:
    """Return the factors by which a scene's rows and columns are resized for the model.

    Args:
        profile: its `infer.gsd` or `infer.scale` is used.
        run_scale: the factor of the model's tiles, taken where the profile names neither.
        path: of the scene.
        scene: opened.

    Raises:
        DataError: the model's GSD is given and the scene's own is not known, or far from it.
    """
    if profile.infer.gsd is None:
        scale = profile.infer.scale or run_scale
        return scale, scale
    own = gsd_of(scene.georeference, scene.width, scene.height)
    if own is None:
        raise DataError(
            f"{path}: has no georeference, so its GSD is not known; "
            "give infer.scale instead of infer.gsd"
        )
    scales = own[0] / profile.infer.gsd, own[1] / profile.infer.gsd
    if not all(_LEAST_SCALE <= scale <= _MOST_SCALE for scale in scales):
        raise DataError(
            f"{path}: has a GSD of {own[0]:.3g} m, too far from infer.gsd, "
            f"{profile.infer.gsd:g} m; correct one of the two"
        )
    return scales


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
