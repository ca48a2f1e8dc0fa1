"""A Gaussian over features or images, in TensorFlow."""

from typing import Any

from landslide_cli.core.networks.backend import tf


def gaussian_blur(values: Any, sigma: Any, radius: int, padding: str) -> Any:
    """Convolve each channel with a Gaussian, along rows and along columns.

    Args:
        values: (batch, rows, cols, channels) float32.
        sigma: standard deviation in pixels, a number or a scalar tensor.
        radius: where the Gaussian is cut off, in pixels.
        padding: "SAME" continues with zeros beyond the edges; "VALID" leaves out `radius` pixels
            along each edge.
    """
    offsets = tf.range(-radius, radius + 1, dtype=tf.float32)
    kernel = tf.exp(-0.5 * tf.square(offsets / sigma))
    kernel = (kernel / tf.reduce_sum(kernel))[:, None, None, None]
    kernel = tf.tile(kernel, [1, 1, values.shape[-1], 1])
    for along in (kernel, tf.transpose(kernel, (1, 0, 2, 3))):
        values = tf.nn.depthwise_conv2d(values, along, [1, 1, 1, 1], padding)
    return values
