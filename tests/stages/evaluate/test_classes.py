"""Scores of many classes, by hand and by scikit-learn; what is said of them."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import (
    confusion_matrix,
    f1_score,
    jaccard_score,
    precision_recall_fscore_support,
)

from landslide_cli.console.tables import drawn
from landslide_cli.core.palette import IGNORE, Mask, Palette
from landslide_cli.core.scores.boundary import boundary_counts
from landslide_cli.core.scores.calibration import probability_counts
from landslide_cli.core.scores.confusion import confusion
from landslide_cli.core.scores.objects import object_counts
from landslide_cli.profile import EvaluateSettings
from landslide_cli.runs.samples import Sample
from landslide_cli.stages.evaluate.compare import compare
from landslide_cli.stages.evaluate.counts import Measure, SampleCounts
from landslide_cli.stages.evaluate.report import (
    class_report,
    foreground_dice,
    mean_report,
    reports_of,
    sample_scores,
)
from landslide_cli.stages.evaluate.result import EvaluateResult

SETTINGS = EvaluateSettings(object_sizes=[], draws=100)
MEASURE = Measure(metres=False, areas={}, tolerances={})

# Those of the Drone-Image dataset, whose first class has no meaning.
NAMES = (
    *("background", "outdoor structures", "buildings", "paved ground", "non-paved ground"),
    *("train tracks", "plants", "wheeled vehicles", "water", "people"),
)
DRONE = Palette(NAMES, tuple((index, 0, 0) for index in range(10)), ignores_background=True)


def drone_scene(seed: int, absent: tuple[int, ...] = ()) -> tuple[Mask, Mask]:
    """Labels in blocks, without the background, and a prediction that is often right."""
    rng = np.random.default_rng(seed)
    there = [index for index in range(1, 10) if index not in absent]
    truth = np.kron(rng.choice(there, (6, 8)), np.ones((5, 5))).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.1] = IGNORE
    wrong = rng.random(truth.shape) < 0.3
    mapped = np.where(wrong | (truth == IGNORE), rng.choice(there, truth.shape), truth)
    return truth, mapped.astype(np.uint8)


def counted(name: str, truth: Mask, mapped: Mask, palette: Palette) -> SampleCounts:
    classes, foreground = len(palette), palette.foreground
    true, found = palette.only_foreground(truth), palette.only_foreground(mapped)
    return SampleCounts(
        sample=Sample(name, name, Path(f"{name}.tif"), Path(f"{name}.png")),
        threshold=0.5,
        pixel_area=1.0,
        confusion=confusion(truth, mapped, classes),
        boundary=np.stack([boundary_counts(truth, mapped, i, 1.0) for i in foreground]),
        objects=np.stack([object_counts(truth, mapped, i, []) for i in foreground]),
        delivered=None,
        probability=probability_counts(true, (found > 0).astype(np.float32)),
        true_probability=0.0,
        loss=0.0,
        foreground=foreground,
    )


def scenes(palette: Palette, count: int = 9, absent: tuple[int, ...] = ()) -> list[SampleCounts]:
    return [counted(f"s{i}", *drone_scene(i, absent), palette) for i in range(count)]


def all_pixels(count: int = 9, absent: tuple[int, ...] = ()) -> tuple[Mask, Mask]:
    both = [drone_scene(i, absent) for i in range(count)]
    truth, mapped = (np.concatenate([pair[i].ravel() for pair in both]) for i in (0, 1))
    return truth[truth != IGNORE], mapped[truth != IGNORE]


def result_of(samples: list[SampleCounts], palette: Palette) -> EvaluateResult:
    return EvaluateResult(
        run=Path("run"),
        part="test",
        folds=[],
        units="scenes",
        samples=len(samples),
        with_landslides=sum(sample.has_foreground for sample in samples),
        groups=len(samples),
        pixels=1,
        thresholds=[0.5],
        palette=palette,
        reports=reports_of(samples, palette, MEASURE, SETTINGS),
        loss_name="dice",
        loss=0.5,
        dice_coef_multiclass=0.5,
        worst=[],
        delivered=None,
        false_alarms=None,
        leaks=[],
        comparison=None,
        warnings=[],
        bootstrap={},
        files=[Path("run/evaluation.json")],
    )


def shown(result: EvaluateResult, width: int = 80) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, color_system=None)
    for table in result.tables():
        console.print(drawn(table, width))
    return text.getvalue()


def test_the_numbers_of_each_class_are_those_of_scikit_learn() -> None:
    samples, (truth, mapped) = scenes(DRONE), all_pixels()
    labels = list(DRONE.meaningful)
    precision, recall, dice, support = precision_recall_fscore_support(
        truth, mapped, labels=labels, zero_division=0.0
    )
    iou = jaccard_score(truth, mapped, labels=labels, average=None)
    for position, index in enumerate(labels):
        report = class_report(samples, index, MEASURE, SETTINGS)
        expected = dice[position], iou[position], precision[position], recall[position]
        assert (report.dice, report.iou, report.precision, report.recall) == pytest.approx(expected)
        assert report.pixels == support[position]
    means = mean_report(samples, DRONE.meaningful, SETTINGS)
    np.testing.assert_array_equal(means.confusion, confusion_matrix(truth, mapped, labels=labels))
    assert means.classes == 9
    assert means.scores["dice"] == pytest.approx(f1_score(truth, mapped, average="macro"))
    assert means.scores["iou"] == pytest.approx(jaccard_score(truth, mapped, average="macro"))


def test_a_class_that_is_nowhere_is_in_no_mean() -> None:
    means = mean_report(scenes(DRONE, absent=(5, 9)), DRONE.meaningful, SETTINGS)
    assert means.classes == 7
    truth, mapped = all_pixels(absent=(5, 9))
    assert means.scores["iou"] == pytest.approx(jaccard_score(truth, mapped, average="macro"))


def test_a_scene_without_a_class_has_no_score_of_it_and_counts_in_no_mean_of_it() -> None:
    samples = [
        counted("with", *drone_scene(1), DRONE),
        counted("without", *drone_scene(2, absent=(9,)), DRONE),
    ]
    line = sample_scores(samples[1], NAMES)
    assert (line["people_dice"], line["people_boundary_f1"]) == (None, None)
    assert (line["people_objects_true"], line["people_area_true"]) == (0, 0.0)
    truth, mapped = (mask.ravel() for mask in drone_scene(2, absent=(9,)))
    labelled = truth != IGNORE
    expected = jaccard_score(truth[labelled], mapped[labelled], average="macro")
    assert line["mean_iou"] == pytest.approx(expected)
    assert not any(key.startswith("background") for key in line)
    people = class_report(samples, 9, MEASURE, SETTINGS)
    assert people.mean == class_report(samples[:1], 9, MEASURE, SETTINGS).mean


def test_objects_and_comparisons_are_of_the_chosen_foreground() -> None:
    palette = replace(DRONE, chosen=(2, 7))
    samples = scenes(palette)
    assert class_report(samples, 3, MEASURE, SETTINGS).objects is None
    buildings, vehicles = (class_report(samples, i, MEASURE, SETTINGS) for i in (2, 7))
    assert buildings.objects is not None
    assert vehicles.objects is not None
    everything = scenes(DRONE)
    assert buildings == class_report(everything, 2, MEASURE, SETTINGS)
    assert vehicles == class_report(everything, 7, MEASURE, SETTINGS)
    other = [counted(f"s{i}", *(drone_scene(i)[0],) * 2, palette) for i in range(9)]
    comparison = compare(samples, other, Path("other"), palette, MEASURE, SETTINGS)
    assert comparison.scores["iou"].this == pytest.approx((buildings.iou + vehicles.iou) / 2)
    assert comparison.scores["iou"].other == 1.0
    assert comparison.sentence().startswith("the objects IoU differs")
    # The other maps what is true.
    assert comparison.other.classes["wheeled vehicles"].iou == 1.0
    assert {line["other"] for line in comparison.scenes} == {1.0}
    own = sorted(foreground_dice(sample) for sample in samples)
    assert [line["this"] for line in comparison.scenes] == own


def test_the_dice_of_a_scene_is_of_the_foreground_alone() -> None:
    truth, mapped = drone_scene(3)
    sample = counted("a", truth, mapped, replace(DRONE, chosen=(2,)))
    labelled = truth != IGNORE
    expected = f1_score(truth[labelled] == 2, mapped[labelled] == 2)
    assert foreground_dice(sample) == pytest.approx(expected)
    assert sample.has_foreground
    none = counted("a", *drone_scene(3, absent=(2,)), replace(DRONE, chosen=(2,)))
    assert not none.has_foreground


def test_ten_classes_are_shown_in_80_columns() -> None:
    text = shown(result_of(scenes(DRONE), DRONE))
    assert max(map(len, text.splitlines())) <= 80
    head = next(line for line in text.splitlines() if line.startswith("┃ true class"))
    assert [cell.strip() for cell in head.strip("┃").split("┃")][1:] == [
        str(i) for i in range(1, 10)
    ]
    assert "mean of 9 classes" in text
    assert "objects in detail" in text
    assert "background " not in text.replace("background included", "")
    assert "landslide" not in text


def test_a_class_that_is_nowhere_is_shown_without_scores() -> None:
    text = shown(result_of(scenes(DRONE, absent=(9,)), DRONE))
    lines = [line for line in text.splitlines() if line.startswith(("│ people", "│ 9 people"))]
    assert len(lines) == 3
    for line in lines:
        assert set(line.split("people")[1]) <= set("│ -")
    assert "mean of 8 classes" in text


@pytest.mark.parametrize(("ignores", "last"), [(False, "background"), (True, "people")])
def test_the_foreground_comes_first_and_the_background_last(ignores: bool, last: str) -> None:
    palette = replace(DRONE, chosen=(2, 7), ignores_background=ignores)
    table = result_of(scenes(palette), palette).tables()[0]
    names = [row[0] for row in table.rows if row[0] in NAMES]
    assert names[:2] == ["buildings", "wheeled vehicles"]
    assert (names[-1], len(names)) == (last, 9 if ignores else 10)


def test_one_class_is_called_by_its_name() -> None:
    palette = Palette(("background", "buildings"), ((0, 0, 0), (1, 0, 0)))
    masks = [tuple((mask == 2).astype(np.uint8) for mask in drone_scene(i)) for i in range(9)]
    samples = [counted(f"s{i}", truth, mapped, palette) for i, (truth, mapped) in enumerate(masks)]
    text = shown(result_of(samples, palette))
    assert "buildings in detail" in text
    assert "true buildings" in text
    assert "landslide" not in text
    assert "confusion" not in text


def test_the_document_holds_means_and_confusion() -> None:
    result = result_of(scenes(DRONE), DRONE)
    document = json.loads(json.dumps(result.document()))
    assert document["mean_iou"] == pytest.approx(result.means.scores["iou"])
    assert document["confusion"]["classes"] == list(NAMES[1:])
    assert document["confusion"]["pixels"] == result.means.confusion.tolist()
    low, high = document["mean_intervals"]["iou"]
    assert low < document["mean_iou"] < high
    assert "background" not in document


def test_few_groups_have_no_intervals_of_means_either() -> None:
    document = result_of(scenes(DRONE)[:5], DRONE).document()
    assert document["mean_intervals"] == {}
