"""What cannot be mapped is said, and the rest is mapped; nothing is left half written."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from landslide_cli.errors import DataError, LandslideError, OutputError
from landslide_cli.imagery.raster.writer import MapWriter
from landslide_cli.profile import Profile
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.infer.result import InferResult

Bright = Callable[..., Profile]
Write = Callable[..., Path]

UTM = {"crs": "EPSG:32648", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)}


@pytest.fixture
def mapped_with(bright: Bright, plant: Write, tmp_path: Path) -> Callable[..., InferResult]:
    """Map what lies in `scenes`, with a sound scene before it and one after it."""

    def mapped(*overrides: str, reporter: Any = None) -> InferResult:
        plant("scenes/a.tif", **UTM)
        plant("scenes/z.tif", **UTM)
        result = infer_tiled(
            bright(*overrides),
            [str(tmp_path / "scenes")],
            output=tmp_path / "maps",
            reporter=reporter,
        )
        assert [mapped.scene for mapped in result.scenes] == ["a", "z"]
        for mapped in result.scenes:
            with rasterio.open(mapped.mask) as dataset:
                assert (dataset.read(1) == 1).sum() == 1800
        left = {path.name.split("_")[0] for path in (tmp_path / "maps").iterdir()}
        assert left == {"a", "z", "infer.json", "inventory.gpkg", "landslides.csv"}
        return result

    return mapped


def only_failure(result: InferResult) -> str:
    (failure,) = result.failed
    assert result.exit_status == 1
    assert result.complaint == failure.reason
    assert failure.scene in failure.reason
    assert len(failure.reason.splitlines()) <= 2
    assert "1 failed" in result.headline()
    # It is the command's error, and said nowhere else.
    assert failure.reason not in str(result.tables())
    assert result.document()["failed"] == [
        {"scene": failure.scene, "image": str(failure.image), "reason": failure.reason}
    ]
    return failure.reason


def test_scene_without_a_band_is_named_and_the_others_are_mapped(
    mapped_with: Callable[..., InferResult], plant: Write, reporter: Any
) -> None:
    plant("scenes/gray.tif", bands=2, photometric="minisblack", **UTM)
    reason = only_failure(mapped_with(reporter=reporter))
    assert "has 2 bands where the profile says bands: 3" in reason
    assert "infer.bands" in reason
    assert reporter.warnings == ["gray is not mapped"]


def test_scene_without_the_band_that_the_profile_chooses_is_named(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    plant("scenes/a.tif", bands=5, photometric="minisblack", **UTM)
    plant("scenes/few.tif", bands=3, **UTM)
    profile = bright("infer.bands=[4, 2, 1]")
    result = infer_tiled(profile, [str(tmp_path / "scenes")], output=tmp_path / "maps")
    assert [mapped.scene for mapped in result.scenes] == ["a"]
    assert "names band 4" in only_failure(result)


def test_corrupt_tile_in_the_middle_of_a_scene_is_found(
    mapped_with: Callable[..., InferResult], tmp_path: Path
) -> None:
    image = np.random.default_rng(1).integers(0, 256, (3, 320, 320), np.uint8)
    path = tmp_path / "scenes" / "hurt.tif"
    path.parent.mkdir()
    with rasterio.open(
        path, "w", "GTiff", 320, 320, 3, dtype="uint8", compress="deflate",
        tiled=True, blockxsize=64, blockysize=64, **UTM,
    ) as dataset:  # fmt: skip
        dataset.write(image)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    path.write_bytes(content)
    reason = only_failure(mapped_with())
    assert "hurt.tif: is damaged or cut short" in reason


def test_scene_that_is_cut_short_is_named(
    mapped_with: Callable[..., InferResult], plant: Write, cut_short: Write
) -> None:
    cut_short(plant("scenes/short.tif", (400, 400), **UTM))
    assert "short.tif: is damaged or cut short" in only_failure(mapped_with())


def test_file_that_is_no_image_is_named(
    mapped_with: Callable[..., InferResult], tmp_path: Path
) -> None:
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "notes.tif").write_text("not a raster")
    assert "notes.tif: is not an image" in only_failure(mapped_with())


def test_values_outside_the_range_are_named_and_never_clipped(
    mapped_with: Callable[..., InferResult], write_raster: Write
) -> None:
    write_raster("scenes/wild.tif", np.full((96, 160, 3), 4000, np.uint16), **UTM)
    reason = only_failure(mapped_with("source.value_range=[0, 255]"))
    assert "outside source.value_range" in reason


def test_float_scene_needs_to_be_told_its_range(
    mapped_with: Callable[..., InferResult], write_raster: Write
) -> None:
    write_raster("scenes/real.tif", np.full((96, 160, 3), 0.5, np.float32), **UTM)
    assert "source.value_range" in only_failure(mapped_with())


@pytest.mark.parametrize(
    "ground",
    [{}, {"transform": Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)}],
    ids=["nothing", "no CRS"],
)
def test_gsd_asks_for_a_georeference(
    mapped_with: Callable[..., InferResult], plant: Write, ground: dict[str, Any]
) -> None:
    plant("scenes/lost.tif", **ground)
    reason = only_failure(mapped_with("infer.gsd=0.5002"))
    assert "has no georeference" in reason
    assert "infer.scale" in reason


def test_gsd_far_from_the_scenes_own_is_a_mistake_in_the_units(
    mapped_with: Callable[..., InferResult], plant: Write
) -> None:
    plant("scenes/far.tif", crs="EPSG:32648", transform=Affine(5000, 0, 5e5, 0, -5000, 3.4e6))
    assert "too far from the model's, 0.5 m" in only_failure(mapped_with("infer.gsd=0.5002"))


def test_georeference_off_the_earth_is_named(
    mapped_with: Callable[..., InferResult], plant: Write
) -> None:
    plant("scenes/off.tif", crs="EPSG:4326", transform=Affine(0.5, 0, 300, 0, -0.5, 3_400))
    assert "places nothing on the Earth" in only_failure(mapped_with())


def test_several_failures_are_all_named(bright: Bright, plant: Write, tmp_path: Path) -> None:
    for name in ("p", "q"):
        plant(f"scenes/{name}.tif", bands=2, photometric="minisblack")
    result = infer_tiled(bright(), [str(tmp_path / "scenes")], output=tmp_path / "maps")
    assert (result.exit_status, result.scenes, result.table) == (1, [], None)
    assert [failure.scene for failure in result.failed] == ["p", "q"]
    assert result.complaint is not None
    first, *reasons = result.complaint.splitlines()
    assert first == "2 of 2 scenes could not be mapped:"
    assert [Path(reason.split(":")[0]).name for reason in reasons] == ["p.tif", "q.tif"]


def test_scene_that_failed_is_mapped_when_it_is_mended(
    mapped_with: Callable[..., InferResult],
    bright: Bright,
    plant: Write,
    tmp_path: Path,
) -> None:
    plant("scenes/m.tif", bands=2, photometric="minisblack", **UTM)
    only_failure(mapped_with())
    plant("scenes/m.tif", **UTM)
    result = infer_tiled(bright(), [str(tmp_path / "scenes")], output=tmp_path / "maps")
    assert {mapped.scene: mapped.unchanged for mapped in result.scenes} == {
        "a": True, "m": False, "z": True
    }  # fmt: skip
    assert result.exit_status == 0


@pytest.mark.parametrize(
    ("below", "said"),
    [("/proc/maps/here", "infer.json: cannot be written: "), ("file/maps", "file: is a file, and")],
)
def test_folder_that_cannot_be_made_is_said(
    bright: Bright, plant: Write, tmp_path: Path, below: str, said: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    scene = plant("a.tif")
    with pytest.raises(OutputError, match=said):
        infer_tiled(bright(), [str(scene)], output=tmp_path / below)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "file"]


def test_folder_in_the_way_of_a_map_is_said_and_the_other_scenes_are_mapped(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    for name in "ab":
        plant(f"scenes/{name}.tif")
    (tmp_path / "maps" / "a_mask.tif").mkdir(parents=True)
    result = infer_tiled(bright(), [str(tmp_path / "scenes")], output=tmp_path / "maps")
    assert [mapped.scene for mapped in result.scenes] == ["b"]
    (failure,) = result.failed
    assert failure.scene == "a"
    assert "cannot be written" in failure.reason
    assert not [path for path in (tmp_path / "maps").iterdir() if path.name.startswith(".")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("mounting a small file system takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def noise(side: int) -> NDArray[np.uint8]:
    return np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)


def test_full_disk_is_said_and_leaves_nothing_half_written(
    bright: Bright, plant: Write, write_raster: Write, tmp_path: Path, small_disk: Path
) -> None:
    plant("scenes/a.tif", **UTM)
    write_raster("scenes/large.tif", noise(1100), **UTM)
    plant("scenes/z.tif", **UTM)
    profile = bright("infer.probability=float32", "infer.min_area=1000")
    scenes, maps = [str(tmp_path / "scenes")], small_disk / "maps"
    result = infer_tiled(profile, scenes, output=maps)
    assert "large" in {failure.scene for failure in result.failed}
    for failure in result.failed:
        assert "free some space" in failure.reason
    assert not [path for path in maps.iterdir() if path.name.startswith((".", "large"))]
    for scene in result.scenes:
        for path in (scene.mask, scene.files["probability"]):
            with rasterio.open(path) as dataset:
                dataset.read(1)
    # The scenes beside it may have met the full disk, too; with space they are mapped.
    (tmp_path / "scenes" / "large.tif").unlink()
    again = infer_tiled(profile, scenes, output=maps)
    assert [mapped.scene for mapped in again.scenes] == ["a", "z"]
    assert again.exit_status == 0


def test_disk_that_is_full_at_the_first_write_is_said(
    bright: Bright, plant: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    scene = plant("a.tif")
    monkeypatch.setattr(MapWriter, "write", full)
    result = infer_tiled(bright(), [str(scene)], output=tmp_path / "maps")
    assert "No space left" in result.failed[0].reason
    assert "free some space" in result.failed[0].reason
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["infer.json"]


def test_scene_that_memory_is_too_short_for_stops_no_other(
    mapped_with: Callable[..., InferResult], plant: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = MapWriter.write

    def short_of_memory(self: MapWriter, row_off: int, col_off: int, values: Any) -> None:
        if values.shape[1] == 333:
            raise MemoryError
        write(self, row_off, col_off, values)

    plant("scenes/large.tif", (40, 333), **UTM)
    monkeypatch.setattr(MapWriter, "write", short_of_memory)
    assert "large.tif: out of memory" in only_failure(mapped_with())


def test_folder_whose_name_is_not_utf8_is_refused(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"Fl\xe4che")
    with pytest.raises(OutputError, match=r"Fl\\xe4che: its name is not UTF-8"):
        infer_tiled(bright(), [str(plant("a.tif"))], output=folder)
    assert not folder.exists()


def test_name_that_is_too_long_for_its_maps_stops_no_other(
    mapped_with: Callable[..., InferResult], plant: Write
) -> None:
    plant(f"scenes/{'m' * 250}.tif", **UTM)
    assert "shorter name" in only_failure(mapped_with())


def test_bug_is_not_taken_for_a_scene_that_failed(
    bright: Bright, plant: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError

    for name in "ab":
        plant(f"scenes/{name}.tif")
    monkeypatch.setattr(MapWriter, "write", broken)
    with pytest.raises(ZeroDivisionError):
        infer_tiled(bright(), [str(tmp_path / "scenes")], output=tmp_path / "maps")
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["infer.json"]


def test_files_that_another_program_wrote_are_kept(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    scene, maps = plant("a.tif"), tmp_path / "maps"
    maps.mkdir()
    for suffix in ("_mask.tif", "_mask.png", "_probability.tif", "_landslides.gpkg"):
        path = maps / f"a{suffix}"
        path.write_text("drawn by hand")
        with pytest.raises(OutputError, match="--overwrite"):
            infer_tiled(bright(), [str(scene)], output=maps)
        assert path.read_text() == "drawn by hand"
        assert [entry.name for entry in maps.iterdir()] == [path.name]
        path.unlink()


def test_foreign_files_are_replaced_when_asked_to(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    scene, maps = plant("a.tif"), tmp_path / "maps"
    maps.mkdir()
    (maps / "a_mask.tif").write_text("drawn by hand")
    (maps / "b_mask.tif").write_text("of another scene")
    result = infer_tiled(bright(), [str(scene)], output=maps, overwrite=True)
    with rasterio.open(result.scenes[0].mask) as dataset:
        assert (dataset.read(1) == 1).sum() == 1800
    assert (maps / "b_mask.tif").read_text() == "of another scene"


@pytest.mark.parametrize("how", ["edited", "touched"])
def test_map_that_was_edited_since_is_kept_unless_told_otherwise(
    bright: Bright, plant: Write, tmp_path: Path, how: str
) -> None:
    scene, maps = plant("a.tif"), tmp_path / "maps"
    (mapped,) = infer_tiled(bright(), [str(scene)], output=maps).scenes
    polygons = mapped.files["polygons"]
    if how == "edited":
        polygons.write_bytes(polygons.read_bytes() + b"corrected")
    else:
        os.utime(polygons, ns=(0, 10**18))
    edited = polygons.read_bytes()
    with pytest.raises(LandslideError, match=r"a_landslides\.gpkg"):
        infer_tiled(bright(), [str(scene)], output=maps)
    assert polygons.read_bytes() == edited
    result = infer_tiled(bright(), [str(scene)], output=maps, overwrite=True)
    assert not result.scenes[0].unchanged
    if how == "edited":
        assert polygons.read_bytes() != edited


def test_record_that_cannot_be_read_is_said(bright: Bright, plant: Write, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "infer.json").write_text("{")
    with pytest.raises(DataError, match=r"infer\.json: cannot be read"):
        infer_tiled(bright(), [str(plant("a.tif"))], output=tmp_path / "maps")
