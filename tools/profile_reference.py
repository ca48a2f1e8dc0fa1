"""The reference of the profile: docs/profile.md for people, a JSON schema for editors.

`make reference` writes both from the settings classes, and copies configs/landslide.yaml into the
package; a test compares them with what is there.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from landslide_cli.profile.augment import Kind
from landslide_cli.profile.bands import BandSettings
from landslide_cli.profile.base import Settings
from landslide_cli.profile.extending import PACKAGED_PROFILE
from landslide_cli.profile.model import ARCHITECTURES
from landslide_cli.profile.profile import Profile
from landslide_cli.profile.source import ClassSettings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "profile.md"
PROFILE = ROOT / "configs" / PACKAGED_PROFILE.name
SCHEMA = ROOT / "configs" / "profile.schema.json"

_INTRODUCTION = """\
# Profile reference

*Generated from the settings classes by `make reference`.*

A profile is one YAML file. An unknown key, a wrong type or a value out of range is an error that
names the file, the line, the key and the nearest valid key. Editors with a YAML language server
complete and check profiles by `configs/profile.schema.json`. Relative paths are relative to the
folder in which the command is run.
"""

# The keys of long sections, by topic.
GROUPS = {
    "train.": {
        "Length and batches": "epochs batch accumulate seed",
        "Crops of whole scenes": "crop crops mosaic foreground_share crop_scale crop_rotation "
        "copy_paste paste_light",
        "Optimization": "optimizer learning_rate weight_decay clip_value clip_norm ema "
        "encoder_rate frozen_epochs",
        "Learning-rate schedule": "schedule warmup_epochs final_rate reduce_factor reduce_patience",
        "Loss": "loss class_weights focal_gamma tversky_alpha tversky_beta",
        "Validation": "metrics watch stop_patience",
        "Computation": "precision int8 jit deterministic cache",
        "Output": "checkpoint_minutes preview_scenes tensorboard",
    }
}

# Keys of an entry that are told in one cell of a table.
_MOST_CHILDREN = 8

_WORDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true, false",
}
_HEAD = ["| key | value | default | meaning |", "|---|---|---|---|"]


def reference() -> str:
    """Write the page with the tables of all keys, as Markdown."""
    schema = Profile.model_json_schema()
    return f"{_INTRODUCTION}\n{_section_text('', Profile, schema, schema)}\n"


def schema_text() -> str:
    """Write the JSON schema that editors complete and check profiles with."""
    schema = Profile.model_json_schema()
    return json.dumps(
        {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema, indent=1
    )


def _section_text(prefix: str, model: type[Settings], node: Any, schema: Any) -> str:
    """Write the keys of a section as tables, then the sections in it."""
    rows, sections = {}, []
    for name, field in model.model_fields.items():
        name = field.alias or name  # noqa: PLW2901 - as people write it
        key, child = f"{prefix}{name}", node["properties"][name]
        if name == "model":
            # Its keys depend on the architecture.
            for architecture, settings in ARCHITECTURES.items():
                own = _resolved({"$ref": f"#/$defs/{settings.__name__}"}, schema)
                text = _section_text(f"{key}.", settings, own, schema)
                head = f"## `{key}`, `architecture: {architecture}`"
                sections.append(f"{head}\n\n{settings.__doc__}\n\n{text}")
            continue
        if name == "bands" and not prefix:
            own = _resolved({"$ref": f"#/$defs/{BandSettings.__name__}"}, schema)
            text = _section_text("bands.N.", BandSettings, own, schema)
            sections.append(f"## `bands`, an entry\n\n{BandSettings.__doc__}\n\n{text}")
        inner = _section(field)
        if inner is None:
            meaning = _in_a_table(str(field.description))
            rows[name] = f"| `{key}` | {_values(child, schema)} | {_default(field)} | {meaning} |"
        else:
            level = "#" * min(4, 2 + key.count("."))
            text = _section_text(f"{key}.", inner, _resolved(child, schema), schema)
            sections.append(f"{level} `{key}`\n\n{field.description}\n\n{text}")
    return "\n\n".join([*_tables(prefix, rows), *sections])


def _tables(prefix: str, rows: dict[str, str]) -> list[str]:
    """Write rows as one table, or as a table per topic."""
    if prefix not in GROUPS:
        return ["\n".join([*_HEAD, *rows.values()])]
    return [
        "\n".join([f"**{topic}**\n", *_HEAD, *(rows[name] for name in names.split())])
        for topic, names in GROUPS[prefix].items()
    ]


def _in_a_table(text: str) -> str:
    """Write text so that its bars divide no cells; in code renderers disagree on `\\|`."""
    code = re.sub(r"`([^`]*\|[^`]*)`", r"<code>\1</code>", text)
    return code.replace("|", "&#124;")


def _section(field: FieldInfo) -> type[Settings] | None:
    """Return the settings class of a section, or None for a plain key."""
    for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
        if isinstance(kind, type) and issubclass(kind, Settings):
            # A list of settings, such as the classes, is one key, and so is a line of augmentation.
            is_list = getattr(field.annotation, "__origin__", None) is list
            return None if is_list or issubclass(kind, Kind) else kind
    return None


def _resolved(node: Any, schema: Any) -> Any:
    """Follow a reference, through an optional value."""
    for option in [node, *node.get("anyOf", [])]:
        if "$ref" in option:
            return schema["$defs"][option["$ref"].rpartition("/")[2]]
    return node


def _values(node: Any, schema: Any) -> str:
    """Say in words which values the key takes."""
    node = {**_resolved(node, schema), **{k: v for k, v in node.items() if k != "$ref"}}
    if "anyOf" in node:
        options = [_values(option, schema) for option in node["anyOf"]]
        return " or ".join(option for option in options if option != "null")
    if "enum" in node or "const" in node:
        return ", ".join(f"`{value}`" for value in node.get("enum", [node.get("const")]))
    if node["type"] == "array":
        items = node.get("prefixItems")
        each = _values(items[0] if items else node["items"], schema)
        return f"list of {len(items)}: {each}" if items else f"list of {each}"
    if node["type"] == "object" and "properties" not in node:
        values = [node.get("additionalProperties"), *node.get("patternProperties", {}).values()]
        return f"mapping of names to {_values(next(filter(None, values)), schema)}"
    if node["type"] == "object":
        children = node["properties"].items()
        keys = [f"`{name}` ({_values(child, schema)})" for name, child in children]
        return ", ".join(keys) if len(keys) <= _MOST_CHILDREN else "entries, as below"
    kind = str(node["type"])
    return _WORDS.get(kind, kind) + _range(node)


def _range(node: Any) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    limits = [
        f"from {low:g}" if low is not None else f"above {above:g}" if above is not None else "",
        f"to {high:g}" if high is not None else f"below {below:g}" if below is not None else "",
    ]
    return " ".join(["", *filter(None, limits)])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={"name": "<name>"})
    if isinstance(value, Path):
        return f"`{value}`"
    if isinstance(value, Kind):
        return f"`{', '.join(_short(size) for size in value.model_dump().values())}`"
    if isinstance(value, list) and value and isinstance(value[0], ClassSettings):
        return ", ".join(f"{item.name} `{list(item.colour)}`" for item in value)
    return f"`{json.dumps(value)}`" if value is not None else ""


def _short(size: Any) -> str:
    """Write a number, or a range of numbers, without needless zeros."""
    return f"[{', '.join(map(_short, size))}]" if isinstance(size, tuple) else f"{size:g}"


def main() -> None:
    """Write the reference page, the schema, and the package's copy of a profile."""
    PAGE.write_text(reference(), encoding="utf-8")
    SCHEMA.write_text(schema_text() + "\n", encoding="utf-8")
    PACKAGED_PROFILE.write_bytes(PROFILE.read_bytes())
    sys.stdout.write(f"{PAGE}\n{SCHEMA}\n{PACKAGED_PROFILE}\n")


if __name__ == "__main__":
    main()
