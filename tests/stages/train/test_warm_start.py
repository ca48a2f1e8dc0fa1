"""Trainings that start from another model's weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.networks.build import build_model
from landslide_cli.core.networks.weight_files import weights_of
from landslide_cli.documents import read_json, write_json
from landslide_cli.errors import ModelError, ProfileError
from landslide_cli.profile import Profile, load_profile
from landslide_cli.runs.ancestry import learned_from, lineage_of
from landslide_cli.runs.keras_model import load_keras
from landslide_cli.runs.samples import samples_of
from landslide_cli.stages.train import train
from landslide_cli.stages.train.ancestors import ancestors_of, warn_of_known
from landslide_cli.stages.train.warm_start import start_file, start_from
from tests.conftest import RecordingReporter

Start = Callable[..., Profile]


@pytest.fixture
def start(trained: Profile, trained_folder: Path, tmp_path: Path) -> Start:
    """A profile that starts from the trained run, at a rate at which hardly anything changes."""

    def profile(*overrides: str) -> Profile:
        settings = [f"run={tmp_path / 'run'}", "train.epochs=1", "train.learning_rate=1e-7"]
        settings += ["train.preview_scenes=[]", f"model.weights={trained.run}"]
        return load_profile(trained_folder / "profile.yaml", [*settings, *overrides])

    return profile


def started(profile: Profile, reporter: RecordingReporter, standardized: bool = False) -> Any:
    """Build the profile's model, and give it the weights that it starts from."""
    model = build_model(profile.model, profile.model_inputs, profile.model_outputs)
    file = start_file(profile)
    assert file is not None
    start_from(profile, file, model, standardized, reporter)
    return model


def test_a_training_starts_where_the_other_ended(trained: Profile, start: Start) -> None:
    profile = start()
    result = train(profile, limit=4)
    learned = weights_of(load_keras(trained.run / "model.keras"))
    for name, values in weights_of(load_keras(profile.run / "model.keras")).items():
        np.testing.assert_allclose(values, learned[name], atol=1e-4, err_msg=name)
    assert result.best["valid_dice"] > 0.5
    # The weights are an input of the run.
    assert train(profile, limit=4).unchanged
    own, *ancestors = lineage_of(profile.run)
    assert len(own.scenes) == 4
    assert ancestors == lineage_of(trained.run)
    assert {scene.name for scene in own.scenes} < {scene.name for scene in ancestors[0].scenes}


@pytest.mark.parametrize("part", ["valid", "test"])
def test_what_the_first_model_knows_of_the_dataset_is_warned_of(
    start: Start, reporter: RecordingReporter, part: Any
) -> None:
    profile = start("evaluate.units=tiles")
    (ancestor,) = ancestors_of(profile)
    warn_of_known(profile, [ancestor], reporter)
    assert reporter.warnings == []
    samples = samples_of(profile, part, 2, reporter)
    images = {sample.name: sample.image for sample in samples.items}
    knowing = replace(ancestor, scenes=learned_from(profile, images, {}))
    warn_of_known(profile, [knowing], reporter)
    (warning,) = reporter.warnings
    assert f"{ancestor.model} learned from 2 of the" in warning
    assert f"tiles in {part}, so" in warning
    assert samples.items[0].name in warning


def test_other_classes_get_a_new_last_layer(
    trained: Profile, start: Start, reporter: RecordingReporter
) -> None:
    model = started(start("classes=[{name: landslide, colour: [255, 0, 255]}]"), reporter)
    weights = weights_of(model)
    learned = weights_of(load_keras(trained.run / "model.keras"))
    assert weights["classes/kernel"].shape[-1] == 1
    name = "encoder_0_first/kernel"
    np.testing.assert_array_equal(weights[name], learned[name])
    assert any("other classes" in note for note in reporter.notes)


def test_another_network_is_refused_by_name_and_leaves_nothing(start: Start) -> None:
    profile = start("model.base_filters=6")
    with pytest.raises(ModelError, match="is another network than the profile's"):
        train(profile, limit=4)
    assert not profile.run.exists()


@pytest.mark.parametrize("standardized", [False, True])
def test_scenes_of_other_levels_than_the_first_model_had_are_warned_of(
    trained: Profile, start: Start, reporter: RecordingReporter, standardized: bool
) -> None:
    record = trained.run / "run.json"
    document = read_json(record)
    assert document is not None
    document["result"]["preprocessing"]["standardized"] = standardized
    write_json(record, document)
    started(start(), reporter, standardized=standardized)
    assert reporter.warnings == []
    started(start(), reporter, standardized=not standardized)
    (warning,) = reporter.warnings
    how = "with" if standardized else "without"
    assert f"was trained {how} standardization" in warning
    assert f"set prepare.standardize: {str(standardized).lower()}" in warning


def test_missing_model_is_named(start: Start, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(ModelError, match="no such model") as caught:
        train(start(f"model.weights={missing}"), limit=4)
    assert str(missing) in str(caught.value)


def test_packaged_model_is_no_flexunet(start: Start) -> None:
    with pytest.raises(ProfileError, match=r"model\.weights 'landslide' is a model of"):
        start("model.weights=landslide")
