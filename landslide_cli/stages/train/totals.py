"""The sums of an epoch, and the numbers that are logged from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.networks.metrics import (
    dice,
    iou,
    mean_dice,
    mean_iou,
    mean_soft_accuracy,
    sensitivity,
    specificity,
)


@dataclass
class EpochTotals:
    """Sums over the batches of an epoch, on all processors.

    Args:
        counts: pixels by true class (rows) and predicted class, (classes, classes).
        loss: of each batch, times its images.
        soft: `soft_accuracy`, summed over the images.
        images: that have any label.
    """

    counts: NDArray[np.float64]
    loss: float = 0.0
    soft: float = 0.0
    images: float = 0.0

    @classmethod
    def zero(cls, classes: int) -> Self:
        """Return the sums over no batch; `classes` includes the background."""
        return cls(np.zeros((classes, classes)))

    def add(self, other: "EpochTotals") -> None:
        self.counts = self.counts + other.counts
        self.loss, self.soft = self.loss + other.loss, self.soft + other.soft
        self.images += other.images

    def results(self, names: Sequence[str], foreground: Sequence[int] = (1,)) -> dict[str, float]:
        """Return the loss, as its mean over the images, and the metrics of these names.

        Args:
            names: of metrics.
            foreground: indices of its classes.
        """
        metrics = {
            "dice": dice(self.counts, foreground),
            "iou": iou(self.counts, foreground),
            "sensitivity": sensitivity(self.counts, foreground),
            "specificity": specificity(self.counts, foreground),
            "mean_dice": mean_dice(self.counts),
            "mean_iou": mean_iou(self.counts),
            "dice_coef_multiclass": mean_soft_accuracy(self.soft, self.images),
        }
        return {"loss": self.loss / max(1.0, self.images)} | {n: metrics[n] for n in names}

    def to_dict(self) -> dict[str, Any]:
        return {
            "loss": self.loss,
            "counts": self.counts.tolist(),
            "soft": self.soft,
            "images": self.images,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Self:
        counts = np.asarray(state["counts"], np.float64)
        return cls(counts, state["loss"], state["soft"], state["images"])
