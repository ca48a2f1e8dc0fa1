"""The threshold on the probability of foreground: chosen on the validation set, in training."""

from pathlib import Path

import numpy as np

from landslide_cli.core.scores.calibration import (
    best_threshold,
    probability_counts,
    threshold_scores,
)
from landslide_cli.core.scores.confusion import SCORE_NAMES
from landslide_cli.documents import write_json
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import THRESHOLD
from landslide_cli.runs.predictions import predictions
from landslide_cli.runs.run import Run
from landslide_cli.runs.samples import samples_of


def write_default_threshold(folder: Path) -> float:
    """Store 0.5 as the threshold of a run that has no validation set to choose another on."""
    write_json(folder / THRESHOLD, {"threshold": 0.5, "chosen_on": None})
    return 0.5


def choose_threshold(
    profile: Profile, run: Run, folder: Path, limit: int | None, reporter: Reporter
) -> float:
    """Choose the threshold with the best Dice, and so IoU, on the validation set; store it.

    Args:
        profile: as for `samples_of` and `predictions`.
        run: the model.
        folder: the run's, where `threshold.json` is written.
        limit: take only the first scenes or tiles.
        reporter: shown the progress.

    Returns:
        The threshold, in [0, 1].

    Raises:
        DataError: there is no validation set, or it cannot be used.
    """
    samples = samples_of(profile, "valid", limit, reporter)
    only_foreground = profile.palette.only_foreground
    counts = np.sum(
        [
            probability_counts(only_foreground(prediction.truth), prediction.predicted.foreground)
            for prediction in predictions(profile, run, samples, "choosing the threshold", reporter)
        ],
        axis=0,
    )
    threshold = best_threshold(counts)
    scores = threshold_scores(counts)[round(threshold * counts.shape[-1])]
    write_json(
        folder / THRESHOLD,
        {
            "threshold": threshold,
            "chosen_on": "valid",
            "units": samples.units,
            "samples": [sample.name for sample in samples.items],
            "scores": dict(zip(SCORE_NAMES, scores.tolist(), strict=True)),
        },
    )
    return threshold
