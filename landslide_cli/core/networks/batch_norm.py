"""Fused batch normalization for training; models are saved with Keras's own layer.

Keras composes batch normalization from a dozen operations, each a pass over all features.
TensorFlow has one fused operation for the forward and one for the backward pass, which saves a
fifth of a training step of a U-Net on a CPU.
"""

from typing import Any

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.rebuild import rebuilt

_SLOW_IN_BFLOAT16 = (keras.layers.DepthwiseConv2D, keras.layers.ReLU)


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras's layer with the fused operation in training, for float32 on a single device.

    At inference, in other precisions, and if statistics are synchronized between devices, it is
    Keras's layer unchanged.

    Source: Ioffe and Szegedy, Batch normalization, 2015, arXiv:1502.03167.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize (batch, rows, cols, channels); in training, update the moving statistics."""
        can_fuse = inputs.dtype == "float32" and mask is None and not self.synchronized
        if not (can_fuse and training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        # The operation returns the unbiased variance, Keras averages the biased one.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        for average, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance * (count - 1.0) / count),
        ):
            average.assign(average * self.momentum + value * (1.0 - self.momentum))
        return outputs


def with_fused_normalization(model: Any) -> Any:
    """Copy a network for training; see `with_plain_normalization`.

    Batch normalization is fused. In a network in bfloat16 on a CPU, it and the layers that
    TensorFlow computes slowly in bfloat16 run in float32: converting features back and forth takes
    less time.
    """
    has_gpu = bool(tf.config.list_physical_devices("GPU"))

    def fused(layer: Any) -> Any:
        config = layer.get_config()
        is_normalization = type(layer) is keras.layers.BatchNormalization
        can_fuse = is_normalization and _has_fused_operation(layer)
        is_slow = can_fuse or type(layer) in _SLOW_IN_BFLOAT16
        if is_slow and not has_gpu and layer.compute_dtype == "bfloat16":
            config["dtype"] = "float32"
        return (FusedBatchNormalization if can_fuse else type(layer)).from_config(config)

    return rebuilt(model, fused)


def with_plain_normalization(model: Any) -> Any:
    """Copy a network with Keras's own batch normalization, to save: loading it needs only Keras."""

    def plain(layer: Any) -> Any:
        is_fused = type(layer) is FusedBatchNormalization
        layer_class = keras.layers.BatchNormalization if is_fused else type(layer)
        return layer_class.from_config(layer.get_config())

    return rebuilt(model, plain)


def _has_fused_operation(layer: Any) -> bool:
    rank = len(layer.input.shape)
    return bool(rank == 4 and layer.axis in (-1, 3) and layer.scale and layer.center)
