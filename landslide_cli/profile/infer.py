"""`infer`: how scenes are mapped, and so scored."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from landslide_cli.profile.bands import BandName
from landslide_cli.profile.base import Settings, wrong

PolygonFormat = Literal["gpkg", "geojson", "csv", "kml"]
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
    layers: dict[BandName, Annotated[str, Field(min_length=1)]] | None = Field(
        None,
        description="Rasters beside the scenes that the model's bands read, as `source.layers`. "
        "Default: those of the first source.",
    )
    gsd: Annotated[float, Field(gt=0.0)] | Literal["model"] | None = Field(
        "model",
        description="GSD of the model's input in metres per pixel: georeferenced scenes are "
        "resampled to it, and their maps back to the scene's own grid. `model` takes that of the "
        "training, and `infer.scale` where a GSD is not known; null takes `infer.scale` always.",
    )
    scale: float | None = Field(
        None,
        gt=0.0,
        le=8.0,
        description="Factor by which a scene is resized for the model; masks have the scene's own "
        "size. It takes precedence over `infer.gsd: model`. Default: the "
        "factor at which the model's tiles were prepared.",
    )
    nodata: Annotated[float, Field(allow_inf_nan=False)] | Literal["none", "auto"] = Field(
        "auto",
        description="Pixels without data beside those that the file declares: `none`, those whose "
        "bands all have a value, or by `auto` those of a border of one value around the scene.",
    )
    warp: bool = Field(
        False,
        description="Warp scenes that are placed by ground control points or RPCs alone, and map "
        "them georeferenced: in the points' CRS if it is in metres, otherwise in UTM.",
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
        description="Gigabytes that feature maps may take with `tile: auto` (null = a quarter "
        "of the free memory, or of the GPU's).",
    )
    batch: int | None = Field(
        None, ge=1, le=4096, description="Windows per model call (null = 1 on a CPU, 4 on a GPU)."
    )
    engine: Literal["auto", "openvino", "tensorflow"] = Field(
        "auto",
        description="What runs the model; `auto` takes TensorFlow on a GPU, OpenVINO on a CPU.",
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto",
        description="Precision of the model; `auto` takes int8 where the model has that form, it "
        "loses less than 0.005 of the IoU and the processor has VNNI or AMX, otherwise bfloat16 "
        "where the processor computes it and it changes less than 0.5 % of the compared pixels; "
        "measured once per model and stored with the run. `int8` makes the form if there is none.",
    )
    tta: Literal["none", "flips", "symmetries"] = Field(
        "none",
        description="Average the predictions over mirrored views (4 model calls), or over the "
        "eight symmetries of the square.",
    )
    blur: float = Field(
        0.0,
        ge=0.0,
        le=8.0,
        description="Standard deviation, in pixels of the model, of a Gaussian that blurs what it "
        "sees. Augmentation that enlarges, turns and blurs accustoms a model to softer images than "
        "are mapped.",
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
    polygons: PolygonFormat | Literal["none"] | list[PolygonFormat] = Field(
        "gpkg",
        description="Landslides as polygons: a format or a list. GeoPackage in the scene's CRS, "
        "GeoJSON or KML in WGS 84, CSV with coordinates.",
    )
    submission: bool = Field(
        False,
        description="Also write the masks of all scenes into `masks_h5.zip`, as HDF5 files with "
        "the key `mask`, in the form of the Landslide4Sense challenge.",
    )
    elevation: Path | None = Field(
        None,
        description="Elevation model in metres, any georeferenced raster: polygons get lowest and "
        "highest point, relief, slope, aspect and reach angle.",
    )
    volume: bool = Field(
        False,
        description="Estimate the volume of each landslide by published relations of area and "
        "volume.",
    )
    duplicates: Literal["flag", "merge"] = Field(
        "flag",
        description="What `inventory.gpkg` does with landslides that overlapping scenes both show "
        "(IoU over 0.5): flag all but one of them, or keep that one only.",
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

    @property
    def polygon_formats(self) -> tuple[PolygonFormat, ...]:
        """The formats of polygons, without repetition; none for `none`."""
        if self.polygons == "none":
            return ()
        named = [self.polygons] if isinstance(self.polygons, str) else self.polygons
        return tuple(dict.fromkeys(named))

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if isinstance(self.gsd, float) and self.scale is not None:
            raise wrong("infer.gsd", "does not go with infer.scale; keep one of the two")
        return self
