"""`landslide evaluate`: the scores of a model on a part of the dataset, with intervals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from landslide_cli.core.palette import Palette
from landslide_cli.core.parts import Part
from landslide_cli.core.scores.calibration import precision_recall
from landslide_cli.core.scores.confusion import foreground_scores, together
from landslide_cli.dataset.sources import changed_since_prepare
from landslide_cli.documents import write_json
from landslide_cli.errors import DataError, UsageError
from landslide_cli.locks import clear_leftovers, refusing
from landslide_cli.outputs import write_csv
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.runs.against import as_scored, profile_of_run
from landslide_cli.runs.files import EVALUATION, run_home, run_lock
from landslide_cli.runs.run import check_fold, check_trained, find_run
from landslide_cli.runs.samples import Samples, Units, samples_of
from landslide_cli.runs.scales import report_scales, scales_of
from landslide_cli.runs.scene_scores import WorstScene
from landslide_cli.stages.evaluate.compare import Comparison, compare
from landslide_cli.stages.evaluate.counts import (
    Measure,
    SampleCounts,
    Scoring,
    count_samples,
    measure_of,
)
from landslide_cli.stages.evaluate.disagreements import DISAGREEMENTS, write_disagreements
from landslide_cli.stages.evaluate.false_alarms import false_alarms_document
from landslide_cli.stages.evaluate.leaks import Leak, report_leaks
from landslide_cli.stages.evaluate.report import (
    foreground_dice,
    reports_of,
    sample_scores,
)
from landslide_cli.stages.evaluate.result import EvaluateResult, format_thresholds

# How many of the worst scenes are named.
WORST = 5


def evaluate(
    profile: Profile,
    *,
    part: Part | None = None,
    folds: bool = False,
    against: Path | None = None,
    limit: int | None = None,
    reporter: Reporter | None = None,
) -> EvaluateResult:
    """Score the profile's model on a part: whole scenes through tiled inference, or tiles.

    Writes `evaluation.json`, `evaluation.csv` in the experiment's two rows, `per_scene.csv` and
    pictures to the run, and of whole scenes `disagreements.gpkg`, the misses and false alarms. For
    a part other than test its name is added to theirs, and for mosaics theirs.

    Args:
        profile: its `evaluate`, `infer`, `classes`, `bands`, `source`, `dataset` and `run` are
            used.
        part: which part. Default: `evaluate.part`.
        folds: pool the part of every fold, each as predicted by the model of that fold.
        against: another run, to be compared on the same scenes; with `folds` the folder that holds
            the runs of its folds.
        limit: take only the first scenes or tiles, by name.
        reporter: shown the progress.

    Raises:
        UsageError: the dataset is split into folds and none is named, or the other way round.
        BusyError: another process trains or evaluates the run.
        ModelError: there is no model that fits.
        DataError: there are no scenes or tiles, or they cannot be used.
    """
    reporter = reporter or SilentReporter()
    part = part or profile.evaluate.part
    profiles = _profiles(profile, folds)
    for fold in profiles:
        check_trained(fold)
    folder = run_home(profile)
    with refusing(run_lock(folder), "evaluated", folder):
        clear_leftovers(folder)
        return _evaluate(profile, profiles, part, folds, against, limit, reporter)


def _evaluate(
    profile: Profile,
    profiles: Sequence[Profile],
    part: Part,
    folds: bool,
    against: Path | None,
    limit: int | None,
    reporter: Reporter,
) -> EvaluateResult:
    for text in changed_since_prepare(profile):
        reporter.warn(text)
    parts = [samples_of(fold, part, limit, reporter) for fold in profiles]
    if not all(samples.grouped for samples in parts):
        reporter.note(
            "the tiles' scenes are not known, so each tile counts as a group and the intervals are "
            "too narrow; set split.groups to a pattern on the names"
        )
    measure = measure_of(profile, [sample for samples in parts for sample in samples.items])
    leaks, warnings = _report_leaks(profiles, profiles, parts, part, reporter)
    ours, gsd_warnings = _score(profiles, profiles, parts, measure, part, reporter)
    comparison = None
    if against is not None:
        rivals = [profile_of_run(against, fold.fold if folds else None, fold) for fold in profiles]
        their_leaks, their_warnings = _report_leaks(rivals, profiles, parts, part, reporter)
        leaks, warnings = leaks + their_leaks, warnings + their_warnings
        theirs, _ = _score(rivals, profiles, parts, measure, part, reporter)
        comparison = compare(
            ours.counts, theirs.counts, against, profile.palette, measure, profile.evaluate
        )
    warnings += gsd_warnings
    with reporter.working("computing scores and intervals"):
        result = _result(profile, part, parts[0].units, ours, leaks, warnings, measure, comparison)
    with reporter.working("drawing plots"):
        _write(result, ours, profile.palette)
    return result


def _profiles(profile: Profile, folds: bool) -> list[Profile]:
    if not folds:
        check_fold(profile)
        return [profile]
    if profile.split.folds is None or profile.fold is not None:
        raise UsageError("--folds pools all folds: it needs split.folds, and goes with no --fold")
    numbers = range(1, profile.split.folds + 1)
    return [profile.model_copy(update={"fold": number}) for number in numbers]


def _score(
    profiles: Sequence[Profile],
    scorers: Sequence[Profile],
    parts: Sequence[Samples],
    measure: Measure,
    part: Part,
    reporter: Reporter,
) -> tuple[Scoring, list[str]]:
    """Predict and count the samples of each fold by its own model.

    Args:
        profiles: of the models.
        scorers: name and score the samples of each; the same, but for another run.
        parts: the samples.
        measure: units and tolerances.
        part: which part they are.
        reporter: shown the progress.

    Returns:
        What came of all, and what was warned of the scenes' GSD.
    """
    scorings: list[Scoring] = []
    warnings: list[str] = []
    for fold, scorer, samples in zip(profiles, scorers, parts, strict=True):
        suffix = f", fold {samples.items[0].fold}" if len(profiles) > 1 else ""
        predicting = as_scored(fold, scorer)
        description, run = f"scoring {part}{suffix}", find_run(predicting)
        if samples.units != "tiles":
            images = [sample.image for sample in samples.items]
            warnings += report_scales(scales_of(images, run.preprocessing_of), reporter)
        scorings.append(count_samples(predicting, run, samples, measure, description, reporter))
    pooled = Scoring.pooled(scorings)
    if not pooled.counts:
        raise DataError(f"none of the scenes of {part} has a mask, so there is nothing to score")
    return pooled, warnings


def _delivered(profile: Profile) -> dict[str, float]:
    """Return the settings of the polygons that scores follow."""
    return {"min_area": profile.infer.min_area, "fill_holes": profile.infer.fill_holes}


def _report_leaks(
    profiles: Sequence[Profile],
    scorers: Sequence[Profile],
    parts: Sequence[Samples],
    part: Part,
    reporter: Reporter,
) -> tuple[list[Leak], list[str]]:
    """Warn of ground that runs have seen in their training, in all parts but that; return both."""
    leaks, warnings = list[Leak](), list[str]()
    if part == "train":
        return leaks, warnings
    for profile, scorer, samples in zip(profiles, scorers, parts, strict=True):
        its = {"run": profile.run, "fold": profile.fold, "model": profile.model}
        as_split = scorer.model_copy(update=its)
        known, texts = report_leaks(as_split, samples, reporter)
        leaks, warnings = leaks + known, warnings + texts
    return leaks, warnings


def _result(
    profile: Profile,
    part: Part,
    units: Units,
    scoring: Scoring,
    leaks: list[Leak],
    warnings: list[str],
    measure: Measure,
    comparison: Comparison | None,
) -> EvaluateResult:
    settings, palette, counts = profile.evaluate, profile.palette, scoring.counts
    folder = run_home(profile)
    pixels = sum(int(sample.confusion.sum()) for sample in counts)
    suffix = "" if part == "test" else f"-{part}"
    suffix += "-mosaic" if units == "mosaic" else ""
    names = [EVALUATION, "evaluation.csv", "per_scene.csv"]
    names += ["scenes.png", "precision_recall.png", "reliability.png"]
    names += ["confusion.csv", "confusion.png"] if len(palette) > 2 else []
    names += [DISAGREEMENTS] if units == "scenes" else []
    folds = sorted({sample.sample.fold for sample in counts if sample.sample.fold is not None})
    thresholds = {sample.sample.fold: sample.threshold for sample in counts}
    return EvaluateResult(
        run=folder,
        part=part,
        folds=folds,
        units=units,
        samples=len(counts),
        with_landslides=sum(sample.has_foreground for sample in counts),
        groups=len({sample.sample.group for sample in counts}),
        pixels=pixels,
        thresholds=list(thresholds.values()),
        palette=palette,
        reports=reports_of(counts, palette, measure, settings),
        loss_name=profile.train.loss,
        loss=float(np.mean([sample.loss for sample in counts])),
        dice_coef_multiclass=float(np.mean([_soft_accuracy(sample) for sample in counts])),
        worst=_worst(counts),
        delivered=_delivered(profile) if counts[0].delivered is not None else None,
        false_alarms=false_alarms_document(scoring.alarms),
        leaks=leaks,
        comparison=comparison,
        warnings=warnings,
        bootstrap={"draws": settings.draws, "seed": settings.seed},
        files=[folder / name.replace(".", f"{suffix}.") for name in names],
    )


def _soft_accuracy(sample: SampleCounts) -> float:
    """The experiment's `dice_coef_multiclass` of one sample: Dice over all classes at once."""
    pixels = float(sample.confusion.sum())
    return (2.0 * sample.true_probability + 1.0) / (2.0 * pixels + 1.0)


def _worst(counts: Sequence[SampleCounts]) -> list[WorstScene]:
    """Name the samples with the lowest Dice; of equal scores, those with more foreground first.

    Those without foreground have no Dice, and are left out.
    """
    scenes = [
        WorstScene(
            sample.sample.name, sample.sample.fold, foreground_dice(sample), _true_share(sample)
        )
        for sample in counts
        if sample.has_foreground
    ]
    return sorted(scenes, key=lambda scene: (scene.dice, -scene.true_share))[:WORST]


def _true_share(sample: SampleCounts) -> float:
    pixels = sample.confusion[list(sample.foreground)].sum()
    return float(pixels / max(1, sample.confusion.sum()))


def _write(result: EvaluateResult, scoring: Scoring, palette: Palette) -> None:
    """Write the numbers and the map of disagreements, and draw the plots."""
    # Here, as the comparison of inventories in this package draws none.
    from landslide_cli.imagery.plots import (
        plot_bars,
        plot_confusion,
        plot_precision_recall,
        plot_reliability,
    )

    document, experiment, table, bars, curve, diagram, *others = result.files
    lead, counts = palette.subject, scoring.counts
    lines = [sample_scores(sample, palette.names) for sample in counts]
    write_csv(table, list(lines[0]), [[_cell(value) for value in line.values()] for line in lines])
    write_csv(
        experiment,
        [result.loss_name, f"{result.loss:.4f}"],
        [["dice_coef_multiclass", f"{result.dice_coef_multiclass:.4f}"]],
    )
    pooled = np.sum([sample.confusion for sample in counts], axis=0)
    plot_bars(
        bars,
        f"{lead} Dice by {'tile' if result.units == 'tiles' else 'scene'}",
        {s.sample.name: foreground_dice(s) for s in counts if s.has_foreground},
        float(foreground_scores(pooled, palette.foreground)[0]),
    )
    probability = np.sum([sample.probability for sample in counts], axis=0)
    _, precision, recall = precision_recall(probability)
    chosen = together(pooled, palette.foreground)
    plot_precision_recall(
        curve,
        recall,
        precision,
        (chosen[3], chosen[2]),
        f"threshold {format_thresholds(result.thresholds)}",
    )
    plot_reliability(diagram, result.calibration["reliability"], lead)
    for path in others:
        if path.suffix == ".gpkg":
            write_disagreements(path, scoring.disagreements)
        elif path.suffix == ".csv":
            names = list(result.classes)
            rows = zip(names, *result.means.confusion.T.tolist(), strict=True)
            write_csv(path, ["true class", *names], list(rows))
        else:
            plot_confusion(path, list(result.classes), result.means.confusion)
    # Last, so that the other files are there once it is.
    write_json(document, result.document())


def _cell(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
