"""YAML 1.2 on PyYAML: its numbers and booleans, the line of each key, and no key twice."""

import re
from pathlib import Path
from typing import Any

import yaml

from landslide_cli.errors import ProfileError
from landslide_cli.profile.messages import Key, dotted


class Loader(yaml.SafeLoader):
    """Safe YAML with the numbers and booleans of YAML 1.2: `7e-5` is a number, `no` is a word."""


class Dumper(yaml.SafeDumper):
    """Quotes what `Loader` would not read as text."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Escape Unicode's line breaks, which only double quotes bring back as they were."""
        style = '"' if re.search("[\x85\u2028\u2029]", data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


Dumper.add_representer(str, Dumper.represent_str)


_OTHER_IN_1_1 = (":bool", ":float", ":int")
Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith(_OTHER_IN_1_1)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)
Dumper.yaml_implicit_resolvers = Loader.yaml_implicit_resolvers


def dump_yaml(document: dict[str, Any]) -> str:
    """Write a document as YAML that `parse_yaml` reads back."""
    return str(yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True))


def parse_yaml(text: str) -> tuple[yaml.Node | None, Any]:
    """Parse YAML into its nodes, which know their lines, and the values they stand for."""
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def collect_lines(
    node: yaml.Node | None, key: Key, lines: dict[Key, int], path: Path, seen: set[int]
) -> None:
    """Note the line of every key below `node`, and refuse a repeated key."""
    if id(node) in seen:
        return  # an alias of what has been noted
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            child = (*key, str(name.value))
            line = name.start_mark.line + 1
            if child in lines:
                raise ProfileError(
                    f"{path}:{line}: {dotted(child)} is repeated, first on line {lines[child]}"
                )
            lines[child] = line
            collect_lines(value, child, lines, path, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*key, index)] = value.start_mark.line + 1
            collect_lines(value, (*key, index), lines, path, seen)
