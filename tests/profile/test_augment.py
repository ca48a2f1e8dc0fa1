"""The profile's `train.augment`: one line a kind, off unless it says otherwise."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from landslide_cli.errors import ProfileError
from landslide_cli.profile import dump_profile, load_profile
from landslide_cli.profile.augment import OnlineAugmentSettings, PlainKind, RangedKind

Write = Callable[[str], Path]

RANGED = [name for name, kind in OnlineAugmentSettings() if isinstance(kind, RangedKind)]


def message_of(write_profile: Write, augment: str) -> str:
    with pytest.raises(ProfileError) as caught:
        load_profile(write_profile(f"train:\n  augment:\n    {augment}\n"))
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    assert "profile.yaml:3: " in message
    return message


def test_everything_is_off_by_default() -> None:
    augment = OnlineAugmentSettings()
    assert augment.is_off
    assert not augment.needs_colour
    assert list(augment.switched_on()) == []
    assert len(RANGED) == 14


@pytest.mark.parametrize("name", OnlineAugmentSettings.model_fields)
def test_a_line_with_a_probability_switches_a_kind_on_and_keeps_its_range(name: str) -> None:
    augment = OnlineAugmentSettings.model_validate_json(f'{{"{name}": {{"probability": 0.5}}}}')
    default = getattr(OnlineAugmentSettings(), name)
    assert list(augment.switched_on()) == [name]
    assert not augment.is_off
    assert augment.needs_colour == (name in ("saturation", "hue"))
    assert getattr(augment, name) == default.model_copy(update={"probability": 0.5})


def test_a_range_alone_leaves_a_kind_off() -> None:
    assert OnlineAugmentSettings.model_validate_json('{"rotate": {"range": [-90, 90]}}').is_off


def test_lines_of_a_profile_are_read_and_written_again(
    write_profile: Write, tmp_path: Path
) -> None:
    text = """
train:
  augment:
    hflip: {probability: 0.5}
    rotate: {range: [-180, 180], probability: 0.8}
    noise: {range: [3, 3], probability: 1}
"""
    profile = load_profile(write_profile(text), ["train.augment.zoom.probability=0.25"])
    augment = profile.train.augment
    assert augment.hflip == PlainKind(probability=0.5)
    assert augment.rotate.range == (-180.0, 180.0)
    assert augment.rotate.probability == 0.8
    assert augment.noise.range == (3.0, 3.0)
    assert augment.zoom.probability == 0.25
    again = tmp_path / "again.yaml"
    again.write_text(dump_profile(profile), encoding="utf-8")
    assert load_profile(again) == profile


def test_defaults_obey_their_own_bounds() -> None:
    dumped = OnlineAugmentSettings().model_dump_json()
    assert OnlineAugmentSettings.model_validate_json(dumped) == OnlineAugmentSettings()


@pytest.mark.parametrize("name", RANGED)
def test_a_range_that_falls_is_refused(write_profile: Write, name: str) -> None:
    low, high = getattr(OnlineAugmentSettings(), name).range
    message = message_of(write_profile, f"{name}: {{range: [{high}, {low}]}}")
    assert f"train.augment.{name}.range the first value must not be above the second" in message


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("rotate", -180, 180),
        ("zoom", 0.5, 8),
        ("shear", 0, 1),
        ("translate", -1, 1),
        ("elastic", 0, 0.2),
        ("perspective", 0, 0.2),
        ("brightness", -1, 1),
        ("contrast", 0, 2),
        ("saturation", 0, 4),
        ("hue", -180, 180),
        ("blur", 0.01, 10),
        ("noise", 0, 128),
        ("lens", -0.3, 0.3),
        ("sharpen", 0, 5),
    ],
)
def test_a_range_reaches_to_its_bounds_and_no_further(name: str, low: float, high: float) -> None:
    def loaded(*limits: float) -> OnlineAugmentSettings:
        return OnlineAugmentSettings.model_validate_json(json.dumps({name: {"range": limits}}))

    assert getattr(loaded(low, high), name).range == (low, high)
    for limits in ((low - 0.1, high), (low, high + 0.1)):
        with pytest.raises(ValidationError) as caught:
            loaded(*limits)
        assert caught.value.errors()[0]["loc"][:2] == (name, "range")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rotate: {range: [0, 200]}", "train.augment.rotate.range.1 is 200; it should be less"),
        ("rotate: {range: 30}", "train.augment.rotate.range is 30; it should be a list"),
        ("rotate: {range: [1]}", "train.augment.rotate.range.1 is missing"),
        ("rotate: {range: [a, b]}", 'train.augment.rotate.range.0 is "a"; it should be a number'),
        ("blur: {range: [0, 1]}", "train.augment.blur.range.0 is 0; it should be greater than 0"),
        ("hflip: {probability: 1.5}", "train.augment.hflip.probability is 1.5; it should be less"),
        ("hflip: {probability: -1}", "train.augment.hflip.probability is -1; it should be greater"),
        ("hflip: true", "train.augment.hflip is true; it should be"),
        ("hflip: {range: [0, 1]}", "unknown key 'range' in train.augment.hflip"),
        ("rotate: {ranges: [0, 1]}", "in train.augment.rotate; did you mean 'range'?"),
        ("rotation: {probability: 1}", "in train.augment; did you mean 'rotate'?"),
    ],
)
def test_a_mistake_is_answered_with_its_key_and_what_is_allowed(
    write_profile: Write, line: str, expected: str
) -> None:
    assert expected in message_of(write_profile, line)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_ranges_that_rise_within_the_bounds_are_taken_as_they_are(
    first: float, second: float
) -> None:
    low, high = sorted((first, second))
    document = {"brightness": {"range": [low, high], "probability": 1.0}}
    augment = OnlineAugmentSettings.model_validate_json(json.dumps(document))
    assert augment.brightness.range == (low, high)
