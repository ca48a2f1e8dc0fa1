"""What a run has recorded of its training, by this version and by earlier ones."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.errors import DataError, LandslideError, ProfileError
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.profile import Profile
from landslide_cli.runs.preprocessing import stored_preprocessing
from landslide_cli.runs.run import find_run

WriteRaster = Callable[..., Path]

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


@pytest.mark.parametrize("name", ["model.keras", "threshold.json"])
@pytest.mark.parametrize("damage", ["cut short", "exchanged", "lost"])
def test_run_of_which_a_file_is_not_its_own_is_refused(
    trained: Profile, name: str, damage: str
) -> None:
    find_run(trained)
    path = trained.run / name
    content = path.read_bytes()
    path.write_bytes(content[:-9] if damage == "cut short" else b"{}\n")
    if damage == "lost":
        path.unlink()
    with pytest.raises(LandslideError, match=rf"{name}: .*\n?.*landslide train"):
        find_run(trained)


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


BANDS = {
    "bands": [
        {"name": "red", "band": 1, "range": (0, 9)},
        {"name": "nir", "band": 4, "range": (0, 9)},
        {"name": "height", "layer": "dem", "range": (0, 9)},
    ]
}


def test_scenes_of_each_source_are_read_by_its_own_bands(
    write_raster: WriteRaster, tmp_path: Path
) -> None:
    images = [
        write_raster(f"{name}/a.tif", np.ones((8, 8, 6), np.uint16)) for name in ("one", "two")
    ]
    sources = [
        {"name": image.parent.name, "images": str(image), "masks": "none", "layers": {"dem": "d"}}
        for image in images
    ]
    profile = Profile.model_validate(
        BANDS | {"source": [sources[0], sources[1] | {"bands": [2, 6]}]}
    )
    composition = profile.composition
    run = find_run(profile, tmp_path, Preprocessing(3, composition=composition))
    numbers = [
        None if own.composition is None else own.composition.numbers(None)
        for own in (run.of_sources[image.resolve()] for image in images)
    ]
    assert numbers == [(1, 4), (2, 6)]


def test_a_layer_that_the_model_does_not_read_is_refused(tmp_path: Path) -> None:
    source = {"images": "i/*.tif", "masks": "m/*.tif", "layers": {"dem": "dem.tif"}}
    document = BANDS | {"source": source, "infer": {"layers": {"dme": "new.tif"}}}
    profile = Profile.model_validate(document)
    with pytest.raises(ProfileError, match=r"infer\.layers\.dme: .* it reads dem$"):
        find_run(profile, tmp_path, Preprocessing(3, composition=profile.composition))
