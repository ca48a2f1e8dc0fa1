"""The loop of a training: step, validate, log, keep, save; it can be resumed at any step."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landslide_cli.core.palette import Palette
from landslide_cli.core.parts import Part
from landslide_cli.errors import DataError, LandslideError, counted
from landslide_cli.outputs import whole_file, write_csv
from landslide_cli.profile import TrainSettings
from landslide_cli.profile.train import higher_is_better
from landslide_cli.reporting import Advance, Reporter
from landslide_cli.runs.files import METRICS, MODEL
from landslide_cli.stages.train.checkpoints import CHECKPOINTS, Checkpoint, save_checkpoint
from landslide_cli.stages.train.previews import Previews
from landslide_cli.stages.train.schedule import Patience, Schedule
from landslide_cli.stages.train.signals import Interruption
from landslide_cli.stages.train.state import Row, TrainState
from landslide_cli.stages.train.step import LossScale, Stepper
from landslide_cli.stages.train.table import EpochTable
from landslide_cli.stages.train.tensorboard import TensorBoardLog
from landslide_cli.stages.train.totals import EpochTotals
from landslide_cli.training_data.batches import Batches


@dataclass
class TrainingLoop:
    """A training under way, in a folder of its own.

    Args:
        settings: the profile's `train`.
        stepper: the model and its optimizer.
        train: batches of the training set.
        valid: batches of the validation set, if there is one.
        folder: of the unfinished run, where the chief alone writes.
        previews: drawn after each epoch.
        reporter: shown the progress.
        palette: the classes, and which of them are the foreground.

    Attributes:
        state: how far the training has come.
    """

    settings: TrainSettings
    stepper: Stepper
    train: Batches
    valid: Batches | None
    folder: Path
    previews: Previews
    reporter: Reporter
    palette: Palette

    def __post_init__(self) -> None:
        settings = self.settings
        # Without a validation set, only values of the training set can be monitored.
        watch = settings.watch
        self._monitored = watch if self.valid is not None else watch.removeprefix("valid_")
        self._metrics = settings.logged(len(self.palette))
        self._steps = len(self.train) // settings.accumulate
        self._workers = self.stepper.workers
        self.state = TrainState(
            Schedule(settings, self._steps),
            Patience(settings.stop_patience, higher_is_better(self._monitored)),
            self.stepper.new_totals(),
            LossScale.of(settings.precision),
        )
        self._saved_at = time.monotonic()
        logs = settings.tensorboard and self._workers.is_chief
        self._log = TensorBoardLog(self.folder) if logs else None

    def resume(self, checkpoint: Checkpoint | None) -> None:
        """Continue where the chief's checkpoint was written, if it has one.

        Raises:
            DataError: the checkpoint is of another version of this program.
        """
        document = None if checkpoint is None else checkpoint.document
        document = self._workers.broadcast_document(document)
        if document is None:
            return
        try:
            self.state.load_dict(document)
            self.stepper.load_arrays(None if checkpoint is None else checkpoint.array)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{self.folder}: its checkpoints were written by another version of landslide "
                f"({type(error).__name__}: {error});\nfinish the training with that version, or "
                "start over with --overwrite"
            ) from error
        state = self.state
        at = f"step {state.step + 1}" if state.step < self._steps else "validation"
        self.reporter.note(f"resuming at epoch {state.epoch}, {at}")

    def run(self, interruption: Interruption) -> None:
        """Train to the last epoch, or until the monitored value has stopped improving.

        Raises:
            LandslideError: the loss became infinite or not a number; or another worker was told to
                end.
        """
        state, settings = self.state, self.settings
        table = self._table()
        with self.reporter.live("training", table.columns, table.least) as add_row:
            for row in state.rows:
                add_row(table.cells(row))
            while state.epoch <= settings.epochs and not state.stopping.exhausted:
                self.stepper.freeze_encoder(state.epoch <= settings.frozen_epochs)
                with self.reporter.track(f"epoch {state.epoch}", self._remaining()) as advance:
                    self._take_steps(interruption, advance)
                    scores = self._validate(interruption, advance)
                row = self._log_epoch(scores)
                improved = state.stopping.improved(row[self._monitored])
                # Without a validation set, the last epoch is kept.
                is_best = improved or self.valid is None
                if is_best:
                    state.best = row
                if self._workers.is_chief:
                    with self.reporter.working("writing the model and previews"):
                        self._write(is_best)
                state.schedule.end_epoch(row[self._monitored])
                state.begin_next_epoch()
                self._save()
                add_row(table.cells(row))
                self._stop_if_requested(interruption)
        if state.stopping.exhausted:
            waited = state.stopping.waited
            self.reporter.note(
                f"stopping early: {self._monitored} has not improved for {counted(waited, 'epoch')}"
            )

    def examples_per_epoch(self) -> dict[Part, int]:
        """Count the tiles, crops or windows of each part."""
        counts: dict[Part, int] = {"train": len(self.train.examples)}
        return counts if self.valid is None else counts | {"valid": len(self.valid.examples)}

    def _take_steps(self, interruption: Interruption, advance: Advance) -> None:
        """Take the remaining steps of the epoch."""
        state = self.state
        batches_of_steps = self._batches_of_steps()
        while state.step < self._steps:
            start = time.perf_counter()
            batches = next(batches_of_steps)
            state.input_wait += time.perf_counter() - start
            rate = state.schedule.rate(state.epoch, state.step)
            totals = self.stepper.step(batches, rate, state.loss_scale)
            if not math.isfinite(totals.loss):
                raise self._not_finite(totals.loss, rate)
            state.totals.add(totals)
            state.step += 1
            state.seconds += time.perf_counter() - start
            self._stop_if_requested(interruption)
            if time.monotonic() - self._saved_at > 60.0 * self.settings.checkpoint_minutes:
                self._save()
            advance()

    def _batches_of_steps(self) -> Iterator[list[tuple[Any, Any]]]:
        """Yield the batches of each remaining step of the epoch."""
        state, count = self.state, self.settings.accumulate
        batches = self.train.epoch(state.epoch, state.step * count)
        for first in batches:
            yield [first, *(next(batches) for _ in range(count - 1))]

    def _validate(self, interruption: Interruption, advance: Advance) -> Row:
        """Score the model on the validation set, with its averaged weights where it has them."""
        if self.valid is None:
            return {}
        advance(0.0, name=f"epoch {self.state.epoch}, validating")
        totals, start, is_stopping = self.stepper.new_totals(), time.perf_counter(), False
        with self.stepper.averaged():
            for images, masks in self.valid.epoch():
                is_stopping = self._workers.any(interruption.stop_requested)
                if is_stopping:
                    break
                totals.add(self.stepper.score(images, masks))
                advance()
        self.state.seconds += time.perf_counter() - start
        if is_stopping:
            # Here the model has its own weights again, not their averages.
            self._stop(interruption)
        return self._results(totals)

    def _log_epoch(self, scores: Row) -> Row:
        """Add the epoch's row to the log."""
        state = self.state
        row: Row = {"epoch": float(state.epoch)} | self._results(state.totals)
        row |= {f"valid_{name}": value for name, value in scores.items()}
        row["learning_rate"] = state.schedule.rate(state.epoch, max(0, self._steps - 1))
        row["seconds"] = state.seconds
        row["images_per_second"] = self._images_per_epoch() / state.seconds
        row["input_wait"] = state.input_wait / state.seconds
        state.rows.append(row)
        return row

    def _results(self, totals: EpochTotals) -> Row:
        return totals.results(self._metrics, self.palette.foreground)

    def _write(self, is_best: bool) -> None:
        """Keep the model if it is the best so far; write previews and metrics."""
        rows = self.state.rows
        with self.stepper.averaged():
            if is_best:
                with whole_file(self.folder / MODEL) as partial:
                    self.stepper.kept_model().save(partial)
            self.previews.add(self.state.epoch)
        write_csv(self.folder / METRICS, list(rows[0]), [_csv_cells(row) for row in rows])
        if self._log is not None:
            self._log.add(rows[-1])

    def _save(self) -> None:
        """Write a checkpoint of all that the training is resumed from."""
        state = self.state
        if self._workers.is_chief:
            folder, arrays = self.folder / CHECKPOINTS, self.stepper.arrays()
            save_checkpoint(folder, state.epoch, state.step, arrays, state.to_dict())
        self._saved_at = time.monotonic()

    def _stop_if_requested(self, interruption: Interruption) -> None:
        """End if any worker was told to; all of them end at the same step."""
        if self._workers.any(interruption.stop_requested):
            self._stop(interruption)

    def _stop(self, interruption: Interruption) -> None:
        """End with a checkpoint of this very step."""
        self._save()
        interruption.reraise()
        raise LandslideError("another worker was told to end; all have stopped at the same step")

    def _not_finite(self, loss: float, rate: float) -> LandslideError:
        state, count = self.state, self.settings.accumulate
        names = [
            name
            for number in range(state.step * count, (state.step + 1) * count)
            for name in self.train.names(state.epoch, number)
        ]
        return LandslideError(
            f"the loss became {loss} in epoch {state.epoch}, step {state.step + 1}, at a learning "
            f"rate of {rate:g}, on {', '.join(names)};\n"
            "lower train.learning_rate or train.clip_value"
        )

    def _remaining(self) -> int:
        """Count the steps and validation batches that remain of the epoch."""
        return self._steps - self.state.step + (0 if self.valid is None else len(self.valid))

    def _images_per_epoch(self) -> int:
        """Count the images trained on, and those validated on."""
        trained_on = len(self.train) * self.settings.batch
        return trained_on + (0 if self.valid is None else len(self.valid.examples))

    def _table(self) -> EpochTable:
        examples = self.train.examples
        return EpochTable(
            self.settings.epochs,
            self._monitored,
            self.valid is not None,
            self.palette.subject,
            pixels=examples.rows * examples.cols,
            has_means="mean_iou" in self._metrics,
        )


def _csv_cells(row: Row) -> list[object]:
    return [int(value) if name == "epoch" else f"{value:.6g}" for name, value in row.items()]
