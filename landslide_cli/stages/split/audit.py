"""`landslide split --audit`: leakage between the parts of a dataset, whichever tool made them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from landslide_cli.core.parts import PARTS, Part
from landslide_cli.dataset.finding import images_in
from landslide_cli.dataset.groups import user_groups
from landslide_cli.dataset.tiles import IMAGES, TILES, read_manifest
from landslide_cli.errors import DataError
from landslide_cli.imagery.overlap import Features, find_leaks
from landslide_cli.imagery.vector.footprints import Footprint, footprint_of, overlapping
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, Result, SilentReporter, Table
from landslide_cli.stages.split.grouping import features_of_all, match_settings

LeakKind = Literal["copy", "content", "footprint", "scene"]

# The strongest evidence first; "scene" relies on the names alone.
LEAK_KINDS: tuple[LeakKind, ...] = get_args(LeakKind)

# Leaks in the table; the JSON document has all of them.
_LISTED = 20

# A tile's name as `landslide prepare` writes it: scene, offset, and augmentation of a copy.
_TILE_NAME = re.compile(r"(.+)_r\d{5,}_c\d{5,}(?:_.+)?")


@dataclass(frozen=True)
class Leak:
    """An item of the test or validation set that shows the ground of an item of another part.

    That part is `found_in`: training or, for test items, validation. `kind` is the strongest
    evidence: "copy" (re-encoded, resized, mirrored or distorted), "content" (the same ground in
    part), "footprint" (overlap by georeference) or "scene" (tiles of one scene, by their names).
    `inliers` counts the matched features that agree; `overlap` is the share of the smaller image
    that both show.
    """

    item: str
    part: Part
    shown_by: str
    found_in: Part
    kind: LeakKind
    inliers: int | None = None
    overlap: float | None = None
    mirrored: bool = False


@dataclass(frozen=True)
class AuditResult(Result):
    """The leaking items, and the share of the test and validation sets without a leak, in [0, 1].

    `clean` is the share of items that show no ground of the training set, `apart` the share of test
    items that show none of the validation set either.
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
        if not self.leaks:
            return f"no leak found in {self.dataset}"
        shares = [f"{share:.0%} of {part} is clean" for part, share in self.clean.items()]
        return f"{self.dataset} leaks: {', '.join(reversed(shares))}"

    def tables(self) -> Sequence[Table]:
        """Return the counts by evidence, and the first leaks."""
        counts = [
            self._counts(part, found_in)
            for part, found_in in (("valid", "train"), ("test", "train"), ("test", "valid"))
            if part in self.items and found_in in self.items
        ]
        heads = ["ground of", "items", "leaking", *LEAK_KINDS]
        rows = [
            (leak.item, leak.part, leak.shown_by, leak.found_in, _evidence(leak))
            for leak in self.leaks[:_LISTED]
        ]
        more = len(self.leaks) - len(rows)
        title = "leaks" if more <= 0 else f"first leaks; --json lists {more} more"
        columns = ["item", "part", "shows ground of", "in", "evidence"]
        return [Table("audit", heads, counts), *([Table(title, columns, rows)] if rows else [])]

    def _counts(self, part: Part, found_in: Part) -> list[str]:
        leaks = [leak for leak in self.leaks if (leak.part, leak.found_in) == (part, found_in)]
        kinds = [leak.kind for leak in leaks]
        by_kind = [f"{kinds.count(kind)}" for kind in LEAK_KINDS]
        return [f"{part} in {found_in}", f"{self.items[part]}", f"{len(leaks)}", *by_kind]


def audit(
    profile: Profile, *, limit: int | None = None, reporter: Reporter | None = None
) -> AuditResult:
    """Find test and validation items that show ground of the training set, or test of validation.

    Nothing is written. Items are images of any tool: scenes or tiles, augmented or not. They are
    compared by content, which finds mirrored and smoothly distorted copies; by footprint where they
    are georeferenced; and by scene, as far as the manifest, `split.groups` or the tile names that
    `prepare` gives tell it.

    Args:
        profile: its `dataset`, `fold`, `split.overlap` and `split.groups` are used.
        limit: use only the first images of each part, by name.
        reporter: shown the progress.

    Raises:
        DataError: there is no training set, or nothing to compare it with, or an image cannot be
            read.
    """
    reporter = reporter or SilentReporter()
    images = _images(profile, limit)
    files = [path for part in images for path in images[part]]
    traits = _traits(files, profile, reporter)
    leaks: list[Leak] = []
    for part, found_in in (("test", "train"), ("test", "valid"), ("valid", "train")):
        if part in images and found_in in images:
            pair = _Pair(profile, part, images[part], found_in, images[found_in])
            leaks += pair.leaks(traits, reporter)
    held_out = [part for part in images if part != "train"]
    return AuditResult(
        dataset=profile.parts_folder,
        items={part: len(paths) for part, paths in images.items()},
        leaks=leaks,
        clean={part: _clean(leaks, part, images[part], ("train",)) for part in held_out},
        apart=_clean(leaks, "test", images["test"], ("train", "valid"))
        if "test" in images
        else None,
    )


def _images(profile: Profile, limit: int | None) -> dict[Part, list[Path]]:
    folders = {part: profile.parts_folder / part / IMAGES for part in PARTS}
    images = {part: images_in(path)[:limit] for part, path in folders.items() if path.is_dir()}
    images = {part: paths for part, paths in images.items() if paths}
    if "train" not in images or len(images) == 1:
        missing = [str(folder) for part, folder in folders.items() if part not in images]
        raise DataError(
            f"{missing[0]}: no images; the dataset to audit has train/images and test/images or "
            "valid/images"
        )
    return images


@dataclass(frozen=True)
class _Traits:
    """Features and footprints of the images, and the scenes of the names that tell them.

    There are no features where the profile switches off the comparison by content.
    """

    features: dict[Path, Features]
    footprints: dict[Path, Footprint | None]
    scenes: dict[str, str]


def _traits(files: Sequence[Path], profile: Profile, reporter: Reporter) -> _Traits:
    features: dict[Path, Features] = {}
    if profile.split.overlap.content:
        extracted = features_of_all(files, profile, "extracting features", reporter)
        features = dict(zip(files, extracted, strict=True))
    footprints = {path: footprint_of(path) for path in files}
    return _Traits(features, footprints, _scenes_of(profile, [path.stem for path in files]))


def _clean(
    leaks: Sequence[Leak], part: Part, images: Sequence[Path], sources: Sequence[Part]
) -> float:
    """Return the share of a part's images that show no ground of the `sources`."""
    leaking = {leak.item for leak in leaks if leak.part == part and leak.found_in in sources}
    return 1.0 - len(leaking) / len(images)


@dataclass(frozen=True)
class _Pair:
    """Two parts to compare: `items` of `part` leak if they show ground of `references`."""

    profile: Profile
    part: Part
    items: Sequence[Path]
    found_in: Part
    references: Sequence[Path]

    def leaks(self, traits: _Traits, reporter: Reporter) -> list[Leak]:
        """Return each leaking item with its strongest evidence, by name."""
        leaks = [
            *self._by_content(traits.features, reporter),
            *self._by_footprint(traits.footprints),
            *self._by_scene(traits.scenes),
        ]
        strongest: dict[str, Leak] = {}
        for leak in sorted(leaks, key=_strength):
            strongest.setdefault(leak.item, leak)
        return [strongest[name] for name in sorted(strongest)]

    def _by_content(self, features: Mapping[Path, Features], reporter: Reporter) -> Iterator[Leak]:
        if not features:
            return
        queries = [features[path] for path in self.items]
        references = [features[path] for path in self.references]
        title = f"comparing {self.part} with {self.found_in}"
        with reporter.track(title, len(queries)) as advance:
            matches = find_leaks(queries, references, match_settings(self.profile), advance)
        for match in matches:
            item, reference = self.items[match.first], self.references[match.second]
            kind: LeakKind = match.kind
            yield self._leak(item, reference, kind, match.inliers, match.overlap, match.mirrored)

    def _by_footprint(self, footprints: Mapping[Path, Footprint | None]) -> Iterator[Leak]:
        files = [*self.items, *self.references]
        in_order = [footprints[path] for path in files]
        for overlap in overlapping(in_order, self.profile.split.overlap.footprint):
            if overlap.first < len(self.items) <= overlap.second:
                pair = files[overlap.first], files[overlap.second]
                yield self._leak(*pair, "footprint", None, overlap.share, False)

    def _by_scene(self, scene_of: Mapping[str, str]) -> Iterator[Leak]:
        shown_by = {scene_of[path.stem]: path for path in self.references if path.stem in scene_of}
        for item in self.items:
            reference = shown_by.get(scene_of.get(item.stem, ""))
            if reference is not None:
                yield self._leak(item, reference, "scene", None, None, False)

    def _leak(
        self,
        item: Path,
        reference: Path,
        kind: LeakKind,
        inliers: int | None,
        overlap: float | None,
        mirrored: bool,
    ) -> Leak:
        return Leak(
            item.stem,
            self.part,
            shown_by=reference.stem,
            found_in=self.found_in,
            kind=kind,
            inliers=inliers,
            overlap=overlap,
            mirrored=mirrored,
        )


def _strength(leak: Leak) -> tuple[int, int]:
    """Return the sort key of the evidence, the strongest first."""
    return LEAK_KINDS.index(leak.kind), -(leak.inliers or 0)


def _scenes_of(profile: Profile, names: Sequence[str]) -> dict[str, str]:
    """Return the scene, or the user's group, of each name that tells it."""
    groups = user_groups(profile, names) if profile.split.pattern is not None else {}
    try:
        manifest = {tile.tile: tile.scene for tile in read_manifest(profile.dataset / TILES)}
    except DataError:
        manifest = {}
    by_name = {name: match.group(1) for name in names if (match := _TILE_NAME.fullmatch(name))}
    return by_name | manifest | groups


def _evidence(leak: Leak) -> str:
    if leak.kind == "scene":
        return "tiles of one scene, by name"
    mirrored = ", mirrored" if leak.mirrored else ""
    inliers = f", {leak.inliers} inliers" if leak.inliers is not None else ""
    return f"{leak.kind}{mirrored}{inliers}, overlap {leak.overlap or 0.0:.0%}"
