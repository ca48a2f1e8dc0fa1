"""What `evaluate` returns, and how it is shown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from landslide_cli.core.parts import Part
from landslide_cli.errors import counted
from landslide_cli.reporting import Result, Table
from landslide_cli.runs.samples import Units
from landslide_cli.stages.evaluate.compare import Comparison
from landslide_cli.stages.evaluate.false_alarms import false_alarms_table
from landslide_cli.stages.evaluate.leaks import Leak
from landslide_cli.stages.evaluate.report import LEAST_GROUPS, ClassReport


@dataclass(frozen=True)
class EvaluateResult(Result):
    """The scores of each class, calibration, the worst samples and a comparison.

    `units` are whole scenes, by themselves or in mosaics, or tiles; `samples` is their number,
    `with_landslides` that of those whose labels have a landslide, `groups` the number of their
    groups, `folds` the folds that were scored. `delivered` are the `infer.min_area` and
    `infer.fill_holes` of the delivered objects, None without these. `false_alarms` tells what is
    mapped on samples without landslides, scenes of background included, None without any.
    `thresholds` holds the threshold of each model, None for the most probable class. `loss` is the
    loss of the training, averaged over the samples, and `dice_coef_multiclass` the metric of the
    published experiment. `worst` names the samples with the lowest Dice of the leading class, the
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
    classes: dict[str, ClassReport]
    loss_name: str
    loss: float
    dice_coef_multiclass: float
    calibration: dict[str, Any]
    worst: list[dict[str, Any]]
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
        """Show the foreground classes first, then the leading class in detail."""
        (lead, report), *_ = list(self.classes.items())[1:]
        tables = [
            self._class_table(),
            Table(f"{lead} in detail", ["", "value", "95 % interval"], self._details(report)),
            *false_alarms_table(self.false_alarms, self._noun),
            Table("published metric, for comparison", ["", "value"], self._experiment(lead)),
            Table(f"worst {self._noun}", [self._noun[:-1], "Dice", f"true {lead}"], self._worst()),
        ]
        return [*tables, *([self.comparison.table()] if self.comparison is not None else [])]

    def document(self) -> dict[str, Any]:
        """Return each class's scores under its name, beside the others."""
        return {
            **{name: asdict(scores) for name, scores in self.classes.items()},
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
            "calibration": self.calibration,
            "worst": self.worst,
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
    def _noun(self) -> str:
        return "tiles" if self.units == "tiles" else "scenes"

    @property
    def _place(self) -> str:
        return ", in mosaics" if self.units == "mosaic" else ""

    def _class_table(self) -> Table:
        names = ("dice", "iou", "precision", "recall")
        rows: list[tuple[str, ...]] = []
        background, *foreground = self.classes.items()
        for index, (name, report) in enumerate([*foreground, background]):
            rows.append((name, *(f"{getattr(report, key):.4f}" for key in names)))
            if index == 0:
                rows.append(("  95 % interval", *(_interval(report, key, "–") for key in names)))
                rows += self._mean_rows(report, names)
        samples, groups = counted(self.samples, self._noun[:-1]), counted(self.groups, "group")
        title = f"{self.part}: {samples} in {groups}{self._place}"
        if self.groups < LEAST_GROUPS:
            title += f"; intervals need {LEAST_GROUPS} groups"
        return Table(title, ["class", "Dice", "IoU", "precision", "recall"], rows)

    def _mean_rows(self, report: ClassReport, names: Sequence[str]) -> list[tuple[str, ...]]:
        if report.mean is None:
            return [(f"  mean: no {self._noun} with landslides", *("-" for _ in names))]
        label = f"  mean over {self._noun}"
        if self.with_landslides < self.samples:
            samples = counted(self.with_landslides, self._noun[:-1])
            label = f"  mean over {samples} with landslides"
        return [
            (label, *(f"{report.mean[key]:.4f}" for key in names)),
            ("  95 % interval", *(_interval(report, f"mean_{key}", "–") for key in names)),
        ]

    def _details(self, report: ClassReport) -> list[tuple[str, ...]]:
        boundary, objects, area = report.boundary or {}, report.objects or {}, report.area or {}
        calibration = self.calibration
        error = calibration["interval"]
        tolerance = f"boundary F1 within {boundary['tolerance']:g} {boundary['unit']}"
        ratio = "" if area["ratio"] is None else f"{area['ratio']:.2f} times the true"
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
            (f"mapped area, {area['unit']}", f"{area['mapped']:,.0f}", ratio),
            (
                "expected calibration error",
                f"{calibration['expected_calibration_error']:.4f}",
                "-" if error is None else f"{error[0]:.3f} to {error[1]:.3f}",
            ),
            ("average precision", f"{calibration['average_precision']:.4f}", ""),
            ("threshold", format_thresholds(self.thresholds), ""),
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
            (sample["scene"], f"{sample['dice']:.4f}", f"{sample['true_share']:.1%} of it")
            for sample in self.worst
        ]


def _object_rows(
    objects: dict[str, Any], report: ClassReport, key: str
) -> list[tuple[str, str, str]]:
    """Show the detection of objects, of all sizes and by size; `key` is that of the intervals."""
    counted = [
        ("found (IoU at least 0.5)", "found", "true"),
        ("touched", "touched", "true"),
        ("false among those predicted", "false", "predicted"),
    ]
    rows = [
        (label, f"{objects[part]} of {objects[whole]}", _interval(report, f"{key}_{part}"))
        for label, part, whole in counted
    ]
    sizes = [
        (
            f"  {_size(size)} {objects['size_unit']}",
            f"{size['found']} / {size['touched']} of {size['true']}",
            f"false {size['false']} of {size['predicted']}",
        )
        for size in objects["sizes"]
    ]
    return [*rows, *sizes]


def _interval(report: ClassReport, name: str, to: str = " to ") -> str:
    interval = report.intervals.get(name)
    return "-" if interval is None else f"{interval[0]:.3f}{to}{interval[1]:.3f}"


def _size(size: dict[str, Any]) -> str:
    low, high = size["from"], size["below"]
    return f"from {low:,.0f}" if high is None else f"{low:,.0f} to {high:,.0f}"


def format_thresholds(thresholds: Sequence[float | None]) -> str:
    """Write the thresholds of several models as a value or a range."""
    known = sorted({value for value in thresholds if value is not None})
    if not known:
        return "none: the most probable class"
    return " to ".join(f"{value:.3f}" for value in dict.fromkeys((known[0], known[-1])))
