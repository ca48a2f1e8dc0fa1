"""What a trained model is used for: `evaluate`, `infer` and `show`."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from landslide_cli.core.parts import Part
from landslide_cli.profile.base import Settings, wrong


class EvaluateSettings(Settings):
    """`landslide evaluate`: a model and a part to numbers."""

    part: Part = Field("test", description="Which part to score; `--on` overrides it.")
    units: Literal["auto", "scenes", "tiles"] = Field(
        "auto",
        description="Score whole scenes through tiled inference, or the part's tiles; `auto` takes "
        "scenes where the split names them and the source has them.",
    )
    batch: int | None = Field(
        None, ge=1, le=4096, description="Tiles a model call. Default: `train.batch`."
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


WindowSide = Annotated[int, Field(ge=16, le=8192)]


class InferSettings(Settings):
    """`landslide infer-tiled`: whole scenes to maps."""

    scenes: list[str] = Field(
        [], description="Files, folders or globs. Default: the source's scenes in the test part."
    )
    output: Path | None = Field(None, description="Folder of the results. Default: `<run>/infer`.")
    bands: list[Annotated[int, Field(ge=1)]] | None = Field(
        None,
        min_length=1,
        description="Which bands of the scenes the model sees, by number, in its order. Default: "
        "all that are not alpha.",
    )
    gsd: float | None = Field(
        None,
        gt=0.0,
        description="Metres a pixel at which the model works: georeferenced scenes are resized to "
        "it, and their maps back to the scenes' own grid.",
    )
    scale: float | None = Field(
        None,
        gt=0.0,
        le=8.0,
        description="Factor by which a scene is resized for the model; masks have the scene's own "
        "size. Default: the factor at which the model's tiles were prepared.",
    )
    tile: WindowSide | Literal["auto", "whole"] = Field(
        "auto",
        description="Side of a window, in pixels of the model; `auto` fits windows to the scene "
        "and to `infer.memory`, `whole` takes a scene in one pass.",
    )
    overlap: int = Field(
        128,
        ge=0,
        le=4096,
        description="Pixels of the model that neighbouring windows share at least, and blend.",
    )
    memory: float | None = Field(
        None,
        gt=0.0,
        description="Gigabytes that the model's features may take with `tile: auto`. Default: a "
        "quarter of the free memory, or of the GPU's.",
    )
    batch: int | None = Field(
        None, ge=1, le=4096, description="Windows a model call. Default: 1 on a CPU, 4 on a GPU."
    )
    engine: Literal["auto", "openvino", "tensorflow"] = Field(
        "auto",
        description="What runs the model; `auto` takes TensorFlow on a GPU, OpenVINO on a CPU.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="`auto` takes bfloat16 where the processor computes it faster and it changes "
        "less than 0.5 % of the first windows' pixels.",
    )
    tta: Literal["none", "flips", "symmetries"] = Field(
        "none",
        description="Average the predictions over mirrored views (4 model calls), or over the "
        "eight symmetries of the square.",
    )
    threshold: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Foreground is where its probability is at least this. Default: the threshold "
        "that was best on valid, stored in the run.",
    )
    probability: Literal["none", "percent", "float32"] = Field(
        "none",
        description="Write the foreground's probability too, as whole per cent or as it is; "
        "`--probability` sets `percent`.",
    )
    polygons: Literal["gpkg", "geojson", "none"] = Field(
        "gpkg",
        description="Landslides as polygons: GeoPackage in the scene's CRS, or GeoJSON in WGS 84.",
    )
    min_area: float = Field(
        0.0,
        ge=0.0,
        description="Least area of a polygon, in square metres; pixels without georeference.",
    )
    fill_holes: float = Field(
        0.0, ge=0.0, description="Holes in polygons up to this area are filled, in the same unit."
    )
    simplify: float = Field(
        0.0,
        ge=0.0,
        description="How far a simplified outline may be off, in metres; pixels without "
        "georeference.",
    )

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.gsd is not None and self.scale is not None:
            raise wrong("infer.gsd", "does not go with infer.scale; keep one of the two")
        return self


class ShowSettings(Settings):
    """`landslide show`: pictures of any step's results."""

    output: Path | None = Field(
        None,
        description="Folder of the pictures. Default: `<run>/show`, before the training "
        "`<dataset>/show`.",
    )
    items: int = Field(6, ge=1, le=1000, description="Rows of a contact sheet.")
    cell: int = Field(256, ge=32, le=2048, description="Side of a picture in a sheet, in pixels.")
