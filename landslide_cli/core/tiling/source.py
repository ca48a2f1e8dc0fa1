"""A scene that can be read piece by piece, wherever its pixels come from."""

from dataclasses import dataclass
from typing import Protocol

from landslide_cli.core.arrays import Image, Valid


@dataclass(frozen=True)
class Piece:
    """A rectangle of a scene: `image` (rows, cols, bands); `valid` (rows, cols), or None.

    None says that all pixels hold data; those that hold none are 0 in the image.
    """

    image: Image
    valid: Valid = None

    def rows(self, start: int, stop: int) -> "Piece":
        """Return the rows from `start` to below `stop`, a view."""
        valid = None if self.valid is None else self.valid[start:stop]
        return Piece(self.image[start:stop], valid)

    def copy(self) -> "Piece":
        """Return a copy of it."""
        return Piece(self.image.copy(), None if self.valid is None else self.valid.copy())


class Source(Protocol):
    """A scene that can be read piece by piece."""

    @property
    def height(self) -> int:
        """Rows of the scene."""

    @property
    def width(self) -> int:
        """Columns of the scene."""

    @property
    def standardized(self) -> bool:
        """Whether the model wants the scene standardized; what is read is not yet."""

    @property
    def kept(self) -> tuple[int, ...]:
        """The positions of bands that stay as they are where the scene is standardized."""

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        """Read the pixels from the first to below the last row and column."""


@dataclass(frozen=True)
class ImageSource:
    """A scene in memory, (rows, cols, bands); `valid` as in `Piece`."""

    image: Image
    standardized: bool = False
    valid: Valid = None
    kept: tuple[int, ...] = ()

    @property
    def height(self) -> int:
        """Rows of the scene."""
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        """Columns of the scene."""
        return int(self.image.shape[1])

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        """Take the pixels from the first to below the last row and column."""
        there = slice(*rows), slice(*cols)
        return Piece(self.image[there], None if self.valid is None else self.valid[there])
