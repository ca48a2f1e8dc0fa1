"""The record of a folder of maps: what is finished, and which files are this program's."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.documents import write_json
from landslide_cli.errors import DataError, OutputError
from landslide_cli.runs.files import polygon_files
from landslide_cli.runs.map_outputs import Outputs
from landslide_cli.runs.map_record import ClassTotal, FinishedScene, SceneSummary
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.scales import SceneScale
from landslide_cli.stages.infer.folder import MapFolder
from landslide_cli.stages.infer.identity import identity_of
from tests.conftest import RecordingReporter

SCALE = SceneScale((0.25, 0.5), 2.0, ("coarse",))
SETTINGS: dict[str, Any] = {"infer.tile": 64, "classes": ["a", "b"], "model": "3f2a"}
PLAN = Plan("openvino", "float32", None, 64, False, 16, 4, 1, 2)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "scene.tif"
    path.write_bytes(b"pixels")
    return path


def finish(
    folder: MapFolder,
    name: str,
    image: Path,
    *kinds: str,
    area: float = 12.0,
    outputs: Outputs = Outputs(),  # noqa: B008 - frozen
) -> None:
    """Finish a scene as the stage does: its files lie in a folder beside."""
    files = {kind: f"{name}_{kind}.tif" for kind in kinds or ("mask",)}
    scratch = folder.folder / f".{name}.partial"
    scratch.mkdir(parents=True)
    (scratch / ".raw.tif").write_text("of no use any more")
    for file in files.values():
        (scratch / file).write_text(f"map of {file}")
    total = ClassTotal("slide", 3, area, 0.25)
    shares = {"ground": 0.75, "slide": 0.25}
    summary = SceneSummary(files, shares, 48, [total], "px", None, "2025-11-30")
    finished = FinishedScene(name, image, 8, 6, SCALE, summary, outputs)
    folder.finish(finished, identity_of(image), scratch)
    assert not scratch.exists()


def test_finished_scene_is_known_to_the_next_run(tmp_path: Path, image: Path) -> None:
    maps = tmp_path / "maps"
    folder = MapFolder(maps, SETTINGS)
    assert folder.finished("scene", image) is None
    finish(folder, "scene", image, "mask", "probability")
    for known in (folder, MapFolder(maps, SETTINGS)):
        finished = known.finished("scene", image)
        assert finished is not None
        assert (finished.image, finished.width, finished.height) == (image, 8, 6)
        assert finished.scale == SCALE
        assert finished.summary.totals == [ClassTotal("slide", 3, 12.0, 0.25)]
        assert set(finished.summary.files) == {"mask", "probability"}
    assert (maps / "scene_mask.tif").read_text() == "map of scene_mask.tif"


def test_scene_of_other_settings_another_image_or_changed_files_is_not_finished(
    tmp_path: Path, image: Path
) -> None:
    maps = tmp_path / "maps"
    finish(MapFolder(maps, SETTINGS), "scene", image)
    assert MapFolder(maps, SETTINGS).finished("scene", image) is not None
    assert MapFolder(maps, SETTINGS | {"infer.tile": 32}).finished("scene", image) is None
    assert MapFolder(maps, SETTINGS).finished("scene", tmp_path / "other.tif") is None
    mask = maps / "scene_mask.tif"
    mask.write_text("another map of it")
    assert MapFolder(maps, SETTINGS).finished("scene", image) is None
    mask.unlink()
    assert MapFolder(maps, SETTINGS).finished("scene", image) is None


def test_settings_are_compared_as_json_has_them(tmp_path: Path, image: Path) -> None:
    finish(MapFolder(tmp_path / "maps", {"order": (1, 2)}), "scene", image)
    assert MapFolder(tmp_path / "maps", {"order": [1, 2]}).finished("scene", image) is not None


def test_plan_is_kept_for_the_same_settings_only(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    folder = MapFolder(maps, SETTINGS)
    assert folder.plan is None
    measured = replace(PLAN, precision="bfloat16", changed=0.001)
    folder.start(measured)
    assert MapFolder(maps, SETTINGS).plan == measured
    assert MapFolder(maps, SETTINGS | {"model": "other"}).plan is None


def test_forgotten_scene_is_mapped_again_and_the_others_are_not(
    tmp_path: Path, image: Path
) -> None:
    folder = MapFolder(tmp_path / "maps", SETTINGS)
    folder.start(PLAN)
    for name in ("one", "two"):
        finish(folder, name, image)
    folder.forget(["one", "unheard of"])
    assert folder.plan is None
    assert folder.finished("one", image) is None
    assert folder.finished("two", image) is not None


def test_own_files_are_not_foreign_and_others_are(tmp_path: Path, image: Path) -> None:
    maps = tmp_path / "maps"
    finish(MapFolder(maps, SETTINGS), "scene", image)
    MapFolder(maps, SETTINGS).refuse_overwrite(["scene"], overwrite=False)
    (maps / "scene_landslides.gpkg").write_text("drawn by hand")
    with pytest.raises(OutputError, match=r"scene_landslides\.gpkg"):
        MapFolder(maps, SETTINGS).refuse_overwrite(["scene"], overwrite=False)
    MapFolder(maps, SETTINGS).refuse_overwrite(["other"], overwrite=False)
    MapFolder(maps, SETTINGS).refuse_overwrite(["scene"], overwrite=True)


def test_file_that_was_changed_since_is_foreign(tmp_path: Path, image: Path) -> None:
    maps = tmp_path / "maps"
    finish(MapFolder(maps, SETTINGS), "scene", image)
    (maps / "scene_mask.tif").write_text("corrected by hand")
    with pytest.raises(OutputError, match=r"scene_mask\.tif"):
        MapFolder(maps, SETTINGS).refuse_overwrite(["scene"], overwrite=False)


def test_files_of_a_scene_that_was_stopped_half_way_may_be_replaced(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies between the names of two files, after it claimed them."""
    maps = tmp_path / "maps"
    replace_file = Path.replace

    def dies(self: Path, target: Path) -> Path:
        if self.name == "scene_probability.tif":
            raise KeyboardInterrupt
        return replace_file(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            finish(MapFolder(maps, SETTINGS), "scene", image, "mask", "probability")
    assert (maps / "scene_mask.tif").exists()
    folder = MapFolder(maps, SETTINGS)
    assert folder.finished("scene", image) is None
    folder.refuse_overwrite(["scene"], overwrite=False)


def test_map_of_a_kind_that_is_no_longer_made_is_removed(tmp_path: Path, image: Path) -> None:
    maps = tmp_path / "maps"
    finish(MapFolder(maps, SETTINGS), "scene", image, "mask", "probability")
    finish(MapFolder(maps, SETTINGS | {"infer.tile": 32}), "scene", image, "mask")
    assert {path.name for path in maps.glob("scene*")} == {"scene_mask.tif"}
    assert json.loads((maps / MAPS_RECORD).read_text(encoding="utf-8"))["files"] == [
        "scene_mask.tif"
    ]


def test_table_has_a_line_for_each_scene_by_name(tmp_path: Path, image: Path) -> None:
    folder = MapFolder(tmp_path / "maps", SETTINGS)
    for name, area in (("b", 7.25), ("a", 1234567.0)):
        finish(folder, name, image, area=area)
    assert folder.write_table().read_text(encoding="utf-8").splitlines() == [
        "scene,class,landslides,area,unit,share,pixels,gsd_m",
        "a,slide,3,1234567.0,px,0.250000,48,",
        "b,slide,3,7.2,px,0.250000,48,",
    ]


def test_scenes_that_finish_at_once_are_all_recorded(tmp_path: Path, image: Path) -> None:
    folder = MapFolder(tmp_path / "maps", SETTINGS)
    names = [f"scene{number}" for number in range(16)]
    threads = [threading.Thread(target=finish, args=(folder, name, image)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    later = MapFolder(tmp_path / "maps", SETTINGS)
    assert all(later.finished(name, image) for name in names)


def test_record_of_an_older_form_tells_only_whose_the_files_are(
    tmp_path: Path, image: Path
) -> None:
    maps = tmp_path / "maps"
    finish(MapFolder(maps, SETTINGS), "scene", image)
    record = json.loads((maps / MAPS_RECORD).read_text(encoding="utf-8"))
    (maps / MAPS_RECORD).write_text(json.dumps({"files": record["files"], "scenes": "of yore"}))
    folder = MapFolder(maps, SETTINGS)
    assert folder.finished("scene", image) is None
    folder.refuse_overwrite(["scene"], overwrite=False)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"format": 3}', '{"files": 3}'])
def test_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / MAPS_RECORD).write_text(text)
    with pytest.raises(DataError, match=r"infer\.json: cannot be read"):
        MapFolder(tmp_path, SETTINGS)


def test_folder_below_a_file_has_no_record(tmp_path: Path, image: Path) -> None:
    folder = MapFolder(image / "maps", SETTINGS)
    with pytest.raises(OutputError, match=r"scene\.tif: is a file"):
        folder.start(PLAN)


def test_polygons_of_a_folder_are_listed_by_scene(tmp_path: Path) -> None:
    own = {"a": "a_landslides.geojson", "b": "b_landslides.gpkg"}
    # Of a scene in both formats, the GeoPackage.
    for name in (*own.values(), "b_landslides.geojson", "a_mask.tif", "landslides.csv"):
        (tmp_path / name).touch()
    assert polygon_files(tmp_path, "landslides") == {
        scene: tmp_path / name for scene, name in own.items()
    }
    assert polygon_files(tmp_path / "nowhere", "landslides") == {}


def test_polygons_of_other_classes_are_called_so(tmp_path: Path, image: Path) -> None:
    maps = tmp_path / "maps"
    folder = MapFolder(maps, SETTINGS, polygons="polygons")
    finish(folder, "scene", image)
    (maps / "scene_polygons.gpkg").write_text("drawn by hand")
    (maps / "scene_landslides.gpkg").write_text("of another map")
    with pytest.raises(OutputError, match=r"scene_polygons\.gpkg: exists"):
        folder.refuse_overwrite(["scene"], overwrite=False)
    assert folder.write_table() == maps / "polygons.csv"
    assert (maps / "polygons.csv").read_text().startswith("scene,class,polygons,area")
    for name in ("landslides", "polygons"):
        assert polygon_files(maps, name) == {"scene": maps / f"scene_{name}.gpkg"}


@pytest.mark.parametrize("attempt", range(20))
def test_two_runs_in_one_folder_lose_no_scene_of_each_other(
    tmp_path: Path, image: Path, attempt: int
) -> None:
    maps = tmp_path / "maps"
    names = [[f"{run}{number}" for number in range(4)] for run in "ab"]

    def run(own: list[str]) -> None:
        folder = MapFolder(maps, SETTINGS)
        folder.start(PLAN)
        for name in own:
            finish(folder, name, image)
        folder.write_table()

    threads = [threading.Thread(target=run, args=(own,)) for own in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = MapFolder(maps, SETTINGS)
    every = sorted(name for own in names for name in own)
    assert all(known.finished(name, image) is not None for name in every)
    rows = (maps / "landslides.csv").read_text().splitlines()[1:]
    assert sorted({row.split(",")[0] for row in rows}) == every
    assert not list(maps.glob(".*"))


def test_a_scene_that_another_run_maps_is_waited_for_and_then_known(
    tmp_path: Path, image: Path
) -> None:
    maps, reporter = tmp_path / "maps", RecordingReporter()
    first, second = MapFolder(maps, SETTINGS), MapFolder(maps, SETTINGS)
    first.start(PLAN)
    found: list[FinishedScene | None] = []
    is_waiting = threading.Event()

    def wait() -> None:
        with second.mapping("scene", image, reporter, is_waiting.set) as finished:
            found.append(finished)

    with first.mapping("scene", image, reporter, lambda: None) as finished:
        assert finished is None
        thread = threading.Thread(target=wait)
        thread.start()
        assert is_waiting.wait(10)
        finish(first, "scene", image)
    thread.join()
    assert found[0] is not None
    assert found[0].image == image


def test_a_scene_of_the_same_name_that_another_run_has_mapped_is_not_replaced(
    tmp_path: Path, image: Path
) -> None:
    maps = tmp_path / "maps"
    first, second = MapFolder(maps, SETTINGS), MapFolder(maps, SETTINGS)
    finish(first, "scene", image)
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "scene.tif"
    other.write_bytes(b"others")
    with (
        pytest.raises(OutputError, match="is a map of another image"),
        second.mapping("scene", other, RecordingReporter(), lambda: None),
    ):
        pytest.fail("it was mapped")


def finish_layer(folder: MapFolder, name: str, image: Path) -> None:
    finish(folder, name, image, "mask", "gpkg", outputs=Outputs(formats=("gpkg",)))


def made_of(layers: Sequence[Path]) -> bytes:
    return ",".join(layer.name for layer in layers).encode()


def test_inventory_is_made_of_all_scenes_and_left_alone_when_nothing_is_new(
    tmp_path: Path, image: Path
) -> None:
    maps = tmp_path / "maps"
    finish_layer(MapFolder(maps, SETTINGS), "b", image)
    finish(MapFolder(maps, SETTINGS), "without", image)
    assert not MapFolder(maps, SETTINGS).write_inventory(False, False, made_of)
    finish_layer(MapFolder(maps, SETTINGS | {"infer.tile": 32}), "a", image)
    folder = MapFolder(maps, SETTINGS)
    assert folder.write_inventory(merge=False, overwrite=False, make=made_of)
    inventory = maps / "inventory.gpkg"
    assert inventory.read_text() == "a_gpkg.tif,b_gpkg.tif"
    before = inventory.stat().st_mtime_ns
    assert not MapFolder(maps, SETTINGS).write_inventory(False, False, made_of)
    assert inventory.stat().st_mtime_ns == before
    assert folder.write_inventory(merge=True, overwrite=False, make=made_of)
    inventory.unlink()
    assert folder.write_inventory(merge=True, overwrite=False, make=made_of)
    assert inventory.exists()
    assert folder.write_inventory(merge=False, overwrite=False, make=lambda layers: None)
    assert not inventory.exists()
    assert not folder.write_inventory(merge=False, overwrite=False, make=made_of)


@pytest.mark.parametrize("is_own", [True, False])
def test_inventory_that_a_person_has_changed_or_made_is_not_replaced(
    tmp_path: Path, image: Path, is_own: bool
) -> None:
    maps = tmp_path / "maps"
    folder = MapFolder(maps, SETTINGS)
    finish_layer(folder, "a", image)
    finish_layer(folder, "b", image)
    if is_own:
        folder.write_inventory(merge=False, overwrite=False, make=made_of)
    (maps / "inventory.gpkg").write_text("by hand")
    with pytest.raises(OutputError, match=r"inventory\.gpkg: was changed"):
        folder.write_inventory(merge=False, overwrite=False, make=made_of)
    assert (maps / "inventory.gpkg").read_text() == "by hand"
    assert folder.write_inventory(merge=False, overwrite=True, make=made_of)


def test_inventory_of_a_run_that_was_killed_is_made_again(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = tmp_path / "maps"
    folder = MapFolder(maps, SETTINGS)
    finish_layer(folder, "a", image)
    finish_layer(folder, "b", image)
    writes: list[Any] = []

    def dies(path: Path, document: Any) -> None:
        writes.append(document)
        if len(writes) == 2:
            raise KeyboardInterrupt
        write_json(path, document)

    with monkeypatch.context() as patch:
        patch.setattr("landslide_cli.stages.infer.record_file.write_json", dies)
        with pytest.raises(KeyboardInterrupt):
            folder.write_inventory(merge=False, overwrite=False, make=made_of)
    assert (maps / "inventory.gpkg").exists()
    assert MapFolder(maps, SETTINGS).write_inventory(False, False, made_of)
    assert not MapFolder(maps, SETTINGS).write_inventory(False, False, made_of)
