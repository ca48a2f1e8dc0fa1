"""Predictions of labelled samples: what scores and thresholds are computed from."""

from collections.abc import Iterator
from dataclasses import dataclass

from landslide_cli.core.palette import Mask
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.run import Run
from landslide_cli.runs.samples import Sample, Samples
from landslide_cli.runs.scene_predictor import (
    ScenePrediction,
    ScenePredictor,
    load_predictor,
    masked,
)


@dataclass(frozen=True)
class Prediction:
    """A sample with its ground truth and its prediction.

    `truth` is (rows, cols) uint8, `IGNORE` where there is no label or the image holds no data.
    """

    sample: Sample
    truth: Mask
    predicted: ScenePrediction


def predictions(
    profile: Profile,
    predictor: ScenePredictor,
    samples: Samples,
    description: str,
    reporter: Reporter,
) -> Iterator[Prediction]:
    """Predict the samples, as `infer-tiled` does.

    Args:
        profile: its `classes` and `prepare.nearest_colour` are used.
        predictor: the model, by `predictor_for` these samples.
        samples: scenes or tiles.
        description: shown with the progress.
        reporter: shown the progress.

    Raises:
        DataError: images or masks cannot be read, or do not fit the model.
    """
    palette = profile.palette
    with reporter.track(description, len(samples.items)) as advance:
        for sample in samples.items:
            truth = read_mask(sample.mask, palette, profile.prepare.nearest_colour).mask
            predicted = predictor.predict(sample.image)
            yield Prediction(sample, masked(truth, predicted.valid), predicted)
            advance()


def predictor_for(
    profile: Profile, run: Run, samples: Samples, reporter: Reporter
) -> ScenePredictor:
    """Load the model for samples: scenes as they are, or tiles, which are prepared already.

    Raises:
        ModelError: the model does not fit the profile, or the engine asked for cannot run it.
    """
    images = [sample.image for sample in samples.items]
    run = run if samples.units == "scenes" else run.for_tiles()
    return load_predictor(profile, run, images, reporter)
