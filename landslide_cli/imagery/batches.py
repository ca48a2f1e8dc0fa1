"""Tiles on disk to batches for TensorFlow: decoded in parallel, kept in memory if they fit."""

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.backend import tf
from landslide_cli.core.memory import free_memory
from landslide_cli.core.palette import Mask, Palette
from landslide_cli.core.tiler import Image
from landslide_cli.errors import DataError
from landslide_cli.imagery.dataset import TileFiles
from landslide_cli.imagery.masks import read_mask
from landslide_cli.imagery.raster import probe, read_image

Cache = Literal["auto", "memory", "none"]


class TileBatches:
    """The tiles of a part, as batches of images and masks.

    Images are (batch, rows, cols, bands) uint8, masks (batch, rows, cols) uint8 class indices.

    Args:
        tiles: image and mask files, all of one size.
        palette: the classes.
        bands: bands that the model takes.
        batch: tiles a batch; the last batch of an epoch may have fewer.
        multiple: the model takes sides that are multiples of this.
        cache: keep decoded tiles in memory; `auto` does if they need less than a quarter of what is
            free.
        nearest_colour: give mask colours that are no class to the nearest class.

    Raises:
        DataError: the first tile cannot be read, or its size is none that the model takes.
    """

    def __init__(
        self,
        tiles: Sequence[TileFiles],
        palette: Palette,
        bands: int,
        batch: int,
        multiple: int = 1,
        cache: Cache = "auto",
        nearest_colour: bool = False,
    ) -> None:
        self.tiles = list(tiles)
        self.batch = batch
        self._palette, self._bands, self._nearest = palette, bands, nearest_colour
        info = probe(self.tiles[0].image)
        self.rows, self.cols = info.height, info.width
        if self.rows % multiple or self.cols % multiple:
            raise DataError(
                f"{self.tiles[0].image}: is {self.cols} x {self.rows} pixels; the model takes "
                f"multiples of {multiple}: prepare tiles of such a size, or use fewer model layers"
            )
        needed = len(self.tiles) * self.rows * self.cols * (bands + 1)
        keeps = cache == "memory" or (cache == "auto" and needed < free_memory() / 4)
        self._kept: dict[int, tuple[Image, Mask]] | None = {} if keeps else None
        self._problem: Exception | None = None

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.tiles) / self.batch)

    def epoch(self, order: Sequence[int] | NDArray[np.int64] | None = None) -> Iterator[Any]:
        """Iterate over the batches once.

        Args:
            order: indices of tiles, in the order wanted. Default: by name.

        Yields:
            (images, masks) tensors.

        Raises:
            DataError: a tile cannot be read.
        """
        order = np.arange(len(self.tiles)) if order is None else np.asarray(order)
        dataset = (
            tf.data.Dataset.from_tensor_slices(order)
            .map(self._load, num_parallel_calls=os.cpu_count(), deterministic=True)
            .batch(self.batch)
            .prefetch(2)
        )
        try:
            yield from dataset
        except tf.errors.OpError:
            # TensorFlow wraps what was raised in its threads; the reason itself is clearer.
            if self._problem is not None:
                raise self._problem from None
            raise

    def _load(self, index: Any) -> Any:
        image, mask = tf.numpy_function(self._decoded, [index], (tf.uint8, tf.uint8))
        image.set_shape((self.rows, self.cols, self._bands))
        mask.set_shape((self.rows, self.cols))
        return image, mask

    def _decoded(self, index: np.int64) -> tuple[Image, Mask]:
        try:
            if self._kept is None:
                return self._read(int(index))
            if int(index) not in self._kept:
                self._kept[int(index)] = self._read(int(index))
            return self._kept[int(index)]
        except Exception as error:
            self._problem = error
            raise

    def _read(self, index: int) -> tuple[Image, Mask]:
        tile = self.tiles[index]
        image = read_image(tile.image, self._bands)
        mask = read_mask(tile.mask, self._palette, self._nearest).mask
        for path, shape in ((tile.image, image.shape[:2]), (tile.mask, mask.shape)):
            if shape != (self.rows, self.cols):
                raise DataError(
                    f"{path}: is {shape[1]} x {shape[0]} pixels where the first tile is "
                    f"{self.cols} x {self.rows}; tiles must have one size"
                )
        return image, mask
