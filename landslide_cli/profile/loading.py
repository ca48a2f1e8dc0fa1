"""Reading a profile: YAML with line numbers, overrides from the command line, and clear errors."""

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from landslide_cli.errors import ProfileError, listed
from landslide_cli.profile.model import ARCHITECTURES, network_settings
from landslide_cli.profile.profile import Profile
from landslide_cli.weights import FOLDER

# The same as configs/landslide.yaml, for where there is no copy of the project.
PACKAGED_PROFILE = FOLDER / "landslide.yaml"

Key = tuple[str | int, ...]

# Pydantic's kinds of wrong type, in the words of YAML.
_KINDS = {
    "model_type": "a mapping of keys to values",
    "list_type": "a list",
    "tuple_type": "a list",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "too_short": "a list that is not empty",
    "path_type": "text",
}


# Keys that were removed, and are ignored where a stored profile has them.
REMOVED_KEYS = (("train", "augment", "recolour"),)


def load_profile(path: Path, overrides: Sequence[str] = ()) -> Profile:
    """Read and check a profile.

    Args:
        path: the YAML file.
        overrides: `key=value` texts; keys are dotted, values are YAML.

    Raises:
        ProfileError: the file cannot be read, or it or an override is not valid; the message
            names file, line, key, what is allowed, and the nearest valid key.
    """
    document, lines = _read(path)
    places = {key: f"{path}:{line}" for key, line in lines.items()}
    places.setdefault((), f"{path}:1")
    for text in overrides:
        key, value = _parse_override(text)
        _put(document, key, value, text)
        for length in range(1, len(key)):
            places.setdefault(key[:length], f"--set {text}")
        # What the override replaced has no line in the file any more.
        places = {k: place for k, place in places.items() if k[: len(key)] != key}
        places[key] = f"--set {text}"
    return _checked(document, places)


def dump_profile(profile: Profile) -> str:
    """Write every key of a profile, defaults included, as YAML that `load_profile` reads back."""
    document = profile.model_dump(mode="json")
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


class _Loader(yaml.SafeLoader):
    """Safe YAML with the numbers and booleans of YAML 1.2: `7e-5` is a number, `no` is a word."""


class _Dumper(yaml.SafeDumper):
    """Quotes what `_Loader` would not read as text."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Escape Unicode's line breaks, which only double quotes bring back as they were."""
        style = '"' if re.search("[\x85\u2028\u2029]", data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)


_OTHER_IN_1_1 = (":bool", ":float", ":int")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(_OTHER_IN_1_1)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)
_Dumper.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def _read(path: Path) -> tuple[dict[str, Any], dict[Key, int]]:
    try:
        text = (path if path.exists() else _packaged(path)).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProfileError(f"{path}: no such profile; name a YAML file, see configs/") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ProfileError(f"{path}: the profile cannot be read: {reason}") from None
    try:
        node, document = _parse(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ProfileError(f"{place}: not valid YAML: {problem}") from None
    document = {} if node is None else document
    lines: dict[Key, int] = {}
    _collect_lines(node, (), lines, path, set())
    if not isinstance(document, dict):
        raise ProfileError(f"{path}:1: a profile is a mapping of keys to values")
    return document, lines


def _packaged(path: Path) -> Path:
    """Return the profile in this package where its name is given and there is no such file."""
    is_meant = path.as_posix() in ("landslide", PACKAGED_PROFILE.name, "configs/landslide.yaml")
    return PACKAGED_PROFILE if is_meant else path


def _parse(text: str) -> tuple[yaml.Node | None, Any]:
    """Parse YAML into its nodes, which know their lines, and the values they stand for."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _collect_lines(
    node: yaml.Node | None, key: Key, lines: dict[Key, int], path: Path, seen: set[int]
) -> None:
    """Note the line of every key below `node`, and refuse a key that stands twice."""
    if id(node) in seen:
        return  # an alias of what has been noted
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            child = (*key, str(name.value))
            line = name.start_mark.line + 1
            if child in lines:
                raise ProfileError(
                    f"{path}:{line}: {_dotted(child)} stands twice, first on line {lines[child]}"
                )
            lines[child] = line
            _collect_lines(value, child, lines, path, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*key, index)] = value.start_mark.line + 1
            _collect_lines(value, (*key, index), lines, path, seen)


def _parse_override(text: str) -> tuple[Key, Any]:
    name, equals, value = text.partition("=")
    if not equals or not all(name.strip().split(".")):
        raise ProfileError(f"--set {text}: write it as key=value, such as train.epochs=3")
    try:
        _, parsed = _parse(value)
    except yaml.YAMLError:
        raise ProfileError(f"--set {text}: the value is not valid YAML") from None
    parts = name.strip().split(".")
    return tuple(int(part) if part.isdecimal() else part for part in parts), parsed


def _put(document: dict[str, Any], key: Key, value: Any, text: str) -> None:
    """Set a dotted key; sections and lists on the way to it that are not there take defaults."""
    holder: Any = document
    default: Any = Profile().model_dump(mode="json")
    for depth, part in enumerate(key):
        last = depth == len(key) - 1
        default = _value_at(default, (part,))
        if isinstance(holder, dict):
            if last:
                holder[part] = value
            elif not isinstance(holder.get(part), dict | list):
                holder[part] = default if isinstance(default, list) else {}
        elif isinstance(holder, list) and isinstance(part, int) and part < len(holder):
            if last:
                holder[part] = value
        else:
            raise ProfileError(f"--set {text}: there is no {_dotted(key[: depth + 1])}")
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
        return Profile.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        # A default that follows from a key is not wrong when that key is.
        problems = [
            problem
            for problem in error.errors(include_url=False)
            if problem["type"] != "default_factory_not_called"
        ]
    except (TypeError, ValueError, RecursionError) as error:
        raise ProfileError(f"{places[()]}: not a profile: {error}") from None
    # A misspelt key is the cause, and the key that is missing for it the effect.
    problems.sort(key=lambda problem: problem["type"] == "missing")
    # A key that takes several types has a problem with each of them.
    alike: dict[Key, list[Any]] = {}
    for problem in problems:
        alike.setdefault(_key_of(problem), []).append(problem)
    # Where an item of a list is wrong, it is no matter that the key also takes something else.
    alike = {
        key: some
        for key, some in alike.items()
        if not any(other[: len(key)] == key != other for other in alike)
    }
    first, *others = alike
    message = _describe(alike[first], document, places)
    if others:
        message += f"\nalso wrong: {listed([_dotted(key) for key in others])}"
    raise ProfileError(message)


def _describe(problems: Sequence[Any], document: dict[str, Any], places: dict[Key, str]) -> str:
    problem = problems[0]
    key = _key_of(problem)
    place = next(
        places[key[:length]] for length in range(len(key), -1, -1) if key[:length] in places
    )
    if problem["type"] == "extra_forbidden":
        return f"{place}: {_unknown_key(key, document)}"
    if problem["type"] == "missing":
        return f"{place}: {_dotted(key)} is missing"
    if problem["type"] == "profile":
        return f"{place}: {_dotted(key)} {problem['msg']}"
    given = json.dumps(_value_at(document, key), default=str, ensure_ascii=False)
    given = given if len(given) <= 60 else given[:57] + "..."
    if problem["type"] == "union_tag_invalid":
        return f"{place}: {_dotted(key)} is {given}; it should be {' or '.join(ARCHITECTURES)}"
    allowed = [
        _KINDS.get(one["type"]) or one["msg"].removeprefix("Input should be ") for one in problems
    ]
    return f"{place}: {_dotted(key)} is {given}; it should be {' or '.join(allowed)}"


def _key_of(problem: Any) -> Key:
    if problem["type"] == "profile":
        parts = problem["ctx"]["key"].split(".")
        return tuple(int(part) if part.isdecimal() else part for part in parts)
    key = tuple(part for part in problem["loc"] if not _is_type(part))
    if key[:1] == ("model",):
        # Pydantic says after it which architecture's settings it has compared with.
        key = key[:1] + key[2:]
    return (*key, "architecture") if problem["type"] == "union_tag_invalid" else key


def _is_type(part: str | int) -> bool:
    """Tell the name of a type, with which Pydantic says which of several a problem is about."""
    return isinstance(part, str) and part.startswith(("constrained-", "list["))


def _unknown_key(key: Key, document: dict[str, Any]) -> str:
    *section, name = key
    valid = list(_model_at(tuple(section), document).model_fields)
    where = f"in {_dotted(tuple(section))}" if section else "in a profile"
    near = difflib.get_close_matches(str(name), valid, n=1, cutoff=0.6)
    if near:
        return f"unknown key '{name}' {where}; did you mean '{near[0]}'?"
    return f"unknown key '{name}' {where}; there are {listed(valid, most=20)}"


def _model_at(section: Key, document: dict[str, Any]) -> type[BaseModel]:
    """Find the settings class of a section, through lists and optional values."""
    if section == ("model",):
        return network_settings(document["model"])
    model: type[BaseModel] = Profile
    for part in section:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)


def _value_at(document: Any, key: Key) -> Any:
    for part in key:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def _dotted(key: Key) -> str:
    return ".".join(str(part) for part in key) or "the profile"
