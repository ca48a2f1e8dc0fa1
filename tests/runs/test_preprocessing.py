"""What a run has recorded of its training, by this version and by earlier ones."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.runs.preprocessing import stored_preprocessing

BEFORE = {"bands": 4, "order": None, "value_range": [0, 9], "scale": 0.5, "gsd": None}


def read(folder: Path, result: Any) -> Preprocessing:
    (folder / "run.json").write_text(json.dumps({"result": result}), encoding="utf-8")
    return stored_preprocessing(folder, bands=3)


def test_records_with_and_without_a_gsd_are_read(tmp_path: Path) -> None:
    old = {"scale": 0.5, "standardized": True, "epochs": 3}
    assert read(tmp_path, old) == Preprocessing(3, scale=0.5, standardized=True)
    before = read(tmp_path, {"preprocessing": BEFORE})
    assert before == Preprocessing(4, value_range=(0, 9), scale=0.5)
    assert (before.gsd, before.gsd_range) == (None, None)
    now = read(tmp_path, {"preprocessing": BEFORE | {"gsd": 2.0, "gsd_range": [1.33, 3.08]}})
    assert (now.gsd, now.gsd_range) == (2.0, (1.33, 3.08))


def test_model_from_elsewhere_takes_scenes_as_they_are(tmp_path: Path) -> None:
    assert stored_preprocessing(tmp_path, bands=3) == Preprocessing(3)


@pytest.mark.parametrize("name", ["metrics.csv", "profile.yaml"])
def test_part_of_a_run_is_refused_unless_it_is_being_trained(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"run\.json: is missing, .*\n.*landslide train"):
        stored_preprocessing(tmp_path, bands=3)
    (tmp_path / "unfinished.json").touch()
    assert stored_preprocessing(tmp_path, bands=3) == Preprocessing(3)


@pytest.mark.parametrize(
    "result",
    [
        [],
        {},
        {"scale": "0.5"},
        {"scale": 0.5, "standardized": "no"},
        {"preprocessing": None},
        {"preprocessing": BEFORE | {"resolution": 2.0}},
        {"preprocessing": BEFORE | {"scale": "0.5"}},
        {"preprocessing": BEFORE | {"value_range": [0]}},
    ],
)
def test_record_of_another_form_is_refused(tmp_path: Path, result: Mapping[str, Any]) -> None:
    with pytest.raises(DataError, match=r"run\.json: cannot be read as a record"):
        read(tmp_path, result)
