"""`classes` and `source`: what the labelled scenes are, and what their masks mean."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from landslide_cli.core.parts import Part
from landslide_cli.profile.bands import BandName
from landslide_cli.profile.base import Settings, wrong
from landslide_cli.profile.labels import LabelSettings

Channel = Annotated[int, Field(ge=0, le=255)]
ArrayKey = Annotated[str, Field(pattern=r"^\w[\w./ -]*$", max_length=200)]
EventName = Annotated[str, Field(min_length=1, max_length=80)]
# Of a name in tables, files and maps.
TEXT_NAME = r"^\w[\w .()+-]*$"
Name = Annotated[str, Field(pattern=TEXT_NAME, max_length=80)]


class ClassSettings(Settings):
    """One class of the masks."""

    name: Name = Field(description="Name in tables, files and maps.")
    colour: tuple[Channel, Channel, Channel] = Field(
        description="Red, green and blue of the class in colour masks and in pictures."
    )
    ignore: bool = Field(
        False,
        description="Leave pixels of the class without a label, as it has no meaning; only of the "
        "first class. They count in no loss and no score, and maps do not have the class.",
    )

    @model_serializer(mode="wrap")
    def _without_default(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `ignore` out where it is not set, so that older records hold."""
        values: dict[str, Any] = serialize(self)
        return values if self.ignore else {k: v for k, v in values.items() if k != "ignore"}


class SyntheticSettings(Settings):
    """Scenes that the program draws itself, for demonstrations and smoke tests."""

    scenes: int = Field(24, ge=1, le=10_000, description="How many scenes to draw.")
    width: int = Field(512, ge=64, le=16_384, description="Columns of a scene, in pixels.")
    height: int = Field(512, ge=64, le=16_384, description="Rows of a scene, in pixels.")
    seed: int = Field(1, ge=0, description="Another seed draws other scenes.")


class SourceSettings(Settings):
    """Labelled scenes: two globs, or the synthetic source. A profile may list several sources."""

    name: Name | None = Field(
        None,
        description="What errors call the source, and what its scenes' names begin with. Default: "
        "its position in the list, which names do not begin with.",
    )
    images: str | None = Field(
        None,
        min_length=1,
        description="Glob of the scenes, such as `data/Landslide*.tif`, or their folder.",
    )
    masks: str | None = Field(
        None,
        min_length=1,
        description="Glob or folder of the masks. An image and a mask belong together when the "
        "wildcards matched the same text, or else when their names without suffix are equal. "
        "`none`: there are no masks, as all of the scenes is background.",
    )
    labels: LabelSettings | None = Field(
        None, description="Polygons of vector layers as labels, instead of masks."
    )
    gsd: float | None = Field(
        None,
        gt=0.0,
        description="GSD of scenes without georeference, in metres per pixel, for `prepare.gsd`.",
    )
    scale: float | None = Field(
        None,
        gt=0.0,
        le=8.0,
        description="Factor by which the source's scenes are resized for training, whatever their "
        "GSD: `1.0` shows ground of another GSD as if it had that of the model. Default: what "
        "`prepare` says.",
    )
    zoom: tuple[Annotated[float, Field(gt=0.0)], Annotated[float, Field(gt=0.0)]] | None = Field(
        None,
        description="Range of a further factor, drawn anew for each piece of a training mosaic "
        "(`train.mosaic`).",
    )
    weight: float | None = Field(
        None,
        ge=0.0,
        description="Share of the ground in training mosaics that is of this source, relative to "
        "the others'. Default: 1.",
    )
    bands: list[Annotated[int, Field(ge=1)]] | None = Field(
        None,
        min_length=1,
        description="Which bands of the source's scenes are used, by number, in the order of the "
        "others'. Default: all that are not alpha; red, green and blue as the file names them.",
    )
    value_range: tuple[float, float] | None = Field(
        None,
        description="Pixel values that become 0 and 255. Default: all of 8 bits, or of those bits "
        "that the file says it uses (NBITS); other images need it.",
    )
    key: ArrayKey | None = Field(
        None,
        description="The array in HDF5 or NumPy files of images that is the image, where they hold "
        "several; its bands lie along the last axis, or along the first if that is the shortest.",
    )
    mask_key: ArrayKey | None = Field(
        None, description="Likewise in those of masks; one-hot masks are taken for their classes."
    )
    layers: dict[BandName, Annotated[str, Field(min_length=1)]] | None = Field(
        None,
        description="Rasters beside the scenes that `bands` read, by the name of the layer: a file "
        "for all scenes, or a glob with one for each, called like the scene; of files with several "
        "arrays with the array's name, `chips/*.h5/dem`. They are laid on the scene by their "
        "georeference.",
    )
    colours: dict[str, tuple[Channel, Channel, Channel]] | None = Field(
        None,
        description="Colours in the source's masks by name of the class, where they differ from "
        "`classes`.",
    )
    mask_nodata: Literal["background"] | None = Field(
        None,
        description="What pixels are whose value the mask declares as no data: `background`, as "
        "where QGIS has rasterized polygons with 0 as no data. Default: they have no label.",
    )
    part: Part | None = Field(
        None,
        description="The part that all scenes of the source belong to, in every fold. Default: "
        "they are divided by `split`, each source by itself.",
    )
    event: EventName | list[EventName] | None = Field(
        None,
        description="The event that the scenes show, such as `Gorkha 2015`, or several. Scenes of "
        "one event stay in one part, and scores on an event that was learned from carry a warning.",
    )
    synthetic: SyntheticSettings | None = Field(
        None, description="Draw scenes instead of reading them; `{}` takes the defaults."
    )

    @property
    def events(self) -> list[str]:
        """The events that the scenes show."""
        return [self.event] if isinstance(self.event, str) else self.event or []

    @property
    def is_background(self) -> bool:
        """Whether all of its scenes is background, so that it needs no masks."""
        return self.masks == "none"

    def check(self, key: str) -> None:
        """Check what spans several keys; `key` is the source's own.

        Raises:
            PydanticCustomError: they do not go together.
        """
        if self.labels is not None and (self.masks or self.synthetic is not None):
            other = "masks" if self.masks else "synthetic"
            raise wrong(f"{key}.labels", f"does not go with {key}.{other}")
        if self.synthetic is not None and (self.images or self.masks):
            raise wrong(f"{key}.synthetic", f"goes with neither {key}.images nor {key}.masks")
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise wrong(f"{key}.value_range", "the first value must be below the second")
        if self.zoom is not None and not self.zoom[0] <= self.zoom[1]:
            raise wrong(f"{key}.zoom", "the first value must not be above the second")
