"""The threshold on the foreground's probability: chosen on valid, never on what is scored."""

from pathlib import Path

import numpy as np

from landslide_cli.core.calibration import best_threshold, probability_counts, threshold_scores
from landslide_cli.core.inference import foreground_probability
from landslide_cli.core.scores import SCORE_NAMES
from landslide_cli.errors import DataError
from landslide_cli.outputs import write_json
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.stages.runs import THRESHOLD, Run
from landslide_cli.stages.samples import samples_of
from landslide_cli.stages.tallies import predictions


def threshold_of(profile: Profile, run: Run, reporter: Reporter) -> float | None:
    """Return the threshold of a run: the profile's, the stored one, or one chosen now and stored.

    None, for the most probable class, where there is no valid part to choose it on.
    """
    if profile.infer.threshold is not None:
        return profile.infer.threshold
    if run.threshold is not None:
        return run.threshold
    try:
        return choose_threshold(profile, run, run.folder, None, reporter)
    except DataError as error:
        reporter.warn(f"no threshold chosen, the most probable class counts: {error}")
        return None


def keep_even_threshold(folder: Path) -> float:
    """Store 0.5 as the threshold of a run that has no valid part to choose another on."""
    write_json(folder / THRESHOLD, {"threshold": 0.5, "chosen_on": None})
    return 0.5


def choose_threshold(
    profile: Profile, run: Run, folder: Path, limit: int | None, reporter: Reporter
) -> float:
    """Choose the threshold with the best Dice, and so IoU, of the foreground on valid; store it.

    Args:
        profile: as for `samples_of` and `predictions`.
        run: the model.
        folder: of the run, where `threshold.json` is written.
        limit: take only the first scenes or tiles.
        reporter: shown the progress.

    Raises:
        DataError: there is no valid part, or it cannot be used.
    """
    samples = samples_of(profile, "valid", limit, reporter)
    counts = np.sum(
        [
            probability_counts(one.truth, foreground_probability(one.probabilities))
            for one in predictions(profile, run, samples, "choosing the threshold", reporter)
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
            "samples": [one.name for one in samples.items],
            "scores": dict(zip(SCORE_NAMES, scores.tolist(), strict=True)),
        },
    )
    return threshold
