"""All that a training is resumed from, beside the variables of its model and optimizer."""

from dataclasses import dataclass, field
from typing import Any

from landslide_cli.stages.train.schedule import Patience, Schedule
from landslide_cli.stages.train.step import LossScale
from landslide_cli.stages.train.totals import EpochTotals

Row = dict[str, float]


@dataclass
class TrainState:
    """How far a training has come: `step` steps of the epoch `epoch` are done.

    Args:
        schedule: the learning rate, and what `plateau` has made of it.
        stopping: counts the epochs before an early stop.
        totals: of the epoch under way.
        loss_scale: of float16.
        epoch: counted from 1.
        step: of this epoch.
        seconds: spent in this epoch.
        input_wait: seconds of these spent waiting for batches.
        rows: logged values of each finished epoch.
        best: the row of the epoch whose model is kept.
    """

    schedule: Schedule
    stopping: Patience
    totals: EpochTotals
    loss_scale: LossScale
    epoch: int = 1
    step: int = 0
    seconds: float = 0.0
    input_wait: float = 0.0
    rows: list[Row] = field(default_factory=list)
    best: Row = field(default_factory=dict)

    def begin_next_epoch(self) -> None:
        self.epoch, self.step, self.seconds, self.input_wait = self.epoch + 1, 0, 0.0, 0.0
        self.totals = EpochTotals.zero(len(self.totals.counts))

    def to_dict(self) -> dict[str, Any]:
        """Return all that changes in a training, as JSON values."""
        return {
            "progress": {
                "rows": self.rows,
                "best": self.best,
                "stopping": self.stopping.to_dict(),
                "tally": self.totals.to_dict(),
                "epoch": self.epoch,
                "step": self.step,
                "seconds": self.seconds,
                "waited": self.input_wait,
            },
            "schedule": self.schedule.to_dict(),
            "fitter": self.loss_scale.to_dict(),
        }

    def load_dict(self, document: dict[str, Any]) -> None:
        """Resume from what `to_dict` has returned.

        Raises:
            KeyError, TypeError: the document has another form.
        """
        progress = document["progress"]
        self.rows, self.best = progress["rows"], progress["best"]
        self.stopping.load_dict(progress["stopping"])
        self.totals = EpochTotals.from_dict(progress["tally"])
        self.epoch, self.step = progress["epoch"], progress["step"]
        self.seconds, self.input_wait = progress["seconds"], progress["waited"]
        self.schedule.load_dict(document["schedule"])
        self.loss_scale.load_dict(document["fitter"])
