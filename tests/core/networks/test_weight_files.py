"""Weights are named, read from files, and assigned to networks that they fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.weight_files import (
    assign_weights,
    packaged_weights,
    read_weights,
    weights_of,
)
from landslide_cli.errors import ModelError

layers = keras.layers


def network(bands: int = 3, filters: int = 4) -> Any:
    image = keras.Input((None, None, bands))
    nested = keras.Sequential([layers.Conv2D(4, 1), layers.Conv2D(4, 1)], name="nested")
    features = layers.Conv2D(filters, 3, name="first")(image)
    features = layers.BatchNormalization(name="norm")(features)
    return keras.Model(image, nested(layers.Conv2D(4, 1, name="middle")(features)))


def test_weights_are_named_by_layer_and_variable() -> None:
    weights = weights_of(network())
    assert {"first/kernel", "first/bias", "norm/moving_variance", "nested/kernel"} < weights.keys()
    # Variables of nested layers have names of their own.
    assert len(weights) == 12


def test_weights_are_read_in_single_precision(tmp_path: Path) -> None:
    weights = {name: values.astype(np.float16) for name, values in weights_of(network()).items()}
    np.savez(tmp_path / "weights.npz", allow_pickle=False, **weights)
    read = read_weights(tmp_path / "weights.npz")
    assert read.keys() == weights.keys()
    for name, values in read.items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, weights[name])


def test_missing_imagenet_weights_are_an_error_that_tells_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="`make encoder-weights`") as error:
        packaged_weights("efficientnet_lite2", tmp_path)
    message = str(error.value)
    assert "ImageNet weights of efficientnet_lite2 are not in this package" in message
    assert "adds efficientnet_lite2.npz" in message
    assert len(message.splitlines()) == 2


def test_weights_that_fit_are_assigned_and_the_names_of_others_are_returned() -> None:
    weights = {name: values + 1.0 for name, values in weights_of(network()).items()}
    model = network(filters=5)
    initial = weights_of(model)
    unmatched = assign_weights(model, weights)
    changed_shape = ["first/kernel", "first/bias", "middle/kernel"]
    norm = [f"norm/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")]
    assert sorted(unmatched) == sorted(changed_shape + norm)
    for name, values in weights_of(model).items():
        expected = initial if name in unmatched else weights
        np.testing.assert_array_equal(values, expected[name])


@pytest.mark.parametrize("bands", [1, 2, 4, 6, 14])
def test_a_kernel_is_adapted_to_other_bands_so_that_equal_bands_have_equal_features(
    bands: int,
) -> None:
    three, other = network(3), network(bands)
    assert assign_weights(other, weights_of(three)) == []
    expected, adapted = (weights_of(model)["first/kernel"].sum(axis=2) for model in (three, other))
    if bands % 3 == 0 or bands < 3:
        np.testing.assert_allclose(adapted, expected, atol=1e-5)
    else:
        assert np.corrcoef(adapted.ravel(), expected.ravel())[0, 1] > 0.5


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_the_error_of_a_damaged_file_names_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not a weights file, or a damaged one") as error:
        read_weights(path)
    assert str(path) in str(error.value)


def test_pickled_arrays_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, first=np.array([object()], dtype=object))
    with pytest.raises(ModelError, match="not a weights file"):
        read_weights(path)


def test_a_kernel_gives_each_band_what_is_alike() -> None:
    three, other = network(3), network(4)
    assert assign_weights(other, weights_of(three), (2, None, 0, 1)) == []
    kernel, adapted = (weights_of(model)["first/kernel"] for model in (three, other))
    expected = np.stack([kernel[:, :, 2], kernel.mean(axis=2), *np.moveaxis(kernel, 2, 0)[:2]], 2)
    np.testing.assert_allclose(adapted, expected * 0.75, rtol=1e-6)
