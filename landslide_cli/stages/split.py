"""`landslide split`: whole scenes, never tiles, into train, valid and test."""

import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landslide_cli.core.parts import PARTS, Part
from landslide_cli.errors import DataError
from landslide_cli.imagery.dataset import IMAGES, MANIFEST, MASKS, TILES, Tile, read_manifest
from landslide_cli.imagery.raster import image_suffix
from landslide_cli.outputs import replace_folder, scratch_folder
from landslide_cli.profile import Profile
from landslide_cli.records import Step, refuse_foreign
from landslide_cli.reporting import Reporter, SilentReporter, Table
from landslide_cli.stages import prepare

RECORD = "split.json"


@dataclass(frozen=True)
class SplitResult:
    """The scenes of each part by name, and how many tiles and augmented copies it holds."""

    dataset: Path
    scenes: dict[Part, list[str]]
    tiles: dict[Part, int]
    augmented: dict[Part, int]
    unchanged: bool = False

    def headline(self) -> str:
        """Say what was made, or that nothing had to be."""
        made = "unchanged since they were made" if self.unchanged else "made"
        return f"train, valid and test {made}: {self.dataset}"

    def tables(self) -> Sequence[Table]:
        """Show the parts."""
        rows = [
            (part, f"{len(self.scenes[part])}", f"{self.tiles[part]}", f"{self.augmented[part]}")
            for part in PARTS
        ]
        return [Table("parts", ["part", "scenes", "tiles", "augmented copies"], rows)]

    def document(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self) | {"dataset": str(self.dataset)}


def split(
    profile: Profile,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> SplitResult:
    """Deal the dataset's scenes out to the three parts, and link their tiles there.

    Augmented copies go to train only: a score is for imagery as it was taken.

    Args:
        profile: its `split` and `dataset` are used.
        limit: take only the first scenes of the manifest, by name.
        overwrite: split again even if the parts are there.
        reporter: shown the progress.

    Raises:
        ChangedError: there are parts made from other tiles or settings.
        DataError: there are no tiles, or too few scenes for the parts.
    """
    reporter = reporter or SilentReporter()
    dataset = profile.dataset
    tiles = read_manifest(dataset / TILES)
    settings = profile.settings("split", "bands") | {"limit": limit}
    # The manifest names the tiles; what they were cut from stands in the record of `prepare`.
    files = [dataset / TILES / name for name in (MANIFEST, prepare.RECORD)]
    step = Step.of(dataset / RECORD, settings, [path for path in files if path.exists()])
    finished = step.finished_before("split", overwrite)
    if finished is not None:
        return SplitResult(**{**finished, "dataset": dataset, "unchanged": True})
    if not (dataset / RECORD).exists():
        refuse_foreign([dataset / part for part in PARTS], overwrite)
    scenes = sorted({tile.scene for tile in tiles})[:limit]
    shares = {part: getattr(profile.split, part) for part in PARTS}
    parts = deal(scenes, shares, profile.split.seed)
    chosen = {part: list(_tiles_of(parts[part], tiles, part)) for part in PARTS}
    result = SplitResult(
        dataset=dataset,
        scenes=parts,
        tiles={part: sum(not tile.augmentation for tile in chosen[part]) for part in PARTS},
        augmented={part: sum(bool(tile.augmentation) for tile in chosen[part]) for part in PARTS},
    )
    with scratch_folder(dataset / "split") as scratch:
        _link_all(chosen, dataset / TILES, scratch, image_suffix(profile.bands), reporter)
        # The record goes first and comes back last: without it the parts are not finished.
        (dataset / RECORD).unlink(missing_ok=True)
        for part in PARTS:
            replace_folder(scratch / part, dataset / part)
    step.finish(result.document())
    return result


def deal(scenes: Sequence[str], shares: Mapping[Part, float], seed: int) -> dict[Part, list[str]]:
    """Deal scenes out at random so that the parts have their shares, to the nearest scene.

    A part with a share gets a scene at least.

    Args:
        scenes: their names; the order matters.
        shares: the part's share of the scenes; together 1.
        seed: fixes the result.

    Returns:
        The names of each part, sorted; together exactly `scenes`.

    Raises:
        DataError: there are fewer scenes than parts with a share.
    """
    wanted = [part for part in PARTS if shares[part] > 0.0]
    if len(scenes) < len(wanted):
        raise DataError(
            f"{len(scenes)} scenes cannot be split into {', '.join(wanted)}; "
            "add scenes, raise --limit, or set a share to 0"
        )
    sizes = {part: max(1, math.floor(shares[part] * len(scenes))) for part in wanted}

    def excess(part: Part) -> float:
        return sizes[part] - shares[part] * len(scenes)

    while sum(sizes.values()) > len(scenes):
        sizes[max((part for part in wanted if sizes[part] > 1), key=excess)] -= 1
    while sum(sizes.values()) < len(scenes):
        sizes[min(wanted, key=excess)] += 1
    order = np.random.default_rng(seed).permutation(len(scenes))
    parts: dict[Part, list[str]] = {part: [] for part in PARTS}
    start = 0
    for part in wanted:
        parts[part] = sorted(scenes[i] for i in order[start : start + sizes[part]])
        start += sizes[part]
    return parts


def _tiles_of(scenes: Sequence[str], tiles: Sequence[Tile], part: Part) -> Iterator[Tile]:
    mine = set(scenes)
    return (t for t in tiles if t.scene in mine and (part == "train" or not t.augmentation))


def _link_all(
    chosen: Mapping[Part, Sequence[Tile]],
    source: Path,
    target: Path,
    suffix: str,
    reporter: Reporter,
) -> None:
    with reporter.track("linking tiles", sum(map(len, chosen.values()))) as advance:
        for part, tiles in chosen.items():
            for folder in (IMAGES, MASKS):
                (target / part / folder).mkdir(parents=True)
            for tile in tiles:
                for folder, name in ((IMAGES, tile.tile + suffix), (MASKS, f"{tile.tile}.png")):
                    _link(source / folder / name, target / part / folder / name)
                advance()


def _link(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it where the file system has no hard links."""
    if not source.is_file():
        raise DataError(f"{source}: is in the manifest but not there; run `landslide prepare`")
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
