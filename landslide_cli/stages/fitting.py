"""The arithmetic of training: a step, a pass over valid, and when to slow down or stop."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from landslide_cli.core.backend import keras, tf
from landslide_cli.core.losses import make_loss
from landslide_cli.core.metrics import make_metric
from landslide_cli.errors import LandslideError
from landslide_cli.imagery.batches import TileBatches
from landslide_cli.profile import TrainSettings

Advance = Callable[[], None]


class Fitter:
    """Trains a model batch by batch, and scores it on valid.

    Args:
        model: a Keras model that gives probabilities.
        settings: optimizer, loss, metrics and seed.
        classes: number of classes, background included.
    """

    def __init__(self, model: Any, settings: TrainSettings, classes: int) -> None:
        self.model = model
        self._optimizer = _make_optimizer(settings)
        self._optimizer.build(model.trainable_variables)
        self._loss = make_loss(settings)
        self._mean_loss = keras.metrics.Mean(name="loss")
        # Dice of the landslides is always logged: it is what a run is watched by.
        names = dict.fromkeys(["dice", *settings.metrics])
        self._metrics = [self._mean_loss, *(make_metric(name, classes) for name in names)]
        self._seed = settings.seed
        self._train_step = tf.function(self._step, reduce_retracing=True)
        self._valid_step = tf.function(self._score, reduce_retracing=True)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self._optimizer.learning_rate)

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._optimizer.learning_rate = value

    def train(self, batches: TileBatches, epoch: int, advance: Advance) -> dict[str, float]:
        """Take a step for each batch, in an order that follows from the seed and the epoch.

        Returns:
            The epoch's mean loss and metrics, as the model was while it learned.

        Raises:
            LandslideError: the loss became infinite or not a number.
        """
        order = np.random.default_rng((self._seed, epoch)).permutation(len(batches.tiles))
        self._reset()
        for number, (images, masks) in enumerate(batches.epoch(order), start=1):
            loss = float(self._train_step(images, masks))
            if not math.isfinite(loss):
                raise LandslideError(
                    f"the loss became {loss} in epoch {epoch}, step {number}, at a learning rate "
                    f"of {self.learning_rate:g};\nlower train.learning_rate or train.clip_value"
                )
            advance()
        return self._results()

    def validate(self, batches: TileBatches, advance: Advance) -> dict[str, float]:
        """Score the model on all batches; return the mean loss and the metrics."""
        self._reset()
        for images, masks in batches.epoch():
            self._valid_step(images, masks)
            advance()
        return self._results()

    def _step(self, images: Any, masks: Any) -> Any:
        with tf.GradientTape() as tape:
            probabilities = self.model(tf.cast(images, tf.float32), training=True)
            loss = self._loss(masks, probabilities)
        variables = self.model.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        self._count(loss, masks, probabilities)
        return loss

    def _score(self, images: Any, masks: Any) -> None:
        probabilities = self.model(tf.cast(images, tf.float32), training=False)
        self._count(self._loss(masks, probabilities), masks, probabilities)

    def _count(self, loss: Any, masks: Any, probabilities: Any) -> None:
        # A last batch with fewer tiles weighs less.
        self._mean_loss.update_state(loss, sample_weight=tf.shape(masks)[0])
        for metric in self._metrics[1:]:
            metric.update_state(masks, probabilities)

    def _reset(self) -> None:
        for metric in self._metrics:
            metric.reset_state()

    def _results(self) -> dict[str, float]:
        return {metric.name: float(metric.result()) for metric in self._metrics}


def _make_optimizer(settings: TrainSettings) -> Any:
    options = {"learning_rate": settings.learning_rate, "clipvalue": settings.clip_value}
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(weight_decay=settings.weight_decay, **options)
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=0.9, nesterov=True, **options)
    return keras.optimizers.Adam(**options)


@dataclass
class Patience:
    """Watches a value that should fall.

    Args:
        epochs: how many epochs without a new least value are borne; None bears any number.
        margin: how much lower a value must be to count as new.
    """

    epochs: int | None
    margin: float = 0.0
    least: float = field(default=math.inf, init=False)
    waited: int = field(default=0, init=False)

    def sees_better(self, value: float) -> bool:
        """Take the epoch's value; return whether it is the least so far."""
        if value < self.least - self.margin:
            self.least, self.waited = value, 0
            return True
        self.waited += 1
        return False

    @property
    def is_over(self) -> bool:
        """Whether the value has not fallen for as long as is borne."""
        return self.epochs is not None and self.waited >= self.epochs


def time_left(seconds: Sequence[float], epochs: int) -> str:
    """Estimate the time for the remaining epochs from those that are done, as h:mm:ss."""
    left = round(sum(seconds) / len(seconds) * (epochs - len(seconds)))
    return f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
