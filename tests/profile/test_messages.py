"""Whatever is wrong with a key, what is said of it is a line of our own words."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic_core.core_schema import ErrorType

from landslide_cli.profile import Profile
from landslide_cli.profile.messages import explain
from tests.profile.cases import Write, message_of

THEIRS = re.compile(
    r"Input should|validation error|type=|input_value|pydantic|String should|should have at|"
    r"valid (?:string|array|integer|number|boolean)|Field required|Extra inputs|Value error|"
    r"Invalid JSON|constrained",
    re.IGNORECASE,
)
WRONG = ["[[1], {a: 1}]", "{a: {b: 1}}", f"'{'x' * 300}'", "-1", "1e999", f"{'9' * 40}", "'  '"]
WRONG += ["null", "[]", "true", "[1, 2, 3, 4, 5]", "''", "[-1.5, .nan]"]


def keys_of(document: dict[str, Any], above: str = "") -> Iterator[str]:
    """The dotted keys of all values and sections."""
    for name, value in document.items():
        yield f"{above}{name}"
        if isinstance(value, dict):
            yield from keys_of(value, f"{above}{name}.")


SOURCE = ("name", "images", "gsd", "zoom", "weight", "bands", "value_range", "colours", "part")
KEYS = [
    *keys_of(Profile().model_dump(mode="json")),
    *(f"source.{key}" for key in (*SOURCE, "event", "synthetic.scenes", "colours.landslide")),
    *("classes.0", "classes.0.name", "classes.0.colour", "classes.0.colour.1", "source.0.masks"),
    *("model.encoder", "model.decoder", "model.drop_path", "prepare.augment.distortions"),
]


@pytest.mark.parametrize("value", WRONG)
def test_every_key_refuses_a_wrong_value_in_our_own_words(write_profile: Write, value: str) -> None:
    for unet in ("name: x\n", "name: x\nmodel: {architecture: unet}\n"):
        path = write_profile(unet)
        for key in KEYS:
            try:
                message = message_of(path, f"{key}={value}")
            except pytest.fail.Exception:
                continue  # the value is right there
            assert not THEIRS.search(message.removeprefix(f"--set {key}={value}")), message
            # The key, its item or the key that does not go with it, and never the name of a type.
            assert re.match(r".*: (?:unknown key|there is no|[a-z_.0-9]+ )", message), message


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_every_kind_of_mistake_is_said_in_our_own_words(kind: str) -> None:
    known = dict.fromkeys(("gt", "ge", "lt", "le", "max_length", "min_length"), 3)
    problem = {
        "type": kind,
        "loc": ("train", "epochs"),
        "msg": "Input should be a valid integer [type=int_type]",
        "ctx": {**known, "expected": "'a' or 'b'", "pattern": "^a"},
    }
    message = explain([problem], {"train": {"epochs": 0}}, {(): "p.yaml:1"})
    assert message.startswith("p.yaml:1: ")
    assert "epochs" in message
    assert not THEIRS.search(message)
