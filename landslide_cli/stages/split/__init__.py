"""`landslide split`: scenes into train, valid and test, or into folds, without leakage."""

from collections.abc import Sequence
from pathlib import Path

from landslide_cli.core.parts import PARTS, fold_folder
from landslide_cli.dataset.blocks import read_blocks
from landslide_cli.dataset.files import DATASET_LOCK, PREPARE_RECORD, SPLIT_RECORD
from landslide_cli.dataset.sources import changed_since_prepare, source_of_scenes
from landslide_cli.dataset.tiles import (
    IMAGES,
    MANIFEST,
    MASKS,
    TILES,
    Tile,
    link_tile,
    read_manifest,
    tile_suffix,
)
from landslide_cli.errors import DataError, listed
from landslide_cli.locks import refusing
from landslide_cli.outputs import remove_folder, replace_folder, scratch_folder
from landslide_cli.profile import Profile
from landslide_cli.records import Record, Step, refuse_overwrite
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.stages.split.assign_tiles import TilesByFolder, assign_tiles, split_folders
from landslide_cli.stages.split.block_map import map_blocks
from landslide_cli.stages.split.grouping import find_groups
from landslide_cli.stages.split.result import SplitPart, SplitResult, summarise

__all__ = ["SplitPart", "SplitResult", "split"]

# Recorded beside the settings of a split that links no tiles.
_WHOLE = "whole_scenes"


def split(
    profile: Profile,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> SplitResult:
    """Assign the dataset's scenes to the three parts or to folds, and link their tiles there.

    Scenes that share ground form a group, and a group is never separated. Blocks of divided scenes
    are drawn on a map, `blocks.gpkg`, with their parts. Augmented copies go to the training set
    only, so that scores are for imagery as it was taken. Where `prepare` cut no tiles, the record
    alone names the scenes of each part.

    Args:
        profile: its `split`, `source`, `dataset` and `prepare.tile` are used.
        limit: use only the first scenes of the manifest, by name.
        overwrite: split again and replace existing parts.
        reporter: shown the progress, and warned of leakage that the profile asks for.

    Raises:
        BusyError: another process prepares or splits the dataset.
        ChangedError: there are parts of different tiles or settings.
        DataError: there are no tiles, or too few groups for the parts, or the profile names scenes
            of one group under different parts.
        OutputError: a part's folder holds files of another origin, or cannot be written.
    """
    with refusing(profile.dataset / DATASET_LOCK, "split", profile.dataset):
        return _split(profile, limit, overwrite, reporter or SilentReporter())


def _split(profile: Profile, limit: int | None, overwrite: bool, reporter: Reporter) -> SplitResult:
    tiles = read_manifest(profile.dataset / TILES)
    for text in changed_since_prepare(profile):
        reporter.warn(text)
    blocks = read_blocks(profile)
    step = _step(profile, limit, overwrite)
    finished = step.finished_before("split", overwrite)
    if finished is not None:
        return SplitResult.of(finished, profile.dataset)
    names = _scene_names(profile, tiles)[:limit]
    if step.record is None:
        folders = [profile.dataset / folder for folder in _linked_folders(profile)]
        refuse_overwrite(folders, overwrite)
    source_of = source_of_scenes(profile, names)
    groups = find_groups(profile, names, source_of, reporter)
    tiles = [tile for tile in tiles if tile.scene in set(names)]
    tiles_by_folder = assign_tiles(profile, groups, tiles, source_of)
    result = summarise(profile, groups, tiles, tiles_by_folder)
    _warn_of_leakage(result, reporter)
    _warn_of_absent(result, reporter)
    _link_tiles(profile, tiles_by_folder, step.record, reporter)
    map_blocks(profile, blocks, result)
    step.finish(result.document())
    return result


def _step(profile: Profile, limit: int | None, overwrite: bool) -> Step:
    """Describe the step by its settings and its files; the scenes are in the record of `prepare`.

    Raises:
        DataError: the profile's file of groups is missing.
    """
    settings = profile.settings("split", "bands") | {"limit": limit}
    settings |= profile.source_settings("part", "event")
    settings |= {_WHOLE: True} if profile.prepare.tile is None else {}
    tiles = profile.dataset / TILES
    files = [path for path in (tiles / MANIFEST, tiles / PREPARE_RECORD) if path.exists()]
    if profile.split.groups is not None and profile.split.pattern is None:
        path = Path(profile.split.groups)
        if not path.is_file():
            raise DataError(f"{path}: no such file; split.groups names it")
        files.append(path)
    return Step.of(profile.dataset / SPLIT_RECORD, settings, files, overwrite)


def _scene_names(profile: Profile, tiles: Sequence[Tile]) -> list[str]:
    """List the scenes of the dataset.

    Raises:
        DataError: the profile names scenes that the dataset does not have.
    """
    names = sorted({tile.scene for tile in tiles})
    named = {name for part in PARTS for name in profile.split.names(part)}
    unknown = sorted(named - set(names))
    if unknown:
        raise DataError(
            f"the profile's split names {listed(unknown, most=3)}, but the dataset has no such "
            f"scene; it has {listed(names, most=3)}"
        )
    return names


def _linked_folders(profile: Profile) -> list[str]:
    """Name the folders that tiles are linked into."""
    return split_folders(profile.split) if profile.prepare.tile is not None else []


def _folders_of(record: Record | None) -> set[str]:
    """Name the folders that an earlier split wrote."""
    if record is None or _WHOLE in record.settings:
        return set()
    folds = len(record.result.get("folds", []))
    return {fold_folder(fold) for fold in range(1, folds + 1)} if folds else set(PARTS)


def _warn_of_leakage(result: SplitResult, reporter: Reporter) -> None:
    if result.by == "tile":
        separated = "copies of one tile"
    elif result.separated:
        separated = f"{result.separated} pairs of scenes that share ground"
    else:
        return
    reporter.warn(f"split.by: {result.by} separates {separated}: scores will be optimistic")


def _warn_of_absent(result: SplitResult, reporter: Reporter) -> None:
    """Warn of classes that a part does not have: they are not learned, or have no score."""
    for name, folders in result.absent.items():
        reporter.warn(f"no pixel of the class {name} in {listed(folders, most=6)}")


def _link_tiles(
    profile: Profile,
    tiles_by_folder: TilesByFolder,
    previous: Record | None,
    reporter: Reporter,
) -> None:
    """Link tiles into the folders of the parts, and remove the folders of the previous split."""
    dataset, folders = profile.dataset, _linked_folders(profile)
    with scratch_folder(dataset / "split") as scratch:
        if folders:
            suffix = tile_suffix(profile)
            _link_all(tiles_by_folder, dataset / TILES, scratch, suffix, reporter)
        # The record is removed first and written last: without it the split is not finished.
        (dataset / SPLIT_RECORD).unlink(missing_ok=True)
        for folder in folders:
            replace_folder(scratch / folder, dataset / folder)
        for folder in _folders_of(previous) - set(folders):
            remove_folder(dataset / folder)


def _link_all(
    tiles_by_folder: TilesByFolder, source: Path, target: Path, suffix: str, reporter: Reporter
) -> None:
    total = sum(len(tiles) for tiles in tiles_by_folder.values())
    with reporter.track("linking tiles", total) as advance:
        for part, tiles in tiles_by_folder.items():
            for folder in (IMAGES, MASKS):
                (target / part / folder).mkdir(parents=True)
            for tile in tiles:
                link_tile(tile, source, target / part, suffix)
                advance()
