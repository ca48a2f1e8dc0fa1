"""Paired comparison of two runs on the same samples: is the difference larger than chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import Palette
from landslide_cli.core.parts import fold_folder
from landslide_cli.core.scores.confusion import SCORE_NAMES, foreground_scores
from landslide_cli.errors import ModelError, counted
from landslide_cli.profile import EvaluateSettings, Profile, load_profile
from landslide_cli.profile.extending import PACKAGED_PROFILE
from landslide_cli.reporting import Table
from landslide_cli.runs.files import LANDSLIDE, PROFILE, uses_packaged
from landslide_cli.stages.evaluate.counts import SampleCounts
from landslide_cli.stages.evaluate.report import LEAST_GROUPS, Bootstrap


@dataclass(frozen=True)
class Difference:
    """A score of this run and of the other, this minus the other, and its 95 % interval.

    The interval is None with fewer than `LEAST_GROUPS` groups.
    """

    this: float
    other: float
    difference: float
    interval: list[float] | None

    @property
    def larger_than_chance(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval is not None and not self.interval[0] <= 0.0 <= self.interval[1]


@dataclass(frozen=True)
class Comparison:
    """The scores of the foreground by two runs, from the pooled counts of the same samples.

    `subject` is what the foreground is called.
    """

    against: Path
    subject: str
    scores: dict[str, Difference]
    groups: int

    def sentence(self) -> str:
        """Say plainly what came out, by IoU."""
        iou = self.scores["iou"]
        if iou.interval is None:
            found = counted(self.groups, "group")
            return f"{found} of scenes cannot tell a difference from chance; {LEAST_GROUPS} may"
        low, high = iou.interval
        verdict = "larger than chance" if iou.larger_than_chance else "not larger than chance"
        return (
            f"the {self.subject} IoU differs by {iou.difference:+.4f} "
            f"(95 % interval {low:+.4f} to {high:+.4f}), {verdict}"
        )

    def table(self) -> Table:
        """Show the scores side by side."""
        rows = [
            (
                *(name, f"{score.this:.4f}", f"{score.other:.4f}", f"{score.difference:+.4f}"),
                "-"
                if score.interval is None
                else f"{score.interval[0]:+.4f} to {score.interval[1]:+.4f}",
            )
            for name, score in self.scores.items()
        ]
        columns = [self.subject, "this run", "the other", "difference", "95 % interval"]
        return Table(f"against {self.against}", columns, rows)

    def document(self) -> dict[str, Any]:
        """Return all of it."""
        scores = {
            name: {
                "this": score.this,
                "other": score.other,
                "difference": score.difference,
                "interval": score.interval,
                "larger_than_chance": score.larger_than_chance,
            }
            for name, score in self.scores.items()
        }
        return {"against": str(self.against), "scores": scores, "verdict": self.sentence()}


def compare(
    ours: Sequence[SampleCounts],
    theirs: Sequence[SampleCounts],
    against: Path,
    palette: Palette,
    settings: EvaluateSettings,
) -> Comparison:
    """Compare two runs by the scores of the foreground, with intervals over groups of samples.

    Args:
        ours: the counts of the samples by this run.
        theirs: those of the same samples, in the same order, by the other run.
        against: the other run.
        palette: the classes; of several in the foreground the mean of their scores is compared.
        settings: of the bootstrap.
    """
    pairs = [np.stack([a.confusion, b.confusion]) for a, b in zip(ours, theirs, strict=True)]
    this, other = foreground_scores(np.sum(pairs, axis=0), palette.foreground)

    def subtracted(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = foreground_scores(sums, palette.foreground)
        return np.asarray(scores[:, 0] - scores[:, 1])

    draw = Bootstrap.of(ours, settings)
    intervals = draw.intervals(ours, pairs, subtracted, SCORE_NAMES)
    scores = {
        name: Difference(float(a), float(b), float(a - b), intervals.get(name))
        for name, a, b in zip(SCORE_NAMES, this, other, strict=True)
    }
    return Comparison(against, palette.subject, scores, len(draw.groups))


def profile_of_run(run: Path, fold: int | None, like: Profile) -> Profile:
    """Load the profile that a run was trained with, to predict with it wherever it lies now.

    Args:
        run: the run's folder, of a cross-validation the one that holds the folds; `landslide` is
            the packaged model, where no folder of a run has that name.
        fold: which fold's run is meant, if any.
        like: the profile of what is scored; the two must have the same bands and classes.

    Raises:
        ModelError: there is no such run, or it has other bands or classes.
    """
    folder = run if fold is None else run / fold_folder(fold)
    if (folder / PROFILE).is_file():
        profile = load_profile(folder / PROFILE)
        # A fold's run may be compared on its own; its folder is then the run.
        in_folds = profile.fold is not None and folder.name == fold_folder(profile.fold)
        moved = {
            "run": folder.parent if in_folds else folder,
            "fold": profile.fold if in_folds else None,
        }
        profile = profile.model_copy(update=moved)
    elif str(run) == LANDSLIDE:
        profile = _packaged_profile(like)
    else:
        raise ModelError(
            f"{folder}: is not a run; name the folder that `landslide train` wrote, or "
            f"'{LANDSLIDE}' for the packaged model"
        )
    names = [[entry.name for entry in p.palette_classes] for p in (profile, like)]
    if (profile.model_inputs, names[0]) != (like.model_inputs, names[1]):
        raise ModelError(f"{folder}: was trained for other bands or classes than the profile has")
    return profile


def _packaged_profile(like: Profile) -> Profile:
    """Return the profile of the packaged model, with its results beside the runs of another."""
    profile = load_profile(PACKAGED_PROFILE)
    profile = profile.model_copy(update={"run": like.run.with_name(LANDSLIDE)})
    if not uses_packaged(profile):
        raise ModelError(
            f"{profile.run}: is a run of your own where the packaged model would have its results; "
            "name that folder, or move it away to compare with the packaged model"
        )
    return profile
