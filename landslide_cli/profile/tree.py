"""Every key of a profile: its type, range, meaning and default, in one place.

The README's reference and the editors' JSON schema are generated from these classes. Defaults are
those of the published FlexUNet experiment on the Sichuan landslide scenes (antillia.com, 2025).
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from landslide_cli.core.parts import PARTS, Part, fold_folder

Channel = Annotated[int, Field(ge=0, le=255)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
SceneNames = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^\w[\w .()+-]*$", max_length=80)]

# `evaluate` writes each class's scores under the class's name, beside these keys.
RESERVED_CLASS_NAMES = frozenset(
    {
        "command", "run", "part", "folds", "units", "scenes", "groups", "tiles", "pixels",
        "threshold", "loss", "dice_coef_multiclass", "mean", "calibration", "worst",
        "comparison", "bootstrap", "files",
    }
)  # fmt: skip


def _wrong(key: str, message: str) -> PydanticCustomError:
    """Build the error of a check that spans several keys, located at the one to change."""
    return PydanticCustomError("profile", "{message}", {"message": message, "key": key})


class Settings(BaseModel):
    """Keys are checked strictly, unknown ones are refused, and a loaded profile never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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
            raise _wrong("source.synthetic", "goes with neither source.images nor source.masks")
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise _wrong("source.value_range", "the first value must be below the second")
        return self


class AugmentSettings(Settings):
    """Offline augmentation: further copies of each tile, image and mask alike."""

    hflip: bool = Field(False, description="Add a copy mirrored left to right.")
    vflip: bool = Field(False, description="Add a copy mirrored top to bottom.")
    rotate90: bool = Field(False, description="Add copies turned by 90, 180 and 270 degrees.")
    distortions: list[Annotated[float, Field(gt=0.0, le=0.2)]] = Field(
        [],
        max_length=8,
        description="Add a smoothly warped copy for each number: the largest displacement as a "
        "share of the tile.",
    )


class PrepareSettings(Settings):
    """`landslide prepare`: scenes to tiles."""

    resize: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = Field(
        None, description="Width and height to which every scene is resized. Default: its own."
    )
    scale: float | None = Field(
        None, gt=0.0, le=8.0, description="Factor by which every scene is resized instead."
    )
    tile: int = Field(512, ge=16, le=8192, description="Side of a tile, in pixels.")
    drop_empty: bool = Field(False, description="Leave out tiles without any foreground.")
    nearest_colour: bool = Field(
        False, description="Give a mask colour that is no class to the nearest class (JPEG masks)."
    )
    augment: AugmentSettings = Field(AugmentSettings(), description="Offline augmentation.")
    workers: int | None = Field(
        None, ge=1, le=256, description="Processes to use. Default: one a processor core."
    )
    seed: int = Field(137, ge=0, description="Seed of the distortions.")

    @model_validator(mode="after")
    def _one_resizing(self) -> Self:
        if self.resize is not None and self.scale is not None:
            raise _wrong("prepare.scale", "does not go with prepare.resize; keep one of the two")
        return self


class OverlapSettings(Settings):
    """How scenes that show the same ground are recognised by their content."""

    content: bool = Field(
        True,
        description="Compare scenes without georeference by their content. Georeferenced ones are "
        "compared by their footprints in any case.",
    )
    size: int = Field(
        1024,
        ge=64,
        le=8192,
        description="Longest side at which scenes are compared, in pixels; larger are reduced.",
    )
    features: int = Field(
        2000, ge=16, le=20_000, description="Most features of a scene, spread over it."
    )
    ratio: float = Field(
        0.85,
        gt=0.0,
        lt=1.0,
        description="A match must be nearer than this times the next best one.",
    )
    inliers: int = Field(
        8, ge=4, le=10_000, description="Fewest matches that must agree on one position."
    )
    tolerance: float = Field(
        0.015,
        gt=0.0,
        le=0.1,
        description="How far a match may be off that position, as a share of the longer side.",
    )
    correlation: float = Field(
        0.6,
        ge=0.0,
        le=1.0,
        description="Least correlation of the texture there if few matches agree.",
    )
    footprint: float = Field(
        0.001,
        gt=0.0,
        le=1.0,
        description="Smallest share of the smaller footprint that makes two georeferenced scenes "
        "overlap; neighbouring sheets touch in slivers.",
    )


class SplitSettings(Settings):
    """`landslide split`: scenes into three parts or into folds, by groups that share ground."""

    train: Share | SceneNames = Field(
        0.7, description="Share of the pixels and of the foreground to train on, or scenes by name."
    )
    valid: Share | SceneNames = Field(
        0.15, description="The same for the part that chooses the best model and its threshold."
    )
    test: Share | SceneNames = Field(
        0.15, description="The same for the part that gives the final numbers."
    )
    folds: int | None = Field(
        None,
        ge=3,
        le=100,
        description="Make this many folds for cross-validation instead: in fold k, the k-th is "
        "the test part and the next one the valid part.",
    )
    by: Literal["group", "scene", "tile"] = Field(
        "group",
        description="What is never separated. `scene` and `tile` (augmented copies dealt out one "
        "by one, as in the experiment) leak, and are there to measure how much that flatters.",
    )
    groups: str | None = Field(
        None,
        min_length=1,
        description="Scenes to keep together besides those that share ground: a CSV file with the "
        "columns scene and group, or a regular expression found in the scenes' names, whose first "
        "parenthesis is the group, such as `^(site[0-9]+)_`.",
    )
    overlap: OverlapSettings = Field(
        OverlapSettings(), description="How scenes that show the same ground are recognised."
    )
    seed: int = Field(137, ge=0, description="Another seed draws another split.")

    def names(self, part: Part) -> list[str]:
        """Return the scenes that the profile puts into a part by name."""
        given: float | list[str] = getattr(self, part)
        return given if isinstance(given, list) else []

    def share(self, part: Part) -> float:
        """Return the part's share of what is not named; 0 for a part given by names."""
        given: float | list[str] = getattr(self, part)
        return 0.0 if isinstance(given, list) else given

    @property
    def pattern(self) -> re.Pattern[str] | None:
        """The regular expression of `groups`, or None where that is a file."""
        if self.groups is None or self.groups.lower().endswith(".csv"):
            return None
        return re.compile(self.groups)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        shares = [self.share(part) for part in PARTS]
        if any(self.names(part) for part in PARTS):
            if self.folds is not None:
                raise _wrong("split.folds", "does not go with scenes given to a part by name")
        elif self.folds is None and abs(sum(shares) - 1.0) > 1e-6:
            # The one to change is more likely one that was given.
            key = next((part for part in PARTS if part in self.model_fields_set), "train")
            total = f"{sum(shares):g}"
            raise _wrong(f"split.{key}", f"train, valid and test must add up to 1, not {total}")
        names = [name for part in PARTS for name in self.names(part)]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise _wrong("split.test", f"names the scene '{twice[0]}' twice, or another part does")
        if self.by == "tile" and names:
            raise _wrong("split.by", "'tile' does not go with scenes given to a part by name")
        return self

    @model_validator(mode="after")
    def _pattern_is_one(self) -> Self:
        try:
            groups = 1 if self.pattern is None else self.pattern.groups
        except re.error as error:
            raise _wrong("split.groups", f"is no regular expression: {error}") from None
        if groups == 0:
            raise _wrong("split.groups", "has no parenthesis around the group's name")
        return self


class ModelSettings(Settings):
    """The network: FlexUNet, a U-Net of any depth whose kernels shrink towards the bottom."""

    architecture: Literal["flexunet"] = Field("flexunet", description="Which network.")
    base_filters: int = Field(16, ge=1, le=1024, description="Filters of the first level.")
    base_kernels: int = Field(
        11, ge=1, le=31, description="Kernel side of the first level; two less each level, 3 least."
    )
    num_layers: int = Field(8, ge=2, le=10, description="Levels, the bottom one included.")
    dropout_rate: float = Field(
        0.05, ge=0.0, lt=1.0, description="Dropout, times the level's index."
    )
    dropout_seed: int | None = Field(
        None, ge=0, description="Fixed seed of every dropout layer. Default: from `train.seed`."
    )
    dilation: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = Field(
        (1, 1), description="Dilation of the first level; one less each level, 1 least."
    )
    normalization: bool = Field(
        False, description="Batch normalization after every 3 x 3 or larger convolution."
    )
    normalization_momentum: float = Field(
        0.99,
        ge=0.0,
        lt=1.0,
        description="Share of its running statistics that batch normalization keeps at a step; "
        "trainings of few steps need less.",
    )
    activation: Literal["relu", "elu", "gelu", "leaky_relu", "selu", "silu"] = Field(
        "relu", description="Activation of the hidden layers."
    )
    input_scaling: bool = Field(True, description="Divide the input by 255 inside the model.")

    @property
    def multiple(self) -> int:
        """Heights and widths that the network takes are multiples of this many pixels."""
        return int(2 ** (self.num_layers - 1))

    @model_validator(mode="after")
    def _dropout_below_one(self) -> Self:
        if self.dropout_rate * (self.num_layers - 1) >= 1.0:
            raise _wrong(
                "model.dropout_rate",
                f"times the deepest level's index, {self.num_layers - 1}, must stay below 1",
            )
        return self


class TrainSettings(Settings):
    """`landslide train`: tiles to a model."""

    epochs: int = Field(100, ge=1, le=100_000, description="Passes over the training tiles.")
    batch: int = Field(2, ge=1, le=4096, description="Tiles a step.")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="Optimizer.")
    learning_rate: float = Field(7e-5, gt=0.0, le=10.0, description="Learning rate at the start.")
    weight_decay: float = Field(0.0, ge=0.0, le=1.0, description="Weight decay of `adamw`.")
    clip_value: float | None = Field(
        0.5, gt=0.0, description="Clip every gradient element to this size. null: no clipping."
    )
    loss: Literal["categorical_crossentropy", "dice", "crossentropy_dice", "focal", "tversky"] = (
        Field("categorical_crossentropy", description="Loss.")
    )
    focal_gamma: float = Field(2.0, ge=0.0, description="Focusing exponent of `focal`.")
    tversky_alpha: float = Field(
        0.3, ge=0.0, le=1.0, description="Weight of false alarms in `tversky`."
    )
    tversky_beta: float = Field(0.7, ge=0.0, le=1.0, description="Weight of misses in `tversky`.")
    metrics: list[Literal["dice", "iou", "dice_coef_multiclass"]] = Field(
        ["dice", "iou", "dice_coef_multiclass"],
        description="Logged each epoch: Dice and IoU of the foreground, the experiment's metric.",
    )
    reduce_factor: float = Field(
        0.5, gt=0.0, le=1.0, description="Learning rate's factor when it is reduced."
    )
    reduce_patience: int | None = Field(
        4, ge=1, description="Epochs without a better validation loss before that. null: never."
    )
    stop_patience: int | None = Field(
        10, ge=1, description="Epochs without a better validation loss before the end. null: never."
    )
    cache: Literal["auto", "memory", "none"] = Field(
        "auto", description="Keep decoded tiles in memory; `auto` does if a quarter of it suffices."
    )
    preview_scenes: list[str] = Field(
        [], description="Names of scenes to predict after each epoch, for a film strip."
    )
    seed: int = Field(137, ge=0, description="Seed of the weights, the order and the dropout.")


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
            raise _wrong("evaluate.object_sizes", "must ascend")
        return self


class InferSettings(Settings):
    """`landslide infer-tiled`: whole scenes to masks."""

    scenes: list[str] = Field(
        [], description="Files, folders or globs. Default: the source's scenes in the test part."
    )
    output: Path | None = Field(None, description="Folder of the results. Default: `<run>/infer`.")
    tile: int | None = Field(
        None, ge=16, le=8192, description="Side of a window. Default: `prepare.tile`."
    )
    overlap: int = Field(
        128, ge=0, le=4096, description="Pixels that neighbouring windows share and blend."
    )
    batch: int = Field(1, ge=1, le=4096, description="Windows a model call.")
    threshold: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Foreground is where its probability is at least this. Default: the threshold "
        "that was best on valid, stored in the run.",
    )
    scale: float | None = Field(
        None,
        gt=0.0,
        le=8.0,
        description="Factor by which a scene is resized for the model; masks have the scene's own "
        "size. Default: the factor at which the model's tiles were prepared.",
    )


class ShowSettings(Settings):
    """`landslide show`: pictures of any step's results."""

    output: Path | None = Field(
        None,
        description="Folder of the pictures. Default: `<run>/show`, before the training "
        "`<dataset>/show`.",
    )
    items: int = Field(6, ge=1, le=1000, description="Rows of a contact sheet.")
    cell: int = Field(256, ge=32, le=2048, description="Side of a picture in a sheet, in pixels.")


class Profile(Settings):
    """One experiment, from raw scenes to maps."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)] = Field(
        "landslide", description="Names the default folders."
    )
    dataset: Path = Field(
        default_factory=lambda data: Path("datasets") / data.get("name", "landslide"),
        description="Folder of the tiles and the three parts.",
    )
    run: Path = Field(
        default_factory=lambda data: Path("runs") / data.get("name", "landslide"),
        description="Folder of the trained model and all that comes from it.",
    )
    fold: int | None = Field(
        None,
        ge=1,
        description="The fold of the cross-validation to work on, if `split.folds` is set; "
        "`--fold` sets it. Its run lies in `<run>/fold-<fold>`.",
    )
    bands: int = Field(3, ge=1, le=64, description="Bands of the images.")
    classes: list[ClassSettings] = Field(
        [
            ClassSettings(name="background", colour=(0, 0, 0)),
            ClassSettings(name="landslide", colour=(255, 0, 255)),
        ],
        min_length=1,
        max_length=254,
        description="The classes in the order of their indices, background first. A single class "
        "is the foreground of a one-channel sigmoid model, on a black background.",
    )
    source: SourceSettings = Field(SourceSettings(), description="The labelled scenes.")
    prepare: PrepareSettings = Field(PrepareSettings(), description="Scenes to tiles.")
    split: SplitSettings = Field(SplitSettings(), description="Scenes into parts.")
    model: ModelSettings = Field(ModelSettings(), description="The network.")
    train: TrainSettings = Field(TrainSettings(), description="Tiles to a model.")
    evaluate: EvaluateSettings = Field(EvaluateSettings(), description="A model to numbers.")
    infer: InferSettings = Field(InferSettings(), description="Scenes to masks.")
    show: ShowSettings = Field(ShowSettings(), description="Results to pictures.")

    @model_validator(mode="after")
    def _distinct_classes(self) -> Self:
        names: dict[str, int] = {}
        colours: dict[tuple[int, int, int], int] = {}
        for index, one in enumerate(self.palette_classes):
            key = f"classes.{index if len(self.classes) > 1 else 0}"
            if one.name in RESERVED_CLASS_NAMES:
                raise _wrong(f"{key}.name", f"'{one.name}' is a key of evaluation.json")
            if one.name in names:
                raise _wrong(f"{key}.name", f"two classes are called '{one.name}'")
            if one.colour in colours:
                other = self.palette_classes[colours[one.colour]].name
                raise _wrong(f"{key}.colour", f"'{one.name}' has the colour of '{other}'")
            names[one.name] = colours[one.colour] = index
        return self

    @model_validator(mode="after")
    def _tiles_fit_the_model(self) -> Self:
        multiple = self.model.multiple
        for key, tile in (("prepare.tile", self.prepare.tile), ("infer.tile", self.infer.tile)):
            if tile is not None and tile % multiple:
                below, above = tile // multiple * multiple, -(-tile // multiple) * multiple
                near = f"{below} or {above}" if below else f"{above}"
                raise _wrong(
                    key,
                    f"must be a multiple of {multiple} for a model of {self.model.num_layers} "
                    f"layers, not {tile}; take {near}",
                )
        if self.infer.overlap >= self.window:
            raise _wrong("infer.overlap", f"must be below the window's side, {self.window}")
        return self

    @model_validator(mode="after")
    def _fold_is_there(self) -> Self:
        if self.fold is not None and self.fold > (self.split.folds or 0):
            folds = self.split.folds
            raise _wrong("fold", f"must be 1 to {folds}" if folds else "needs split.folds")
        return self

    @property
    def parts_folder(self) -> Path:
        """Folder of train, valid and test: the dataset's, or the fold's in it."""
        return self.dataset if self.fold is None else self.dataset / fold_folder(self.fold)

    @property
    def run_folder(self) -> Path:
        """Folder of the trained model: the run's, or the fold's in it."""
        return self.run if self.fold is None else self.run / fold_folder(self.fold)

    @property
    def palette_classes(self) -> list[ClassSettings]:
        """The classes by mask index; the implicit background of a single class included."""
        if len(self.classes) == 1:
            return [ClassSettings(name="background", colour=(0, 0, 0)), *self.classes]
        return self.classes

    @property
    def window(self) -> int:
        """Side of a window of tiled inference, in pixels."""
        return self.infer.tile if self.infer.tile is not None else self.prepare.tile

    def settings(self, *sections: str) -> dict[str, Any]:
        """Return the dotted keys in the given sections, and their values as JSON types."""
        flat = _flat("", self.model_dump(mode="json"))
        return {
            key: value
            for key, value in flat.items()
            if any(f"{key}.".startswith(f"{section}.") for section in sections)
        }


def _flat(prefix: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        key: leaf
        for name, child in value.items()
        for key, leaf in _flat(f"{prefix}.{name}" if prefix else name, child).items()
    }
