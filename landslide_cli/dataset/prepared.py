"""Reading the scenes of a profile's sources: as delivered, and as prepared for training."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image, Valid
from landslide_cli.core.palette import IGNORE, Mask, Palette
from landslide_cli.core.tiling.local_statistics import local_statistics
from landslide_cli.core.tiling.resampling import resample
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.core.tiling.standardize import standardize
from landslide_cli.dataset.band_statistics import composition_of
from landslide_cli.dataset.scenes import Scene
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import gsd_of
from landslide_cli.imagery.raster.images import RasterInfo, probe
from landslide_cli.imagery.raster.masks import MaskReading, read_mask
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.profile import Profile

# The keys of a source that its prepared scenes follow from, beside their files.
READING = (
    *("name", "gsd", "scale", "bands", "value_range", "key", "mask_key", "layers"),
    *("colours", "mask_nodata"),
)


def read_scene(
    profile: Profile, scene: Scene, order: Sequence[int] | None = None
) -> tuple[Image, MaskReading]:
    """Read a scene's image, (rows, cols, bands), and its mask, (rows, cols).

    Where the image declares that it holds no data there is no label.

    Args:
        profile: its `bands`, `source`, `classes` and `prepare.nearest_colour` are used.
        scene: of the profile's source.
        order: numbers of the image's bands to read, from 1. Default: the source's, or else all.

    Raises:
        DataError: the image or the mask cannot be used.
    """
    with SceneReader(scene.image, reading_of(profile, scene, order)) as reader:
        piece = reader.read((0, reader.height), (0, reader.width))
        reading = read_truth(profile, scene, (reader.height, reader.width))
    if piece.valid is not None:
        reading.mask[~piece.valid] = IGNORE
    return piece.image, reading


def remarks_on(profile: Profile, scene: Scene) -> tuple[str | None, str | None]:
    """Return what to note and what to warn of a scene's bands, None for nothing.

    Raises:
        DataError: the image cannot be used.
    """
    with SceneReader(scene.image, reading_of(profile, scene)) as reader:
        warnings = [reader.warning]
        named, source = profile.named_bands, profile.sources[scene.source]
        if named is not None and named.takes_all and source.bands is None:
            names = [band.name for band in named.bands if band.is_of_scene]
            warnings.append(reader.told_otherwise(names))
        return reader.note, "; ".join(told for told in warnings if told is not None) or None


def reading_of(profile: Profile, scene: Scene, order: Sequence[int] | None = None) -> Preprocessing:
    """Return how a scene is read, of its bands those of `order` if given."""
    source = profile.sources[scene.source]
    bands = order or source.bands or profile.band_order
    composition = composition_of(profile)
    if composition is not None and bands is not None:
        composition = composition.with_order(bands)
    return Preprocessing(
        profile.model_inputs,
        None if bands is None else tuple(bands),
        source.value_range,
        own_gsd=source.gsd if composition is not None else None,
        composition=composition,
        layers=scene.layers,
    )


def read_truth(profile: Profile, scene: Scene, shape: tuple[int, int]) -> MaskReading:
    """Read a scene's mask; all of a scene without one is background.

    Args:
        profile: its `source`, `classes` and `prepare.nearest_colour` are used.
        scene: of the profile's source.
        shape: rows and columns of the image.

    Raises:
        DataError: the mask cannot be used.
    """
    if scene.mask is None:
        return MaskReading(_background(scene, shape), "none")
    palette, nearest = mask_palette(profile, scene), profile.prepare.nearest_colour
    # Blocks have masks of this program's own.
    is_background = scene.division is None and void_is_background(profile, scene)
    return read_mask(scene.mask, palette, nearest, scene.image, is_background)


def _background(scene: Scene, shape: tuple[int, int]) -> Mask:
    """Return the mask of a scene without landslides: all background, but for the rim of a block."""
    if scene.division is None:
        return np.zeros(shape, np.uint8)
    core, mask = scene.division.core, np.full(shape, IGNORE, np.uint8)
    mask[core.row_off : core.row_stop, core.col_off : core.col_stop] = 0
    return mask


def void_is_background(profile: Profile, scene: Scene) -> bool:
    """Tell whether what a scene's mask declares as no data is background."""
    return profile.sources[scene.source].mask_nodata == "background"


def mask_palette(profile: Profile, scene: Scene) -> Palette:
    """Return the classes with the colours that they have in the masks of a scene's source."""
    palette, colours = profile.palette, profile.sources[scene.source].colours or {}
    pairs = zip(palette.names, palette.colours, strict=True)
    return replace(palette, colours=tuple(colours.get(name, colour) for name, colour in pairs))


@dataclass(frozen=True)
class PreparedScene:
    """A scene resized for training, ready to be cut into tiles or crops.

    The image is (rows, cols, bands), the mask of `reading` (rows, cols). `scale` is the factor by
    which the columns were resized. Where the image is of a composition's own values, not scaled,
    `limits` are those of each band that become 0 and 255, None where the training set tells them;
    `valid` tells which pixels hold data, None for all; `clipped` is the share of a band's values
    that lie outside of its range, by its name.
    """

    image: NDArray[Any]
    reading: MaskReading
    scale: float
    limits: list[tuple[float, float] | None] | None = None
    valid: Valid = None
    clipped: dict[str, float] = field(default_factory=dict)


def prepared_scene(
    profile: Profile, scene: Scene, standardized: bool | None = None
) -> PreparedScene:
    """Read a scene, resize it and, with `prepare.standardize`, standardize its image.

    The image is resized by averaging or linearly, the mask by nearest neighbour.

    Args:
        profile: its `prepare`, `source`, `classes` and `bands` are used.
        scene: of the profile's source.
        standardized: whether to standardize it after all. Default: `prepare.standardize`.

    Raises:
        DataError: the image or the mask cannot be used, or the scene's GSD is not known and
            `prepare.gsd` needs it.
    """
    image, reading = read_scene(profile, scene)
    rows, cols = reading.mask.shape
    size = _prepared_size(profile, scene) or (cols, rows)
    scales = size[1] / rows, size[0] / cols
    composition = profile.composition
    source = ImageSource(image, kept=() if composition is None else composition.kept)
    if size != (cols, rows):
        image, reading = resample(image, *size), _resized_mask(reading, size)
    if profile.prepare.standardize if standardized is None else standardized:
        image = standardize(image, local_statistics(source, scales), scales=scales)
    return PreparedScene(image, reading, scales[1])


def prepared_values(profile: Profile, scene: Scene) -> PreparedScene:
    """Read a scene whose bands the profile composes, in their own values, and resize it.

    Args:
        profile: its `prepare`, `source`, `classes` and `bands` are used.
        scene: of the profile's source.

    Raises:
        DataError: as `prepared_scene`; or values lie outside the range of a band that refuses such.
    """
    with SceneReader(scene.image, reading_of(profile, scene)) as reader:
        values, valid = reader.read_values()
        limits, clipped = reader.limits, reader.clipped
        reading = read_truth(profile, scene, (reader.height, reader.width))
    if valid is not None:
        reading.mask[~valid] = IGNORE
    rows, cols = reading.mask.shape
    size = _prepared_size(profile, scene) or (cols, rows)
    if size != (cols, rows):
        values, valid = _resized_values(values, valid, size)
        reading = _resized_mask(reading, size)
    return PreparedScene(values, reading, size[0] / cols, limits, valid, clipped)


def _resized_mask(reading: MaskReading, size: tuple[int, int]) -> MaskReading:
    nearest = cv2.resize(reading.mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return replace(reading, mask=nearest)


def _resized_values(
    values: NDArray[Any], valid: Valid, size: tuple[int, int]
) -> tuple[NDArray[Any], Valid]:
    """Resize values of any type; pixels without data have no part in their neighbours."""
    if valid is None:
        return resample(values, *size), None
    floats = values.astype(np.float32) * valid[..., None]
    shares = resample(valid.astype(np.float32)[..., None], *size)
    resized = resample(floats, *size) / np.maximum(shares, 1e-6)
    if values.dtype.kind in "iu":
        resized = np.rint(resized)
    known = shares[..., 0] > 0.0
    resized[~known] = 0.0
    return resized.astype(values.dtype), known


def prepared_scale(profile: Profile, scene: Scene) -> float:
    """Return the factor by which `prepared_scene` resizes a scene's columns; reads the header only.

    Raises:
        DataError: the image cannot be read, or its GSD is not known and `prepare.gsd` needs it.
    """
    size = _prepared_size(profile, scene)
    return 1.0 if size is None else size[0] / probe(scene.image).width


def _prepared_size(profile: Profile, scene: Scene) -> tuple[int, int] | None:
    """Return the columns and rows to which a scene is resized; None for no change."""
    prepare, source = profile.prepare, profile.sources[scene.source]
    scale = source.scale if source.scale is not None else prepare.scale
    if scale is None and prepare.gsd is None:
        return prepare.resize
    info = probe(scene.image)
    scales = (scale, scale) if scale is not None else _scales_to_gsd(profile, scene, info)
    return max(1, round(info.width * scales[1])), max(1, round(info.height * scales[0]))


def _scales_to_gsd(profile: Profile, scene: Scene, info: RasterInfo) -> tuple[float, float]:
    """Return the factors by which rows and columns are resized to `prepare.gsd`."""
    wanted = profile.prepare.gsd or 1.0
    known = scene_gsd(profile, scene, info)
    if known is None:
        key = profile.source_keys[scene.source]
        raise DataError(
            f"{scene.image}: has no georeference, so prepare.gsd needs its GSD; set {key}.gsd to "
            f"metres per pixel, or {key}.scale"
        )
    return known[0] / wanted, known[1] / wanted


def scene_gsd(profile: Profile, scene: Scene, info: RasterInfo) -> tuple[float, float] | None:
    """Return a scene's GSD in metres, along a column and along a row; None if it is not known.

    Args:
        profile: its `source.gsd` holds for scenes without georeference.
        scene: of the profile's source.
        info: its header.

    Raises:
        DataError: its georeference places nothing on the Earth.
    """
    own = profile.sources[scene.source].gsd
    try:
        known = gsd_of(info.georeference, info.width, info.height)
    except DataError as error:
        raise DataError(f"{scene.image}: {error}") from None
    if own is not None and (known is None or not info.georeference.is_known):
        return own, own  # rather than what is estimated from ground control points
    return known


def prepared_pair(profile: Profile, scene: Scene) -> tuple[Image, Mask]:
    """Return the image and the mask of `prepared_scene`.

    Raises:
        DataError: the image or the mask cannot be used.
    """
    prepared = prepared_scene(profile, scene)
    return prepared.image, prepared.reading.mask
