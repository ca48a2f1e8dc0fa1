"""Assignment of tiles to the parts, or to the parts of each fold: groups are never separated.

A unit is a list of tiles that stay together: those of a group, of a scene or, where `split.by` is
"tile", a single tile.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.parts import PARTS, Part, fold_folder
from landslide_cli.dataset.groups import Group
from landslide_cli.dataset.tiles import Tile
from landslide_cli.errors import DataError, counted
from landslide_cli.profile import Profile, SplitSettings
from landslide_cli.stages.split.assign import Sizes, assign

# By the folder below the dataset, such as "train" or "fold-1/train".
TilesByFolder = dict[str, list[Tile]]


def assign_tiles(
    profile: Profile,
    groups: Sequence[Group],
    tiles: Sequence[Tile],
    source_of: Mapping[str, int],
) -> TilesByFolder:
    """Assign tiles to the folders of the parts, or of the parts of each fold.

    Every part gets its share of the labelled pixels and of those of each class but the first, as
    close as the units allow, of each source by itself: another source changes nothing for those
    before it. A source may also be meant for one part. Augmented copies are for training only,
    unless single tiles are assigned.

    Args:
        profile: its `split` and `source` are used.
        groups: of all scenes.
        tiles: of these scenes, or one entry per scene where no tiles were cut.
        source_of: the position of the source of each scene.

    Raises:
        DataError: there are too few units, the profile leaves scenes without a part, or it means
            scenes of one group for different parts.
    """
    settings = profile.split
    if settings.by == "group":
        _check_named_scenes(settings, groups)
    units = _units(settings, groups, tiles)
    meant = _meant_parts(profile, units, source_of)
    least = settings.folds or sum(settings.share(part) > 0.0 for part in PARTS)
    dealt = _dealt_together(units, meant, source_of, least)
    if settings.folds is None:
        return _into_parts(units, meant, dealt, settings)
    return _into_folds(units, meant, dealt, settings.folds, settings)


def _into_parts(
    units: Sequence[Sequence[Tile]],
    meant: Sequence[Part | None],
    dealt: Sequence[Sequence[int]],
    settings: SplitSettings,
) -> TilesByFolder:
    """Assign to the parts the units that are dealt, and the others to those they are meant for.

    Args:
        units: all of them.
        meant: the part that each is meant for, None for those that are dealt.
        dealt: the indices of units that are dealt together.
        settings: names and shares of the parts.
    """
    part_of = list(meant)
    for indices in dealt:
        parts = _parts_of([units[index] for index in indices], settings)
        for index, part in zip(indices, parts, strict=True):
            part_of[index] = part
    return {part: _tiles_of(part, units, part_of, settings) for part in PARTS}


def _into_folds(
    units: Sequence[Sequence[Tile]],
    meant: Sequence[Part | None],
    dealt: Sequence[Sequence[int]],
    folds: int,
    settings: SplitSettings,
) -> TilesByFolder:
    """Assign units to the parts of each fold; arguments as of `_into_parts`."""
    fold_of: list[int] = [-1] * len(units)
    for indices in dealt:
        numbers = _folds_of([units[index] for index in indices], folds, settings)
        for index, number in zip(indices, numbers, strict=True):
            fold_of[index] = number
    tiles_by_folder: TilesByFolder = {}
    for test_fold in range(folds):
        part_of = [
            own or _part_of_fold(fold, test_fold, settings)
            for own, fold in zip(meant, fold_of, strict=True)
        ]
        for part in PARTS:
            folder = f"{fold_folder(test_fold + 1)}/{part}"
            tiles_by_folder[folder] = _tiles_of(part, units, part_of, settings)
    return tiles_by_folder


def split_folders(settings: SplitSettings) -> list[str]:
    """Name the folders of a split below the dataset: the parts, or the folds."""
    if settings.folds is None:
        return list(PARTS)
    return [fold_folder(fold) for fold in range(1, settings.folds + 1)]


def count_pixels(tiles: Sequence[Tile]) -> tuple[float, float]:
    """Count labelled and foreground pixels, without augmented copies unless there are no others."""
    originals = _originals(tiles)
    return (
        sum(float(tile.labelled_pixels) for tile in originals),
        sum(tile.labelled_pixels * tile.foreground_share for tile in originals),
    )


def count_classes(tiles: Sequence[Tile], classes: int) -> NDArray[np.int64]:
    """Count the labelled pixels of each class of more than two, as `count_pixels`.

    A manifest of an earlier version has no such counts, which are 0 then.
    """
    known = [tile.class_pixels for tile in _originals(tiles) if tile.class_pixels]
    return np.asarray(np.array([(0,) * classes, *known], np.int64).sum(axis=0), np.int64)


def _originals(tiles: Sequence[Tile]) -> Sequence[Tile]:
    return [tile for tile in tiles if not tile.augmentation] or tiles


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


def _dealt_together(
    units: Sequence[Sequence[Tile]],
    meant: Sequence[Part | None],
    source_of: Mapping[str, int],
    least: int,
) -> list[list[int]]:
    """List the units that are dealt by themselves: those of a source, if there are enough.

    Sources with fewer units than `least` are dealt together, with the first of the others if need
    be: each of three orthophotos may be a source.
    """
    of_source: dict[int, list[int]] = {}
    for index, unit in enumerate(units):
        if meant[index] is None:
            of_source.setdefault(source_of.get(unit[0].scene, 0), []).append(index)
    enough = [indices for indices in of_source.values() if len(indices) >= least]
    few = [index for indices in of_source.values() if len(indices) < least for index in indices]
    if not few:
        return enough
    if len(few) < least and enough:
        return [sorted([*enough[0], *few]), *enough[1:]]
    return [*enough, few]


def _meant_parts(
    profile: Profile, units: Sequence[Sequence[Tile]], source_of: Mapping[str, int]
) -> list[Part | None]:
    """Return the part that the source of a unit is meant for, None where it is dealt.

    Raises:
        DataError: a unit has scenes of sources that are meant for different parts.
    """
    meant: list[Part | None] = []
    for unit in units:
        scenes = sorted({tile.scene for tile in unit})
        sources = {scene: profile.sources[source_of.get(scene, 0)] for scene in scenes}
        part_of = {scene: source.part for scene, source in sources.items() if source.part}
        parts = sorted(set(part_of.values()))
        if len(parts) > 1:
            pair = [next(scene for scene in part_of if part_of[scene] == part) for part in parts]
            raise DataError(
                f"{pair[0]} and {pair[1]} must stay together, but source.part puts their sources "
                f"into {parts[0]} and {parts[1]}; give both sources the same part"
            )
        meant.append(parts[0] if parts else None)
    return meant


def _parts_of(units: Sequence[Sequence[Tile]], settings: SplitSettings) -> list[Part]:
    """Assign units to the three parts: as the profile names them, the rest by shares."""
    named = {name: part for part in PARTS for name in settings.names(part)}
    part_of = [named.get(unit[0].scene) for unit in units]
    unnamed = [index for index, part in enumerate(part_of) if part is None]
    open_parts = [part for part in PARTS if settings.share(part) > 0.0]
    if len(unnamed) < len(open_parts) or (unnamed and not open_parts):
        raise DataError(_too_few([units[index] for index in unnamed], open_parts, settings))
    if unnamed:
        shares = [settings.share(part) for part in PARTS]
        parts = assign(_sizes(units)[unnamed], shares, settings.seed)
        for index, part in zip(unnamed, parts, strict=True):
            part_of[index] = PARTS[part]
    return [part for part in part_of if part is not None]


def _folds_of(units: Sequence[Sequence[Tile]], folds: int, settings: SplitSettings) -> list[int]:
    """Assign units to folds of equal shares, counted from 0."""
    if len(units) < folds:
        raise DataError(_too_few(units, [f"{folds} folds"], settings))
    return [int(fold) for fold in assign(_sizes(units), [1.0] * folds, settings.seed)]


def _part_of_fold(fold: int, test_fold: int, settings: SplitSettings) -> Part:
    """Return what a fold serves as while `test_fold` is held out; all folds count from 0."""
    if fold == test_fold:
        return "test"
    is_valid = settings.fold_valid and fold == (test_fold + 1) % (settings.folds or 1)
    return "valid" if is_valid else "train"


def _tiles_of(
    part: Part,
    units: Sequence[Sequence[Tile]],
    part_of: Sequence[Part | None],
    settings: SplitSettings,
) -> list[Tile]:
    """List the tiles of a part; augmented copies are for training, unless tiles are assigned."""
    with_copies = part == "train" or settings.by == "tile"
    return [
        tile
        for unit, part_of_unit in zip(units, part_of, strict=True)
        if part_of_unit == part
        for tile in unit
        if with_copies or not tile.augmentation
    ]


def _sizes(units: Sequence[Sequence[Tile]]) -> Sizes:
    """Count the labelled pixels of each unit, and those of each class but the first.

    Returns:
        (units, classes); of two classes the second is the foreground.
    """
    classes = max((len(tile.class_pixels) for unit in units for tile in unit), default=0)
    if not classes:
        return np.array([count_pixels(unit) for unit in units], np.float64).reshape(-1, 2)
    counts = [[count_pixels(unit)[0], *count_classes(unit, classes)[1:]] for unit in units]
    return np.array(counts, np.float64).reshape(-1, classes)


def _too_few(units: Sequence[Sequence[Tile]], parts: Sequence[str], settings: SplitSettings) -> str:
    scenes = len({tile.scene for unit in units for tile in unit})
    if not parts:
        return f"{scenes} scenes are in no part: name them in the profile's split, or give a share"
    what = counted(scenes, "scene")
    if len(units) < scenes:
        what = f"{counted(len(units), 'group')} of {what}"
    return (
        f"{what} cannot be split into {', '.join(parts)}; {_remedy(settings, len(units) < scenes)}"
    )


def _remedy(settings: SplitSettings, are_tied: bool) -> str:
    if settings.block is None:
        return "add scenes or ask for fewer parts, or divide large scenes by split.block"
    if are_tied:
        return (
            "foreground across edges, or ground shown twice, ties blocks together:\nmake "
            "split.block smaller, or let edges cut objects in two by --set split.by=scene"
        )
    return "make split.block smaller"


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
