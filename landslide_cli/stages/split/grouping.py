"""Groups of scenes that show the same ground and stay together, with the evidence for it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from landslide_cli.dataset.blocks import Blocks, read_blocks
from landslide_cli.dataset.groups import Evidence, Group, user_groups
from landslide_cli.dataset.scenes import Scene, bad_files
from landslide_cli.dataset.sources import scenes_named
from landslide_cli.errors import DataError, LandslideError
from landslide_cli.imagery.overlap import (
    Features,
    MatchSettings,
    enlarged,
    extract,
    find_overlaps,
)
from landslide_cli.imagery.raster.previews import read_preview
from landslide_cli.imagery.vector.footprints import footprint_of, overlapping
from landslide_cli.processes import in_processes
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.stages.split.union_find import connected


def find_groups(
    profile: Profile, names: Sequence[str], source_of: Mapping[str, int], reporter: Reporter
) -> list[Group]:
    """Group scenes by footprint, by content, by event, and as the user groups them.

    Blocks of one scene show different ground: only a landslide across their edge, or the user,
    keeps them together.

    Args:
        profile: its `source`, `dataset` and `split` are used.
        names: the scenes to group, of the profile's source.
        source_of: the position of each one's source.
        reporter: shown the progress.

    Raises:
        DataError: scenes or the user's groups cannot be read.
    """
    blocks = read_blocks(profile)
    scene_of = blocks.scene_of
    undivided = [name for name in names if name not in scene_of]
    evidence = [
        *_of_different_scenes(_shared_ground(profile, names, reporter), scene_of),
        *_same_user_group(profile, names),
        *_same_event(profile, undivided, source_of),
        *_same_landslide(blocks, names),
    ]
    groups = connected(names, [(pair.first, pair.second) for pair in evidence])
    group_of = {name: index for index, group in enumerate(groups) for name in group}
    return [
        Group(group, [pair for pair in evidence if group_of[pair.first] == index])
        for index, group in enumerate(groups)
    ]


def _of_different_scenes(
    evidence: Iterable[Evidence], scene_of: Mapping[str, str]
) -> Iterator[Evidence]:
    """Leave out what is said of two blocks of one scene."""
    for pair in evidence:
        first, second = (scene_of.get(name, name) for name in (pair.first, pair.second))
        if first != second:
            yield pair


def _same_landslide(blocks: Blocks, names: Sequence[str]) -> list[Evidence]:
    """Link the blocks that a landslide lies across."""
    known = set(names)
    return [Evidence(*link, "landslide") for link in blocks.links if known.issuperset(link)]


def match_settings(profile: Profile) -> MatchSettings:
    """Return the profile's settings of the comparison by content."""
    return MatchSettings(**profile.split.overlap.model_dump(exclude={"content", "footprint"}))


def features_of_all(
    images: Sequence[Path], profile: Profile, description: str, reporter: Reporter
) -> list[Features]:
    """Extract the features of images, in several processes.

    Raises:
        DataError: images cannot be read; all of them are named.
    """
    settings = match_settings(profile)
    jobs = [(image, settings) for image in images]
    outcomes = in_processes(_features_of, jobs, profile.prepare.workers, description, reporter)
    errors = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if errors:
        raise bad_files(errors)
    return [outcome for outcome in outcomes if isinstance(outcome, Features)]


def _features_of(job: tuple[Path, MatchSettings]) -> Features | str:
    """Extract the features of an image; return the error message if it cannot be read."""
    path, settings = job
    try:
        preview = read_preview(path, settings.size)
    except LandslideError as error:
        return str(error)
    return enlarged(extract(preview.image, settings), preview.width, preview.height)


def _shared_ground(profile: Profile, names: Sequence[str], reporter: Reporter) -> list[Evidence]:
    """Link scenes that show the same ground, by their footprints or by their content."""
    try:
        # `prepare` has checked them, and what is damaged since is found when it is read.
        scenes = scenes_named(profile, names, checked=False)
        footprints = [footprint_of(scene.image) for scene in scenes]
    except LandslideError as error:
        if not profile.split.overlap.content:
            return []  # without that comparison the scenes are optional
        raise DataError(
            f"{error}\nsplit compares the scenes to find shared ground; to skip that: "
            "--set split.overlap.content=false"
        ) from None
    evidence = [
        Evidence(
            first=names[overlap.first],
            second=names[overlap.second],
            kind="footprint",
            overlap=overlap.share,
            transform=overlap.transform,
        )
        for overlap in overlapping(footprints, profile.split.overlap.footprint)
    ]
    # Where all scenes are georeferenced, their footprints tell everything.
    if profile.split.overlap.content and None in footprints:
        evidence += _same_content(profile, scenes, reporter)
    return evidence


def _same_content(profile: Profile, scenes: Sequence[Scene], reporter: Reporter) -> list[Evidence]:
    """Link scenes that are found to show the same ground by what their images show."""
    images = [scene.image for scene in scenes]
    features = features_of_all(images, profile, "extracting features", reporter)
    sources = [scene.source for scene in scenes]
    steps = len(features) * (1 if len(set(sources)) == 1 else 2)
    with reporter.track("comparing scenes", steps) as advance:
        overlaps = find_overlaps(features, match_settings(profile), advance, sources)
    return [
        Evidence(
            first=scenes[overlap.first].name,
            second=scenes[overlap.second].name,
            kind=overlap.kind,
            overlap=overlap.overlap,
            inliers=overlap.inliers,
            transform=overlap.transform,
            mirrored=overlap.mirrored,
            correlation=overlap.correlation,
        )
        for overlap in overlaps
    ]


def _same_user_group(profile: Profile, names: Sequence[str]) -> list[Evidence]:
    """Link each scene of a user's group to the first scene of the group."""
    first_of: dict[str, str] = {}
    group_of = user_groups(profile, names)
    links = [
        (first_of.setdefault(group_of[name], name), name) for name in names if name in group_of
    ]
    return [Evidence(first, name, "named") for first, name in links if first != name]


def _same_event(
    profile: Profile, names: Sequence[str], source_of: Mapping[str, int]
) -> list[Evidence]:
    """Link each scene of an event to the first scene of the event.

    Blocks are left out: whoever divides the scene of an event wants to learn from a part of it.
    """
    first_of: dict[str, str] = {}
    links = [
        (first_of.setdefault(event, name), name)
        for name in names
        for event in profile.sources[source_of[name]].events
    ]
    return [Evidence(first, name, "event") for first, name in links if first != name]
