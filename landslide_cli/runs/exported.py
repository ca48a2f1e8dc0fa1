"""A network for other programs: the tiles it takes, and whether it answers as the model does."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.blur import blur_windows
from landslide_cli.core.tiling.local_statistics import local_statistics
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.core.tiling.standardize import standardize
from landslide_cli.errors import ModelError
from landslide_cli.imagery.synthetic import SMALLEST_SIDE, draw_scene

# From a tile, float32 (1, rows, cols, bands), to probabilities, (1, rows, cols, channels).
Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]

# How far the probabilities may be apart.
TOLERANCE = 1e-4

# Values of each band in the tile that networks are compared on are multiples of the first; none is
# nearer than the second to where it would be rounded otherwise.
_STEP, _MARGIN = 32, 1e-3


@dataclass(frozen=True)
class Tiles:
    """The tiles that an exported network takes.

    Args:
        side: of the square, in pixels.
        bands: of the image.
        standardized: positions of the bands that each tile is standardized in, by itself; pixels
            that are 0 in all of them do not count.
        is_float: levels are not whole numbers, as the model is given float32 instead of 8 bits.
        blur: standard deviation, in pixels, of a Gaussian that blurs what the model is given.
    """

    side: int
    bands: int
    standardized: tuple[int, ...] = ()
    is_float: bool = False
    blur: float = 0.0

    @property
    def unchanged(self) -> tuple[int, ...]:
        """Positions of the bands that are not standardized."""
        return tuple(band for band in range(self.bands) if band not in self.standardized)

    @property
    def order(self) -> tuple[int, ...]:
        """Where each band is among the standardized ones and, behind them, the others."""
        return tuple((*self.standardized, *self.unchanged).index(b) for b in range(self.bands))


def check_exported(exported: Network, model: Network, tiles: Tiles) -> None:
    """Compare a network for other programs with the model that it was made of.

    Args:
        exported: takes tiles of 0 to 1.
        model: takes the same of 0 to 255, standardized and blurred.
        tiles: what they are.

    Raises:
        ModelError: the probabilities of a drawn scene differ by more than `TOLERANCE`.
    """
    image, levels = _drawn(tiles)
    given = image[None].astype(np.float32)
    seen = blur_windows(levels[None].astype(np.float32), tiles.blur)
    answers = exported(given / np.float32(255)), model(np.asarray(seen, np.float32))
    difference = np.abs(answers[0] - answers[1]).max()
    if not difference <= TOLERANCE:
        raise ModelError(
            f"the exported network differs from the model by {difference:.2g} in probability, so "
            "that it is not written;\nmap with `landslide infer-tiled`, and report this"
        )


def _drawn(tiles: Tiles) -> tuple[Image, Image]:
    """Draw a tile, and return it with what the model sees of it, (side, side, bands) each."""
    for index in count():
        image = _tile(tiles, index)
        if not tiles.standardized:
            return image, image
        source = ImageSource(image, standardized=False, kept=tiles.unchanged)
        # Of so small a scale that the tile is a single cell.
        statistics = local_statistics(source, (1 / tiles.side, 1 / tiles.side))
        exact = standardize(image.astype(np.float32), statistics)
        # Sums taken in another order must not round a level to its neighbour.
        if tiles.is_float or np.abs(exact % 1 - 0.5).min() > _MARGIN:
            break
    return image, standardize(image, statistics)


def _tile(tiles: Tiles, index: int) -> Image:
    side = max(tiles.side, SMALLEST_SIDE)
    drawn = draw_scene(0, index, side, side)[0][: tiles.side, : tiles.side] // _STEP * _STEP
    # More bands than colours are colours moved by some rows.
    bands = [np.roll(drawn[..., band % 3], 8 * (band // 3), axis=0) for band in range(tiles.bands)]
    return np.stack(bands, axis=-1).astype(np.float32 if tiles.is_float else np.uint8)
