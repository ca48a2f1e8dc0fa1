"""Groups of scenes that belong together: with what shows it, and as the user names them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from landslide_cli.errors import DataError
from landslide_cli.imagery.vector.footprints import Transform
from landslide_cli.profile import Profile

Kind = Literal["footprint", "content", "copy", "named"]


@dataclass(frozen=True)
class Evidence:
    """Why two scenes belong together.

    `kind` is "footprint" (they overlap on the ground), "content" (they show the same ground),
    "copy" (one is the other, re-encoded, resized, mirrored or distorted) or "named" (the user says
    so, in `split.groups`). `overlap` is the share of the smaller scene that both show; `transform`
    takes x, y in pixels of the first scene to the second's: ((a, b, c), (d, e, f)) for
    x' = a x + b y + c, y' = d x + e y + f. Found by content, `inliers` distinct features
    agree on it, and `correlation` tells how alike the texture is there, in [-1, 1].
    """

    first: str
    second: str
    kind: Kind
    overlap: float | None = None
    inliers: int | None = None
    transform: Transform | None = None
    mirrored: bool = False
    correlation: float | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Evidence":
        """Read back what was written as JSON, which has no tuples."""
        rows = document["transform"]
        transform = None if rows is None else (tuple(rows[0]), tuple(rows[1]))
        return cls(**{**document, "transform": transform})

    def __str__(self) -> str:
        if self.kind == "named":
            return "the same group in split.groups"
        inliers = f", {self.inliers} inliers" if self.inliers is not None else ""
        alike = f", correlation {self.correlation:.2f}" if self.correlation is not None else ""
        return f"{self.kind}{inliers}{alike}, overlap {self.overlap:.0%}"


@dataclass(frozen=True)
class Group:
    """Scenes that belong together, by name, with what shows it; a lone scene needs no evidence."""

    scenes: list[str]
    evidence: list[Evidence]


def user_groups(profile: Profile, names: Sequence[str]) -> dict[str, str]:
    """Return the group that `split.groups` gives to each of the names; to some it gives none.

    Raises:
        DataError: the file cannot be read, or the pattern is in none of the names.
    """
    pattern = profile.split.pattern
    if pattern is not None:
        found = {name: match.group(1) for name in names if (match := pattern.search(name))}
        if not found:
            raise DataError(f"split.groups: {pattern.pattern} is found in no scene's name")
        return {name: group for name, group in found.items() if group is not None}
    if profile.split.groups is None:
        return {}
    return _read_groups(Path(profile.split.groups), set(names))


def _read_groups(path: Path, names: set[str]) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if not {"scene", "group"} <= set(reader.fieldnames or ()):
                raise ValueError("its columns must be scene and group")
            rows = [(row["scene"], row["group"]) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path}: cannot be read as groups of scenes: {reason}") from None
    groups: dict[str, str] = {}
    for scene, group in rows:
        if not scene or not group:
            raise DataError(f"{path}: every line needs a scene and a group")
        if groups.setdefault(scene, group) != group:
            raise DataError(f"{path}: puts {scene} into two groups, {groups[scene]} and {group}")
    if not groups.keys() & names:
        raise DataError(f"{path}: names none of the scenes, such as {min(names, default='-')}")
    return {scene: group for scene, group in groups.items() if scene in names}
