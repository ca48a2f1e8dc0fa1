"""YAML 1.2 on PyYAML: its numbers and booleans, the line of each key, no key twice, and limits.

A text of a few lines can stand for millions of values by aliases, or be nested deeper than any
program can follow: both are refused while they are read, before anything walks them.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from landslide_cli.profile.messages import Key, dotted, shown

# Far more than any profile needs; scenes given by name are the most there is.
MOST_BYTES = 1_000_000
MOST_VALUES = 50_000  # keys count too, and each alias with all that it stands for
MOST_LEVELS = 40
_MOST_DIGITS = 400  # of a whole number

_TAG = "tag:yaml.org,2002:"


class RefusedYAML(yaml.MarkedYAMLError):
    """YAML that a profile must not use; `problem` is a sentence about it."""


class Loader(yaml.SafeLoader):
    """Composes YAML 1.2's nodes: `7e-5` is a number, `no` and `2020-01-01` are words.

    Raises:
        RefusedYAML: the text exceeds the limits of this module.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._levels = self._values = 0
        self._sizes: dict[int, int] = {}  # values that each finished node stands for

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node and all below it, within the limits."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        is_alias = self.check_event(yaml.AliasEvent)
        before, self._levels = self._values, self._levels + 1
        if self._levels > MOST_LEVELS:
            raise _error(f"it is nested more than {MOST_LEVELS} levels deep", mark)
        node = super().compose_node(parent, index)
        self._levels -= 1
        size = self._sizes.get(id(node)) if is_alias else 1
        if size is None:
            raise _error("a value contains itself by an alias", mark)
        self._values += size
        if self._values > MOST_VALUES:
            raise _error(f"it stands for more than {MOST_VALUES:,} values", mark)
        if not is_alias:
            self._sizes[id(node)] = self._values - before
        return node


class Dumper(yaml.SafeDumper):
    """Quotes what `Loader` would not read as text."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Escape Unicode's line breaks, which only double quotes bring back as they were."""
        style = '"' if re.search("[\x85\u2028\u2029]", data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


Dumper.add_representer(str, Dumper.represent_str)


# In YAML 1.2 dates are words, and so is "=".
_OTHER_IN_1_1 = (":bool", ":float", ":int", ":timestamp", ":value")
Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(_OTHER_IN_1_1)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_FLOAT = re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$")
_INT = re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$")
Loader.add_implicit_resolver(f"{_TAG}bool", _BOOL, list("tTfF"))
Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))
Loader.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
Dumper.yaml_implicit_resolvers = Loader.yaml_implicit_resolvers


def dump_yaml(document: dict[str, Any]) -> str:
    """Write a document as YAML that `parse_yaml` reads back."""
    return str(yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True))


def parse_yaml(text: str) -> tuple[Any, dict[Key, int]]:
    """Parse YAML of plain values, lists and mappings; a key overrides a merged one (`<<`).

    Returns:
        The value, and the line of every key below it.

    Raises:
        yaml.YAMLError: the text is no YAML.
        RefusedYAML: it exceeds the limits of this module, or uses what is not taken.
    """
    loader = Loader(text)
    try:
        node = loader.get_single_node()
    finally:
        loader.dispose()
    lines: dict[Key, int] = {}
    return None if node is None else _value(node, (), lines), lines


def is_text(value: str) -> bool:
    """Whether a string is one that files and their names can contain: no NUL, nothing unpaired."""
    return re.search("[\0\ud800-\udfff]", value) is None


def _error(problem: str, mark: yaml.Mark | None) -> RefusedYAML:
    return RefusedYAML(problem=problem, problem_mark=mark)


def _value(node: yaml.Node, key: Key, lines: dict[Key, int]) -> Any:
    """Return what a node stands for, and note the lines of the keys below it."""
    if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
        mapping = {}
        for name, value in _entries(node, key):
            lines[(*key, name.value)] = name.start_mark.line + 1
            mapping[name.value] = _value(value, (*key, name.value), lines)
        return mapping
    if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
        for index, item in enumerate(node.value):
            lines[(*key, index)] = item.start_mark.line + 1
        return [_value(item, (*key, index), lines) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    raise _unknown_tag(node)


def _entries(node: yaml.MappingNode, key: Key) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """Yield the keys of a mapping with their values: its own, then those that it merges."""
    found: dict[str, int] = {}
    merged: list[yaml.Node] = []
    for name, value in node.value:
        mark = name.start_mark
        if not isinstance(name, yaml.ScalarNode):
            raise _error("a key must be text", mark)
        if name.value in found:
            first = f"first on line {found[name.value]}"
            raise _error(f"{dotted((*key, name.value))} is repeated, {first}", mark)
        found[name.value] = mark.line + 1
        if name.tag == f"{_TAG}merge":
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        else:
            _check_text(name)
            yield name, value
    for mapping in merged:
        if not isinstance(mapping, yaml.MappingNode):
            raise _error("<< merges mappings alone", mapping.start_mark)
        for name, value in _entries(mapping, key):
            if name.value not in found:
                found[name.value] = name.start_mark.line + 1
                yield name, value


def _scalar(node: yaml.ScalarNode) -> Any:
    text, kind = node.value, node.tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind in ("str", "merge"):
        _check_text(node)
        return text
    if kind == "bool" and _BOOL.match(text):
        return text.lower() == "true"
    if kind == "int" and _INT.match(text):
        if len(text) > _MOST_DIGITS:
            raise _error(f"a number of {len(text):,} digits is too large", node.start_mark)
        return int(text)
    if kind == "float" and (_FLOAT.match(text) or _INT.match(text)):
        return float(text)
    raise _unknown_tag(node)


def _unknown_tag(node: yaml.Node) -> RefusedYAML:
    tag = shown(node.tag.replace(_TAG, "!!"))
    return _error(f"not valid YAML: the tag {tag} has no meaning; leave it out", node.start_mark)


def _check_text(node: yaml.ScalarNode) -> None:
    if not is_text(node.value):
        raise _error("it contains a character that no text can have", node.start_mark)
