"""The record of `split`: the scenes of each part, and the pairs that share ground."""

from collections.abc import Mapping
from typing import Any

from landslide_cli.core.parts import Part
from landslide_cli.dataset.files import SPLIT_RECORD
from landslide_cli.dataset.groups import Evidence
from landslide_cli.profile import Profile
from landslide_cli.records import read_json


def scene_names(profile: Profile, part: Part) -> list[str] | None:
    """Return the scenes that the split assigned to a part; None where it assigned no scenes."""
    result = _split_result(profile)
    if result.get("by") == "tile":
        return None
    try:
        parts = result["scenes"] if profile.fold is None else result["folds"][profile.fold - 1]
        return list(parts[part])
    except (KeyError, IndexError, TypeError):
        return None


def groups_of(profile: Profile) -> dict[str, str]:
    """Return the group of each scene, named after the group's first scene."""
    groups = _split_result(profile).get("groups", [])
    return {name: group["scenes"][0] for group in groups for name in group["scenes"]}


def shared_ground(profile: Profile) -> list[Evidence]:
    """Return the pairs of scenes that the split kept together, with the evidence."""
    groups = _split_result(profile).get("groups", [])
    return [Evidence.of(evidence) for group in groups for evidence in group["evidence"]]


def _split_result(profile: Profile) -> Mapping[str, Any]:
    """Return the recorded result; empty where another tool split the dataset."""
    document = read_json(profile.dataset / SPLIT_RECORD) or {}
    result = document.get("result", {})
    return result if isinstance(result, dict) else {}
