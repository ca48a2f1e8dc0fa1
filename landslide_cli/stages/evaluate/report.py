"""Counts to numbers: the scores of each class with their intervals, objects, areas, calibration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.scores.bootstrap import bootstrap_intervals
from landslide_cli.core.scores.boundary import BOUNDARY_SCORE_NAMES, boundary_scores
from landslide_cli.core.scores.calibration import (
    average_precision,
    expected_calibration_error,
    reliability,
)
from landslide_cli.core.scores.confusion import SCORE_NAMES, score_values
from landslide_cli.core.scores.objects import OBJECT_COLUMNS, OBJECT_RATE_NAMES, object_rates
from landslide_cli.profile import EvaluateSettings
from landslide_cli.stages.evaluate.counts import Measure, Tally

Values = NDArray[np.float64]
Scores = dict[str, float]
Intervals = dict[str, list[float]]


@dataclass(frozen=True)
class ClassReport:
    """The scores of one class.

    dice, iou, precision and recall are of the pixel counts pooled over all samples, `pixels` is how
    many pixels have the class; `mean` holds the same four averaged over the samples. `intervals`
    holds the 95 % interval of each by its name, of the means as `mean_dice` and so on; it is empty
    with fewer than two groups. `boundary`, `objects` and `area` are None for background.
    """

    dice: float
    iou: float
    precision: float
    recall: float
    pixels: int
    mean: Scores
    intervals: Intervals
    boundary: dict[str, Any] | None = None
    objects: dict[str, Any] | None = None
    area: dict[str, Any] | None = None


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn: by whole groups, the same draws for every number."""

    groups: list[str]
    draws: int
    seed: int

    @classmethod
    def of(cls, tallies: Sequence[Tally], settings: EvaluateSettings) -> "Bootstrap":
        """Take the groups of the samples, and the profile's draws and seed."""
        groups = list(dict.fromkeys(one.sample.group for one in tallies))
        return cls(groups, settings.draws, settings.seed)

    def intervals(
        self,
        tallies: Sequence[Tally],
        counts: Sequence[NDArray[Any]],
        statistic: Callable[[Values], Values],
        names: Sequence[str],
    ) -> Intervals:
        """Return the 95 % interval of each value of a statistic; none with fewer than two groups.

        Args:
            tallies: the samples.
            counts: what adds up over them, an array a sample.
            statistic: from sums (draws, ...) to values (draws, names).
            names: of the values.
        """
        sums = np.zeros((len(self.groups), *np.shape(counts[0])))
        for one, count in zip(tallies, counts, strict=True):
            sums[self.groups.index(one.sample.group)] += count
        found = bootstrap_intervals(sums, statistic, self.draws, self.seed)
        return {} if found is None else dict(zip(names, found.tolist(), strict=True))


def class_report(
    tallies: Sequence[Tally], index: int, measure: Measure, settings: EvaluateSettings
) -> ClassReport:
    """Compute the scores of one class, with boundary, objects and area for foreground."""
    draw = Bootstrap.of(tallies, settings)
    confusions = [one.confusion for one in tallies]
    pooled = np.sum(confusions, axis=0)
    each = [np.append(score_values(one, index), 1.0) for one in confusions]
    mean = _mean(np.sum(each, axis=0)[None])[0]
    intervals = draw.intervals(
        tallies, confusions, lambda sums: score_values(sums, index), SCORE_NAMES
    )
    intervals |= draw.intervals(tallies, each, _mean, [f"mean_{name}" for name in SCORE_NAMES])
    foreground: dict[str, dict[str, Any]] = {}
    if index > 0:
        boundaries = [one.boundary[index - 1] for one in tallies]
        objects = [one.objects[index - 1] for one in tallies]
        areas = [_areas(one, index) for one in tallies]
        intervals |= draw.intervals(
            tallies,
            boundaries,
            lambda sums: boundary_scores(sums)[..., :1],
            ["boundary_f1"],
        )
        intervals |= draw.intervals(
            tallies,
            objects,
            lambda sums: object_rates(sums.sum(axis=-2)),
            [f"objects_{name}" for name in OBJECT_RATE_NAMES],
        )
        foreground = {
            "boundary": _boundary(np.sum(boundaries, axis=0), settings, measure),
            "objects": _objects(np.sum(objects, axis=0), settings, measure),
            "area": _area(np.sum(areas, axis=0), measure),
        }
    dice, iou, precision, recall = score_values(pooled, index).tolist()
    return ClassReport(
        dice=dice,
        iou=iou,
        precision=precision,
        recall=recall,
        pixels=int(pooled[index].sum()),
        mean=_named(mean),
        intervals=intervals,
        **foreground,
    )


def calibration_report(tallies: Sequence[Tally], settings: EvaluateSettings) -> dict[str, Any]:
    """Say how far the foreground's probabilities can be trusted, over all samples."""
    draw = Bootstrap.of(tallies, settings)
    counts = [one.probability for one in tallies]
    pooled = np.sum(counts, axis=0)
    interval = draw.intervals(
        tallies, counts, lambda sums: expected_calibration_error(sums)[:, None], ["error"]
    )
    bins = [
        {"probability": probability, "frequency": frequency, "pixels": int(pixels)}
        for probability, frequency, pixels in reliability(pooled).tolist()
    ]
    return {
        "expected_calibration_error": float(expected_calibration_error(pooled)),
        "interval": interval.get("error"),
        "average_precision": float(average_precision(pooled)),
        "reliability": bins,
    }


def sample_scores(tally: Tally, names: Sequence[str]) -> dict[str, Any]:
    """Return the scores of one sample, flat: a line of `per_scene.csv`.

    Args:
        tally: its counts.
        names: of all classes.
    """
    line: dict[str, Any] = {
        "scene": tally.sample.name,
        "group": tally.sample.group,
        "fold": tally.sample.fold,
        "threshold": tally.threshold,
        "pixels": int(tally.confusion.sum()),
    }
    for index, name in enumerate(names):
        if index == 0:
            continue
        scores = _named(score_values(tally.confusion, index))
        boundary = boundary_scores(tally.boundary[index - 1])[0]
        objects = tally.objects[index - 1].sum(axis=0).tolist()
        true, mapped = _areas(tally, index).tolist()
        line |= {f"{name}_{key}": value for key, value in scores.items()}
        line[f"{name}_boundary_f1"] = float(boundary)
        line |= {
            f"{name}_objects_{key}": value
            for key, value in zip(OBJECT_COLUMNS, objects, strict=True)
        }
        line |= {f"{name}_area_true": true, f"{name}_area_mapped": mapped}
    return line


def _mean(sums: Values) -> Values:
    """Average scores that were summed with their number as the last."""
    return sums[..., :-1] / sums[..., -1:]


def _named(values: Values) -> Scores:
    return dict(zip(SCORE_NAMES, values.tolist(), strict=True))


def _areas(tally: Tally, index: int) -> Values:
    """Return the true and the mapped area of a class in one sample, (2,)."""
    true, mapped = tally.confusion[index].sum(), tally.confusion[:, index].sum()
    return np.array([true, mapped]) * tally.pixel_area


def _boundary(counts: NDArray[Any], settings: EvaluateSettings, measure: Measure) -> dict[str, Any]:
    in_metres = measure.metres and settings.boundary_metres is not None
    scores = boundary_scores(counts).tolist()
    return {
        **dict(zip(BOUNDARY_SCORE_NAMES, scores, strict=True)),
        "tolerance": settings.boundary_metres if in_metres else settings.boundary_pixels,
        "unit": "metres" if in_metres else "pixels",
    }


def _objects(counts: NDArray[Any], settings: EvaluateSettings, measure: Measure) -> dict[str, Any]:
    """Return the counts of all objects and of each size class, the smallest first."""
    bounds = [0.0, *settings.object_sizes]
    sizes = [
        {"from": low, "below": high, **dict(zip(OBJECT_COLUMNS, line, strict=True))}
        for low, high, line in zip(bounds, [*bounds[1:], None], counts.tolist(), strict=True)
    ]
    total = counts.sum(axis=0)
    rates = [f"{name}_share" for name in OBJECT_RATE_NAMES]
    return {
        **dict(zip(OBJECT_COLUMNS, total.tolist(), strict=True)),
        **dict(zip(rates, object_rates(total).tolist(), strict=True)),
        "size_unit": _unit(measure),
        "sizes": sizes,
    }


def _area(areas: Values, measure: Measure) -> dict[str, Any]:
    true, mapped = areas.tolist()
    ratio = mapped / true if true > 0 else None
    return {"true": true, "mapped": mapped, "ratio": ratio, "unit": _unit(measure)}


def _unit(measure: Measure) -> str:
    return "square metres" if measure.metres else "pixels"
