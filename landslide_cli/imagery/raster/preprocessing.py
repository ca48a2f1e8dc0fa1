"""How rasters become the input of a model: one value, stored with a run, asked by its readers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from landslide_cli.core.composition import Composition
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import Georeference, gsd_of

# How much scenes may be resized by their GSD: what is beyond is a mistake in the units.
_LEAST_SCALE, _MOST_SCALE = 1e-3, 16.0

# Pixels count as square on the ground if their sides differ by no more than this share.
_SQUARE = 0.01

ResizedBy = Literal["gsd or scale", "gsd", "scale", "agreement", "nothing"]


@dataclass(frozen=True)
class Preprocessing:
    """What happens to a raster before a model sees it.

    Args:
        bands: bands that the model takes.
        order: numbers of the raster's bands, from 1, in the order in which the model takes them; of
            a palette's colours red is 1. Default: all that are not alpha, and gray as often as
            needed.
        value_range: the values that become 0 and 255. Default: the range of the type, for uint8 and
            uint16.
        scale: factor by which rows and columns are resized for the model. Pixels that are not
            square on the ground become so: the side that is longer is resized by more.
        gsd: GSD of the model's input in metres, to which georeferenced rasters are resized instead;
            after a training that of its input, None if unknown.
        gsd_range: smallest and largest GSD of the input that the training covered by rescaling it
            at random, None if unknown.
        own_gsd: GSD of rasters without georeference, None if unknown.
        resized_by: the GSD where both GSDs are known and otherwise the scale; one of the two; a
            scale that was chosen for the raster, by the agreement of its views; or nothing, where
            rasters are prepared already.
        standardized: bands get the same mean and deviation in all scenes
            (`core.tiling.standardize`).
        composition: what the bands are, one by one, in float32; None for `bands` of 8 bits.
        layers: the files beside the scene that bands are read from, by the names of the layers.
        nodata: pixels without data beside those that the file declares: none, those whose bands all
            have a value, or those of an undeclared border (`imagery.raster.border`).
    """

    bands: int
    order: tuple[int, ...] | None = None
    value_range: tuple[float, float] | None = None
    scale: float = 1.0
    gsd: float | None = None
    gsd_range: tuple[float, float] | None = None
    own_gsd: float | None = None
    standardized: bool = False
    resized_by: ResizedBy = "gsd or scale"
    nodata: float | Literal["none", "auto"] = "none"
    composition: Composition | None = None
    layers: tuple[tuple[str, str], ...] = ()

    def gsd_of(
        self, georeference: Georeference, height: int, width: int
    ) -> tuple[float, float] | None:
        """Return a raster's GSD in metres, along a column and along a row; None if unknown."""
        if self.own_gsd is not None and not georeference.is_known:
            return self.own_gsd, self.own_gsd  # rather than what is estimated
        own = known_gsd(georeference, height, width)
        if own is None and self.own_gsd is not None:
            return self.own_gsd, self.own_gsd
        return own

    def scales_of(
        self, path: Path, georeference: Georeference, height: int, width: int
    ) -> tuple[float, float]:
        """Return the factors by which a raster's rows and columns are resized for the model.

        Args:
            path: of the raster, for messages.
            georeference: of the raster.
            height: rows of the raster.
            width: columns of the raster.

        Raises:
            DataError: the raster is to be resized by its GSD, which is not known; or it would be
                resized by too much.
        """
        if self.resized_by == "nothing":
            return 1.0, 1.0
        own = self.gsd_of(georeference, height, width)
        if own is None:
            if self.resized_by == "gsd":
                raise DataError(
                    f"{path}: has no georeference on the Earth, so its GSD is not known; "
                    "give infer.scale instead of infer.gsd"
                )
            return self.scale, self.scale
        if self.gsd is not None and self.resized_by not in ("scale", "agreement"):
            target = self.gsd
        elif max(own) <= (1.0 + _SQUARE) * min(own):
            return self.scale, self.scale
        else:
            target = min(own) / self.scale
        rows, cols = own[0] / target, own[1] / target
        if not all(_LEAST_SCALE <= scale <= _MOST_SCALE for scale in (rows, cols)):
            raise DataError(
                f"{path}: has a GSD of {own[0]:.3g} x {own[1]:.3g} m, too far from the model's, "
                f"{target:.3g} m; correct the georeference, infer.gsd or infer.scale"
            )
        return rows, cols


def known_gsd(georeference: Georeference, height: int, width: int) -> tuple[float, float] | None:
    """Return a raster's GSD in metres, along a column and along a row; None where there is none."""
    try:
        own = gsd_of(georeference, width, height)
    except DataError:
        return None  # no place on the Earth
    return own if own is not None and min(own) > 0.0 else None
