"""What is counted of each scored scene or tile: additive, and all that the numbers come from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.boundary import boundary_counts
from landslide_cli.core.calibration import probability_counts
from landslide_cli.core.inference import (
    foreground_probability,
    mask_of,
    predict_scene,
)
from landslide_cli.core.objects import object_counts
from landslide_cli.core.palette import Mask
from landslide_cli.core.scores import Counts, confusion
from landslide_cli.core.tiler import Probabilities
from landslide_cli.imagery.footprints import pixel_area
from landslide_cli.imagery.masks import read_mask
from landslide_cli.imagery.raster import read_image
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.stages.runs import Run, tiling_of
from landslide_cli.stages.samples import Sample, Samples
from landslide_cli.stages.sources import palette_of


@dataclass(frozen=True)
class Prediction:
    """A sample with its mask, (rows, cols), and the probabilities, (rows, cols, classes)."""

    sample: Sample
    truth: Mask
    probabilities: Probabilities


@dataclass(frozen=True)
class Measure:
    """In which units the samples are measured.

    `metres` tells square metres, if all of them are georeferenced, from pixels; `areas` gives each
    sample's pixel area in those units, and `tolerances` that of the boundary in pixels, by name.
    """

    metres: bool
    areas: dict[str, float]
    tolerances: dict[str, float]


@dataclass(frozen=True)
class Tally:
    """The counts of one sample.

    `confusion` is (classes, classes); `boundary` (foreground classes, 4) and `objects` (foreground
    classes, sizes, 6) as in `core.boundary` and `core.objects`; `probability` (3, BINS) as in
    `core.calibration`. `true_probability` is the sum over the labelled pixels of the probability of
    the true class; `loss` the training's loss. `pixel_area` is in the units of the measure.
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


def predictions(
    profile: Profile, run: Run, samples: Samples, description: str, reporter: Reporter
) -> Iterator[Prediction]:
    """Predict the samples: scenes as `infer-tiled` does, tiles each in one pass.

    Raises:
        DataError: images or masks cannot be read, or do not fit the model.
    """
    with reporter.track(description, len(samples.items)) as advance:
        predicted = _scenes if samples.units == "scenes" else _tiles
        for prediction in predicted(profile, run, samples.items):
            yield prediction
            advance()


def tallied(
    profile: Profile,
    run: Run,
    samples: Samples,
    threshold: float | None,
    measure: Measure,
    description: str,
    reporter: Reporter,
) -> list[Tally]:
    """Predict the samples and count, one after the other.

    Args:
        profile: its `classes`, `evaluate`, `infer`, `train` loss and what reading needs are used.
        run: the model.
        samples: what is scored.
        threshold: of the foreground; None: the most probable class.
        measure: units and tolerances, by `measure_of`.
        description: shown with the progress.
        reporter: shown the progress.

    Raises:
        DataError: as `predictions`.
    """
    from landslide_cli.core.losses import make_loss

    loss_of = make_loss(profile.train)
    return [
        _tally(prediction, profile, threshold, measure, loss_of)
        for prediction in predictions(profile, run, samples, description, reporter)
    ]


def measure_of(profile: Profile, samples: Sequence[Sample]) -> Measure:
    """Find out whether the samples can be measured in metres.

    Raises:
        DataError: an image cannot be read.
    """
    found = {one.name: pixel_area(one.image) for one in samples}
    known = {name: area for name, area in found.items() if area is not None}
    metres, settings = len(known) == len(found), profile.evaluate
    tolerances = dict.fromkeys(found, settings.boundary_pixels)
    if settings.boundary_metres is not None:
        tolerances |= {n: settings.boundary_metres / a**0.5 for n, a in known.items()}
    return Measure(metres, known if metres else dict.fromkeys(found, 1.0), tolerances)


def _scenes(profile: Profile, run: Run, samples: Sequence[Sample]) -> Iterator[Prediction]:
    tiling = tiling_of(profile, run.scale, run.standardized)
    predict, palette = run.predict(profile.infer.tta), palette_of(profile)
    for sample in samples:
        image = read_image(sample.image, profile.bands, profile.source.value_range)
        truth = read_mask(sample.mask, palette, profile.prepare.nearest_colour).mask
        yield Prediction(sample, truth, predict_scene(predict, image, len(palette), tiling))


def _tiles(profile: Profile, run: Run, samples: Sequence[Sample]) -> Iterator[Prediction]:
    from landslide_cli.imagery.batches import Batches
    from landslide_cli.imagery.dataset import TileFiles
    from landslide_cli.imagery.examples import TileExamples

    examples = TileExamples(
        [TileFiles(sample.image, sample.mask) for sample in samples],
        palette_of(profile),
        profile.bands,
        multiple=profile.model.multiple,
        cache="none",
        nearest_colour=profile.prepare.nearest_colour,
    )
    batches = Batches(examples, profile.bands, profile.evaluate.batch or profile.train.batch)
    predict, left = run.predict(), iter(samples)
    for images, masks in batches.epoch():
        # The last batch is filled up with blank tiles.
        some = list(islice(left, len(masks)))
        answers = zip(masks.numpy(), predict(images), strict=True)
        for sample, (truth, probabilities) in zip(some, answers, strict=False):
            yield Prediction(sample, truth, probabilities)


def _tally(
    prediction: Prediction,
    profile: Profile,
    threshold: float | None,
    measure: Measure,
    loss_of: Any,
) -> Tally:
    from landslide_cli.core.backend import tf

    truth, probabilities = prediction.truth, prediction.probabilities
    name, classes = prediction.sample.name, probabilities.shape[-1]
    mask = mask_of(probabilities, threshold)
    tolerance, area, sizes = (
        measure.tolerances[name],
        measure.areas[name],
        profile.evaluate.object_sizes,
    )
    labelled = truth < classes
    of_truth = np.take_along_axis(
        probabilities, np.where(labelled, truth, 0)[..., None].astype(np.intp), axis=-1
    )[..., 0]
    batch = tf.constant(truth[None]), tf.constant(probabilities[None])
    return Tally(
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
        probability=probability_counts(truth, foreground_probability(probabilities)),
        true_probability=float(of_truth[labelled].sum(dtype=np.float64)),
        loss=float(loss_of(*batch)),
    )
