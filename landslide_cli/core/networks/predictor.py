"""A Keras model as a function from windows to probabilities."""

from typing import Any

from landslide_cli.core.networks.backend import tf
from landslide_cli.core.tiling.predict import model_channels
from landslide_cli.core.tiling.streaming import Predict


def predictor(model: Any, adds_background: bool = False) -> Predict:
    """Wrap a Keras model as a compiled function from windows to probabilities.

    Args:
        model: a softmax over the classes, or a sigmoid for the foreground alone.
        adds_background: whether it has no output for the background.
    """

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def call(windows: Any) -> Any:
        return model(tf.cast(windows, tf.float32), training=False)

    return lambda windows: model_channels(call(tf.constant(windows)).numpy(), adds_background)
