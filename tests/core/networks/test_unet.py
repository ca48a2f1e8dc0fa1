"""U-Net: its encoder has pretrained weights, its decoder any depth, and it can be saved."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.build import build_model
from landslide_cli.core.networks.rebuild import in_precision
from landslide_cli.core.networks.unet import unet_decoder
from landslide_cli.core.networks.weight_files import packaged_weights, weights_of
from landslide_cli.profile import UNetSettings

# The larger of the two that the same code builds.
LITE2 = "efficientnet_lite2"


def settings(**changes: Any) -> UNetSettings:
    small = {"architecture": "unet", "decoder": [8, 8, 8, 8]}
    return UNetSettings.model_validate(small | changes)


def image(side: int = 64) -> np.ndarray:
    return np.random.default_rng(7).uniform(0, 255, (2, side, side, 3)).astype(np.float32)


def decoder(outputs: int, **changes: Any) -> Any:
    """Build a decoder as a model of its own, from features of 3 channels."""
    features = [keras.Input((None, None, 3)) for _ in range(5)]
    return keras.Model(features, unet_decoder(settings(**changes), features, outputs))


def features_of(side: int = 64) -> list[np.ndarray]:
    """Make features at strides 2, 4, 8, 16 and 32 of two images of that side."""
    rng = np.random.default_rng(7)
    sides = [side // 2**level for level in range(1, 6)]
    return [rng.normal(size=(2, side, side, 3)).astype(np.float32) for side in sides]


@pytest.fixture(scope="module")
def untrained() -> Any:
    """U-Net with random weights; do not change them."""
    return build_model(settings(encoder_weights=None), 3, 2)


@pytest.mark.parametrize("decoder_filters", [[8], [8, 8, 8, 8], [8, 8, 8, 8, 4]])
@pytest.mark.parametrize("outputs", [1, 3])
def test_probabilities_have_the_size_of_the_image_whatever_the_depth_of_the_decoder(
    decoder_filters: list[int], outputs: int
) -> None:
    probabilities = np.asarray(decoder(outputs, decoder=decoder_filters)(features_of(side=64)))
    assert probabilities.shape == (2, 64, 64, outputs)
    assert probabilities.min() >= 0.0
    assert probabilities.max() <= 1.0
    if outputs > 1:
        np.testing.assert_allclose(probabilities.sum(axis=-1), 1.0, atol=1e-5)


def test_encoder_and_decoder_together_map_an_image_to_probabilities(untrained: Any) -> None:
    probabilities = np.asarray(untrained(image(side=64)))
    assert probabilities.shape == (2, 64, 64, 2)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1.0, atol=1e-5)


def test_the_encoder_has_pretrained_weights_unless_disabled_or_replaced(untrained: Any) -> None:
    name = "encoder_stem_conv/kernel"
    pretrained = packaged_weights("efficientnet_lite0")[name]
    default = build_model(settings(), 3, 2)
    replaced_later = build_model(settings(weights="runs/other"), 3, 2)
    np.testing.assert_array_equal(weights_of(default)[name], pretrained)
    for model in (untrained, replaced_later):
        assert not np.array_equal(weights_of(model)[name], pretrained)


def test_logits_are_initially_upsampled_bilinearly() -> None:
    model = decoder(2, decoder=[8])
    logits = model.get_layer("classes").output
    upsampled = model.get_layer("enlarged_4").output
    small, large = keras.Model(model.inputs, [logits, upsampled])(features_of())
    # 16 times as large: bilinear interpolation keeps means, and stays within the extremes.
    inside = np.asarray(large)[:, 16:-16, 16:-16]
    assert inside.min() >= np.asarray(small).min() - 1e-5
    assert inside.max() <= np.asarray(small).max() + 1e-5


def test_dropout_of_the_decoder_acts_only_in_training() -> None:
    model = decoder(2, decoder_dropout=0.5)
    assert model.get_layer("dropout").rate == 0.5
    features = features_of()
    first, second = (np.asarray(model(features, training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(np.asarray(model(features, training=True)), first)


def test_drop_path_increases_with_depth_and_acts_only_in_training() -> None:
    model = build_model(settings(encoder=LITE2, encoder_weights=None, drop_path=0.5), 3, 2)
    rates = [layer.rate for layer in model.layers if "_drop" in layer.name]
    assert rates == sorted(rates)
    assert 0.0 < rates[0] < rates[-1] < 0.5
    first, second = (np.asarray(model(image(), training=False)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    trained = np.asarray(model(image(), training=True))
    assert not np.array_equal(trained, first)


def test_a_step_against_the_gradient_lowers_the_loss() -> None:
    model = build_model(settings(encoder=LITE2, encoder_weights=None), 3, 2)
    variables, images = model.trainable_variables, image()

    def loss() -> Any:
        # The landslide everywhere.
        return -tf.reduce_mean(tf.math.log(model(images, training=True)[..., 1]))

    with tf.GradientTape() as tape:
        before = loss()
    gradients = tape.gradient(before, variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    length = tf.linalg.global_norm(gradients)
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign_sub(0.01 * gradient / length)
    assert loss() < before


def test_a_saved_model_predicts_the_same(untrained: Any, tmp_path: Path) -> None:
    untrained.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    expected = np.asarray(untrained(image()))
    np.testing.assert_allclose(np.asarray(loaded(image())), expected, atol=1e-5)


def test_a_model_in_bfloat16_predicts_about_the_same_in_float32(untrained: Any) -> None:
    probabilities = np.asarray(in_precision(untrained, "bfloat16")(image()))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, np.asarray(untrained(image())), atol=0.1)


def test_convnext_with_its_custom_layers_is_saved_and_computes_in_bfloat16(tmp_path: Path) -> None:
    unet = build_model(settings(encoder="convnext_tiny", encoder_weights=None), 3, 2)
    # Two of its four stages, which have all kinds of its layers and a tenth of the weights.
    end = unet.get_layer("encoder_convnext_tiny_downsampling_block_1")
    model = keras.Model(unet.input, end.output)
    expected = np.asarray(model(image(side=32)))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(np.asarray(loaded(image(side=32))), expected, atol=1e-5)
    low = in_precision(model, "bfloat16")
    custom_layer = low.get_layer("encoder_convnext_tiny_stage_0_block_0_layer_scale")
    assert custom_layer.compute_dtype == "bfloat16"
    tolerance = 0.1 * np.abs(expected).max()
    np.testing.assert_allclose(np.asarray(low(image(side=32))), expected, atol=tolerance)


@pytest.mark.usefixtures("without_values")
@pytest.mark.parametrize("encoder", ["efficientnet_lite0", "efficientnetv2_b0"])
def test_batch_normalization_is_synchronized_between_devices_if_requested(encoder: str) -> None:
    model = build_model(settings(encoder=encoder, encoder_weights=None), 3, 2, synchronized=True)
    layers = keras.layers
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    assert norms
    assert all(norm.synchronized for norm in norms)
