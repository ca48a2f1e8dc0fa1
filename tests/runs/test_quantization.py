"""The int8 form of a model: made from its training set, and taken where it is sound."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.errors import DataError, ModelError
from landslide_cli.profile import Profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs import engines, planning, quantization
from landslide_cli.runs.engines import BatchShape
from landslide_cli.runs.files import INT8
from landslide_cli.runs.int8_form import (
    Change,
    Int8Record,
    int8_form_of,
    read_int8_form,
    write_int8_form,
)
from landslide_cli.runs.openvino_library import import_openvino, openvino_core
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.planning import load_engine, make_plan
from landslide_cli.runs.quantization import Quantizer
from landslide_cli.runs.run import find_run
from tests.models import copy_of_run, made_once

Bright = Callable[..., Profile]


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "may_have_gpu", lambda: False)


def with_precision(profile: Profile, precision: str) -> Profile:
    infer = profile.infer.model_copy(update={"precision": precision})
    return profile.model_copy(update={"infer": infer})


def plan_for(profile: Profile) -> Plan:
    return make_plan(profile, find_run(profile), [], SilentReporter())[0]


@pytest.fixture(scope="module")
def form(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The int8 form of the trained model."""

    def make(folder: Path) -> None:
        profile = with_precision(copy_of_run(trained_folder, folder / "run"), "int8")
        assert plan_for(profile).precision == "int8"

    return made_once(tmp_path_factory, "int8", make) / "run" / INT8


@pytest.fixture
def in_int8(trained: Profile, form: Path) -> Profile:
    """The trained run with its int8 form, for `infer.precision: auto`."""
    shutil.copy(form, trained.run_folder)
    return with_precision(trained, "auto")


def stored(profile: Profile) -> Int8Record:
    form = int8_form_of(find_run(profile))
    assert form is not None
    return form.record


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Say whether the processor multiplies int8 natively."""
    return lambda able: monkeypatch.setattr(engines, "computes", lambda kind: able)


def change_by(difference: float) -> Change:
    return Change("valid", "tiles", 9, 9, 0.001, 0.6, 0.6 + difference, (-0.01, 0.01), "float32")


def store(profile: Profile, form: Path, **changes: Any) -> None:
    """Give the run an int8 form with another record."""
    network = read_int8_form(form, openvino_core())
    record = replace(stored(profile), **changes)
    write_int8_form(profile.run_folder / INT8, import_openvino(), network, record)


def test_form_is_calibrated_on_the_training_set_and_scored_on_the_validation_set(
    in_int8: Profile,
) -> None:
    record = stored(in_int8)
    assert (record.calibrated_on, record.windows) == ("train", 12)
    change = record.change
    assert change is not None
    assert (change.part, change.units, change.samples) == ("valid", "tiles", 4)
    assert 0.0 <= change.changed < 0.05
    assert change.iou_float32 > 0.5
    assert change.iou_int8 == pytest.approx(change.iou_float32, abs=0.05)
    # Too few groups.
    assert change.interval is None


def test_int8_says_nearly_what_float32_says(in_int8: Profile) -> None:
    engine = load_engine("openvino", find_run(in_int8), 1, SilentReporter())
    seen = np.random.default_rng(3).integers(0, 256, (2, 32, 64, 3), np.uint8)
    exact, rounded = (
        engine.compiled(BatchShape(2, 32, 64), precision)(seen) for precision in ("float32", "int8")
    )
    assert rounded.shape == exact.shape
    assert 0.0 < np.abs(rounded - exact).mean() < 0.05


def test_auto_takes_a_sound_form_and_says_why(
    in_int8: Profile, form: Path, processor: Callable[[bool], None]
) -> None:
    processor(True)
    store(in_int8, form, change=change_by(-0.0049))
    plan = plan_for(in_int8)
    assert (plan.precision, plan.changed) == ("int8", 0.001)
    assert plan.reason == (
        "int8 changes 0.10% of pixels, the IoU by -0.0049 (-0.0100 to +0.0100), 9 tiles of valid"
    )


@pytest.mark.parametrize(
    ("able", "change", "reason"),
    [
        (False, change_by(0.0), "the processor has neither VNNI nor AMX"),
        (True, change_by(-0.0051), "no int8: int8 changes 0.10% of pixels, the IoU by -0.0051"),
        (True, None, "no int8, whose scores are not known"),
    ],
)
def test_auto_leaves_a_form_that_is_not_and_says_why(
    in_int8: Profile,
    form: Path,
    processor: Callable[[bool], None],
    able: bool,
    change: Change | None,
    reason: str,
) -> None:
    processor(able)
    store(in_int8, form, change=change)
    plan = plan_for(in_int8)
    assert plan.precision in ("float32", "bfloat16")
    assert reason in plan.reason
    # Asked for, it is taken all the same.
    assert plan_for(with_precision(in_int8, "int8")).precision == "int8"


def test_limit_on_onednn_counts_as_the_processor(
    in_int8: Profile, form: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    store(in_int8, form, change=change_by(0.0))
    plan = plan_for(in_int8)
    assert plan.precision == "float32"
    assert "neither VNNI nor AMX" in plan.reason


def test_form_of_another_model_is_made_anew(
    in_int8: Profile, form: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(in_int8, form, model="0" * 32)
    assert int8_form_of(find_run(in_int8)) is None
    assert plan_for(in_int8).precision != "int8"
    monkeypatch.setattr(Quantizer, "make", lambda self: shutil.copy(form, self.run.home / INT8))
    assert plan_for(with_precision(in_int8, "int8")).precision == "int8"


@pytest.mark.parametrize("length", [0, 100, 0.9])
def test_damaged_form_is_left_or_named(in_int8: Profile, length: float) -> None:
    path = in_int8.run_folder / INT8
    content = path.read_bytes()
    size = int(length) if length in (0, 100) else int(length * len(content))
    path.write_bytes(content[:size])
    assert int8_form_of(find_run(in_int8)) is None
    with pytest.raises(DataError, match=r"int8\.npz: is damaged; delete it"):
        read_int8_form(path, openvino_core())


def test_without_nncf_the_error_says_what_to_install(
    trained: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'landslide-cli\[int8\]'"):
        plan_for(with_precision(trained, "int8"))
    assert not (trained.run_folder / INT8).exists()


def test_tensorflow_has_no_int8(in_int8: Profile) -> None:
    infer = in_int8.infer.model_copy(update={"engine": "tensorflow"})
    profile = in_int8.model_copy(update={"infer": infer})
    assert "int8" not in plan_for(profile).reason
    with pytest.raises(ModelError, match="only OpenVINO runs a model in int8"):
        plan_for(with_precision(profile, "int8"))


def test_without_a_training_set_the_scenes_serve_and_auto_leaves_it(
    bright: Bright, bright_folder: Path, plant: Callable[..., Path], tmp_path: Path
) -> None:
    shutil.copytree(bright_folder / "run", tmp_path / "run")
    profile = bright(f"run={tmp_path / 'run'}", "infer.precision=int8")
    plan, _ = make_plan(profile, find_run(profile), [plant("a.tif", (64, 64))], SilentReporter())
    assert (plan.precision, plan.reason) == ("int8", "")
    record = stored(profile)
    assert (record.calibrated_on, record.windows, record.change) == ("scenes", 1, None)
    assert plan_for(with_precision(profile, "auto")).precision != "int8"


def test_layers_are_left_out_until_little_is_lost(
    trained: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    differences = iter([-0.02, -0.01, -0.015])

    def change(*arguments: object) -> Change:
        return change_by(next(differences))

    monkeypatch.setattr(quantization, "change_by_int8", change)
    plan_for(with_precision(trained, "int8"))
    record = stored(trained)
    # The best of three, none of which is sound.
    assert record.kept == "the first two"
    assert record.change is not None
    assert record.change.difference == pytest.approx(-0.01)
    assert not record.is_sound
