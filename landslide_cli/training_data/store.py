"""Decoded images and masks, kept in memory or on disk, or decoded each time."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from landslide_cli.core.memory import free_memory
from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.tiling.grid import Window, cut
from landslide_cli.dataset.scenes import Scene
from landslide_cli.errors import DataError
from landslide_cli.outputs import whole_file
from landslide_cli.training_data.examples import Pair

Cache = Literal["memory", "disk", "none"]
CacheSetting = Cache | Literal["auto"]


def resolve_cache(
    setting: CacheSetting,
    needed_bytes: int,
    fallback: Cache,
    free_bytes: Callable[[], int] = free_memory,
) -> Cache:
    """Resolve `auto`: memory if a quarter of what is free suffices, otherwise `fallback`."""
    if setting != "auto":
        return setting
    return "memory" if needed_bytes < free_bytes() / 4 else fallback


class Store:
    """Pairs of image and mask by their index.

    Args:
        load: decodes the pair of an index.
        count: number of pairs.
        cache: where decoded pairs are kept.
        folder: of the disk cache, for this process alone. Files that an earlier process left there
            are reused, so they must be of the same data; a damaged file is written again.
    """

    def __init__(
        self, load: Callable[[int], Pair], count: int, cache: Cache, folder: Path | None = None
    ) -> None:
        if cache == "disk" and folder is None:
            raise ValueError("a disk cache needs a folder")
        self._load, self._cache, self._folder = load, cache, folder or Path()
        self._in_memory: dict[int, Pair] = {}
        self._locks = [threading.Lock() for _ in range(count)] if cache != "none" else []

    def get(self, index: int) -> Pair:
        """Return a pair, not to be changed. Copy what is kept, so that the rest can be freed.

        Raises:
            DataError: it cannot be decoded.
            OutputError: the disk cache cannot be written.
        """
        if self._cache == "none":
            return self._load(index)
        with self._locks[index]:
            if self._cache == "disk":
                return self._mapped(index)
            if index not in self._in_memory:
                self._in_memory[index] = self._load(index)
            return self._in_memory[index]

    def _mapped(self, index: int) -> Pair:
        """Map the files anew at each call: the pages of earlier ones count as memory in use."""
        paths = tuple(self._folder / f"{index:06d}_{name}.npy" for name in ("image", "mask"))
        pair = _mapped_pair(*paths)
        if pair is not None:
            return pair
        for path, values in zip(paths, self._load(index), strict=True):
            with whole_file(path) as partial:
                np.save(partial, values, allow_pickle=False)
        pair = _mapped_pair(*paths)
        if pair is None:
            raise DataError(f"{paths[0]}: was written but cannot be read back; check the disk")
        return pair


class SceneStore:
    """Whole scenes at their prepared size, with square windows cut from them.

    Each scene is loaded once at the start, so that an unusable one is reported at once.

    Args:
        scenes: in the order of their indices.
        load: reads a scene at its prepared size.
        cache: where scenes are kept; `auto` takes memory if a quarter of what is free suffices,
            otherwise the folder if there is one.
        folder: of the disk cache.
        survey: called with the index and the mask of each scene, in order.
        free_bytes: tells the free memory.

    Attributes:
        sizes: rows and columns of each scene.

    Raises:
        DataError: there is no scene, or one cannot be loaded.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        load: Callable[[Scene], Pair],
        cache: CacheSetting,
        folder: Path | None,
        survey: Callable[[int, Mask], None] = lambda index, mask: None,
        free_bytes: Callable[[], int] = free_memory,
    ) -> None:
        if not scenes:
            raise DataError("there is no scene to take examples from; add scenes and split again")
        self._scenes = list(scenes)
        self.sizes: list[tuple[int, int]] = []

        def store(where: Cache) -> Store:
            return Store(lambda index: load(self._scenes[index]), len(scenes), where, folder)

        fallback: Cache = "none" if folder is None else "disk"
        self._store = store(resolve_cache(cache, 0, fallback, free_bytes))
        needed = 0
        for index in range(len(scenes)):
            image, mask = self._store.get(index)
            self.sizes.append((mask.shape[0], mask.shape[1]))
            survey(index, mask)
            needed += image.nbytes + mask.nbytes
            if cache == "auto" and resolve_cache("auto", needed, fallback, free_bytes) != "memory":
                cache, self._store = fallback, store(fallback)

    def get(self, index: int) -> Pair:
        """Return a whole scene; see `Store.get`."""
        return self._store.get(index)

    def window(self, index: int, window: Window) -> Pair:
        """Copy a window of a scene.

        Args:
            index: of the scene.
            window: beginning inside the scene. Where it ends outside, the image is reflected and
                the mask has no label.
        """
        image, mask = self._store.get(index)
        labels = np.full((window.height, window.width), IGNORE, np.uint8)
        inside = mask[window.row_off : window.row_stop, window.col_off : window.col_stop]
        labels[: inside.shape[0], : inside.shape[1]] = inside
        return np.array(cut(image, window)), labels

    def name(self, index: int, window: Window) -> str:
        """Name the scene, and the window's upper left pixel at the prepared size."""
        return f"{self._scenes[index].name} at column {window.col_off}, row {window.row_off}"


def _mapped_pair(image_path: Path, mask_path: Path) -> Pair | None:
    """Map a pair of files; None if they do not exist or are not whole."""
    try:
        image = np.load(image_path, mmap_mode="r", allow_pickle=False)
        mask = np.load(mask_path, mmap_mode="r", allow_pickle=False)
    except Exception:  # a damaged header makes NumPy raise almost anything
        return None
    fits = image.ndim == 3 and mask.ndim == 2 and image.shape[:2] == mask.shape
    is_pair = image.dtype in (np.uint8, np.float32) and mask.dtype == np.uint8
    return (image, mask) if fits and is_pair else None
