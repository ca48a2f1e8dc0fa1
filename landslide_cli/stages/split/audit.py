"""`landslide split --audit`: does a divided dataset, whoever made it, leak from train to test?"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from landslide_cli.core.parts import PARTS, Part
from landslide_cli.dataset.groups import user_groups
from landslide_cli.dataset.scenes import find_files
from landslide_cli.dataset.tiles import IMAGES, TILES, read_manifest
from landslide_cli.errors import DataError
from landslide_cli.imagery.overlap import Features, find_leaks
from landslide_cli.imagery.vector.footprints import Footprint, footprint_of, overlapping
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, Result, SilentReporter, Table
from landslide_cli.stages.split.grouping import features_of_all, match_settings

Kind = Literal["copy", "content", "footprint", "scene"]

# The strongest evidence first; "scene" is by the names alone.
KINDS: tuple[Kind, ...] = ("copy", "content", "footprint", "scene")

# How many leaks are listed for people; the JSON document has all.
_LISTED = 20

# A tile's name as `landslide prepare` writes it: the scene, the offset, and what made a copy of it.
_TILE_NAME = re.compile(r"(.+)_r\d{5,}_c\d{5,}(?:_.+)?")


@dataclass(frozen=True)
class Leak:
    """An item of test or valid that shows ground of an item in an earlier part.

    `kind` is the strongest evidence: "copy" (re-encoded, resized, mirrored or distorted), "content"
    (the same ground in part), "footprint" (they overlap by their georeference) or "scene" (tiles of
    one scene, by their names). `inliers` matched features agree; `overlap` is the share of the
    smaller image that both show.
    """

    item: str
    part: Part
    shown_by: str
    found_in: Part
    kind: Kind
    inliers: int | None = None
    overlap: float | None = None
    mirrored: bool = False


@dataclass(frozen=True)
class AuditResult(Result):
    """Which items leak, and the share of test and valid that does not, in [0, 1].

    `clean` counts the items that show no ground of train; `apart` those of test that show no ground
    of valid either.
    """

    dataset: Path
    items: dict[Part, int]
    leaks: list[Leak]
    clean: dict[Part, float]
    apart: float | None

    @property
    def exit_status(self) -> int:
        """1 if anything leaks."""
        return 1 if self.leaks else 0

    def headline(self) -> str:
        """Say whether the dataset leaks."""
        if not self.leaks:
            return f"no leak found: {self.dataset}"
        shares = [f"{share:.0%} of {part} is clean" for part, share in self.clean.items()]
        return f"{self.dataset} leaks: {', '.join(reversed(shares))}"

    def tables(self) -> Sequence[Table]:
        """Show the counts by evidence, and the first leaks."""
        counts = [
            (
                f"{part} in {found_in}",
                f"{self.items[part]}",
                f"{len(mine)}",
                *(f"{sum(leak.kind == kind for leak in mine)}" for kind in KINDS),
            )
            for part, found_in in (("valid", "train"), ("test", "train"), ("test", "valid"))
            if part in self.items and found_in in self.items
            for mine in [self._between(part, found_in)]
        ]
        heads = ["ground of", "items", "leaking", *KINDS]
        rows = [
            (leak.item, leak.part, leak.shown_by, leak.found_in, _evidence(leak))
            for leak in self.leaks[:_LISTED]
        ]
        more = len(self.leaks) - len(rows)
        title = "leaks" if more <= 0 else f"leaks, and {more} more that --json lists"
        columns = ["item", "part", "shows ground of", "in", "evidence"]
        return [Table("audit", heads, counts), *([Table(title, columns, rows)] if rows else [])]

    def _between(self, part: str, found_in: str) -> list[Leak]:
        return [leak for leak in self.leaks if (leak.part, leak.found_in) == (part, found_in)]


def audit(
    profile: Profile, *, limit: int | None = None, reporter: Reporter | None = None
) -> AuditResult:
    """Find the test and valid items whose ground is in train, and test items whose is in valid.

    Only looks; nothing is written. Items are images of any tool, scenes or tiles, augmented or not.
    They are compared by content, mirrored and smoothly distorted copies included; by footprint
    where they are georeferenced; and by their scenes, where the manifest, `split.groups` or names
    as `prepare` gives them tell these.

    Args:
        profile: its `dataset`, `fold`, `split.overlap` and `split.groups` are used.
        limit: take only the first images of each part, by name.
        reporter: shown the progress.

    Raises:
        DataError: there is no train part, or nothing to hold against it, or an image cannot be
            read.
    """
    reporter = reporter or SilentReporter()
    images = _images(profile, limit)
    files = [path for part in images for path in images[part]]
    facts = _facts(files, profile, reporter)
    leaks: list[Leak] = []
    for part, found_in in (("test", "train"), ("test", "valid"), ("valid", "train")):
        if part in images and found_in in images:
            pair = _Pair(profile, part, images[part], found_in, images[found_in])
            leaks += pair.leaks(facts, reporter)
    held_out = [part for part in images if part != "train"]
    return AuditResult(
        dataset=profile.parts_folder,
        items={part: len(some) for part, some in images.items()},
        leaks=leaks,
        clean={part: _clean(leaks, part, images[part], ("train",)) for part in held_out},
        apart=_clean(leaks, "test", images["test"], ("train", "valid"))
        if "test" in images
        else None,
    )


def _images(profile: Profile, limit: int | None) -> dict[Part, list[Path]]:
    folders = {part: profile.parts_folder / part / IMAGES for part in PARTS}
    images = {part: find_files(str(folder))[:limit] for part, folder in folders.items()}
    images = {part: some for part, some in images.items() if some}
    if "train" not in images or len(images) == 1:
        missing = [str(folder) for part, folder in folders.items() if part not in images]
        raise DataError(
            f"{missing[0]}: no images; the dataset to audit has train/images and test/images or "
            "valid/images"
        )
    return images


@dataclass(frozen=True)
class _Facts:
    """What is known of the images: features, footprints, and scenes by the images' names.

    There are no features where the profile does without a comparison by content.
    """

    features: dict[Path, Features]
    footprints: dict[Path, Footprint | None]
    scenes: dict[str, str]


def _facts(files: Sequence[Path], profile: Profile, reporter: Reporter) -> _Facts:
    features: dict[Path, Features] = {}
    if profile.split.overlap.content:
        extracted = features_of_all(files, profile, "looking for features", reporter)
        features = dict(zip(files, extracted, strict=True))
    footprints = {path: footprint_of(path) for path in files}
    return _Facts(features, footprints, _scenes_of(profile, [path.stem for path in files]))


def _clean(
    leaks: Sequence[Leak], part: Part, images: Sequence[Path], parts: Sequence[Part]
) -> float:
    leaking = {leak.item for leak in leaks if leak.part == part and leak.found_in in parts}
    return 1.0 - len(leaking) / len(images)


@dataclass(frozen=True)
class _Pair:
    """Two parts to be compared: items of the one on the ground of the other."""

    profile: Profile
    part: Part
    items: Sequence[Path]
    found_in: Part
    others: Sequence[Path]

    def leaks(self, facts: _Facts, reporter: Reporter) -> list[Leak]:
        """Return each leaking item with its strongest evidence, by name."""
        found = [
            *self._by_content(facts.features, reporter),
            *self._by_footprint(facts.footprints),
            *self._by_scene(facts.scenes),
        ]
        strongest: dict[str, Leak] = {}
        for leak in sorted(found, key=lambda one: (KINDS.index(one.kind), -(one.inliers or 0))):
            strongest.setdefault(leak.item, leak)
        return [strongest[name] for name in sorted(strongest)]

    def _by_content(self, features: Mapping[Path, Features], reporter: Reporter) -> Iterator[Leak]:
        if not features:
            return
        queries = [features[path] for path in self.items]
        references = [features[path] for path in self.others]
        title = f"looking for {self.part} in {self.found_in}"
        with reporter.track(title, len(queries)) as advance:
            matches = find_leaks(queries, references, match_settings(self.profile), advance)
        for one in matches:
            item, other = self.items[one.first], self.others[one.second]
            kind: Kind = one.kind
            yield self._leak(item, other, kind, one.inliers, one.overlap, one.mirrored)

    def _by_footprint(self, footprints: Mapping[Path, Footprint | None]) -> Iterator[Leak]:
        files = [*self.items, *self.others]
        placed = [footprints[path] for path in files]
        for one in overlapping(placed, self.profile.split.overlap.footprint):
            if one.first < len(self.items) <= one.second:
                pair = files[one.first], files[one.second]
                yield self._leak(*pair, "footprint", None, one.share, False)

    def _by_scene(self, scene_of: Mapping[str, str]) -> Iterator[Leak]:
        shown_by = {scene_of[path.stem]: path for path in self.others if path.stem in scene_of}
        for item in self.items:
            other = shown_by.get(scene_of.get(item.stem, ""))
            if other is not None:
                yield self._leak(item, other, "scene", None, None, False)

    def _leak(
        self,
        item: Path,
        other: Path,
        kind: Kind,
        inliers: int | None,
        overlap: float | None,
        mirrored: bool,
    ) -> Leak:
        return Leak(
            *(item.stem, self.part, other.stem, self.found_in, kind), inliers, overlap, mirrored
        )


def _scenes_of(profile: Profile, names: Sequence[str]) -> dict[str, str]:
    """Return the scene, or the user's group, of each name that tells it."""
    own = user_groups(profile, names) if profile.split.pattern is not None else {}
    try:
        manifest = {tile.tile: tile.scene for tile in read_manifest(profile.dataset / TILES)}
    except DataError:
        manifest = {}
    by_name = {name: match.group(1) for name in names if (match := _TILE_NAME.fullmatch(name))}
    return by_name | manifest | own


def _evidence(leak: Leak) -> str:
    if leak.kind == "scene":
        return "tiles of one scene, by name"
    mirrored = ", mirrored" if leak.mirrored else ""
    inliers = f", {leak.inliers} inliers" if leak.inliers is not None else ""
    return f"{leak.kind}{mirrored}{inliers}, overlap {leak.overlap or 0.0:.0%}"
