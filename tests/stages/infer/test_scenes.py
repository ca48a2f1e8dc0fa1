"""Which scenes are mapped: names as they are, each its own map, and no map for another."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from landslide_cli.errors import DataError, OutputError
from landslide_cli.profile import Profile
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.infer.result import InferResult

Bright = Callable[..., Profile]
Write = Callable[..., Path]


@pytest.fixture
def map_into(bright: Bright, tmp_path: Path) -> Callable[..., InferResult]:
    """Map scenes of the test's folder into one of its folders."""

    def mapped(output: str, *names: str, **options: Any) -> InferResult:
        scenes = [str(tmp_path / name) for name in names]
        return infer_tiled(bright(), scenes, output=tmp_path / output, **options)

    return mapped


MapInto = Callable[..., InferResult]


def names(result: InferResult) -> list[str]:
    return [scene.scene for scene in result.scenes]


def failures(result: InferResult) -> dict[str, str]:
    assert result.exit_status == (1 if result.failed else 0)
    return {failure.image.name: failure.reason for failure in result.failed}


def test_name_with_brackets_is_a_name(map_into: MapInto, plant: Write, tmp_path: Path) -> None:
    plant("in/scene[1].tif", (40, 50))
    plant("in/scene1.tif", (20, 30))
    (scene,) = map_into("maps", "in/scene[1].tif").scenes
    assert (scene.scene, scene.height) == ("scene[1]", 40)
    assert map_into("maps", "in/scene[1].tif").scenes[0].unchanged
    assert names(map_into("maps [2]", "in")) == ["scene1", "scene[1]"]
    assert (tmp_path / "maps [2]" / "scene[1]_mask.tif").is_file()


def test_scene_that_is_not_there_is_named_and_the_others_are_mapped(
    map_into: MapInto, plant: Write, tmp_path: Path
) -> None:
    plant("a.tif")
    (tmp_path / "void").mkdir()
    result = map_into("maps", "nowhere.tif", "a.tif", "no*.tif", "void")
    assert names(result) == ["a"]
    assert list(failures(result)) == ["nowhere.tif", "no*.tif", "void"]
    assert "no such image" in failures(result)["nowhere.tif"]
    assert "no image in this folder" in failures(result)["void"]
    assert "1 scene mapped, 3 failed" in result.headline()
    assert (result.complaint or "").startswith("3 of 4 scenes could not be mapped:\n")


def test_nothing_is_made_where_no_scene_is_there(map_into: MapInto, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.tif: no such image"):
        map_into("maps", "nowhere.tif", "no*.tif")
    assert not (tmp_path / "maps").exists()


def test_second_scene_of_a_name_is_refused_and_the_first_is_mapped(
    map_into: MapInto, plant: Write
) -> None:
    plant("x/same.tif", (40, 50))
    plant("y/same.tif", (60, 70))
    plant("y/other.tif")
    result = map_into("maps", "*/same.tif", "y/other.tif")
    assert names(result) == ["same", "other"]
    assert result.scenes[0].height == 40
    reason = failures(result)["same.tif"]
    assert "y/same.tif: " in reason
    assert "x/same.tif is mapped as same_mask.tif, too" in reason
    assert "--output" in reason
    assert not result.failed[0].image.samefile(result.scenes[0].image)


def test_scene_that_is_named_in_several_ways_is_mapped_once(
    map_into: MapInto,
    bright: Bright,
    plant: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant("in/a.tif")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert names(map_into("maps", "in/a.tif", "in", "in/../in/*.tif", "link/a.tif")) == ["a"]
    monkeypatch.chdir(tmp_path / "in")
    (scene,) = infer_tiled(bright(), ["a.tif"], output=tmp_path / "maps").scenes
    assert scene.unchanged


def test_map_of_another_image_is_kept_unless_told_otherwise(
    map_into: MapInto, plant: Write, tmp_path: Path
) -> None:
    plant("x/same.tif", (40, 50))
    plant("y/same.tif", (60, 70))
    plant("y/other.tif")
    map_into("maps", "x/same.tif")
    before = (tmp_path / "maps" / "same_mask.tif").read_bytes()
    with pytest.raises(OutputError, match="map of another image") as caught:
        map_into("maps", "y/same.tif")
    assert str(tmp_path / "x" / "same.tif") in str(caught.value)
    result = map_into("maps", "y")
    assert names(result) == ["other"]
    assert "--overwrite" in failures(result)["same.tif"]
    assert (tmp_path / "maps" / "same_mask.tif").read_bytes() == before
    replaced = map_into("maps", "y/same.tif", overwrite=True).scenes[0]
    assert (replaced.scene, replaced.height) == ("same", 60)


def test_image_that_was_changed_in_its_place_is_mapped_again(
    map_into: MapInto, plant: Write
) -> None:
    plant("x/same.tif", (40, 50))
    map_into("maps", "x/same.tif")
    plant("x/same.tif", (60, 70))
    (scene,) = map_into("maps", "x/same.tif").scenes
    assert (scene.height, scene.unchanged) == (60, False)


def test_own_maps_are_no_scenes(
    map_into: MapInto, plant: Write, tmp_path: Path, reporter: Any
) -> None:
    plant("in/a.tif")
    map_into("in", "in", probability=True)
    made = {path.name for path in (tmp_path / "in").iterdir()}
    (tmp_path / "in" / "infer.json").unlink()
    (tmp_path / "in" / "a_mask.tif").rename(tmp_path / "in" / "corrected.tif")
    for pattern in ("in", "in/*", "in/*.tif"):
        assert names(map_into("maps", pattern, reporter=reporter)) == ["a"]
    assert any("left out maps and pictures of an earlier run" in note for note in reporter.notes)
    assert {"a_mask.tif", "a_overlay.jpg", "a_probability.tif", "a_mask.png"} <= made
    (tmp_path / "in" / "a.tif").unlink()
    with pytest.raises(DataError, match="only maps and pictures of an earlier run"):
        map_into("maps", "in")


def test_own_map_that_alone_is_named_is_mapped_with_a_warning(
    map_into: MapInto, plant: Write, reporter: Any
) -> None:
    plant("in/a.tif")
    map_into("in", "in")
    assert names(map_into("maps", "in/a_overlay.jpg", reporter=reporter)) == ["a_overlay"]
    assert "is a map of this program" in reporter.warnings[0]


def test_own_maps_that_the_shell_names_beside_scenes_are_left_out(
    map_into: MapInto, plant: Write, reporter: Any
) -> None:
    plant("in/a.tif")
    map_into("in", "in")
    shell = ("in/a.tif", "in/a_mask.tif", "in/a_overlay.jpg")
    result = map_into("in", *shell, reporter=reporter)
    assert [(scene.scene, scene.unchanged) for scene in result.scenes] == [("a", True)]
    assert result.exit_status == 0
    assert "(a_mask.tif, a_overlay.jpg)" in reporter.notes[0]


def test_of_a_scene_and_its_quick_look_the_scene_is_mapped(map_into: MapInto, plant: Write) -> None:
    plant("in/a.jpg", (20, 30))
    plant("in/a.tif", (40, 60))
    result = map_into("maps", "in")
    assert [(scene.scene, scene.height) for scene in result.scenes] == [("a", 40)]
    assert "a.tif is mapped as a_mask.tif, too" in failures(result)["a.jpg"]


def test_odd_files_end_no_run(map_into: MapInto, plant: Write, tmp_path: Path) -> None:
    plant("in/good.tif")
    folder = tmp_path / "in"
    os.mkfifo(folder / "pipe.tif")
    (folder / "folder.tif").mkdir()
    (folder / "empty.tif").touch()
    (folder / "text.vrt").write_text("<VRTDataset")
    (folder / "bare.vrt").write_text('<VRTDataset rasterXSize="9" rasterYSize="9"></VRTDataset>')
    (folder / "gone.tif").symlink_to("nowhere")
    (folder / os.fsdecode(b"Fl\xe4che.tif")).write_bytes((folder / "good.tif").read_bytes())
    (folder / "._good.tif").write_bytes(b"\0\5\x16\7")
    result = map_into("maps", "in")
    assert names(result) == ["good"]
    odd = {"pipe.tif", "folder.tif", "empty.tif", "text.vrt", "bare.vrt", "gone.tif"}
    assert set(failures(result)) == odd | {os.fsdecode(b"Fl\xe4che.tif")}
    lines = (result.complaint or "").splitlines()
    assert lines[0] == "7 of 8 scenes could not be mapped:"
    assert len(lines) == 8
    document = json.dumps(result.document(), ensure_ascii=False, allow_nan=False)
    assert r"Fl\\xe4che" in document.encode().decode()
    table = (tmp_path / "maps" / "landslides.csv").read_text(encoding="utf-8")
    assert [line.split(",")[0] for line in table.splitlines()] == ["scene", "good"]


def test_foreign_file_in_the_way_of_one_scene_stops_no_other(
    map_into: MapInto, plant: Write, tmp_path: Path
) -> None:
    plant("in/a.tif")
    plant("in/b.tif")
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "a_mask.tif").write_text("drawn by hand")
    result = map_into("maps", "in")
    assert names(result) == ["b"]
    assert "a_mask.tif: exists" in failures(result)["a.tif"]
    assert (tmp_path / "maps" / "a_mask.tif").read_text() == "drawn by hand"


def test_labelled_scenes_of_one_file_name_have_maps_of_their_own(
    trained: Profile, write_raster: Write, tmp_path: Path
) -> None:
    for number, side in ((1, 20), (2, 30)):
        write_raster(f"{number}/images/a.png", np.zeros((side, side, 3), np.uint8))
        write_raster(f"{number}/masks/a.png", np.zeros((side, side), np.uint8))
    sources = [
        trained.sources[0].model_copy(
            update={"images": f"{tmp_path}/{number}/images", "masks": f"{tmp_path}/{number}/masks"}
        )
        for number in (1, 2)
    ]
    profile = trained.model_copy(update={"source": sources})
    result = infer_tiled(profile, output=tmp_path / "maps")
    assert {scene.scene: scene.height for scene in result.scenes} == {"a": 20, "source2-a": 30}
    for scene in result.scenes:
        with rasterio.open(scene.mask) as dataset:
            assert dataset.height == scene.height
