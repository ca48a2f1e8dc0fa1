"""The scenes that a profile names, drawn first where the source is synthetic."""

from pathlib import Path

from landslide_cli.core.palette import Palette
from landslide_cli.core.tiler import Image
from landslide_cli.errors import DataError, ProfileError
from landslide_cli.imagery.dataset import IMAGES, MASKS
from landslide_cli.imagery.masks import MaskReading, read_mask
from landslide_cli.imagery.raster import read_image
from landslide_cli.imagery.scenes import Scene, labelled_scenes
from landslide_cli.profile import Profile

SCENES = "scenes"


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
