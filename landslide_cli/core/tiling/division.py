"""Division of a raster into blocks side by side, each with a rim that neighbours leave free.

Blocks are for splitting one large scene: they cover it once, and what is left of them without their
rims lies apart from that of any other block.
"""

from dataclasses import dataclass

from landslide_cli.core.tiling.grid import Window


@dataclass(frozen=True)
class Rim:
    """How many pixels along each side of a block are left free; none at the raster's own edge."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


@dataclass(frozen=True)
class Division:
    """A block: its row and column in the grid of blocks, its pixels in the raster, and its rim."""

    row: int
    col: int
    window: Window
    rim: Rim

    @property
    def core(self) -> Window:
        """The block without its rim, in pixels of the block; it may be empty."""
        rim, window = self.rim, self.window
        width = max(0, window.width - rim.left - rim.right)
        height = max(0, window.height - rim.top - rim.bottom)
        return Window(rim.left, rim.top, width, height)


def divided(length: int, side: int) -> list[tuple[int, int]]:
    """Divide the pixels of an axis into pieces of `side`.

    What remains is a piece of its own if it is at least half of one, and is otherwise joined to the
    last: `divided(10, 4)` is (0, 4), (4, 8), (8, 10), and `divided(9, 4)` is (0, 4), (4, 9).

    Returns:
        First pixel and the one after the last of each piece, in order.

    Raises:
        ValueError: length or side is below 1.
    """
    if min(length, side) < 1:
        raise ValueError(f"length and side must be positive, not {length} and {side}")
    count = max(1, (2 * length + side) // (2 * side))
    starts = [index * side for index in range(count)]
    return list(zip(starts, [*starts[1:], length], strict=True))


def blocks_of(
    height: int, width: int, side: tuple[int, int], rim: tuple[int, int]
) -> list[Division]:
    """Divide a raster into blocks, row by row.

    Args:
        height: rows of the raster.
        width: columns of the raster.
        side: rows and columns of a block; those at the right and bottom edge have from half as many
            to one and a half times as many.
        rim: rows above and below, and columns left and right, that are left free along the edges
            that blocks share.

    Raises:
        ValueError: a size is below 1.
    """
    rows, cols = divided(height, side[0]), divided(width, side[1])
    return [
        Division(
            row,
            col,
            Window(left, top, right - left, bottom - top),
            Rim(
                left=rim[1] if left > 0 else 0,
                top=rim[0] if top > 0 else 0,
                right=rim[1] if right < width else 0,
                bottom=rim[0] if bottom < height else 0,
            ),
        )
        for row, (top, bottom) in enumerate(rows)
        for col, (left, right) in enumerate(cols)
    ]
