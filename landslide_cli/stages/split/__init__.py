"""`landslide split`: scenes into train, valid and test, or into folds, so that nothing leaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landslide_cli.core.parts import PARTS, Part, fold_folder
from landslide_cli.dataset.files import PREPARE_RECORD, SPLIT_RECORD
from landslide_cli.dataset.groups import Evidence, Group
from landslide_cli.dataset.tiles import (
    IMAGES,
    MANIFEST,
    MASKS,
    TILES,
    Tile,
    link_tile,
    read_manifest,
)
from landslide_cli.errors import DataError, listed
from landslide_cli.imagery.raster.images import image_suffix
from landslide_cli.outputs import remove_folder, replace_folder, scratch_folder
from landslide_cli.profile import Profile, SplitSettings
from landslide_cli.records import Record, Step, refuse_overwrite
from landslide_cli.reporting import Reporter, Result, SilentReporter, Table
from landslide_cli.stages.split.assign import Sizes, deal
from landslide_cli.stages.split.grouping import find_groups

# Recorded beside the settings of a split that links no tiles.
_WHOLE = "whole_scenes"

Parts = dict[Part, list[str]]


@dataclass(frozen=True)
class SplitPart:
    """What a part holds: scenes, tiles and augmented copies, and its share of all pixels.

    `pixels` and `foreground` are shares of the labelled and of the foreground pixels of all tiles
    that are no copies, in [0, 1]. Where whole scenes are dealt out uncut there are no tiles.
    """

    name: str
    scenes: int
    tiles: int
    augmented: int
    pixels: float
    foreground: float


@dataclass(frozen=True)
class SplitResult(Result):
    """The scenes of each part by name, or of the parts of each fold, and the groups behind them.

    `scenes` is empty where there are `folds`, which hold the same for each fold, and where single
    tiles were dealt out. `groups` are all groups with their evidence; `parts` what each part, or
    the test part of each fold, holds; `separated` counts the pairs that share ground and stand in
    two parts, which only happens if the profile asks for it.
    """

    dataset: Path
    by: str
    scenes: Parts
    folds: list[Parts]
    parts: list[SplitPart]
    groups: list[Group]
    separated: int
    unchanged: bool = False

    def headline(self) -> str:
        """Say what was made, or that nothing had to be."""
        made = "unchanged since they were made" if self.unchanged else "made"
        what = f"{len(self.folds)} folds" if self.folds else "train, valid and test"
        return f"{what} {made}: {self.dataset}"

    def tables(self) -> Sequence[Table]:
        """Show the parts, and the groups of more than one scene."""
        cells = {
            "part": [part.name for part in self.parts],
            "scenes": [f"{part.scenes}" for part in self.parts],
            "tiles": [f"{part.tiles}" for part in self.parts],
            "augmented copies": [f"{part.augmented}" for part in self.parts],
            "of the pixels": [f"{part.pixels:.1%}" for part in self.parts],
            "of landslides": [f"{part.foreground:.1%}" for part in self.parts],
        }
        if not any(part.tiles + part.augmented for part in self.parts):
            del cells["tiles"], cells["augmented copies"]
        rows = list(zip(*cells.values(), strict=True))
        title = "test parts of the folds" if self.folds else "parts"
        together = [
            (listed(group.scenes, most=8), f"{len(group.scenes)}", _kinds(group.evidence))
            for group in self.groups
            if len(group.scenes) > 1
        ]
        groups = Table("scenes that share ground", ["group", "scenes", "evidence"], together)
        return [Table(title, list(cells), rows), *([groups] if together else [])]

    @classmethod
    def of(cls, document: Mapping[str, Any], dataset: Path) -> "SplitResult":
        """Read back what `document` returned, of a split made earlier."""
        groups = [
            Group(one["scenes"], [Evidence.of(evidence) for evidence in one["evidence"]])
            for one in document["groups"]
        ]
        parts = [SplitPart(**part) for part in document["parts"]]
        known = {"dataset": dataset, "groups": groups, "parts": parts, "unchanged": True}
        return cls(**{**document, **known})


def split(
    profile: Profile,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> SplitResult:
    """Deal the dataset's scenes out to the three parts or to folds, and link their tiles there.

    Scenes that share ground form a group, and a group is never separated. Augmented copies go to
    train only: a score is for imagery as it was taken. Where `prepare` cut no tiles, whole scenes
    are dealt out, the record names them, and there is nothing to link.

    Args:
        profile: its `split`, `source`, `dataset` and `prepare.tile` are used.
        limit: take only the first scenes of the manifest, by name.
        overwrite: split again even if the parts are there.
        reporter: shown the progress.

    Raises:
        ChangedError: there are parts made from other tiles or settings.
        DataError: there are no tiles, or too few groups for the parts, or the profile gives scenes
            of one group to different parts.
    """
    reporter = reporter or SilentReporter()
    dataset = profile.dataset
    tiles = read_manifest(dataset / TILES)
    settings = profile.settings("split", "bands") | {"limit": limit}
    settings |= {_WHOLE: True} if profile.prepare.tile is None else {}
    step = Step.of(dataset / SPLIT_RECORD, settings, _inputs(profile))
    finished = step.finished_before("split", overwrite)
    if finished is not None:
        return SplitResult.of(finished, dataset)
    names = sorted({tile.scene for tile in tiles})
    _refuse_unknown(profile, names)
    names = names[:limit]
    before = Record.read(dataset / SPLIT_RECORD)
    if before is None:
        refuse_overwrite([dataset / folder for folder in _linked_folders(profile)], overwrite)
    groups = find_groups(profile, names, reporter)
    tiles = [tile for tile in tiles if tile.scene in set(names)]
    dealt = _deal(profile, groups, tiles)
    result = _result(profile, groups, tiles, dealt)
    if result.by == "tile" or result.separated:
        what = f"{result.separated} pairs of scenes that share ground"
        what = "copies of one tile" if result.by == "tile" else what
        reporter.warn(f"split.by: {result.by} separates {what}: scores will flatter")
    folders = _linked_folders(profile)
    with scratch_folder(dataset / "split") as scratch:
        if folders:
            _link_all(dealt, dataset / TILES, scratch, image_suffix(profile.bands), reporter)
        # The record goes first and comes back last: without it the parts are not finished.
        (dataset / SPLIT_RECORD).unlink(missing_ok=True)
        for folder in folders:
            replace_folder(scratch / folder, dataset / folder)
        for folder in _folders_of(before) - set(folders):
            remove_folder(dataset / folder)
    step.finish(result.document())
    return result


Dealt = dict[str, list[Tile]]  # by the part's folder below the dataset


def _inputs(profile: Profile) -> list[Path]:
    """Name the files that a split depends on; the scenes stand in the record of `prepare`."""
    tiles = profile.dataset / TILES
    files = [path for path in (tiles / MANIFEST, tiles / PREPARE_RECORD) if path.exists()]
    if profile.split.groups is not None and profile.split.pattern is None:
        path = Path(profile.split.groups)
        if not path.is_file():
            raise DataError(f"{path}: no such file; split.groups names it")
        files.append(path)
    return files


def _folders(profile: Profile) -> list[str]:
    if profile.split.folds is None:
        return list(PARTS)
    return [fold_folder(fold) for fold in range(1, profile.split.folds + 1)]


def _linked_folders(profile: Profile) -> list[str]:
    """Name the folders that tiles are linked into."""
    return _folders(profile) if profile.prepare.tile is not None else []


def _folders_of(record: Record | None) -> set[str]:
    """Name the folders that an earlier split made."""
    if record is None or _WHOLE in record.settings:
        return set()
    folds = len(record.result.get("folds", []))
    return {fold_folder(fold) for fold in range(1, folds + 1)} if folds else set(PARTS)


def _deal(profile: Profile, groups: Sequence[Group], tiles: Sequence[Tile]) -> Dealt:
    """Choose each part's tiles, by the part's folder."""
    if profile.split.by == "group":
        _check_names(profile, groups)
    units = _units(profile, groups, tiles)
    count = profile.split.folds
    copies = profile.split.by == "tile"  # only then are copies dealt out like any tile
    if count is None:
        part_of = _parts_of(units, profile)
        return {part: _tiles_of(part, units, part_of, copies) for part in PARTS}
    fold_of = _folds_of(units, profile, count)
    dealt: Dealt = {}
    for test in range(count):
        part_of = [_role(fold, test, profile.split) for fold in fold_of]
        for part in PARTS:
            folder = f"{fold_folder(test + 1)}/{part}"
            dealt[folder] = _tiles_of(part, units, part_of, copies)
    return dealt


def _units(profile: Profile, groups: Sequence[Group], tiles: Sequence[Tile]) -> list[list[Tile]]:
    """Bundle the tiles that are never separated."""
    if profile.split.by == "tile":
        return [[tile] for tile in tiles]
    kept = [group.scenes for group in groups]
    if profile.split.by == "scene":
        kept = [[scene] for scenes in kept for scene in scenes]
    unit_of = {name: index for index, scenes in enumerate(kept) for name in scenes}
    units: list[list[Tile]] = [[] for _ in kept]
    for tile in tiles:
        units[unit_of[tile.scene]].append(tile)
    return units


def _parts_of(units: Sequence[Sequence[Tile]], profile: Profile) -> list[Part]:
    """Deal units out to the three parts, after those that the profile names."""
    settings = profile.split
    named = {name: part for part in PARTS for name in settings.names(part)}
    part_of = [named.get(unit[0].scene) for unit in units]
    left = [index for index, part in enumerate(part_of) if part is None]
    wanted = [part for part in PARTS if settings.share(part) > 0.0]
    if len(left) < len(wanted) or (left and not wanted):
        raise DataError(_too_few([units[index] for index in left], wanted))
    if left:
        shares = [settings.share(part) for part in PARTS]
        for index, choice in zip(
            left, deal(_sizes(units)[left], shares, settings.seed), strict=True
        ):
            part_of[index] = PARTS[choice]
    return [part for part in part_of if part is not None]


def _folds_of(units: Sequence[Sequence[Tile]], profile: Profile, count: int) -> list[int]:
    """Deal units out to equal folds, counted from 0."""
    if len(units) < count:
        raise DataError(_too_few(units, [f"{count} folds"]))
    return [int(fold) for fold in deal(_sizes(units), [1.0] * count, profile.split.seed)]


def _role(fold: int, test: int, settings: SplitSettings) -> Part:
    """Return the part that a fold is where another, or itself, is the test part."""
    if fold == test:
        return "test"
    is_valid = settings.fold_valid and fold == (test + 1) % (settings.folds or 1)
    return "valid" if is_valid else "train"


def _tiles_of(
    part: Part, units: Sequence[Sequence[Tile]], part_of: Sequence[Part], copies: bool
) -> list[Tile]:
    """List a part's tiles; augmented copies are for training alone, unless told otherwise."""
    return [
        tile
        for unit, one in zip(units, part_of, strict=True)
        if one == part
        for tile in unit
        if part == "train" or copies or not tile.augmentation
    ]


def _too_few(units: Sequence[Sequence[Tile]], wanted: Sequence[str]) -> str:
    scenes = len({tile.scene for unit in units for tile in unit})
    if not wanted:
        return f"{scenes} scenes are in no part: name them in the profile's split, or give a share"
    what = f"{scenes} scenes" if len(units) >= scenes else f"{len(units)} groups of {scenes} scenes"
    return f"{what} cannot be split into {', '.join(wanted)}; add scenes or ask for less"


def _refuse_unknown(profile: Profile, names: Sequence[str]) -> None:
    given = [name for part in PARTS for name in profile.split.names(part)]
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise DataError(
            f"the profile's split names {listed(unknown, most=3)}, but the dataset has no such "
            f"scene; it has {listed(names, most=3)}"
        )


def _check_names(profile: Profile, groups: Sequence[Group]) -> None:
    """Refuse scenes given by name that would separate a group.

    Raises:
        DataError: naming a pair of the group that shares ground.
    """
    part_of = {name: part for part in PARTS for name in profile.split.names(part)}
    for group in groups:
        for one in group.evidence:
            first, second = part_of.get(one.first), part_of.get(one.second)
            if first != second:
                raise DataError(
                    f"{one.first} ({_given(first)}) and {one.second} ({_given(second)}) must stay "
                    f"together: {one};\nname both under the same part of the profile's split"
                )


def _given(part: Part | None) -> str:
    return f"in split.{part}" if part is not None else "in no list of the profile's split"


def _sizes(units: Sequence[Sequence[Tile]]) -> Sizes:
    """Measure each unit: labelled pixels and foreground pixels, (units, 2)."""
    return np.array([_pixels(unit) for unit in units], np.float64).reshape(-1, 2)


def _pixels(tiles: Sequence[Tile]) -> tuple[float, float]:
    """Count labelled and foreground pixels, copies left out unless there are only copies."""
    plain = [tile for tile in tiles if not tile.augmentation] or tiles
    return (
        sum(float(tile.labelled_pixels) for tile in plain),
        sum(tile.labelled_pixels * tile.foreground_share for tile in plain),
    )


def _result(
    profile: Profile, groups: Sequence[Group], tiles: Sequence[Tile], dealt: Dealt
) -> SplitResult:
    folders = _folders(profile) if profile.split.folds else []
    are_cut = profile.prepare.tile is not None
    scenes = {folder: sorted({tile.scene for tile in some}) for folder, some in dealt.items()}
    folds: list[Parts] = [{part: scenes[f"{one}/{part}"] for part in PARTS} for one in folders]
    if folders:
        parts = [_part(name, dealt[f"{name}/test"], tiles, are_cut) for name in folders]
    else:
        parts = [_part(part, dealt[part], tiles, are_cut) for part in PARTS]
    by_tile = profile.split.by == "tile"
    by_part = folds or [{part: scenes[part] for part in PARTS}]
    return SplitResult(
        dataset=profile.dataset,
        by=profile.split.by,
        scenes={} if folds or by_tile else {part: scenes[part] for part in PARTS},
        folds=folds,
        parts=parts,
        groups=list(groups),
        separated=sum(_is_separated(one, by_part) for group in groups for one in group.evidence),
    )


def _is_separated(evidence: Evidence, folds: Sequence[Parts]) -> bool:
    """Tell whether the two scenes, or their tiles, stand in different parts of any fold."""
    pair = {evidence.first, evidence.second}
    homes = [[part for part in PARTS if pair & set(parts[part])] for parts in folds]
    return any(len(home) > 1 for home in homes)


def _part(name: str, some: Sequence[Tile], tiles: Sequence[Tile], are_cut: bool) -> SplitPart:
    mine, total = np.array(_pixels(some)), np.array(_pixels(tiles))
    pixels, foreground = (mine / np.maximum(1.0, total)).tolist()
    return SplitPart(
        name=name,
        scenes=len({tile.scene for tile in some}),
        tiles=sum(not tile.augmentation for tile in some) if are_cut else 0,
        augmented=sum(bool(tile.augmentation) for tile in some),
        pixels=pixels,
        foreground=foreground,
    )


def _kinds(evidence: Sequence[Evidence]) -> str:
    kinds = [one.kind for one in evidence]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))


def _link_all(dealt: Dealt, source: Path, target: Path, suffix: str, reporter: Reporter) -> None:
    with reporter.track("linking tiles", sum(map(len, dealt.values()))) as advance:
        for part, tiles in dealt.items():
            for folder in (IMAGES, MASKS):
                (target / part / folder).mkdir(parents=True)
            for tile in tiles:
                link_tile(tile, source, target / part, suffix)
                advance()
