"""What each band of a model's input is: where it is read, how it is derived, how it is scaled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from landslide_cli.core.arrays import DEVIATION, MEAN

Derived = Literal["slope", "aspect", "hillshade", "normalized_difference", "difference"]

# Computed from the neighbours of a pixel too.
OF_TERRAIN = frozenset({"slope", "aspect", "hillshade"})

# Whose values depend on where north is in the image.
OF_DIRECTIONS = frozenset({"aspect", "hillshade"})

# `range`: `low` and `high` become 0 and 255. `percentiles`: so do these percentiles of the scene.
# `deviations`: the mean `low` becomes the model's mean, and the deviation `high` its deviation.
# `auto`: so do mean and deviation of the training set. `file`: the file itself says it, by the
# scale and offset of its bands; `low` and `high` are the percentiles if it was scaled by such.
Scaling = Literal["range", "percentiles", "deviations", "auto", "file"]


# Deviations up to this share of the mean are those of rounding.
_CONSTANT = 1e-6


@dataclass(frozen=True)
class Band:
    """One band of a scene.

    Args:
        name: its own.
        number: in its file, from 1; of a derived one of no meaning.
        layer: the name of the file beside the scene that it is read from; None for the scene.
        derived: how it is computed, of the bands `of`; None if it is read.
        of: names of bands.
        scaling: how its values become those that the model sees.
        low: of the scaling.
        high: likewise.
        clipped: values beyond a range become its ends; otherwise they are an error.
        is_input: whether the model sees it; others are there to derive bands of.
        is_standardized: whether `prepare.standardize` changes it.
    """

    name: str
    number: int = 1
    layer: str | None = None
    derived: Derived | None = None
    of: tuple[str, ...] = ()
    scaling: Scaling = "auto"
    low: float = 0.0
    high: float = 0.0
    clipped: bool = True
    is_input: bool = True
    is_standardized: bool = True

    @property
    def is_of_scene(self) -> bool:
        """Whether it is read from the scene's own file."""
        return self.layer is None and self.derived is None

    @property
    def is_bounded(self) -> bool:
        """Whether values beyond its limits are cut off, or refused."""
        of_percentiles = self.scaling == "file" and self.low < self.high
        return of_percentiles or self.scaling in ("range", "percentiles")

    @property
    def is_implied(self) -> bool:
        """Whether its file has to tell which values become 0 and 255."""
        return self.scaling == "range" and not self.low < self.high

    @property
    def limits(self) -> tuple[float, float]:
        """The values that become 0 and 255."""
        if self.scaling == "deviations":
            step = self.high / DEVIATION
            return self.low - MEAN * step, self.low + (255.0 - MEAN) * step
        return self.low, self.high


@dataclass(frozen=True)
class Composition:
    """The bands of a scene, in the order in which the model takes those that are its input.

    `takes_all` tells that those of the scene's own file are all that it has.
    """

    bands: tuple[Band, ...]
    takes_all: bool = False

    @property
    def inputs(self) -> tuple[Band, ...]:
        """The bands that the model sees."""
        return tuple(band for band in self.bands if band.is_input)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the files beside a scene, in the order of the bands."""
        names = (band.layer for band in self.bands if band.layer is not None)
        return tuple(dict.fromkeys(names))

    def told_of_turning(self, turns: Sequence[str]) -> str | None:
        """Warn of inputs whose values are directions, which augmentation does not turn; or None.

        Args:
            turns: the kinds of augmentation that turn or mirror.
        """
        kept = [band.name for band in self.inputs if band.derived in OF_DIRECTIONS]
        if not kept or not turns:
            return None
        return (
            f"{' and '.join(turns)} turn the pixels of {', '.join(kept)}, and not the directions "
            "in their values: these remain those of the ground"
        )

    @property
    def halo(self) -> int:
        """Pixels around a rectangle that its bands are derived of."""
        return int(any(band.derived in OF_TERRAIN for band in self.bands))

    @property
    def kept(self) -> tuple[int, ...]:
        """The positions of the inputs that are not standardized."""
        return tuple(i for i, band in enumerate(self.inputs) if not band.is_standardized)

    @property
    def lit(self) -> tuple[int, ...]:
        """The positions of the inputs that show light: the scene's own bands."""
        return tuple(i for i, band in enumerate(self.inputs) if band.is_of_scene)

    @property
    def colours(self) -> tuple[int, ...] | None:
        """The positions of the inputs called red, green and blue; None if one is not there."""
        names = [band.name.lower() for band in self.inputs]
        wanted = ("red", "green", "blue")
        return tuple(map(names.index, wanted)) if set(wanted) <= set(names) else None

    @property
    def colour_numbers(self) -> tuple[int, ...] | None:
        """The numbers in the scene's own file of red, green and blue; None if one is not there."""
        if self.colours is None:
            return None
        bands = [self.inputs[position] for position in self.colours]
        return tuple(b.number for b in bands) if all(b.is_of_scene for b in bands) else None

    @property
    def rgb_channels(self) -> tuple[int | None, ...]:
        """Which of red, green and blue, 0 to 2, each input is; None if it is none of them."""
        colours = {"red": 0, "green": 1, "blue": 2}
        return tuple(colours.get(band.name.lower()) for band in self.inputs)

    @property
    def pictured(self) -> tuple[int, ...]:
        """The positions of the inputs to make pictures of: red, green and blue, or the first."""
        return self.colours or ((0, 1, 2) if len(self.inputs) >= 3 else (0,))

    def numbers(self, layer: str | None) -> tuple[int, ...]:
        """Return the numbers of the bands that are read of a file, each once."""
        read = (band for band in self.bands if band.derived is None and band.layer == layer)
        return tuple(dict.fromkeys(band.number for band in read))

    def with_order(self, order: Sequence[int]) -> "Composition":
        """Return the composition with other numbers for the bands of the scene's own file."""
        numbers = iter(order)
        return Composition(
            tuple(
                replace(band, number=next(numbers)) if band.is_of_scene else band
                for band in self.bands
            )
        )

    def scaled_by(self, statistics: Mapping[str, tuple[float, float]]) -> "Composition":
        """Return the composition with the mean and deviation of the bands that need them.

        Args:
            statistics: mean and deviation by the names of the bands.
        """

        def scaled(band: Band) -> Band:
            if band.scaling != "auto" or band.name not in statistics:
                return band
            mean, deviation = statistics[band.name]
            return replace(band, scaling="deviations", low=mean, high=_deviation(mean, deviation))

        return replace(self, bands=tuple(map(scaled, self.bands)))

    def of_tiles(self, standardized: bool) -> "Composition":
        """Return what tiles hold: the inputs side by side, in their own values or standardized."""

        def stored(number: int, band: Band) -> Band:
            is_told = standardized or band.scaling == "percentiles" or band.is_implied
            return Band(
                band.name,
                number,
                scaling="file" if is_told else band.scaling,
                low=0.0 if standardized else band.low,
                high=0.0 if standardized else band.high,
                clipped=band.clipped,
                is_standardized=band.is_standardized,
            )

        return Composition(tuple(stored(*entry) for entry in enumerate(self.inputs, start=1)))


def _deviation(mean: float, deviation: float) -> float:
    """Return by what values of that mean and deviation are divided: 1 where all are the same."""
    return deviation if deviation > _CONSTANT * abs(mean) else 1.0
