"""A training that is stopped, killed or changed, and taken up again."""

import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.errors import ChangedError, LandslideError, OutputError
from landslide_cli.profile import Profile, dump_profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.stages.train import checkpoints, train
from landslide_cli.stages.train import loop as training
from tests.conftest import RecordingReporter
from tests.killing import (
    assert_same_bits,
    check_readable,
    logged,
    start_training,
    train_with_kills,
    weights_of,
)


def changed(profile: Profile, **settings: object) -> Profile:
    return profile.model_copy(update={"train": profile.train.model_copy(update=dict(settings))})


@pytest.fixture
def profile(untrained: Profile) -> Profile:
    """A training with all that has a state: averages, a plateau, dropout, augmentation."""
    network = {"normalization": True, "normalization_momentum": 0.9, "dropout_rate": 0.1}
    augment = type(untrained.train.augment).model_validate({"elastic": {"probability": 0.5}})
    plain = untrained.model_copy(update={"model": untrained.model.model_copy(update=network)})
    return changed(
        plain, epochs=3, ema=0.9, reduce_patience=1, augment=augment, checkpoint_minutes=1e-6
    )


_UNDISTURBED: dict[str, Path] = {}


@pytest.fixture
def undisturbed(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """The same training, finished in one go; once for all tests."""
    if not _UNDISTURBED:
        run = tmp_path_factory.mktemp("undisturbed") / "run"
        train(profile.model_copy(update={"run": run}))
        _UNDISTURBED["run"] = run
    return profile.model_copy(update={"run": _UNDISTURBED["run"]})


def unfinished(profile: Profile) -> Path:
    return profile.run.with_name("run.unfinished")


class Stopping:
    """A reporter that stops the training after so many steps and validation batches."""

    def __init__(self, after: int, how: BaseException | signal.Signals) -> None:
        self.left, self.how = after, how
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(SilentReporter(), name)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def track(self, description: str, total: int) -> Any:
        from contextlib import nullcontext

        return nullcontext(self._advance)

    def _advance(self) -> None:
        self.left -= 1
        if self.left == 0:
            if isinstance(self.how, BaseException):
                raise self.how
            signal.raise_signal(self.how)


def stop(profile: Profile, after: int, how: BaseException | signal.Signals) -> Stopping:
    """Train until it is stopped."""
    reporter = Stopping(after, how)
    expected = KeyboardInterrupt if isinstance(how, signal.Signals) else type(how)
    with pytest.raises(expected):
        train(profile, reporter=reporter)
    return reporter


@pytest.mark.parametrize("after", [2, 4])
def test_interrupted_anywhere_and_taken_up_ends_with_the_same_bits(
    profile: Profile, undisturbed: Profile, reporter: RecordingReporter, after: int
) -> None:
    # An epoch has three steps and one batch of valid.
    stopped = stop(profile, after, signal.SIGINT)
    assert "goes on" in stopped.warnings[0]
    train(profile, reporter=reporter)
    assert "going on with an unfinished training" in reporter.notes[0]
    assert_same_bits(weights_of(profile.run), weights_of(undisturbed.run))
    assert logged(profile.run) == logged(undisturbed.run)
    assert not unfinished(profile).exists()


def test_crash_goes_back_to_the_last_checkpoint(profile: Profile, undisturbed: Profile) -> None:
    for after in (3, 4):
        stop(profile, after, RuntimeError("a bug"))
        check_readable(unfinished(profile))
    train(profile)
    assert_same_bits(weights_of(profile.run), weights_of(undisturbed.run))


def test_crash_before_the_first_checkpoint_leaves_nothing(profile: Profile) -> None:
    profile = changed(profile, checkpoint_minutes=10.0)
    stop(profile, 2, RuntimeError("a bug"))
    assert not unfinished(profile).exists()


def test_first_signal_is_obeyed_with_a_checkpoint_of_that_step(profile: Profile) -> None:
    profile = changed(profile, checkpoint_minutes=10.0)
    stop(profile, 2, signal.SIGINT)
    names = [path.name for path in (unfinished(profile) / "checkpoints").iterdir()]
    assert names == ["epoch_00001_step_000003.npz"]


def test_finished_run_holds_no_checkpoint_and_no_cache(profile: Profile) -> None:
    train(changed(profile, cache="disk"))
    left = {path.name for path in profile.run.iterdir()}
    assert left.isdisjoint({"checkpoints", "cache", "unfinished.json"})


def test_changed_profile_is_refused_by_its_keys_and_loses_nothing(profile: Profile) -> None:
    stop(profile, 4, signal.SIGINT)
    before = sorted(path.name for path in unfinished(profile).rglob("*"))
    for key, value in {"learning_rate": 1e-4, "batch": 3, "loss": "dice", "seed": 2}.items():
        with pytest.raises(ChangedError, match=rf"train\.{key} \(.* -> .*\).*\n.*--overwrite"):
            train(changed(profile, **{key: value}))
        assert sorted(path.name for path in unfinished(profile).rglob("*")) == before


def test_changed_profile_starts_afresh_with_overwrite(
    profile: Profile, reporter: RecordingReporter
) -> None:
    stop(profile, 4, signal.SIGINT)
    result = train(changed(profile, seed=2), overwrite=True, reporter=reporter)
    assert not any("going on" in note for note in reporter.notes)
    assert result.epochs == 3


def test_epochs_patience_previews_and_logs_may_change(
    profile: Profile, reporter: RecordingReporter
) -> None:
    stop(profile, 4, signal.SIGINT)
    longer = changed(
        profile, epochs=4, stop_patience=7, preview_scenes=["s1"], tensorboard=True,
        checkpoint_minutes=5.0, cache="none",
    )  # fmt: skip
    assert train(longer, reporter=reporter).epochs == 4
    assert "going on" in reporter.notes[0]


def test_prolonged_training_equals_one_that_was_as_long_from_the_start(
    profile: Profile, undisturbed: Profile
) -> None:
    stop(changed(profile, epochs=2), 5, signal.SIGINT)
    train(profile)
    assert_same_bits(weights_of(profile.run), weights_of(undisturbed.run))


def test_damaged_checkpoint_gives_way_to_the_one_before(
    profile: Profile, undisturbed: Profile, reporter: RecordingReporter, cut_short: Any
) -> None:
    stop(profile, 6, signal.SIGINT)
    newest = max((unfinished(profile) / "checkpoints").iterdir(), key=lambda path: path.name)
    cut_short(newest)
    train(profile, reporter=reporter)
    assert "is damaged" in reporter.warnings[0]
    assert_same_bits(weights_of(profile.run), weights_of(undisturbed.run))


def test_full_disk_keeps_the_last_good_checkpoint(
    profile: Profile, undisturbed: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, save = [0], checkpoints.save_checkpoint

    def full(*arguments: Any) -> Path:
        calls[0] += 1
        if calls[0] == 3:
            raise OutputError("checkpoint: cannot be written: No space left; free some space")
        return save(*arguments)

    monkeypatch.setattr(training, "save_checkpoint", full)
    with pytest.raises(OutputError):
        train(profile)
    check_readable(unfinished(profile))
    train(profile)
    assert_same_bits(weights_of(profile.run), weights_of(undisturbed.run))


def test_loss_that_is_not_a_number_keeps_the_last_checkpoint(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from landslide_cli.stages.train.step import Fitter

    step, calls = Fitter.step, [0]

    def spoilt(self: Fitter, batches: Any, rate: float, is_asked: bool) -> Any:
        tally, asked = step(self, batches, rate, is_asked)
        calls[0] += 1
        if calls[0] == 5:
            tally.loss = np.nan
        return tally, asked

    monkeypatch.setattr(Fitter, "step", spoilt)
    with pytest.raises(LandslideError, match=r"(?s)nan in epoch 2, step 2.*rate of.*t\d+\.png"):
        train(profile)
    assert (unfinished(profile) / "checkpoints").is_dir()
    assert train(profile).epochs == 3


def test_overwriting_a_finished_run_can_be_taken_up_too(
    profile: Profile, undisturbed: Profile, reporter: RecordingReporter
) -> None:
    shutil.copytree(undisturbed.run, profile.run)
    other = changed(profile, seed=5)
    with pytest.raises(KeyboardInterrupt):
        train(other, overwrite=True, reporter=Stopping(4, signal.SIGINT))
    train(other, reporter=reporter)
    assert "going on" in reporter.notes[0]


def test_killed_training_ends_with_the_same_bits_and_no_file_is_ever_unreadable(
    profile: Profile, tmp_path: Path
) -> None:
    longer = changed(profile, epochs=8, stop_patience=None)
    path = tmp_path / "profile.yaml"
    path.write_text(dump_profile(longer), encoding="utf-8")
    taken_up = train_with_kills(path, profile.run, 2, random.Random(4), 0.3)  # noqa: S311
    assert taken_up == 2
    whole = longer.model_copy(update={"run": tmp_path / "whole"})
    train(whole)
    assert_same_bits(weights_of(profile.run), weights_of(whole.run))
    assert logged(profile.run) == logged(whole.run)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_makes_a_checkpoint_and_its_exit_status(
    profile: Profile, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(dump_profile(changed(profile, epochs=500, stop_patience=None)))
    process = start_training(path)
    checkpoints = unfinished(profile) / "checkpoints"
    while not checkpoints.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    _, text = process.communicate()
    assert process.returncode == status, text
    assert "Traceback" not in text
    assert len(text.splitlines()[-1]) < 200
    check_readable(unfinished(profile))
    assert any(checkpoints.iterdir())
