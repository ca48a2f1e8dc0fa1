"""The counts of each scored scene or tile: additive, and all that the scores are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import is_foreground
from landslide_cli.core.scores.boundary import boundary_counts
from landslide_cli.core.scores.calibration import probability_counts
from landslide_cli.core.scores.confusion import Counts, confusion
from landslide_cli.core.scores.objects import object_counts
from landslide_cli.core.tiling.predict import class_probabilities, foreground_probability
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import pixel_area
from landslide_cli.imagery.raster.images import probe
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.predictions import predictions
from landslide_cli.runs.run import Run
from landslide_cli.runs.samples import Sample, Samples
from landslide_cli.runs.scene_predictor import Prediction
from landslide_cli.stages.evaluate.disagreements import Found, disagreements_in


@dataclass(frozen=True)
class Measure:
    """The units in which samples are measured.

    `metres` is true if all samples are georeferenced: areas are in square metres then, in pixels
    otherwise. `areas` holds the pixel area of each sample by name, `tolerances` the tolerance of
    the boundary score in pixels.
    """

    metres: bool
    areas: dict[str, float]
    tolerances: dict[str, float]


@dataclass(frozen=True)
class SampleCounts:
    """The counts of a sample.

    `confusion` is (classes, classes); `boundary` (foreground classes, 4) and `objects` (foreground
    classes, sizes, 6) as in `core.scores.boundary` and `core.scores.objects`; `probability`
    (3, BINS) as in `core.scores.calibration`. `true_probability` is the sum over the labelled
    pixels of the probability of the true class, `loss` the loss of the training. `pixel_area` is in
    the units of the measure.
    """

    sample: Sample
    threshold: float | None
    pixel_area: float
    confusion: Counts
    boundary: Counts
    objects: Counts
    probability: NDArray[np.float64]
    true_probability: float
    loss: float


@dataclass(frozen=True)
class FalseAlarms:
    """What is mapped where all is background: pixels there, and those of them mapped."""

    pixels: int = 0
    mapped: int = 0

    def __add__(self, other: "FalseAlarms") -> "FalseAlarms":
        return FalseAlarms(self.pixels + other.pixels, self.mapped + other.mapped)

    def document(self) -> dict[str, Any] | None:
        """Return the numbers, the share also as square metres per square kilometre."""
        if not self.pixels:
            return None
        share = self.mapped / self.pixels
        return {
            "pixels": self.pixels,
            "mapped": self.mapped,
            "share": share,
            "square_metres_per_square_kilometre": 1e6 * share,
        }


def count_samples(
    profile: Profile,
    run: Run,
    samples: Samples,
    measure: Measure,
    description: str,
    reporter: Reporter,
) -> tuple[list[SampleCounts], FalseAlarms, list[Found]]:
    """Predict and count the samples, one at a time; of background only what is mapped on it.

    Of whole scenes it is also found where labels and prediction disagree.

    Args:
        profile: its `classes`, `evaluate`, `infer`, `train` loss and what reading needs are used.
        run: the model, with its threshold.
        samples: what is scored.
        measure: units and tolerances, by `measure_of`.
        description: shown with the progress.
        reporter: shown the progress.

    Raises:
        DataError: as `predictions`.
    """
    from landslide_cli.core.networks.losses import make_loss

    loss_of = make_loss(profile.train)
    counts: list[SampleCounts] = []
    alarms, found = FalseAlarms(), list[Found]()
    for prediction in predictions(profile, run, samples, description, reporter):
        if samples.units == "scenes":
            found += disagreements_in(prediction, run.threshold)
        if prediction.sample.mask is None:
            alarms += _false_alarms(prediction, run.threshold)
        else:
            counts.append(_count(prediction, profile, run.threshold, measure, loss_of))
    return counts, alarms, found


def _false_alarms(prediction: Prediction, threshold: float | None) -> FalseAlarms:
    mapped = is_foreground(prediction.predicted.mask(threshold))
    is_background = prediction.truth == 0
    return FalseAlarms(int(is_background.sum()), int((mapped & is_background).sum()))


def measure_of(profile: Profile, samples: Sequence[Sample]) -> Measure:
    """Choose the units: metres if all samples are georeferenced.

    Raises:
        DataError: an image cannot be read.
    """
    areas = {
        sample.name: _pixel_area(sample.image) for sample in samples if sample.mask is not None
    }
    known = {name: area for name, area in areas.items() if area is not None}
    metres, settings = len(known) == len(areas), profile.evaluate
    tolerances = dict.fromkeys(areas, settings.boundary_pixels)
    if settings.boundary_metres is not None:
        tolerances |= {n: settings.boundary_metres / a**0.5 for n, a in known.items()}
    return Measure(metres, known if metres else dict.fromkeys(areas, 1.0), tolerances)


def _pixel_area(image: Path) -> float | None:
    info = probe(image)
    try:
        return pixel_area(info.georeference, info.width, info.height)
    except DataError as error:
        raise DataError(f"{image}: {error}") from None


def _count(
    prediction: Prediction,
    profile: Profile,
    threshold: float | None,
    measure: Measure,
    loss_of: Any,
) -> SampleCounts:
    from landslide_cli.core.networks.backend import tf

    truth, predicted = prediction.truth, prediction.predicted
    probabilities = class_probabilities(predicted.probabilities)
    name, classes = prediction.sample.name, probabilities.shape[-1]
    mask = predicted.mask(threshold)
    tolerance = measure.tolerances[name] / prediction.pixels**0.5
    area, sizes = measure.areas[name] * prediction.pixels, profile.evaluate.object_sizes
    labelled = truth < classes
    of_truth = np.take_along_axis(
        probabilities, np.where(labelled, truth, 0)[..., None].astype(np.intp), axis=-1
    )[..., 0]
    batch = tf.constant(truth[None]), tf.constant(probabilities[None])
    return SampleCounts(
        sample=prediction.sample,
        threshold=threshold,
        pixel_area=area,
        confusion=confusion(truth, mask, classes),
        boundary=np.stack(
            [boundary_counts(truth, mask, index, tolerance) for index in range(1, classes)]
        ),
        objects=np.stack(
            [object_counts(truth, mask, index, sizes, area) for index in range(1, classes)]
        ),
        probability=probability_counts(truth, foreground_probability(predicted.probabilities)),
        true_probability=float(of_truth[labelled].sum(dtype=np.float64)),
        loss=float(loss_of(*batch)),
    )
