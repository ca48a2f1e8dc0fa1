"""The folder of an unfinished run: what is resumed, what is refused, and what is left behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.documents import read_json, write_json
from landslide_cli.errors import ChangedError, OutputError
from landslide_cli.records import Record, Step
from landslide_cli.stages.train.checkpoints import save_checkpoint
from landslide_cli.stages.train.in_progress import (
    can_resume,
    checkpoint_to_resume,
    finish_run,
    unfinished,
)
from tests.conftest import RecordingReporter

SETTINGS = {
    "train.batch": 2, "train.epochs": 3, "train.stop_patience": 10, "train.preview_scenes": [],
}  # fmt: skip
MACHINE = {"cores": 2}


class StoppedError(Exception):
    """What ends these trainings."""


def step_of(folder: Path, **settings: object) -> Step:
    """A training on one file, with settings such as train.batch, written train__batch."""
    file = folder / "tile.png"
    if not file.exists():
        file.write_text("an image")
    changes = {name.replace("__", "."): value for name, value in settings.items()}
    return Step.of(folder / "run" / "run.json", SETTINGS | changes, [file])


def save(folder: Path, epoch: int = 1) -> Path:
    return save_checkpoint(folder / "checkpoints", epoch, 0, [("a", np.zeros(2))], {"at": epoch})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a training that was stopped after its first checkpoint."""
    folder = tmp_path / "run.unfinished"
    with pytest.raises(StoppedError), started(folder):
        save(folder)
        raise StoppedError
    return folder


def started(folder: Path, reporter: RecordingReporter | None = None) -> Any:
    step = step_of(folder.parent)
    return unfinished(folder, step, MACHINE, True, reporter or RecordingReporter())


def resume(
    folder: Path,
    step: Step,
    reporter: RecordingReporter | None = None,
    machine: Mapping[str, Any] = MACHINE,
    overwrite: bool = False,
) -> Any:
    reporter = reporter or RecordingReporter()
    return checkpoint_to_resume(folder, step, dict(machine), overwrite, reporter)


def test_the_same_training_is_resumed_from_its_last_checkpoint(
    folder: Path, reporter: RecordingReporter
) -> None:
    save(folder, epoch=2)
    step = step_of(folder.parent)
    assert can_resume(folder, step)
    assert resume(folder, step, reporter).document == {"at": 2}
    assert reporter.warnings == []


@pytest.mark.parametrize(
    "change",
    [{"train__epochs": 9}, {"train__stop_patience": None}, {"train__preview_scenes": ["a"]}],
)
def test_what_only_prolongs_or_watches_a_training_may_change(
    folder: Path, change: dict[str, object]
) -> None:
    step = step_of(folder.parent, **change)
    assert can_resume(folder, step)
    assert resume(folder, step) is not None


def test_other_settings_are_refused_by_their_keys_and_lose_nothing(folder: Path) -> None:
    before = sorted(path.name for path in folder.rglob("*"))
    step = step_of(folder.parent, train__batch=4)
    assert not can_resume(folder, step)
    message = r"unfinished run with different settings .*train\.batch \(2 -> 4\).*\n.*--overwrite"
    with pytest.raises(ChangedError, match=message):
        resume(folder, step)
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_other_files_are_refused_by_their_names(folder: Path) -> None:
    (folder.parent / "tile.png").write_text("another image")
    with pytest.raises(ChangedError, match=r"tile\.png \(edited\)"):
        resume(folder, step_of(folder.parent))


def test_a_run_of_another_format_is_refused(folder: Path) -> None:
    document = read_json(folder / "unfinished.json") or {}
    write_json(folder / "unfinished.json", document | {"format": 1})
    with pytest.raises(ChangedError, match=r"format \(1 -> "):
        resume(folder, step_of(folder.parent))


def test_overwriting_starts_over(folder: Path) -> None:
    step = step_of(folder.parent, train__batch=4)
    assert resume(folder, step, overwrite=True) is None
    with unfinished(folder, step, MACHINE, True, RecordingReporter()):
        assert [path.name for path in folder.iterdir()] == ["unfinished.json"]


def test_another_machine_is_warned_of(folder: Path, reporter: RecordingReporter) -> None:
    assert resume(folder, step_of(folder.parent), reporter, {"cores": 4}) is not None
    (warning,) = reporter.warnings
    assert "was started on a different machine" in warning
    assert "not be bit-identical" in warning


def test_without_a_checkpoint_a_training_starts_over_whatever_has_changed(tmp_path: Path) -> None:
    folder = tmp_path / "run.unfinished"
    folder.mkdir()
    step_of(tmp_path).finish({}, folder / "unfinished.json")
    assert resume(folder, step_of(tmp_path, train__batch=4)) is None


def test_files_of_somebody_else_are_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "run.unfinished"
    assert resume(folder, step_of(tmp_path)) is None
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="--overwrite"):
        resume(folder, step_of(tmp_path))
    assert (folder / "thesis.txt").exists()


def test_an_error_after_a_checkpoint_leaves_the_folder_and_says_so(
    tmp_path: Path, reporter: RecordingReporter
) -> None:
    folder = tmp_path / "run.unfinished"
    with pytest.raises(StoppedError), started(folder, reporter):
        path = save(folder)
        raise StoppedError
    assert path.exists()
    (warning,) = reporter.warnings
    assert f"`landslide train` resumes from the last checkpoint in {folder}" in warning


def test_an_error_before_the_first_checkpoint_leaves_nothing(
    tmp_path: Path, reporter: RecordingReporter
) -> None:
    step_of(tmp_path)
    folder = tmp_path / "new" / "run.unfinished"
    step = Step.of(tmp_path / "new" / "run" / "run.json", SETTINGS, [])
    with pytest.raises(StoppedError), unfinished(folder, step, MACHINE, True, reporter):
        raise StoppedError
    assert [path.name for path in tmp_path.iterdir()] == ["tile.png"]
    assert reporter.warnings == []


def test_a_finished_run_has_a_record_and_nothing_that_only_an_unfinished_run_needs(
    folder: Path,
) -> None:
    step, run = step_of(folder.parent), folder.with_name("run")
    (folder / "cache" / "worker-0").mkdir(parents=True)
    (folder / "model.keras").write_text("a model")
    finish_run(folder, step, {"epochs": 3}, run, RecordingReporter())
    assert not folder.exists()
    assert sorted(path.name for path in run.iterdir()) == ["model.keras", "run.json"]
    record = Record.read(run / "run.json")
    assert record is not None
    assert record.result == {"epochs": 3}
    assert list(record.files) == ["model.keras"]
    assert record.changes(step.settings, step.inputs) == []
