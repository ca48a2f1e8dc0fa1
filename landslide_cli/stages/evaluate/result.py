"""What `evaluate` returns, and how it is shown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from landslide_cli.core.palette import Palette
from landslide_cli.core.parts import Part
from landslide_cli.core.scores.confusion import SCORE_NAMES
from landslide_cli.errors import counted
from landslide_cli.reporting import Result, Table
from landslide_cli.runs.samples import LEAST_GROUPS, Units
from landslide_cli.runs.scene_scores import WorstScene
from landslide_cli.stages.evaluate.compare import Comparison
from landslide_cli.stages.evaluate.false_alarms import false_alarms_table
from landslide_cli.stages.evaluate.leaks import Leak
from landslide_cli.stages.evaluate.report import (
    ClassReport,
    Intervals,
    MeanReport,
    Reports,
)


@dataclass(frozen=True)
class EvaluateResult(Result):
    """The scores of each class and their means, calibration, the worst samples and a comparison.

    `units` are whole scenes, by themselves or in mosaics, or tiles; `samples` is their number,
    `with_landslides` that of those whose labels have any foreground, `groups` the number of their
    groups, `folds` the folds that were scored. `classes` are those of the `palette` that have a
    meaning. `delivered` are the `infer.min_area` and `infer.fill_holes` of the delivered objects,
    None without these. `false_alarms` tells what is mapped on samples without foreground, scenes of
    background included, None without any.
    `thresholds` holds the threshold of each model, None for the most probable class. `loss` is the
    loss of the training, averaged over the samples, and `dice_coef_multiclass` the metric of the
    published experiment. `worst` names the samples with the lowest Dice of the foreground, the
    lowest first. `leaks` are the samples on whose ground a run was trained, or a model that it goes
    back to; `warnings` are of these and of the scenes' GSD.
    """

    run: Path
    part: Part
    folds: list[int]
    units: Units
    samples: int
    with_landslides: int
    groups: int
    pixels: int
    thresholds: list[float | None]
    palette: Palette
    reports: Reports
    loss_name: str
    loss: float
    dice_coef_multiclass: float
    worst: list[WorstScene]
    delivered: dict[str, float] | None
    false_alarms: dict[str, Any] | None
    leaks: list[Leak]
    comparison: Comparison | None
    warnings: list[str]
    bootstrap: dict[str, int]
    files: list[Path]

    def headline(self) -> str:
        """Say where the numbers lie, and how the comparison came out."""
        line = f"{counted(self.samples, self._noun[:-1])} of {self.part} scored: {self.files[0]}"
        return line if self.comparison is None else f"{line}\n{self.comparison.sentence()}"

    def tables(self) -> Sequence[Table]:
        """Show the foreground classes first, then the foreground in detail."""
        subject, heads = self.palette.subject, ["", "value", "95 % interval"]
        tables = [
            self._class_table(),
            *([self._confusion_table()] if len(self.palette) > 2 else []),
            *([self._objects_table()] if len(self._foreground) > 1 else []),
            Table(f"{subject} in detail", heads, self._details()),
            *false_alarms_table(self.false_alarms, self._noun, self.palette.plural),
            Table("published metric, for comparison", ["", "value"], self._experiment()),
            Table(
                f"worst {self._noun}", [self._noun[:-1], "Dice", f"true {subject}"], self._worst()
            ),
        ]
        return [*tables, *([self.comparison.table()] if self.comparison is not None else [])]

    def document(self) -> dict[str, Any]:
        """Return each class's scores under its name, beside the others."""
        return {
            **self.reports.document(),
            "part": self.part,
            "folds": self.folds,
            "units": self.units,
            self._noun: self.samples,
            "with_landslides": self.with_landslides,
            "groups": self.groups,
            "pixels": self.pixels,
            "threshold": self.thresholds,
            "loss": {"name": self.loss_name, "value": self.loss},
            "dice_coef_multiclass": self.dice_coef_multiclass,
            "worst": [asdict(scene) for scene in self.worst],
            "delivered": self.delivered,
            "false_alarms": self.false_alarms,
            "leaks": [leak.document() for leak in self.leaks],
            "comparison": None if self.comparison is None else self.comparison.document(),
            "warnings": self.warnings,
            "bootstrap": self.bootstrap,
            "run": str(self.run),
            "files": [str(path) for path in self.files],
        }

    @property
    def classes(self) -> dict[str, ClassReport]:
        """The scores of each class by its name."""
        return self.reports.classes

    @property
    def means(self) -> MeanReport:
        """The means over the classes."""
        return self.reports.means

    @property
    def calibration(self) -> dict[str, Any]:
        """How well the foreground's probabilities are calibrated."""
        return self.reports.calibration

    @property
    def _noun(self) -> str:
        return "tiles" if self.units == "tiles" else "scenes"

    @property
    def _place(self) -> str:
        return ", in mosaics" if self.units == "mosaic" else ""

    @property
    def _foreground(self) -> dict[str, ClassReport]:
        names = [self.palette.names[index] for index in self.palette.foreground]
        return {name: self.classes[name] for name in names}

    @property
    def _nowhere(self) -> set[str]:
        """The classes that are neither in the masks nor predicted, where there are several.

        Their scores of 1 say nothing.
        """
        counts = self.means.confusion
        pixels = (counts.sum(axis=0) + counts.sum(axis=1)).tolist()
        empty = {name for name, count in zip(self.classes, pixels, strict=True) if not count}
        return empty if len(self.palette) > 2 else set()

    def _class_table(self) -> Table:
        rows: list[tuple[str, ...]] = []
        foreground = list(self._foreground)
        others = [name for name in self.classes if name not in foreground]
        if not self.palette.ignores_background:
            others = [*others[1:], others[0]]  # the background last
        for name in [*foreground, *others]:
            report = self.classes[name]
            scores = [f"{getattr(report, key):.4f}" for key in SCORE_NAMES]
            rows.append((name, *(scores if name not in self._nowhere else "----")))
            if foreground == [name]:
                rows.append(_interval_row(report.intervals, ""))
                rows += self._mean_rows(report)
        if len(self.palette) > 2:
            means = self.means
            label = "mean of 1 class" if means.classes == 1 else f"mean of {means.classes} classes"
            rows.append((label, *(f"{means.scores[key]:.4f}" for key in SCORE_NAMES)))
            rows.append(_interval_row(means.intervals, ""))
        samples, groups = counted(self.samples, self._noun[:-1]), counted(self.groups, "group")
        title = f"{self.part}: {samples} in {groups}{self._place}"
        if self.groups < LEAST_GROUPS:
            title += f"; intervals need {LEAST_GROUPS} groups"
        return Table(title, ["class", "Dice", "IoU", "precision", "recall"], rows)

    def _mean_rows(self, report: ClassReport) -> list[tuple[str, ...]]:
        plural = self.palette.plural
        if report.mean is None:
            return [(f"  mean: no {self._noun} with {plural}", *("-" for _ in SCORE_NAMES))]
        label = f"  mean over {self._noun}"
        if self.with_landslides < self.samples:
            samples = counted(self.with_landslides, self._noun[:-1])
            label = f"  mean over {samples} with {plural}"
        return [
            (label, *(f"{report.mean[key]:.4f}" for key in SCORE_NAMES)),
            _interval_row(report.intervals, "mean_"),
        ]

    def _confusion_table(self) -> Table:
        """Show where the pixels of each class go, in per cent of them."""
        counts, indices = self.means.confusion, self.palette.meaningful
        rows = [
            (f"{index} {name}", *(_per_cent(pixels, int(row.sum())) for pixels in row.tolist()))
            for index, name, row in zip(indices, self.classes, counts, strict=True)
        ]
        title = "confusion: pixels of each true class by predicted class, in per cent"
        return Table(title, ["true class", *map(str, indices)], rows)

    def _objects_table(self) -> Table:
        """Show the objects of each foreground class, where there are several."""
        rows = []
        for name, report in self._foreground.items():
            if name in self._nowhere:
                rows.append((name, *"-----"))
                continue
            boundary, objects, area = report.boundary or {}, report.objects or {}, report.area or {}
            rows.append(
                (
                    name,
                    f"{boundary['f1']:.4f}",
                    f"{objects['found']} of {objects['true']}",
                    f"{objects['false']} of {objects['predicted']}",
                    f"{area['true']:,.0f}",
                    f"{area['mapped']:,.0f}",
                )
            )
        areas = [report.area for report in self._foreground.values() if report.area is not None]
        unit = "m²" if areas[0]["unit"] == "square metres" else "pixels"
        title = f"objects by class: found with an IoU of at least 0.5, areas in {unit}"
        heads = ["class", "boundary F1", "found", "false", "true area", "mapped area"]
        return Table(title, heads, rows, ["boundary F1"])

    def _details(self) -> list[tuple[str, ...]]:
        """Show the only foreground class in detail, or what several have in common."""
        reports = list(self._foreground.values())
        return [
            *(self._details_of(reports[0]) if len(reports) == 1 else []),
            *(self._calibration() if self.palette.foreground != self.palette.meaningful else []),
            ("threshold", format_thresholds(self.thresholds), ""),
            (self.loss_name, f"{self.loss:.4f}", ""),
        ]

    def _calibration(self) -> list[tuple[str, ...]]:
        """Show how well the foreground's probability tells it from the rest."""
        error, average = self.calibration["interval"], self.calibration["average_precision"]
        return [
            (
                "expected calibration error",
                f"{self.calibration['expected_calibration_error']:.4f}",
                "-" if error is None else f"{error[0]:.3f} to {error[1]:.3f}",
            ),
            ("average precision", f"{average:.4f}", ""),
        ]

    def _details_of(self, report: ClassReport) -> list[tuple[str, ...]]:
        boundary, objects, area = report.boundary or {}, report.objects or {}, report.area or {}
        tolerance = f"boundary F1 within {boundary['tolerance']:g} {boundary['unit']}"
        ratio = "" if area["ratio"] is None else f", {area['ratio']:.2f} times the true"
        rows = [
            (tolerance, f"{boundary['f1']:.4f}", _interval(report, "boundary_f1")),
            *_object_rows(objects, report, "objects"),
        ]
        if self.delivered is not None:
            said = ", ".join(f"infer.{key} {value:g}" for key, value in self.delivered.items())
            rows.append((f"as delivered, with {said}:", "", ""))
            rows += _object_rows(objects["delivered"], report, "delivered")
        return [
            *rows,
            (f"true area, {area['unit']}", f"{area['true']:,.0f}", ""),
            (f"mapped area, {area['unit']}", f"{area['mapped']:,.0f}{ratio}", ""),
        ]

    def _experiment(self) -> list[tuple[str, str]]:
        subject = self.palette.subject
        dices = [report.dice for report in self._foreground.values()]
        own = (f"{subject} Dice: of the {subject} pixels alone", f"{dices[0]:.4f}")
        if len(dices) > 1:
            own = ("mean Dice of the classes", f"{self.means.scores['dice']:.4f}")
        return [
            (
                "dice_coef_multiclass: mean probability of the true class, background included",
                f"{self.dice_coef_multiclass:.4f}",
            ),
            own,
        ]

    def _worst(self) -> list[tuple[str, str, str]]:
        return [
            (scene.scene, f"{scene.dice:.4f}", f"{scene.true_share:.1%} of it")
            for scene in self.worst
        ]


def _object_rows(
    objects: dict[str, Any], report: ClassReport, key: str
) -> list[tuple[str, str, str]]:
    """Show the detection of objects, of all sizes and by size; `key` is that of the intervals."""
    shares = [
        ("found (IoU at least 0.5)", "found", "true"),
        ("touched", "touched", "true"),
        ("false among those predicted", "false", "predicted"),
    ]
    rows = [
        (label, f"{objects[part]} of {objects[whole]}", _interval(report, f"{key}_{part}"))
        for label, part, whole in shares
    ]
    sizes = [
        (
            f"  {_size(size)} {objects['size_unit']}",
            f"{size['found']} / {size['touched']} of {size['true']}, "
            f"false {size['false']} of {size['predicted']}",
            "",
        )
        for size in objects["sizes"]
    ]
    return [*rows, *sizes]


def _interval_row(intervals: Intervals, prefix: str) -> tuple[str, ...]:
    cells = [_span(intervals.get(f"{prefix}{key}"), "–") for key in SCORE_NAMES]
    return ("  95 % interval", *cells)


def _span(interval: Sequence[float] | None, to: str) -> str:
    return "-" if interval is None else f"{interval[0]:.3f}{to}{interval[1]:.3f}"


def _per_cent(pixels: int, of: int) -> str:
    """Write a share in at most three characters; nothing as a dash."""
    if not pixels:
        return "-"
    share = 100.0 * pixels / of
    return "<1" if share < 0.5 else f"{share:.0f}"


def _interval(report: ClassReport, name: str) -> str:
    return _span(report.intervals.get(name), " to ")


def _size(size: dict[str, Any]) -> str:
    low, high = size["from"], size["below"]
    return f"from {low:,.0f}" if high is None else f"{low:,.0f} to {high:,.0f}"


def format_thresholds(thresholds: Sequence[float | None]) -> str:
    """Write the thresholds of several models as a value or a range."""
    known = sorted({value for value in thresholds if value is not None})
    if not known:
        return "none: the most probable class"
    return " to ".join(f"{value:.3f}" for value in dict.fromkeys((known[0], known[-1])))
