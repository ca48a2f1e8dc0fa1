"""Fused batch normalization trains as Keras's own does, and is converted back to it."""

import numpy as np
import pytest

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.batch_norm import (
    FusedBatchNormalization,
    with_fused_normalization,
    with_plain_normalization,
)
from landslide_cli.core.networks.build import build_model
from landslide_cli.core.networks.rebuild import in_precision
from landslide_cli.profile import FlexUNetSettings

layers = keras.layers


def features(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(4.0, 3.0, (2, 5, 7, 6)).astype(np.float32)


def plain_and_fused() -> tuple[keras.Model, keras.Model]:
    """A model of Keras's layer with random weights, and its fused copy."""
    inputs = keras.Input((None, None, 6))
    plain = keras.Model(inputs, layers.BatchNormalization(momentum=0.8)(inputs))
    rng = np.random.default_rng(5)
    plain.set_weights([rng.uniform(0.5, 2.0, weight.shape) for weight in plain.get_weights()])
    return plain, with_fused_normalization(plain)


def train_step(model: keras.Model, images: np.ndarray) -> list[np.ndarray]:
    """Return the outputs, the gradients of images and weights, and the weights afterwards."""
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = model(images, training=True)
        loss = tf.reduce_sum(outputs * tf.cos(outputs))
    gradients = tape.gradient(loss, [images, *model.trainable_variables])
    return [np.asarray(tensor) for tensor in (outputs, *gradients, *model.weights)]


def test_training_steps_agree_with_those_of_keras() -> None:
    plain, fused = plain_and_fused()
    assert isinstance(fused.layers[-1], FusedBatchNormalization)
    for seed in (1, 2):
        expected = train_step(plain, features(seed=seed))
        for value, expected_value in zip(
            train_step(fused, features(seed=seed)), expected, strict=True
        ):
            np.testing.assert_allclose(value, expected_value, rtol=1e-4, atol=1e-4)


def test_inference_and_frozen_training_equal_those_of_keras_to_the_bit() -> None:
    plain, fused = plain_and_fused()
    np.testing.assert_array_equal(plain(features()), fused(features()))
    plain.trainable = fused.trainable = False
    np.testing.assert_array_equal(
        plain(features(), training=True), fused(features(), training=True)
    )


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"axis": 1}])
def test_layers_that_the_fused_operation_does_not_support_are_not_replaced(
    options: dict[str, object],
) -> None:
    inputs = keras.Input((5, 7, 6))
    model = keras.Model(inputs, layers.BatchNormalization(**options)(inputs))
    assert type(with_fused_normalization(model).layers[-1]) is layers.BatchNormalization


@pytest.mark.parametrize(("gpus", "slow"), [([], "float32"), (["a GPU"], "bfloat16")])
def test_layers_that_a_cpu_is_slow_at_in_bfloat16_compute_in_float32(
    gpus: list[str], slow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    inputs, policy = keras.Input((None, None, 6)), "mixed_bfloat16"
    values = layers.Conv2D(6, 1, dtype=policy)(inputs)
    for layer in (layers.BatchNormalization, layers.ReLU, layers.DepthwiseConv2D):
        options = {"kernel_size": 3} if layer is layers.DepthwiseConv2D else {}
        values = layer(dtype=policy, **options)(values)
    fused = with_fused_normalization(keras.Model(inputs, values))
    assert [layer.compute_dtype for layer in fused.layers[1:]] == ["bfloat16", slow, slow, slow]
    fused(features(), training=True)
    assert not np.allclose(fused.layers[2].moving_mean, 0.0)
    restored = in_precision(with_plain_normalization(fused), "float32")
    assert {layer.compute_dtype for layer in restored.layers[:-1]} == {"float32"}


def test_a_network_is_converted_to_fused_layers_and_back() -> None:
    settings = FlexUNetSettings(base_filters=4, base_kernels=3, num_layers=3, normalization=True)
    model = build_model(settings, 3, 2)
    fused = with_fused_normalization(model)
    back = with_plain_normalization(fused)
    classes, fused_classes, classes_back = (
        [type(layer) for layer in network.layers] for network in (model, fused, back)
    )
    assert classes == classes_back != fused_classes
    assert layers.BatchNormalization not in fused_classes
    image = np.random.default_rng(2).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_array_equal(model(image), back(image))
    paths, fused_paths = (
        [variable.path for variable in network.trainable_variables] for network in (model, fused)
    )
    assert paths == fused_paths
