"""Where a map and the labels disagree most: misses and false alarms as polygons."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio import features

from landslide_cli.core.palette import Mask, is_foreground

Kind = Literal["miss", "false alarm"]


@dataclass(frozen=True)
class Disagreement:
    """A connected part of a scene that is only labelled or only mapped as landslide.

    `polygon` and its area are in pixels; `probability` is the mean probability of what was mapped
    there: of landslides in a false alarm, of background in a miss. How sure the model was times the
    area is the `weight`: what is worth a look first.
    """

    kind: Kind
    polygon: shapely.Geometry
    pixels: int
    probability: float

    @property
    def weight(self) -> float:
        """The area times the probability."""
        return self.pixels * self.probability


def disagreements(
    truth: Mask, mapped: Mask, probability: NDArray[np.float32], most: int
) -> list[Disagreement]:
    """Find where a map and the labels disagree.

    Args:
        truth: (rows, cols) class indices, `IGNORE` where there is no label and so no disagreement.
        mapped: likewise, `IGNORE` where there is no data.
        probability: (rows, cols), of any landslide.
        most: how many are returned at most, of each kind.

    Returns:
        Those of the largest weights, the largest of each kind first. Landslides of another class
        than labelled are none.
    """
    missed = is_foreground(truth) & (mapped == 0)
    alarm = (truth == 0) & is_foreground(mapped)
    return [
        *_largest("miss", missed, 1.0 - probability, most),
        *_largest("false alarm", alarm, probability, most),
    ]


def _largest(
    kind: Kind, there: NDArray[np.bool_], probability: NDArray[np.float32], most: int
) -> list[Disagreement]:
    count, labels = cv2.connectedComponents(there.astype(np.uint8), connectivity=4)
    if count == 1:
        return []
    areas = np.bincount(labels.ravel(), minlength=count)
    weights = np.bincount(labels.ravel(), probability.ravel().astype(np.float64), count)
    weights[0] = -1.0
    order = np.argsort(-weights, kind="stable")[: min(most, count - 1)]
    chosen = np.zeros(count, np.int32)
    chosen[order] = np.arange(1, len(order) + 1)
    ranks = chosen[labels].astype(np.int32)
    # Parts that are connected by 4 neighbours are one polygon each.
    outlines = {
        int(rank): shapely.geometry.shape(outline)
        for outline, rank in features.shapes(ranks, mask=ranks > 0, connectivity=4)
    }
    return [
        Disagreement(kind, outlines[rank], int(areas[label]), float(weights[label] / areas[label]))
        for rank, label in enumerate(order.tolist(), start=1)
    ]
