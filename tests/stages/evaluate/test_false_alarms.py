"""False alarms on scenes without landslides, by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.boundary import boundary_counts
from landslide_cli.core.scores.calibration import probability_counts
from landslide_cli.core.scores.confusion import confusion
from landslide_cli.core.scores.objects import object_counts
from landslide_cli.profile import EvaluateSettings
from landslide_cli.runs.samples import Sample
from landslide_cli.stages.evaluate.counts import Measure, SampleCounts
from landslide_cli.stages.evaluate.false_alarms import (
    FalseAlarms,
    false_alarms_document,
    false_alarms_table,
)
from landslide_cli.stages.evaluate.report import class_report, sample_scores


def sample_named(name: str) -> Sample:
    return Sample(name, name, Path(f"{name}.tif"), Path(f"{name}.png"))


def alarms_of(name: str, mapped: int, pixel_area: float | None) -> FalseAlarms:
    """Ten by ten pixels of which five have no label; every second of some is mapped."""
    truth, mask = np.zeros((2, 10, 10), np.uint8)
    truth[9, :5] = IGNORE
    mask[9, :5] = 1
    mask.ravel()[: 2 * mapped : 2] = 2
    return FalseAlarms.of(sample_named(name), truth, mask, pixel_area, is_scored=True)


def test_only_labelled_pixels_count() -> None:
    alarms = alarms_of("a", 3, 4.0)
    assert (alarms.pixels, alarms.mapped, alarms.objects) == (95, 3, 3)
    assert alarms.document() == {
        "scene": "a",
        "fold": None,
        "scored": True,
        "objects": 3,
        "pixels": 95,
        "mapped": 3,
        "share": 3 / 95,
        "square_metres_per_square_kilometre": pytest.approx(1e6 * 3 / 95),
        "ground": 380.0,
        "area": 12.0,
        "unit": "square metres",
    }


def test_areas_of_several_scenes_add_up_in_metres_where_all_are_known() -> None:
    known = false_alarms_document([alarms_of("a", 3, 4.0), alarms_of("b", 2, 0.25)])
    assert known is not None
    assert (known["scenes"], known["area"], known["unit"]) == (2, 12.5, "square metres")
    assert known["share"] == pytest.approx(12.5 / (95 * 4.25))
    mixed = false_alarms_document([alarms_of("a", 3, 4.0), alarms_of("b", 2, None)])
    assert mixed is not None
    assert (mixed["area"], mixed["ground"], mixed["unit"]) == (5, 190, "pixels")
    assert mixed["share"] == pytest.approx(5 / 190)
    assert [line["unit"] for line in mixed["each"]] == ["square metres", "pixels"]


def test_the_table_shows_the_largest_shares_and_all_together() -> None:
    many = [alarms_of(f"s{index:02d}", index, 4.0) for index in range(12)]
    (table,) = false_alarms_table(false_alarms_document(many), "scenes")
    assert [row[0] for row in table.rows[:2]] == ["s11", "s10"]
    assert len(table.rows) == 11
    assert table.rows[-1] == ("all, 12 scenes", "264 m²", "5.79%", "57,895", "45")
    assert "the 10 with the largest share" in table.title


def test_without_such_scenes_there_is_no_table() -> None:
    assert false_alarms_document([]) is None
    assert false_alarms_table(None, "scenes") == []


def counts_of(name: str, true: int, mapped: int) -> SampleCounts:
    truth, mask = np.zeros((2, 1, 100), np.uint8)
    truth[0, :true] = 1
    mask[0, :mapped] = 1
    objects = object_counts(truth, mask, 1, [])[None]
    return SampleCounts(
        sample=sample_named(name),
        threshold=0.5,
        pixel_area=1.0,
        confusion=confusion(truth, mask, 2),
        boundary=boundary_counts(truth, mask, 1, 1.0)[None],
        objects=objects,
        delivered=None,
        probability=probability_counts(truth, mask.astype(np.float32)),
        true_probability=0.0,
        loss=0.0,
    )


SETTINGS = EvaluateSettings(object_sizes=[])
MEASURE = Measure(metres=False, areas={}, tolerances={})


def test_scenes_without_landslides_are_in_the_pooled_scores_and_in_no_mean() -> None:
    with_landslides = [counts_of("a", 10, 10), counts_of("b", 10, 30)]
    samples = [*with_landslides, counts_of("c", 0, 20), counts_of("d", 0, 0)]
    report = class_report(samples, 1, MEASURE, SETTINGS)
    assert report.mean is not None
    assert report.mean["dice"] == pytest.approx((1.0 + 0.5) / 2)
    assert report.iou == pytest.approx(20 / 60)
    assert class_report(with_landslides, 1, MEASURE, SETTINGS).mean == report.mean
    assert class_report(samples[2:], 1, MEASURE, SETTINGS).mean is None
    line = sample_scores(samples[2], ["background", "landslide"])
    assert (line["landslide_dice"], line["landslide_boundary_f1"]) == (None, None)
    assert (line["landslide_objects_false"], line["landslide_area_mapped"]) == (1, 20)


def test_intervals_of_the_mean_need_eight_groups_with_landslides() -> None:
    samples = [counts_of(f"s{index}", 10 if index < 8 else 0, 10 + index) for index in range(16)]
    intervals = class_report(samples, 1, MEASURE, SETTINGS).intervals
    means = [counts_of(f"s{index}", 10, 10 + index) for index in range(8)]
    alone = class_report(means, 1, MEASURE, SETTINGS).intervals
    assert intervals["mean_dice"] == alone["mean_dice"]
    assert "iou" in intervals
    few = class_report(samples[1:], 1, MEASURE, SETTINGS).intervals
    assert "iou" in few
    assert "mean_dice" not in few


def test_delivered_objects_stand_beside_the_plain_ones() -> None:
    plain = counts_of("a", 10, 10)
    dropped = replace(plain, delivered=np.zeros_like(plain.objects))
    report = class_report([dropped], 1, MEASURE, SETTINGS)
    assert report.objects is not None
    assert (report.objects["true"], report.objects["delivered"]["true"]) == (1, 0)
    line = sample_scores(dropped, ["background", "landslide"])
    assert (line["landslide_objects_found"], line["landslide_delivered_found"]) == (1, 0)
    assert "landslide_delivered_found" not in sample_scores(plain, ["background", "landslide"])
