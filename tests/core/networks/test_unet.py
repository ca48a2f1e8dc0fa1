"""U-Net with an encoder that has been trained before."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.build import build_model, in_precision
from landslide_cli.core.networks.weight_files import packaged_weights, weights_of
from landslide_cli.profile import UNetSettings


def settings(**changes: Any) -> UNetSettings:
    small = {"architecture": "unet", "decoder": [8, 8, 8, 8]}
    return UNetSettings.model_validate(small | changes)


def image(side: int = 64) -> np.ndarray:
    return np.random.default_rng(7).uniform(0, 255, (2, side, side, 3)).astype(np.float32)


@pytest.mark.parametrize("decoder", [[8], [8, 8, 8, 8], [8, 8, 8, 8, 4]])
@pytest.mark.parametrize("outputs", [1, 3])
def test_probabilities_have_the_image_s_size(decoder: list[int], outputs: int) -> None:
    model = build_model(settings(decoder=decoder), 3, outputs)
    found = np.asarray(model(image()))
    assert found.shape == (2, 64, 64, outputs)
    assert found.min() >= 0.0
    if outputs > 1:
        np.testing.assert_allclose(found.sum(axis=-1), 1.0, atol=1e-5)


def test_encoder_begins_with_its_weights_and_without_where_all_come_from_elsewhere() -> None:
    name = "encoder_stem_conv/kernel"
    learned = packaged_weights("efficientnet_lite0.npz")[name]
    np.testing.assert_array_equal(weights_of(build_model(settings(), 3, 2))[name], learned)
    for other in ({"encoder_weights": None}, {"weights": "runs/other"}):
        found = weights_of(build_model(settings(**other), 3, 2))[name]
        assert not np.array_equal(found, learned)


def test_logits_are_enlarged_bilinearly_to_begin_with() -> None:
    model = build_model(settings(decoder=[8]), 3, 2)
    logits = model.get_layer("classes").output
    enlarged = model.get_layer("enlarged_4").output
    small, large = keras.Model(model.inputs, [logits, enlarged])([image()])
    # 16 times as large: bilinear interpolation keeps means, and stays within the extremes.
    inside = np.asarray(large)[:, 16:-16, 16:-16]
    assert inside.min() >= np.asarray(small).min() - 1e-5
    assert inside.max() <= np.asarray(small).max() + 1e-5


def test_dropout_and_drop_path_act_in_training_alone() -> None:
    model = build_model(settings(decoder_dropout=0.5, drop_path=0.5), 3, 2)
    still, again = model(image(), training=False), model(image(), training=False)
    np.testing.assert_array_equal(np.asarray(still), np.asarray(again))
    rates = [layer.rate for layer in model.layers if "_drop" in layer.name]
    assert rates == sorted(rates)
    assert 0.0 < rates[0] < rates[-1] < 0.5
    assert model.get_layer("dropout").rate == 0.5


@pytest.mark.parametrize("encoder", ["efficientnet_lite0", "convnext_tiny"])
def test_model_is_saved_loaded_and_computed_in_bfloat16(encoder: str, tmp_path: Path) -> None:
    model = build_model(settings(encoder=encoder, encoder_weights=None), 3, 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    expected = np.asarray(model(image()))
    np.testing.assert_allclose(np.asarray(loaded(image())), expected, atol=1e-5)
    rough = np.asarray(in_precision(model, "bfloat16")(image()))
    assert rough.dtype == np.float32
    np.testing.assert_allclose(rough, expected, atol=0.1)


def test_normalization_is_synchronized_where_a_batch_is_spread() -> None:
    for encoder in ("efficientnet_lite0", "efficientnetv2_b0"):
        chosen = settings(encoder=encoder, encoder_weights=None)
        model = build_model(chosen, 3, 2, synchronized=True)
        norms = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
        assert norms
        assert all(one.synchronized for one in norms)
