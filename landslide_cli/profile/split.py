"""`split`: how scenes are divided into parts or folds."""

import re
from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from landslide_cli.core.parts import PARTS, Part
from landslide_cli.profile.base import Settings, wrong
from landslide_cli.profile.lengths import LengthUnit, length_of

Share = Annotated[float, Field(ge=0.0, le=1.0)]
LengthText = Annotated[str, Field(min_length=1)]
SceneNames = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


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
        description="Longest side at which scenes are compared, in pixels; larger ones are "
        "reduced.",
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
        0.15,
        description="The same for the part that chooses the best model and its threshold. 0: none, "
        "the last epoch is kept, and the threshold is 0.5.",
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
    fold_valid: bool = Field(
        True,
        description="false: folds have no valid part, all but the test part is for training; see "
        "`valid: 0`.",
    )
    by: Literal["group", "scene", "tile"] = Field(
        "group",
        description="Unit that is never separated. `scene` and `tile` (augmented copies assigned "
        "individually, as in the experiment) leak; they serve to measure how optimistic that is.",
    )
    groups: str | None = Field(
        None,
        min_length=1,
        description="Scenes to keep together besides those that share ground: a CSV file with the "
        "columns scene and group, or a regular expression found in the scenes' names, whose first "
        "parenthesis is the group, such as `^(site[0-9]+)_`.",
    )
    block: Annotated[float, Field(gt=0.0)] | LengthText | None = Field(
        None,
        description="Divide scenes into square blocks of this side, which are then scenes of their "
        "own: one orthophoto can be split. In metres, in pixels where the GSD is not known, or as "
        "`500 m` or `1024 px`. A scene of less than one and a half blocks stays whole.",
    )
    buffer: Annotated[float, Field(ge=0.0)] | LengthText | None = Field(
        None,
        description="Least distance between labelled pixels of two blocks, likewise; half of it "
        "has no label along each edge that blocks share. Default: the side of `train.crop` or "
        "`prepare.tile`, or a quarter of the block if that is less.",
    )
    overlap: OverlapSettings = Field(
        OverlapSettings(), description="How scenes that show the same ground are recognised."
    )
    seed: int = Field(137, ge=0, description="Another seed draws another split.")

    def names(self, part: Part) -> list[str]:
        """Return the scenes that the profile puts into a part by name."""
        value: float | list[str] = getattr(self, part)
        return value if isinstance(value, list) else []

    def share(self, part: Part) -> float:
        """Return the part's share of what is not named; 0 for a part given by names."""
        value: float | list[str] = getattr(self, part)
        return 0.0 if isinstance(value, list) else value

    @property
    def block_size(self) -> tuple[float, LengthUnit | None] | None:
        """The side of blocks and its unit, which may be open; None for whole scenes."""
        return _length(self.block)

    @property
    def buffer_size(self) -> tuple[float, LengthUnit | None] | None:
        """The distance between labels of two blocks, and its unit; None for the default."""
        return _length(self.buffer)

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
                raise wrong("split.folds", "does not go with scenes given to a part by name")
        elif self.folds is None and abs(sum(shares) - 1.0) > 1e-6:
            # The one to change is more likely one that was given.
            key = next((part for part in PARTS if part in self.model_fields_set), "train")
            total = f"{sum(shares):g}"
            raise wrong(f"split.{key}", f"train, valid and test must add up to 1, not {total}")
        names = [name for part in PARTS for name in self.names(part)]
        name, times = next(iter(Counter(names).most_common(1)), ("", 0))
        if times > 1:
            raise wrong("split.test", f"names the scene '{name}' twice, or another part does")
        if self.by == "tile" and names:
            raise wrong("split.by", "'tile' does not go with scenes given to a part by name")
        return self

    @model_validator(mode="after")
    def _blocks_are_wider_than_buffers(self) -> Self:
        for key, given in (("block", self.block), ("buffer", self.buffer)):
            if given is not None and _length(given) is None:
                raise wrong(
                    f"split.{key}", "must be metres or pixels, such as `500 m` or `1024 px`"
                )
        block, buffer = self.block_size, self.buffer_size
        if block is None:
            if buffer is not None:
                raise wrong("split.buffer", "keeps blocks apart, and needs split.block")
            return self
        if block[0] == 0.0:
            raise wrong("split.block", "must be greater than 0")
        if self.by == "tile":
            raise wrong("split.by", "'tile' does not go with split.block; blocks are what is split")
        if buffer is not None and buffer[1] == block[1] and buffer[0] >= block[0]:
            raise wrong(
                "split.buffer",
                f"must be below split.block, {block[0]:g}; nothing would be labelled",
            )
        return self

    @model_validator(mode="after")
    def _pattern_is_one(self) -> Self:
        try:
            groups = 1 if self.pattern is None else self.pattern.groups
        except (re.error, OverflowError, RecursionError) as error:
            raise wrong("split.groups", f"is no regular expression: {error}") from None
        if groups == 0:
            raise wrong("split.groups", "has no parenthesis around the group's name")
        return self


def _length(value: float | str | None) -> tuple[float, LengthUnit | None] | None:
    """Return a length and its unit, None where a number leaves it open; None if it is no length."""
    return length_of(value) if isinstance(value, str) else None if value is None else (value, None)
