"""Architectures from outside this package are built, checked and loaded again."""

import sys
from pathlib import Path
from typing import Any

import pytest

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.build import build_model
from landslide_cli.core.networks.import_path import source_file
from landslide_cli.errors import ModelError
from landslide_cli.profile import ExternalSettings
from landslide_cli.runs.keras_model import load_keras

PACKAGE = """
import keras

loaded = True


@keras.saving.register_keras_serializable(package="their")
class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return 2.0 * inputs


def network(settings, bands, outputs, synchronized):
    image = keras.Input((None, None, bands))
    features = image
    for number in range(settings.options.get("depth", 1)):
        features = keras.layers.Conv2D(2, 3, padding="same", name=f"conv_{number}")(features)
    if settings.options.get("own_layer"):
        features = Doubled()(features)
    return keras.Model(image, keras.layers.Conv2D(outputs, 1, activation="softmax")(features))


def flat(settings, bands, outputs, synchronized):
    image = keras.Input((bands,))
    return keras.Model(image, keras.layers.Dense(outputs)(image))


def text(settings, bands, outputs, synchronized):
    return "network"


def failing(settings, bands, outputs, synchronized):
    raise KeyError("depth")


value = 3
"""


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on Python's path, with a package of somebody else's."""
    (tmp_path / "their_nets").mkdir()
    (tmp_path / "their_nets" / "__init__.py").write_text("")
    (tmp_path / "their_nets" / "nets.py").write_text(PACKAGE)
    (tmp_path / "their_nets" / "broken.py").write_text("1 / 0\n")
    (tmp_path / "their_nets" / "needy.py").write_text("import their_nets_need_this\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("their_nets", "their_nets.nets"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def settings(path: str, **options: Any) -> ExternalSettings:
    return ExternalSettings.model_validate({"architecture": path, "options": options})


def test_a_function_outside_the_package_builds_the_model_by_its_own_options() -> None:
    model = build_model(settings("their_nets.nets:network", depth=3), bands=4, outputs=5)
    assert model.input_shape == (None, None, None, 4)
    assert model.output_shape == (None, None, None, 5)
    assert [layer.name for layer in model.layers if layer.name.startswith("conv_")] == [
        "conv_0",
        "conv_1",
        "conv_2",
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("their_missing:network", r"there is no module their_missing; install its package"),
        ("their_nets.missing:network", r"there is no module their_nets\.missing"),
        ("their_nets.nets:missing", r"their_nets\.nets has no function missing"),
        ("their_nets.nets:value", r"their_nets\.nets has no function value"),
        ("their_nets.broken:network", r"cannot be imported: division by zero"),
        ("their_nets.needy:network", r"their_nets\.needy needs their_nets_need_this"),
        ("their_nets.nets:failing", r"failed: 'depth'"),
        ("their_nets.nets:text", r"returned str, not a Keras model"),
        ("their_nets.nets:flat", r"its model goes from \(None, 3\) to \(None, 2\)"),
    ],
)
def test_what_is_wrong_with_it_is_said_in_a_line(path: str, message: str) -> None:
    with pytest.raises(ModelError, match=rf"^model\.architecture: {path}.*{message}"):
        build_model(settings(path), 3, 2)


def test_a_model_of_keras_layers_is_loaded_without_importing_its_module(packages: Path) -> None:
    build_model(settings("their_nets.nets:network"), 3, 2).save(packages / "plain.keras")
    assert load_keras(packages / "plain.keras", "their_gone:network").count_params() > 0


def test_a_model_with_layers_of_its_own_is_loaded_by_importing_its_module(packages: Path) -> None:
    path = packages / "own.keras"
    build_model(settings("their_nets.nets:network", own_layer=True), 3, 2).save(path)
    # As in a process that has not built it.
    keras.saving.get_custom_objects().clear()
    sys.modules.pop("their_nets.nets")
    with pytest.raises(ModelError, match=r"own\.keras: is a damaged model"):
        load_keras(path)
    with pytest.raises(ModelError, match=r"there is no module their_gone"):
        load_keras(path, "their_gone:network")
    assert load_keras(path, "their_nets.nets:network").count_params() > 0


def test_the_file_of_a_module_is_found_to_notice_its_changes(packages: Path) -> None:
    assert source_file("their_nets.nets:network") == packages / "their_nets" / "nets.py"
    assert source_file("their_missing:network") is None
    assert source_file("sys:exit") is None
