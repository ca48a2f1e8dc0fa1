"""When a training slows down, and when it stops: the learning rate of each step, and patience."""

import math
from dataclasses import dataclass, field
from typing import Any

from landslide_cli.profile import TrainSettings
from landslide_cli.profile.train import higher_is_better

# By how much a value must be better to count for `plateau`; that of Keras's ReduceLROnPlateau,
# which the published experiment used.
_PLATEAU_MARGIN = 1e-4


@dataclass
class Patience:
    """Counts the epochs since a value was last better than all before.

    Args:
        epochs: how many of them exhaust it; None for any number.
        higher_is_better: whether the value should rise; losses should fall.
        margin: by how much a value must be better to count.
        best: the best value so far.
        waited: epochs since then.
    """

    epochs: int | None
    higher_is_better: bool = False
    margin: float = 0.0
    best: float | None = None
    waited: int = 0

    def improved(self, value: float) -> bool:
        """Take the epoch's value; return whether it is better than all before."""
        sign = 1.0 if self.higher_is_better else -1.0
        if self.best is None or sign * (value - self.best) > self.margin:
            self.best, self.waited = value, 0
            return True
        self.waited += 1
        return False

    @property
    def exhausted(self) -> bool:
        return self.epochs is not None and self.waited >= self.epochs

    def to_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def load_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]


@dataclass
class Schedule:
    """The learning rate of each step: warm-up, then constant, cosine, or reduced on plateaus.

    In `warmup_epochs` the rate rises linearly to `learning_rate`; that of the first step is above
    0. Then `cosine` falls to `final_rate` times as much after the last epoch (Loshchilov and Hutter
    2017, arXiv:1608.03983, without restarts), and `plateau` is multiplied by `reduce_factor`
    whenever the monitored value has not improved for `reduce_patience` epochs.

    Args:
        settings: the profile's `train`.
        steps: per epoch.
        factor: what `plateau` has reduced the rate by so far.
    """

    settings: TrainSettings
    steps: int
    factor: float = 1.0
    plateau: Patience = field(init=False)

    def __post_init__(self) -> None:
        rises = higher_is_better(self.settings.watch)
        self.plateau = Patience(self.settings.reduce_patience, rises, _PLATEAU_MARGIN)

    def rate(self, epoch: int, step: int) -> float:
        """Return the learning rate of a step; epochs count from 1, their steps from 0."""
        settings, done = self.settings, (epoch - 1) * self.steps + step
        warmup = settings.warmup_epochs * self.steps
        if done < warmup:
            return settings.learning_rate * min(1.0, (done + 1) / warmup)
        if settings.schedule == "cosine":
            share = (done - warmup) / max(1.0, settings.epochs * self.steps - warmup)
            falling = (1.0 + math.cos(math.pi * min(1.0, share))) / 2.0
            final = settings.final_rate
            return settings.learning_rate * (final + (1.0 - final) * falling)
        return settings.learning_rate * self.factor

    def end_epoch(self, monitored: float) -> None:
        """Take the epoch's monitored value; `plateau` may reduce the rate of the next epochs."""
        if self.settings.schedule != "plateau":
            return
        self.plateau.improved(monitored)
        if self.plateau.exhausted:
            self.factor, self.plateau.waited = self.factor * self.settings.reduce_factor, 0

    def to_dict(self) -> dict[str, Any]:
        return {"factor": self.factor, "slowing": self.plateau.to_dict()}

    def load_dict(self, state: dict[str, Any]) -> None:
        self.factor = state["factor"]
        self.plateau.load_dict(state["slowing"])
