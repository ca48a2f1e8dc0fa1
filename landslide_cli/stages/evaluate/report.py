"""Scores from counts: each class with its intervals, objects and area; calibration."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import Palette
from landslide_cli.core.scores.bootstrap import bootstrap_intervals
from landslide_cli.core.scores.boundary import BOUNDARY_SCORE_NAMES, boundary_scores
from landslide_cli.core.scores.calibration import (
    average_precision,
    expected_calibration_error,
    reliability,
)
from landslide_cli.core.scores.confusion import (
    SCORE_NAMES,
    foreground_scores,
    mean_scores,
    score_values,
)
from landslide_cli.core.scores.objects import OBJECT_COLUMNS, OBJECT_RATE_NAMES, object_rates
from landslide_cli.profile import EvaluateSettings
from landslide_cli.runs.samples import LEAST_GROUPS
from landslide_cli.stages.evaluate.counts import Measure, SampleCounts

Values = NDArray[np.float64]
Scores = dict[str, float]
Intervals = dict[str, list[float]]


@dataclass(frozen=True)
class ClassReport:
    """The scores of a class.

    dice, iou, precision and recall are of the pixel counts pooled over all samples, `pixels` is how
    many pixels have the class; `mean` holds the same four averaged over the samples that have the
    class, of background over those that have any foreground, None without any. `intervals` holds
    the 95 % interval of each by its name, of the means as `mean_dice` and so on; those of fewer
    than `LEAST_GROUPS` groups are missing. `boundary`, `objects` and `area` are None for classes
    beside the foreground.
    """

    dice: float
    iou: float
    precision: float
    recall: float
    pixels: int
    mean: Scores | None
    intervals: Intervals
    boundary: dict[str, Any] | None = None
    objects: dict[str, Any] | None = None
    area: dict[str, Any] | None = None


@dataclass(frozen=True)
class Bootstrap:
    """How samples are resampled: by whole groups, with the same draws for every score.

    Fewer than `LEAST_GROUPS` do not show how groups vary: percentiles of their draws are far too
    narrow.
    """

    groups: list[str]
    draws: int
    seed: int

    @classmethod
    def of(cls, samples: Sequence[SampleCounts], settings: EvaluateSettings) -> "Bootstrap":
        """Group the samples; draws and seed are the profile's."""
        groups = list(dict.fromkeys(sample.sample.group for sample in samples))
        return cls(groups, settings.draws, settings.seed)

    def intervals(
        self,
        samples: Sequence[SampleCounts],
        counts: Sequence[NDArray[Any]],
        statistic: Callable[[Values], Values],
        names: Sequence[str],
    ) -> Intervals:
        """Return the 95 % interval of each value of a statistic; none with too few groups.

        Args:
            samples: their counts.
            counts: what adds up over them, an array per sample.
            statistic: from sums (draws, ...) to values (draws, names).
            names: of the values.
        """
        if len(self.groups) < LEAST_GROUPS:
            return {}
        sums = np.zeros((len(self.groups), *np.shape(counts[0])))
        for sample, count in zip(samples, counts, strict=True):
            sums[self.groups.index(sample.sample.group)] += count
        intervals = bootstrap_intervals(sums, statistic, self.draws, self.seed)
        return {} if intervals is None else dict(zip(names, intervals.tolist(), strict=True))


def class_report(
    samples: Sequence[SampleCounts], index: int, measure: Measure, settings: EvaluateSettings
) -> ClassReport:
    """Compute the scores of a class, with boundary, objects and area for foreground."""
    draw = Bootstrap.of(samples, settings)
    confusions = [sample.confusion for sample in samples]
    pooled = np.sum(confusions, axis=0)
    mean, intervals_of_mean = _mean_scores(samples, index, settings)
    intervals = draw.intervals(
        samples, confusions, lambda sums: score_values(sums, index), SCORE_NAMES
    )
    intervals |= intervals_of_mean
    foreground: dict[str, dict[str, Any]] = {}
    if index in samples[0].foreground:
        position = samples[0].foreground.index(index)
        boundaries = [sample.boundary[position] for sample in samples]
        objects = [sample.objects[position] for sample in samples]
        areas = [_areas(sample, index) for sample in samples]
        intervals |= draw.intervals(
            samples,
            boundaries,
            lambda sums: boundary_scores(sums)[..., :1],
            ["boundary_f1"],
        )
        intervals |= _intervals_of_objects(draw, samples, objects, "objects")
        foreground = {
            "boundary": _boundary(np.sum(boundaries, axis=0), settings, measure),
            "objects": _objects(np.sum(objects, axis=0), settings, measure) | {"delivered": None},
            "area": _area(np.sum(areas, axis=0), measure),
        }
        delivered = [s.delivered[position] for s in samples if s.delivered is not None]
        if delivered:
            intervals |= _intervals_of_objects(draw, samples, delivered, "delivered")
            total = _objects(np.sum(delivered, axis=0), settings, measure)
            foreground["objects"]["delivered"] = total
    dice, iou, precision, recall = score_values(pooled, index).tolist()
    return ClassReport(
        dice=dice,
        iou=iou,
        precision=precision,
        recall=recall,
        pixels=int(pooled[index].sum()),
        mean=mean,
        intervals=intervals,
        **foreground,
    )


def _mean_scores(
    samples: Sequence[SampleCounts], index: int, settings: EvaluateSettings
) -> tuple[Scores | None, Intervals]:
    """Average the scores of a class over the samples that have it, and return the intervals."""
    scored = [
        sample
        for sample in samples
        if (sample.has_class(index) if index > 0 else sample.has_foreground)
    ]
    if not scored:
        return None, {}
    each = [np.append(score_values(sample.confusion, index), 1.0) for sample in scored]
    names = [f"mean_{name}" for name in SCORE_NAMES]
    intervals = Bootstrap.of(scored, settings).intervals(scored, each, _mean, names)
    return _named(_mean(np.sum(each, axis=0)[None])[0]), intervals


@dataclass(frozen=True)
class MeanReport:
    """The mean over the classes of each score; those that are nowhere are left out.

    `classes` is their number, `intervals` as in `ClassReport`, `confusion` the pooled counts,
    (classes, classes), true classes by rows, without a background that is ignored.
    """

    scores: Scores
    classes: int
    intervals: Intervals
    confusion: NDArray[np.int64]


def mean_report(
    samples: Sequence[SampleCounts], classes: Sequence[int], settings: EvaluateSettings
) -> MeanReport:
    """Average the scores over the classes.

    Args:
        samples: what was counted.
        classes: indices of those that have a meaning.
        settings: of the bootstrap.
    """
    chosen = np.ix_(classes, classes)
    confusions = [sample.confusion[chosen] for sample in samples]
    pooled = np.sum(confusions, axis=0)
    intervals = Bootstrap.of(samples, settings).intervals(
        samples, confusions, mean_scores, SCORE_NAMES
    )
    are_there = (pooled.sum(axis=0) + pooled.sum(axis=1)) > 0
    return MeanReport(_named(mean_scores(pooled)), int(are_there.sum()), intervals, pooled)


@dataclass(frozen=True)
class Reports:
    """The scores of a run: of each class by its name, their means, and how they are calibrated."""

    classes: dict[str, ClassReport]
    means: MeanReport
    calibration: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """Return each class's scores under its name, beside the others."""
        means = self.means
        return {
            **{name: asdict(scores) for name, scores in self.classes.items()},
            "mean_dice": means.scores["dice"],
            "mean_iou": means.scores["iou"],
            "mean_intervals": {k: v for k, v in means.intervals.items() if k in ("dice", "iou")},
            "confusion": {"classes": list(self.classes), "pixels": means.confusion.tolist()},
            "calibration": self.calibration,
        }


def reports_of(
    samples: Sequence[SampleCounts], palette: Palette, measure: Measure, settings: EvaluateSettings
) -> Reports:
    """Compute all scores of a run.

    Args:
        samples: what was counted.
        palette: the classes; those that have a meaning are scored.
        measure: how boundaries and objects were measured.
        settings: of boundaries, objects and the bootstrap.
    """
    classes = {
        palette.names[index]: class_report(samples, index, measure, settings)
        for index in palette.meaningful
    }
    means = mean_report(samples, palette.meaningful, settings)
    return Reports(classes, means, calibration_report(samples, settings))


def foreground_dice(sample: SampleCounts) -> float:
    """Return the Dice of a sample's foreground, the mean over its classes that are there."""
    return float(foreground_scores(sample.confusion, sample.foreground)[0])


def _intervals_of_objects(
    draw: Bootstrap, samples: Sequence[SampleCounts], objects: Sequence[NDArray[Any]], key: str
) -> Intervals:
    return draw.intervals(
        samples,
        objects,
        lambda sums: object_rates(sums.sum(axis=-2)),
        [f"{key}_{name}" for name in OBJECT_RATE_NAMES],
    )


def calibration_report(
    samples: Sequence[SampleCounts], settings: EvaluateSettings
) -> dict[str, Any]:
    """Compute how well the foreground's probabilities are calibrated, over all samples."""
    draw = Bootstrap.of(samples, settings)
    counts = [sample.probability for sample in samples]
    pooled = np.sum(counts, axis=0)
    interval = draw.intervals(
        samples, counts, lambda sums: expected_calibration_error(sums)[:, None], ["error"]
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


def sample_scores(sample: SampleCounts, names: Sequence[str]) -> dict[str, Any]:
    """Return the scores of a sample, flat: a line of `per_scene.csv`.

    Of a class that it does not have it has no score of overlap or of the boundary: they are None.

    Args:
        sample: its counts.
        names: of all classes.
    """
    line: dict[str, Any] = {
        "scene": sample.sample.name,
        "group": sample.sample.group,
        "fold": sample.sample.fold,
        "threshold": sample.threshold,
        "pixels": int(sample.confusion.sum()),
    }
    if len(names) > 2:
        means = mean_scores(sample.confusion).tolist()
        line |= {"mean_dice": means[0], "mean_iou": means[1]}
    for index, name in enumerate(names):
        if index > 0:
            line |= {f"{name}_{key}": value for key, value in _of_class(sample, index).items()}
    return line


def _of_class(sample: SampleCounts, index: int) -> dict[str, Any]:
    """Return the scores, objects and areas of a class in a sample; objects of foreground alone."""
    is_foreground = index in sample.foreground
    scores: dict[str, Any] = dict(_named(score_values(sample.confusion, index)))
    if is_foreground:
        position = sample.foreground.index(index)
        scores["boundary_f1"] = float(boundary_scores(sample.boundary[position])[0])
    values = scores if sample.has_class(index) else dict.fromkeys(scores)
    for kind, counts in (("objects", sample.objects), ("delivered", sample.delivered)):
        if is_foreground and counts is not None:
            totals = counts[position].sum(axis=0).tolist()
            keys = [f"{kind}_{key}" for key in OBJECT_COLUMNS]
            values |= dict(zip(keys, totals, strict=True))
    true, mapped = _areas(sample, index).tolist()
    return values | {"area_true": true, "area_mapped": mapped}


def _mean(sums: Values) -> Values:
    """Average scores that were summed with their number as the last."""
    return sums[..., :-1] / sums[..., -1:]


def _named(values: Values) -> Scores:
    return dict(zip(SCORE_NAMES, values.tolist(), strict=True))


def _areas(sample: SampleCounts, index: int) -> Values:
    """Return the true and the mapped area of a class in a sample, (2,)."""
    true, mapped = sample.confusion[index].sum(), sample.confusion[:, index].sum()
    return np.array([true, mapped]) * sample.pixel_area


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
