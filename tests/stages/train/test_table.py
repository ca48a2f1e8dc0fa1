"""The table of a training: its columns, the best so far, and the time that is left."""

import pytest

from landslide_cli.stages.train.state import Row
from landslide_cli.stages.train.table import EpochTable, time_left


def row(epoch: int, **values: float) -> Row:
    known = {"loss": 0.5, "dice": 0.25, "learning_rate": 7e-5, "images_per_second": 20.0}
    return {"epoch": float(epoch), "seconds": 10.0, "input_wait": 0.125} | known | values


def test_columns_of_a_training_with_a_validation_set() -> None:
    table = EpochTable(3, "valid_iou", True, "landslide", pixels=500_000)
    cells = table.cells(row(1, valid_loss=0.75, valid_dice=0.5, valid_iou=0.4))
    assert dict(zip(table.columns, cells, strict=True)) == {
        "epoch": "1",
        "loss": "0.5000",
        "valid loss": "0.7500",
        "landslide Dice": "0.5000",
        "best valid iou": "0.4000 *",
        "learning rate": "7.0e-05",
        "images/s": "20.0",
        "Mpx/s": "10.00",
        "input wait": "12.5%",
        "time left": "0:00:20",
    }


def test_of_several_classes_the_mean_over_all_is_shown_too() -> None:
    table = EpochTable(3, "valid_mean_iou", True, "objects", pixels=1, has_means=True)
    values = {"valid_loss": 0.75, "valid_dice": 0.5, "valid_mean_iou": 0.375}
    cells = dict(zip(table.columns, table.cells(row(1, **values)), strict=True))
    assert (cells["objects Dice"], cells["mean IoU"]) == ("0.5000", "0.3750")
    assert cells["best valid mean iou"] == "0.3750 *"


def test_without_a_validation_set_there_is_no_column_without_a_value() -> None:
    table = EpochTable(3, "iou", False, "landslide", pixels=500_000)
    cells = dict(zip(table.columns, table.cells(row(1)), strict=True))
    assert cells["landslide Dice"] == "0.2500"
    assert not any(name.startswith(("valid", "best")) for name in cells)
    assert all(cells.values())


@pytest.mark.parametrize(
    ("monitored", "expected"),
    [
        ("valid_loss", ["0.5000 *", "0.4000 *", "0.4000", "0.4000"]),
        ("valid_dice", ["0.5000 *", "0.5000", "0.6000 *", "0.6000"]),
    ],
)
def test_the_best_value_so_far_is_marked_in_its_epoch(monitored: str, expected: list[str]) -> None:
    table = EpochTable(4, monitored, True, "landslide", pixels=1)
    column = table.columns.index(f"best {monitored.replace('_', ' ')}")
    shown = []
    for epoch, value in enumerate((0.5, 0.4, 0.6, 0.6), start=1):
        shown.append(table.cells(row(epoch, valid_loss=value, valid_dice=value))[column])
    assert shown == expected


def test_time_left_is_estimated_from_the_mean_of_the_finished_epochs() -> None:
    assert time_left([10.0, 20.0], 4) == "0:00:30"
    assert time_left([3600.0], 3) == "2:00:00"
    assert time_left([1.0, 1.0], 2) == "0:00:00"
