"""Assignment of tiles to the parts, or to the parts of each fold: groups are never separated.

A unit is a list of tiles that stay together: those of a group, of a scene or, where `split.by` is
"tile", a single tile.
"""

from collections.abc import Sequence

import numpy as np

from landslide_cli.core.parts import PARTS, Part, fold_folder
from landslide_cli.dataset.groups import Group
from landslide_cli.dataset.tiles import Tile
from landslide_cli.errors import DataError
from landslide_cli.profile import Profile, SplitSettings
from landslide_cli.stages.split.assign import Sizes, assign

# By the folder below the dataset, such as "train" or "fold-1/train".
TilesByFolder = dict[str, list[Tile]]


def assign_tiles(profile: Profile, groups: Sequence[Group], tiles: Sequence[Tile]) -> TilesByFolder:
    """Assign tiles to the folders of the parts, or of the parts of each fold.

    Every part gets its share of the labelled and of the foreground pixels, as close as the units
    allow. Augmented copies are for training only, unless single tiles are assigned.

    Args:
        profile: its `split` is used.
        groups: of all scenes.
        tiles: of these scenes, or one entry per scene where no tiles were cut.

    Raises:
        DataError: there are too few units, the profile leaves scenes without a part, or it names
            scenes of one group under different parts.
    """
    settings = profile.split
    if settings.by == "group":
        _check_named_scenes(settings, groups)
    units = _units(settings, groups, tiles)
    with_copies = settings.by == "tile"
    if settings.folds is None:
        part_of = _parts_of(units, settings)
        return {part: _tiles_of(part, units, part_of, with_copies) for part in PARTS}
    fold_of = _folds_of(units, settings.folds, settings.seed)
    tiles_by_folder: TilesByFolder = {}
    for test_fold in range(settings.folds):
        part_of = [_part_of_fold(fold, test_fold, settings) for fold in fold_of]
        for part in PARTS:
            folder = f"{fold_folder(test_fold + 1)}/{part}"
            tiles_by_folder[folder] = _tiles_of(part, units, part_of, with_copies)
    return tiles_by_folder


def split_folders(settings: SplitSettings) -> list[str]:
    """Name the folders of a split below the dataset: the parts, or the folds."""
    if settings.folds is None:
        return list(PARTS)
    return [fold_folder(fold) for fold in range(1, settings.folds + 1)]


def count_pixels(tiles: Sequence[Tile]) -> tuple[float, float]:
    """Count labelled and foreground pixels, without augmented copies unless there are no others."""
    originals = [tile for tile in tiles if not tile.augmentation] or tiles
    return (
        sum(float(tile.labelled_pixels) for tile in originals),
        sum(tile.labelled_pixels * tile.foreground_share for tile in originals),
    )


def _units(
    settings: SplitSettings, groups: Sequence[Group], tiles: Sequence[Tile]
) -> list[list[Tile]]:
    if settings.by == "tile":
        return [[tile] for tile in tiles]
    scenes_of_units = [group.scenes for group in groups]
    if settings.by == "scene":
        scenes_of_units = [[scene] for scenes in scenes_of_units for scene in scenes]
    unit_of = {scene: index for index, scenes in enumerate(scenes_of_units) for scene in scenes}
    units: list[list[Tile]] = [[] for _ in scenes_of_units]
    for tile in tiles:
        units[unit_of[tile.scene]].append(tile)
    return units


def _parts_of(units: Sequence[Sequence[Tile]], settings: SplitSettings) -> list[Part]:
    """Assign units to the three parts: as the profile names them, the rest by shares."""
    named = {name: part for part in PARTS for name in settings.names(part)}
    part_of = [named.get(unit[0].scene) for unit in units]
    unnamed = [index for index, part in enumerate(part_of) if part is None]
    open_parts = [part for part in PARTS if settings.share(part) > 0.0]
    if len(unnamed) < len(open_parts) or (unnamed and not open_parts):
        raise DataError(_too_few([units[index] for index in unnamed], open_parts))
    if unnamed:
        shares = [settings.share(part) for part in PARTS]
        parts = assign(_sizes(units)[unnamed], shares, settings.seed)
        for index, part in zip(unnamed, parts, strict=True):
            part_of[index] = PARTS[part]
    return [part for part in part_of if part is not None]


def _folds_of(units: Sequence[Sequence[Tile]], folds: int, seed: int) -> list[int]:
    """Assign units to folds of equal shares, counted from 0."""
    if len(units) < folds:
        raise DataError(_too_few(units, [f"{folds} folds"]))
    return [int(fold) for fold in assign(_sizes(units), [1.0] * folds, seed)]


def _part_of_fold(fold: int, test_fold: int, settings: SplitSettings) -> Part:
    """Return what a fold serves as while `test_fold` is held out; all folds count from 0."""
    if fold == test_fold:
        return "test"
    is_valid = settings.fold_valid and fold == (test_fold + 1) % (settings.folds or 1)
    return "valid" if is_valid else "train"


def _tiles_of(
    part: Part, units: Sequence[Sequence[Tile]], part_of: Sequence[Part], with_copies: bool
) -> list[Tile]:
    """List the tiles of a part; the training set always has the augmented copies."""
    return [
        tile
        for unit, part_of_unit in zip(units, part_of, strict=True)
        if part_of_unit == part
        for tile in unit
        if part == "train" or with_copies or not tile.augmentation
    ]


def _sizes(units: Sequence[Sequence[Tile]]) -> Sizes:
    """Count the labelled and the foreground pixels of each unit, (units, 2)."""
    return np.array([count_pixels(unit) for unit in units], np.float64).reshape(-1, 2)


def _too_few(units: Sequence[Sequence[Tile]], parts: Sequence[str]) -> str:
    scenes = len({tile.scene for unit in units for tile in unit})
    if not parts:
        return f"{scenes} scenes are in no part: name them in the profile's split, or give a share"
    what = f"{scenes} scenes" if len(units) >= scenes else f"{len(units)} groups of {scenes} scenes"
    return f"{what} cannot be split into {', '.join(parts)}; add scenes or ask for fewer parts"


def _check_named_scenes(settings: SplitSettings, groups: Sequence[Group]) -> None:
    """Check that the scenes that the profile names separate no group.

    Raises:
        DataError: they do; it names a pair of scenes that share ground.
    """
    part_of = {name: part for part in PARTS for name in settings.names(part)}
    for group in groups:
        for evidence in group.evidence:
            first, second = part_of.get(evidence.first), part_of.get(evidence.second)
            if first != second:
                raise DataError(
                    f"{evidence.first} ({_place(first)}) and {evidence.second} ({_place(second)}) "
                    f"must stay together: {evidence};\n"
                    "name both under the same part of the profile's split"
                )


def _place(part: Part | None) -> str:
    return f"in split.{part}" if part is not None else "in no list of the profile's split"
