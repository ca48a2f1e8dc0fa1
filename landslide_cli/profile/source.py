"""`classes` and `source`: what the labelled scenes are, and what their masks mean."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from landslide_cli.profile.base import Settings, wrong

Channel = Annotated[int, Field(ge=0, le=255)]
Name = Annotated[str, Field(pattern=r"^\w[\w .()+-]*$", max_length=80)]


class ClassSettings(Settings):
    """One class of the masks."""

    name: Name = Field(description="Name in tables, files and maps.")
    colour: tuple[Channel, Channel, Channel] = Field(
        description="Red, green and blue of the class in colour masks and in pictures."
    )


class SyntheticSettings(Settings):
    """Scenes that the program draws itself, for demonstrations and smoke tests."""

    scenes: int = Field(24, ge=1, le=10_000, description="How many scenes to draw.")
    width: int = Field(512, ge=64, le=16_384, description="Columns of a scene, in pixels.")
    height: int = Field(512, ge=64, le=16_384, description="Rows of a scene, in pixels.")
    seed: int = Field(1, ge=0, description="Another seed draws other scenes.")


class SourceSettings(Settings):
    """Where the labelled scenes come from: two globs, or the synthetic source."""

    images: str | None = Field(
        None,
        min_length=1,
        description="Glob of the scenes, such as `data/Landslide*.tif`, or their folder.",
    )
    masks: str | None = Field(
        None,
        min_length=1,
        description="Glob or folder of the masks. An image and a mask belong together when the "
        "wildcards matched the same text, or else when their names without suffix are equal.",
    )
    value_range: tuple[float, float] | None = Field(
        None,
        description="Pixel values that become 0 and 255. Default: the whole range of 8-bit and "
        "unsigned 16-bit images; other types need it.",
    )
    synthetic: SyntheticSettings | None = Field(
        None, description="Draw scenes instead of reading them; `{}` takes the defaults."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.synthetic is not None and (self.images or self.masks):
            raise wrong("source.synthetic", "goes with neither source.images nor source.masks")
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise wrong("source.value_range", "the first value must be below the second")
        return self
