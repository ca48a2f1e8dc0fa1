"""The palette: classes with their names and colours, and masks of class indices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
Colours = NDArray[np.uint8]

# The mask value of unlabelled pixels, such as a tile's padding: losses and scores skip them.
IGNORE = 255


def is_foreground(mask: Mask) -> NDArray[np.bool_]:
    """Tell the pixels of any class but background, (...) bool; unlabelled ones are not."""
    return np.asarray((mask != 0) & (mask != IGNORE), np.bool_)


@dataclass(frozen=True)
class UnknownColour:
    """A colour in a mask that is of no class, and the number of its pixels."""

    colour: tuple[int, int, int]
    pixels: int

    def __str__(self) -> str:
        return f"{self.colour} on {self.pixels} pixels"


@dataclass(frozen=True)
class Palette:
    """Names and colours (red, green, blue) of the classes, in the order of the class indices."""

    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def foreground(self) -> int:
        """Index of the main class of reports and pictures: the first after the background."""
        return 1

    def indices_of(self, rgb: Colours) -> tuple[Mask, list[UnknownColour]]:
        """Convert a colour mask to class indices.

        Args:
            rgb: (..., 3) uint8.

        Returns:
            Class indices, (...) uint8, `IGNORE` where the colour is of no class; and those colours
            with their numbers of pixels, most frequent first.
        """
        codes = _pack(rgb)
        indices = np.full(codes.shape, IGNORE, np.uint8)
        for index, code in enumerate(_pack(np.asarray(self.colours, np.uint8))):
            indices[codes == code] = index
        unknown, counts = np.unique(codes[indices == IGNORE], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return indices, [UnknownColour(_unpack(unknown[i]), int(counts[i])) for i in order]

    def nearest(self, colours: Sequence[tuple[int, int, int]]) -> Mask:
        """Return the index of the class nearest to each colour, by Euclidean distance in RGB."""
        queries = np.asarray(colours, np.int32).reshape(-1, 1, 3)
        distances = ((queries - np.asarray(self.colours, np.int32)) ** 2).sum(axis=-1)
        return np.asarray(distances.argmin(axis=1), np.uint8)

    def colourise(self, mask: Mask) -> Colours:
        """Convert class indices to colours; unlabelled pixels become white.

        Returns:
            (..., 3) uint8 for a mask of shape (...).
        """
        table = np.full((256, 3), 255, np.uint8)
        table[: len(self)] = self.colours
        rgb: Colours = table[mask]
        return rgb


def _pack(rgb: Colours) -> NDArray[np.uint32]:
    """Pack red, green and blue into one number, to compare colours in one step."""
    red, green, blue = np.moveaxis(rgb.astype(np.uint32), -1, 0)
    return np.asarray((red << 16) | (green << 8) | blue, np.uint32)


def _unpack(code: int) -> tuple[int, int, int]:
    return int(code) >> 16, int(code) >> 8 & 255, int(code) & 255
