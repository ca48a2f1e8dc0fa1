"""Class index <-> mask colour."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
Colours = NDArray[np.uint8]

# The mask value of pixels that have no label, such as a tile's padding: no loss, no score.
IGNORE = 255


@dataclass(frozen=True)
class UnknownColour:
    """A mask colour that is no class, and how many pixels have it."""

    colour: tuple[int, int, int]
    pixels: int

    def __str__(self) -> str:
        return f"{self.colour} on {self.pixels} pixels"


@dataclass(frozen=True)
class Palette:
    """The classes' names and their red, green and blue, in the order of the class indices."""

    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def foreground(self) -> int:
        """Index of the class that numbers and pictures lead with: the first after background."""
        return 1

    def indices_of(self, rgb: Colours) -> tuple[Mask, list[UnknownColour]]:
        """Turn a colour mask into class indices.

        Args:
            rgb: (..., 3) uint8.

        Returns:
            Class indices, (...) uint8, with `IGNORE` where the colour is no class; and those
            colours with their pixel counts, most frequent first.
        """
        codes = _packed(rgb)
        indices = np.full(codes.shape, IGNORE, np.uint8)
        for index, code in enumerate(_packed(np.asarray(self.colours, np.uint8))):
            indices[codes == code] = index
        unknown, counts = np.unique(codes[indices == IGNORE], return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return indices, [UnknownColour(_unpacked(unknown[i]), int(counts[i])) for i in order]

    def nearest(self, colours: Sequence[tuple[int, int, int]]) -> Mask:
        """Return the index of the class nearest to each colour, by Euclidean distance in RGB."""
        given = np.asarray(colours, np.int32).reshape(-1, 1, 3)
        distances = ((given - np.asarray(self.colours, np.int32)) ** 2).sum(axis=-1)
        return np.asarray(distances.argmin(axis=1), np.uint8)

    def colourise(self, mask: Mask) -> Colours:
        """Paint class indices in their colours; pixels without a label become white.

        Returns:
            (..., 3) uint8 for a mask of shape (...).
        """
        table = np.full((256, 3), 255, np.uint8)
        table[: len(self)] = self.colours
        painted: Colours = table[mask]
        return painted


def _packed(rgb: Colours) -> NDArray[np.uint32]:
    """Pack red, green and blue into one number, so that a colour is compared in one step."""
    red, green, blue = np.moveaxis(rgb.astype(np.uint32), -1, 0)
    return np.asarray((red << 16) | (green << 8) | blue, np.uint32)


def _unpacked(code: int) -> tuple[int, int, int]:
    return int(code) >> 16, int(code) >> 8 & 255, int(code) & 255
