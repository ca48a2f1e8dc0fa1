"""Examples that are random crops of whole scenes: turned, enlarged, with landslides pasted on."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image, like
from landslide_cli.core.palette import IGNORE, Mask, is_foreground
from landslide_cli.core.tiling.grid import Window
from landslide_cli.core.tiling.resampling import by_bands
from landslide_cli.dataset.scenes import Scene
from landslide_cli.profile import TrainSettings
from landslide_cli.training_data.examples import Pair
from landslide_cli.training_data.store import SceneStore

Value = TypeVar("Value", bound=np.generic)

# Most foreground pixels per scene that crops are centred on.
_MOST_ANCHORS = 1000

# What sets the draws of this module apart from others of the same seed, epoch and position.
_CROPS, _ANCHORS, _VIEWS, _PASTES = 1, 2, 3, 4

# Standard deviation in pixels of the Gaussian that smooths the edge of what is pasted.
_EDGE = 1.0

# Where pasted foreground is relit: share of the crops that get their own foreground pasted; largest
# gain either way, as a logarithm; least and largest shift, in gray levels; and the largest shift
# either way of a single band.
_OWN_SHARE, _GAIN, _SHIFT, _TINT = 0.3, 0.3, (-30.0, 60.0), 10.0


OnlyForeground = Callable[[Mask], Mask]


def as_it_is(mask: Mask) -> Mask:
    """Return a mask in which the foreground is all classes but the first."""
    return mask


class CropExamples:
    """Random square crops of whole scenes, a share of them centred on foreground; see `Examples`.

    The rest lie anywhere, all places of a scene being equally likely, and scenes in proportion to
    their areas. A crop is moved into its scene; it reaches beyond only where the scene is smaller,
    or with its corners where it is turned. Scenes that have foreground are equally likely to be the
    one whose foreground a crop is centred on. With `copy_paste`, a crop gets the foreground of
    another crop on top (Ghiasi et al., Simple Copy-Paste, 2021, arXiv:2012.07177); with
    `paste_light`, three in ten of these get their own foreground instead.

    Args:
        scenes: to crop from.
        load: reads a scene at its prepared size.
        side: of a crop, in pixels.
        settings: the profile's `train`: seed, cache, and all that it says of crops and pasting.
        folder: of the disk cache.
        only_foreground: makes background of all classes in a mask beside the foreground. Default:
            the foreground is all classes but the first.
        lit: positions of the bands that `paste_light` changes. Default: all.

    Raises:
        DataError: there is no scene, or one cannot be loaded.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        load: Callable[[Scene], Pair],
        side: int,
        settings: TrainSettings,
        folder: Path | None = None,
        only_foreground: OnlyForeground = as_it_is,
        lit: Sequence[int] | None = None,
    ) -> None:
        self.rows = self.cols = side
        self._settings, self._only_foreground, self._lit = settings, only_foreground, lit
        self._anchors: dict[int, NDArray[np.int64]] = {}  # (anchors, 2), rows and columns
        self._store = SceneStore(scenes, load, settings.cache, folder, self._find_anchors)
        self._with_foreground = list(self._anchors)
        self._areas = np.cumsum([rows * cols for rows, cols in self._store.sizes])
        self._count = settings.crops or max(1, math.ceil(self._areas[-1] / side**2))

    def __len__(self) -> int:
        return self._count

    def example(self, epoch: int, position: int) -> Pair:
        count, only = len(self), self._only_foreground
        return with_pasted(self._settings, self._crop, count, epoch, position, only, self._lit)

    def name(self, epoch: int, position: int) -> str:
        return self._store.name(*self._place(epoch, position))

    def _find_anchors(self, index: int, mask: Mask) -> None:
        foreground = self._only_foreground(mask)
        anchors = foreground_pixels(foreground, _MOST_ANCHORS, self._rng(index, 0, _ANCHORS))
        if len(anchors):
            self._anchors[index] = anchors

    def _crop(self, epoch: int, position: int) -> Pair:
        index, window = self._place(epoch, position)
        if self._settings.crop_scale == (1.0, 1.0) and self._settings.crop_rotation == 0.0:
            return self._store.window(index, window)
        degrees = self._view(epoch, position)[1]
        return turned_crop(self._store.get(index), window, self.rows, degrees)

    def _place(self, epoch: int, position: int) -> tuple[int, Window]:
        """Return the scene, and the square in it that the crop shows before it is turned."""
        rng = self._rng(epoch, position, _CROPS)
        side = max(1, round(self.rows / self._view(epoch, position)[0]))
        if self._with_foreground and rng.random() < self._settings.foreground_share:
            index = self._with_foreground[rng.integers(len(self._with_foreground))]
            row, col = rng.choice(self._anchors[index]) - side // 2
        else:
            index = int(np.searchsorted(self._areas, rng.integers(self._areas[-1]), "right"))
            sizes = self._store.sizes[index]
            row, col = (rng.integers(max(0, size - side) + 1) for size in sizes)
        rows, cols = self._store.sizes[index]
        row_off, col_off = max(0, min(row, rows - side)), max(0, min(col, cols - side))
        return index, Window(int(col_off), int(row_off), side, side)

    def _view(self, epoch: int, position: int) -> tuple[float, float]:
        """Draw how much a crop is enlarged, and by how many degrees it is turned."""
        rng = self._rng(epoch, position, _VIEWS)
        low, high = self._settings.crop_scale
        rotation = self._settings.crop_rotation
        return low * (high / low) ** rng.random(), rotation * rng.uniform(-1.0, 1.0)

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng((self._settings.seed, *key))


def with_pasted(
    settings: TrainSettings,
    crop_at: Callable[[int, int], Pair],
    count: int,
    epoch: int,
    position: int,
    only_foreground: OnlyForeground = as_it_is,
    lit: Sequence[int] | None = None,
) -> Pair:
    """Draw a crop and, as often as the settings say, paste the foreground of another one on it.

    Args:
        settings: seed, copy-paste and its light.
        crop_at: draws the crop of an epoch and a position; positions go on beyond the epoch's.
        count: crops of an epoch.
        epoch: its number.
        position: of the crop.
        only_foreground: as of `CropExamples`.
        lit: likewise.
    """
    crop = crop_at(epoch, position)
    rng = np.random.default_rng((settings.seed, epoch, position, _PASTES))
    if rng.random() >= settings.copy_paste:
        return crop
    is_own = settings.paste_light > 0.0 and rng.random() < _OWN_SHARE
    image, mask = crop if is_own else crop_at(epoch, count + position)
    if rng.random() < settings.paste_light:
        image = _relit(image, rng, lit)
    return _pasted(crop, (image, only_foreground(mask)))


def foreground_pixels(mask: Mask, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose foreground pixels at random, without a list of all of them.

    Args:
        mask: (rows, cols) uint8 class indices.
        most: pixels to choose; all there are, if there are fewer.
        rng: of the choice.

    Returns:
        (pixels, 2), row and column.
    """
    counts = np.array([is_foreground(row).sum() for row in mask], np.int64)
    ends = np.cumsum(counts)
    total = int(ends[-1])
    pixels = []
    for rank in rng.choice(total, min(total, most), replace=False) if total else ():
        row = int(np.searchsorted(ends, rank, "right"))
        cols = np.flatnonzero(is_foreground(mask[row]))
        pixels.append((row, cols[rank - ends[row] + counts[row]]))
    return np.array(pixels, np.int64).reshape(-1, 2)


def turned_crop(pair: Pair, window: Window, side: int, degrees: float) -> Pair:
    """Show a square of a scene, turned about its centre, in `side` x `side` pixels.

    Reduction averages as many pixels as it must only down to a half; below, details alias.
    """
    image, mask = pair
    angle, factor = math.radians(degrees), window.width / side
    turn = factor * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    # Centres of pixels lie at whole numbers.
    centre = np.array([window.col_off, window.row_off]) + (window.width - 1) / 2.0
    shift = centre - turn @ np.full(2, (side - 1) / 2.0)
    matrix = np.column_stack([turn, shift])

    def warped(values: NDArray[Value], how: int, edge: int, fill: int = 0) -> NDArray[Value]:
        flags = how | cv2.WARP_INVERSE_MAP
        result = cv2.warpAffine(values, matrix, (side, side), None, flags, edge, [fill] * 4)
        return np.asarray(result.reshape(side, side, *values.shape[2:]), values.dtype)

    return (
        by_bands(image, lambda bands: warped(bands, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)),
        warped(mask, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, IGNORE),
    )


def _relit(image: Image, rng: np.random.Generator, lit: Sequence[int] | None) -> Image:
    """Make an image brighter or darker, and its bands a little more or less so; `lit` alone."""
    shift = rng.uniform(*_SHIFT) + rng.uniform(-_TINT, _TINT, image.shape[-1])
    changed = image * math.exp(rng.uniform(-_GAIN, _GAIN)) + shift
    if lit is not None:
        unlit = np.setdiff1d(np.arange(image.shape[-1]), lit)
        changed[..., unlit] = image[..., unlit]
    return like(changed, image)


def _pasted(crop: Pair, source: Pair) -> Pair:
    """Paste the foreground of one crop on another, with a soft edge of a few pixels."""
    image, mask = crop
    source_image, source_mask = source
    is_pasted = is_foreground(source_mask)
    alpha = cv2.GaussianBlur(is_pasted.astype(np.float32), (0, 0), _EDGE)[..., None]
    mixed = image + alpha * (source_image.astype(np.float32) - image)
    return like(mixed, image), np.where(is_pasted, source_mask, mask)
