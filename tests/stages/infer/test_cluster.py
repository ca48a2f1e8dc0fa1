"""A Dask cluster maps as one machine alone would, whatever becomes of its workers."""

import builtins
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from landslide_cli.core.tiling.grid import Window
from landslide_cli.core.tiling.layout import Layout
from landslide_cli.errors import UsageError
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.stages.infer import cluster, infer_tiled
from landslide_cli.stages.infer.cluster import ClusterMapper
from landslide_cli.stages.infer.mapper import Recipe
from landslide_cli.stages.infer.result import InferResult
from tests.stages.infer.cases import ContentOf, maps_in

Bright = Callable[..., Profile]
Write = Callable[..., Path]

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.processes


@pytest.fixture
def scenes(write_raster: Write, tmp_path: Path) -> Path:
    """Three scenes: one that makes many blocks, one with gaps, and a small one."""
    for name, shape in (("large", (310, 420)), ("gaps", (150, 200)), ("small", (40, 50))):
        rng = np.random.default_rng(len(name))
        rows, cols = np.mgrid[: shape[0], : shape[1]]
        waves = sum(np.sin(rows / rng.uniform(5, 20) + cols / rng.uniform(5, 20)) for _ in range(4))
        image = np.clip(127 + 60 * np.asarray(waves), 1, 255).astype(np.uint8)
        if name == "gaps":
            image[30:120, 70:] = 0
        write_raster(
            f"scenes/{name}.tif",
            np.repeat(image[..., None], 3, axis=-1),
            nodata=0,
            crs="EPSG:32648",
            transform=(0.5, 0, 5e5, 0, -0.5, 3.4e6),
        )
    return tmp_path / "scenes"


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> list[Window]:
    """Blocks of about a hundred pixels, collected here; workers are told which part to map."""
    made: list[Window] = []

    class SmallBlocks(ClusterMapper):
        def __init__(self, recipe: Recipe, scheduler: str, reporter: Reporter) -> None:
            super().__init__(recipe, scheduler, reporter, least_side=96, least_windows=1)

        def blocks(self, layout: Layout) -> list[Window]:
            blocks = super().blocks(layout)
            made.extend(block for block in blocks if block not in made)
            return blocks

    monkeypatch.setattr(cluster, "ClusterMapper", SmallBlocks)
    return made


@pytest.fixture(scope="module")
def running_cluster() -> Iterator[str]:
    """The address of a cluster of two workers that somebody started."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        memory_limit=None,
        silence_logs=logging.CRITICAL,
    ) as started:
        yield started.scheduler_address


@pytest.mark.parametrize(
    ("scheduler", "probability"), [("local:2", "none"), ("running cluster", "float32")]
)
def test_two_workers_make_the_same_bytes_as_one_process(
    bright: Bright,
    scenes: Path,
    small_blocks: list[Window],
    tmp_path: Path,
    content_of: ContentOf,
    reporter: Any,
    request: pytest.FixtureRequest,
    scheduler: str,
    probability: str,
) -> None:
    if scheduler == "running cluster":
        scheduler = request.getfixturevalue("running_cluster")
    before = workers()
    # A scale makes blocks look beyond themselves, to be resized.
    profile = bright("infer.scale=0.75", f"infer.probability={probability}")
    infer_tiled(profile, [str(scenes)], output=tmp_path / "alone")
    result = infer_tiled(
        profile,
        [str(scenes)],
        output=tmp_path / "spread",
        scheduler=scheduler,
        reporter=reporter,
    )
    assert result.exit_status == 0
    assert f"2 workers at {scheduler}" in reporter.notes
    assert len(small_blocks) >= 12
    assert {block.col_off > 0 for block in small_blocks} == {False, True}
    assert result.model_seconds > 0.0
    alone, spread = (maps_in(tmp_path / name, content_of) for name in ("alone", "spread"))
    assert alone.keys() == spread.keys()
    assert [name for name in alone if alone[name] != spread[name]] == []
    # Its own workers are gone, those of the running cluster are still there.
    assert workers() == before


def test_values_cut_off_on_workers_are_told(
    bright: Bright, scenes: Path, tmp_path: Path, reporter: Any, running_cluster: str
) -> None:
    profile = bright("bands=[{name: red, range: [0, 127]}, {name: green}, {name: blue}]")
    scene = str(scenes / "small.tif")
    infer_tiled(profile, [scene], output=tmp_path / "alone", reporter=reporter)
    (said,) = [note for note in reporter.notes if "cut off" in note]
    infer_tiled(
        profile, [scene], output=tmp_path / "spread", reporter=reporter, scheduler=running_cluster
    )
    assert [note for note in reporter.notes if "cut off" in note] == [said] * 2


def workers() -> set[int]:
    """Return the processes of workers below this one."""
    return {
        child.pid
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline())
    }


class Killing:
    """A reporter that kills a worker when the first block comes back."""

    def __init__(self, reporter: Any) -> None:
        self._reporter = reporter
        self.killed: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reporter, name)

    def track(self, description: str, total: float, unit: str = "") -> Any:
        tracked = self._reporter.track(description, total, unit)
        advance = tracked.enter_result

        def killing(amount: float = 1.0, *, name: str | None = None) -> None:
            advance(amount, name=name)
            if not self.killed:
                self.killed.append(min(workers()))
                os.kill(self.killed[0], signal.SIGKILL)

        tracked.enter_result = killing
        return tracked


def test_blocks_of_a_worker_that_is_killed_are_done_by_another(
    bright: Bright,
    scenes: Path,
    small_blocks: list[Window],
    tmp_path: Path,
    content_of: ContentOf,
    reporter: Any,
    running_cluster: str,
) -> None:
    profile = bright("infer.tta=flips", "infer.tile=32", "infer.overlap=8")
    infer_tiled(profile, [str(scenes)], output=tmp_path / "alone")
    killing = Killing(reporter)
    result = infer_tiled(
        profile,
        [str(scenes)],
        output=tmp_path / "spread",
        scheduler=running_cluster,
        reporter=killing,
    )
    assert len(killing.killed) == 1
    assert result.exit_status == 0
    assert len(result.scenes) == 3
    assert maps_in(tmp_path / "spread", content_of) == maps_in(tmp_path / "alone", content_of)


def test_block_that_kills_every_worker_is_given_up(
    bright: Bright, plant: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(*arguments: object) -> None:
        os._exit(1)

    import dask

    monkeypatch.setattr(cluster, "_map_block", deadly)
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        result = infer_tiled(
            bright(), [str(plant("a.tif"))], output=tmp_path / "maps", scheduler="local:1"
        )
    (failure,) = result.failed
    assert "a.tif: workers were killed" in failure.reason
    assert "infer.memory" in failure.reason
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["infer.json"]


def test_scene_that_a_worker_cannot_read_fails_alone(
    bright: Bright, plant: Write, cut_short: Write, tmp_path: Path, running_cluster: str
) -> None:
    plant("scenes/a.tif")
    cut_short(plant("scenes/b.tif", (300, 300)))
    result = infer_tiled(
        bright(), [str(tmp_path / "scenes")], output=tmp_path / "maps", scheduler=running_cluster
    )
    assert [mapped.scene for mapped in result.scenes] == ["a"]
    assert "b.tif: is damaged" in result.failed[0].reason
    assert result.exit_status == 1


def infer_with(scheduler: str, profile: Profile, scene: Path, output: Path) -> InferResult:
    return infer_tiled(profile, [str(scene)], output=output, scheduler=scheduler)


@pytest.mark.parametrize(
    "address", ["local:x", "local:0", "local:", "local:-2", "nowhere", "ftp://127.0.0.1:1"]
)
def test_wrong_address_is_said_with_a_right_one(
    bright: Bright, plant: Write, tmp_path: Path, address: str, quick_connection: None
) -> None:
    with pytest.raises(UsageError, match="local:2"):
        infer_with(address, bright(), plant("a.tif"), tmp_path / "maps")


@pytest.fixture
def quick_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon where nobody answers."""
    client = distributed.Client

    def impatient(address: Any, timeout: float = 0) -> Any:
        return client(address, timeout=0.5)

    monkeypatch.setattr(distributed, "Client", impatient)


def test_scheduler_that_does_not_answer_is_said(
    bright: Bright, plant: Write, tmp_path: Path, quick_connection: None
) -> None:
    with pytest.raises(UsageError, match=r"tcp://127\.0\.0\.1:1: no Dask scheduler answers"):
        infer_with("tcp://127.0.0.1:1", bright(), plant("a.tif"), tmp_path / "maps")


def test_missing_dask_is_said_with_how_to_install_it(
    bright: Bright, plant: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = builtins.__import__

    def without_dask(name: str, *arguments: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "distributed":
            raise ModuleNotFoundError(name)
        return ordinary(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_dask)
    with pytest.raises(UsageError, match=r"landslide-cli\[cluster\]"):
        infer_with("local:2", bright(), plant("a.tif"), tmp_path / "maps")
