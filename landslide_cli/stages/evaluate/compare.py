"""Paired comparison of two runs on the same samples: is the difference larger than chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import Palette
from landslide_cli.core.scores.confusion import SCORE_NAMES, foreground_scores
from landslide_cli.errors import counted
from landslide_cli.profile import EvaluateSettings
from landslide_cli.reporting import Table
from landslide_cli.runs.samples import LEAST_GROUPS
from landslide_cli.stages.evaluate.counts import Measure, SampleCounts
from landslide_cli.stages.evaluate.report import (
    Bootstrap,
    Reports,
    foreground_dice,
    reports_of,
)


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

    `subject` is what the foreground is called, `other` all scores of the other run, and `scenes`
    has the Dice of the foreground by both in each sample that has any, the greatest loss first.
    """

    against: Path
    subject: str
    scores: dict[str, Difference]
    groups: int
    other: Reports
    scenes: list[dict[str, Any]]

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
                name,
                f"{score.this:.4f}",
                f"{score.other:.4f}",
                f"{score.difference:+.4f}",
                _signed(score.interval),
            )
            for name, score in self.scores.items()
        ]
        columns = [self.subject, "this run", "the other", "difference", "95 % interval"]
        return Table(f"against {self.against}", columns, rows)

    def document(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
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
        return {
            "against": str(self.against),
            "scores": scores,
            "verdict": self.sentence(),
            "other": self.other.document(),
            "scenes": self.scenes,
        }


def compare(
    ours: Sequence[SampleCounts],
    theirs: Sequence[SampleCounts],
    against: Path,
    palette: Palette,
    measure: Measure,
    settings: EvaluateSettings,
) -> Comparison:
    """Compare two runs by the scores of the foreground, with intervals over groups of samples.

    Args:
        ours: the counts of the samples by this run.
        theirs: those of the same samples, in the same order, by the other run.
        against: the other run.
        palette: the classes; of several in the foreground the mean of their scores is compared.
        measure: how boundaries and objects were measured.
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
    other = reports_of(theirs, palette, measure, settings)
    return Comparison(
        against, palette.subject, scores, len(draw.groups), other, _by_scene(ours, theirs)
    )


def _signed(interval: Sequence[float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}"


def _by_scene(ours: Sequence[SampleCounts], theirs: Sequence[SampleCounts]) -> list[dict[str, Any]]:
    lines = [
        {
            "scene": sample.sample.name,
            "fold": sample.sample.fold,
            "this": foreground_dice(sample),
            "other": foreground_dice(rival),
            "difference": foreground_dice(sample) - foreground_dice(rival),
        }
        for sample, rival in zip(ours, theirs, strict=True)
        if sample.has_foreground
    ]
    return sorted(lines, key=lambda line: line["difference"])
