"""`landslide infer-tiled`: whole scenes of any size to georeferenced maps."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landslide_cli.core.layout import Layout
from landslide_cli.errors import DataError, LandslideError
from landslide_cli.imagery.reader import SceneReader
from landslide_cli.imagery.scenes import find_files
from landslide_cli.outputs import scratch_folder
from landslide_cli.profile import Profile
from landslide_cli.reporting import Advance, Reporter, SilentReporter
from landslide_cli.stages.conversion import fingerprint_of
from landslide_cli.stages.infer_result import FailedScene, InferResult, MappedScene
from landslide_cli.stages.map_folder import FinishedScene, MapFolder
from landslide_cli.stages.mapping import Mapper, Recipe, Stopped
from landslide_cli.stages.planning import make_plan
from landslide_cli.stages.runs import Run, check_fold, find_run, run_home
from landslide_cli.stages.samples import scene_names
from landslide_cli.stages.scene_maps import SUFFIXES, SceneFacts, SceneMaps
from landslide_cli.stages.sources import labelled_scenes_of, palette_of

# While one scene has the model, the next is read and the one before is finished.
_AT_ONCE = 3

# What a scene's maps do not depend on.
_IMMATERIAL = ("infer.scenes", "infer.output", "infer.memory")


@dataclass(frozen=True)
class _Job:
    """A scene to be mapped; `windows` is 0 if its header could not be read."""

    name: str
    image: Path
    windows: int


def infer_tiled(
    profile: Profile,
    scenes: Sequence[str] = (),
    *,
    output: Path | None = None,
    probability: bool = False,
    scheduler: str | None = None,
    limit: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> InferResult:
    """Map whole scenes of any size with the profile's trained model.

    Scenes that were mapped before from the same image, settings and model are left as they are. A
    scene that fails is reported in the result, and the others are mapped nevertheless.

    Args:
        profile: its `infer`, `classes`, `bands` and `run` are used.
        scenes: files, folders or globs. Default: `infer.scenes`, or else the source's scenes in the
            test part, or all of them where there is no split.
        output: folder of the results. Default: `infer.output`, or else `<run>/infer`.
        probability: write the foreground's probability too, in per cent unless the profile says
            otherwise.
        scheduler: address of a Dask scheduler to spread the work over, or `local:N` for N processes
            on this machine.
        limit: take only the first scenes.
        overwrite: map all scenes again, and replace files that another program wrote.
        reporter: shown the progress.

    Raises:
        UsageError: the dataset is split into folds and the profile names none; or the windows or
            the scheduler cannot be as asked for.
        ModelError: there is no model that fits.
        DataError: there are no scenes.
        OutputError: the folder cannot be written, or files in it are not this program's.
    """
    reporter = reporter or SilentReporter()
    check_fold(profile)
    if probability and profile.infer.probability == "none":
        infer = profile.infer.model_copy(update={"probability": "percent"})
        profile = profile.model_copy(update={"infer": infer})
    run = find_run(profile)
    if run.is_packaged:
        reporter.note(f"no model in {profile.run_folder}: mapping with the packaged one")
    images = _images(profile, scenes or profile.infer.scenes)[:limit]
    threshold = profile.infer.threshold or run.threshold
    fingerprint = fingerprint_of(run.file, run.home)
    folder = MapFolder(
        output or maps_folder(profile), _made_from(profile, run, threshold, fingerprint)
    )
    names = [image.stem for image in images]
    folder.refuse_foreign(names, overwrite)
    if overwrite:
        folder.forget(names)
    done = {image.stem: folder.finished(image.stem, image) for image in images}
    left = [image for image in images if done[image.stem] is None]
    plan = folder.plan or make_plan(profile, run, left, threshold, reporter)
    recipe = Recipe(profile, run, plan, threshold, fingerprint)
    mapper = _mapper(recipe, scheduler, reporter) if left else None
    folder.start(plan)
    jobs = _jobs(mapper, left) if mapper else []
    began = time.monotonic()
    failed = _map_all(mapper, jobs, folder, reporter) if mapper else []
    seconds = time.monotonic() - began
    mapped = [
        _mapped(image, folder, finished, unchanged=done[image.stem] is not None)
        for image in images
        if (finished := folder.finished(image.stem, image)) is not None
    ]
    return InferResult(
        folder=folder.folder,
        table=folder.write_table() if mapped else None,
        scenes=mapped,
        failed=failed,
        plan=plan,
        scale=profile.infer.scale or run.scale,
        threshold=threshold,
        model=fingerprint,
        seconds=seconds,
        model_seconds=mapper.seconds if mapper else 0.0,
    )


def maps_folder(profile: Profile) -> Path:
    """Return where the maps lie unless the command line says otherwise."""
    return profile.infer.output or run_home(profile) / "infer"


def mask_path(folder: Path, scene: str) -> Path:
    """Return where a scene's mask lies in the folder of the maps."""
    return folder / f"{scene}{SUFFIXES['mask']}"


def _made_from(
    profile: Profile, run: Run, threshold: float | None, fingerprint: str
) -> dict[str, Any]:
    settings = profile.settings("infer", "classes", "bands", "source.value_range")
    chosen = {key: value for key, value in settings.items() if key not in _IMMATERIAL}
    return chosen | {"threshold": threshold, "scale": run.scale, "model": fingerprint}


def _mapper(recipe: Recipe, scheduler: str | None, reporter: Reporter) -> Mapper:
    if scheduler is None:
        return Mapper(recipe, reporter)
    from landslide_cli.stages.cluster import ClusterMapper

    return ClusterMapper(recipe, scheduler, reporter)


def _map_all(
    mapper: Mapper,
    jobs: Sequence[_Job],
    folder: MapFolder,
    reporter: Reporter,
) -> list[FailedScene]:
    """Map the scenes, a few at a time; return those that failed, in order."""
    failed: dict[str, FailedScene] = {}
    with (
        reporter.track(f"mapping {len(jobs)} scenes", sum(job.windows for job in jobs)) as advance,
        _in_threads(mapper) as submit,
    ):
        step = _one_at_a_time(advance)
        futures = {submit(_map, mapper, job, folder, step): job for job in jobs}
        for future in as_completed(futures):
            job = futures[future]
            try:
                future.result()
            except (LandslideError, OSError) as error:
                failed[job.name] = FailedScene(job.name, job.image, str(error))
                reporter.warn(f"{job.name} is not mapped: {' '.join(str(error).split())}")
    return [failed[job.name] for job in jobs if job.name in failed]


@contextmanager
def _in_threads(mapper: Mapper) -> Iterator[Callable[..., Future[None]]]:
    """Yield what gives work to a few threads; whatever ends the context early ends them too."""
    with mapper, ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            yield pool.submit
        except BaseException:
            mapper.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _one_at_a_time(advance: Advance) -> Advance:
    lock = threading.Lock()

    def locked() -> None:
        with lock:
            advance()

    return locked


def _jobs(mapper: Mapper, images: Sequence[Path]) -> list[_Job]:
    """Look at the scenes' headers, and have the model ready for the first."""
    layouts = [_layout(mapper, image) for image in images]
    first = next((layout for layout in layouts if layout is not None), None)
    if first is not None:
        mapper.prepare(first)
    windows = [
        0 if layout is None else sum(layout.windows(block) for block in mapper.blocks(layout))
        for layout in layouts
    ]
    return [_Job(image.stem, image, count) for image, count in zip(images, windows, strict=True)]


def _layout(mapper: Mapper, image: Path) -> Layout | None:
    """Lay out a scene; None if it cannot be read, which is reported when its turn comes."""
    try:
        with SceneReader(image, mapper.recipe.reading) as scene:
            return mapper.recipe.layout(image, scene)
    except LandslideError:
        return None


def _map(mapper: Mapper, job: _Job, folder: MapFolder, advance: Advance) -> None:
    """Map one scene: windows to bands, bands to files, and the files into the folder."""
    profile, left = mapper.recipe.profile, _Counter(job.windows, advance)
    try:
        with scratch_folder(folder.folder / job.name) as scratch:
            with SceneReader(job.image, mapper.recipe.reading) as scene:
                layout = mapper.recipe.layout(job.image, scene)
                facts = SceneFacts.of(job.image, scene, mapper.recipe.fingerprint)
                maps = SceneMaps(scratch, facts, palette_of(profile), profile.infer)
                with maps:
                    for band in mapper.bands(job.image, scene, layout, maps.picture, left.step):
                        maps.add(band)
            finished = FinishedScene(job.image, facts.width, facts.height, maps.finish())
            folder.finish(job.name, job.image, scratch, finished)
    except Stopped:
        return
    finally:
        left.finish()


class _Counter:
    """Advances the progress by a scene's windows, whether they were all needed or not."""

    def __init__(self, total: int, advance: Advance) -> None:
        self._left, self._advance = total, advance

    def step(self) -> None:
        if self._left > 0:
            self._left -= 1
            self._advance()

    def finish(self) -> None:
        while self._left > 0:
            self.step()


def _mapped(
    image: Path, folder: MapFolder, finished: FinishedScene, unchanged: bool
) -> MappedScene:
    summary = finished.summary
    return MappedScene(
        scene=image.stem,
        image=image,
        files={kind: folder.folder / file for kind, file in summary.files.items()},
        width=finished.width,
        height=finished.height,
        gsd=summary.gsd,
        class_shares=summary.class_shares,
        totals=summary.totals,
        unit=summary.unit,
        unchanged=unchanged,
    )


def _images(profile: Profile, patterns: Sequence[str]) -> list[Path]:
    if not patterns:
        return _test_images(profile)
    images = [path for pattern in patterns for path in _found(pattern)]
    names: dict[str, Path] = {}
    for path in images:
        if names.setdefault(path.stem, path) != path:
            raise DataError(
                f"{names[path.stem]} and {path} would both be written as {path.stem}_mask.tif; "
                "map them one after the other with another --output"
            )
    return list(names.values())


def _found(pattern: str) -> list[Path]:
    files = find_files(pattern)
    if not files:
        raise DataError(f"{pattern}: no such image; name files, folders or globs")
    return files


def _test_images(profile: Profile) -> list[Path]:
    scenes = labelled_scenes_of(profile)
    test = scene_names(profile, "test")
    if test is None:
        return [scene.image for scene in scenes]
    return [scene.image for scene in scenes if scene.name in set(test)]
