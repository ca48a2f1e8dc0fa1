"""The OpenVINO form of a packaged model is made of its Keras file, and needs no TensorFlow."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.records import Input
from landslide_cli.runs.files import INT8, MODEL, PACKAGED
from landslide_cli.runs.int8_form import int8_record
from landslide_cli.runs.openvino_parts import PARTS, put_together
from tools.package_model import take_apart


@pytest.fixture
def model(bright_folder: Path, tmp_path: Path) -> Path:
    """A Keras file with its parts beside it."""
    shutil.copy(bright_folder / "run" / MODEL, tmp_path)
    take_apart(tmp_path / MODEL, tmp_path / PARTS)
    return tmp_path / MODEL


def test_parts_give_the_converted_model(model: Path, bright_folder: Path) -> None:
    converted = bright_folder / "run" / "openvino" / "model.xml"
    network = model.with_name("again.xml")
    assert put_together(model, Input.of(model).digest, network)
    assert network.with_suffix(".bin").read_bytes() == converted.with_suffix(".bin").read_bytes()


def without_parts(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def of_another_model(path: Path) -> None:
    with np.load(path) as parts:
        np.savez(path, **(dict(parts) | {"model": np.array("another")}))


def without_a_name(path: Path) -> None:
    with np.load(path) as parts:
        names = np.full_like(parts["names"], "layers/nowhere")
        np.savez(path, **(dict(parts) | {"names": names}))


@pytest.mark.parametrize("change", [without_parts, cut_short, of_another_model, without_a_name])
def test_parts_that_are_not_the_models_give_nothing(
    model: Path, change: Callable[[Path], None]
) -> None:
    change(model.with_name(PARTS))
    assert not put_together(model, Input.of(model).digest, model.with_name("again.xml"))
    assert sorted(path.name for path in model.parent.iterdir()) == sorted(
        {MODEL, PARTS} if change is not without_parts else {MODEL}
    )


def test_packaged_model_is_put_together_without_tensorflow(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.openvino_model import converted
network = converted(Path({str(PACKAGED / MODEL)!r}), SilentReporter(), Path({str(tmp_path)!r}))
assert network.with_suffix(".bin").stat().st_size > 20e6
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_packaged_model_has_a_sound_int8_form() -> None:
    record = int8_record(PACKAGED / INT8)
    assert record is not None
    assert record.model == Input.of(PACKAGED / MODEL).digest
    assert record.calibrated_on == "train"
    assert record.is_sound
