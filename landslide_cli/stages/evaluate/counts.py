"""The counts of each scored scene or tile: additive, and all that the scores are computed from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import Mask, is_foreground
from landslide_cli.core.scores.boundary import boundary_counts
from landslide_cli.core.scores.calibration import probability_counts
from landslide_cli.core.scores.confusion import Counts, confusion
from landslide_cli.core.scores.losses import LossSettings, loss_of
from landslide_cli.core.scores.objects import object_counts
from landslide_cli.core.tiling.predict import class_probabilities
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import Georeference, pixel_area
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.vector.landslides import PolygonOptions, shaped_mask
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.predictions import predictions
from landslide_cli.runs.run import Run
from landslide_cli.runs.samples import Sample, Samples, Units
from landslide_cli.runs.scene_predictor import Prediction
from landslide_cli.stages.evaluate.disagreements import SceneDisagreement, disagreements_in
from landslide_cli.stages.evaluate.false_alarms import FalseAlarms


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
    classes, sizes, 6) as in `core.scores.boundary` and `core.scores.objects`, in the order of
    `foreground`, the indices of these classes; `probability` (3, BINS) as in
    `core.scores.calibration`. `delivered` are the objects with `infer.min_area` and
    `infer.fill_holes`, None if these do nothing. `true_probability` is the sum over the labelled
    pixels of the probability of the true class, `loss` the loss of the training. `pixel_area` is in
    the units of the measure.
    """

    sample: Sample
    threshold: float | None
    pixel_area: float
    confusion: Counts
    boundary: Counts
    objects: Counts
    delivered: Counts | None
    probability: NDArray[np.float64]
    true_probability: float
    loss: float
    foreground: tuple[int, ...] = (1,)

    @property
    def has_foreground(self) -> bool:
        """Whether any pixel is labelled as foreground; overlap says nothing otherwise."""
        return any(self.has_class(index) for index in self.foreground)

    def has_class(self, index: int) -> bool:
        """Whether any pixel is labelled as a class."""
        return bool(self.confusion[index].any())


@dataclass(frozen=True)
class Scoring:
    """What came of predicting samples.

    `counts` are of those with a mask, `alarms` of what is mapped on those without foreground;
    `disagreements` are where labels and prediction disagree on it, of whole scenes only.
    """

    counts: list[SampleCounts] = field(default_factory=list)
    alarms: list[FalseAlarms] = field(default_factory=list)
    disagreements: list[SceneDisagreement] = field(default_factory=list)

    @classmethod
    def pooled(cls, scorings: Iterable["Scoring"]) -> Self:
        """Put together what several models gave, each for its own samples."""
        pooled = cls()
        for scoring in scorings:
            pooled.counts.extend(scoring.counts)
            pooled.alarms.extend(scoring.alarms)
            pooled.disagreements.extend(scoring.disagreements)
        return pooled


def count_samples(
    profile: Profile,
    run: Run,
    samples: Samples,
    measure: Measure,
    description: str,
    reporter: Reporter,
) -> Scoring:
    """Predict and count the samples, one at a time; of background only what is mapped on it.

    Args:
        profile: its `classes`, `foreground`, `evaluate`, `infer`, `train` loss and what reading
            needs are used.
        run: the model, with its threshold.
        samples: what is scored.
        measure: units and tolerances, by `measure_of`.
        description: shown with the progress.
        reporter: shown the progress.

    Raises:
        DataError: as `predictions`.
    """
    train = profile.train
    loss = LossSettings(
        train.loss,
        tversky_alpha=train.tversky_alpha,
        tversky_beta=train.tversky_beta,
        focal_gamma=train.focal_gamma,
        class_weights=train.class_weights,
    )
    scoring, palette = Scoring(), profile.palette
    options = _polygon_options(profile, samples.units)
    for prediction in predictions(profile, run, samples, description, reporter):
        mapped = prediction.predicted.mask(run.threshold)
        if samples.units == "scenes":
            scoring.disagreements.extend(disagreements_in(prediction, run.threshold, palette))
        is_scored = prediction.sample.mask is not None
        if is_scored:
            scoring.counts.append(
                _count(prediction, mapped, profile, run.threshold, measure, options, loss)
            )
        truth = palette.only_foreground(prediction.truth)
        if not is_foreground(truth).any():
            area = _square_metres(profile, prediction, samples.units)
            mapped = palette.only_foreground(mapped)
            scoring.alarms.append(FalseAlarms.of(prediction.sample, truth, mapped, area, is_scored))
    return scoring


def _polygon_options(profile: Profile, units: Units) -> PolygonOptions | None:
    """Return how delivered polygons are filtered and filled, as far as scores follow it.

    None where nothing is done to them, and for tiles, whose pixels are not those of a scene.
    """
    infer = profile.infer
    if units == "tiles" or (infer.min_area <= 0.0 and infer.fill_holes <= 0.0):
        return None
    return PolygonOptions(infer.min_area, infer.fill_holes)


def _square_metres(profile: Profile, prediction: Prediction, units: Units) -> float | None:
    """Return the area of a pixel of a prediction; None where it is not known.

    Tiles are resized, and the background of a mosaic is of several scenes.
    """
    sample = prediction.sample
    if sample.scene is None or (units == "mosaic" and sample.mask is None):
        return None
    area, own = _pixel_area(sample.image), profile.sources[sample.scene.source].gsd
    if area is None and own is not None:
        area = own**2
    return None if area is None else area * prediction.pixels


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
    mask: Mask,
    profile: Profile,
    threshold: float | None,
    measure: Measure,
    options: PolygonOptions | None,
    loss: LossSettings,
) -> SampleCounts:
    truth, predicted = prediction.truth, prediction.predicted
    probabilities = class_probabilities(predicted.probabilities)
    name, classes, palette = prediction.sample.name, probabilities.shape[-1], profile.palette
    foreground, true = palette.foreground, palette.only_foreground(truth)
    tolerance = measure.tolerances[name] / prediction.pixels**0.5
    area, sizes = measure.areas[name] * prediction.pixels, profile.evaluate.object_sizes
    labelled = truth < classes
    of_truth = np.take_along_axis(
        probabilities, np.where(labelled, truth, 0)[..., None].astype(np.intp), axis=-1
    )[..., 0]
    delivered = None
    if options is not None:
        only = true, palette.only_foreground(mask)
        shaped = [_shaped(prediction, labels, classes, options) for labels in only]
        delivered = _objects(shaped[0], shaped[1], foreground, sizes, area)
    return SampleCounts(
        sample=prediction.sample,
        threshold=threshold,
        pixel_area=area,
        confusion=confusion(truth, mask, classes),
        boundary=np.stack([boundary_counts(truth, mask, index, tolerance) for index in foreground]),
        objects=_objects(truth, mask, foreground, sizes, area),
        delivered=delivered,
        probability=probability_counts(true, predicted.foreground),
        true_probability=float(of_truth[labelled].sum(dtype=np.float64)),
        loss=loss_of(truth, probabilities, loss),
        foreground=foreground,
    )


def _objects(
    truth: Mask, mask: Mask, foreground: Sequence[int], sizes: Sequence[float], area: float
) -> Counts:
    counts = [object_counts(truth, mask, index, sizes, area) for index in foreground]
    return np.stack(counts)


def _shaped(prediction: Prediction, mask: Mask, classes: int, options: PolygonOptions) -> Mask:
    """Return a mask of what its polygons would hold, as `infer-tiled` makes them of its own."""
    if prediction.pixels == 1.0:
        return shaped_mask(mask, probe(prediction.sample.image).georeference, classes, options)
    # In a mosaic of another scale pixels are all that is known.
    area = (_pixel_area(prediction.sample.image) or 1.0) * prediction.pixels
    in_pixels = PolygonOptions(options.min_area / area, options.fill_holes / area)
    return shaped_mask(mask, Georeference(), classes, in_pixels)
