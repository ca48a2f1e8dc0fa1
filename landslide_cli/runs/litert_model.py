"""A trained network in LiteRT, once TensorFlow Lite, for programs on phones and small computers.

TensorFlow converts it from the Keras model, and has the interpreter by which it is checked. The
network in LiteRT takes (1, rows, cols, bands) of 0 to 1, as other programs give it, and is scaled
and standardized as this program does.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import DEVIATION, MEAN
from landslide_cli.core.tiling.blur import gaussian_weights
from landslide_cli.core.tiling.standardize import LEAST_DEVIATION
from landslide_cli.errors import ModelError, listed
from landslide_cli.runs.exported import Network, Tiles, check_exported

# How the converter tells of operations that LiteRT lacks.
_LACKING = re.compile(r"^(?:Custom|Flex) ops: (.+)$", re.MULTILINE)


def litert_model(model: Any, tiles: Tiles) -> bytes:
    """Convert a network to LiteRT.

    Args:
        model: of Keras, (batch, rows, cols, bands) of 0 to 255 to probabilities.
        tiles: that the conversion takes.

    Returns:
        The file: `image`, (1, side, side, bands) float32 of 0 to 1, to `probability`, (1, side,
        side, channels).

    Raises:
        ModelError: the network has operations that LiteRT lacks, or LiteRT's interpreter answers
            otherwise than Keras.
    """
    from landslide_cli.core.networks.backend import captured_stderr

    content, reason = b"", ""
    with captured_stderr():
        try:
            content = _converted(model, tiles)
            exported = _network_in(content)
        except Exception as error:  # the converter has its own, of many lines
            reason = str(error)
    if not content:
        lacking = sorted({name for names in _LACKING.findall(reason) for name in names.split(", ")})
        raise ModelError(
            f"a network with {listed(lacking) or 'such operations'} cannot be exported to LiteRT"
        )
    check_exported(
        exported, lambda tile: np.asarray(model(tile, training=False), np.float32), tiles
    )
    return content


def _converted(model: Any, tiles: Tiles) -> bytes:
    from landslide_cli.core.networks.backend import tf

    tile = tf.TensorSpec((1, tiles.side, tiles.side, tiles.bands), tf.float32, name="image")

    @tf.function(input_signature=[tile])  # type: ignore[untyped-decorator]
    def call(image: Any) -> dict[str, Any]:
        image = 255.0 * image
        if tiles.standardized:
            image = _standardized(tf, image, tiles)
        if tiles.blur:
            image = _blurred(tf, image, tiles)
        return {"probability": model(image, training=False)}

    # The weights alone are tracked: Keras would trace the model once more for itself.
    tracked = tf.Module()
    tracked.weights = [variable.value for variable in model.variables]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [call.get_concrete_function()], tracked
    )
    return bytes(converter.convert())


def _network_in(content: bytes) -> Network:
    from landslide_cli.core.networks.backend import captured_stderr, tf

    run = tf.lite.Interpreter(model_content=content).get_signature_runner()

    def answer(tile: NDArray[np.float32]) -> NDArray[np.float32]:
        with captured_stderr():
            return np.asarray(run(image=tile)["probability"], np.float32)

    return answer


def _standardized(tf: Any, image: Any, tiles: Tiles) -> Any:
    """Compute what `core.tiling.standardize` does of a scene that is a single cell."""
    if not tiles.unchanged:
        return _by_statistics(tf, image, tiles)
    changed, unchanged = (
        tf.gather(image, bands, axis=-1) for bands in (tiles.standardized, tiles.unchanged)
    )
    both = tf.concat([_by_statistics(tf, changed, tiles), unchanged], axis=-1)
    return tf.gather(both, tiles.order, axis=-1)


def _by_statistics(tf: Any, image: Any, tiles: Tiles) -> Any:
    def total(values: Any) -> Any:
        # Row by row: LiteRT adds one value after the other, of which large sums would lose some.
        return tf.reduce_sum(tf.reduce_sum(values, axis=2, keepdims=True), axis=1, keepdims=True)

    if not tiles.is_float:
        image = tf.round(image)
    counts = tf.sign(tf.reduce_max(tf.abs(image), axis=-1, keepdims=True))  # 0 where all bands are
    count = tf.maximum(total(counts), 1.0)
    centred = image - total(image) / count
    deviations = tf.sqrt(total(centred * centred * counts) / count)
    deviation = tf.maximum(tf.reduce_mean(deviations, axis=-1, keepdims=True), LEAST_DEVIATION)
    result = centred * (DEVIATION / deviation) + MEAN
    return result if tiles.is_float else tf.round(tf.clip_by_value(result, 0.0, 255.0))


def _blurred(tf: Any, image: Any, tiles: Tiles) -> Any:
    """Compute what `core.tiling.blur` does."""
    from landslide_cli.core.networks.gaussian import gaussian_blur

    reach = len(gaussian_weights(tiles.blur)) // 2
    image = tf.pad(image, [[0, 0], [reach, reach], [reach, reach], [0, 0]], "REFLECT")
    return gaussian_blur(image, tiles.blur, reach, "VALID")
