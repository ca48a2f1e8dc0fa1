"""The record of `split`: the scenes of each part, and the pairs that share ground."""

from dataclasses import dataclass, field

from landslide_cli.core.parts import Part
from landslide_cli.dataset.files import SPLIT_RECORD
from landslide_cli.dataset.groups import Evidence, Group
from landslide_cli.documents import restored
from landslide_cli.profile import Profile
from landslide_cli.records import Record


@dataclass(frozen=True)
class _Assigned:
    """Of the recorded result, which scenes are in which part and which belong together."""

    by: str
    scenes: dict[Part, list[str]] = field(default_factory=dict)
    folds: list[dict[Part, list[str]]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)


def scene_names(profile: Profile, part: Part) -> list[str] | None:
    """Return the scenes that the split assigned to a part; None where it assigned no scenes.

    Raises:
        DataError: its record is damaged.
    """
    assigned = _assigned(profile)
    if assigned is None or assigned.by == "tile":
        return None
    if profile.fold is None:
        return assigned.scenes.get(part)
    folds = assigned.folds
    return folds[profile.fold - 1].get(part) if profile.fold <= len(folds) else None


def groups_of(profile: Profile) -> dict[str, str]:
    """Return the group of each scene, named after the group's first scene.

    Raises:
        DataError: the record of the split is damaged.
    """
    assigned = _assigned(profile)
    groups = [] if assigned is None else assigned.groups
    return {name: group.scenes[0] for group in groups for name in group.scenes}


def shared_ground(profile: Profile) -> list[Evidence]:
    """Return the pairs of scenes that the split kept together, with the evidence.

    Raises:
        DataError: the record of the split is damaged.
    """
    assigned = _assigned(profile)
    return [] if assigned is None else [e for group in assigned.groups for e in group.evidence]


def _assigned(profile: Profile) -> _Assigned | None:
    """Return what is recorded; None where another tool split the dataset."""
    path = profile.dataset / SPLIT_RECORD
    record = Record.read(path)
    return None if record is None else restored(_Assigned, record.result, path, others=True)
