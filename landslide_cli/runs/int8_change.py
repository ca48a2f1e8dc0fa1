"""What the int8 form of a model changes on labelled samples, in a single pass."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Mask, Palette
from landslide_cli.core.parts import Part
from landslide_cli.core.scores.bootstrap import bootstrap_intervals
from landslide_cli.core.scores.confusion import SCORE_NAMES, confusion, together
from landslide_cli.errors import LandslideError
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.runs.engines import Engine
from landslide_cli.runs.int8_form import Change
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.run import Run
from landslide_cli.runs.samples import LEAST_GROUPS, Sample, Samples, samples_of, truth_of
from landslide_cli.runs.scene_predictor import ScenePredictor, masked

# Samples that are compared, at most.
_SAMPLES = 300

# The sets to compare on, the first that has labels: what was learned flatters both alike.
_PARTS: tuple[Part, ...] = ("valid", "train")

_IOU = SCORE_NAMES.index("iou")


def change_by_int8(
    profile: Profile, run: Run, plan: Plan, engine: Engine, reporter: Reporter
) -> Change | None:
    """Compare the int8 form of a model with the model on validation samples, or those learned.

    Args:
        profile: its `source`, `dataset`, `fold` and `classes` are used.
        run: the model, with its threshold.
        plan: by which it is predicted.
        engine: with the model in floating point and in int8.
        reporter: shown the progress.

    Returns:
        What int8 changes; None where there are no labelled samples.
    """
    for part in _PARTS:
        samples = labelled_samples(profile, part)
        if samples is not None:
            return _compared(profile, run, plan, engine, part, samples, reporter)
    return None


def labelled_samples(profile: Profile, part: Part) -> Samples | None:
    """Return the labelled scenes or tiles of a part; None where there are none."""
    settings = profile.evaluate
    if settings.units == "mosaic":
        settings = settings.model_copy(update={"units": "scenes"})
    profile = profile.model_copy(update={"evaluate": settings})
    try:
        return samples_of(profile, part, None, SilentReporter())
    except LandslideError:
        return None


def spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Choose at most `most` samples, evenly spaced, as equally from the sources as possible."""
    by_source: dict[int | None, list[Sample]] = {}
    for sample in samples:
        source = None if sample.scene is None else sample.scene.source
        by_source.setdefault(source, []).append(sample)
    chosen: list[Sample] = []
    # Those of small sources leave room to the others.
    for done, of_source in enumerate(sorted(by_source.values(), key=len)):
        room = (most - len(chosen)) // (len(by_source) - done)
        chosen += of_source[:: max(1, ceil(len(of_source) / max(1, room)))]
    return chosen


def _compared(
    profile: Profile,
    run: Run,
    plan: Plan,
    engine: Engine,
    part: Part,
    samples: Samples,
    reporter: Reporter,
) -> Change | None:
    items, palette = spread(samples.items, _SAMPLES), profile.palette
    seen = run.for_tiles() if samples.units == "tiles" else run
    predictors = [
        ScenePredictor(profile, seen, in_precision, engine).without_tta()
        for in_precision in (replace(plan, precision="float32"), replace(plan, precision="int8"))
    ]
    changed = compared = 0
    counts: dict[str, NDArray[np.int64]] = {}
    with reporter.track("comparing int8 with float32", len(items)) as advance:
        for sample in items:
            try:
                truth, masks = _masks(profile, sample, predictors, run.threshold)
            except LandslideError:
                continue  # reported when it is scored
            changed += int(np.count_nonzero(masks[0] != masks[1]))
            compared += int(np.count_nonzero(masks[0] != IGNORE))
            found = np.stack([confusion(truth, mask, len(palette)) for mask in masks])
            counts[sample.group] = counts.get(sample.group, 0) + found
            advance()
    if not compared:
        return None
    of_groups = np.stack(list(counts.values()))
    iou_float32, iou_int8 = _ious(of_groups.sum(axis=0), palette).tolist()
    return Change(
        part=part,
        units="tiles" if samples.units == "tiles" else "scenes",
        samples=len(items),
        groups=len(counts),
        changed=changed / compared,
        iou_float32=iou_float32,
        iou_int8=iou_int8,
        interval=_interval(of_groups, palette),
        others="bfloat16" if "bfloat16" in engine.prefers() else "float32",
    )


def _masks(
    profile: Profile,
    sample: Sample,
    predictors: Iterable[ScenePredictor],
    threshold: float | None,
) -> tuple[Mask, list[Mask]]:
    """Return the ground truth of a sample, and its mask by each predictor."""
    predicted = [predictor.predict(sample.image) for predictor in predictors]
    rows, cols = predicted[0].probabilities.shape[:2]
    truth = masked(truth_of(profile, sample, (rows, cols)), predicted[0].valid)
    return truth, [prediction.mask(threshold) for prediction in predicted]


def _ious(counts: NDArray[Any], palette: Palette) -> NDArray[np.float64]:
    """Return the IoU of the foreground by confusion matrices, (..., classes, classes)."""
    return together(counts, palette.foreground)[..., _IOU]


def _interval(of_groups: NDArray[np.int64], palette: Palette) -> tuple[float, float] | None:
    """Return the 95 % interval of the IoU in int8 less that in float32; None for few groups.

    Args:
        of_groups: confusion matrices in float32 and in int8, (groups, 2, classes, classes).
        palette: the classes.
    """
    if len(of_groups) < LEAST_GROUPS:
        return None

    def difference(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        ious = _ious(sums, palette)
        return ious[:, 1:] - ious[:, :1]

    bounds = bootstrap_intervals(of_groups, difference)
    return None if bounds is None else (float(bounds[0, 0]), float(bounds[0, 1]))
