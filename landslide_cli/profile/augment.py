"""Online augmentation: what may happen to an image each time it is trained on."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from landslide_cli.profile.base import Settings, wrong

Degrees = Annotated[float, Field(ge=-180.0, le=180.0)]
Enlargement = Annotated[float, Field(ge=0.5, le=8.0)]
Probability = Annotated[
    float,
    Field(ge=0.0, le=1.0, description="Share of the images that are changed (0 = off)."),
]
Shear = Annotated[float, Field(ge=0.0, le=1.0)]
# From a quarter on, four corners could move so that the horizon comes into the image.
CornerShare = Annotated[float, Field(ge=0.0, le=0.2)]
SignedShare = Annotated[float, Field(ge=-1.0, le=1.0)]
ElasticShare = Annotated[float, Field(ge=0.0, le=0.2)]
# From -1/3 on, parts of the image would fold over others.
LensCoefficient = Annotated[float, Field(ge=-0.3, le=0.3)]
SharpeningFactor = Annotated[float, Field(ge=0.0, le=5.0)]
ContrastFactor = Annotated[float, Field(ge=0.0, le=2.0)]
SaturationFactor = Annotated[float, Field(ge=0.0, le=4.0)]
Sigma = Annotated[float, Field(gt=0.0, le=10.0)]
GrayLevels = Annotated[float, Field(ge=0.0, le=128.0)]


# Kinds after which north is elsewhere in the image.
TURNING_KINDS = ("hflip", "vflip", "rotate90", "rotate")

# Kinds that only images of three bands can have.
COLOUR_KINDS = ("saturation", "hue")


class Kind(Settings):
    """One kind of change, a line in a profile."""


class PlainKind(Kind):
    """A kind of change that has no size."""

    probability: Probability = 0.0


class RangedKind(Kind):
    """A kind of change with a size, which is drawn evenly from a range for each image."""

    range: tuple[float, float] = Field((0.0, 0.0), description="Smallest and largest size.")
    probability: Probability = 0.0


class RotateSettings(RangedKind):
    """Turns by any angle."""

    range: tuple[Degrees, Degrees] = Field(
        (-15.0, 15.0), description="Angle in degrees, anticlockwise."
    )


class ZoomSettings(RangedKind):
    """Enlargement and reduction."""

    range: tuple[Enlargement, Enlargement] = Field(
        (0.8, 1.25), description="Factor of enlargement; below 1 reduces."
    )


class ShearSettings(RangedKind):
    """Shearing."""

    range: tuple[Shear, Shear] = Field(
        (0.0, 0.1), description="Pixels of displacement per pixel of distance, to either side."
    )


class TranslateSettings(RangedKind):
    """Shifting."""

    range: tuple[SignedShare, SignedShare] = Field(
        (-0.1, 0.1), description="Shift right and down, as a share of the side."
    )


class ElasticSettings(RangedKind):
    """Smooth warping."""

    range: tuple[ElasticShare, ElasticShare] = Field(
        (0.01, 0.03), description="Largest displacement as a share of the longer side."
    )


class PerspectiveSettings(RangedKind):
    """Views at an angle."""

    range: tuple[CornerShare, CornerShare] = Field(
        (0.0, 0.1), description="Largest shift of a corner, as a share of the side."
    )


class BrightnessSettings(RangedKind):
    """Brighter and darker."""

    range: tuple[SignedShare, SignedShare] = Field(
        (-0.2, 0.2), description="What is added, as a share of the range from black to white."
    )


class ContrastSettings(RangedKind):
    """More and less contrast."""

    range: tuple[ContrastFactor, ContrastFactor] = Field(
        (0.8, 1.25), description="Factor of the distance from the band's mean."
    )


class SaturationSettings(RangedKind):
    """More and less colour."""

    range: tuple[SaturationFactor, SaturationFactor] = Field(
        (0.7, 1.4), description="Factor of the saturation; 0 is gray."
    )


class HueSettings(RangedKind):
    """Other colours."""

    range: tuple[Degrees, Degrees] = Field(
        (-10.0, 10.0), description="Degrees on the circle of colours, from red towards green."
    )


class BlurSettings(RangedKind):
    """Out of focus."""

    range: tuple[Sigma, Sigma] = Field(
        (0.3, 1.5), description="Standard deviation of the Gaussian, in pixels."
    )


class NoiseSettings(RangedKind):
    """Sensor noise."""

    range: tuple[GrayLevels, GrayLevels] = Field(
        (0.0, 10.0), description="Standard deviation of the noise, in gray levels; white is 255."
    )


class LensSettings(RangedKind):
    """Distortion by a lens."""

    range: tuple[LensCoefficient, LensCoefficient] = Field(
        (-0.1, 0.1),
        description="Coefficient of the radial distortion: barrel above 0, pincushion below.",
    )


class SharpenSettings(RangedKind):
    """Sharper than it was taken."""

    range: tuple[SharpeningFactor, SharpeningFactor] = Field(
        (0.2, 1.0), description="Factor of the difference from a blurred image, which is added."
    )


class OnlineAugmentSettings(Settings):
    """Online augmentation: random changes of each image and its mask, other ones each epoch."""

    hflip: PlainKind = Field(PlainKind(), description="Mirror left to right.")
    vflip: PlainKind = Field(PlainKind(), description="Mirror top to bottom.")
    rotate90: PlainKind = Field(PlainKind(), description="Turn by 90, 180 or 270 degrees.")
    elastic: ElasticSettings = Field(
        ElasticSettings(),
        description="Warp smoothly; the largest displacement as a share of the longer side.",
    )
    rotate: RotateSettings = Field(
        RotateSettings(), description="Turn about the centre, in degrees, anticlockwise."
    )
    zoom: ZoomSettings = Field(
        ZoomSettings(), description="Enlarge about the centre by a factor; below 1 reduces."
    )
    shear: ShearSettings = Field(
        ShearSettings(),
        description="Shear sideways or up and down, in pixels per pixel, to either side.",
    )
    translate: TranslateSettings = Field(
        TranslateSettings(), description="Shift right and down by shares of the side."
    )
    perspective: PerspectiveSettings = Field(
        PerspectiveSettings(),
        description="View at an angle: the largest shift of a corner, as a share of the side. "
        "What comes into view is black and has no label.",
    )
    brightness: BrightnessSettings = Field(
        BrightnessSettings(), description="Add a share of the range from black to white."
    )
    contrast: ContrastSettings = Field(
        ContrastSettings(), description="Stretch each band about its mean by a factor."
    )
    saturation: SaturationSettings = Field(
        SaturationSettings(), description="Saturate by a factor; for images of three bands."
    )
    hue: HueSettings = Field(
        HueSettings(),
        description="Turn the colours by degrees, red towards green; for images of three bands.",
    )
    blur: BlurSettings = Field(
        BlurSettings(), description="Blur by a Gaussian of a standard deviation in pixels."
    )
    noise: NoiseSettings = Field(
        NoiseSettings(),
        description="Add noise of a standard deviation in gray levels, of 255 from black to white.",
    )
    lens: LensSettings = Field(
        LensSettings(),
        description="Distort as a lens does, about the centre: by a coefficient above 0 as a "
        "barrel, below 0 as a pincushion. Nothing beyond the edges comes into view.",
    )
    sharpen: SharpenSettings = Field(
        SharpenSettings(), description="Sharpen by a factor (unsharp masking over a pixel)."
    )

    def switched_on(self) -> Iterator[str]:
        """Name the kinds that happen at all."""
        for name, kind in self:
            if kind.probability > 0.0:
                yield name

    @property
    def turns(self) -> list[str]:
        """The kinds that happen at all after which north is elsewhere in the image."""
        return [name for name in self.switched_on() if name in TURNING_KINDS]

    @property
    def is_off(self) -> bool:
        """Whether every image stays as it is."""
        return not any(self.switched_on())

    @property
    def needs_colour(self) -> bool:
        """Whether a kind is on that only images of three bands can have."""
        return not set(COLOUR_KINDS).isdisjoint(self.switched_on())

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name, kind in self:
            if isinstance(kind, RangedKind) and kind.range[0] > kind.range[1]:
                key = f"train.augment.{name}.range"
                raise wrong(key, "the first value must not be above the second")
        return self
