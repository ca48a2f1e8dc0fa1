"""Mapping several scenes at once: while one is predicted, others are read and written."""

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

from landslide_cli.core.tiling.layout import Layout
from landslide_cli.errors import LandslideError, counted
from landslide_cli.imagery.pictures import Reduced
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.reporting import Advance, Reporter
from landslide_cli.runs.scales import SceneScale, report_scales, scale_of
from landslide_cli.stages.infer.folder import MapFolder
from landslide_cli.stages.infer.making import make_maps
from landslide_cli.stages.infer.mapper import Band, Mapper, Recipe, Stopped
from landslide_cli.stages.infer.result import FailedScene, reason_of
from landslide_cli.stages.infer.scenes import SceneFile

# While a scene is predicted, the next is read and the previous one is written.
_SCENES_AT_ONCE = 3


@dataclass(frozen=True)
class _Job:
    """A scene to be mapped, laid out by its header; `windows` is the work it takes.

    `title` names it in the progress.
    """

    scene: SceneFile
    layout: Layout
    scale: SceneScale
    windows: int
    title: str

    @property
    def megapixels(self) -> float:
        """Size of the scene."""
        return self.layout.height * self.layout.width / 1e6


def map_scenes(
    mapper: Mapper,
    recipe: Recipe,
    scenes: Sequence[SceneFile],
    folder: MapFolder,
    reporter: Reporter,
) -> list[FailedScene]:
    """Map scenes, and record each when it is finished.

    Args:
        mapper: runs the model.
        recipe: of the maps.
        scenes: those to map.
        folder: of the maps.
        reporter: shown the progress, and warned of scenes that fail.

    Returns:
        Those that failed, in the order of the scenes.
    """
    failed: dict[SceneFile, FailedScene] = {}

    def fail(scene: SceneFile, error: Exception) -> None:
        failed[scene] = FailedScene(scene.name, scene.image, reason_of(error, scene.image))
        # The command ends with the reasons, and there is nothing to wait for with a single scene.
        if len(scenes) > 1:
            reporter.warn(f"{scene.name} is not mapped")

    with mapper:
        with reporter.working("reading headers"):
            jobs = _jobs(mapper, recipe, scenes, fail)
        report_scales({job.scene.name: job.scale for job in jobs}, reporter)
        title = jobs[0].title if len(jobs) == 1 else f"mapping {counted(len(jobs), 'scene')}"
        megapixels = sum(job.megapixels for job in jobs)
        with (
            reporter.track(title, megapixels, "Mpx") as advance,
            _in_threads(mapper) as submit,
        ):
            step = _thread_safe(advance)
            futures = {
                submit(_map, mapper, recipe, job, folder, step, reporter): job for job in jobs
            }
            for future in as_completed(futures):
                try:
                    future.result()
                except (LandslideError, OSError) as error:
                    fail(futures[future].scene, error)
                except MemoryError:
                    scene = futures[future].scene
                    remedy = "set infer.memory to less than is free"
                    fail(scene, LandslideError(f"{scene.image}: out of memory; {remedy}"))
    return [failed[scene] for scene in scenes if scene in failed]


@contextmanager
def _in_threads(mapper: Mapper) -> Iterator[Callable[..., Future[None]]]:
    """Yield a function that submits work to a few threads; an error in the context stops them."""
    with ThreadPoolExecutor(_SCENES_AT_ONCE) as pool:
        try:
            yield pool.submit
        except BaseException:
            mapper.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _thread_safe(advance: Advance) -> Advance:
    lock = threading.Lock()

    def locked(amount: float = 1.0, *, name: str | None = None) -> None:
        with lock:
            advance(amount, name=name)

    return locked


def _jobs(
    mapper: Mapper,
    recipe: Recipe,
    scenes: Sequence[SceneFile],
    fail: Callable[[SceneFile, Exception], None],
) -> list[_Job]:
    """Read the scenes' headers, once each, and begin to compile the model for the first."""
    jobs: list[_Job] = []
    for number, file in enumerate(scenes, start=1):
        try:
            with recipe.opened(file.image) as scene:
                layout = recipe.plan.layout(scene)
                scale = scale_of(scene, recipe.run.preprocessing_of(file.image))
        except (LandslideError, OSError) as error:
            fail(file, error)
            continue
        windows = sum(layout.windows(block) for block in mapper.blocks(layout))
        title = f"scene {number} of {len(scenes)}: {file.name}"
        if len(scenes) == 1:
            title = f"mapping {file.name}"
        jobs.append(_Job(file, layout, scale, windows, title))
    if jobs:
        mapper.prepare(jobs[0].layout)
    return jobs


def _map(
    mapper: Mapper,
    recipe: Recipe,
    job: _Job,
    folder: MapFolder,
    advance: Advance,
    reporter: Reporter,
) -> None:
    """Map a scene, unless another run is doing so: then wait for that."""
    counter, scene = _Counter(job, advance), job.scene

    def bands_of(reader: SceneReader, picture: Reduced) -> Generator[Band]:
        return mapper.bands(scene.image, reader, job.layout, picture, counter.step)

    try:
        with folder.mapping(scene.name, scene.image, reporter, mapper.check) as finished:
            if finished is None:
                make_maps(recipe, scene, job.scale, folder, bands_of)
    except Stopped:
        return
    finally:
        counter.finish()


class _Counter:
    """Advances the progress by a scene's megapixels, a window's share at a time.

    At the end all are done, even if some windows were not needed.
    """

    def __init__(self, job: _Job, advance: Advance) -> None:
        self._title, self._advance = job.title, advance
        self._left, self._share = job.windows, job.megapixels / max(1, job.windows)

    def step(self, windows: int) -> None:
        windows = min(windows, self._left)
        self._left -= windows
        self._advance(windows * self._share, name=self._title)

    def finish(self) -> None:
        if self._left > 0:
            self._advance(self._left * self._share)
