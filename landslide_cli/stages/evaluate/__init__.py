"""`landslide evaluate`: a model and a part to numbers that can be trusted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landslide_cli.core.palette import Palette
from landslide_cli.core.parts import Part
from landslide_cli.core.scores.calibration import precision_recall
from landslide_cli.dataset.prepared import palette_of
from landslide_cli.errors import UsageError, listed
from landslide_cli.imagery.plots import plot_bars, plot_precision_recall, plot_reliability
from landslide_cli.outputs import write_csv, write_json
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, SilentReporter, Table
from landslide_cli.runs.files import EVALUATION, run_home
from landslide_cli.runs.run import check_fold, check_trained, find_run
from landslide_cli.runs.samples import Samples, Units, samples_of, trained_on
from landslide_cli.stages.evaluate.compare import Comparison, compare, profile_of_run
from landslide_cli.stages.evaluate.counts import Measure, Tally, measure_of, tallied
from landslide_cli.stages.evaluate.report import (
    ClassReport,
    calibration_report,
    class_report,
    sample_scores,
)

# How many of the worst scenes are named.
WORST = 5


@dataclass(frozen=True)
class EvaluateResult:
    """The scores of each class, and what else the samples' counts tell.

    `units` are whole scenes or tiles, `samples` their number, `groups` that of the groups they are
    in; `folds` those that were pooled or the one that was scored; `thresholds` those of the
    foreground's probability, one a model (None: the most probable class). `loss` is the training's
    loss by its name, averaged over the samples; `dice_coef_multiclass` is the experiment's metric.
    `worst` names the samples with the least Dice of the leading class, the worst first.
    """

    run: Path
    part: Part
    folds: list[int]
    units: Units
    samples: int
    groups: int
    pixels: int
    thresholds: list[float | None]
    classes: dict[str, ClassReport]
    loss_name: str
    loss: float
    dice_coef_multiclass: float
    calibration: dict[str, Any]
    worst: list[dict[str, Any]]
    comparison: Comparison | None
    bootstrap: dict[str, int]
    files: list[Path]

    def headline(self) -> str:
        """Say where the numbers lie, and how the comparison came out."""
        line = f"{self.samples} {self.units} of {self.part} scored: {self.files[0]}"
        return line if self.comparison is None else f"{line}\n{self.comparison.sentence()}"

    def tables(self) -> Sequence[Table]:
        """Show the foreground classes first, then the leading class in detail."""
        (lead, report), *_ = list(self.classes.items())[1:]
        tables = [
            self._class_table(),
            Table(f"{lead} in detail", ["", "value", "95 % interval"], self._details(report)),
            Table("what the experiment's metric hides", ["", "value"], self._experiment(lead)),
            Table(f"worst {self.units}", [self.units[:-1], "Dice", f"true {lead}"], self._worst()),
        ]
        return [*tables, *([self.comparison.table()] if self.comparison is not None else [])]

    def document(self) -> dict[str, Any]:
        """Return each class's scores under its name, beside the others."""
        return {
            **{name: asdict(scores) for name, scores in self.classes.items()},
            "part": self.part,
            "folds": self.folds,
            "units": self.units,
            self.units: self.samples,
            "groups": self.groups,
            "pixels": self.pixels,
            "threshold": self.thresholds,
            "loss": {"name": self.loss_name, "value": self.loss},
            "dice_coef_multiclass": self.dice_coef_multiclass,
            "calibration": self.calibration,
            "worst": self.worst,
            "comparison": None if self.comparison is None else self.comparison.document(),
            "bootstrap": self.bootstrap,
            "run": str(self.run),
            "files": [str(path) for path in self.files],
        }

    def _class_table(self) -> Table:
        names = ("dice", "iou", "precision", "recall")
        rows: list[tuple[str, ...]] = []
        background, *others = self.classes.items()
        for index, (name, one) in enumerate([*others, background]):
            rows.append((name, *(f"{getattr(one, key):.4f}" for key in names)))
            if index == 0:
                rows.append(("  95 % interval", *(_interval(one, key) for key in names)))
                rows.append((f"  mean over {self.units}", *(f"{one.mean[k]:.4f}" for k in names)))
                rows.append(("  95 % interval", *(_interval(one, f"mean_{k}") for k in names)))
        title = f"{self.part}: {self.samples} {self.units} in {self.groups} groups"
        return Table(title, ["class", "Dice", "IoU", "precision", "recall"], rows)

    def _details(self, report: ClassReport) -> list[tuple[str, ...]]:
        boundary, objects, area = report.boundary or {}, report.objects or {}, report.area or {}
        calibration = self.calibration
        error = calibration["interval"]
        tolerance = f"boundary F1 within {boundary['tolerance']:g} {boundary['unit']}"
        ratio = "" if area["ratio"] is None else f"{area['ratio']:.2f} times the true"
        unit = objects["size_unit"]
        counted = [
            ("found (IoU at least 0.5)", "found", "true", "objects_found"),
            ("touched", "touched", "true", "objects_touched"),
            ("false among those predicted", "false", "predicted", "objects_false"),
        ]
        rows = [(tolerance, f"{boundary['f1']:.4f}", _interval(report, "boundary_f1"))]
        rows += [
            (label, f"{objects[part]} of {objects[whole]}", _interval(report, key))
            for label, part, whole, key in counted
        ]
        rows += [
            (
                f"  {_size(one)} {unit}",
                f"{one['found']} / {one['touched']} of {one['true']}",
                f"false {one['false']} of {one['predicted']}",
            )
            for one in objects["sizes"]
        ]
        return [
            *rows,
            (f"true area, {area['unit']}", f"{area['true']:,.0f}", ""),
            (f"mapped area, {area['unit']}", f"{area['mapped']:,.0f}", ratio),
            (
                "expected calibration error",
                f"{calibration['expected_calibration_error']:.4f}",
                "-" if error is None else f"{error[0]:.3f} to {error[1]:.3f}",
            ),
            ("average precision", f"{calibration['average_precision']:.4f}", ""),
            ("threshold, best on valid", _thresholds(self.thresholds), ""),
            (self.loss_name, f"{self.loss:.4f}", ""),
        ]

    def _experiment(self, lead: str) -> list[tuple[str, str]]:
        return [
            (
                "dice_coef_multiclass: mean probability of the true class, background included",
                f"{self.dice_coef_multiclass:.4f}",
            ),
            (f"{lead} Dice: of the {lead} pixels alone", f"{self.classes[lead].dice:.4f}"),
        ]

    def _worst(self) -> list[tuple[str, str, str]]:
        return [
            (one["scene"], f"{one['dice']:.4f}", f"{one['true_share']:.1%} of it")
            for one in self.worst
        ]


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
    pictures to the run; for a part other than test its name is added to theirs.

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
        ModelError: there is no model that fits.
        DataError: there are no scenes or tiles, or they cannot be used.
    """
    reporter = reporter or SilentReporter()
    part = part or profile.evaluate.part
    profiles = _profiles(profile, folds)
    for one in profiles:
        check_trained(one)
    parts = [samples_of(one, part, limit, reporter) for one in profiles]
    if not all(samples.grouped for samples in parts):
        reporter.note(
            "nothing says which tiles belong together, so each is a group of its own and the "
            "intervals are too narrow; split.groups can tell by a pattern on the names"
        )
    measure = measure_of(profile, [sample for samples in parts for sample in samples.items])
    tallies = _tallies(profiles, parts, measure, part, reporter)
    comparison = None
    if against is not None:
        rivals = [profile_of_run(against, one.fold if folds else None, one) for one in profiles]
        others = _tallies(rivals, parts, measure, part, reporter, scored_by=profiles)
        names, lead = palette_of(profile).names, palette_of(profile).foreground
        comparison = compare(tallies, others, against, names, lead, profile.evaluate)
    folder = run_home(profile)
    result = _result(profile, folder, part, parts[0].units, tallies, measure, comparison)
    _write(result, tallies, palette_of(profile))
    return result


def _profiles(profile: Profile, folds: bool) -> list[Profile]:
    if not folds:
        check_fold(profile)
        return [profile]
    if profile.split.folds is None or profile.fold is not None:
        raise UsageError("--folds pools all folds: it needs split.folds, and goes with no --fold")
    numbers = range(1, profile.split.folds + 1)
    return [profile.model_copy(update={"fold": number}) for number in numbers]


def _tallies(
    profiles: Sequence[Profile],
    parts: Sequence[Samples],
    measure: Measure,
    part: Part,
    reporter: Reporter,
    scored_by: Sequence[Profile] | None = None,
) -> list[Tally]:
    """Score each fold's samples by its model, one after the other."""
    tallies = []
    for one, scorer, samples in zip(profiles, scored_by or profiles, parts, strict=True):
        if part != "train":
            _warn_of_leaks(one, scorer, samples, reporter)
        # What is read and how it is counted follows the profile, how it is predicted the run's.
        nearest = {"nearest_colour": scorer.prepare.nearest_colour}
        reading = {
            "source": scorer.source,
            "classes": scorer.classes,
            "prepare": one.prepare.model_copy(update=nearest),
            "evaluate": scorer.evaluate,
        }
        as_scored = one.model_copy(update=reading)
        fold = f", fold {samples.items[0].fold}" if len(profiles) > 1 else ""
        description, run = f"scoring {part}{fold}", find_run(as_scored)
        tallies += tallied(as_scored, run, samples, measure, description, reporter)
    return tallies


def _warn_of_leaks(profile: Profile, scorer: Profile, samples: Samples, reporter: Reporter) -> None:
    """Warn of ground that the run has seen in its training."""
    as_split = scorer.model_copy(update={"run": profile.run, "fold": profile.fold})
    seen = trained_on(as_split, samples)
    if seen:
        reporter.warn(
            f"{profile.run_folder} was trained on ground of {len(seen)} of these "
            f"{len(samples.items)} {samples.units}, so the scores flatter: {listed(seen, most=4)}"
        )


def _result(
    profile: Profile,
    folder: Path,
    part: Part,
    units: Units,
    tallies: Sequence[Tally],
    measure: Measure,
    comparison: Comparison | None,
) -> EvaluateResult:
    settings, palette = profile.evaluate, palette_of(profile)
    pixels = sum(int(one.confusion.sum()) for one in tallies)
    suffix = "" if part == "test" else f"-{part}"
    names = [EVALUATION, "evaluation.csv", "per_scene.csv"]
    names += ["scenes.png", "precision_recall.png", "reliability.png"]
    folds = sorted({one.sample.fold for one in tallies if one.sample.fold is not None})
    thresholds = {one.sample.fold: one.threshold for one in tallies}
    return EvaluateResult(
        run=folder,
        part=part,
        folds=folds,
        units=units,
        samples=len(tallies),
        groups=len({one.sample.group for one in tallies}),
        pixels=pixels,
        thresholds=list(thresholds.values()),
        classes={
            name: class_report(tallies, index, measure, settings)
            for index, name in enumerate(palette.names)
        },
        loss_name=profile.train.loss,
        loss=float(np.mean([one.loss for one in tallies])),
        dice_coef_multiclass=float(np.mean([_soft_accuracy(one) for one in tallies])),
        calibration=calibration_report(tallies, settings),
        worst=_worst(tallies, palette),
        comparison=comparison,
        bootstrap={"draws": settings.draws, "seed": settings.seed},
        files=[folder / name.replace(".", f"{suffix}.") for name in names],
    )


def _soft_accuracy(tally: Tally) -> float:
    """The experiment's `dice_coef_multiclass` of one sample: Dice over all classes at once."""
    pixels = float(tally.confusion.sum())
    return (2.0 * tally.true_probability + 1.0) / (2.0 * pixels + 1.0)


def _worst(tallies: Sequence[Tally], palette: Palette) -> list[dict[str, Any]]:
    """Name the samples with the least Dice, of equal ones those with most to be found first."""
    name, index = palette.names[palette.foreground], palette.foreground
    lines = [
        {
            "scene": line["scene"],
            "fold": line["fold"],
            "dice": line[f"{name}_dice"],
            "true_share": float(one.confusion[index].sum() / max(1, one.confusion.sum())),
        }
        for one in tallies
        for line in [sample_scores(one, palette.names)]
    ]
    return sorted(lines, key=lambda line: (line["dice"], -line["true_share"]))[:WORST]


def _write(result: EvaluateResult, tallies: Sequence[Tally], palette: Palette) -> None:
    """Write the numbers and draw the plots."""
    document, experiment, table, bars, curve, diagram = result.files
    lead = palette.names[palette.foreground]
    lines = [sample_scores(one, palette.names) for one in tallies]
    write_csv(table, list(lines[0]), [[_cell(value) for value in line.values()] for line in lines])
    write_csv(
        experiment,
        [result.loss_name, f"{result.loss:.4f}"],
        [["dice_coef_multiclass", f"{result.dice_coef_multiclass:.4f}"]],
    )
    plot_bars(
        bars,
        f"{lead} Dice by {result.units[:-1]}",
        {line["scene"]: line[f"{lead}_dice"] for line in lines},
        result.classes[lead].dice,
    )
    probability = np.sum([one.probability for one in tallies], axis=0)
    _, precision, recall = precision_recall(probability)
    chosen = result.classes[lead]
    plot_precision_recall(
        curve,
        recall,
        precision,
        (chosen.recall, chosen.precision),
        f"threshold {_thresholds(result.thresholds)}",
    )
    plot_reliability(diagram, result.calibration["reliability"], lead)
    # Last, so that whoever finds it finds the others too.
    write_json(document, result.document())


def _interval(report: ClassReport, name: str) -> str:
    interval = report.intervals.get(name)
    return "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _size(one: dict[str, Any]) -> str:
    low, high = one["from"], one["below"]
    return f"from {low:,.0f}" if high is None else f"{low:,.0f} to {high:,.0f}"


def _thresholds(thresholds: Sequence[float | None]) -> str:
    known = sorted({one for one in thresholds if one is not None})
    if not known:
        return "none: the most probable class"
    return " to ".join(f"{one:.3f}" for one in dict.fromkeys((known[0], known[-1])))


def _cell(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
