"""Predictions of labelled samples: what scores and thresholds are computed from."""

from collections.abc import Iterator, Sequence

from landslide_cli.profile import Profile
from landslide_cli.reporting import Advance, Reporter
from landslide_cli.runs.mosaics import predicted_mosaics
from landslide_cli.runs.planning import load_predictor
from landslide_cli.runs.run import Run
from landslide_cli.runs.samples import Sample, Samples, truth_of
from landslide_cli.runs.scene_predictor import (
    Prediction,
    ScenePredictor,
    masked,
)


def predictions(
    profile: Profile,
    run: Run,
    samples: Samples,
    description: str,
    reporter: Reporter,
) -> Iterator[Prediction]:
    """Predict the samples, as `infer-tiled` does.

    Args:
        profile: its `infer`, `model`, `source`, `classes` and `prepare.nearest_colour` are used,
            for mosaics also `evaluate.seed`.
        run: the model.
        samples: scenes or tiles.
        description: shown with the progress.
        reporter: shown the progress, and warned if the engine is not the one asked for.

    Raises:
        DataError: images or masks cannot be read, or do not fit the model.
        ModelError: the model does not fit the profile, or the engine asked for cannot run it.
    """
    # Tiles are prepared already; scenes are used as they are.
    run = run.for_tiles() if samples.units == "tiles" else run
    images = [sample.image for sample in samples.items]
    predictor = load_predictor(profile, run, images, reporter)
    with reporter.track(description, len(samples.items)) as advance:
        if samples.units == "mosaic":
            predicted = predicted_mosaics(profile, predictor, run, samples.items)
        else:
            predicted = _one_by_one(profile, predictor, samples.items, description, advance)
        for prediction in predicted:
            yield prediction
            for _ in range(prediction.samples):
                advance()


def _one_by_one(
    profile: Profile,
    predictor: ScenePredictor,
    samples: Sequence[Sample],
    description: str,
    advance: Advance,
) -> Iterator[Prediction]:
    for sample in samples:
        advance(0.0, name=f"{description}: {sample.name}")
        yield _predicted(profile, predictor, sample)


def _predicted(profile: Profile, predictor: ScenePredictor, sample: Sample) -> Prediction:
    predicted = predictor.predict(sample.image)
    rows, cols = predicted.probabilities.shape[:2]
    truth = truth_of(profile, sample, (rows, cols))
    return Prediction(sample, masked(truth, predicted.valid), predicted)
