"""Examples that are the tiles of a part."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.composition import Composition
from landslide_cli.core.palette import Palette
from landslide_cli.dataset.tiles import TileFiles
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import probe, read_tile
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.training_data.examples import Pair
from landslide_cli.training_data.store import CacheSetting, Store, resolve_cache


class TileExamples:
    """The tiles of a part, each once per epoch; see `Examples`.

    Args:
        tiles: image and mask files, all of one size.
        palette: the classes.
        bands: of the images.
        multiple: the model takes sides that are multiples of this.
        cache: where decoded tiles are kept; `auto` takes memory if a quarter of what is free
            suffices, otherwise none.
        folder: of the disk cache.
        nearest_colour: give mask colours that are no class to the nearest class.
        seed: of the order, which differs from epoch to epoch. Default: the order of `tiles`.
        composition: what the bands of the tiles are; None for `bands` of 8 bits.

    Raises:
        DataError: the first tile cannot be read, or the model does not take its size.
    """

    def __init__(
        self,
        tiles: Sequence[TileFiles],
        palette: Palette,
        bands: int,
        multiple: int = 1,
        cache: CacheSetting = "auto",
        folder: Path | None = None,
        nearest_colour: bool = False,
        seed: int | None = None,
        composition: Composition | None = None,
    ) -> None:
        self._tiles = list(tiles)
        self._palette, self._bands, self._nearest = palette, bands, nearest_colour
        self._seed, self._composition = seed, composition
        info = probe(self._tiles[0].image)
        self.rows, self.cols = info.height, info.width
        if self.rows % multiple or self.cols % multiple:
            raise DataError(
                f"{self._tiles[0].image}: is {self.cols} x {self.rows} pixels; the model takes "
                f"multiples of {multiple}: prepare tiles of such a size, or use fewer model layers"
            )
        depth = 1 if composition is None else 4
        needed = len(self._tiles) * self.rows * self.cols * (depth * bands + 1)
        resolved = resolve_cache(cache, needed, fallback="none")
        self._store = Store(self._read, len(self._tiles), resolved, folder)
        self._lock = threading.Lock()
        self._epoch = -1
        self._order: NDArray[np.int64] = np.arange(len(self._tiles))

    def __len__(self) -> int:
        return len(self._tiles)

    def example(self, epoch: int, position: int) -> Pair:
        image, mask = self._store.get(self._index(epoch, position))
        return np.array(image), np.array(mask)

    def name(self, epoch: int, position: int) -> str:
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
        image = read_tile(tile.image, self._bands, self._composition)
        mask = read_mask(tile.mask, self._palette, self._nearest, tile.image).mask
        for path, shape in ((tile.image, image.shape[:2]), (tile.mask, mask.shape)):
            if shape != (self.rows, self.cols):
                raise DataError(
                    f"{path}: is {shape[1]} x {shape[0]} pixels where the first tile is "
                    f"{self.cols} x {self.rows}; tiles must have one size"
                )
        return image, mask
