"""`bands`: where each band of the model's input is read, how it is derived, how it is scaled."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from landslide_cli.core.composition import Band, Composition, Derived, Scaling
from landslide_cli.profile.base import Settings, wrong

Pair = tuple[float, float]
BandName = Annotated[str, Field(pattern=r"^\w[\w.+-]*$", max_length=40)]
Percent = Annotated[float, Field(ge=0.0, le=100.0)]

# How many bands each kind is derived of.
_OPERANDS = {
    "slope": 1,
    "aspect": 1,
    "hillshade": 1,
    "normalized_difference": 2,
    "difference": 2,
}
# The values that become 0 and 255 where a profile says nothing.
_RANGES: dict[str | None, Pair] = {
    "slope": (0.0, 90.0),
    "aspect": (0.0, 360.0),
    "hillshade": (0.0, 255.0),
    "normalized_difference": (-1.0, 1.0),
}
_SCALINGS = ("range", "percentiles", "mean", "auto")


class BandSettings(Settings):
    """One band."""

    name: BandName = Field(
        description="Its name, by which others are derived of it; `red`, `green` and `blue` make "
        "pictures, and are what `saturation` and `hue` change."
    )
    band: int | None = Field(
        None,
        ge=1,
        description="Its number in its file. Default: its position among the entries of that file.",
    )
    layer: BandName | None = Field(
        None, description="The layer of `source.layers` that it is read from. Default: the scene."
    )
    derive: Derived | None = Field(
        None,
        description="Compute it: `slope` or `aspect` in degrees or a `hillshade`, of an elevation "
        "in metres; `normalized_difference`, (a - b) / (a + b); or `difference`, a - b.",
    )
    of: BandName | Annotated[list[BandName], Field(min_length=1, max_length=2)] | None = Field(
        None, description="The band, or the two, that it is derived of; they are listed before it."
    )
    range: Pair | None = Field(
        None, description="Values that become 0 and 255 to the model, as float32."
    )
    percentiles: tuple[Percent, Percent] | None = Field(
        None, description="Percentiles of each scene's values that become 0 and 255."
    )
    mean: float | None = Field(
        None, description="Mean of the values, which becomes the model's own; goes with `std`."
    )
    std: float | None = Field(
        None, gt=0.0, description="Deviation of the values, which becomes the model's own."
    )
    auto: bool = Field(
        False,
        description="Take mean and deviation of the training set; `prepare` measures them.",
    )
    outside: Literal["clip", "error"] = Field(
        "clip", description="What values outside of the range or the percentiles are."
    )
    input: bool = Field(
        True, description="Whether the model sees it; `false` where others are derived of it only."
    )
    standardize: bool | None = Field(
        None,
        description="Whether `prepare.standardize` changes it. Default: only bands of the scene's "
        "own, as a slope has no haze.",
    )

    @property
    def operands(self) -> list[str]:
        """The names of the bands that it is derived of."""
        return [self.of] if isinstance(self.of, str) else list(self.of or ())

    @property
    def is_plain(self) -> bool:
        """Whether it is a band of the scene of which nothing is said but where it lies."""
        said = self.model_fields_set - {"name", "band"}
        return not said

    def check(self, key: str, before: Sequence["BandSettings"]) -> None:
        """Check what spans several keys.

        Args:
            key: the band's own.
            before: the bands listed before it.

        Raises:
            PydanticCustomError: they do not go together.
        """
        told = [name for name in _SCALINGS if name in self.model_fields_set and self._has(name)]
        if len(told) > 1:
            raise wrong(f"{key}.{told[1]}", f"does not go with {key}.{told[0]}")
        if (self.mean is None) != (self.std is None):
            raise wrong(f"{key}.{'std' if self.std is None else 'mean'}", "is missing beside it")
        for name in ("range", "percentiles"):
            ends = getattr(self, name)
            if ends is not None and not ends[0] < ends[1]:
                raise wrong(f"{key}.{name}", "the first value must be below the second")
        if self.derive is None:
            if self.of is not None:
                raise wrong(f"{key}.of", f"needs {key}.derive")
            return
        for name in ("band", "layer"):
            if getattr(self, name) is not None:
                raise wrong(f"{key}.{name}", f"does not go with {key}.derive")
        wanted = _OPERANDS[self.derive]
        if len(self.operands) != wanted:
            raise wrong(f"{key}.of", f"must name {wanted} of the bands, for {self.derive}")
        names = [band.name for band in before]
        for operand in self.operands:
            if operand not in names:
                raise wrong(f"{key}.of", f"'{operand}' is none of the bands listed before it")

    def _has(self, name: str) -> bool:
        return bool(getattr(self, name)) if name == "auto" else getattr(self, name) is not None

    def described(self, number: int) -> Band:
        """Return the band for the readers; `number` is that in its file."""
        scaling, low, high = self._scaling()
        is_own = self.layer is None and self.derive is None
        return Band(
            self.name,
            number,
            self.layer,
            self.derive,
            tuple(self.operands),
            scaling,
            low,
            high,
            self.outside == "clip",
            self.input,
            is_own if self.standardize is None else self.standardize,
        )

    def _scaling(self) -> tuple[Scaling, float, float]:
        if self.auto:
            return "auto", 0.0, 0.0
        if self.mean is not None and self.std is not None:
            return "deviations", self.mean, self.std
        if self.percentiles is not None:
            return "percentiles", *self.percentiles
        return "range", *(self.range or _RANGES.get(self.derive, (0.0, 0.0)))


def composition_of(entries: Sequence[BandSettings]) -> Composition:
    """Return the bands for the readers, numbered as the profile says or by position."""
    counts: dict[str | None, int] = {}
    bands = []
    for entry in entries:
        number = 1
        if entry.derive is None:
            counts[entry.layer] = counts.get(entry.layer, 0) + 1
            number = entry.band or counts[entry.layer]
        bands.append(entry.described(number))
    are_numbered = any(entry.band is not None for entry in entries if entry.layer is None)
    return Composition(tuple(bands), takes_all=not are_numbered and None in counts)
