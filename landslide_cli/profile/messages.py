"""What is wrong with a profile: the place, the key, what is allowed, and the nearest valid key."""

import difflib
import json
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel

from landslide_cli.errors import listed
from landslide_cli.profile.model import ARCHITECTURES, EXTERNAL, network_settings
from landslide_cli.profile.networks import FUNCTION_PATH
from landslide_cli.profile.profile import FOLDER_NAME, Profile
from landslide_cli.profile.source import TEXT_NAME

Key = tuple[str | int, ...]

_MOST_DIGITS = 9  # of a position in a list

# What a value should be, by Pydantic's name of the mistake; in braces is what Pydantic knows of it.
_SHOULD_BE = {
    "model_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "list_type": "a list",
    "tuple_type": "a list",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "text",
    "greater_than": "greater than {gt:.15g}",
    "greater_than_equal": "greater than or equal to {ge:.15g}",
    "less_than": "less than {lt:.15g}",
    "less_than_equal": "less than or equal to {le:.15g}",
    "literal_error": "{expected}",
    "too_short": "a list that is not empty",
    "too_long": "a list of {max_length} items at most",
    "string_too_short": "text that is not empty",
    "string_too_long": "text of at most {max_length} characters",
}

# The same for texts of a pattern.
_OF_PATTERN = {
    FOLDER_NAME: "letters of English, digits, '.', '_' and '-', a letter or digit first",
    FUNCTION_PATH: f"modules and a function of theirs, as in {EXTERNAL}",
    TEXT_NAME: "letters, digits, spaces and any of _ . ( ) + -, a letter or digit first",
}


def explain(problems: list[Any], document: dict[str, Any], places: dict[Key, str]) -> str:
    """Describe the first problem of a profile, and name the other wrong keys.

    Args:
        problems: as Pydantic lists them.
        document: the profile's values.
        places: file and line, or override, of each key.
    """
    # A misspelt key is the cause, and the key that is missing for it the effect.
    problems.sort(key=lambda problem: problem["type"] == "missing")
    # A key that takes several types has a problem with each of them.
    alike: dict[Key, list[Any]] = {}
    for problem in problems:
        alike.setdefault(_key_of(problem), []).append(problem)
    # Where an item of a list is wrong, it is no matter that the key also takes something else.
    above = {key[:length] for key in alike for length in range(len(key))}
    alike = {key: same_key for key, same_key in alike.items() if key not in above} or alike
    first, *rest = alike
    message = _describe(alike[first], document, places)
    if rest:
        message += f"\nalso wrong: {listed([dotted(key) for key in rest])}"
    return message


def _describe(problems: Sequence[Any], document: dict[str, Any], places: dict[Key, str]) -> str:
    problem = problems[0]
    key = _key_of(problem)
    place = next(
        places[key[:length]] for length in range(len(key), -1, -1) if key[:length] in places
    )
    if problem["type"] == "extra_forbidden":
        return f"{place}: {_unknown_key(key, document)}"
    if problem["type"] == "missing":
        return f"{place}: {dotted(key)} is missing"
    if problem["type"] == "profile":
        return f"{place}: {dotted(key)} {problem['msg']}"
    value = shown(json.dumps(value_at(document, key), ensure_ascii=False))
    if problem["type"] == "union_tag_invalid":
        return f"{place}: {dotted(key)} is {value}; it should be {' or '.join(ARCHITECTURES)}"
    allowed = " or ".join(dict.fromkeys(map(_should_be, problems)))
    return f"{place}: {dotted(key)} is {value}; it should be {allowed}"


def _should_be(problem: Any) -> str:
    """Say what a value should be, in words of our own whatever Pydantic says."""
    context = problem.get("ctx") or {}
    if problem["type"] == "string_pattern_mismatch":
        return _OF_PATTERN.get(context.get("pattern", ""), "text of another form")
    template = _SHOULD_BE.get(problem["type"])
    return "as docs/profile.md describes it" if template is None else template.format(**context)


def _key_of(problem: Any) -> Key:
    if problem["type"] == "profile":
        return parse_key(problem["ctx"]["key"])
    parts = problem["loc"]
    # An unknown key may be called like a type.
    names = 1 if problem["type"] == "extra_forbidden" else 0
    end = len(parts) - names
    key = (*(part for part in parts[:end] if not _is_type(part)), *parts[end:])
    if key[:1] == ("model",):
        # Pydantic says after it which architecture's settings it has compared with.
        key = key[:1] + key[2:]
    return (*key, "architecture") if problem["type"] == "union_tag_invalid" else key


def _is_type(part: str | int) -> bool:
    """Tell the name of a type, with which Pydantic says which of several a problem is about."""
    named = "constrained-", "list[", "literal[", "SourceSettings", "ClassFieldSettings"
    return isinstance(part, str) and (part in ("float", "str") or part.startswith(named))


def _unknown_key(key: Key, document: dict[str, Any]) -> str:
    *section, name = key
    fields = _model_at(tuple(section), document).model_fields
    valid = [field.alias or name for name, field in fields.items()]
    where = f"in {dotted(tuple(section))}" if section else "in a profile"
    near = difflib.get_close_matches(str(name)[:80], valid, n=1, cutoff=0.6)
    if near:
        return f"unknown key '{shown(str(name))}' {where}; did you mean '{near[0]}'?"
    return f"unknown key '{shown(str(name))}' {where}; there are {listed(valid, most=20)}"


def _model_at(section: Key, document: dict[str, Any]) -> type[BaseModel]:
    """Find the settings class of a section, through lists and optional values."""
    if section == ("model",):
        return network_settings(document["model"])
    model: type[BaseModel] = Profile
    for part in section:
        if isinstance(part, str):
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            model = _model_in(fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for arg in get_args(annotation) if (model := _model_in(arg))), None)


def value_at(document: Any, key: Key) -> Any:
    """Return the value at a key, None if there is none."""
    for part in key:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document


def parse_key(text: str) -> Key:
    """Read a key with dots between its parts; whole numbers are positions in a list."""
    return tuple(
        int(part) if part.isdecimal() and len(part) < _MOST_DIGITS else part
        for part in text.split(".")
    )


def dotted(key: Key) -> str:
    """Write a key with dots between its parts."""
    return ".".join(shown(str(part)) for part in key) or "the profile"


def shown(text: str, most: int = 60) -> str:
    """Write a text of a profile within a line: shortened, and nothing that cannot be seen."""
    cut = text if len(text) <= most else f"{text[: most - 3]}..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
