"""Metrics of training, as Keras metrics whose state is counted over the whole set.

All take class-index masks (batch, rows, cols), with `IGNORE` where there is no label, and
probabilities (batch, rows, cols, channels); a single channel is the probability of class 1.
"""

from typing import Any

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.palette import IGNORE


def all_classes(probabilities: Any) -> Any:
    """Give a single sigmoid channel the complement beside it, so that there is one a class."""
    if probabilities.shape[-1] == 1:
        return tf.concat([1.0 - probabilities, probabilities], axis=-1)
    return probabilities


def confusion_counts(y_true: Any, y_pred: Any, classes: int) -> Any:
    """Count the labelled pixels of a batch by true and by predicted class.

    Returns:
        (classes, classes) float64; the true class is the row.
    """
    truth = tf.reshape(tf.cast(y_true, tf.int32), [-1])
    predicted = tf.reshape(tf.argmax(all_classes(y_pred), axis=-1, output_type=tf.int32), [-1])
    # A cell of its own takes the unlabelled pixels, and is dropped.
    codes = tf.where(truth < classes, truth * classes + predicted, classes**2)
    counts = tf.math.bincount(codes, minlength=classes**2 + 1, dtype=tf.float64)
    return tf.reshape(counts[: classes**2], (classes, classes))


@keras.saving.register_keras_serializable("landslide")
class ConfusionMetric(keras.metrics.Metric):  # type: ignore[misc]
    """Confusion counts of predicted against true class; scores are computed from them.

    Args:
        classes: number of classes.
        class_id: the class to score; None averages over all.
        name: name in logs.
    """

    def __init__(
        self, classes: int, class_id: int | None = None, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.classes = classes
        self.class_id = class_id
        # float64 counts to 2^53 exactly; float32 would stop at 16 million pixels.
        self.counts = self.add_variable(
            (classes, classes), initializer="zeros", dtype="float64", name="counts"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch; unlabelled pixels are left out. Sample weights are not used."""
        self.add(confusion_counts(y_true, y_pred, self.classes))

    def add(self, counts: Any) -> None:
        """Add what `confusion_counts` counted."""
        self.counts.assign(self.counts + counts)

    def result(self) -> Any:
        """Return the score of the class, or the mean over the classes."""
        hits = tf.linalg.diag_part(self.counts)
        true_or_predicted = tf.reduce_sum(self.counts, axis=0) + tf.reduce_sum(self.counts, axis=1)
        scores = self.score(hits, true_or_predicted)
        # A class that is neither there nor predicted has nothing wrong.
        scores = tf.where(true_or_predicted > 0, scores, tf.ones_like(scores))
        score = tf.reduce_mean(scores) if self.class_id is None else scores[self.class_id]
        return tf.cast(score, tf.float32)

    def score(self, hits: Any, true_or_predicted: Any) -> Any:
        """Compute each class's score from TP and from 2 TP + FP + FN."""
        raise NotImplementedError

    def reset_state(self) -> None:
        """Start counting afresh."""
        self.counts.assign(tf.zeros_like(self.counts))

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor needs."""
        return {**super().get_config(), "classes": self.classes, "class_id": self.class_id}


@keras.saving.register_keras_serializable("landslide")
class Dice(ConfusionMetric):
    """Dice coefficient, 2 TP / (2 TP + FP + FN), of the predicted masks (Dice 1945).

    Example:
        >>> metric = Dice(classes=2, class_id=1)
        >>> probabilities = [[[[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.0, 1.0]]]]
        >>> metric.update_state(np.array([[[0, 1, 1, 255]]]), np.array(probabilities))
        >>> round(float(metric.result()), 4)
        0.6667
    """

    def score(self, hits: Any, true_or_predicted: Any) -> Any:
        """Compute Dice of each class."""
        return 2.0 * hits / tf.maximum(true_or_predicted, 1.0)


@keras.saving.register_keras_serializable("landslide")
class IoU(ConfusionMetric):
    """Intersection over union, TP / (TP + FP + FN), of the predicted masks (Jaccard 1912)."""

    def score(self, hits: Any, true_or_predicted: Any) -> Any:
        """Compute IoU of each class."""
        return hits / tf.maximum(true_or_predicted - hits, 1.0)


@keras.saving.register_keras_serializable("landslide")
class DiceCoefMulticlass(keras.metrics.Mean):  # type: ignore[misc]
    """The experiment's `dice_coef_multiclass`, kept under its name for comparison.

    For one image (2 sum(t p) + 1) / (sum(t) + sum(p) + 1), where t is the one-hot mask, p the
    probabilities, and the sums run over pixels and classes together; then the mean over the images
    that have any label.
    Since sum(t) = sum(p) = number of pixels, it is the mean probability given to the true class,
    background included: a soft accuracy, which says little about landslides.

    Source: antillia.com, `dice_coef_multiclass.py`, 2025.
    """

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; unlabelled pixels are left out. Sample weights are not used."""
        summed, images = soft_accuracy(y_true, y_pred)
        self.add(summed, images)

    def add(self, summed: Any, images: Any) -> None:
        """Add what `soft_accuracy` summed up."""
        self.total.assign_add(summed)
        self.count.assign_add(images)


def soft_accuracy(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Sum `DiceCoefMulticlass` over the images of a batch that have any label, and count them."""
    probabilities = all_classes(tf.cast(y_pred, tf.float32))
    # Pixels without a label have an all-zero one-hot vector.
    truth = tf.one_hot(tf.cast(y_true, tf.int32), probabilities.shape[-1])
    labelled = tf.cast(tf.not_equal(tf.cast(y_true, tf.int32), IGNORE), tf.float32)
    hits = tf.reduce_sum(truth * probabilities, axis=(1, 2, 3))
    there = tf.reduce_sum(truth, axis=(1, 2, 3))
    sums = there + tf.reduce_sum(probabilities * labelled[..., None], axis=(1, 2, 3))
    counted = tf.cast(there > 0, tf.float32)
    return tf.reduce_sum(counted * (2.0 * hits + 1.0) / (sums + 1.0)), tf.reduce_sum(counted)


def make_metric(name: str, classes: int) -> Any:
    """Make one of the profile's `train.metrics`; `dice` and `iou` are of the first foreground.

    Args:
        name: `dice`, `iou` or `dice_coef_multiclass`.
        classes: number of classes, background included.
    """
    if name == "dice_coef_multiclass":
        return DiceCoefMulticlass(name=name)
    return {"dice": Dice, "iou": IoU}[name](classes, class_id=1, name=name)
