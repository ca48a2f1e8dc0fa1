"""Mapping again: finished scenes are skipped, and what is asked for anew is added."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.profile import Profile
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.infer.mapper import LocalMapper
from tests.stages.infer.cases import ContentOf, maps_in

Bright = Callable[..., Profile]
Write = Callable[..., Path]


@pytest.fixture
def again(bright: Bright, plant: Write, tmp_path: Path) -> Callable[..., dict[str, bool]]:
    """Map two scenes, and tell which were mapped afresh."""
    for name in "ab":
        plant(f"scenes/{name}.tif", crs="EPSG:32648", transform=(0.5, 0, 5e5, 0, -0.5, 3.4e6))

    def mapped(*overrides: str, **options: Any) -> dict[str, bool]:
        scenes, maps = [str(tmp_path / "scenes")], tmp_path / "maps"
        result = infer_tiled(bright(*overrides), scenes, output=maps, **options)
        assert result.exit_status == 0
        return {mapped.scene: not mapped.unchanged for mapped in result.scenes}

    assert mapped() == {"a": True, "b": True}
    return mapped


def no_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> None:
        raise AssertionError("nothing is to be mapped")

    monkeypatch.setattr(LocalMapper, "__init__", refused)


def test_nothing_is_mapped_twice(
    again: Callable[..., dict[str, bool]],
    content_of: ContentOf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = content_of(tmp_path / "maps")
    no_mapping(monkeypatch)
    assert again() == {"a": False, "b": False}
    assert content_of(tmp_path / "maps") == before


def test_result_of_a_scene_that_was_mapped_before_is_the_same(
    again: Callable[..., dict[str, bool]], bright: Bright, tmp_path: Path
) -> None:
    scenes, maps = [str(tmp_path / "scenes")], tmp_path / "maps"
    old = infer_tiled(bright(), scenes, output=maps)
    new = infer_tiled(bright(), scenes, output=maps, overwrite=True)
    for kept, made in zip(old.scenes, new.scenes, strict=True):
        assert kept.document() | {"unchanged": False} == made.document()
    assert old.document()["megapixels"] == 0.0
    assert "2 of them unchanged" in old.headline()
    assert {row[0] for row in old.tables()[-1].rows} == {"engine", "precision", "windows"}


@pytest.mark.parametrize(
    "change",
    ["infer.min_area=50", "infer.threshold=0.7", "infer.overlap=8", "infer.tta=flips",
     "infer.polygons=geojson", "classes=[{name: rock, colour: [0, 0, 0]}, {name: slide, colour: "
     "[9, 9, 9]}]"],
)  # fmt: skip
def test_other_settings_map_again(again: Callable[..., dict[str, bool]], change: str) -> None:
    assert again(change) == {"a": True, "b": True}
    assert again(change) == {"a": False, "b": False}


@pytest.mark.parametrize("change", ["infer.memory=3", "show.items=3", "train.epochs=7"])
def test_settings_that_change_no_map_do_not_map_again(
    again: Callable[..., dict[str, bool]], change: str
) -> None:
    assert again(change) == {"a": False, "b": False}


def test_scene_that_was_touched_is_mapped_again(
    again: Callable[..., dict[str, bool]], tmp_path: Path
) -> None:
    os.utime(tmp_path / "scenes" / "b.tif", ns=(0, 10**18))
    assert again() == {"a": False, "b": True}


@pytest.mark.parametrize("suffix", ["_mask.tif", "_landslides.gpkg", "_overlay.jpg"])
def test_scene_of_which_a_map_was_deleted_is_mapped_again(
    again: Callable[..., dict[str, bool]], tmp_path: Path, suffix: str
) -> None:
    lost = tmp_path / "maps" / f"a{suffix}"
    before = lost.read_bytes()
    lost.unlink()
    assert again() == {"a": True, "b": False}
    assert lost.read_bytes() == before


def test_another_model_maps_again(
    again: Callable[..., dict[str, bool]],
    save_bright: Callable[..., None],
    tmp_path: Path,
) -> None:
    save_bright(tmp_path / "run" / "model.keras", steepness=1 / 16)
    assert again(f"run={tmp_path / 'run'}") == {"a": True, "b": True}


def test_copy_of_the_same_model_does_not_map_again(
    again: Callable[..., dict[str, bool]], bright_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(bright_folder / "run", tmp_path / "run", copy_function=shutil.copyfile)
    assert again(f"run={tmp_path / 'run'}") == {"a": False, "b": False}


def test_overwrite_maps_all_again(again: Callable[..., dict[str, bool]]) -> None:
    assert again(overwrite=True) == {"a": True, "b": True}


def test_overwriting_one_scene_keeps_what_is_known_of_the_others(
    again: Callable[..., dict[str, bool]], tmp_path: Path
) -> None:
    table = (tmp_path / "maps" / "landslides.csv").read_text(encoding="utf-8")
    assert again(overwrite=True, limit=1) == {"a": True}
    assert (tmp_path / "maps" / "landslides.csv").read_text(encoding="utf-8") == table
    assert again() == {"a": False, "b": False}


def test_table_keeps_scenes_of_earlier_runs(
    again: Callable[..., dict[str, bool]], bright: Bright, plant: Write, tmp_path: Path
) -> None:
    result = infer_tiled(bright(), [str(plant("c.tif"))], output=tmp_path / "maps")
    assert result.table is not None
    lines = result.table.read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["scene", "a", "b", "c"]


def test_what_is_asked_for_is_added_and_never_removed_by_a_run_that_does_not_ask(
    again: Callable[..., dict[str, bool]],
    content_of: ContentOf,
    write_raster: Write,
    read_polygons: Callable[[Path], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    maps = tmp_path / "maps"
    again("infer.polygons=geojson", probability=True)
    names = {path.name for path in maps.glob("a_*")}
    assert names == {
        *("a_mask.tif", "a_mask.qml", "a_overlay.jpg", "a_probability.tif", "a_probability.qml"),
        *("a_landslides.gpkg", "a_landslides.geojson"),
    }
    before = content_of(maps)
    no_mapping(monkeypatch)
    assert again("infer.polygons=none") == {"a": False, "b": False}
    assert content_of(maps) == before
    # Other formats are made of the stored polygons.
    assert again("infer.polygons=[csv, kml]", "infer.volume=true") == {"a": True, "b": True}
    assert {path.suffix for path in maps.glob("a_landslides.*")} == {
        *(".gpkg", ".geojson", ".csv", ".kml"),
    }
    # So are attributes, which later runs keep.
    model = write_raster(
        "dem.tif", np.tile(np.arange(80, dtype=np.uint16)[:, None, None], (1, 80, 1)),
        crs="EPSG:32648", transform=(5, 0, 5e5 - 20, 0, -5, 3.4e6 + 20),
    )  # fmt: skip
    assert again(f"infer.elevation={model}") == {"a": True, "b": True}
    fields = read_polygons(maps / "a_landslides.gpkg").fields
    assert set(fields["aspect_deg"]) == {0}
    assert all(volume > 0 for volume in fields["volume_larsen_m3"])
    assert again() == {"a": False, "b": False}
    # A file that a person has deleted is no loss, unless it is asked for.
    (maps / "a_landslides.kml").unlink()
    assert again() == {"a": False, "b": False}
    assert again("infer.polygons=[kml]") == {"a": True, "b": False}


def test_mask_and_polygons_are_drawn_anew_from_the_stored_probability_as_the_model_would(
    again: Callable[..., dict[str, bool]],
    bright: Bright,
    content_of: ContentOf,
    tmp_path: Path,
    reporter: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again("infer.probability=float32")
    change = ("infer.threshold=0.97", "infer.min_area=30", "infer.simplify=1")
    scenes = [str(tmp_path / "scenes")]
    fresh = bright(*change, "infer.probability=float32")
    infer_tiled(fresh, scenes, output=tmp_path / "fresh")
    no_mapping(monkeypatch)
    assert again(*change, reporter=reporter) == {"a": True, "b": True}
    assert maps_in(tmp_path / "maps", content_of) == maps_in(tmp_path / "fresh", content_of)
    (note,) = [text for text in reporter.notes if "without the model" in text]
    assert note.startswith("infer.threshold (none -> 0.97), infer.min_area (0 -> 30), ")
    assert again(*change) == {"a": False, "b": False}


def test_where_no_probability_is_stored_the_model_runs_and_that_is_said(
    again: Callable[..., dict[str, bool]], reporter: Any
) -> None:
    again("infer.min_area=30", reporter=reporter)
    (note,) = [text for text in reporter.notes if "the model runs" in text]
    assert "infer.min_area (0 -> 30)" in note
    assert "--probability" in note


def test_landslides_that_two_scenes_show_are_flagged_or_left_out_of_the_inventory(
    again: Callable[..., dict[str, bool]],
    read_polygons: Callable[[Path], Any],
    tmp_path: Path,
    reporter: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inventory = tmp_path / "maps" / "inventory.gpkg"
    fields = read_polygons(inventory).fields
    count = len(fields["id"]) // 2
    assert fields["id"] == list(range(1, 2 * count + 1))
    assert fields["scene"] == ["a"] * count + ["b"] * count
    assert fields["duplicate_of"] == [0] * count + list(range(1, count + 1))
    no_mapping(monkeypatch)
    assert again("infer.duplicates=merge") == {"a": False, "b": False}
    assert read_polygons(inventory).fields["scene"] == ["a"] * count
    inventory.write_text("corrected by hand")
    again(reporter=reporter)
    assert [text for text in reporter.warnings if "inventory.gpkg: was changed" in text]
    assert inventory.read_text() == "corrected by hand"


def test_a_style_that_a_person_saved_stays(
    again: Callable[..., dict[str, bool]], tmp_path: Path
) -> None:
    style = tmp_path / "maps" / "a_mask.qml"
    style.write_text("mine")
    assert again() == {"a": False, "b": False}
    assert again("infer.overlap=8") == {"a": True, "b": True}
    assert again("infer.overlap=16") == {"a": True, "b": True}
    assert style.read_text() == "mine"


def test_foreign_file_beside_the_maps_is_not_removed(
    again: Callable[..., dict[str, bool]], tmp_path: Path
) -> None:
    own_file = tmp_path / "maps" / "a_probability.tif"
    own_file.write_text("mine")
    again("infer.min_area=1", overwrite=True)
    assert own_file.read_text() == "mine"
