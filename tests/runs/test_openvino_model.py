"""A model is converted for OpenVINO once, and again when it was trained again."""

import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.errors import ModelError
from landslide_cli.profile import Profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs import openvino_model
from landslide_cli.runs.engines import BatchShape, OpenVinoEngine
from landslide_cli.runs.openvino_model import converted, fingerprint_of
from landslide_cli.runs.run import find_run
from landslide_cli.stages.infer import infer_tiled

Save = Callable[..., None]


@pytest.fixture
def model(save_bright: Save, tmp_path: Path) -> Path:
    save_bright(tmp_path / "run" / "model.keras")
    return tmp_path / "run" / "model.keras"


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Convert in this process, and collect what was converted."""
    done: list[Path] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers: int, *_: object) -> None:
            super().__init__(workers)

        def submit(self, call: Any, *arguments: Any) -> Any:  # type: ignore[override]
            done.append(arguments[0])
            return super().submit(call, *arguments)

    monkeypatch.setattr(openvino_model, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(openvino_model, "has_tensorflow", lambda: False)
    yield done


def says(network: Path, value: int) -> float:
    """The probability of a landslide at a pixel of a value."""
    predict = OpenVinoEngine(network, 3, 2, 1).compiled(BatchShape(1, 2, 2), "float32")
    return float(predict(np.full((1, 2, 2, 3), value, np.uint8))[0, 0, 0, 0])


@pytest.mark.processes
def test_model_is_converted_beside_it_in_a_process_of_its_own(
    model: Path, conversion_process: None, reporter: Any
) -> None:
    network = converted(model, reporter)
    assert network == model.parent / "openvino" / "model.xml"
    assert {path.name for path in model.parent.iterdir()} == {"model.keras", "openvino"}
    assert {path.name for path in network.parent.iterdir()} == {
        "model.xml", "model.bin", "made_from.json"
    }  # fmt: skip
    assert says(network, 180) == pytest.approx(1 / (1 + np.exp(-52.5 / 32)), abs=1e-6)
    assert len(reporter.notes) == 1
    assert "once" in reporter.notes[0]
    # OpenVINO itself may have another kind of process, which reports that it was imported.
    children = multiprocessing.active_children()
    assert not [child for child in children if isinstance(child, SpawnProcess)]


def test_second_call_does_not_convert(model: Path, conversions: list[Path], reporter: Any) -> None:
    assert converted(model, reporter) == converted(model, reporter)
    assert conversions == [model]
    assert len(reporter.notes) == 1
    record = json.loads((model.parent / "openvino" / "made_from.json").read_text(encoding="utf-8"))
    assert record["digest"] == fingerprint_of(model)


def test_process_that_has_tensorflow_loaded_starts_no_other(
    model: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_model, "has_tensorflow", lambda: True)
    assert says(converted(model, SilentReporter()), 250) > 0.9
    assert conversions == []


def test_model_that_was_trained_again_is_converted_again(
    model: Path, conversions: list[Path], save_bright: Save
) -> None:
    before = fingerprint_of(model)
    first = says(converted(model, SilentReporter()), 180)
    save_bright(model, steepness=1 / 8)
    assert fingerprint_of(model) != before
    second = says(converted(model, SilentReporter()), 180)
    assert len(conversions) == 2
    assert second > first + 0.1


def test_model_with_another_time_and_the_same_bytes_is_not_converted_again(
    model: Path, conversions: list[Path]
) -> None:
    converted(model, SilentReporter())
    os.utime(model, ns=(0, 10**18))
    converted(model, SilentReporter())
    assert len(conversions) == 1


@pytest.mark.parametrize("lost", ["model.xml", "made_from.json"])
def test_conversion_of_which_a_file_is_missing_is_made_again(
    model: Path, conversions: list[Path], lost: str
) -> None:
    network = converted(model, SilentReporter())
    (network.parent / lost).unlink()
    assert says(converted(model, SilentReporter()), 250) > 0.9
    assert len(conversions) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"size": 3}', "null"])
def test_damaged_record_of_a_conversion_has_it_made_again(
    model: Path, conversions: list[Path], text: str
) -> None:
    network = converted(model, SilentReporter())
    (network.parent / "made_from.json").write_text(text)
    converted(model, SilentReporter())
    assert len(conversions) == 2


def test_fingerprint_is_that_of_the_bytes(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.keras"
    copy.write_bytes(model.read_bytes())
    assert fingerprint_of(copy) == fingerprint_of(model)
    copy.write_bytes(model.read_bytes() + b"\0")
    assert fingerprint_of(copy) != fingerprint_of(model)


@pytest.fixture
def locked(model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A run whose folder cannot be written to, not even by root."""
    make = Path.mkdir

    def refused(self: Path, *arguments: Any, **options: Any) -> None:
        if self.parent == model.parent:
            raise PermissionError(13, "Permission denied", str(self))
        make(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", refused)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return model


def test_run_that_cannot_be_written_to_is_converted_elsewhere_with_a_warning(
    locked: Path, conversions: list[Path], reporter: Any, tmp_path: Path
) -> None:
    network = converted(locked, reporter)
    assert network.is_relative_to(tmp_path / "temporary")
    assert says(network, 250) > 0.9
    (warning,) = reporter.warnings
    assert "cannot be stored" in warning
    assert "Permission denied" in warning
    assert [path.name for path in locked.parent.iterdir()] == ["model.keras"]


def test_scenes_are_mapped_from_a_run_that_cannot_be_written_to(
    locked: Path,
    conversions: list[Path],
    bright: Callable[..., Profile],
    plant: Callable[..., Path],
    reporter: Any,
    tmp_path: Path,
) -> None:
    profile = bright(f"run={locked.parent}")
    scenes = [str(plant("a.tif"))]
    (scene,) = infer_tiled(profile, scenes, output=tmp_path / "maps", reporter=reporter).scenes
    assert scene.totals[0].area == 1800.0
    assert conversions
    assert all("cannot be stored" in warning for warning in reporter.warnings)


def test_model_that_cannot_be_converted_is_named_and_leaves_nothing(
    model: Path, conversions: list[Path]
) -> None:
    model.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"model\.keras: is not a Keras model"):
        converted(model, SilentReporter())
    assert [path.name for path in model.parent.iterdir()] == ["model.keras"]


def test_conversion_that_dies_is_said_with_a_way_out(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dead(ThreadPoolExecutor):
        def __init__(self, workers: int, *_: object) -> None:
            super().__init__(workers)

        def submit(self, *arguments: Any) -> Any:  # type: ignore[override]
            def died() -> None:
                raise BrokenProcessPool

            return super().submit(died)

    monkeypatch.setattr(openvino_model, "ProcessPoolExecutor", Dead)
    monkeypatch.setattr(openvino_model, "has_tensorflow", lambda: False)
    with pytest.raises(ModelError, match=r"infer\.engine=tensorflow"):
        converted(model, SilentReporter())
    assert [path.name for path in model.parent.iterdir()] == ["model.keras"]


def test_trained_run_comes_converted_in_these_tests(trained: Profile, reporter: Any) -> None:
    """The fixture keeps the model's time: otherwise each test would convert it anew."""
    converted(find_run(trained).file, reporter)
    assert reporter.notes == []
