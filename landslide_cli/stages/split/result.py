"""The outcome of `landslide split`: the scenes of each part, and the groups kept together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from landslide_cli.core.palette import Palette
from landslide_cli.core.parts import PARTS, Part
from landslide_cli.dataset.files import SPLIT_RECORD
from landslide_cli.dataset.groups import Evidence, Group
from landslide_cli.dataset.tiles import Tile
from landslide_cli.documents import restored
from landslide_cli.errors import listed
from landslide_cli.profile import Profile
from landslide_cli.reporting import Result, Table
from landslide_cli.stages.split.assign_tiles import (
    TilesByFolder,
    count_classes,
    count_pixels,
    split_folders,
)

Parts = dict[Part, list[str]]

_LANDSLIDES = "landslides"


@dataclass(frozen=True)
class SplitPart:
    """The number of scenes, tiles and augmented copies of a part, and its share of all pixels.

    `pixels` and `foreground` are shares of the labelled pixels and of the foreground pixels of all
    tiles without their augmented copies, in [0, 1]; so are `classes`, by name, of the pixels of
    each class where there are more than two. Where no tiles were cut, `tiles` is 0.
    """

    name: str
    scenes: int
    tiles: int
    augmented: int
    pixels: float
    foreground: float
    classes: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitResult(Result):
    """The scenes of each part, or of each fold's parts, by name; and the groups kept together.

    `scenes` is empty where there are `folds`, which hold the same for each fold, and where single
    tiles were assigned. `groups` are all groups with their evidence. `parts` describes each part,
    or the test part of each fold. `separated` counts the pairs of scenes that share ground and are
    in different parts, which only happens if the profile asks for it. `subject` is what the
    foreground is called; `absent` names the folders of parts without a pixel of a class, by class.
    """

    dataset: Path
    by: str
    scenes: Parts
    folds: list[Parts]
    parts: list[SplitPart]
    groups: list[Group]
    separated: int
    subject: str = _LANDSLIDES
    absent: dict[str, list[str]] = field(default_factory=dict)
    unchanged: bool = False

    def headline(self) -> str:
        parts = f"{len(self.folds)} folds" if self.folds else "train, valid and test"
        if self._has_tiles:
            if self.unchanged:
                return f"{parts} in {self.dataset} unchanged; nothing to do"
            return f"{parts} written to {self.dataset}"
        record = self.dataset / SPLIT_RECORD
        count = sum(part.scenes for part in self.parts)
        if self.unchanged:
            return f"{parts} of {count} scenes in {record} unchanged; nothing to do"
        return f"{count} scenes assigned to {parts} in {record}; no tiles to link"

    def tables(self) -> Sequence[Table]:
        """Return the parts, and the groups of more than one scene."""
        columns = {
            "part": [part.name for part in self.parts],
            "scenes": [f"{part.scenes}" for part in self.parts],
            "tiles": [f"{part.tiles}" for part in self.parts],
            "augmented copies": [f"{part.augmented}" for part in self.parts],
            "share of pixels": [f"{part.pixels:.1%}" for part in self.parts],
            f"share of {self.subject}": [f"{part.foreground:.1%}" for part in self.parts],
        }
        if not self._has_tiles:
            del columns["tiles"], columns["augmented copies"]
        rows = list(zip(*columns.values(), strict=True))
        title = "test parts of the folds" if self.folds else "parts"
        groups = [
            (listed(group.scenes, most=8), f"{len(group.scenes)}", _kinds(group.evidence))
            for group in self.groups
            if len(group.scenes) > 1
        ]
        heads = ["group", "scenes", "evidence"]
        shared_ground = [Table("scenes that share ground", heads, groups)] if groups else []
        least = ["augmented copies", "tiles"]
        return [Table(title, list(columns), rows, least), *self._class_table(), *shared_ground]

    def document(self) -> dict[str, Any]:
        """Return the fields as JSON values; without what is said of classes where there are two."""
        document = super().document()
        for part in document["parts"]:
            if not part["classes"]:
                del part["classes"]
        if self.subject == _LANDSLIDES:
            del document["subject"]
        if not self.absent:
            del document["absent"]
        return document

    @classmethod
    def of(cls, document: Mapping[str, Any], dataset: Path) -> "SplitResult":
        """Restore what `document` returned for an earlier split, now `unchanged`.

        Raises:
            DataError: the record is damaged.
        """
        values = {**document, "dataset": str(dataset), "unchanged": True}
        return restored(cls, values, dataset / SPLIT_RECORD)

    def _class_table(self) -> list[Table]:
        """Show how the pixels of each class are divided, where there are more than two."""
        rows = [
            (name, *(f"{part.classes[name]:.1%}" for part in self.parts))
            for name in self.parts[0].classes
        ]
        heads = ["class", *(part.name for part in self.parts)]
        return [Table("pixels of each class by part", heads, rows)] if rows else []

    @property
    def _has_tiles(self) -> bool:
        return any(part.tiles + part.augmented for part in self.parts)


def summarise(
    profile: Profile,
    groups: Sequence[Group],
    tiles: Sequence[Tile],
    tiles_by_folder: TilesByFolder,
) -> SplitResult:
    """Describe a split of tiles, of which each folder has those that `tiles_by_folder` says."""
    folds = split_folders(profile.split) if profile.split.folds is not None else []
    are_cut = profile.prepare.tile is not None
    scenes = {
        folder: sorted({tile.scene for tile in tiles_of_folder})
        for folder, tiles_of_folder in tiles_by_folder.items()
    }
    scenes_of_folds: list[Parts] = [
        {part: scenes[f"{fold}/{part}"] for part in PARTS} for fold in folds
    ]
    scenes_of_parts: Parts = {} if folds else {part: scenes[part] for part in PARTS}
    folders = {fold: f"{fold}/test" for fold in folds} or {part: part for part in PARTS}
    palette = profile.palette
    return SplitResult(
        dataset=profile.dataset,
        by=profile.split.by,
        scenes=scenes_of_parts if profile.split.by != "tile" else {},
        folds=scenes_of_folds,
        parts=[
            _describe_part(name, tiles_by_folder[folder], tiles, are_cut, palette)
            for name, folder in folders.items()
        ],
        groups=list(groups),
        separated=_separated(groups, scenes_of_folds or [scenes_of_parts]),
        subject=palette.plural,
        absent=_absent(tiles_by_folder, palette),
    )


def _separated(groups: Sequence[Group], folds: Sequence[Parts]) -> int:
    """Count the pairs whose scenes, or their tiles, are in different parts of any fold."""
    parts_of_folds: list[dict[str, set[Part]]] = []
    for parts in folds:
        parts_of: dict[str, set[Part]] = {}
        for part in PARTS:
            for scene in parts[part]:
                parts_of.setdefault(scene, set()).add(part)
        parts_of_folds.append(parts_of)
    return sum(
        any(
            len(parts_of.get(pair.first, set()) | parts_of.get(pair.second, set())) > 1
            for parts_of in parts_of_folds
        )
        for group in groups
        for pair in group.evidence
    )


def _absent(tiles_by_folder: TilesByFolder, palette: Palette) -> dict[str, list[str]]:
    """Name the folders that have tiles, and not a pixel of a class among them; by class."""
    absent: dict[str, list[str]] = {}
    for folder, tiles in tiles_by_folder.items():
        if not tiles:
            continue
        pixels = count_classes(tiles, len(palette))
        for index in range(1, len(palette)):
            is_there = pixels[index] if len(palette) > 2 else count_pixels(tiles)[1]
            if not is_there:
                absent.setdefault(palette.names[index], []).append(folder)
    return absent


def _describe_part(
    name: str, tiles: Sequence[Tile], all_tiles: Sequence[Tile], are_cut: bool, palette: Palette
) -> SplitPart:
    pixels = np.array(count_pixels(tiles)) / np.maximum(1.0, np.array(count_pixels(all_tiles)))
    labelled, foreground = pixels.tolist()
    total = count_classes(all_tiles, len(palette))
    shares = count_classes(tiles, len(palette)) / np.maximum(1, total)
    return SplitPart(
        name=name,
        scenes=len({tile.scene for tile in tiles}),
        tiles=sum(not tile.augmentation for tile in tiles) if are_cut else 0,
        augmented=sum(bool(tile.augmentation) for tile in tiles),
        pixels=labelled,
        foreground=foreground,
        classes={palette.names[i]: float(shares[i]) for i in palette.meaningful}
        if total.any()
        else {},
    )


def _kinds(evidence: Sequence[Evidence]) -> str:
    kinds = [entry.kind for entry in evidence]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
