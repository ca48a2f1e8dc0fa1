"""`evaluate`: how a model is scored."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from landslide_cli.core.parts import Part
from landslide_cli.profile.base import Settings, wrong


class EvaluateSettings(Settings):
    """`landslide evaluate`: a model and a part to numbers."""

    part: Part = Field("test", description="Which part to score; `--on` overrides it.")
    units: Literal["auto", "scenes", "mosaic", "tiles"] = Field(
        "auto",
        description="Score whole scenes through tiled inference, each by itself, or the part's "
        "tiles; `auto` takes scenes where the split names them and the source has them. `mosaic` "
        "maps the scenes as parts of one raster, turned and side by side, between scenes of "
        "background if there are any, which is how an orthophoto is mapped.",
    )
    batch: int | None = Field(
        None, ge=1, le=4096, description="Tiles per model call. Default: `train.batch`."
    )
    boundary_pixels: float = Field(
        3.0, ge=0.0, description="How far apart two outlines may run and still agree, in pixels."
    )
    boundary_metres: float | None = Field(
        None, ge=0.0, description="The same in metres, for georeferenced scenes."
    )
    object_sizes: list[Annotated[float, Field(gt=0.0)]] = Field(
        [1000.0, 10_000.0, 100_000.0],
        max_length=20,
        description="Bounds of the size classes that landslides are counted by, ascending: square "
        "metres where all scenes are georeferenced, pixels otherwise.",
    )
    draws: int = Field(
        2000, ge=100, le=1_000_000, description="Bootstrap samples of the 95 % intervals."
    )
    seed: int = Field(137, ge=0, description="Seed of the bootstrap.")

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(a >= b for a, b in pairwise(self.object_sizes)):
            raise wrong("evaluate.object_sizes", "must ascend")
        return self
