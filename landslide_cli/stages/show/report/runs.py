"""What the report says of a run: how it was trained, its scores, and how it compares to another."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landslide_cli.core.parts import PARTS
from landslide_cli.dataset.split_record import groups_of, scene_names
from landslide_cli.documents import read_json
from landslide_cli.errors import counted, listed
from landslide_cli.imagery.pictures import Picture, fitted
from landslide_cli.imagery.plots import plot_curves, plot_reliability
from landslide_cli.imagery.raster.images import encoded_jpeg
from landslide_cli.profile import Profile
from landslide_cli.runs.files import EVALUATION, RUN_RECORD, run_home
from landslide_cli.stages.show.history import History
from landslide_cli.stages.show.report.page import data_uri

# Longer side of the pictures of a scene, in pixels.
_SIDE = 640

_SCORES = {"dice": "Dice", "iou": "IoU", "precision": "precision", "recall": "recall"}

Row = tuple[str, ...]


@dataclass(frozen=True)
class ScoredScene:
    """A scene with its score, its image, and hits, misses and false alarms over it."""

    name: str
    dice: float
    image: Picture
    comparison: Picture


@dataclass(frozen=True)
class RunPart:
    """A run as the report shows it; figures are data URIs, None where there is nothing to draw.

    `scores` are rows of name, value and 95 % interval; `confusion` has the true classes as rows and
    the predicted ones as columns, in pixels; `pairs` are titles, captions and two pictures each.
    """

    name: str
    facts: list[tuple[str, str]]
    curves: str | None = None
    evaluated: str = ""
    scores: list[Row] = field(default_factory=list)
    classes: list[Row] = field(default_factory=list)
    confusion: list[Row] = field(default_factory=list)
    reliability: str | None = None
    pairs: list[tuple[str, str, str, str]] = field(default_factory=list)
    parts: list[Row] = field(default_factory=list)
    groups: str = ""
    against: str = ""
    comparison: list[Row] = field(default_factory=list)
    verdict: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Anchors and names of what there is."""
        known = [
            ("run", "Training", True),
            ("scores", "Scores", bool(self.scores)),
            ("scenes", "Best and worst scenes", bool(self.pairs)),
            ("comparison", "Comparison", bool(self.comparison)),
            ("split", "Split", bool(self.parts)),
        ]
        return [(anchor, name) for anchor, name, is_there in known if is_there]


def run_part(
    profile: Profile, history: History | None, scored: Sequence[ScoredScene]
) -> RunPart | None:
    """Return what there is of the profile's run; None before it is trained or scored.

    Args:
        profile: its run, and where the split lies.
        history: of the training, None without one.
        scored: scenes to show, the worst first.

    Raises:
        DataError: a record is damaged.
    """
    home = run_home(profile)
    evaluation = read_json(home / EVALUATION)
    if history is None and evaluation is None:
        return None
    part = RunPart(
        home.name,
        _facts(profile, home, history),
        None if history is None else _drawn(lambda path: plot_curves(path, *history)),
        parts=_parts(profile),
        groups=_groups(profile),
    )
    if evaluation is None:
        return part
    palette = profile.palette
    names = [palette.names[index] for index in palette.foreground]
    bins = evaluation.get("calibration", {}).get("reliability", [])
    return RunPart(
        part.name,
        part.facts,
        part.curves,
        _evaluated(evaluation),
        _scores(evaluation, names),
        _classes(evaluation, palette.names),
        _confusion(evaluation),
        _drawn(lambda path: plot_reliability(path, bins, palette.subject)) if bins else None,
        [_pair(scene, palette.subject) for scene in scored],
        part.parts,
        part.groups,
        **_comparison(evaluation),
        warnings=list(evaluation.get("warnings", [])),
    )


def expectation_of(profile: Profile) -> str:
    """Say what the last evaluation of the profile's own run makes one expect of its maps."""
    evaluation = read_json(run_home(profile) / EVALUATION)
    names = [profile.palette.names[index] for index in profile.palette.foreground]
    if evaluation is None or not set(names) <= evaluation.keys():
        return (
            "The model has not been scored: `landslide evaluate` does so on scenes that it has "
            "not learned from."
        )
    texts = []
    for name in names:
        scores = {words: _score(evaluation, name, key) for key, words in _SCORES.items()}
        values = ", ".join(f"{words} {value}" for words, (value, _) in scores.items())
        interval = scores["IoU"][1]
        texts.append(
            f"{name}: {values}" + (f", 95 % interval of the IoU {interval}" * bool(interval))
        )
    return (
        f"On {_evaluated(evaluation)} the last evaluation of this run gave for "
        f"{'; '.join(texts)}. Elsewhere expect less."
    )


def _facts(profile: Profile, home: Path, history: History | None) -> list[tuple[str, str]]:
    record = read_json(home / RUN_RECORD) or {}
    result = record.get("result", {})
    facts = [("Run", str(home)), ("Architecture", profile.model.architecture)]
    if "parameters" in result:
        facts.append(("Parameters", f"{result['parameters']:,}"))
    if history is not None:
        rows, best = history
        facts += [("Epochs", f"{len(rows)}, of which {best} is kept")]
    threshold = result.get("threshold")
    if threshold is not None:
        facts.append(("Threshold", f"{threshold:g}"))
    facts.append(("Seed", str(profile.train.seed)))
    if "seconds" in result:
        facts.append(("Time of the training", f"{result['seconds'] / 60:,.0f} min"))
    versions = result.get("versions", {})
    if versions:
        facts.append(("Versions", ", ".join(f"{key} {value}" for key, value in versions.items())))
    return facts


def _parts(profile: Profile) -> list[Row]:
    rows: list[Row] = []
    for part in PARTS:
        names = scene_names(profile, part)
        if names:
            rows.append((part, f"{len(names):,}", listed(names, most=12)))
    return rows


def _groups(profile: Profile) -> str:
    groups = groups_of(profile)
    if not groups:
        return ""
    return (
        f"{counted(len(groups), 'scene')} in {counted(len(set(groups.values())), 'group')}: scenes "
        "that show the same ground are never separated."
    )


def _evaluated(evaluation: Mapping[str, Any]) -> str:
    units = "tile" if evaluation.get("units") == "tiles" else "scene"
    number = evaluation.get(f"{units}s", 0)
    groups = counted(evaluation.get("groups", 0), "group")
    place = ", in mosaics" if evaluation.get("units") == "mosaic" else ""
    return f"{counted(number, units)} of {evaluation.get('part')} in {groups}{place}"


def _score(evaluation: Mapping[str, Any], name: str, key: str) -> tuple[str, str]:
    """Return a score of a class and its interval, if any, as texts."""
    report = evaluation[name]
    return f"{report[key]:.3f}", _interval(report.get("intervals", {}).get(key))


def _interval(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _scores(evaluation: Mapping[str, Any], names: Sequence[str]) -> list[Row]:
    """Return the scores of the foreground: of several classes their mean, and of each."""
    rows: list[Row] = []
    if len(names) > 1 and "mean_iou" in evaluation:
        intervals = evaluation.get("mean_intervals", {})
        rows += [
            (f"{_SCORES[key]}, mean of the classes", f"{evaluation[f'mean_{key}']:.3f}",
             _interval(intervals.get(key)))
            for key in ("dice", "iou")
        ]  # fmt: skip
    for name in names:
        if name in evaluation:
            prefix = f"{name}: " if len(names) > 1 else ""
            rows += [(prefix + words, *row) for words, *row in _class_scores(evaluation, name)]
    calibration = evaluation.get("calibration", {})
    if calibration:
        error = calibration["expected_calibration_error"]
        interval = _interval(calibration.get("interval"))
        rows.append(("expected calibration error", f"{error:.3f}", interval))
        rows.append(("average precision", f"{calibration['average_precision']:.3f}", ""))
    return rows


def _class_scores(evaluation: Mapping[str, Any], name: str) -> list[Row]:
    report = evaluation[name]
    intervals = report.get("intervals", {})
    rows: list[Row] = [(words, *_score(evaluation, name, key)) for key, words in _SCORES.items()]
    for key, words in _SCORES.items():
        if report.get("mean") is not None:
            interval = _interval(intervals.get(f"mean_{key}"))
            rows.append((f"{words}, mean of the scenes", f"{report['mean'][key]:.3f}", interval))
    boundary, objects, area = (report.get(key) for key in ("boundary", "objects", "area"))
    if boundary:
        words = f"boundary F1 within {boundary['tolerance']:g} {boundary['unit']}"
        rows.append((words, f"{boundary['f1']:.3f}", _interval(intervals.get("boundary_f1"))))
    if objects:
        rows += [
            (words, f"{objects[key]:,} of {objects[whole]:,}",
             _interval(intervals.get(f"objects_{key}")))
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
            *(f"{evaluation[name][key]:.3f}" for key in _SCORES),
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


def _pair(scene: ScoredScene, subject: str) -> tuple[str, str, str, str]:
    image, comparison = (
        data_uri("image/jpeg", encoded_jpeg(fitted(picture, _SIDE), 82))
        for picture in (scene.image, scene.comparison)
    )
    return scene.name, f"{scene.name}: {subject} Dice {scene.dice:.3f}", image, comparison


def _comparison(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    found = evaluation.get("comparison")
    if not found:
        return {}
    rows = []
    for key, score in found["scores"].items():
        bounds = score["interval"]
        interval = "" if bounds is None else f"{bounds[0]:+.3f} to {bounds[1]:+.3f}"
        values = (f"{score['this']:.3f}", f"{score['other']:.3f}", f"{score['difference']:+.3f}")
        rows.append((_SCORES.get(key, key), *values, interval))
    return {"against": found["against"], "comparison": rows, "verdict": found["verdict"]}


def _drawn(plot: Callable[[Path], None]) -> str:
    """Return what a function plots as a data URI."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        plot(path)
        return data_uri("image/svg+xml", path.read_bytes())
