"""Networks in LiteRT answer as those that they were converted from."""

from typing import Any

import numpy as np
import pytest

from landslide_cli.core.networks.backend import captured_stderr, keras, tf
from landslide_cli.core.tiling.blur import blur_windows
from landslide_cli.core.tiling.local_statistics import local_statistics
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.core.tiling.standardize import standardize
from landslide_cli.errors import ModelError
from landslide_cli.runs import litert_model as module
from landslide_cli.runs.exported import Tiles
from landslide_cli.runs.litert_model import litert_model

SIDE, BANDS = 32, 3


class Halved(keras.layers.Layer):  # type: ignore[misc]
    """Half of 0 to 255 as 0 to 1, by what another layer than ours may use."""

    def call(self, image: Any) -> Any:
        return image / 510.0


class OfTensorFlow(keras.layers.Layer):  # type: ignore[misc]
    """What LiteRT has no operation for."""

    def call(self, image: Any) -> Any:
        return tf.math.igamma(image, image)


def network(layer: Any) -> Any:
    image = keras.Input((None, None, BANDS))
    return keras.Model(image, layer(image))


def answer(content: bytes, image: Any) -> Any:
    with captured_stderr():
        run = tf.lite.Interpreter(model_content=content).get_signature_runner()
        return run(image=image[None].astype(np.float32) / 255)["probability"][0]


@pytest.mark.parametrize("is_float", [False, True], ids=["of 8 bits", "of floats"])
def test_some_bands_are_standardized_as_those_of_a_scene_of_one_cell(is_float: bool) -> None:
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, BANDS), np.uint8)
    image[:5] = 0  # without data
    levels = image.astype(np.float32) / np.float32(1.7) if is_float else image
    content = litert_model(network(Halved()), Tiles(SIDE, BANDS, (0, 2), is_float))
    source = ImageSource(levels, standardized=False, kept=(1,))
    expected = standardize(levels, local_statistics(source, (1.0, 1.0)))[5:].astype(np.float32)
    made = 510 * answer(content, levels)[5:]
    # Sums in another order may round a value to its neighbour.
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-3 if is_float else 1.001)
    assert (np.abs(made - expected) > 1e-3).mean() < 1e-3


def test_tiles_are_blurred() -> None:
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, BANDS), np.uint8)
    content = litert_model(network(Halved()), Tiles(SIDE, BANDS, blur=0.8))
    expected = blur_windows(image[None].astype(np.float32), 0.8)[0]
    np.testing.assert_allclose(510 * answer(content, image), expected, atol=1e-2)


def test_network_that_answers_otherwise_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    right = module._network_in
    monkeypatch.setattr(
        module, "_network_in", lambda content: lambda tile: 1.01 * right(content)(tile)
    )
    with pytest.raises(ModelError, match=r"differs from the model by 0\.00.* in probability"):
        litert_model(network(Halved()), Tiles(SIDE, BANDS))


def test_operation_that_litert_lacks_is_named() -> None:
    with pytest.raises(ModelError, match="Igamma cannot be exported to LiteRT"):
        litert_model(network(OfTensorFlow()), Tiles(SIDE, BANDS))
