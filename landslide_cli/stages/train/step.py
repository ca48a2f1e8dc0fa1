"""The arithmetic of training: gradients of a batch, a step, a score, and the state of it all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.batch_norm import with_plain_normalization
from landslide_cli.core.networks.build import in_precision
from landslide_cli.core.networks.encoders import ENCODER
from landslide_cli.core.networks.losses import alone, make_loss
from landslide_cli.core.networks.metrics import confusion_counts, make_metric, soft_accuracy
from landslide_cli.profile import TrainSettings
from landslide_cli.stages.train.workers import Workers

Batch = tuple[Any, Any]

# Loss scaling for float16 as in Micikevicius et al. 2018, arXiv:1710.03740.
_FIRST_SCALE, _GROW_AFTER = 2.0**15, 2000


@dataclass
class Tally:
    """What the batches of an epoch add up to, over all processors.

    Args:
        classes: number of classes, background included.
        loss: of each batch, times its images.
        counts: of pixels by true and by predicted class.
        soft: `soft_accuracy`, summed over images.
        images: that have any label.
    """

    classes: int
    loss: float = 0.0
    counts: NDArray[np.float64] = field(init=False)
    soft: float = 0.0
    images: float = 0.0

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.classes, self.classes))

    def add(self, other: "Tally") -> None:
        """Add the sums of further batches."""
        self.loss, self.counts = self.loss + other.loss, self.counts + other.counts
        self.soft, self.images = self.soft + other.soft, self.images + other.images

    def results(self, names: Sequence[str]) -> dict[str, float]:
        """Return the mean loss of an image's batch, and the metrics of those names."""
        values = {"loss": self.loss / max(1.0, self.images)}
        for name in names:
            metric = make_metric(name, self.classes)
            if name == "dice_coef_multiclass":
                metric.add(self.soft, self.images)
            else:
                metric.add(self.counts)
            values[name] = float(metric.result())
        return values

    def state(self) -> dict[str, Any]:
        """Return the sums as JSON values."""
        return {
            "loss": self.loss,
            "counts": self.counts.tolist(),
            "soft": self.soft,
            "images": self.images,
        }

    @classmethod
    def of(cls, classes: int, state: dict[str, Any]) -> Self:
        """Go on from an earlier `state`."""
        tally = cls(classes, state["loss"], state["soft"], state["images"])
        tally.counts = np.asarray(state["counts"], np.float64)
        return tally


class Fitter:
    """Trains a model step by step, on one processor or on as many as the workers have.

    Args:
        model: a Keras model that gives probabilities, made in the scope of the workers' strategy.
        settings: optimizer, loss, metrics and precision.
        classes: number of classes, background included.
        workers: who shares a batch; the gradient is that of the whole batch.
    """

    def __init__(self, model: Any, settings: TrainSettings, classes: int, workers: Workers) -> None:
        self.model = model
        self._settings, self._classes, self._workers = settings, classes, workers
        self._loss = make_loss(settings)
        with workers.strategy.scope():
            groups = _by_rate(model.trainable_variables, settings.encoder_rate)
            self._optimizers = [(factor, _make_optimizer(settings)) for factor in groups]
            for (_, optimizer), variables in zip(self._optimizers, groups.values(), strict=True):
                optimizer.build(variables)
            # With the statistics of batch normalization, which are the last few batches' alone.
            self._weights = list(model.weights if settings.ema is not None else [])
            self._averages = [tf.Variable(one.numpy(), trainable=False) for one in self._weights]
        self._is_scaled = settings.precision == "float16"
        self._scale = _FIRST_SCALE if self._is_scaled else 1.0
        self._good_steps = 0
        self._rate: float | None = None
        self.has_frozen_encoder = False
        self._compile()

    def no_tally(self) -> Tally:
        """Return sums of no batch yet."""
        return Tally(self._classes)

    def step(self, batches: Sequence[Batch], rate: float, is_asked: bool) -> tuple[Tally, bool]:
        """Take one step by the mean gradient of some batches, unless their loss is no number.

        Args:
            batches: this process's share of each.
            rate: the learning rate.
            is_asked: whether this process is to end.

        Returns:
            The batches' sums, and whether any process is to end.
        """
        tally, gradients, asked = self.no_tally(), None, False
        for images, masks in batches:
            loss, sums, found = self._gradients(
                *self._spread(images, masks),
                tf.constant(float(is_asked)),
                tf.constant(self._scale / self._workers.replicas),
            )
            tally.add(self._tally(loss, sums))
            asked = asked or float(sums[3]) > 0.0
            gradients = found if gradients is None else self._added(gradients, found)
        if np.isfinite(tally.loss):
            self._learn(gradients, rate, self._scale * len(batches))
        return tally, asked

    def score(self, images: Any, masks: Any, is_asked: bool) -> tuple[Tally, bool]:
        """Score the model on a batch; see `step`."""
        loss, sums = self._scores(*self._spread(images, masks), tf.constant(float(is_asked)))
        return self._tally(loss, sums), float(sums[3]) > 0.0

    def freeze_encoder(self, frozen: bool) -> None:
        """Keep the encoder as it is from now on, or have it learn."""
        if frozen == self.has_frozen_encoder:
            return
        for layer in self.model.layers:
            if layer.name.startswith(ENCODER):
                layer.trainable = not frozen
        self.has_frozen_encoder = frozen
        self._compile()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the model its averaged weights for a while, if the profile has them averaged."""
        kept = [one.numpy() for one in self._weights]
        _assign(self._weights, [one.numpy() for one in self._averages])
        try:
            yield
        finally:
            _assign(self._weights, kept)

    def kept_model(self) -> Any:
        """Return the model as it is to be kept: of Keras's own layers, computing in float32."""
        plain = with_plain_normalization(self.model)
        return plain if self._settings.precision == "float32" else in_precision(plain, "float32")

    def arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield the name and the value of each variable of model, optimizer and averages."""
        for name, variable in self._variables():
            yield name, np.asarray(variable.numpy())

    def state(self) -> dict[str, Any]:
        """Return what is no variable, as JSON values."""
        return {"scale": self._scale, "good_steps": self._good_steps}

    def restore(self, saved: Callable[[str], NDArray[Any]] | None, state: dict[str, Any]) -> None:
        """Go on from what the chief has saved.

        Args:
            saved: gives the value of a variable that `arrays` named; None for a worker that
                receives it from the chief.
            state: as the chief has it.
        """
        for name, variable in self._variables():
            value = np.asarray(variable.numpy()) if saved is None else saved(name)
            variable.assign(self._workers.broadcast(value))
        self._scale, self._good_steps = state["scale"], state["good_steps"]

    def _variables(self) -> Iterator[tuple[str, Any]]:
        # The model's variables include the seeds of dropout, which `get_weights` leaves out.
        for group, variables in (
            ("model", self.model.variables),
            ("optimizer", [one for _, some in self._optimizers for one in some.variables]),
            ("average", self._averages),
        ):
            for index, variable in enumerate(variables):
                yield f"{group}_{index:05d}", variable

    def _compile(self) -> None:
        # Which variables learn is settled when a function is traced.
        forward = self._loss_and_gradients
        self._forward = tf.function(forward, jit_compile=True) if self._settings.jit else forward
        self._gradients = tf.function(self._gradients_everywhere)
        self._scores = tf.function(self._scores_everywhere)
        self._added = tf.function(lambda ones, others: [a + b for a, b in zip(ones, others)])  # noqa: B905
        self._apply = tf.function(self._applied)

    def _spread(self, images: Any, masks: Any) -> Batch:
        return self._workers.spread(images), self._workers.spread(masks)

    def _gradients_everywhere(self, images: Any, masks: Any, asked: Any, scale: Any) -> Any:
        results = self._workers.strategy.run(self._on_replica, args=(images, masks, asked, scale))
        return self._first(results)

    def _scores_everywhere(self, images: Any, masks: Any, asked: Any) -> Any:
        results = self._workers.strategy.run(self._score_on_replica, args=(images, masks, asked))
        return self._first(results)

    def _first(self, results: Any) -> Any:
        """Take what is the same on all replicas from the first of this process."""
        of = self._workers.strategy.experimental_local_results
        return tf.nest.map_structure(lambda one: of(one)[0], results)

    def _on_replica(self, images: Any, masks: Any, asked: Any, scale: Any) -> Any:
        loss, probabilities, gradients = self._forward(images, masks, scale)
        return loss, self._sums(masks, probabilities, asked), self._total(gradients)

    def _score_on_replica(self, images: Any, masks: Any, asked: Any) -> Any:
        probabilities = self.model(tf.cast(images, tf.float32), training=False)
        loss = self._loss(masks, probabilities, self._total)
        return loss, self._sums(masks, probabilities, asked)

    def _loss_and_gradients(self, images: Any, masks: Any, scale: Any) -> Any:
        with tf.GradientTape() as tape:
            probabilities = self.model(tf.cast(images, tf.float32), training=True)
            loss = self._loss(masks, probabilities, self._total)
            # Each replica's gradient is of the whole batch's loss, and all of them are added up.
            scaled = loss * scale
        return loss, probabilities, tape.gradient(scaled, self.model.trainable_variables)

    def _sums(self, masks: Any, probabilities: Any, asked: Any) -> Any:
        counts = confusion_counts(masks, probabilities, self._classes)
        # Adding up wants values of one type, made on the replica's own device.
        others = [*soft_accuracy(masks, probabilities), tf.identity(asked)]
        return self._total([counts, *(tf.cast(one, tf.float64) for one in others)])

    def _total(self, values: list[Any]) -> list[Any]:
        """Add up over all replicas."""
        if self._workers.replicas == 1:
            return alone(values)
        context = tf.distribute.get_replica_context()
        return list(context.all_reduce(tf.distribute.ReduceOp.SUM, values))

    def _tally(self, loss: Any, sums: Any) -> Tally:
        soft, images = float(sums[1]), float(sums[2])
        tally = Tally(self._classes, float(loss) * images, soft, images)
        tally.counts = sums[0].numpy()
        return tally

    def _learn(self, gradients: Any, rate: float, scale: float) -> None:
        if rate != self._rate:
            self._rate = rate
            for factor, optimizer in self._optimizers:
                optimizer.learning_rate = factor * rate
        gradients, is_finite = self._scaled_down(gradients, scale)
        if self._is_scaled:
            self._good_steps = self._good_steps + 1 if is_finite else 0
            if not is_finite:
                self._scale = max(1.0, self._scale / 2.0)
                return
            if self._good_steps % _GROW_AFTER == 0:
                self._scale *= 2.0
        self._apply(gradients)

    def _scaled_down(self, gradients: Any, scale: float) -> tuple[Any, bool]:
        if scale == 1.0:
            return gradients, True
        gradients = self._divided(gradients, tf.constant(scale))
        return gradients, bool(tf.math.is_finite(tf.linalg.global_norm(gradients)))

    @staticmethod
    def _divided(gradients: Any, scale: Any) -> Any:
        return [one / scale for one in gradients]

    def _applied(self, gradients: Any) -> None:
        settings = self._settings
        if settings.clip_value is not None:
            limit = settings.clip_value
            gradients = [tf.clip_by_value(one, -limit, limit) for one in gradients]
        if settings.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, settings.clip_norm)
        by_variable = dict(zip(_paths(self.model.trainable_variables), gradients, strict=True))
        groups = _by_rate(self.model.trainable_variables, settings.encoder_rate)
        for factor, optimizer in self._optimizers:
            # A frozen encoder has no variables to learn.
            variables = groups.get(factor, [])
            if variables:
                optimizer.apply([by_variable[one] for one in _paths(variables)], variables)
        if settings.ema is not None:
            done = tf.cast(self._optimizers[-1][1].iterations, tf.float32)
            momentum = tf.minimum(settings.ema, (1.0 + done) / (10.0 + done))
            for average, weight in zip(self._averages, self._weights, strict=True):
                average.assign(momentum * average + (1.0 - momentum) * weight)


def _assign(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _by_rate(variables: Sequence[Any], encoder_rate: float) -> dict[float, list[Any]]:
    """Group variables by the factor of their learning rate, the decoder's last."""
    groups: dict[float, list[Any]] = {}
    for variable in sorted(variables, key=lambda one: not one.path.startswith(ENCODER)):
        factor = encoder_rate if variable.path.startswith(ENCODER) else 1.0
        groups.setdefault(factor, []).append(variable)
    return groups


def _paths(variables: Sequence[Any]) -> list[str]:
    return [variable.path for variable in variables]


def _make_optimizer(settings: TrainSettings) -> Any:
    # Gradients are clipped before they come here: Keras would clip each replica's own.
    rate = settings.learning_rate
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    return keras.optimizers.Adam(rate)
