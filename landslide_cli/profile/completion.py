"""What a shell completes after `--set`: keys with their meaning, and values where there are few."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from landslide_cli.profile.profile import Profile

# A meaning is cut to a line: shells show one beside each key.
_LONGEST = 70  # characters


@dataclass(frozen=True)
class KeyHelp:
    """A dotted key, its meaning, and its values where they can be listed."""

    key: str
    meaning: str
    values: tuple[str, ...]


def completions(begun: str) -> list[tuple[str, str]]:
    """Complete a `KEY=VALUE` that was begun; each with the key's meaning.

    Args:
        begun: such as `train.opt`, which is completed to `train.optimizer=`, or
            `train.optimizer=`, which is completed by each value.
    """
    name, equals, _ = begun.partition("=")
    schema = Profile.model_json_schema()
    texts: dict[str, str] = {}
    for known in _keys("", schema, schema):
        if not equals:
            texts[f"{known.key}="] = known.meaning
        elif known.key == name:
            texts |= {f"{name}={value}": known.meaning for value in known.values}
    return [(text, meaning) for text, meaning in texts.items() if text.startswith(begun)]


def _keys(prefix: str, node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[KeyHelp]:
    """Yield the keys of a section and of the sections in it, from the JSON schema."""
    for name, child in node["properties"].items():
        key, kinds = f"{prefix}{name}", [_resolved(kind, schema) for kind in _kinds(child)]
        sections = [kind for kind in kinds if "properties" in kind]
        if len(sections) < len(kinds):
            values = tuple(value for kind in kinds for value in _values(kind))
            meaning = shorten(child.get("description", ""), _LONGEST, placeholder=" ...")
            yield KeyHelp(key, meaning, values)
        for section in sections:
            yield from _keys(f"{key}.", section, schema)


def _kinds(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    kinds: list[Mapping[str, Any]] = node.get("anyOf") or node.get("oneOf") or [node]
    return kinds


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    resolved: Mapping[str, Any] = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return resolved


def _values(kind: Mapping[str, Any]) -> list[str]:
    if kind.get("type") == "boolean":
        return ["true", "false"]
    if kind.get("type") == "null":
        return ["null"]
    values = kind.get("enum") or ([kind["const"]] if "const" in kind else [])
    return [str(value) for value in values]
