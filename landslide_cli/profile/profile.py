"""The profile as a whole: its top-level keys, and the checks that span several sections.

Each section has a module in this folder, with the type, range, meaning and default of its keys.
docs/profile.md and the editors' JSON schema are generated from these classes. Defaults are those of
the published FlexUNet experiment on the Sichuan landslide scenes (antillia.com, 2025).
"""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from landslide_cli.core.composition import Composition
from landslide_cli.core.palette import Palette
from landslide_cli.core.parts import fold_folder
from landslide_cli.core.tiling.grid import ceil_div
from landslide_cli.profile.augment import COLOUR_KINDS
from landslide_cli.profile.bands import BandSettings, composition_of
from landslide_cli.profile.base import Settings, wrong
from landslide_cli.profile.evaluate import EvaluateSettings
from landslide_cli.profile.infer import InferSettings
from landslide_cli.profile.model import ModelSettings
from landslide_cli.profile.networks import FlexUNetSettings
from landslide_cli.profile.prepare import PrepareSettings
from landslide_cli.profile.show import ShowSettings
from landslide_cli.profile.source import ClassSettings, SourceSettings
from landslide_cli.profile.split import SplitSettings
from landslide_cli.profile.train import TrainSettings

# `evaluate` writes each class's scores under the class's name, beside these keys.
RESERVED_CLASS_NAMES = frozenset(
    {
        "command", "run", "part", "folds", "units", "scenes", "groups", "tiles", "pixels",
        "threshold", "loss", "dice_coef_multiclass", "mean", "calibration", "worst", "sha256",
        "with_landslides", "delivered", "false_alarms", "comparison", "bootstrap", "files",
        "warnings", "error", "exit_status", "mean_dice", "mean_iou", "mean_intervals",
        "confusion",
    }
)  # fmt: skip

# Of a name that is part of folders' names.
FOLDER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class Profile(Settings):
    """One experiment, from raw scenes to maps."""

    name: Annotated[str, Field(pattern=FOLDER_NAME, max_length=80)] = Field(
        "landslide", description="Names the default folders."
    )
    extends: str | None = Field(
        None,
        description="A profile, relative to this one's folder, whose keys hold where this one has "
        "none; `landslide` is the packaged one. `source`, lists and a `model` of another "
        "architecture are replaced as a whole. "
        "Default: `landslide` where a profile has no other keys than `source`, `classes`, "
        "`foreground`, `name`, `dataset` and `run`.",
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
    bands: (
        Annotated[int, Field(ge=1, le=64)]
        | Annotated[list[BandSettings], Field(min_length=1, max_length=64)]
    ) = Field(
        3,
        description="Bands of the images: how many, of 8 bits; or a list of entries that say of "
        "each where it is read, how it is computed and how its values are scaled.",
    )
    classes: list[ClassSettings] = Field(
        [
            ClassSettings(name="background", colour=(0, 0, 0)),
            ClassSettings(name="landslide", colour=(255, 0, 255)),
        ],
        min_length=1,
        max_length=254,
        description="The classes in the order of their indices, background first. A single class "
        "is the foreground of a one-channel sigmoid model, on a black background. With `ignore: "
        "true` the first class has no meaning: its pixels have no label, and no map has it.",
    )
    foreground: list[str] | None = Field(
        None,
        min_length=1,
        description="Names of the classes that the threshold, the logged metrics, objects, "
        "polygons, false alarms, worst scenes and crops centred on foreground are of. Default: all "
        "but the first.",
    )
    source: SourceSettings | Annotated[list[SourceSettings], Field(min_length=1)] = Field(
        SourceSettings(), description="The labelled scenes: one source, or a list of them."
    )
    prepare: PrepareSettings = Field(PrepareSettings(), description="Scenes to tiles.")
    split: SplitSettings = Field(SplitSettings(), description="Scenes into parts.")
    model: ModelSettings = Field(FlexUNetSettings(), description="The network.")
    train: TrainSettings = Field(TrainSettings(), description="Tiles to a model.")
    evaluate: EvaluateSettings = Field(EvaluateSettings(), description="A model to numbers.")
    infer: InferSettings = Field(InferSettings(), description="Scenes to masks.")
    show: ShowSettings = Field(ShowSettings(), description="Results to pictures.")

    @model_validator(mode="after")
    def _distinct_classes(self) -> Self:
        names: dict[str, int] = {}
        colours: dict[tuple[int, int, int], int] = {}
        for index, entry in enumerate(self.palette_classes):
            key = f"classes.{index if len(self.classes) > 1 else 0}"
            if entry.name in RESERVED_CLASS_NAMES:
                raise wrong(f"{key}.name", f"'{entry.name}' is a key of evaluation.json")
            if entry.name in names:
                raise wrong(f"{key}.name", f"two classes are called '{entry.name}'")
            if entry.colour in colours:
                other = self.palette_classes[colours[entry.colour]].name
                raise wrong(f"{key}.colour", f"'{entry.name}' has the colour of '{other}'")
            names[entry.name] = colours[entry.colour] = index
        return self

    @model_validator(mode="after")
    def _foreground_is_of_classes(self) -> Self:
        names = self.palette.names
        for index, name in enumerate(self.foreground or []):
            if name not in names:
                raise wrong(f"foreground.{index}", f"there is no class '{name}' in `classes`")
            if name == names[0]:
                raise wrong(f"foreground.{index}", f"'{name}' is the first class, the background")
            if name in (self.foreground or [])[:index]:
                raise wrong(f"foreground.{index}", f"'{name}' is named twice")
        return self

    @model_validator(mode="after")
    def _only_the_background_is_ignored(self) -> Self:
        for index, entry in enumerate(self.classes):
            if not entry.ignore:
                continue
            if index or len(self.classes) == 1:
                raise wrong(f"classes.{index}.ignore", "is for the first of several classes alone")
            if len(self.classes) == 2:
                raise wrong(
                    "classes.0.ignore", "leaves a single class, which a model cannot tell from any"
                )
            for key, source in zip(self.source_keys, self.sources, strict=True):
                if source.is_background:
                    raise wrong(
                        f"{key}.masks", "'none' is all background, which classes.0.ignore ignores"
                    )
        return self

    @model_validator(mode="after")
    def _sources_are_distinct(self) -> Self:
        names: set[str] = set()
        for key, source in zip(self.source_keys, self.sources, strict=True):
            source.check(key)
            if source.labels is not None:
                source.labels.check(f"{key}.labels", self.palette.names)
            name = source.name or ""
            if name in names:
                raise wrong(f"{key}.name", f"two sources are called '{name}'")
            names |= {name} if name else set()
            unknown = sorted((source.colours or {}).keys() - set(self.palette.names))
            if unknown:
                raise wrong(f"{key}.colours", f"there is no class '{unknown[0]}' in `classes`")
            own = self.own_bands
            if source.bands is not None and len(source.bands) != own:
                raise wrong(f"{key}.bands", f"must name {own} bands, as `bands` says")
            if source.value_range is not None and self.composition is not None:
                raise wrong(f"{key}.value_range", "needs `bands: NUMBER`; give each entry a range")
            absent = [name for name in self.layer_names if name not in (source.layers or {})]
            if absent and source.images is not None:
                raise wrong(f"{key}.layers", f"has no '{absent[0]}', which `bands` reads")
        return self

    @model_validator(mode="after")
    def _bands_fit_each_other(self) -> Self:
        if isinstance(self.bands, list):
            names: set[str] = set()
            for index, entry in enumerate(self.bands):
                entry.check(f"bands.{index}", self.bands[:index])
                if entry.name in names:
                    raise wrong(f"bands.{index}.name", f"two bands are called '{entry.name}'")
                names.add(entry.name)
                if entry.auto and self.prepare.standardize:
                    raise wrong(
                        f"bands.{index}.auto",
                        "does not go with prepare.standardize; set that to false",
                    )
            if not any(entry.input for entry in self.bands):
                raise wrong("bands.0.input", "is false for all bands: the model sees none")
        if self.infer.bands is not None and len(self.infer.bands) != self.own_bands:
            raise wrong("infer.bands", f"must name {self.own_bands} bands, as `bands` says")
        return self

    @model_validator(mode="after")
    def _tiles_fit_the_model(self) -> Self:
        multiple = self.model.multiple
        keys = [
            ("prepare.tile", self.prepare.tile),
            ("train.crop", self.train.crop),
            ("infer.tile", self.infer.tile),
        ]
        for key, tile in keys:
            if isinstance(tile, int) and tile % multiple:
                below, above = tile // multiple * multiple, ceil_div(tile, multiple) * multiple
                near = f"{below} or {above}" if below else f"{above}"
                raise wrong(
                    key,
                    f"must be a multiple of {multiple} for {self.model.described}, not {tile}; "
                    f"take {near}",
                )
        if isinstance(self.infer.tile, int) and self.infer.overlap >= self.infer.tile:
            raise wrong("infer.overlap", f"must be below the window's side, {self.infer.tile}")
        return self

    @model_validator(mode="after")
    def _tiles_or_crops(self) -> Self:
        if self.train.mosaic and self.train.crop is None:
            raise wrong("train.mosaic", "needs train.crop, the side of the crops of mosaics")
        if self.prepare.tile is None:
            if self.train.crop is None:
                raise wrong("prepare.tile", "null needs train.crop")
            if self.split.by == "tile":
                raise wrong("split.by", "'tile' needs tiles, and prepare.tile is null")
        return self

    @model_validator(mode="after")
    def _blocks_keep_their_size(self) -> Self:
        if self.split.block is not None and self.prepare.resize is not None:
            raise wrong(
                "prepare.resize",
                "gives every scene one size, and split.block divides scenes; use prepare.scale",
            )
        return self

    @model_validator(mode="after")
    def _every_class_has_a_weight(self) -> Self:
        weights, classes = self.train.class_weights, len(self.palette_classes)
        if weights is not None and len(weights) != classes:
            raise wrong(
                "train.class_weights",
                f"must be {classes} weights, one per class, the background's first, "
                f"not {len(weights)}",
            )
        if weights is not None and not any(weights):
            raise wrong("train.class_weights", "must not all be 0")
        return self

    @model_validator(mode="after")
    def _colours_are_there_to_change(self) -> Self:
        named, told = self.named_bands, None
        if named is None and self.model_inputs != 3:
            told = f"needs images of 3 bands, not of {self.model_inputs}"
        if named is not None and named.colours is None:
            told = "needs red, green and blue among `bands`"
        for name in self.train.augment.switched_on() if told is not None else ():
            if name in COLOUR_KINDS:
                raise wrong(f"train.augment.{name}", str(told))
        return self

    @model_validator(mode="after")
    def _compiled_or_deterministic(self) -> Self:
        # "GPU MaxPool gradient ops do not yet have a deterministic XLA implementation."
        if self.train.jit and self.train.deterministic:
            raise wrong(
                "train.jit",
                "needs train.deterministic: false; XLA pools without a deterministic gradient",
            )
        return self

    @model_validator(mode="after")
    def _fold_is_there(self) -> Self:
        if self.fold is not None and self.fold > (self.split.folds or 0):
            folds = self.split.folds
            raise wrong("fold", f"must be 1 to {folds}" if folds else "needs split.folds")
        return self

    @property
    def sources(self) -> list[SourceSettings]:
        """The sources of labelled scenes; a single one as a list of one."""
        return self.source if isinstance(self.source, list) else [self.source]

    @property
    def source_keys(self) -> list[str]:
        """The dotted key of each source."""
        is_list = isinstance(self.source, list)
        return [f"source.{i}" if is_list else "source" for i in range(len(self.sources))]

    @property
    def parts_folder(self) -> Path:
        """Folder of train, valid and test: the dataset's, or the fold's in it."""
        return self.dataset if self.fold is None else self.dataset / fold_folder(self.fold)

    @property
    def run_folder(self) -> Path:
        """Folder of the trained model: the run's, or the fold's in it."""
        return self.run if self.fold is None else self.run / fold_folder(self.fold)

    @property
    def tile_side(self) -> int:
        """Side of what the model is trained on, in pixels: of the crops, or else of the tiles."""
        return next(side for side in (self.train.crop, self.prepare.tile) if side is not None)

    @property
    def palette(self) -> Palette:
        """The classes as a palette, background first."""
        classes = self.palette_classes
        names = tuple(entry.name for entry in classes)
        foreground = self.foreground or names[1:]
        chosen = tuple(index for index, name in enumerate(names) if name in foreground)
        return Palette(
            names,
            tuple(entry.colour for entry in classes),
            chosen if len(chosen) < len(names) - 1 else (),
            classes[0].ignore,
        )

    @property
    def composition(self) -> Composition | None:
        """What each band is; None where they are of 8 bits, as they lie in their file."""
        if isinstance(self.bands, int) or all(entry.is_plain for entry in self.bands):
            return None
        return composition_of(self.bands)

    @property
    def named_bands(self) -> Composition | None:
        """What each band is called, of 8 bits too; None where `bands` is a number."""
        return None if isinstance(self.bands, int) else composition_of(self.bands)

    @property
    def shown_bands(self) -> tuple[int, ...] | None:
        """The numbers of the bands that show a mapped scene; None for those that its file names."""
        named, order = self.named_bands, self.infer.bands
        if named is not None:
            return (named if order is None else named.with_order(order)).colour_numbers
        return None if order is None or len(order) < 3 else tuple(order[:3])

    @property
    def band_order(self) -> tuple[int, ...] | None:
        """The numbers of the bands that plain entries of `bands` name; None for all of a file."""
        if isinstance(self.bands, int) or self.composition is not None:
            return None
        return composition_of(self.bands).numbers(None)

    @property
    def model_inputs(self) -> int:
        """Bands of the model's input."""
        return self.bands if isinstance(self.bands, int) else sum(e.input for e in self.bands)

    @property
    def own_bands(self) -> int:
        """Bands that are read from a scene's own file."""
        if isinstance(self.bands, int):
            return self.bands
        return sum(entry.layer is None and entry.derive is None for entry in self.bands)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The layers beside a scene that bands are read from."""
        return () if self.composition is None else self.composition.layers

    @property
    def model_outputs(self) -> int:
        """Channels of the model's output: one per class that is not ignored."""
        return sum(not entry.ignore for entry in self.classes)

    @property
    def palette_classes(self) -> list[ClassSettings]:
        """The classes by mask index; the implicit background of a single class included."""
        if len(self.classes) == 1:
            return [ClassSettings(name="background", colour=(0, 0, 0)), *self.classes]
        return self.classes

    def settings(self, *sections: str) -> dict[str, Any]:
        """Return the dotted keys in the given sections, and their values as JSON types.

        With `classes` goes `foreground`, where it is set: records of before it was there stay.
        """
        if "classes" in sections and self.foreground is not None:
            sections = (*sections, "foreground")
        flat = _flat("", self.model_dump(mode="json"))
        return {
            key: value
            for key, value in flat.items()
            if any(f"{key}.".startswith(f"{section}.") for section in sections)
        }

    def source_settings(self, *names: str) -> dict[str, Any]:
        """Return these keys of every source, dotted, and their values as JSON types."""
        return {
            f"{key}.{name}": source.model_dump(mode="json")[name]
            for key, source in zip(self.source_keys, self.sources, strict=True)
            for name in names
        }


def _flat(prefix: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        key: leaf
        for name, child in value.items()
        for key, leaf in _flat(f"{prefix}.{name}" if prefix else name, child).items()
    }
