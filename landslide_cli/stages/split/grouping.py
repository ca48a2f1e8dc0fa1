"""Which scenes show the same ground, and so must never be separated; with the evidence for it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from landslide_cli.dataset.groups import Evidence, Group, user_groups
from landslide_cli.dataset.prepared import scenes_named
from landslide_cli.dataset.scenes import bad_files
from landslide_cli.errors import DataError, LandslideError
from landslide_cli.imagery.overlap import (
    Features,
    MatchSettings,
    enlarged,
    extract,
    find_overlaps,
)
from landslide_cli.imagery.raster.images import read_preview
from landslide_cli.imagery.vector.footprints import footprint_of, overlapping
from landslide_cli.processes import in_processes
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.stages.split.union_find import connected


def find_groups(profile: Profile, names: Sequence[str], reporter: Reporter) -> list[Group]:
    """Find the groups among scenes: by footprint, by content, and by the user's own grouping.

    Args:
        profile: its `source`, `dataset` and `split` are used.
        names: the scenes to group, of the profile's source.
        reporter: shown the progress.

    Raises:
        DataError: scenes or the user's groups cannot be read.
    """
    evidence = [*_same_ground(profile, names, reporter), *_named_alike(profile, names)]
    groups = connected(names, [(one.first, one.second) for one in evidence])
    group_of = {name: index for index, group in enumerate(groups) for name in group}
    return [
        Group(group, [one for one in evidence if group_of[one.first] == index])
        for index, group in enumerate(groups)
    ]


def match_settings(profile: Profile) -> MatchSettings:
    """Return the profile's thresholds of matching by content."""
    return MatchSettings(**profile.split.overlap.model_dump(exclude={"content", "footprint"}))


def features_of_all(
    images: Sequence[Path], profile: Profile, description: str, reporter: Reporter
) -> list[Features]:
    """Extract the features of images, in several processes.

    Raises:
        DataError: images cannot be read; all such are named.
    """
    settings = match_settings(profile)
    jobs = [(image, settings) for image in images]
    done = in_processes(_features_of, jobs, profile.prepare.workers, description, reporter)
    errors = [one for one in done if isinstance(one, str)]
    if errors:
        raise bad_files(errors)
    return [one for one in done if isinstance(one, Features)]


def _features_of(job: tuple[Path, MatchSettings]) -> Features | str:
    path, settings = job
    try:
        preview = read_preview(path, settings.size)
    except LandslideError as error:
        return str(error)
    return enlarged(extract(preview.image, settings), preview.width, preview.height)


def _same_ground(profile: Profile, names: Sequence[str], reporter: Reporter) -> list[Evidence]:
    try:
        scenes = scenes_named(profile, names)
        footprints = [footprint_of(scene.image) for scene in scenes]
    except LandslideError as error:
        if not profile.split.overlap.content:
            return []  # asked to do without the scenes
        raise DataError(
            f"{error}\nsplit looks there for scenes that show the same ground; to do without: "
            "--set split.overlap.content=false"
        ) from None
    found = [
        Evidence(
            names[one.first], names[one.second], "footprint", one.share, transform=one.transform
        )
        for one in overlapping(footprints, profile.split.overlap.footprint)
    ]
    # What lies somewhere is compared by where it lies, unless there are others to compare it with.
    if profile.split.overlap.content and None in footprints:
        images = [scene.image for scene in scenes]
        features = features_of_all(images, profile, "looking for features", reporter)
        with reporter.track("comparing scenes", len(features)) as advance:
            found += _by_content(features, names, match_settings(profile), advance)
    return found


def _by_content(
    features: Sequence[Features],
    names: Sequence[str],
    settings: MatchSettings,
    advance: Callable[[], None],
) -> list[Evidence]:
    return [
        Evidence(
            first=names[one.first],
            second=names[one.second],
            kind=one.kind,
            overlap=one.overlap,
            inliers=one.inliers,
            transform=one.transform,
            mirrored=one.mirrored,
            correlation=one.correlation,
        )
        for one in find_overlaps(features, settings, advance)
    ]


def _named_alike(profile: Profile, names: Sequence[str]) -> list[Evidence]:
    """Link the scenes that the user puts into one group, each to the group's first."""
    first_of: dict[str, str] = {}
    group_of = user_groups(profile, names)
    links = [
        (first_of.setdefault(group_of[name], name), name) for name in names if name in group_of
    ]
    return [Evidence(first, name, "named") for first, name in links if first != name]
