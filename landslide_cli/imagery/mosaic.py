"""Mosaics: images and masks side by side in one, as neighbouring ground in an orthophoto."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.core.tiling.resampling import resample

Pair = tuple[Image, Mask]
Value = TypeVar("Value", bound=np.generic)

# Random places that are tried before the free ones are listed, which takes time in large mosaics.
_TRIES = 64


class Canvas:
    """A mosaic that is filled piece by piece; what is there is never covered by what comes later.

    Args:
        rows: of the mosaic.
        cols: of the mosaic.
        bands: of the images.
        dtype: of the images.

    Attributes:
        image: (rows, cols, bands), 0 where nothing is.
        mask: (rows, cols) uint8, `IGNORE` where nothing is.
        is_free: (rows, cols) bool.
    """

    def __init__(self, rows: int, cols: int, bands: int, dtype: DTypeLike = np.uint8) -> None:
        self.image: Image = np.zeros((rows, cols, bands), dtype)
        self.mask: Mask = np.full((rows, cols), IGNORE, np.uint8)
        self.is_free = np.ones((rows, cols), np.bool_)

    def put(self, pair: Pair, row: int, col: int) -> None:
        """Put a piece where it is free, its upper left pixel at a place that may be outside."""
        image, mask = pair
        rows, cols = mask.shape
        top, bottom = max(0, row), min(len(self.mask), row + rows)
        left, right = max(0, col), min(self.mask.shape[1], col + cols)
        there = slice(top, bottom), slice(left, right)
        here = slice(top - row, bottom - row), slice(left - col, right - col)
        is_free = self.is_free[there]
        np.copyto(self.image[there], image[here], where=is_free[..., None])
        np.copyto(self.mask[there], mask[here], where=is_free)
        self.is_free[there] = False

    def fill(self, draw: Callable[[np.random.Generator], Pair], rng: np.random.Generator) -> None:
        """Put pieces at random places until nothing is free: each lies behind those before it.

        This is the dead leaves model (Matheron, 1968; Lee, Mumford and Huang, 2001,
        doi:10.1023/A:1011109015675) of an image whose parts occlude each other.

        Args:
            draw: returns a piece.
            rng: of the places.
        """
        while (place := self._free_place(rng)) is not None:
            image, mask = draw(rng)
            rows, cols = mask.shape
            row, col = place[0] - int(rng.integers(rows)), place[1] - int(rng.integers(cols))
            self.put((image, mask), row, col)

    def _free_place(self, rng: np.random.Generator) -> tuple[int, int] | None:
        rows, cols = self.is_free.shape
        for _ in range(_TRIES):
            row, col = int(rng.integers(rows)), int(rng.integers(cols))
            if self.is_free[row, col]:
                return row, col
        places = np.flatnonzero(self.is_free)
        if not len(places):
            return None
        row, col = divmod(int(rng.choice(places)), cols)
        return row, col


def resized(pair: Pair, rows: int, cols: int) -> Pair:
    """Resize an image by averaging or linearly, and its mask by nearest neighbour."""
    image, mask = pair
    if mask.shape == (rows, cols):
        return pair
    nearest = cv2.resize(mask, (cols, rows), interpolation=cv2.INTER_NEAREST_EXACT)
    return resample(image, cols, rows), np.asarray(nearest, np.uint8)


def turned(pair: Pair, turn: int) -> Pair:
    """Turn by quarters, counter-clockwise, and from 4 on mirror before: turns 0 to 7 are views."""
    image, mask = pair
    if turn >= 4:
        image, mask = image[:, ::-1], mask[:, ::-1]
    return np.rot90(image, turn % 4), np.rot90(mask, turn % 4)


def turned_back(values: NDArray[Value], turn: int) -> NDArray[Value]:
    """Undo `turned` for (rows, cols, ...) values."""
    back = np.rot90(values, -(turn % 4))
    return back[:, ::-1] if turn >= 4 else back


def apart(
    sizes: Sequence[tuple[int, int]], rng: np.random.Generator
) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """Lay rectangles out in rows, in random order, touching or with random gaps between them.

    Args:
        sizes: rows and columns of each.
        rng: of the order and the gaps, half of which are 0 and the others up to a quarter of the
            longest side.

    Returns:
        The upper left pixel of each rectangle, and the rows and columns of the whole.
    """
    longest = max(max(size) for size in sizes)
    area = sum(rows * cols for rows, cols in sizes)
    width = max(*(cols for _, cols in sizes), math.ceil(math.sqrt(1.3 * area)))

    def gap() -> int:
        return int(rng.integers(1, max(2, longest // 4))) if rng.random() < 0.5 else 0

    def margin() -> int:
        return int(rng.integers(1, max(2, longest // 4)))

    places: dict[int, tuple[int, int]] = {}
    top, left, height, right = margin(), margin(), 0, 0
    for index in rng.permutation(len(sizes)).tolist():
        rows, cols = sizes[index]
        if height and left + cols > width + longest // 4:
            top, left, height = top + height + gap(), margin(), 0
        down = margin() // 4
        places[index] = (top + down, left)
        height, left = max(height, down + rows), left + cols
        right = max(right, left)
        left += gap()
    whole = top + height + margin(), right + margin()
    return [places[index] for index in range(len(sizes))], whole
