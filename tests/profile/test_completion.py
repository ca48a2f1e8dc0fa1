"""What a shell completes after `--set`."""

import pytest

from landslide_cli.profile import Profile, load_profile
from landslide_cli.profile.completion import completions


def test_keys_are_completed_with_their_meaning() -> None:
    assert completions("infer.mem") == [
        (
            "infer.memory=",
            "Gigabytes that feature maps may take with `tile: auto` (null = a ...",
        )
    ]


def test_all_keys_of_the_default_profile_are_completed() -> None:
    texts = {text for text, _ in completions("")}
    keys = set(Profile().settings("prepare.tile", "split", "infer", "train.loss", "evaluate"))
    assert {f"{key}=" for key in keys} <= texts


@pytest.mark.parametrize(
    ("begun", "values"),
    [
        ("infer.tta=", ["none", "flips", "symmetries"]),
        ("infer.warp=", ["true", "false"]),
        ("model.architecture=fl", ["flexunet"]),
        ("infer.threshold=", ["null"]),
        ("infer.overlap=", []),
    ],
)
def test_values_are_completed_where_there_are_few(begun: str, values: list[str]) -> None:
    key = begun.partition("=")[0]
    assert [text for text, _ in completions(begun)] == [f"{key}={value}" for value in values]


@pytest.mark.parametrize("text", [text for text, _ in completions("infer.tta=")])
def test_completed_values_are_valid(text: str) -> None:
    load_profile("landslide", [text])
