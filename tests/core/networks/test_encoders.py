"""All encoders have the same interface, and EfficientNet-Lite has its published weights."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.encoders import ENCODER, encoder_features, load_encoder
from landslide_cli.core.networks.summary import feature_sizes
from landslide_cli.core.networks.weight_files import packaged_weights, weights_of
from landslide_cli.errors import ModelError
from landslide_cli.profile import UNetSettings
from landslide_cli.profile.networks import EncoderName
from landslide_cli.weights import FOLDER

STRIDES = (2, 4, 8, 16, 32)


def settings(**changes: Any) -> UNetSettings:
    return UNetSettings.model_validate({"architecture": "unet"} | changes)


def encoder(bands: int = 3, **changes: Any) -> Any:
    """Build a network of an encoder only, with its weights."""
    image = keras.Input((None, None, bands))
    model = keras.Model(image, encoder_features(settings(**changes), image, bands))
    load_encoder(settings(**changes), model)
    return model


@pytest.fixture(scope="module")
def lite0() -> Any:
    """EfficientNet-Lite0 with its packaged weights; do not change them."""
    return encoder()


def pattern() -> np.ndarray:
    """Make the image of the recorded features."""
    y, x = np.mgrid[0:64, 0:64]
    bands = [(3 * x + 2 * y) % 256, (x * y) % 256, (255 - 4 * x + y) % 256]
    return np.stack(bands, axis=-1).astype(np.float32)[None]


@pytest.mark.usefixtures("without_values")
@pytest.mark.parametrize("name", get_args(EncoderName))
def test_features_have_strides_2_to_32_on_any_multiple_of_32(name: str) -> None:
    model = encoder(encoder=name, encoder_weights=None)
    specs = model.compute_output_spec(keras.KerasTensor((1, 96, 64, 3)))
    sizes = [tuple(spec.shape[1:3]) for spec in specs]
    assert sizes == [(96 // stride, 64 // stride) for stride in STRIDES]
    with_weights = [layer for layer in model.layers if layer.weights]
    prefixed = [layer for layer in with_weights if layer.name.startswith(f"{ENCODER}_")]
    # ConvNeXt has no features of stride 2: two layers without pretrained weights compute them.
    assert len(with_weights) - len(prefixed) == (2 if name == "convnext_tiny" else 0)


@pytest.mark.usefixtures("without_values")
@pytest.mark.parametrize("name", ["convnext_tiny", "mobilenetv3_large"])
def test_bare_operations_of_keras_applications_count_among_the_features(name: str) -> None:
    model = encoder(encoder=name, encoder_weights=None)
    sizes, inputs = feature_sizes(model, 64, 64)
    assert len(sizes) == len(inputs) > len(model.layers)
    assert all(max(taken) < index for index, taken in enumerate(inputs) if taken)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_lite_features_agree_with_those_of_the_published_weights(name: str) -> None:
    """They were recorded in PyTorch from float32 weights; those of the files are float16."""
    if not (FOLDER / f"{name}.npz").is_file():
        pytest.skip("needs `make encoder-weights`")
    path = Path(__file__).parent / f"{name}_features.json"
    recorded = json.loads(path.read_text(encoding="utf-8"))
    for expected, batch in zip(recorded, encoder(encoder=name)(pattern()), strict=True):
        features = np.asarray(batch)[0]
        assert list(features.shape) == expected["shape"]
        scale = expected["deviation"]
        assert features.mean() == pytest.approx(expected["mean"], abs=0.01 * scale)
        assert features.std() == pytest.approx(scale, rel=0.01)
        values = features.ravel()[expected["places"]]
        np.testing.assert_allclose(values, expected["values"], atol=0.05 * scale)


# The published parameters, without those of the last convolution and the classifier.
@pytest.mark.usefixtures("without_values")
@pytest.mark.parametrize(
    ("name", "published", "channels"),
    [("efficientnet_lite0", 4_652_008, 320), ("efficientnet_lite2", 6_092_072, 352)],
)
def test_lite_encoders_have_the_published_parameters(
    name: str, published: int, channels: int
) -> None:
    model = encoder(encoder=name, encoder_weights=None)
    parameters = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    head = 1280 * channels + 2 * 1280 + 1000 * (1280 + 1)
    assert parameters == published - head


def test_lite0_weights_take_less_than_8_mb_and_are_all_used(lite0: Any) -> None:
    weights = packaged_weights("efficientnet_lite0")
    assert weights.keys() == weights_of(lite0).keys()
    size = sum(values.size * (2 if values.ndim > 1 else 4) for values in weights.values())
    assert size < 8e6


@pytest.mark.parametrize("bands", [1, 6])
def test_weights_of_three_bands_are_adapted_to_other_bands(lite0: Any, bands: int) -> None:
    grey = pattern()[..., :1]
    all_features = encoder(bands)(np.repeat(grey, bands, axis=-1))
    all_expected = lite0(np.repeat(grey, 3, axis=-1))
    for features, expected in zip(all_features, all_expected, strict=True):
        scale = np.abs(np.asarray(expected)).max()
        np.testing.assert_allclose(np.asarray(features), np.asarray(expected), atol=0.02 * scale)


def test_weights_can_be_read_from_a_file(lite0: Any, tmp_path: Path) -> None:
    path = tmp_path / "changed.npz"
    changed = {name: values + 1.0 for name, values in weights_of(lite0).items()}
    np.savez(path, allow_pickle=False, **changed)
    loaded = weights_of(encoder(encoder_weights=str(path)))
    name = "encoder_block3_project_norm/beta"
    np.testing.assert_array_equal(loaded[name], changed[name])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such weights file"),
        (b"no archive", "not a weights file, or a damaged one"),
        ({"encoder_stem_conv/kernel": np.zeros((5, 5, 3, 32))}, "does not fit efficientnet_lite0"),
    ],
)
def test_a_file_without_the_weights_of_the_encoder_is_refused(
    content: Any, message: str, lite0: Any, tmp_path: Path
) -> None:
    path = tmp_path / "weights.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, **content)
    with pytest.raises(ModelError, match=message) as error:
        load_encoder(settings(encoder_weights=str(path)), lite0)
    assert str(path) in str(error.value)


def test_keras_applications_load_a_weights_file_of_keras(tmp_path: Path) -> None:
    options = {"include_top": False, "weights": None, "input_shape": (None, None, 3)}
    original = keras.applications.MobileNetV3Large(**options, include_preprocessing=False)
    path = tmp_path / "mobilenet.weights.h5"
    original.save_weights(path)
    model = encoder(encoder="mobilenetv3_large", encoder_weights=str(path))
    kernel = np.asarray(original.get_layer("conv").kernel)
    np.testing.assert_array_equal(weights_of(model)["encoder_conv/kernel"], kernel)


def test_weights_that_cannot_be_loaded_are_an_error_of_two_lines(
    lite0: Any, tmp_path: Path
) -> None:
    missing = str(tmp_path / "missing.weights.h5")
    with pytest.raises(ModelError, match=r"model\.encoder_weights: cannot load") as error:
        load_encoder(settings(encoder="resnet50v2", encoder_weights=missing), lite0)
    assert len(str(error.value).splitlines()) == 2
