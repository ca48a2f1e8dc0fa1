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
    """Names and colours (red, green, blue) of the classes, in the order of the class indices.

    `chosen` are the indices of the foreground's classes, ascending; empty for all but the first.
    With `ignores_background` the first class has no meaning: its pixels have no label, and a model
    has no output for it.
    """

    names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    chosen: tuple[int, ...] = ()
    ignores_background: bool = False

    def __len__(self) -> int:
        return len(self.names)

    @property
    def foreground(self) -> tuple[int, ...]:
        """Indices of the classes that scores, objects and polygons are of, ascending."""
        return self.chosen or tuple(range(1, len(self)))

    @property
    def meaningful(self) -> tuple[int, ...]:
        """Indices of the classes that labels and maps have, ascending."""
        return tuple(range(int(self.ignores_background), len(self)))

    @property
    def are_landslides(self) -> bool:
        """Whether every foreground class is of landslides: `slide` is in its name."""
        return all("slide" in self.names[index].lower() for index in self.foreground)

    @property
    def subject(self) -> str:
        """What the foreground is called in titles: by its class, several as `objects`."""
        if len(self.foreground) == 1:
            return self.names[self.foreground[0]]
        return self.plural

    @property
    def plural(self) -> str:
        """What the foreground is called in sentences: `landslides`, or as its class is."""
        if self.are_landslides:
            return "landslides"
        return self.subject if len(self.foreground) == 1 else "objects"

    @property
    def polygons(self) -> str:
        """What files and layers of polygons are called after: `landslides` or `polygons`."""
        return "landslides" if self.are_landslides else "polygons"

    def only_foreground(self, mask: Mask) -> Mask:
        """Return a mask in which classes beside the foreground are background, (...) uint8.

        Unlabelled pixels stay. The mask itself is returned if there are no such classes.
        """
        if not self.chosen:
            return mask
        table = np.zeros(256, np.uint8)
        table[IGNORE] = IGNORE
        table[list(self.chosen)] = self.chosen
        result: Mask = table[mask]
        return result

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


def colour_counts(colours: Colours) -> dict[tuple[int, int, int], int]:
    """Count the pixels of each colour, (..., 3), in the order of red, green and blue."""
    codes, counts = np.unique(_pack(colours), return_counts=True)
    return {_unpack(code): int(count) for code, count in zip(codes, counts, strict=True)}


def _pack(rgb: Colours) -> NDArray[np.uint32]:
    """Pack red, green and blue into one number, to compare colours in one step."""
    red, green, blue = np.moveaxis(rgb.astype(np.uint32), -1, 0)
    return np.asarray((red << 16) | (green << 8) | blue, np.uint32)


def _unpack(code: int) -> tuple[int, int, int]:
    return int(code) >> 16, int(code) >> 8 & 255, int(code) & 255
