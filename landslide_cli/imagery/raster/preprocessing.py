"""How rasters become the input of a model: one value, stored with a run, asked by its readers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import Georeference, gsd_of

# How much scenes may be resized by their GSD: what is beyond is a mistake in the units.
_LEAST_SCALE, _MOST_SCALE = 1e-3, 8.0


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
        scale: factor by which rows and columns are resized for the model.
        gsd: GSD of the model's input in metres, to which georeferenced rasters are resized instead.
        standardized: bands get the same mean and deviation in all scenes
            (`core.tiling.standardize`).
        nodata: pixels without data beside those that the file declares: none, those whose bands all
            have a value, or those of an undeclared border (`imagery.raster.border`).
    """

    bands: int
    order: tuple[int, ...] | None = None
    value_range: tuple[float, float] | None = None
    scale: float = 1.0
    gsd: float | None = None
    standardized: bool = False
    nodata: float | Literal["none", "auto"] = "none"

    @classmethod
    def recorded(cls, result: Mapping[str, Any], bands: int) -> Self:
        """Restore what the result of a training has recorded, as JSON values.

        Args:
            result: of the training.
            bands: of its model; runs before version 0.2 recorded `scale` and `standardized` alone.

        Raises:
            KeyError: it is not recorded.
            TypeError: it has another form.
            ValueError: likewise.
        """
        if "preprocessing" not in result:
            standardized = bool(result.get("standardized", False))
            return cls(bands, scale=float(result["scale"]), standardized=standardized)
        fields = result["preprocessing"]
        pairs = {key: tuple(fields[key]) for key in ("order", "value_range") if fields.get(key)}
        return cls(**{**fields, **pairs})

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
            DataError: the model's GSD is given and the raster's own is not known, or far from it.
        """
        if self.gsd is None:
            return self.scale, self.scale
        own = gsd_of(georeference, height=height, width=width)
        if own is None:
            raise DataError(
                f"{path}: has no georeference, so its GSD is not known; "
                "give infer.scale instead of infer.gsd"
            )
        rows, cols = own[0] / self.gsd, own[1] / self.gsd
        if not all(_LEAST_SCALE <= scale <= _MOST_SCALE for scale in (rows, cols)):
            raise DataError(
                f"{path}: has a GSD of {own[0]:.3g} m, too far from infer.gsd, {self.gsd:g} m; "
                "correct one of the two"
            )
        return rows, cols
