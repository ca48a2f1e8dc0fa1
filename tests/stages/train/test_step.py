"""Single steps: what each option of the training changes in the weights."""

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest

from landslide_cli.core.networks.backend import enable_determinism, keras, tf
from landslide_cli.core.networks.encoders import ENCODER
from landslide_cli.core.networks.losses import make_loss
from landslide_cli.profile import TrainSettings
from landslide_cli.profile.train import OptimizerName
from landslide_cli.stages.train.step import LossScale, Stepper
from landslide_cli.stages.train.totals import EpochTotals
from tests.stages.train.tiny_training import (
    Weights,
    are_same,
    assert_close,
    batch_of,
    step_of,
    stepper_of,
    weights_of,
)

# Nesterov's momentum of 0.9 makes SGD's first step so many times the gradient.
FIRST_STEP = 1.9


@pytest.fixture(scope="module", autouse=True)
def _exact() -> None:
    enable_determinism()


@pytest.fixture(scope="module", autouse=True)
def _eager() -> Iterator[None]:
    """Have steps run without a graph of each, which takes longer to build than they take."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def plain_step() -> Weights:
    """What a step of the plain stepper changes."""
    return step_of(stepper_of())


def norm(change: Weights) -> float:
    return float(np.sqrt(sum(np.square(values, dtype=np.float64).sum() for values in change)))


def largest(change: Weights) -> float:
    return max(float(np.abs(values).max()) for values in change)


def test_a_step_of_two_batches_is_that_of_a_batch_of_all_their_images() -> None:
    apart, together = stepper_of(), stepper_of()
    totals = apart.step([batch_of(0, 1), batch_of(2, 3)], 0.1, LossScale())
    expected = together.step([batch_of(0, 1, 2, 3)], 0.1, LossScale())
    assert_close(weights_of(apart.model), weights_of(together.model), atol=1e-6)
    np.testing.assert_array_equal(totals.counts, expected.counts)
    assert totals.images == expected.images == 4.0
    assert (totals.loss, totals.soft) == pytest.approx((expected.loss, expected.soft), rel=1e-6)


def test_the_gradient_is_scaled_to_its_largest_norm(plain_step: Weights) -> None:
    free = norm(plain_step) / (0.1 * FIRST_STEP)
    assert free > 1e-3
    clipped = norm(step_of(stepper_of(clip_norm=free / 4)))
    assert clipped == pytest.approx(0.1 * FIRST_STEP * free / 4, rel=1e-4)
    unclipped = norm(step_of(stepper_of(clip_norm=free * 4)))
    assert unclipped == pytest.approx(0.1 * FIRST_STEP * free, rel=1e-4)


def test_no_element_of_the_gradient_exceeds_its_largest_size(plain_step: Weights) -> None:
    free = largest(plain_step) / (0.1 * FIRST_STEP)
    clipped = largest(step_of(stepper_of(clip_value=free / 4)))
    assert clipped == pytest.approx(0.1 * FIRST_STEP * free / 4, rel=1e-4)


@pytest.mark.parametrize("normalization", [False, True])
def test_averaged_weights_follow_their_recurrence(normalization: bool) -> None:
    stepper = stepper_of(network={"normalization": normalization}, ema=0.3)
    expected = weights_of(stepper.model)
    for done in range(1, 6):
        step_of(stepper)
        momentum = min(0.3, (1 + done) / (10 + done))
        trained = weights_of(stepper.model)
        expected = [
            momentum * average + (1 - momentum) * weight
            for average, weight in zip(expected, trained, strict=True)
        ]
        with stepper.averaged():
            assert_close(weights_of(stepper.model), expected, atol=1e-6)
        assert are_same(weights_of(stepper.model), trained)
    assert not are_same(expected, trained)


def layer_names(stepper: Stepper) -> list[str]:
    """The layer of each weight."""
    return [layer.name for layer in stepper.model.layers for _ in layer.weights]


def moved(stepper: Stepper, change: Weights) -> dict[str, bool]:
    """Whether each layer has changed."""
    names = layer_names(stepper)
    return {name: bool(values.any()) for name, values in zip(names, change, strict=True)}


def test_a_frozen_encoder_stays_as_it_is_until_it_is_trained_again() -> None:
    stepper = stepper_of(ema=0.5)
    for frozen in (True, False, True):
        stepper.freeze_encoder(frozen)
        layers = moved(stepper, step_of(stepper))
        assert {name.startswith(ENCODER) for name in layers} == {True, False}
        for name, has_moved in layers.items():
            assert has_moved == (not frozen or not name.startswith(ENCODER)), name


def test_an_encoder_of_a_lower_rate_moves_by_so_much_less(plain_step: Weights) -> None:
    stepper = stepper_of(encoder_rate=0.25)
    encodes = [name.startswith(ENCODER) for name in layer_names(stepper)]
    assert {*encodes} == {True, False}
    factors = [0.25 if is_encoder else 1.0 for is_encoder in encodes]
    expected = [factor * change for factor, change in zip(factors, plain_step, strict=True)]
    assert_close(step_of(stepper), expected, atol=1e-6)


def test_a_frozen_encoder_may_have_a_rate_of_its_own() -> None:
    stepper = stepper_of(encoder_rate=0.25)
    stepper.freeze_encoder(True)
    layers = moved(stepper, step_of(stepper))
    assert all(has_moved != name.startswith(ENCODER) for name, has_moved in layers.items())
    stepper.freeze_encoder(False)
    assert all(moved(stepper, step_of(stepper)).values())


def test_weight_decay_shrinks_the_weights_of_adamw() -> None:
    before = weights_of(stepper_of().model)
    plain, decayed = (
        step_of(stepper_of(optimizer="adamw", weight_decay=decay), rate=0.01)
        for decay in (0.0, 0.5)
    )
    shrunk = [change - 0.01 * 0.5 * weight for change, weight in zip(plain, before, strict=True)]
    assert_close(decayed, shrunk, atol=1e-5)


@pytest.mark.parametrize("optimizer", get_args(OptimizerName))
def test_every_optimizer_of_a_profile_is_one_of_keras(optimizer: str) -> None:
    names = {name.lower() for name in dir(keras.optimizers) if name[0].isupper()}
    assert optimizer in names


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "lamb", "lion"])
def test_every_optimizer_reduces_the_loss(optimizer: str) -> None:
    stepper, batch = stepper_of(optimizer=optimizer), batch_of(0, 1)
    losses = [stepper.step([batch], 0.02, LossScale()).loss for _ in range(8)]
    assert losses[-1] < losses[0]


def test_a_heavier_landslide_is_predicted_with_more_confidence() -> None:
    images, _ = batch_of(7, 8, 9)
    means = []
    for weight in (1.0, 20.0):
        stepper = stepper_of(class_weights=[1.0, weight])
        for _ in range(5):
            step_of(stepper, rate=0.02)
        means.append(float(stepper.model(tf.cast(images, tf.float32))[..., 1].numpy().mean()))
    assert means[1] > means[0]


def test_a_step_without_a_finite_loss_leaves_the_weights() -> None:
    stepper = stepper_of()
    images, masks = batch_of(0, 1)
    infinite = tf.cast(images, tf.float32) * np.inf
    change = step_of(stepper, (infinite, masks))
    assert norm(change) == 0.0


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_computes_nearly_the_same_and_is_kept_in_float32(precision: str) -> None:
    half, exact = stepper_of(precision=precision), stepper_of()
    batch, scale = batch_of(0, 1), LossScale.of(precision)
    totals, expected = half.step([batch], 0.1, scale), exact.step([batch], 0.1, LossScale())
    assert totals.loss == pytest.approx(expected.loss, rel=0.02)
    assert_close(weights_of(half.model), weights_of(exact.model), atol=0.02)
    assert not are_same(weights_of(half.model), weights_of(exact.model))
    model = half.kept_model()
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}
    assert are_same(weights_of(model), weights_of(half.model))


def test_a_float16_step_that_overflows_is_left_out_and_the_loss_scaled_less() -> None:
    stepper, usual = stepper_of(precision="float16", ema=0.5), LossScale.of("float16")
    assert norm(step_of(stepper, loss_scale=usual)) > 0.0
    assert (usual.value, usual.good_steps) == (2.0**15, 1)
    too_large = LossScale(2.0**100, good_steps=7, is_dynamic=True)
    assert norm(step_of(stepper, loss_scale=too_large)) == 0.0
    assert (too_large.value, too_large.good_steps) == (2.0**99, 0)
    assert norm(step_of(stepper, loss_scale=usual)) > 0.0


def test_the_loss_is_scaled_more_after_many_good_steps() -> None:
    scale = LossScale.of("float16")
    values = []
    for _ in range(4000):
        assert scale.accepts(is_finite=True)
        values.append(scale.value)
    assert (values[1998], values[1999], values[3999]) == (2.0**15, 2.0**16, 2.0**17)
    fixed = LossScale.of("bfloat16")
    assert fixed.accepts(is_finite=False)
    assert fixed.value == 1.0


@pytest.fixture
def undetermined() -> Iterator[None]:
    """Let TensorFlow build graphs of what is not deterministic, as a process of its own would."""
    from tensorflow.python.framework import config

    tf.config.run_functions_eagerly(False)
    config.disable_op_determinism()
    yield
    config.enable_op_determinism()
    tf.config.run_functions_eagerly(True)


def test_a_compiled_step_has_nearly_the_same_numbers(undetermined: None) -> None:
    compiled, usual = stepper_of(jit=True), stepper_of()
    for _ in range(2):
        assert_close(step_of(compiled), step_of(usual), atol=1e-5)


def test_a_score_is_that_of_the_model_as_it_is() -> None:
    stepper, (images, masks) = stepper_of(loss="crossentropy_dice"), batch_of(0, 1, 2)
    totals = stepper.score(images, masks)
    probabilities = stepper.model(tf.cast(images, tf.float32))
    expected = make_loss(TrainSettings(loss="crossentropy_dice"))(masks, probabilities)
    assert totals.images == 3.0
    assert totals.loss == pytest.approx(3.0 * float(expected), rel=1e-5)
    predicted = probabilities.numpy().argmax(axis=-1)
    assert totals.counts.sum() == masks.numpy().size
    assert np.trace(totals.counts) == (predicted == masks.numpy()).sum()


def test_variables_loaded_into_another_stepper_make_it_continue_alike() -> None:
    network = {"normalization": True, "dropout_rate": 0.3}
    first, second = (
        stepper_of(network=network, optimizer="adam", ema=0.5, seed=seed) for seed in (1, 2)
    )
    step_of(first)
    saved = dict(first.arrays())
    second.load_arrays(saved.__getitem__)
    for _ in range(2):
        assert are_same(step_of(first), step_of(second))
    arrays = dict(first.arrays())
    assert all(np.array_equal(arrays[name], value) for name, value in second.arrays())


def test_the_kept_model_is_of_keras_layers_alone() -> None:
    stepper = stepper_of(network={"normalization": True})
    for model, is_kept in ((stepper.model, False), (stepper.kept_model(), True)):
        packages = {type(layer).__module__.partition(".")[0] for layer in model.layers}
        assert (packages == {"keras"}) == is_kept


def test_results_of_an_epoch_are_its_mean_loss_and_the_metrics_that_are_named() -> None:
    stepper = stepper_of()
    totals = stepper.new_totals()
    assert totals.results([]) == {"loss": 0.0}
    for seed in range(3):
        totals.add(stepper.score(*batch_of(seed, seed + 10)))
    results = totals.results(["dice", "dice_coef_multiclass"])
    assert list(results) == ["loss", "dice", "dice_coef_multiclass"]
    assert results["loss"] == pytest.approx(totals.loss / 6.0)
    hits, errors = totals.counts[1, 1], totals.counts[0, 1] + totals.counts[1, 0]
    assert results["dice"] == pytest.approx(2 * hits / (2 * hits + errors), rel=1e-6)
    again = EpochTotals.from_dict(totals.to_dict())
    assert again.results(["iou"]) == totals.results(["iou"])
