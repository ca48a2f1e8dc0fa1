"""A run that was stopped goes on to the maps of an undisturbed one."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.profile import Profile
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.infer.result import InferResult
from tests.stages.infer.cases import ContentOf, maps_in

Bright = Callable[..., Profile]
Write = Callable[..., Path]


def test_ctrl_c_leaves_no_scratch_and_a_record_to_go_on_from(
    bright: Bright, plant: Write, tmp_path: Path, reporter: Any, content_of: ContentOf
) -> None:
    for name in "abcdef":
        plant(f"scenes/{name}.tif", (200, 300))
    scenes = [str(tmp_path / "scenes")]
    profile = bright("infer.tile=32", "infer.overlap=8", "infer.probability=float32")
    reporter.interrupt_after = 300  # in the third scene, of 117 windows each
    with pytest.raises(KeyboardInterrupt):
        infer_tiled(profile, scenes, output=tmp_path / "maps", reporter=reporter)
    names = {path.name for path in (tmp_path / "maps").iterdir()}
    assert not [name for name in names if name.startswith(".")]
    assert MAPS_RECORD in names
    finished = {name.removesuffix("_mask.tif") for name in names if name.endswith("_mask.tif")}
    assert len(finished) < 6
    result = infer_tiled(profile, scenes, output=tmp_path / "maps")
    assert {mapped.scene for mapped in result.scenes if mapped.unchanged} == finished
    infer_tiled(profile, scenes, output=tmp_path / "undisturbed")
    assert maps_in(tmp_path / "maps", content_of) == maps_in(tmp_path / "undisturbed", content_of)


@pytest.fixture
def many_scenes(write_raster: Write, tmp_path: Path) -> Path:
    """Six scenes that take a tenth of a second each."""
    for number in range(6):
        rng = np.random.default_rng(number)
        rows, cols = np.mgrid[:300, :350]
        waves = sum(np.sin(rows / rng.uniform(9, 30) + cols / rng.uniform(9, 30)) for _ in range(4))
        image = np.clip(127 + 60 * np.asarray(waves), 0, 255).astype(np.uint8)
        write_raster(
            f"scenes/s{number}.tif",
            np.repeat(image[..., None], 3, axis=-1),
            crs="EPSG:32648",
            transform=(0.5, 0, 5e5 + 400 * number, 0, -0.5, 3.4e6),
        )
    return tmp_path / "scenes"


class Watch:
    """Opens every map that appears, as long as the program that writes them is at work."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.damaged: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()
        self.look()

    def look(self) -> None:
        for path in self._folder.glob("*.tif"):
            try:
                with rasterio.open(path) as dataset:
                    dataset.read(1)
            except rasterio.errors.RasterioError as error:
                self.damaged.append(f"{path.name}: {error}")

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            self.look()


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "a scene is begun": lambda maps: any(maps.glob(".*.partial")),
    "a map has its name": lambda maps: any(maps.glob("*.tif")),
    "two scenes are finished": lambda maps: len(list(maps.glob("*_mask.tif"))) >= 2,
}


@pytest.mark.processes
def test_run_that_was_killed_goes_on_to_the_maps_of_an_undisturbed_one(
    bright: Bright,
    bright_folder: Path,
    many_scenes: Path,
    tmp_path: Path,
    content_of: ContentOf,
) -> None:
    overrides = ("infer.probability=percent", "infer.tta=flips", "infer.min_area=20")
    maps = tmp_path / "maps"
    for moment in MOMENTS.values():
        shutil.rmtree(maps, ignore_errors=True)
        with Watch(maps) as watch:
            kill_when(moment, bright_folder / "profile.yaml", many_scenes, maps, overrides)
        assert watch.damaged == []
        finished = scenes_on_record(maps)
        times = {path.name: path.stat().st_mtime_ns for path in maps.glob("s*_*")}
        result = run(bright(*overrides), many_scenes, maps)
        assert {mapped.scene for mapped in result.scenes if mapped.unchanged} == finished
        assert len(finished) < 6
        for mapped in result.scenes:
            for path in mapped.files.values():
                assert not mapped.unchanged or path.stat().st_mtime_ns == times[path.name]
        if not (tmp_path / "undisturbed").exists():
            run(bright(*overrides), many_scenes, tmp_path / "undisturbed")
        content = maps_in(maps, content_of)
        assert content == maps_in(tmp_path / "undisturbed", content_of)


def run(profile: Profile, scenes: Path, maps: Path) -> InferResult:
    result = infer_tiled(profile, [str(scenes)], output=maps)
    assert result.exit_status == 0
    assert len(result.scenes) == 6
    return result


def scenes_on_record(maps: Path) -> set[str]:
    return set(json.loads((maps / MAPS_RECORD).read_text(encoding="utf-8"))["scenes"])


def kill_when(
    moment: Callable[[Path], bool],
    profile: Path,
    scenes: Path,
    maps: Path,
    overrides: tuple[str, ...],
) -> None:
    command = [sys.executable, "-m", "landslide_cli", "infer-tiled", str(profile), str(scenes)]
    sets = [part for override in overrides for part in ("--set", override)]
    process = subprocess.Popen(
        [*command, "--output", str(maps), "--quiet", *sets], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not moment(maps):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
