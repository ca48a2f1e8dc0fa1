"""The tree of settings: defaults, and what follows from them."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from landslide_cli.profile import (
    ClassSettings,
    InferSettings,
    ModelSettings,
    PrepareSettings,
    Profile,
)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "model",
            {
                "architecture": "flexunet",
                "base_filters": 16,
                "base_kernels": 11,
                "num_layers": 8,
                "dropout_rate": 0.05,
                "dilation": (1, 1),
                "normalization": False,
                "input_scaling": True,
            },
        ),
        (
            "train",
            {
                "epochs": 100,
                "batch": 2,
                "optimizer": "adam",
                "learning_rate": 7e-5,
                "clip_value": 0.5,
                "loss": "categorical_crossentropy",
                "reduce_factor": 0.5,
                "reduce_patience": 4,
                "stop_patience": 10,
            },
        ),
        ("prepare", {"tile": 512}),
        ("infer", {"overlap": 128}),
    ],
)
def test_defaults_are_those_of_the_experiment(section: str, expected: dict[str, Any]) -> None:
    settings = getattr(Profile(), section)
    assert {key: getattr(settings, key) for key in expected} == expected


def test_a_profile_never_changes() -> None:
    profile = Profile()
    with pytest.raises(ValidationError, match="frozen"):
        profile.name = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        profile.train.epochs = 3  # type: ignore[misc]


def test_default_folders_follow_the_name() -> None:
    profile = Profile(name="valley")
    assert (profile.dataset, profile.run) == (Path("datasets/valley"), Path("runs/valley"))
    assert Profile(name="valley", run=Path("here")).run == Path("here")


def test_a_single_class_stands_on_an_implicit_background() -> None:
    slide = ClassSettings(name="slide", colour=(255, 0, 0))
    names = [one.name for one in Profile(classes=[slide]).palette_classes]
    assert names == ["background", "slide"]
    assert [one.name for one in Profile().palette_classes] == ["background", "landslide"]


def test_a_single_class_called_background_is_refused() -> None:
    with pytest.raises(ValidationError, match="two classes are called 'background'"):
        Profile(classes=[ClassSettings(name="background", colour=(255, 0, 0))])


def test_windows_are_as_large_as_tiles_unless_told_otherwise() -> None:
    assert Profile(prepare=PrepareSettings(tile=256)).window == 256
    assert Profile(infer=InferSettings(tile=1024)).window == 1024


@pytest.mark.parametrize(("layers", "multiple"), [(2, 2), (5, 16), (8, 128)])
def test_a_model_takes_multiples_of_its_pooling(layers: int, multiple: int) -> None:
    assert ModelSettings(num_layers=layers).multiple == multiple


@pytest.mark.parametrize(("tile", "fits"), [(16, True), (48, True), (24, False)])
def test_tiles_are_multiples_of_the_models_pooling(tile: int, fits: bool) -> None:
    sections = {
        "prepare": PrepareSettings(tile=tile),
        "model": ModelSettings(num_layers=5),
        "infer": InferSettings(overlap=0),
    }
    if fits:
        assert Profile.model_validate(sections).prepare.tile == tile
    else:
        with pytest.raises(ValidationError, match="multiple of 16"):
            Profile.model_validate(sections)


def test_settings_of_a_section_are_flat_and_json() -> None:
    profile = Profile(prepare=PrepareSettings(resize=(640, 512)))
    settings = profile.settings("prepare", "source.value_range", "dataset")
    assert settings["prepare.resize"] == [640, 512]
    assert settings["prepare.augment.hflip"] is False
    assert settings["dataset"] == "datasets/landslide"
    assert json.loads(json.dumps(settings)) == settings
    assert {key.split(".")[0] for key in settings} == {"prepare", "source", "dataset"}
    assert "source.images" not in settings


def test_settings_take_whole_names_only() -> None:
    assert Profile().settings("train.epoch") == {}
    assert Profile().settings("train.epochs") == {"train.epochs": 100}
