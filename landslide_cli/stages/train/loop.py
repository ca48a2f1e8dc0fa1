"""The loop of a training: learn, validate, keep, report; it can be taken up at any step."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landslide_cli.core.parts import Part
from landslide_cli.errors import LandslideError
from landslide_cli.outputs import whole_file, write_csv
from landslide_cli.profile import TrainSettings
from landslide_cli.profile.train import higher_is_better
from landslide_cli.reporting import AddRow, Advance, Reporter
from landslide_cli.runs.files import METRICS, MODEL
from landslide_cli.stages.train.checkpoints import Checkpoint, save_checkpoint
from landslide_cli.stages.train.previews import Previews
from landslide_cli.stages.train.schedule import Patience, Schedule
from landslide_cli.stages.train.signals import Interruption
from landslide_cli.stages.train.step import Fitter, Tally
from landslide_cli.stages.train.tensorboard import TensorBoardLog
from landslide_cli.stages.train.workers import Workers
from landslide_cli.training_data.batches import Batches

Row = dict[str, float]


@dataclass
class Progress:
    """How far a training has come: `step` steps of the epoch `epoch` are done.

    `seconds` and `waited` are of that epoch, as far as it is done: all of it, and waiting for
    input; `best` is the row of the epoch whose model is kept.
    """

    rows: list[Row]
    best: Row
    stopping: Patience
    tally: Tally
    epoch: int = 1
    step: int = 0
    seconds: float = 0.0
    waited: float = 0.0

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "rows": self.rows,
            "best": self.best,
            "stopping": self.stopping.state(),
            "tally": self.tally.state(),
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
            "waited": self.waited,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from an earlier `state`."""
        self.rows, self.best = state["rows"], state["best"]
        self.stopping.restore(state["stopping"])
        self.tally = Tally.of(self.tally.classes, state["tally"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.seconds, self.waited = state["seconds"], state["waited"]


class Training:
    """A training under way, in a folder of its own.

    Args:
        fitter: holds the model.
        settings: the profile's `train`.
        batches: of train, and of valid if there is any.
        workers: who train together; only the chief writes.
        folder: of the run that is not finished yet.
        checkpoints: folder of the checkpoints.
        previews: pictured after each epoch.
        reporter: shown the progress.
        foreground: name of the class whose Dice is shown.
    """

    def __init__(
        self,
        fitter: Fitter,
        settings: TrainSettings,
        batches: Mapping[str, Batches],
        workers: Workers,
        folder: Path,
        checkpoints: Path,
        previews: Previews,
        reporter: Reporter,
        foreground: str,
    ) -> None:
        self._fitter, self._settings, self._workers = fitter, settings, workers
        self._train, self._valid = batches["train"], batches.get("valid")
        # Without valid, only what is learned from can be watched.
        watched = settings.watch
        self._watched = watched if self._valid is not None else watched.removeprefix("valid_")
        self._folder, self._checkpoints = folder, checkpoints
        self.previews, self._reporter, self._foreground = previews, reporter, foreground
        self._steps = len(self._train) // settings.accumulate
        self._schedule = Schedule.of(settings, self._steps)
        stopping = Patience(settings.stop_patience, higher_is_better(self._watched))
        self._names = list(dict.fromkeys(["dice", *settings.metrics]))
        self._progress = Progress([], {}, stopping, fitter.no_tally())
        self._saved = time.monotonic()
        self._log = TensorBoardLog(folder) if settings.tensorboard and workers.is_chief else None

    @property
    def rows(self) -> list[Row]:
        """The logged values of the finished epochs."""
        return self._progress.rows

    @property
    def best(self) -> Row:
        """Those of the epoch whose model is kept."""
        return self._progress.best

    @property
    def parameters(self) -> int:
        """The model's, trained or not."""
        return int(self._fitter.model.count_params())

    @property
    def replicas(self) -> int:
        """On how many processors or GPUs a batch was spread."""
        return self._workers.replicas

    @property
    def examples(self) -> dict[Part, int]:
        """How many tiles, crops or windows an epoch takes of each part."""
        counts: dict[Part, int] = {"train": len(self._train.examples)}
        return counts if self._valid is None else counts | {"valid": len(self._valid.examples)}

    def go_on_from(self, checkpoint: Checkpoint | None) -> None:
        """Take up the training where the chief's checkpoint was written, if it has one."""
        document = None if checkpoint is None else checkpoint.document
        document = self._workers.broadcast_document(document)
        if document is None:
            return
        saved = None if checkpoint is None else checkpoint.array
        self._fitter.restore(saved, document["fitter"])
        self._schedule.restore(document["schedule"])
        self._progress.restore(document["progress"])
        now = self._progress
        self._reporter.note(f"going on with an unfinished training: epoch {now.epoch}, {_at(now)}")

    def run(self, interruption: Interruption) -> None:
        """Train to the last epoch, or until the watched value gets no better.

        Raises:
            LandslideError: the loss became infinite or not a number; or another worker was asked
                to end.
        """
        now = self._progress
        with self._reporter.live("training", self._columns()) as add_row:
            for row in now.rows:
                add_row(self._cells(row))
            while now.epoch <= self._settings.epochs and not now.stopping.is_over:
                self._fitter.freeze_encoder(now.epoch <= self._settings.frozen_epochs)
                total = self._steps - now.step + (0 if self._valid is None else len(self._valid))
                with self._reporter.track(f"epoch {now.epoch}", total) as advance:
                    self._learn(interruption, advance)
                    valid = self._validate(interruption, advance)
                self._end_epoch(valid, add_row)
                if interruption.is_asked and not self._workers.are_several:
                    interruption.obey()
        if now.stopping.is_over:
            waited = now.stopping.waited
            self._reporter.note(f"no better {self._watched} for {waited} epochs: stopped")

    def _learn(self, interruption: Interruption, advance: Advance) -> None:
        """Take the steps of the epoch that are left."""
        now, settings = self._progress, self._settings
        groups = self._groups()
        while now.step < self._steps:
            began = time.perf_counter()
            batches = next(groups)
            now.waited += time.perf_counter() - began
            rate = self._schedule.rate(now.epoch, now.step)
            tally, is_asked = self._fitter.step(batches, rate, interruption.is_asked)
            if not math.isfinite(tally.loss):
                raise self._not_a_number(tally.loss, rate)
            now.tally.add(tally)
            now.step += 1
            now.seconds += time.perf_counter() - began
            if is_asked:
                self._stop(interruption)
            elif time.monotonic() - self._saved > 60.0 * settings.checkpoint_minutes:
                self._save()
            advance()

    def _groups(self) -> Iterator[list[tuple[Any, Any]]]:
        """Yield the batches of each step that is left."""
        now, count = self._progress, self._settings.accumulate
        batches = self._train.epoch(now.epoch, now.step * count)
        for first in batches:
            yield [first, *(next(batches) for _ in range(count - 1))]

    def _validate(self, interruption: Interruption, advance: Advance) -> Row:
        """Score the model on valid, with its averaged weights where it has them."""
        if self._valid is None:
            return {}
        tally, began = self._fitter.no_tally(), time.perf_counter()
        stopped = False
        with self._fitter.averaged():
            for images, masks in self._valid.epoch():
                part, stopped = self._fitter.score(images, masks, interruption.is_asked)
                if stopped:
                    break
                tally.add(part)
                advance()
        self._progress.seconds += time.perf_counter() - began
        if stopped:
            self._stop(interruption)
        return tally.results(self._names)

    def _end_epoch(self, valid: Row, add_row: AddRow) -> None:
        """Log the epoch, keep its model if it is the best so far, and get ready for the next."""
        now = self._progress
        learned = now.tally.results(self._names)
        row: Row = {"epoch": float(now.epoch)} | learned
        row |= {f"valid_{name}": value for name, value in valid.items()}
        row["learning_rate"] = self._schedule.rate(now.epoch, max(0, self._steps - 1))
        row["seconds"] = now.seconds
        row["images_per_second"] = self._images() / now.seconds
        row["input_wait"] = now.waited / now.seconds
        now.rows.append(row)
        watched = row[self._watched]
        # Without valid, the last epoch is kept.
        is_best = now.stopping.sees_better(watched) or self._valid is None
        if is_best:
            now.best = row
        if self._workers.is_chief:
            self._write(is_best)
        self._schedule.ends_epoch(watched)
        now.epoch, now.step, now.seconds, now.waited = now.epoch + 1, 0, 0.0, 0.0
        now.tally = self._fitter.no_tally()
        self._save()
        add_row(self._cells(row))

    def _write(self, is_best: bool) -> None:
        rows = self._progress.rows
        with self._fitter.averaged():
            if is_best:
                with whole_file(self._folder / MODEL) as partial:
                    self._fitter.kept_model().save(partial)
            self.previews.add(self._progress.epoch)
        write_csv(self._folder / METRICS, list(rows[0]), [_rounded(row) for row in rows])
        if self._log is not None:
            self._log.add(rows[-1])

    def _save(self) -> None:
        """Write a checkpoint of all that the training goes on from."""
        now = self._progress
        if self._workers.is_chief:
            document = {
                "progress": now.state(),
                "schedule": self._schedule.state(),
                "fitter": self._fitter.state(),
            }
            arrays = self._fitter.arrays()
            save_checkpoint(self._checkpoints, now.epoch, now.step, arrays, document)
        self._saved = time.monotonic()

    def _stop(self, interruption: Interruption) -> None:
        """End as asked, with a checkpoint of this very step."""
        self._save()
        interruption.obey()
        raise LandslideError("another worker was asked to end; all have stopped at the same step")

    def _not_a_number(self, loss: float, rate: float) -> LandslideError:
        now, count = self._progress, self._settings.accumulate
        names = [
            name
            for number in range(now.step * count, (now.step + 1) * count)
            for name in self._train.names(now.epoch, number)
        ]
        return LandslideError(
            f"the loss became {loss} in epoch {now.epoch}, step {now.step + 1}, at a learning rate "
            f"of {rate:g}, on {', '.join(names)};\nlower train.learning_rate or train.clip_value"
        )

    def _images(self) -> int:
        """Count the images that an epoch learns from, and those that it is validated on."""
        learned = len(self._train) * self._settings.batch
        return learned + (0 if self._valid is None else len(self._valid.examples))

    def _columns(self) -> list[str]:
        return [
            "epoch", "loss", "valid loss", f"{self._foreground} Dice",
            f"best {self._watched.replace('_', ' ')}",
            "rate", "images/s", "Mpx/s", "input wait", "left",
        ]  # fmt: skip

    def _cells(self, row: Row) -> list[str]:
        until = [one for one in self._progress.rows if one["epoch"] <= row["epoch"]]
        choose = max if higher_is_better(self._watched) else min
        best = choose(until, key=lambda one: one[self._watched])
        part = "" if self._valid is None else "valid_"
        pixels = self._train.examples.rows * self._train.examples.cols
        return [
            f"{row['epoch']:.0f}",
            f"{row['loss']:.4f}",
            f"{row['valid_loss']:.4f}" if part else "",
            f"{row[f'{part}dice']:.4f}",
            f"{best[self._watched]:.4f}" + (" *" if best is row else ""),
            f"{row['learning_rate']:.1e}",
            f"{row['images_per_second']:.1f}",
            f"{row['images_per_second'] * pixels / 1e6:.2f}",
            f"{row['input_wait']:.1%}",
            time_left([one["seconds"] for one in until], self._settings.epochs),
        ]


def _at(progress: Progress) -> str:
    return f"step {progress.step + 1}" if progress.step else "from its beginning"


def _rounded(row: Row) -> list[object]:
    return [int(value) if name == "epoch" else f"{value:.6g}" for name, value in row.items()]


def time_left(seconds: list[float], epochs: int) -> str:
    """Estimate the time for the remaining epochs from those that are done, as h:mm:ss."""
    left = round(sum(seconds) / len(seconds) * (epochs - len(seconds)))
    return f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
