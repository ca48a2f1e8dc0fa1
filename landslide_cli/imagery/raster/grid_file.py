"""A file that bands of a scene are read from, opened on the scene's grid."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from landslide_cli.core.composition import Band
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.bands import BandPlan, colour_bands
from landslide_cli.imagery.raster.derived import Floats, continued
from landslide_cli.imagery.raster.opening import explained
from landslide_cli.imagery.raster.ranges import implied_range

Bools = NDArray[np.bool_]
Span = tuple[int, int]


@dataclass(frozen=True)
class GridFile:
    """An opened file on the grid of the scene: a dataset, and which of its bands are read.

    It shows `margin` pixels more than the scene on each side, and has data on `covered` of it, a
    share.
    """

    path: Path
    dataset: Any
    plan: BandPlan
    margin: int = 0
    covered: float = 1.0

    @property
    def numbers(self) -> list[int]:
        """The numbers of its bands that are not alpha."""
        return colour_bands(self.dataset)

    def read(self, rows: Span, cols: Span) -> tuple[Floats, Bools | None]:
        """Read its bands, (bands, rows, cols), and tell which pixels hold data, (rows, cols).

        Beyond what the file shows, its ground is taken to go on as it does at the edge.
        """
        wanted = [(start + self.margin, stop + self.margin) for start, stop in (rows, cols)]
        there = [
            (max(0, start), min(length, stop))
            for (start, stop), length in zip(wanted, self.dataset.shape, strict=True)
        ]
        missing = [
            (first - start, stop - last)
            for (start, stop), (first, last) in zip(wanted, there, strict=True)
        ]
        with explained(self.path):
            read, valid = self.plan.read(self.dataset, Window.from_slices(*there))
        values = read.astype(np.float32)
        if any(map(any, missing)):
            values = continued(values, missing)
            valid = None if valid is None else np.pad(valid, missing, mode="edge")
        return values, valid

    def implied_limits(self, band: Band) -> tuple[float, float]:
        """Return the values of a band that become 0 and 255 where the profile does not say.

        Raises:
            DataError: the file does not say it either.
        """
        implied = implied_range(self.dataset, band.number) if band.derived is None else None
        if implied is None:
            kind = (
                "its values" if band.derived else f"{self.dataset.dtypes[band.number - 1]} values"
            )
            raise DataError(
                f"{self.path}: nothing says which of {kind} of {band.name} become 0 and 255; give "
                "it a range, percentiles, mean and std, or auto: true in `bands`"
            )
        return implied

    def told_limits(self, band: Band) -> tuple[float, float]:
        """Return the values of a tile's band that become 0 and 255, by its scale and offset."""
        scale = self.dataset.scales[band.number - 1]
        offset = self.dataset.offsets[band.number - 1]
        return -offset / scale, (255.0 - offset) / scale
