"""Groups of scenes that stay together: the evidence for them, and the groups that users name."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from landslide_cli.core.arrays import Transform
from landslide_cli.errors import DataError
from landslide_cli.profile import Profile

EvidenceKind = Literal["footprint", "content", "copy", "named", "event", "landslide"]


@dataclass(frozen=True)
class Evidence:
    """Evidence that two scenes belong to one group.

    `kind` is "footprint" (they overlap by georeference), "content" (they show the same ground),
    "copy" (the second is the first re-encoded, resized, mirrored or distorted, or the reverse),
    "named" (`split.groups` says so), "event" (`source.event` does) or "landslide" (one lies across
    the edge between two blocks). `overlap` is the share of the
    smaller scene that both show. `transform` maps x, y in pixels of the first scene to pixels of
    the second: ((a, b, c), (d, e, f)) for x' = a x + b y + c, y' = d x + e y + f. For evidence by
    content, `inliers` counts the distinct features that agree with it, and `correlation` is that of
    the common texture, in [-1, 1].
    """

    first: str
    second: str
    kind: EvidenceKind
    overlap: float | None = None
    inliers: int | None = None
    transform: Transform | None = None
    mirrored: bool = False
    correlation: float | None = None

    def __str__(self) -> str:
        if self.kind == "named":
            return "the same group in split.groups"
        if self.kind == "event":
            return "the same event in source.event"
        if self.kind == "landslide":
            return "a landslide lies across their common edge"
        inliers = f", {self.inliers} inliers" if self.inliers is not None else ""
        texture = f", correlation {self.correlation:.2f}" if self.correlation is not None else ""
        return f"{self.kind}{inliers}{texture}, overlap {self.overlap:.0%}"


@dataclass(frozen=True)
class Group:
    """Names of scenes that stay together, and the evidence; a single scene has none."""

    scenes: list[str]
    evidence: list[Evidence]


def user_groups(profile: Profile, names: Sequence[str]) -> dict[str, str]:
    """Return the group that `split.groups` gives to each scene; scenes without one are left out.

    Raises:
        DataError: the file cannot be read, or the pattern matches no name.
    """
    pattern = profile.split.pattern
    if pattern is not None:
        groups = {name: match.group(1) for name in names if (match := pattern.search(name))}
        if not groups:
            raise DataError(f"split.groups: {pattern.pattern} matches no scene name")
        return {name: group for name, group in groups.items() if group is not None}
    if profile.split.groups is None:
        return {}
    return _read_groups(Path(profile.split.groups), set(names))


def _read_groups(path: Path, names: set[str]) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if not {"scene", "group"} <= set(reader.fieldnames or ()):
                raise ValueError("the columns must be scene and group")
            rows = [(row["scene"], row["group"]) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path}: cannot be read as groups of scenes: {reason}") from None
    groups: dict[str, str] = {}
    for scene, group in rows:
        if not scene or not group:
            raise DataError(f"{path}: every line needs a scene and a group")
        if groups.setdefault(scene, group) != group:
            raise DataError(f"{path}: lists {scene} in two groups, {groups[scene]} and {group}")
    if not groups.keys() & names:
        raise DataError(f"{path}: names none of the scenes, such as {min(names, default='-')}")
    return {scene: group for scene, group in groups.items() if scene in names}
