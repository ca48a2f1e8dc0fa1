"""Encoders: one contract for all, and what EfficientNet-Lite0 has learned."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.encoders import ENCODER, encoder_features, load_encoder
from landslide_cli.core.networks.weight_files import packaged_weights, weights_of, write_weights
from landslide_cli.errors import ModelError
from landslide_cli.profile import UNetSettings
from landslide_cli.profile.model import EncoderName

STRIDES = (2, 4, 8, 16, 32)


def encoder(bands: int = 3, **changes: Any) -> Any:
    """Build an encoder alone, with its weights."""
    settings = UNetSettings.model_validate({"architecture": "unet"} | changes)
    image = keras.Input((None, None, bands))
    model = keras.Model(image, encoder_features(settings, image, bands))
    load_encoder(settings, model)
    return model


@pytest.fixture(scope="module")
def lite0() -> Any:
    return encoder()


def pattern() -> np.ndarray:
    """The image of the recorded features."""
    y, x = np.mgrid[0:64, 0:64]
    bands = [(3 * x + 2 * y) % 256, (x * y) % 256, (255 - 4 * x + y) % 256]
    return np.stack(bands, axis=-1).astype(np.float32)[None]


@pytest.mark.parametrize("name", get_args(EncoderName))
def test_features_have_the_strides_of_the_contract_on_any_multiple_of_32(name: str) -> None:
    model = encoder(encoder=name, encoder_weights=None)
    specs = model.compute_output_spec(keras.KerasTensor((1, 96, 64, 3)))
    sizes = [tuple(spec.shape[1:3]) for spec in specs]
    assert sizes == [(96 // stride, 64 // stride) for stride in STRIDES]
    learned = [layer for layer in model.layers if layer.weights]
    named = [layer for layer in learned if layer.name.startswith(f"{ENCODER}_")]
    # Only ConvNeXt's missing stride 2 is made by layers that were never trained.
    assert len(learned) - len(named) == (2 if name == "convnext_tiny" else 0)


def test_lite0_gives_the_features_of_the_published_weights(lite0: Any) -> None:
    """They were recorded from the float32 weights in PyTorch; the package has half precision."""
    path = Path(__file__).parent / "efficientnet_lite0_features.json"
    recorded = json.loads(path.read_text(encoding="utf-8"))
    for one, features in zip(recorded, lite0(pattern()), strict=True):
        found = np.asarray(features)[0]
        assert list(found.shape) == one["shape"]
        scale = one["deviation"]
        assert found.mean() == pytest.approx(one["mean"], abs=0.01 * scale)
        assert found.std() == pytest.approx(scale, rel=0.01)
        np.testing.assert_allclose(found.ravel()[one["places"]], one["values"], atol=0.05 * scale)


def test_lite0_weights_are_small_and_all_of_them_are_used(lite0: Any) -> None:
    weights = packaged_weights("efficientnet_lite0.npz")
    assert weights.keys() == weights_of(lite0).keys()
    size = sum(values.size * (2 if values.ndim > 1 else 4) for values in weights.values())
    assert size < 8e6


@pytest.mark.parametrize("bands", [1, 6])
def test_other_bands_keep_what_was_learned_of_three(lite0: Any, bands: int) -> None:
    gray = np.repeat(pattern()[..., :1], bands, axis=-1)
    features = encoder(bands)(gray)
    of_three = lite0(np.repeat(pattern()[..., :1], 3, axis=-1))
    for one, other in zip(features, of_three, strict=True):
        scale = np.abs(np.asarray(other)).max()
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=0.02 * scale)


def test_weights_may_come_from_a_file(lite0: Any, tmp_path: Path) -> None:
    path = tmp_path / "changed.npz"
    changed = {name: values + 1.0 for name, values in weights_of(lite0).items()}
    write_weights(path, changed)
    found = weights_of(encoder(encoder_weights=str(path)))
    name = "encoder_block3_project_norm/beta"
    np.testing.assert_array_equal(found[name], changed[name])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file of weights"),
        (b"no archive", "no file of weights, or a damaged one"),
        ({"encoder_stem_conv/kernel": np.zeros((5, 5, 3, 32))}, "does not fit efficientnet_lite0"),
    ],
)
def test_file_that_is_no_weights_of_the_encoder_is_refused(
    content: Any, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write_weights(path, content)
    with pytest.raises(ModelError, match=message) as caught:
        encoder(encoder_weights=str(path))
    assert str(path) in str(caught.value)


def test_applications_take_a_file_of_their_own(tmp_path: Path) -> None:
    options = {"include_top": False, "weights": None, "input_shape": (None, None, 3)}
    donor = keras.applications.MobileNetV3Large(**options, include_preprocessing=False)
    path = tmp_path / "mobilenet.weights.h5"
    donor.save_weights(path)
    model = encoder(encoder="mobilenetv3_large", encoder_weights=str(path))
    kernel = next(one for one in donor.layers if one.name == "conv").kernel
    np.testing.assert_array_equal(weights_of(model)["encoder_conv/kernel"], np.asarray(kernel))


def test_weights_that_cannot_be_had_are_one_clear_error(tmp_path: Path) -> None:
    missing = tmp_path / "missing.weights.h5"
    with pytest.raises(ModelError, match=r"model\.encoder_weights: cannot have") as caught:
        encoder(encoder="resnet50v2", encoder_weights=str(missing))
    assert len(str(caught.value).splitlines()) == 2
