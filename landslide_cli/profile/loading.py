"""Reading a profile: a YAML file, overrides from the command line, and a check of both."""

import codecs
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from landslide_cli.errors import ProfileError
from landslide_cli.profile.extending import (
    PACKAGED_NAME,
    PACKAGED_PROFILE,
    is_other_network,
    read_extended,
)
from landslide_cli.profile.messages import Key, dotted, explain, parse_key, shown, value_at
from landslide_cli.profile.profile import Profile
from landslide_cli.profile.yaml12 import (
    MOST_BYTES,
    MOST_LEVELS,
    RefusedYAML,
    dump_yaml,
    is_text,
    parse_yaml,
)

# Removed keys; profiles that have them are still read.
REMOVED_KEYS = (("train", "augment", "recolour"),)

_ARCHITECTURE = ("model", "architecture")


def load_profile(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Profile:
    """Read and check a profile.

    Args:
        path: the YAML file; `landslide` is that of the packaged model, unless there is such a file.
        overrides: `key=value` texts; keys are dotted, values are YAML. Another architecture takes
            the place of the whole `model`, and its other keys are set after that.

    Raises:
        ProfileError: the file cannot be read, or it or an override is not valid; the message
            names file, line, key, what is allowed, and the nearest valid key.
    """
    path = Path(path)
    document, places = read_extended(path, _read)
    places.setdefault((), f"{path}:1")
    parsed = [(*_parse_override(text), text) for text in overrides]
    for key, value, text in sorted(parsed, key=lambda override: override[0] != _ARCHITECTURE):
        if key == ("extends",):
            raise ProfileError(f"{_set(text)}: can only be set in the profile")
        if key == _ARCHITECTURE and is_other_network(document.get("model"), {key[-1]: value}):
            del document["model"]
            places = {k: place for k, place in places.items() if k[:1] != key[:1]}
        _put(document, key, value, text)
        for length in range(1, len(key)):
            places.setdefault(key[:length], _set(text))
        # What the override replaced has no line in the file any more.
        places = {k: place for k, place in places.items() if k[: len(key)] != key}
        places[key] = _set(text)
    return _checked(document, places)


def dump_profile(profile: Profile) -> str:
    """Write every key of a profile, defaults included, as YAML that `load_profile` reads back."""
    document = profile.model_dump(mode="json")
    return dump_yaml(document)


def _read(path: Path) -> tuple[dict[str, Any], dict[Key, int]]:
    try:
        with (_packaged(path) if path.is_dir() or not path.exists() else path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ProfileError(
            f"{path}: no such profile; name a YAML file, or `landslide` for the packaged one"
        ) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ProfileError(f"{path}: the profile cannot be read: {reason}") from None
    text = _decoded(content, path)
    try:
        document, lines = parse_yaml(text)
    except yaml.YAMLError as error:
        line, problem = _problem_of(error, text)
        raise ProfileError(f"{path}:{line}: {problem}") from None
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise ProfileError(f"{path}:1: a profile is a mapping of keys to values")
    return document, lines


def _decoded(content: bytes, path: Path) -> str:
    """Decode the profile; a byte order mark may stand before it."""
    if len(content) > MOST_BYTES:
        reason = f"it has more than {MOST_BYTES // 1000:,} kB"
    elif content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        reason = "it is UTF-16, not UTF-8 text; save it as UTF-8"
    else:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            reason = f"it is not UTF-8 text (line {line}); save it as UTF-8"
    raise ProfileError(f"{path}: the profile cannot be read: {reason}")


def _problem_of(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Return the line of what is wrong with YAML, and what it is."""
    if isinstance(error, yaml.reader.ReaderError):
        character = f"the character U+{ord(text[error.position]):04X} must not be in it"
        return text.count("\n", 0, error.position) + 1, f"not valid YAML: {character}"
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context", None)
    line = 1 if mark is None else mark.line + 1
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if isinstance(error, RefusedYAML):
        return line, problem
    if problem.startswith("but ") and context:
        problem = f"{context}, {problem}"
    if "'\\t'" in problem:
        problem += "; indent by spaces, not tabs"
    return line, f"not valid YAML: {problem}"


def _packaged(path: Path) -> Path:
    """Return the profile in this package where its name is given and there is no such file."""
    is_meant = path.as_posix() in (PACKAGED_NAME, PACKAGED_PROFILE.name, "configs/landslide.yaml")
    return PACKAGED_PROFILE if is_meant else path


def _parse_override(text: str) -> tuple[Key, Any]:
    name, equals, value = text.partition("=")
    key = parse_key(name.strip())
    is_key = all(str(part) for part in key) and len(key) <= MOST_LEVELS and is_text(name)
    if not equals or not is_key:
        raise ProfileError(f"{_set(text)}: write it as key=value, such as train.epochs=3")
    try:
        return key, parse_yaml(value)[0]
    except RefusedYAML as error:
        raise ProfileError(f"{_set(text)}: {error.problem}") from None
    except yaml.YAMLError:
        raise ProfileError(f"{_set(text)}: the value is not valid YAML") from None


def _set(text: str) -> str:
    """Write an override as it was typed, where that is short and can be shown."""
    return f"--set {shown(text, 100)}"


def _put(document: dict[str, Any], key: Key, value: Any, text: str) -> None:
    """Set a dotted key; sections and lists on the way to it that are not there take defaults."""
    holder: Any = document
    default: Any = Profile().model_dump(mode="json")
    for depth, part in enumerate(key):
        last = depth == len(key) - 1
        default = value_at(default, (part,))
        if isinstance(holder, dict):
            if last:
                holder[part] = value
            elif not isinstance(holder.get(part), dict | list):
                holder[part] = default if isinstance(default, list) else {}
        elif isinstance(holder, list) and isinstance(part, int) and part < len(holder):
            if last:
                holder[part] = value
        else:
            raise ProfileError(f"{_set(text)}: there is no {dotted(key[: depth + 1])}")
        holder = holder[part]


def _without_removed(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out keys of earlier versions that have no effect any more: runs have stored them."""
    for path in REMOVED_KEYS:
        document = _without(document, path)
    return document


def _without(document: Any, path: tuple[str, ...]) -> Any:
    name, *inner = path
    if not isinstance(document, dict) or name not in document:
        return document
    if not inner:
        return {key: value for key, value in document.items() if key != name}
    return document | {name: _without(document[name], tuple(inner))}


def _checked(document: dict[str, Any], places: dict[Key, str]) -> Profile:
    document = _without_removed(document)
    try:
        # JSON mode is strict about types and still takes a YAML list for a tuple.
        return Profile.model_validate_json(json.dumps(document))
    except ValidationError as error:
        # A default that follows from a key is not wrong when that key is.
        problems = [
            problem
            for problem in error.errors(include_url=False, include_input=False)
            if problem["type"] != "default_factory_not_called"
        ]
    raise ProfileError(explain(problems, document, places))
