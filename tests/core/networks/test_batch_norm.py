"""Batch normalization that trains faster and is Keras's own when it is kept."""

import numpy as np
import pytest

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.batch_norm import (
    FusedBatchNormalization,
    with_fused_normalization,
    with_plain_normalization,
)
from landslide_cli.core.networks.build import build_model
from landslide_cli.profile import UNetSettings

layers = keras.layers


def features(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(4.0, 3.0, (2, 5, 7, 6)).astype(np.float32)


def pair() -> tuple[keras.Model, keras.Model]:
    """Keras's layer with weights of its own in a model, and the same made fast."""
    inputs = keras.Input((None, None, 6))
    plain = keras.Model(inputs, layers.BatchNormalization(momentum=0.8)(inputs))
    rng = np.random.default_rng(5)
    plain.set_weights([rng.uniform(0.5, 2.0, one.shape) for one in plain.get_weights()])
    return plain, with_fused_normalization(plain)


def learned(model: keras.Model, images: np.ndarray) -> list[np.ndarray]:
    """Outputs and gradients of a step, for images and weights, and then all weights."""
    images = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = model(images, training=True)
        loss = tf.reduce_sum(outputs * tf.cos(outputs))
    gradients = tape.gradient(loss, [images, *model.trainable_variables])
    return [np.asarray(one) for one in (outputs, *gradients, *model.weights)]


def test_learns_as_keras_does() -> None:
    plain, fused = pair()
    assert isinstance(fused.layers[-1], FusedBatchNormalization)
    for seed in (1, 2):
        for wanted, found in zip(
            learned(plain, features(seed=seed)), learned(fused, features(seed=seed)), strict=True
        ):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_maps_as_keras_does_to_the_bit_also_where_it_is_frozen() -> None:
    plain, fused = pair()
    np.testing.assert_array_equal(plain(features()), fused(features()))
    plain.trainable = fused.trainable = False
    np.testing.assert_array_equal(
        plain(features(), training=True), fused(features(), training=True)
    )


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"axis": 1}])
def test_leaves_alone_what_the_operation_cannot_do(options: dict[str, object]) -> None:
    inputs = keras.Input((5, 7, 6))
    model = keras.Model(inputs, layers.BatchNormalization(**options)(inputs))
    assert type(with_fused_normalization(model).layers[-1]) is layers.BatchNormalization


def test_other_precisions_learn_too() -> None:
    inputs = keras.Input((None, None, 6))
    layer = layers.BatchNormalization(dtype="mixed_bfloat16")
    fused = with_fused_normalization(keras.Model(inputs, layer(inputs)))
    outputs = fused(features(), training=True)
    assert outputs.dtype == "bfloat16"
    assert not np.allclose(fused.layers[-1].moving_mean, 0.0)


def test_a_network_becomes_fast_and_then_keras_s_own_again() -> None:
    settings = UNetSettings.model_validate({"architecture": "unet", "decoder": [8, 8, 8, 8]})
    model = build_model(settings, 3, 2)
    fused = with_fused_normalization(model)
    again = with_plain_normalization(fused)
    kinds = [[type(layer) for layer in one.layers] for one in (model, fused, again)]
    assert kinds[0] == kinds[2] != kinds[1]
    assert layers.BatchNormalization not in kinds[1]
    image = np.random.default_rng(2).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_array_equal(model(image), again(image))
    paths = [[one.path for one in network.trainable_variables] for network in (model, fused)]
    assert paths[0] == paths[1]
