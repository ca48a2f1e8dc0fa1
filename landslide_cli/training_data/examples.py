"""What a training draws from: tiles, random crops of whole scenes, or all windows of them.

An example is a pure function of seed, epoch and position, whatever is cached and whoever asks.
"""

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.memory import free_memory
from landslide_cli.core.palette import IGNORE, Mask, Palette
from landslide_cli.core.tiling.grid import Window, cut, side_by_side
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.tiles import TileFiles
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import probe, read_image
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.outputs import whole_file

# (rows, cols, bands) uint8, and (rows, cols) uint8 class indices, `IGNORE` where there is no label.
Pair = tuple[Image, Mask]
Cache = Literal["memory", "disk", "none"]
Wanted = Literal["auto", "memory", "disk", "none"]

# Most foreground pixels of a scene that crops are centred on.
_MOST_ANCHORS = 1000

# What sets the draws of this module apart from others of the same seed, epoch and position.
_CROPS, _ANCHORS, _VIEWS, _PASTES = 1, 2, 3, 4

# How far the edge of what is pasted is smoothed, as the deviation of a Gaussian in pixels.
_EDGE = 1.0

# Where pasted foregrounds get other light: share of the crops that get their own and no other's;
# largest gain either way, as a logarithm; least and most that is added, in gray levels; and as
# much more or less for each band apart.
_OWN, _GAIN, _SHIFT, _TINT = 0.3, 0.3, (-30.0, 60.0), 10.0


class Examples(Protocol):
    """Images and masks of one size, `rows` x `cols` pixels, to learn from or to validate on."""

    rows: int
    cols: int

    def __len__(self) -> int:
        """How many examples an epoch has."""
        ...

    def example(self, epoch: int, position: int) -> Pair:
        """Return an example in arrays of its own; several threads may ask at once.

        Args:
            epoch: which one; others may have other examples, or in another order.
            position: in the epoch, from 0 to below its length.

        Raises:
            DataError: a file cannot be read.
        """
        ...

    def name(self, epoch: int, position: int) -> str:
        """Say in a message where an example comes from."""
        ...


def choose(cache: Wanted, needed_bytes: int, otherwise: Cache) -> Cache:
    """Resolve `auto`: memory if a quarter of what is free suffices, or else `otherwise`."""
    if cache != "auto":
        return cache
    return "memory" if needed_bytes < free_memory() / 4 else otherwise


class Store:
    """Decoded pairs, kept in memory or on disk, or decoded whenever they are asked for.

    Args:
        load: decodes the pair of an index.
        count: how many there are.
        cache: where they are kept.
        folder: of the disk cache, for this process alone. What an earlier one left there is taken,
            so it must be of the same data; a file that is damaged is made again.
    """

    def __init__(
        self, load: Callable[[int], Pair], count: int, cache: Cache, folder: Path | None = None
    ) -> None:
        if cache == "disk" and folder is None:
            raise ValueError("a disk cache needs a folder")
        self._load, self._cache, self._folder = load, cache, folder or Path()
        self._kept: dict[int, Pair] = {}
        self._locks = [threading.Lock() for _ in range(count)] if cache != "none" else []

    def get(self, index: int) -> Pair:
        """Return a pair not to be changed; copy what is kept, so that the rest can be let go.

        Raises:
            DataError: it cannot be decoded.
            OutputError: the disk cache cannot be written.
        """
        if self._cache == "none":
            return self._load(index)
        with self._locks[index]:
            if self._cache == "disk":
                return self._mapped(index)
            if index not in self._kept:
                self._kept[index] = self._load(index)
            return self._kept[index]

    def _mapped(self, index: int) -> Pair:
        """Map the files anew at each call: the pages of earlier ones count as memory in use."""
        paths = tuple(self._folder / f"{index:06d}_{name}.npy" for name in ("image", "mask"))
        found = _pair_in(*paths)
        if found is not None:
            return found
        for path, values in zip(paths, self._load(index), strict=True):
            with whole_file(path) as partial:
                np.save(partial, values, allow_pickle=False)
        found = _pair_in(*paths)
        if found is None:
            raise DataError(f"{paths[0]}: was written and cannot be read back; check the disk")
        return found


def _pair_in(image_path: Path, mask_path: Path) -> Pair | None:
    """Map a pair of files; None if they are not there or not whole."""
    try:
        image = np.load(image_path, mmap_mode="r", allow_pickle=False)
        mask = np.load(mask_path, mmap_mode="r", allow_pickle=False)
    except Exception:  # a damaged header makes NumPy raise almost anything
        return None
    fits = image.ndim == 3 and mask.ndim == 2 and image.shape[:2] == mask.shape
    return (image, mask) if fits and image.dtype == mask.dtype == np.uint8 else None


class TileExamples:
    """The tiles of a part, each once an epoch.

    Args:
        tiles: image and mask files, all of one size.
        palette: the classes.
        bands: bands that the model takes.
        multiple: the model takes sides that are multiples of this.
        cache: where decoded tiles are kept; `auto` takes memory if a quarter of what is free
            suffices, or else none.
        folder: of the disk cache.
        nearest_colour: give mask colours that are no class to the nearest class.
        seed: of the order, another one in each epoch. Default: as given.

    Raises:
        DataError: the first tile cannot be read, or its size is none that the model takes.
    """

    def __init__(
        self,
        tiles: Sequence[TileFiles],
        palette: Palette,
        bands: int,
        multiple: int = 1,
        cache: Wanted = "auto",
        folder: Path | None = None,
        nearest_colour: bool = False,
        seed: int | None = None,
    ) -> None:
        self._tiles = list(tiles)
        self._palette, self._bands, self._nearest = palette, bands, nearest_colour
        self._seed = seed
        info = probe(self._tiles[0].image)
        self.rows, self.cols = info.height, info.width
        if self.rows % multiple or self.cols % multiple:
            raise DataError(
                f"{self._tiles[0].image}: is {self.cols} x {self.rows} pixels; the model takes "
                f"multiples of {multiple}: prepare tiles of such a size, or use fewer model layers"
            )
        needed = len(self._tiles) * self.rows * self.cols * (bands + 1)
        chosen = choose(cache, needed, otherwise="none")
        self._store = Store(self._read, len(self._tiles), chosen, folder)
        self._lock = threading.Lock()
        self._epoch = -1
        self._order: NDArray[np.int64] = np.arange(len(self._tiles))

    def __len__(self) -> int:
        """How many tiles there are."""
        return len(self._tiles)

    def example(self, epoch: int, position: int) -> Pair:
        """Return a tile; see `Examples`."""
        image, mask = self._store.get(self._index(epoch, position))
        return np.array(image), np.array(mask)

    def name(self, epoch: int, position: int) -> str:
        """Name the tile's image file."""
        return str(self._tiles[self._index(epoch, position)].image)

    def _index(self, epoch: int, position: int) -> int:
        if self._seed is None:
            return position
        with self._lock:
            if self._epoch != epoch:
                rng = np.random.default_rng((self._seed, epoch))
                self._epoch, self._order = epoch, rng.permutation(len(self._tiles))
            return int(self._order[position])

    def _read(self, index: int) -> Pair:
        tile = self._tiles[index]
        image = read_image(tile.image, self._bands)
        mask = read_mask(tile.mask, self._palette, self._nearest).mask
        for path, shape in ((tile.image, image.shape[:2]), (tile.mask, mask.shape)):
            if shape != (self.rows, self.cols):
                raise DataError(
                    f"{path}: is {shape[1]} x {shape[0]} pixels where the first tile is "
                    f"{self.cols} x {self.rows}; tiles must have one size"
                )
        return image, mask


class _SceneExamples:
    """Square windows of whole scenes, as they are when they are resized for tiles.

    Where one reaches beyond its scene, the image is reflected and the mask has no label. Each scene
    is loaded once to begin with, so that all of them are known to be usable.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        load: Callable[[Scene], Pair],
        side: int,
        bands: int,
        cache: Wanted,
        folder: Path | None,
    ) -> None:
        if not scenes:
            raise DataError("there is no scene to take examples from; add scenes and split again")
        self.rows = self.cols = side
        self._scenes = list(scenes)
        self._sizes: list[tuple[int, int]] = []  # rows and columns

        def store(where: Cache) -> Store:
            return Store(lambda index: load(self._scenes[index]), len(scenes), where, folder)

        otherwise: Cache = "none" if folder is None else "disk"
        self._store = store(choose(cache, 0, otherwise))
        needed = 0
        for index in range(len(scenes)):
            mask = self._store.get(index)[1]
            self._sizes.append((mask.shape[0], mask.shape[1]))
            self._survey(index, mask)
            needed += mask.size * (bands + 1)
            if cache == "auto" and choose("auto", needed, otherwise) != "memory":
                cache, self._store = otherwise, store(otherwise)

    def example(self, epoch: int, position: int) -> Pair:
        """Return a window; see `Examples`."""
        index, window = self._place(epoch, position)
        image, mask = self._store.get(index)
        labels = np.full((window.height, window.width), IGNORE, np.uint8)
        inside = mask[window.row_off : window.row_stop, window.col_off : window.col_stop]
        labels[: inside.shape[0], : inside.shape[1]] = inside
        return np.array(cut(image, window)), labels

    def name(self, epoch: int, position: int) -> str:
        """Name the scene, and the window's upper left pixel at its prepared size."""
        index, window = self._place(epoch, position)
        name = self._scenes[index].name
        return f"{name} at column {window.col_off}, row {window.row_off}"

    def _survey(self, index: int, mask: Mask) -> None:
        """Learn what is needed of a scene; called once for each, in order."""

    def _place(self, epoch: int, position: int) -> tuple[int, Window]:
        """Return the index of the scene, and the window in it, not above or left of it."""
        raise NotImplementedError


class CropExamples(_SceneExamples):
    """Random square crops of whole scenes, a share of them centred on foreground.

    The others lie anywhere, all places of a scene being equally likely, and scenes in proportion to
    their areas. A crop is moved into its scene; only where the scene is smaller it reaches beyond,
    or with its corners where it is turned.

    Args:
        scenes: to crop from.
        load: gives a scene at its prepared size.
        side: of a crop, in pixels.
        count: crops an epoch. Default: as many as have the scenes' area.
        foreground_share: of the crops that are centred on a foreground pixel, the scenes that have
            any being equally likely; 0 if no scene has any.
        seed: of the crops.
        scale: least and most that a crop is enlarged, evenly on a logarithmic scale.
        rotation: degrees that it is turned by at most, either way.
        copy_paste: share of the crops that get the foreground of another one on top (Ghiasi et al.,
            Simple Copy-Paste, 2021, arXiv:2012.07177).
        paste_light: share of what is pasted that gets other light first. If there is any, three
            crops in ten get their own foreground pasted instead of another one's.
        bands: of the images.
        cache: where loaded scenes are kept; `auto` takes memory if a quarter of what is free
            suffices, or else the folder.
        folder: of the disk cache.

    Raises:
        DataError: there is no scene, or one cannot be loaded.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        load: Callable[[Scene], Pair],
        side: int,
        count: int | None,
        foreground_share: float,
        seed: int,
        bands: int,
        cache: Wanted = "auto",
        folder: Path | None = None,
        scale: tuple[float, float] = (1.0, 1.0),
        rotation: float = 0.0,
        copy_paste: float = 0.0,
        paste_light: float = 0.0,
    ) -> None:
        self._share, self._seed = foreground_share, seed
        self._scale, self._rotation = scale, rotation
        self._copy_paste, self._paste_light = copy_paste, paste_light
        self._anchors: dict[int, NDArray[np.int64]] = {}  # (anchors, 2), rows and columns
        super().__init__(scenes, load, side, bands, cache, folder)
        self._with_foreground = list(self._anchors)
        self._areas = np.cumsum([rows * cols for rows, cols in self._sizes])
        self._count = count or max(1, math.ceil(self._areas[-1] / side**2))

    def __len__(self) -> int:
        """How many crops an epoch has."""
        return self._count

    def _survey(self, index: int, mask: Mask) -> None:
        rng = np.random.default_rng((self._seed, index, 0, _ANCHORS))
        anchors = _foreground_pixels(mask, _MOST_ANCHORS, rng)
        if len(anchors):
            self._anchors[index] = anchors

    def example(self, epoch: int, position: int) -> Pair:
        """Return a crop; see `Examples`."""
        crop = self._crop(epoch, position)
        rng = np.random.default_rng((self._seed, epoch, position, _PASTES))
        if rng.random() >= self._copy_paste:
            return crop
        # The other is one that no epoch has by itself.
        is_own = self._paste_light > 0.0 and rng.random() < _OWN
        image, mask = crop if is_own else self._crop(epoch, len(self) + position)
        if rng.random() < self._paste_light:
            image = _relit(image, rng)
        return _pasted(crop, (image, mask))

    def _crop(self, epoch: int, position: int) -> Pair:
        if self._scale == (1.0, 1.0) and self._rotation == 0.0:
            return super().example(epoch, position)
        index, window = self._place(epoch, position)
        degrees = self._view(epoch, position)[1]
        return _turned(self._store.get(index), window, self.rows, degrees)

    def _place(self, epoch: int, position: int) -> tuple[int, Window]:
        """Return the scene, and the square in it that the crop shows before it is turned."""
        rng = np.random.default_rng((self._seed, epoch, position, _CROPS))
        side = max(1, round(self.rows / self._view(epoch, position)[0]))
        if self._with_foreground and rng.random() < self._share:
            index = self._with_foreground[rng.integers(len(self._with_foreground))]
            row, col = rng.choice(self._anchors[index]) - side // 2
        else:
            index = int(np.searchsorted(self._areas, rng.integers(self._areas[-1]), "right"))
            row, col = (rng.integers(max(0, size - side) + 1) for size in self._sizes[index])
        rows, cols = self._sizes[index]
        row_off, col_off = max(0, min(row, rows - side)), max(0, min(col, cols - side))
        return index, Window(int(col_off), int(row_off), side, side)

    def _view(self, epoch: int, position: int) -> tuple[float, float]:
        """Draw how much a crop is enlarged, and by how many degrees it is turned."""
        rng = np.random.default_rng((self._seed, epoch, position, _VIEWS))
        low, high = self._scale
        return low * (high / low) ** rng.random(), self._rotation * rng.uniform(-1.0, 1.0)


def _turned(pair: Pair, window: Window, side: int, degrees: float) -> Pair:
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
    places = np.column_stack([turn, shift])

    def seen(values: NDArray[np.uint8], how: int, edge: int, fill: int = 0) -> NDArray[np.uint8]:
        flags = how | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(values, places, (side, side), None, flags, edge, [fill] * 4)
        return np.asarray(warped.reshape(side, side, *values.shape[2:]), np.uint8)

    return (
        seen(image, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101),
        seen(mask, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, IGNORE),
    )


def _relit(image: Image, rng: np.random.Generator) -> Image:
    """Make an image brighter or darker, and its bands a little more or less so."""
    shift = rng.uniform(*_SHIFT) + rng.uniform(-_TINT, _TINT, image.shape[-1])
    changed = image * math.exp(rng.uniform(-_GAIN, _GAIN)) + shift
    return np.asarray(np.rint(np.clip(changed, 0.0, 255.0)), np.uint8)


def _pasted(below: Pair, above: Pair) -> Pair:
    """Lay the foreground of one crop over another, with a soft edge of a few pixels."""
    image, mask = below
    other, labels = above
    there = (labels > 0) & (labels != IGNORE)
    alpha = cv2.GaussianBlur(there.astype(np.float32), (0, 0), _EDGE)[..., None]
    mixed = image + alpha * (other.astype(np.float32) - image)
    return np.rint(mixed).astype(np.uint8), np.where(there, labels, mask)


class WindowExamples(_SceneExamples):
    """All of every scene, in square windows side by side; the same in each epoch.

    Args:
        scenes: in the order of the windows.
        load: gives a scene at its prepared size.
        side: of a window, in pixels.
        bands: of the images.
        cache: where loaded scenes are kept; `auto` takes memory if a quarter of what is free
            suffices, or else the folder.
        folder: of the disk cache.

    Raises:
        DataError: there is no scene, or one cannot be loaded.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        load: Callable[[Scene], Pair],
        side: int,
        bands: int,
        cache: Wanted = "auto",
        folder: Path | None = None,
    ) -> None:
        super().__init__(scenes, load, side, bands, cache, folder)
        self._windows = [
            (index, window)
            for index, (rows, cols) in enumerate(self._sizes)
            for window in side_by_side(rows, cols, side)
        ]

    def __len__(self) -> int:
        """How many windows all scenes have together."""
        return len(self._windows)

    def _place(self, epoch: int, position: int) -> tuple[int, Window]:
        return self._windows[position]


def _foreground_pixels(mask: Mask, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose foreground pixels at random, without holding all of them: (pixels, 2), (row, col)."""
    counts = np.array([_is_foreground(row).sum() for row in mask], np.int64)
    ends = np.cumsum(counts)
    total = int(ends[-1])
    chosen = []
    for rank in rng.choice(total, min(total, most), replace=False) if total else ():
        row = int(np.searchsorted(ends, rank, "right"))
        there = np.flatnonzero(_is_foreground(mask[row]))
        chosen.append((row, there[rank - ends[row] + counts[row]]))
    return np.array(chosen, np.int64).reshape(-1, 2)


def _is_foreground(labels: Mask) -> NDArray[np.bool_]:
    return np.asarray((labels != 0) & (labels != IGNORE))
