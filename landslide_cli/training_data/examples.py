"""What training and validation draw from, whichever way it is made."""

from typing import Protocol

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import Mask

# (rows, cols, bands), and (rows, cols) uint8 class indices, `IGNORE` where there is no label.
Pair = tuple[Image, Mask]


class Examples(Protocol):
    """Images and masks of one size, `rows` x `cols` pixels.

    An example is a pure function of seed, epoch and position, whatever is cached and whichever
    thread asks for it.
    """

    rows: int
    cols: int

    def __len__(self) -> int:
        """Return the number of examples per epoch."""

    def example(self, epoch: int, position: int) -> Pair:
        """Return an example in arrays of its own; safe to call from several threads.

        Args:
            epoch: its number; epochs may differ in their examples or in the order of them.
            position: in the epoch, from 0 to below its length.

        Raises:
            DataError: a file cannot be read.
        """

    def name(self, epoch: int, position: int) -> str:
        """Say in a message where an example comes from."""
