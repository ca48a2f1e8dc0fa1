"""Scores as the report shows them: as texts in rows, and as figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from landslide_cli.core.palette import Palette
from landslide_cli.imagery.plots import plot_reliability
from landslide_cli.stages.show.report.page import drawn

SCORES = {"dice": "Dice", "iou": "IoU", "precision": "precision", "recall": "recall"}

Row = tuple[str, ...]


@dataclass(frozen=True)
class ScoreTables:
    """All scores of a run.

    `foreground` are rows of name, value and 95 % interval, `classes` of each class; `confusion` has
    the true classes as rows and the predicted ones as columns, in pixels, and heads first;
    `reliability` is a data URI, None where there is nothing to draw.
    """

    foreground: list[Row] = field(default_factory=list)
    classes: list[Row] = field(default_factory=list)
    confusion: list[Row] = field(default_factory=list)
    reliability: str | None = None


def score_tables(evaluation: Mapping[str, Any], palette: Palette) -> ScoreTables:
    """Return the scores of an evaluation's record, or of a part of it."""
    names = [palette.names[index] for index in palette.foreground]
    bins = evaluation.get("calibration", {}).get("reliability", [])
    return ScoreTables(
        _scores(evaluation, names),
        _classes(evaluation, palette.names),
        _confusion(evaluation),
        drawn(lambda path: plot_reliability(path, bins, palette.subject)) if bins else None,
    )


def score_text(evaluation: Mapping[str, Any], name: str, key: str) -> tuple[str, str]:
    """Return a score of a class and its interval, if any, as texts."""
    report = evaluation[name]
    return f"{report[key]:.3f}", interval_text(report.get("intervals", {}).get(key))


def interval_text(bounds: Sequence[float] | None) -> str:
    """Return an interval as a text, an empty one if there is none."""
    return "" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _scores(evaluation: Mapping[str, Any], names: Sequence[str]) -> list[Row]:
    """Return the scores of the foreground: of several classes their mean, and of each."""
    rows: list[Row] = []
    if len(names) > 1 and "mean_iou" in evaluation:
        intervals = evaluation.get("mean_intervals", {})
        rows += [
            (f"{SCORES[key]}, mean of the classes", f"{evaluation[f'mean_{key}']:.3f}",
             interval_text(intervals.get(key)))
            for key in ("dice", "iou")
        ]  # fmt: skip
    for name in names:
        if name in evaluation:
            prefix = f"{name}: " if len(names) > 1 else ""
            rows += [(prefix + words, *row) for words, *row in _class_scores(evaluation, name)]
    calibration = evaluation.get("calibration", {})
    if calibration:
        error = calibration["expected_calibration_error"]
        interval = interval_text(calibration.get("interval"))
        rows.append(("expected calibration error", f"{error:.3f}", interval))
        rows.append(("average precision", f"{calibration['average_precision']:.3f}", ""))
    return rows


def _class_scores(evaluation: Mapping[str, Any], name: str) -> list[Row]:
    report = evaluation[name]
    intervals = report.get("intervals", {})
    rows: list[Row] = [(words, *score_text(evaluation, name, key)) for key, words in SCORES.items()]
    for key, words in SCORES.items():
        if report.get("mean") is not None:
            interval = interval_text(intervals.get(f"mean_{key}"))
            rows.append((f"{words}, mean of the scenes", f"{report['mean'][key]:.3f}", interval))
    boundary, objects, area = (report.get(key) for key in ("boundary", "objects", "area"))
    if boundary:
        words = f"boundary F1 within {boundary['tolerance']:g} {boundary['unit']}"
        rows.append((words, f"{boundary['f1']:.3f}", interval_text(intervals.get("boundary_f1"))))
    if objects:
        rows += [
            (words, f"{objects[key]:,} of {objects[whole]:,}",
             interval_text(intervals.get(f"objects_{key}")))
            for words, key, whole in (
                ("objects found (IoU at least 0.5)", "found", "true"),
                ("objects touched", "touched", "true"),
                ("false among those predicted", "false", "predicted"),
            )
        ]  # fmt: skip
    if area and area.get("ratio") is not None:
        rows.append(("mapped to true area", f"{area['ratio']:.2f}", ""))
    return rows


def _classes(evaluation: Mapping[str, Any], names: Sequence[str]) -> list[Row]:
    return [
        (
            name,
            *(f"{evaluation[name][key]:.3f}" for key in SCORES),
            f"{evaluation[name]['pixels']:,}",
        )
        for name in names
        if name in evaluation
    ]


def _confusion(evaluation: Mapping[str, Any]) -> list[Row]:
    confusion = evaluation.get("confusion")
    if not confusion:
        return []
    classes = confusion["classes"]
    heads = ("true class", *(f"mapped as {name}" for name in classes))
    rows = [
        (name, *(f"{pixels:,}" for pixels in line))
        for name, line in zip(classes, confusion["pixels"], strict=True)
    ]
    return [heads, *rows]
