"""When a training slows down, and when it stops: the learning rate's course, and patience."""

import math
from dataclasses import dataclass
from typing import Any, Self

from landslide_cli.profile import TrainSettings
from landslide_cli.profile.train import higher_is_better


@dataclass
class Patience:
    """Watches a value that should fall, or rise.

    Args:
        epochs: how many epochs without a new best value are borne; None bears any number.
        rising: whether more is better.
        margin: by how much a value must be better to count as new.
        best: the best value so far.
        waited: epochs since then.
    """

    epochs: int | None
    rising: bool = False
    margin: float = 0.0
    best: float | None = None
    waited: int = 0

    def sees_better(self, value: float) -> bool:
        """Take the epoch's value; return whether it is the best so far."""
        sign = 1.0 if self.rising else -1.0
        if self.best is None or sign * (value - self.best) > self.margin:
            self.best, self.waited = value, 0
            return True
        self.waited += 1
        return False

    @property
    def is_over(self) -> bool:
        """Whether the value has been no better for as long as is borne."""
        return self.epochs is not None and self.waited >= self.epochs

    def state(self) -> dict[str, Any]:
        """Return what must outlive the process."""
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> Self:
        """Go on from an earlier `state`."""
        self.best, self.waited = state["best"], state["waited"]
        return self


@dataclass
class Schedule:
    """The learning rate of each step: warm-up, then constant, cosine, or reduced on plateaus.

    Args:
        learning_rate: where it starts after the warm-up.
        steps: of an epoch.
        epochs: of the training.
        kind: `constant`, `cosine` (Loshchilov and Hutter 2017, without restarts) or `plateau`.
        warmup_epochs: in which the rate rises linearly; the first step is above 0.
        final_rate: factor that `cosine` reaches after the last epoch.
        reduce_factor: of `plateau`.
        slowing: patience of `plateau`.
        factor: what `plateau` has reduced the rate by so far.
    """

    learning_rate: float
    steps: int
    epochs: int
    kind: str
    warmup_epochs: float
    final_rate: float
    reduce_factor: float
    slowing: Patience
    factor: float = 1.0

    @classmethod
    def of(cls, settings: TrainSettings, steps: int) -> Self:
        """Make the profile's schedule for epochs of so many steps."""
        # The margin is that of Keras's ReduceLROnPlateau, which the experiment used.
        slowing = Patience(settings.reduce_patience, higher_is_better(settings.watch), 1e-4)
        return cls(
            settings.learning_rate,
            steps,
            settings.epochs,
            settings.schedule,
            settings.warmup_epochs,
            settings.final_rate,
            settings.reduce_factor,
            slowing,
        )

    def rate(self, epoch: int, step: int) -> float:
        """Return the learning rate of a step; epochs count from 1, their steps from 0."""
        done, warmup = (epoch - 1) * self.steps + step, self.warmup_epochs * self.steps
        if done < warmup:
            return self.learning_rate * min(1.0, (done + 1) / warmup)
        if self.kind == "cosine":
            share = (done - warmup) / max(1.0, self.epochs * self.steps - warmup)
            falling = (1.0 + math.cos(math.pi * min(1.0, share))) / 2.0
            return self.learning_rate * (self.final_rate + (1.0 - self.final_rate) * falling)
        return self.learning_rate * self.factor

    def ends_epoch(self, watched: float) -> None:
        """Take the epoch's watched value; a plateau reduces the rate of the next epochs."""
        if self.kind != "plateau":
            return
        self.slowing.sees_better(watched)
        if self.slowing.is_over:
            self.factor, self.slowing.waited = self.factor * self.reduce_factor, 0

    def state(self) -> dict[str, Any]:
        """Return what must outlive the process."""
        return {"factor": self.factor, "slowing": self.slowing.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from an earlier `state`."""
        self.factor = state["factor"]
        self.slowing.restore(state["slowing"])
