"""FlexUNet has its published structure, and computes in the precision that is asked for."""

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.build import build_model
from landslide_cli.core.networks.encoders import ENCODER
from landslide_cli.core.networks.rebuild import in_precision
from landslide_cli.core.networks.summary import summarise_layers
from landslide_cli.profile import FlexUNetSettings
from landslide_cli.profile.networks import ActivationName
from tests.core.networks.flexunets import small


def published_shapes() -> list[tuple[int, ...]]:
    """List the weight shapes of the published FlexUNet, from its definition."""
    kernels = [11, 9, 7, 5, 3, 3, 3, 3]
    filters = [16, 32, 64, 128, 256, 512, 1024, 2048]
    shapes: list[tuple[int, ...]] = []
    channels = 3
    for kernel, count in zip(kernels, filters, strict=True):
        shapes += [(kernel, kernel, channels, count), (count,)]
        shapes += [(kernel, kernel, count, count), (count,)]
        channels = count
    for kernel, count in list(zip(kernels, filters, strict=True))[-2::-1]:
        shapes += [(2, 2, count, 2 * count), (count,)]
        shapes += [(kernel, kernel, 2 * count, count), (count,)]
        shapes += [(kernel, kernel, count, count), (count,)]
    return [*shapes, (1, 1, 16, 2), (2,)]


@pytest.mark.usefixtures("without_values")
def test_the_default_model_has_the_weights_and_flop_of_the_published_one() -> None:
    model = build_model(FlexUNetSettings(), bands=3, outputs=2)
    assert model.count_params() == 126_809_218
    assert [tuple(weight.shape) for weight in model.weights] == published_shapes()
    layers = summarise_layers(model, 512, 512)
    assert sum(layer.flop for layer in layers) / 1e9 == pytest.approx(181.6, abs=0.05)
    assert sum(layer.parameters for layer in layers) == 126_809_218


@pytest.mark.usefixtures("without_values")
def test_dropout_rates_increase_with_the_level_in_encoder_and_decoder() -> None:
    model = build_model(small(dropout_rate=0.1), 3, 2)
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.1, 0.0])


@pytest.mark.usefixtures("without_values")
def test_dilation_decreases_by_one_per_level_but_not_below_one() -> None:
    model = build_model(small(dilation=(3, 2)), 3, 2)
    convolutions = [
        layer
        for layer in model.layers
        if type(layer) is keras.layers.Conv2D and layer.name != "classes"
    ]
    levels = [(3, 2), (2, 1), (1, 1), (2, 1), (3, 2)]
    expected = [rate for rate in levels for _ in range(2)]
    assert [tuple(layer.dilation_rate) for layer in convolutions] == expected


@pytest.mark.parametrize("shape", [(16, 16), (8, 24), (20, 12)])
def test_images_of_any_multiple_of_the_stride_are_accepted(shape: tuple[int, int]) -> None:
    model = build_model(small(), bands=5, outputs=3)
    probabilities = model(np.zeros((2, *shape, 5), np.float32)).numpy()
    assert probabilities.shape == (2, *shape, 3)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1.0, atol=1e-6)


def test_a_single_output_has_a_sigmoid() -> None:
    model = build_model(small(), 3, 1)
    probabilities = model(np.full((1, 8, 8, 3), 128, np.float32)).numpy()
    assert probabilities.shape == (1, 8, 8, 1)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert model.layers[-1].activation is keras.activations.sigmoid


def test_input_is_scaled_inside_the_model() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3)).astype(np.float32)
    scaled = build_model(small(), 3, 2, seed=1)
    plain = build_model(small(input_scaling=False), 3, 2, seed=1)
    np.testing.assert_allclose(scaled(image), plain(image / 255.0), atol=1e-6)


def test_only_equal_seeds_give_equal_weights() -> None:
    first, equal, other = (build_model(small(), 3, 2, seed=s).get_weights() for s in (7, 7, 8))
    for weight, equal_weight in zip(first, equal, strict=True):
        np.testing.assert_array_equal(weight, equal_weight)
    pairs = zip(first, other, strict=True)
    assert any((weight != other_weight).any() for weight, other_weight in pairs)


def test_a_fixed_dropout_seed_drops_the_same_values() -> None:
    image = np.full((1, 32, 32, 3), 200, np.float32)
    settings = small(dropout_rate=0.3, dropout_seed=5)
    runs = [build_model(settings, 3, 2, seed=1)(image, training=True).numpy() for _ in range(2)]
    np.testing.assert_array_equal(runs[0], runs[1])


@pytest.mark.usefixtures("without_values")
def test_normalization_adds_one_layer_per_convolution() -> None:
    model = build_model(small(normalization=True, normalization_momentum=0.8), 3, 2)
    layers = keras.layers
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    assert len(norms) == 10
    assert {norm.momentum for norm in norms} == {0.8}


@pytest.fixture
def global_policy() -> Iterator[str]:
    """Change the global policy during a test."""
    original = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield "mixed_float16"
    keras.config.set_dtype_policy(original)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_only_the_head_and_the_weights_are_float32_whatever_the_precision(precision: str) -> None:
    model = build_model(small(normalization=True), 3, 2, precision=precision)
    *body, head = (layer for layer in model.layers if layer.weights)
    assert {layer.compute_dtype for layer in body} == {precision}
    assert head.compute_dtype == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    probabilities = model(np.full((1, 8, 8, 3), 128, np.float32))
    assert probabilities.dtype == "float32"
    np.testing.assert_allclose(probabilities.numpy().sum(axis=-1), 1.0, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_global_policy_has_no_effect_and_is_not_changed(
    global_policy: str, precision: str
) -> None:
    model = build_model(small(), 3, 2, precision=precision)
    assert model.layers[-2].compute_dtype == precision
    assert keras.config.dtype_policy().name == global_policy
    in_precision(model, "float32")
    assert keras.config.dtype_policy().name == global_policy


@pytest.mark.usefixtures("without_values")
@pytest.mark.parametrize("normalization", [False, True])
def test_exactly_the_layers_of_the_encoder_have_its_prefix(normalization: bool) -> None:
    model = build_model(small(num_layers=4, normalization=normalization), 3, 2)
    trainable = [layer.name for layer in model.layers if layer.weights]
    encoder = [name for name in trainable if name.startswith(ENCODER)]
    # Encoder: two convolutions per level. Decoder: also a transposed one. And the head.
    per_level = 4 if normalization else 2
    assert encoder == trainable[: 4 * per_level]
    assert len(trainable) == 4 * per_level + 3 * (per_level + 1) + 1


@pytest.mark.parametrize("name", get_args(ActivationName))
def test_every_activation_is_keras_s_and_changes_single_values(name: str) -> None:
    values = np.array([-1.5, 0.0, 0.5], np.float32)
    activation = keras.activations.get(name)
    together = np.asarray(activation(values))
    np.testing.assert_allclose(
        together, [float(activation(value[None])[0]) for value in values], rtol=1e-6
    )


@pytest.mark.usefixtures("without_values")
def test_mish_follows_the_convolutions_where_the_profile_says_so() -> None:
    model = build_model(small(activation="mish"), 3, 2)
    body = [layer for layer in model.layers[:-1] if type(layer) is keras.layers.Conv2D]
    assert {layer.activation for layer in body} == {keras.activations.mish}
