"""The arithmetic of training: the gradient of a batch, a step, a score."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.batch_norm import with_plain_normalization
from landslide_cli.core.networks.encoders import ENCODER
from landslide_cli.core.networks.losses import alone, make_loss
from landslide_cli.core.networks.metrics import confusion_counts, soft_accuracy, with_background
from landslide_cli.core.networks.rebuild import in_precision
from landslide_cli.profile import TrainSettings
from landslide_cli.stages.train.totals import EpochTotals
from landslide_cli.stages.train.workers import Workers

# Images (batch, rows, cols, bands) and masks (batch, rows, cols), arrays or tensors.
Batch = tuple[Any, Any]


@dataclass
class LossScale:
    """The factor on the loss that keeps the gradients of float16 from vanishing.

    It is halved when a gradient overflows, and doubled after 2000 steps without (Micikevicius et
    al. 2018, arXiv:1710.03740).

    Args:
        value: the factor.
        good_steps: since the last overflow.
        is_dynamic: whether it adapts; otherwise it stays as it is.
    """

    value: float = 1.0
    good_steps: int = 0
    is_dynamic: bool = False

    @classmethod
    def of(cls, precision: str) -> Self:
        """Return the initial scale of a precision: 1 for all but float16."""
        return cls(2.0**15, is_dynamic=True) if precision == "float16" else cls()

    def accepts(self, is_finite: bool) -> bool:
        """Adapt to a gradient that is finite or not; return whether the step is to be taken."""
        if not self.is_dynamic:
            return True
        if not is_finite:
            self.value, self.good_steps = max(1.0, self.value / 2.0), 0
            return False
        self.good_steps += 1
        if self.good_steps % 2000 == 0:
            self.value *= 2.0
        return True

    def to_dict(self) -> dict[str, Any]:
        return {"scale": self.value, "good_steps": self.good_steps}

    def load_dict(self, state: dict[str, Any]) -> None:
        self.value, self.good_steps = state["scale"], state["good_steps"]


class Stepper:
    """Trains a model step by step, on one processor or on all that the workers have.

    It holds the variables of model, optimizer and moving average, and nothing else that changes.

    Args:
        model: a Keras model that gives probabilities, made in the scope of the workers' strategy.
        settings: optimizer, loss and precision.
        classes: number of classes, background included.
        workers: who shares a batch; the gradient is that of the whole batch.
    """

    def __init__(self, model: Any, settings: TrainSettings, classes: int, workers: Workers) -> None:
        self.model, self.workers = model, workers
        self._settings, self._classes = settings, classes
        self._loss = make_loss(settings)
        with workers.strategy.scope():
            groups = _by_rate(model.trainable_variables, settings.encoder_rate)
            self._optimizers = [(factor, _make_optimizer(settings)) for factor in groups]
            for (_, optimizer), variables in zip(self._optimizers, groups.values(), strict=True):
                optimizer.build(variables)
            # With the statistics of batch normalization, which are the last few batches' alone.
            self._averaged = list(model.weights if settings.ema is not None else [])
            self._averages = [
                tf.Variable(weight.numpy(), trainable=False) for weight in self._averaged
            ]
        self._rate: float | None = None
        self._is_encoder_frozen = False
        self._compile()

    def new_totals(self) -> EpochTotals:
        return EpochTotals.zero(self._classes)

    def step(self, batches: Sequence[Batch], rate: float, loss_scale: LossScale) -> EpochTotals:
        """Take one step by the mean gradient of the batches, unless their loss is not finite.

        Args:
            batches: this process's share of each.
            rate: the learning rate.
            loss_scale: adapted to the gradient.

        Returns:
            The sums over the batches, on all processors.
        """
        totals, gradients = self.new_totals(), None
        scale = tf.constant(loss_scale.value / self.workers.replicas)
        for batch in batches:
            loss, sums, new = self._gradients(*self._sharded(batch), scale)
            totals.add(_totals(loss, sums))
            gradients = new if gradients is None else self._add(gradients, new)
        if np.isfinite(totals.loss):
            self._set_rate(rate)
            self._apply_scaled(gradients, loss_scale, loss_scale.value * len(batches))
        return totals

    def score(self, images: Any, masks: Any) -> EpochTotals:
        """Score the model on this process's share of a batch; return the sums over all of it."""
        return _totals(*self._scores(*self._sharded((images, masks))))

    def freeze_encoder(self, frozen: bool) -> None:
        """Stop or resume the training of the encoder."""
        if frozen == self._is_encoder_frozen:
            return
        for layer in self.model.layers:
            if layer.name.startswith(ENCODER):
                layer.trainable = not frozen
        self._is_encoder_frozen = frozen
        self._compile()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the model its averaged weights for a while, if the profile has them averaged."""
        trained = [weight.numpy() for weight in self._averaged]
        _assign(self._averaged, [average.numpy() for average in self._averages])
        try:
            yield
        finally:
            _assign(self._averaged, trained)

    def kept_model(self) -> Any:
        """Return a copy of the model to be kept: of Keras's own layers, computing in float32."""
        plain = with_plain_normalization(self.model)
        return plain if self._settings.precision == "float32" else in_precision(plain, "float32")

    def arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield the name and the value of each variable of model, optimizer and averages."""
        for name, variable in self._variables():
            yield name, np.asarray(variable.numpy())

    def load_arrays(self, saved: Callable[[str], NDArray[Any]] | None) -> None:
        """Give the variables the values that the chief has saved.

        Args:
            saved: returns the value of a variable that `arrays` has named; None for a worker that
                receives it from the chief.
        """
        for name, variable in self._variables():
            value = np.asarray(variable.numpy()) if saved is None else saved(name)
            variable.assign(self.workers.broadcast(value))

    def _variables(self) -> Iterator[tuple[str, Any]]:
        # The model's variables include the seeds of dropout, which `get_weights` leaves out.
        of_optimizers = [
            variable for _, optimizer in self._optimizers for variable in optimizer.variables
        ]
        for group, variables in (
            ("model", self.model.variables),
            ("optimizer", of_optimizers),
            ("average", self._averages),
        ):
            for index, variable in enumerate(variables):
                yield f"{group}_{index:05d}", variable

    def _compile(self) -> None:
        # Which variables are trained is settled when a function is traced.
        forward = self._loss_and_gradients
        self._forward = tf.function(forward, jit_compile=True) if self._settings.jit else forward
        self._gradients = tf.function(self._distributed_gradients)
        self._scores = tf.function(self._distributed_scores)
        self._add = tf.function(_sums_of_pairs)
        self._apply = tf.function(self._clip_and_apply)

    def _sharded(self, batch: Batch) -> Batch:
        images, masks = batch
        return self.workers.shard(images), self.workers.shard(masks)

    def _distributed_gradients(self, images: Any, masks: Any, scale: Any) -> Any:
        results = self.workers.strategy.run(self._replica_gradients, args=(images, masks, scale))
        return self._first(results)

    def _distributed_scores(self, images: Any, masks: Any) -> Any:
        results = self.workers.strategy.run(self._replica_scores, args=(images, masks))
        return self._first(results)

    def _first(self, results: Any) -> Any:
        """Take what is the same on all replicas from the first of this process."""
        local_results = self.workers.strategy.experimental_local_results
        return tf.nest.map_structure(lambda result: local_results(result)[0], results)

    def _replica_gradients(self, images: Any, masks: Any, scale: Any) -> Any:
        loss, probabilities, gradients = self._forward(images, masks, scale)
        return loss, self._sums(masks, probabilities), self._total(gradients)

    def _replica_scores(self, images: Any, masks: Any) -> Any:
        probabilities = self._predict(images, training=False)
        loss = self._loss(masks, probabilities, self._total)
        return loss, self._sums(masks, probabilities)

    def _loss_and_gradients(self, images: Any, masks: Any, scale: Any) -> Any:
        with tf.GradientTape() as tape:
            probabilities = self._predict(images, training=True)
            loss = self._loss(masks, probabilities, self._total)
            # Each replica's gradient is of the whole batch's loss, and all of them are added up.
            scaled = loss * scale
        return loss, probabilities, tape.gradient(scaled, self.model.trainable_variables)

    def _predict(self, images: Any, training: bool) -> Any:
        probabilities = self.model(tf.cast(images, tf.float32), training=training)
        return with_background(probabilities, self._classes)

    def _sums(self, masks: Any, probabilities: Any) -> Any:
        counts = confusion_counts(masks, probabilities, self._classes)
        # Adding up wants values of one type.
        soft, images = soft_accuracy(masks, probabilities)
        return self._total([counts, tf.cast(soft, tf.float64), tf.cast(images, tf.float64)])

    def _total(self, values: list[Any]) -> list[Any]:
        """Add up over all replicas."""
        if self.workers.replicas == 1:
            return alone(values)
        context = tf.distribute.get_replica_context()
        return list(context.all_reduce(tf.distribute.ReduceOp.SUM, values))

    def _set_rate(self, rate: float) -> None:
        if rate != self._rate:
            self._rate = rate
            for factor, optimizer in self._optimizers:
                optimizer.learning_rate = factor * rate

    def _apply_scaled(self, gradients: Any, loss_scale: LossScale, scale: float) -> None:
        is_finite = True
        if scale != 1.0:
            divisor = tf.constant(scale)
            gradients = [gradient / divisor for gradient in gradients]
            is_finite = bool(tf.math.is_finite(tf.linalg.global_norm(gradients)))
        if loss_scale.accepts(is_finite):
            self._apply(gradients)

    def _clip_and_apply(self, gradients: Any) -> None:
        settings, variables = self._settings, self.model.trainable_variables
        if settings.clip_value is not None:
            limit = settings.clip_value
            gradients = [tf.clip_by_value(gradient, -limit, limit) for gradient in gradients]
        if settings.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, settings.clip_norm)
        gradient_of = dict(zip(_paths(variables), gradients, strict=True))
        groups = _by_rate(variables, settings.encoder_rate)
        for factor, optimizer in self._optimizers:
            # A frozen encoder has no variables to train.
            group = groups.get(factor, [])
            if group:
                optimizer.apply([gradient_of[path] for path in _paths(group)], group)
        if settings.ema is not None:
            done = tf.cast(self._optimizers[-1][1].iterations, tf.float32)
            momentum = tf.minimum(settings.ema, (1.0 + done) / (10.0 + done))
            for average, weight in zip(self._averages, self._averaged, strict=True):
                average.assign(momentum * average + (1.0 - momentum) * weight)


def _totals(loss: Any, sums: Any) -> EpochTotals:
    counts, soft, images = sums
    return EpochTotals(counts.numpy(), float(loss) * float(images), float(soft), float(images))


def _sums_of_pairs(first: list[Any], second: list[Any]) -> list[Any]:
    return [a + b for a, b in zip(first, second)]  # noqa: B905 - autograph knows no `strict`


def _assign(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _by_rate(variables: Sequence[Any], encoder_rate: float) -> dict[float, list[Any]]:
    """Group variables by the factor on their learning rate, the decoder's last."""
    groups: dict[float, list[Any]] = {}
    for variable in sorted(variables, key=lambda variable: not variable.path.startswith(ENCODER)):
        factor = encoder_rate if variable.path.startswith(ENCODER) else 1.0
        groups.setdefault(factor, []).append(variable)
    return groups


def _paths(variables: Sequence[Any]) -> list[str]:
    return [variable.path for variable in variables]


def _make_optimizer(settings: TrainSettings) -> Any:
    # Gradients are clipped before they come here: Keras would clip each replica's own.
    rate, name = settings.learning_rate, settings.optimizer
    if name == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    if name == "adam":
        return keras.optimizers.Adam(rate)
    # Keras looks none up by all of its names in small letters.
    classes = {known.lower(): known for known in dir(keras.optimizers)}
    optimizer = getattr(keras.optimizers, classes[name])
    return optimizer(rate, weight_decay=settings.weight_decay)
