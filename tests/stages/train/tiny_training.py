"""Trainings of a two-layer model on squares in memory, without a dataset or a run around them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.networks.backend import tf
from landslide_cli.core.networks.batch_norm import with_fused_normalization
from landslide_cli.core.networks.build import build_model
from landslide_cli.profile import FlexUNetSettings, Profile, TrainSettings
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.stages.train.loop import TrainingLoop
from landslide_cli.stages.train.previews import Previews
from landslide_cli.stages.train.signals import interruptions
from landslide_cli.stages.train.step import LossScale, Stepper
from landslide_cli.stages.train.workers import WorkerRank, Workers
from landslide_cli.training_data.batches import Batches
from landslide_cli.training_data.examples import Pair
from tests.models import PALETTE, bright_square

Weights = list[NDArray[Any]]

SIDE = 16

# All that has a state: averages, a plateau, dropout, batch normalization, batches that add up. An
# epoch has three steps and two validation batches.
STATEFUL: dict[str, Any] = {
    "network": {"normalization": True, "normalization_momentum": 0.9, "dropout_rate": 0.1},
    "ema": 0.9,
    "schedule": "plateau",
    "reduce_patience": 1,
    "accumulate": 2,
    "batch": 2,
    "checkpoint_minutes": 1e-6,
}

# What is logged of an epoch that differs each time.
MEASURED = ("seconds", "images_per_second", "input_wait")


class Squares:
    """Bright squares, in an order of its own in each epoch."""

    rows = cols = SIDE

    def __init__(self, count: int, first: int = 0, shuffled: bool = True) -> None:
        self._pairs = [bright_square(first + index, SIDE) for index in range(count)]
        self._shuffled = shuffled

    def __len__(self) -> int:
        return len(self._pairs)

    def example(self, epoch: int, position: int) -> Pair:
        image, mask = self._pairs[self._index(epoch, position)]
        return image.copy(), mask.copy()

    def name(self, epoch: int, position: int) -> str:
        return f"square {self._index(epoch, position)}"

    def _index(self, epoch: int, position: int) -> int:
        if not self._shuffled:
            return position
        return int(np.random.default_rng(epoch).permutation(len(self._pairs))[position])


class NoPreviews(Previews):
    """Pictures nothing, but remembers of which epochs."""

    def __init__(self) -> None:
        self.epochs: list[int] = []

    def add(self, epoch: int) -> None:
        self.epochs.append(epoch)


def stepper_of(
    workers: Workers | None = None, network: Mapping[str, object] | None = None, **settings: Any
) -> Stepper:
    """A stepper for two layers; by default plain SGD without clipping, dropout or normalization."""
    tiny: dict[str, object] = {
        "base_filters": 2,
        "base_kernels": 3,
        "num_layers": 2,
        "dropout_rate": 0.0,
    }
    plain = {"optimizer": "sgd", "clip_value": None, **settings}
    values = TrainSettings.model_validate(plain)
    layers = FlexUNetSettings.model_validate(tiny | dict(network or {}))
    workers = workers or Workers(WorkerRank(0, 1))
    with workers.strategy.scope():
        model = build_model(
            layers, 3, 2, values.seed, values.precision, synchronized=workers.replicas > 1
        )
        model = with_fused_normalization(model)
    return Stepper(model, values, 2, workers)


def loop_of(
    folder: Path,
    *,
    stepper: Stepper | None = None,
    workers: Workers | None = None,
    network: Mapping[str, object] | None = None,
    images: int = 12,
    validation_images: int = 4,
    reporter: Reporter | None = None,
    **settings: Any,
) -> TrainingLoop:
    """A loop of three steps and one validation batch per epoch, at a constant rate of 0.01.

    Args:
        folder: of the run.
        stepper: of the same settings, with its variables as they are. Default: a new one.
        workers, network: of a new stepper.
        images: to train on.
        validation_images: 0 for no validation set.
        reporter: shown the progress.
        settings: of the profile's `train`.
    """
    plain: dict[str, Any] = {"batch": 4, "epochs": 3, "learning_rate": 1e-2, "schedule": "constant"}
    chosen: dict[str, Any] = {"optimizer": "adam", "clip_value": 0.5, **plain, **settings}
    values = TrainSettings.model_validate(chosen)
    stepper = stepper or stepper_of(workers, network, **chosen)
    share = stepper.workers.share(values.batch)
    train = Batches(Squares(images), 3, values.batch, share, multiple=values.accumulate, wraps=True)
    validation = Squares(validation_images, first=1000, shuffled=False)
    return TrainingLoop(
        values,
        stepper,
        train,
        Batches(validation, 3, values.batch, share) if validation_images else None,
        folder,
        NoPreviews(),
        reporter or SilentReporter(),
        PALETTE,
    )


def run(loop: TrainingLoop) -> TrainingLoop:
    """Train to the end, or to a signal."""
    with interruptions() as interruption:
        loop.run(interruption)
        interruption.reraise()
    return loop


class Steppers:
    """Steppers that are traced once, and given their first variables again for each training."""

    def __init__(self) -> None:
        self._made: dict[bool, tuple[Stepper, dict[str, np.ndarray]]] = {}

    def fresh(self, stateful: bool) -> Stepper:
        if stateful not in self._made:
            stepper = loop_of(Path(), **(STATEFUL if stateful else {})).stepper
            self._made[stateful] = stepper, dict(stepper.arrays())
        stepper, first = self._made[stateful]
        stepper.load_arrays(first.__getitem__)
        return stepper

    def like(self, stateful: bool, kind: type[Stepper]) -> Stepper:
        """Return one of another kind."""
        stepper = kind.__new__(kind)
        vars(stepper).update(vars(self.fresh(stateful)))
        return stepper


STEPPERS = Steppers()


def changed(profile: Profile, **sections: Mapping[str, object]) -> Profile:
    """Change settings of a profile, such as train={"epochs": 3}."""
    update = {
        name: type(section).model_validate({**section.model_dump(), **sections[name]})
        for name, section in ((name, getattr(profile, name)) for name in sections)
    }
    return profile.model_copy(update=update)


def batch_of(*seeds: int) -> tuple[Any, Any]:
    """A batch of squares, as tensors."""
    pairs = [bright_square(seed, SIDE) for seed in seeds]
    images, masks = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
    return tf.constant(images), tf.constant(masks)


def weights_of(model: Any) -> Weights:
    return [np.array(weight) for weight in model.get_weights()]


def step_of(
    stepper: Stepper,
    *batches: tuple[Any, Any],
    rate: float = 0.1,
    loss_scale: LossScale | None = None,
) -> Weights:
    """Take a step; return the change of the weights."""
    before = weights_of(stepper.model)
    stepper.step(batches or [batch_of(0, 1)], rate, loss_scale or LossScale())
    return [now - then for now, then in zip(weights_of(stepper.model), before, strict=True)]


def are_same(weights: Weights, expected: Weights) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(weights, expected, strict=True))


def assert_close(weights: Weights, expected: Sequence[NDArray[Any]], atol: float) -> None:
    for values, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(values, wanted, atol=atol)
