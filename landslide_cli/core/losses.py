"""Losses over class-index masks in which unlabelled pixels do not count.

Keras's own loss functions do the work. Each loss here takes masks (batch, rows, cols) uint8, with
`IGNORE` where there is no label, and probabilities (batch, rows, cols, channels), and returns a
scalar.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from landslide_cli.core.backend import keras, tf
from landslide_cli.core.metrics import all_classes
from landslide_cli.core.palette import IGNORE

if TYPE_CHECKING:
    from landslide_cli.profile import TrainSettings

Loss = Callable[[Any, Any], Any]

# Overlap losses count over the batch and its pixels, and keep the classes apart.
_OVERLAP_AXES = (0, 1, 2)


def make_loss(settings: "TrainSettings") -> Loss:
    """Make the profile's loss.

    `categorical_crossentropy` and `focal` (Lin et al. 2017) are means over labelled pixels; `dice`
    (Milletari et al. 2016) and `tversky` (Salehi et al. 2017) are means over the foreground classes
    of a batch; `crossentropy_dice` is the sum of the first and the third.
    """

    def crossentropy(truth: Any, probabilities: Any, labelled: Any) -> Any:
        return _mean(keras.losses.categorical_crossentropy(truth, probabilities), labelled)

    def focal(truth: Any, probabilities: Any, labelled: Any) -> Any:
        losses = keras.losses.categorical_focal_crossentropy(
            truth, probabilities, alpha=1.0, gamma=settings.focal_gamma
        )
        return _mean(losses, labelled)

    def dice(truth: Any, probabilities: Any, labelled: Any) -> Any:
        counted = (probabilities * labelled[..., None])[..., 1:]
        return tf.reduce_mean(keras.losses.dice(truth[..., 1:], counted, axis=_OVERLAP_AXES))

    def tversky(truth: Any, probabilities: Any, labelled: Any) -> Any:
        counted = (probabilities * labelled[..., None])[..., 1:]
        # Keras 3.15 weighs misses with `alpha` and false alarms with `beta`, the paper the reverse.
        return tf.reduce_mean(
            keras.losses.tversky(
                truth[..., 1:],
                counted,
                alpha=settings.tversky_beta,
                beta=settings.tversky_alpha,
                axis=_OVERLAP_AXES,
            )
        )

    def crossentropy_dice(truth: Any, probabilities: Any, labelled: Any) -> Any:
        return crossentropy(truth, probabilities, labelled) + dice(truth, probabilities, labelled)

    chosen = {
        "categorical_crossentropy": crossentropy,
        "crossentropy_dice": crossentropy_dice,
        "dice": dice,
        "focal": focal,
        "tversky": tversky,
    }[settings.loss]

    def loss(mask: Any, probabilities: Any) -> Any:
        probabilities = all_classes(probabilities)
        # Pixels without a label have an all-zero one-hot vector.
        truth = tf.one_hot(tf.cast(mask, tf.int32), probabilities.shape[-1])
        labelled = tf.cast(tf.not_equal(tf.cast(mask, tf.int32), IGNORE), tf.float32)
        return chosen(truth, probabilities, labelled)

    return loss


def _mean(losses: Any, labelled: Any) -> Any:
    """Average the pixels' losses over those that have a label."""
    return tf.reduce_sum(losses * labelled) / tf.maximum(tf.reduce_sum(labelled), 1.0)
