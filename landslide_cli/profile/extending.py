"""`extends`: a profile that says only what differs from another one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from landslide_cli.errors import ProfileError
from landslide_cli.profile.messages import Key
from landslide_cli.profile.model import DEFAULT_ARCHITECTURE
from landslide_cli.weights import FOLDER

Read = Callable[[Path], tuple[dict[str, Any], dict[Key, int]]]

# The same as configs/landslide.yaml, for where there is no copy of the project, and its name.
PACKAGED_PROFILE = FOLDER / "landslide.yaml"
PACKAGED_NAME = "landslide"

# What a profile of one's own data says; one that says nothing else extends the packaged profile.
_OWN = frozenset({"name", "dataset", "run", "source", "classes", "foreground"})

_MOST_PROFILES = 8  # one extending the other


def read_extended(path: Path, read: Read) -> tuple[dict[str, Any], dict[Key, str]]:
    """Read a profile, and the profiles that it extends.

    Sections are merged key by key. `source`, `classes` and other lists are replaced as a whole: the
    data of another profile are not one's own. So is a `model` of another architecture.

    Args:
        path: the YAML file.
        read: reads one file, and the line of each of its keys.

    Returns:
        The values, and file and line of each key.

    Raises:
        ProfileError: a file cannot be read, or profiles extend each other.
    """
    return _resolved(path, read, ())


def _resolved(
    path: Path, read: Read, above: tuple[Path, ...]
) -> tuple[dict[str, Any], dict[Key, str]]:
    """Read a profile that those `above` extend, with all below it."""
    document, lines = read(path)
    places = {key: f"{path}:{line}" for key, line in lines.items()}
    base = _base_of(document, path, places)
    own = {key: value for key, value in document.items() if key != "extends"}
    if base is None:
        return own, places
    chain = (*above, path)
    if base in chain or len(chain) == _MOST_PROFILES:
        names = " -> ".join(map(str, [*chain, base]))
        raise ProfileError(f"{places[('extends',)]}: profiles extend each other: {names}")
    below, below_places = _resolved(base, read, chain)
    for section in _replaced(below, own):
        del below[section]
        below_places = {key: place for key, place in below_places.items() if key[:1] != (section,)}
    inherited = {key: place for key, place in below_places.items() if not _is_over(key, own)}
    return _merged(below, own), inherited | places


def _base_of(document: Mapping[str, Any], path: Path, places: Mapping[Key, str]) -> Path | None:
    """Return the profile that one extends, relative to its own folder; None for none."""
    name = document.get("extends")
    if name is None:
        is_own = "source" in document and document.keys() <= _OWN
        return PACKAGED_PROFILE if is_own else None
    if not isinstance(name, str) or not name or "\0" in name:
        raise ProfileError(f"{places[('extends',)]}: extends should be the name of a profile")
    return PACKAGED_PROFILE if name == PACKAGED_NAME else path.parent / Path(name).expanduser()


def _replaced(below: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """List the sections of the profile below of which nothing is left."""
    is_new = {
        "source": "source" in own,
        "model": is_other_network(below.get("model"), own.get("model")),
    }
    return [section for section in below if is_new.get(section, False)]


def is_other_network(settings: Any, others: Any) -> bool:
    """Whether settings of a network name another architecture than those that they would join."""
    if not isinstance(settings, Mapping) or not isinstance(others, Mapping):
        return False
    before = settings.get("architecture", DEFAULT_ARCHITECTURE)
    return bool(others.get("architecture", before) != before)


def _is_over(key: Key, document: Mapping[str, Any]) -> bool:
    """Whether the profile above has something else in the place of a key of the profile below."""
    value: Any = document
    for part in key:
        if not isinstance(value, Mapping):
            return True
        if part not in value:
            return False
        value = value[part]
    return False


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        under = below.get(key)
        are_sections = isinstance(under, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(under, value) if are_sections else value  # type: ignore[arg-type]
    return result
