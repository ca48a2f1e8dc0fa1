"""A training that is stopped anywhere, or breaks down, resumes to the same bits."""

import json
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.networks.backend import enable_determinism
from landslide_cli.errors import DataError, LandslideError, OutputError
from landslide_cli.reporting import Advance
from landslide_cli.stages.train.checkpoints import CHECKPOINTS, Checkpoint, last_checkpoint
from landslide_cli.stages.train.loop import TrainingLoop
from landslide_cli.stages.train.step import Stepper
from landslide_cli.stages.train.totals import EpochTotals
from landslide_cli.stages.train.workers import WorkerRank, Workers
from tests.conftest import RecordingReporter
from tests.killing import assert_same_bits, check_readable, logged, weights_of
from tests.stages.train.tiny_training import MEASURED, STATEFUL, STEPPERS, loop_of, run


@pytest.fixture(scope="module", autouse=True)
def _exact() -> None:
    enable_determinism()


class Stopping(RecordingReporter):
    """A reporter that stops the training after so many steps and validation batches."""

    def __init__(self, after: int, how: BaseException | signal.Signals) -> None:
        super().__init__()
        self.left, self.how = after, how

    def track(
        self, description: str, total: float, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        return nullcontext(self._count_down)

    def _count_down(self, amount: float = 1.0, *, name: str | None = None) -> None:
        if amount == 0.0:  # a name alone
            return
        self.left -= 1
        if self.left == 0:
            if isinstance(self.how, BaseException):
                raise self.how
            signal.raise_signal(self.how)


def stop(
    folder: Path, after: int, how: BaseException | signal.Signals = signal.SIGINT, **settings: Any
) -> TrainingLoop:
    """Train, or resume, until it is stopped after so many steps and validation batches."""
    expected = KeyboardInterrupt if isinstance(how, signal.Signals) else type(how)
    stepper, reporter = STEPPERS.fresh(stateful=True), Stopping(after, how)
    loop = loop_of(folder, stepper=stepper, reporter=reporter, **(STATEFUL | settings))
    loop.resume(newest(folder))
    with pytest.raises(expected):
        run(loop)
    check_readable(folder)
    return loop


def newest(folder: Path) -> Checkpoint | None:
    return last_checkpoint(folder / CHECKPOINTS, RecordingReporter())


def resumed(folder: Path, **settings: Any) -> TrainingLoop:
    """Finish a training that was stopped."""
    stepper, reporter = STEPPERS.fresh(stateful=True), RecordingReporter()
    loop = loop_of(folder, stepper=stepper, reporter=reporter, **(STATEFUL | settings))
    loop.resume(newest(folder))
    return run(loop)


def notes_of(loop: TrainingLoop) -> list[str]:
    assert isinstance(loop.reporter, RecordingReporter)
    return loop.reporter.notes


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stateful training, finished in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(loop_of(folder, stepper=STEPPERS.fresh(stateful=True), **STATEFUL))
    return folder


def assert_same_training(folder: Path, undisturbed: Path) -> None:
    assert_same_bits(weights_of(folder), weights_of(undisturbed))
    assert logged(folder) == logged(undisturbed)
    ours, theirs = newest(folder), newest(undisturbed)
    assert ours is not None
    assert theirs is not None
    assert settled(ours) == settled(theirs)


def settled(checkpoint: Checkpoint) -> Any:
    """All that a checkpoint's document says, but for times."""
    document = json.loads(json.dumps(checkpoint.document))
    for row in [*document["progress"]["rows"], document["progress"]["best"]]:
        for name in MEASURED:
            del row[name]
    return document


@pytest.mark.parametrize(
    ("after", "note"),
    [
        (1, "resuming at epoch 1, step 3"),  # the step under way is finished
        (4, "resuming at epoch 1, validation"),  # in its first batch
        (5, "resuming at epoch 2, step 1"),  # in its last batch
    ],
)
def test_a_training_interrupted_anywhere_resumes_to_the_same_bits(
    tmp_path: Path, undisturbed: Path, after: int, note: str
) -> None:
    stop(tmp_path, after)
    loop = resumed(tmp_path)
    assert notes_of(loop) == [note]
    assert_same_training(tmp_path, undisturbed)


def test_crashes_lose_no_more_than_the_steps_since_the_last_checkpoint(
    tmp_path: Path, undisturbed: Path
) -> None:
    for after in (3, 4):
        stop(tmp_path, after, RuntimeError("a bug"))
    resumed(tmp_path)
    assert_same_training(tmp_path, undisturbed)


def test_a_signal_finishes_the_step_and_makes_a_checkpoint_of_it(tmp_path: Path) -> None:
    stop(tmp_path, 1, checkpoint_minutes=10.0)
    names = [path.name for path in (tmp_path / CHECKPOINTS).iterdir()]
    assert names == ["epoch_00001_step_000002.npz"]


def test_a_prolonged_training_equals_one_that_was_as_long_from_the_start(
    tmp_path: Path, undisturbed: Path
) -> None:
    run(loop_of(tmp_path, stepper=STEPPERS.fresh(stateful=True), **(STATEFUL | {"epochs": 2})))
    resumed(tmp_path)
    assert_same_training(tmp_path, undisturbed)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, undisturbed: Path, cut_short: Callable[..., Path]
) -> None:
    stop(tmp_path, 6)
    checkpoint = newest(tmp_path)
    assert checkpoint is not None
    cut_short(checkpoint.path)
    resumed(tmp_path)
    assert_same_training(tmp_path, undisturbed)


class FullDisk(Stepper):
    """Cannot write its third checkpoint."""

    saved = 0

    def arrays(self) -> Any:
        self.saved += 1
        for index, (name, values) in enumerate(super().arrays()):
            if self.saved == 3 and index == 3:
                raise OSError(28, "No space left on device")
            yield name, values


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path: Path, undisturbed: Path) -> None:
    with pytest.raises(OutputError, match="free some space"):
        run(loop_of(tmp_path, stepper=STEPPERS.like(True, FullDisk), **STATEFUL))
    check_readable(tmp_path)
    checkpoint = newest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.path.name == "epoch_00001_step_000002.npz"
    resumed(tmp_path)
    assert_same_training(tmp_path, undisturbed)


class NotFinite(Stepper):
    """Has a loss that is not a number in its fifth step."""

    taken = 0

    def step(self, *arguments: Any) -> EpochTotals:
        totals = super().step(*arguments)
        self.taken += 1
        if self.taken == 5:
            totals.loss = np.nan
        return totals


def test_a_loss_that_is_not_finite_ends_with_its_place_and_keeps_the_last_checkpoint(
    tmp_path: Path, undisturbed: Path
) -> None:
    message = r"(?s)nan in epoch 2, step 2, at a learning rate of 0\.01, on (square \d+, ){3}"
    with pytest.raises(LandslideError, match=message):
        run(loop_of(tmp_path, stepper=STEPPERS.like(True, NotFinite), **STATEFUL))
    resumed(tmp_path)
    assert_same_training(tmp_path, undisturbed)


def test_a_loss_that_explodes_ends_before_it_reaches_the_weights(tmp_path: Path) -> None:
    network = {"input_scaling": False, "activation": "leaky_relu"}
    settings: dict[str, Any] = {
        "optimizer": "sgd",
        "clip_value": None,
        "learning_rate": 10.0,
        "epochs": 30,
    }
    loop = loop_of(tmp_path, network=network, **settings)
    with pytest.raises(LandslideError, match=r"(?s)became (nan|inf).*lower train.learning_rate"):
        run(loop)


@pytest.mark.parametrize("spoil", ["document", "variables"])
def test_a_checkpoint_of_another_version_is_refused_with_a_message(
    tmp_path: Path, spoil: str
) -> None:
    stop(tmp_path, 1)
    checkpoint = newest(tmp_path)
    assert checkpoint is not None
    is_other = spoil == "variables"
    settings: dict[str, Any] = {} if is_other else STATEFUL
    loop = loop_of(tmp_path, stepper=STEPPERS.fresh(stateful=not is_other), **settings)
    if spoil == "document":
        del checkpoint.document["progress"]["stopping"]
    with pytest.raises(DataError, match="another version of landslide"):
        loop.resume(checkpoint)


class ToldElsewhere(Workers):
    """Workers of which another is told to end before the second time that all are asked."""

    asked = 0

    def any(self, condition: bool) -> bool:
        self.asked += 1
        return condition or self.asked >= 2


def test_all_workers_end_with_a_checkpoint_of_the_step_at_which_one_is_told_to(
    tmp_path: Path, undisturbed: Path
) -> None:
    stepper = STEPPERS.like(True, Stepper)
    stepper.workers = ToldElsewhere(WorkerRank(0, 1))
    with pytest.raises(LandslideError, match="another worker was told to end"):
        run(loop_of(tmp_path, stepper=stepper, **(STATEFUL | {"checkpoint_minutes": 10.0})))
    checkpoint = newest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.path.name == "epoch_00001_step_000002.npz"
    resumed(tmp_path)
    assert_same_training(tmp_path, undisturbed)
