"""Windows all over a raster, to measure its values without reading all of them."""

from collections.abc import Iterator

import numpy as np

from landslide_cli.core.tiling.grid import ceil_div

# Side of a window in pixels, and how many there are in a row and in a column.
_SIDE, _WINDOWS = 256, 6


def sampled_windows(height: int, width: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield the rows and columns of windows that are evenly spread; all of a small raster."""
    for rows in _spread(height):
        for cols in _spread(width):
            yield rows, cols


def _spread(length: int) -> list[tuple[int, int]]:
    """Divide a side into pieces to read, evenly spread; all of a short one."""
    side = min(_SIDE, length)
    count = min(_WINDOWS, ceil_div(length, side))
    starts = np.linspace(0, length - side, count).astype(int).tolist()
    return [(start, start + side) for start in starts]
