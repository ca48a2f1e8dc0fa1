"""The loop of a training: what it logs and keeps, and when it ends."""

import csv
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.networks.backend import enable_determinism, keras, tf
from landslide_cli.core.networks.encoders import ENCODER
from landslide_cli.core.networks.losses import make_loss
from landslide_cli.core.networks.metrics import confusion_counts, dice
from landslide_cli.stages.train.checkpoints import CHECKPOINTS, last_checkpoint
from landslide_cli.stages.train.loop import TrainingLoop
from landslide_cli.stages.train.step import Stepper
from landslide_cli.stages.train.workers import WorkerRank, Workers
from tests.conftest import RecordingReporter
from tests.stages.train.tiny_training import (
    MEASURED,
    STEPPERS,
    NoPreviews,
    Squares,
    are_same,
    assert_close,
    loop_of,
    run,
    weights_of,
)


@pytest.fixture(scope="module", autouse=True)
def _exact() -> None:
    enable_determinism()


def kept(folder: Path) -> Any:
    return keras.saving.load_model(folder / "model.keras", compile=False)


def csv_rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def validation_arrays() -> tuple[np.ndarray, np.ndarray]:
    """The images and masks that a loop validates on."""
    squares = Squares(4, first=1000, shuffled=False)
    images, masks = zip(*(squares.example(0, index) for index in range(4)), strict=True)
    return np.stack(images).astype(np.float32), np.stack(masks)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> TrainingLoop:
    """A finished training of three epochs."""
    stepper = STEPPERS.fresh(stateful=False)
    return run(loop_of(tmp_path_factory.mktemp("plain"), stepper=stepper))


def test_the_log_has_a_row_per_epoch_with_losses_metrics_rate_and_speed(
    plain: TrainingLoop,
) -> None:
    metrics = {"loss", "dice", "iou", "dice_coef_multiclass"}
    columns = metrics | {f"valid_{name}" for name in metrics} | set(MEASURED)
    rows = csv_rows(plain.folder)
    assert set(rows[0]) == columns | {"epoch", "learning_rate"}
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["loss"] < rows[0]["loss"]
    for row, stated in zip(rows, plain.state.rows, strict=True):
        assert row == pytest.approx(stated, rel=1e-5)


def test_the_epoch_with_the_least_validation_loss_is_kept(plain: TrainingLoop) -> None:
    losses = [row["valid_loss"] for row in plain.state.rows]
    assert plain.state.best["valid_loss"] == min(losses)
    images, masks = validation_arrays()
    loss = make_loss(plain.settings)(masks, kept(plain.folder)(images))
    assert min(losses) == pytest.approx(float(loss), rel=1e-4)


def test_the_epoch_with_the_highest_monitored_dice_is_kept(tmp_path: Path) -> None:
    network = {"base_filters": 4, "normalization": True, "normalization_momentum": 0.8}
    settings: dict[str, Any] = {"watch": "valid_dice", "loss": "crossentropy_dice", "epochs": 6}
    loop = run(loop_of(tmp_path, network=network, images=24, learning_rate=2e-2, **settings))
    scores, losses = (
        [row[name] for row in loop.state.rows] for name in ("valid_dice", "valid_loss")
    )
    assert loop.state.best["epoch"] == 1 + scores.index(max(scores))
    assert scores.index(max(scores)) != losses.index(min(losses))
    assert max(scores) > 0.95
    images, masks = validation_arrays()
    counts = confusion_counts(masks, kept(tmp_path)(images), 2).numpy()
    assert dice(counts) == pytest.approx(max(scores), rel=1e-4)


def test_every_epoch_is_pictured_once(plain: TrainingLoop) -> None:
    assert isinstance(plain.previews, NoPreviews)
    assert plain.previews.epochs == [1, 2, 3]


def test_averaged_weights_are_those_validated_kept_and_pictured(
    tmp_path: Path, plain: TrainingLoop
) -> None:
    class Pictured(NoPreviews):
        def add(self, epoch: int) -> None:
            seen.append(weights_of(loop.stepper.model))

    seen: list[list[np.ndarray]] = []
    loop = loop_of(tmp_path, epochs=1, ema=0.5)
    loop.previews = Pictured()
    run(loop)
    ours, theirs = loop.state.rows[0], plain.state.rows[0]
    assert ours["loss"] == theirs["loss"]
    assert are_same(weights_of(kept(tmp_path)), seen[0])
    assert not are_same(weights_of(loop.stepper.model), seen[0])
    images, masks = validation_arrays()
    loss = make_loss(loop.settings)(masks, kept(tmp_path)(images))
    assert ours["valid_loss"] == pytest.approx(float(loss), rel=1e-4)
    assert ours["valid_loss"] != pytest.approx(theirs["valid_loss"], rel=1e-4)


def test_accumulated_batches_train_as_larger_batches_do(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 1, "optimizer": "sgd", "clip_value": None, "images": 8}
    two = run(loop_of(tmp_path / "two", batch=2, accumulate=2, **settings))
    four = run(loop_of(tmp_path / "four", batch=4, **settings))
    assert_close(weights_of(two.stepper.model), weights_of(four.stepper.model), atol=1e-5)
    rows = two.state.rows[0], four.state.rows[0]
    assert rows[0]["loss"] == pytest.approx(rows[1]["loss"], rel=1e-4)
    assert rows[0]["dice"] == pytest.approx(rows[1]["dice"], abs=1e-3)


def test_the_encoder_is_trained_only_after_the_frozen_epochs(tmp_path: Path) -> None:
    class Watching(NoPreviews):
        def add(self, epoch: int) -> None:
            states.append(weights_of(loop.stepper.model))

    loop = loop_of(tmp_path, epochs=2, frozen_epochs=1)
    loop.previews = Watching()
    names = [layer.name for layer in loop.stepper.model.layers for _ in layer.weights]
    states = [weights_of(loop.stepper.model)]
    run(loop)
    for epoch in (1, 2):
        for name, before, after in zip(names, states[epoch - 1], states[epoch], strict=True):
            is_trained = epoch > 1 or not name.startswith(ENCODER)
            assert np.array_equal(before, after) != is_trained, (epoch, name)


def rates_of(folder: Path, **settings: Any) -> list[float]:
    loop = loop_of(folder, stepper=STEPPERS.fresh(stateful=False), **settings)
    return [row["learning_rate"] for row in run(loop).state.rows]


def test_a_cosine_schedule_falls_to_its_final_rate(tmp_path: Path) -> None:
    rates = rates_of(tmp_path, schedule="cosine", epochs=3, learning_rate=1e-3, final_rate=0.1)
    # The rate of the last of an epoch's three steps: 2 of 9 steps are done, 5, and 8.
    expected = [1e-3 * (0.1 + 0.9 * (1 + np.cos(np.pi * done / 9)) / 2) for done in (2, 5, 8)]
    assert rates == pytest.approx(expected)


def test_the_rate_is_reduced_when_the_validation_loss_does_not_improve(tmp_path: Path) -> None:
    # A rate of next to nothing never improves the loss by the margin.
    settings: dict[str, Any] = {"schedule": "plateau", "reduce_patience": 1, "reduce_factor": 0.5}
    rates = rates_of(tmp_path, epochs=4, learning_rate=1e-9, **settings)
    assert rates == pytest.approx([1e-9, 1e-9, 5e-10, 2.5e-10])


def test_training_stops_early_when_the_validation_loss_does_not_improve(
    tmp_path: Path, reporter: RecordingReporter
) -> None:
    # Steps this small leave the weights as they are, and the loss of the first epoch the least.
    settings: dict[str, Any] = {"epochs": 9, "learning_rate": 1e-30, "stop_patience": 2}
    stepper = STEPPERS.fresh(stateful=False)
    loop = run(loop_of(tmp_path, stepper=stepper, reporter=reporter, **settings))
    assert (len(loop.state.rows), loop.state.best["epoch"]) == (3, 1)
    assert reporter.notes == ["stopping early: valid_loss has not improved for 2 epochs"]


def test_without_a_validation_set_the_last_epoch_is_kept(tmp_path: Path) -> None:
    # Steps this small never improve Dice.
    settings: dict[str, Any] = {"epochs": 3, "watch": "valid_dice", "learning_rate": 1e-30}
    stepper = STEPPERS.fresh(stateful=False)
    loop = run(loop_of(tmp_path, stepper=stepper, validation_images=0, **settings))
    assert (loop.state.stopping.waited, loop.state.best["epoch"]) == (2, 3)
    assert loop.examples_per_epoch() == {"train": 12}
    assert not any(name.startswith("valid") for name in loop.state.rows[0])
    assert are_same(weights_of(kept(tmp_path)), weights_of(loop.stepper.model))


def test_the_log_for_tensorboard_holds_the_logged_values(tmp_path: Path) -> None:
    stepper = STEPPERS.fresh(stateful=False)
    loop = run(loop_of(tmp_path, stepper=stepper, tensorboard=True, epochs=2))
    for part, prefix in (("train", ""), ("valid", "valid_")):
        (path,) = (tmp_path / "tensorboard" / part).iterdir()
        scalars: dict[str, dict[int, float]] = {}
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                number = float(tf.make_ndarray(value.tensor))
                scalars.setdefault(value.tag, {})[event.step] = number
        for name in ("loss", "dice"):
            expected = {round(row["epoch"]): row[prefix + name] for row in loop.state.rows}
            assert scalars[name] == pytest.approx(expected, rel=1e-5)
    assert "learning_rate" not in scalars


class Helper(Workers):
    """Workers of which this process is not the one that writes."""

    @property
    def is_chief(self) -> bool:
        return False


def test_only_the_chief_writes(tmp_path: Path, plain: TrainingLoop) -> None:
    stepper, folder = STEPPERS.like(False, Stepper), tmp_path / "none"
    stepper.workers = Helper(WorkerRank(0, 1))
    loop = run(loop_of(folder, stepper=stepper, epochs=1, tensorboard=True))
    assert not folder.exists()
    assert loop.state.rows[0]["valid_loss"] == plain.state.rows[0]["valid_loss"]


class Showing(RecordingReporter):
    """Keeps the live table."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: list[str] = []
        self.cells: list[list[str]] = []

    def live(self, title: str, columns: Any, least: Any = ()) -> Any:
        self.columns = list(columns)
        return nullcontext(lambda cells: self.cells.append(list(cells)))


def test_the_table_of_a_resumed_training_has_all_epochs(tmp_path: Path) -> None:
    run(loop_of(tmp_path, stepper=STEPPERS.fresh(stateful=False), epochs=1))
    shown, stepper = Showing(), STEPPERS.fresh(stateful=False)
    loop = loop_of(tmp_path, stepper=stepper, epochs=2, reporter=shown)
    loop.resume(last_checkpoint(tmp_path / CHECKPOINTS, RecordingReporter()))
    run(loop)
    assert [cells[0] for cells in shown.cells] == ["1", "2"]
    assert len(shown.cells[0]) == len(shown.columns)
    assert "best valid loss" in shown.columns
