"""`landslide infer-tiled`: whole scenes of any size to georeferenced maps."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from landslide_cli.core.tiling.layout import Layout
from landslide_cli.dataset.prepared import labelled_scenes_of
from landslide_cli.dataset.scenes import find_files
from landslide_cli.dataset.split_record import scene_names
from landslide_cli.errors import DataError, LandslideError
from landslide_cli.outputs import scratch_folder
from landslide_cli.profile import Profile
from landslide_cli.reporting import Advance, Reporter, SilentReporter
from landslide_cli.runs.files import maps_folder
from landslide_cli.runs.openvino_model import fingerprint_of
from landslide_cli.runs.plan import Plan, make_plan
from landslide_cli.runs.run import Run, check_fold, find_run
from landslide_cli.runs.scales import SceneScale, report_scales, scale_of
from landslide_cli.runs.scene_predictor import load_predictor
from landslide_cli.stages.infer.borders import tell_borders
from landslide_cli.stages.infer.folder import FinishedScene, MapFolder
from landslide_cli.stages.infer.mapper import LocalMapper, Mapper, Recipe, Stopped
from landslide_cli.stages.infer.result import FailedScene, InferResult, MappedScene
from landslide_cli.stages.infer.scene_maps import SceneFacts, SceneMaps

# While a scene is predicted, the next is read and the previous one is written.
_SCENES_AT_ONCE = 3

# Settings that a scene's maps do not depend on.
_IMMATERIAL = ("infer.scenes", "infer.output", "infer.memory")


@dataclass(frozen=True)
class _Job:
    """A scene to be mapped, laid out by its header; `windows` is the work it takes."""

    image: Path
    layout: Layout
    scale: SceneScale
    windows: int

    @property
    def name(self) -> str:
        return self.image.stem


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

    Scenes that were mapped before from the same image, settings and model are skipped. A scene that
    fails is reported in the result, and the rest are mapped.

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
    fingerprint = fingerprint_of(run.file, run.home)
    folder = MapFolder(output or maps_folder(profile), _made_from(profile, run, fingerprint))
    names = [image.stem for image in images]
    folder.refuse_overwrite(names, overwrite)
    if overwrite:
        folder.forget(names)
    unchanged = {
        image: finished.scale
        for image in images
        if (finished := folder.finished(image.stem, image)) is not None
    }
    report_scales({image.stem: scale for image, scale in unchanged.items()}, reporter)
    outdated = [image for image in images if image not in unchanged]
    plan, failed, seconds, model_seconds = folder.plan, [], 0.0, 0.0
    if outdated or plan is None:
        recipe, mapper = _mapper(
            profile, run, fingerprint, outdated, folder.plan, scheduler, reporter
        )
        plan = recipe.plan
        folder.start(plan)
        began = time.monotonic()
        failed = _map_all(mapper, recipe, outdated, folder, reporter)
        seconds, model_seconds = time.monotonic() - began, mapper.seconds
    mapped = [
        _mapped(image, folder, finished, unchanged=image in unchanged)
        for image in images
        if (finished := folder.finished(image.stem, image)) is not None
    ]
    tell_borders(mapped, reporter)
    return InferResult(
        folder=folder.folder,
        table=folder.write_table() if mapped else None,
        scenes=mapped,
        failed=failed,
        plan=plan,
        scale=run.preprocessing.scale,
        threshold=run.threshold,
        model=fingerprint,
        seconds=seconds,
        model_seconds=model_seconds,
    )


def _made_from(profile: Profile, run: Run, fingerprint: str) -> dict[str, Any]:
    """Describe what the maps follow from, as far as it may change between two calls."""
    settings = profile.settings("infer", "classes", "bands")
    settings |= profile.source_settings("gsd", "scale", "bands", "value_range")
    relevant = {key: value for key, value in settings.items() if key not in _IMMATERIAL}
    sizes = {key: getattr(run.preprocessing, key) for key in ("scale", "gsd", "gsd_range")}
    return relevant | {"threshold": run.threshold, "model": fingerprint} | sizes


def _mapper(
    profile: Profile,
    run: Run,
    fingerprint: str,
    images: Sequence[Path],
    plan: Plan | None,
    scheduler: str | None,
    reporter: Reporter,
) -> tuple[Recipe, Mapper]:
    """Load the model once: here, or only to make a plan by which a cluster's workers load it."""
    if scheduler is None:
        predictor = load_predictor(profile, run, images, reporter, plan)
        recipe = Recipe(profile, run, predictor.plan, fingerprint)
        return recipe, LocalMapper(predictor, run.threshold)
    from landslide_cli.stages.infer.cluster import ClusterMapper

    plan = plan or make_plan(profile, run, images, reporter)[0]
    recipe = Recipe(profile, run, plan, fingerprint)
    return recipe, ClusterMapper(recipe, scheduler, reporter)


def _map_all(
    mapper: Mapper,
    recipe: Recipe,
    images: Sequence[Path],
    folder: MapFolder,
    reporter: Reporter,
) -> list[FailedScene]:
    """Map the scenes, a few at a time; return those that failed, in order."""
    failed: dict[Path, FailedScene] = {}

    def fail(image: Path, error: Exception) -> None:
        failed[image] = FailedScene(image.stem, image, str(error))
        # A single scene's failure is the command's own error.
        if len(images) > 1:
            reporter.warn(f"{image.stem} is not mapped: {' '.join(str(error).split())}")

    with mapper:
        jobs = _jobs(mapper, recipe, images, fail)
        report_scales({job.name: job.scale for job in jobs}, reporter)
        windows = sum(job.windows for job in jobs)
        with (
            reporter.track(f"windows of {len(jobs)} scenes", windows) as advance,
            _in_threads(mapper) as submit,
        ):
            step = _thread_safe(advance)
            futures = {submit(_map, mapper, recipe, job, folder, step): job for job in jobs}
            for future in as_completed(futures):
                try:
                    future.result()
                except (LandslideError, OSError) as error:
                    fail(futures[future].image, error)
    return [failed[image] for image in images if image in failed]


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

    def locked() -> None:
        with lock:
            advance()

    return locked


def _jobs(
    mapper: Mapper,
    recipe: Recipe,
    images: Sequence[Path],
    fail: Callable[[Path, Exception], None],
) -> list[_Job]:
    """Read the scenes' headers, once each, and have the model ready for the first."""
    jobs = []
    for image in images:
        try:
            with recipe.opened(image) as scene:
                layout = recipe.plan.layout(scene)
                scale = scale_of(scene, recipe.run.preprocessing_of(image))
        except (LandslideError, OSError) as error:
            fail(image, error)
            continue
        windows = sum(layout.windows(block) for block in mapper.blocks(layout))
        jobs.append(_Job(image, layout, scale, windows))
    if jobs:
        mapper.prepare(jobs[0].layout)
    return jobs


def _map(mapper: Mapper, recipe: Recipe, job: _Job, folder: MapFolder, advance: Advance) -> None:
    """Map a scene: windows to bands, bands to files, and the files into the folder."""
    profile, counter = recipe.profile, _Counter(job.windows, advance)
    try:
        with scratch_folder(folder.folder / job.name) as scratch:
            with recipe.opened(job.image) as scene:
                facts = SceneFacts.of(job.image, scene, recipe.fingerprint)
                maps = SceneMaps(scratch, facts, profile.palette, profile.infer)
                with maps:
                    bands = mapper.bands(job.image, scene, job.layout, maps.picture, counter.step)
                    for band in bands:
                        maps.add(band)
                border = scene.border
            summary = maps.finish()
            if border is not None:
                told = {"share": border.share, "values": border.values}
                summary = replace(summary, border=told)
            finished = FinishedScene(job.image, facts.width, facts.height, job.scale, summary)
            folder.finish(job.name, job.image, scratch, finished)
    except Stopped:
        return
    finally:
        counter.finish()


class _Counter:
    """Advances the progress by all of a scene's windows, even if some were not needed."""

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
        scale=finished.scale,
        class_shares=summary.class_shares,
        totals=summary.totals,
        unit=summary.unit,
        unchanged=unchanged,
        border=summary.border,
    )


def _images(profile: Profile, patterns: Sequence[str]) -> list[Path]:
    if patterns:
        images = [path for pattern in patterns for path in _matching(pattern)]
    else:
        images = _test_images(profile)
    names: dict[str, Path] = {}
    for path in images:
        if names.setdefault(path.stem, path) != path:
            raise DataError(
                f"{names[path.stem]} and {path} would both be written as {path.stem}_mask.tif; "
                "map them one after the other with another --output"
            )
    return list(names.values())


def _matching(pattern: str) -> list[Path]:
    files = find_files(pattern)
    if not files:
        raise DataError(f"{pattern}: no such image; name files, folders or globs")
    return files


def _test_images(profile: Profile) -> list[Path]:
    scenes = [scene for scene in labelled_scenes_of(profile) if scene.mask is not None]
    test = scene_names(profile, "test")
    if test is None:
        return [scene.image for scene in scenes]
    return [scene.image for scene in scenes if scene.name in set(test)]
