"""The reference page and the editors' schema say what the settings classes say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landslide_cli.profile import Profile, TrainSettings, load_profile
from landslide_cli.profile.extending import PACKAGED_PROFILE
from landslide_cli.profile.model import ARCHITECTURES
from tools.profile_reference import (
    GROUPS,
    PAGE,
    PROFILE,
    SCHEMA,
    reference,
    schema_text,
)

CONFIGS = sorted(SCHEMA.parent.glob("*.yaml"))


def keys(value: Any, prefix: str = "") -> Iterator[str]:
    """Every key of a dumped profile that has a line, sections included."""
    for name, child in value.items():
        yield prefix + name
        # Kinds of augmentation are a line each.
        if isinstance(child, dict) and "probability" not in child:
            yield from keys(child, f"{prefix}{name}.")


def rows() -> dict[str, list[str]]:
    """The reference's lines by key: value, default and meaning."""
    described = {}
    for line in reference().splitlines():
        if line.startswith("| `"):
            key, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
            described[key.strip("` ")] = cells
    return described


def test_the_reference_names_every_key() -> None:
    profile = Profile.model_validate({"source": {"synthetic": {}}})
    text = reference()
    for key in keys(profile.model_dump(mode="json")):
        assert f"`{key}`" in text, key


def test_every_line_of_the_reference_has_a_value_a_default_and_a_meaning() -> None:
    assert len(rows()) > 60
    for key, cells in rows().items():
        assert len(cells) == 3, key
        value, _, meaning = cells
        assert value, key
        assert meaning.rstrip("| ").endswith("."), key


@pytest.mark.parametrize(
    ("key", "value", "default"),
    [
        ("train.epochs", "whole number from 1 to 100000", "`100`"),
        ("train.learning_rate", "number above 0 to 10", "`7e-05`"),
        ("model.normalization", "true, false", "`false`"),
        ("train.precision", "`float32`, `bfloat16`, `float16`", '`"float32"`'),
        ("evaluate.part", "`train`, `valid`, `test`", '`"test"`'),
        ("prepare.resize", "list of 2: whole number from 1", ""),
        ("train.augment.hflip", "`probability` (number from 0 to 1)", "`0`"),
        (
            "train.augment.rotate",
            "`range` (list of 2: number from -180 to 180), `probability` (number from 0 to 1)",
            "`[-15, 15], 0`",
        ),
        ("name", "text", '`"landslide"`'),
        ("run", "text", "`runs/<name>`"),
    ],
)
def test_the_reference_says_which_values_a_key_takes(key: str, value: str, default: str) -> None:
    assert rows()[key][:2] == [value, default]


def test_the_schema_takes_the_shipped_profiles_keys_and_no_others() -> None:
    schema = json.loads(schema_text())
    assert schema["additionalProperties"] is False
    assert schema["properties"].keys() == Profile.model_fields.keys()
    assert all(node["additionalProperties"] is False for node in schema["$defs"].values())


def test_the_page_holds_the_reference_as_generated() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `make reference`"


@pytest.mark.parametrize(("prefix", "settings"), [("train.", TrainSettings)])
def test_a_grouped_section_names_each_of_its_keys_once(
    prefix: str, settings: type[TrainSettings]
) -> None:
    names = [name for group in GROUPS[prefix].values() for name in group.split()]
    sections = {"augment"}
    assert sorted(names) == sorted(settings.model_fields.keys() - sections)


def test_the_shipped_schema_is_the_generated_one() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text() + "\n", "run `make reference`"


def test_the_package_holds_the_profile_to_start_from() -> None:
    assert PACKAGED_PROFILE.read_bytes() == PROFILE.read_bytes(), "run `make reference`"


def test_the_keys_of_every_architecture_are_in_the_reference() -> None:
    for settings in ARCHITECTURES.values():
        assert {f"model.{name}" for name in settings.model_fields} <= rows().keys()


def test_the_three_profiles_are_shipped() -> None:
    assert {path.stem for path in CONFIGS} >= {"sichuan", "sichuan-small", "demo"}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_profile_loads_and_points_editors_at_the_schema(path: Path) -> None:
    profile = load_profile(path)
    assert profile.name == path.stem
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert re.fullmatch(rf"# yaml-language-server: \$schema={SCHEMA.name}", first)


def test_the_sichuan_profile_is_the_experiment() -> None:
    profile = load_profile(SCHEMA.parent / "sichuan.yaml")
    assert profile.prepare.resize == (1024, 1024)
    assert profile.prepare.tile == 512
    augment = profile.prepare.augment
    assert (augment.hflip, augment.vflip, augment.rotate90) == (True, False, False)
    assert augment.distortions == [0.01, 0.02]
    assert profile.model == Profile().model
    assert profile.train == Profile().train
    assert profile.infer.overlap == 128
