"""The labels of scenes of any size, read window by window."""

import numpy as np

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.tiling.grid import Window
from landslide_cli.dataset.prepared import mask_palette, reading_of, void_is_background
from landslide_cli.dataset.scenes import Scene
from landslide_cli.imagery.raster.images import RasterInfo
from landslide_cli.imagery.raster.masks import MaskForm, form_of, read_mask_window
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.profile import Profile


def form_of_mask(profile: Profile, scene: Scene) -> MaskForm:
    """Tell how a scene's mask writes the classes; one that this program did not write is read.

    Raises:
        DataError: it cannot be used.
    """
    palette, nearest = mask_palette(profile, scene), profile.prepare.nearest_colour
    if scene.mask is None:
        return MaskForm("none", palette)
    if scene.division is not None or profile.sources[scene.source].labels is not None:
        return MaskForm("indices", palette)  # as `prepare` wrote them
    return form_of(scene.mask, palette, nearest, void_is_background(profile, scene))


def truth_in(
    profile: Profile, scene: Scene, form: MaskForm, info: RasterInfo, window: Window
) -> Mask:
    """Read the labels of a window; none where the image declares no data.

    Args:
        profile: its `bands` and `source` are used.
        scene: of the profile's source; without a mask all of it is background.
        form: of its mask, by `form_of_mask`.
        info: the header of its image.
        window: inside the image, in pixels.

    Raises:
        DataError: the image or the mask cannot be used.
    """
    if scene.mask is None:
        mask = np.zeros((window.height, window.width), np.uint8)
    else:
        mask = read_mask_window(scene.mask, window, form, info)
    if scene.mask is None or profile.sources[scene.source].labels is None:
        # Masks that were drawn from polygons leave it out already.
        with SceneReader(scene.image, reading_of(profile, scene)) as reader:
            valid = reader.read_valid(*window.spans)
        if valid is not None:
            mask[~valid] = IGNORE
    return mask
