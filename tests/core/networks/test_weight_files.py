"""Weights in compact files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.weight_files import (
    assign_weights,
    read_weights,
    weights_of,
    write_weights,
)
from landslide_cli.errors import ModelError

layers = keras.layers


def network(bands: int = 3, filters: int = 4) -> Any:
    image = keras.Input((None, None, bands))
    nested = keras.Sequential([layers.Conv2D(4, 1), layers.Conv2D(4, 1)], name="nested")
    features = layers.Conv2D(filters, 3, name="first")(image)
    features = layers.BatchNormalization(name="norm")(features)
    return keras.Model(image, nested(layers.Conv2D(4, 1, name="middle")(features)))


def test_weights_come_back_halved_where_they_are_kernels(tmp_path: Path) -> None:
    given = weights_of(network())
    assert {"first/kernel", "first/bias", "norm/moving_variance", "nested/kernel"} < given.keys()
    # The nested layers' variables do not hide each other.
    assert len(given) == 12
    write_weights(tmp_path / "weights.npz", given)
    back = read_weights(tmp_path / "weights.npz")
    assert back.keys() == given.keys()
    for name, values in back.items():
        assert values.dtype == np.float32
        halved = given[name].astype(np.float16) if values.ndim > 1 else given[name]
        np.testing.assert_array_equal(values, halved.astype(np.float32))


def test_what_fits_is_assigned_and_the_rest_is_named() -> None:
    given = {name: values + 1.0 for name, values in weights_of(network()).items()}
    model = network(filters=5)
    before = weights_of(model)
    left = assign_weights(model, given)
    changed = ["first/kernel", "first/bias", "middle/kernel"]
    norm = [f"norm/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")]
    assert sorted(left) == sorted(changed + norm)
    for name, values in weights_of(model).items():
        np.testing.assert_array_equal(values, before[name] if name in left else given[name])


@pytest.mark.parametrize("bands", [1, 2, 4, 6, 14])
def test_other_bands_that_are_alike_give_about_what_three_gave(bands: int) -> None:
    three, other = network(3), network(bands)
    left = assign_weights(other, weights_of(three))
    assert left == []
    kernels = (weights_of(model)["first/kernel"].sum(axis=2) for model in (three, other))
    of_three, of_other = kernels
    if bands % 3 == 0 or bands < 3:
        np.testing.assert_allclose(of_other, of_three, atol=1e-5)
    else:
        assert np.corrcoef(of_other.ravel(), of_three.ravel())[0, 1] > 0.5


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_damaged_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="no file of weights, or a damaged one") as caught:
        read_weights(path)
    assert str(path) in str(caught.value)


def test_pickled_arrays_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, first=np.array([object()], dtype=object))
    with pytest.raises(ModelError, match="no file of weights"):
        read_weights(path)
