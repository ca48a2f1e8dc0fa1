"""`landslide infer-tiled`: whole scenes of any size to georeferenced maps."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from landslide_cli.errors import OutputError, printable
from landslide_cli.imagery.raster.recognition import has_utf8_name
from landslide_cli.imagery.vector.terrain import check_elevation
from landslide_cli.outputs import refuse_file_as_folder
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.runs.files import maps_folder
from landslide_cli.runs.map_outputs import FORMATS, SETTINGS, Outputs
from landslide_cli.runs.map_record import FinishedScene
from landslide_cli.runs.openvino_model import fingerprint_of
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.planning import load_predictor, make_plan
from landslide_cli.runs.run import Run, check_fold, find_run
from landslide_cli.runs.scale_choice import with_chosen_scales
from landslide_cli.runs.scales import report_scales
from landslide_cli.stages.infer.borders import tell_borders, tell_clipped
from landslide_cli.stages.infer.folder import MapFolder
from landslide_cli.stages.infer.inventory import update_inventory
from landslide_cli.stages.infer.left_out import tell_left_out
from landslide_cli.stages.infer.mapper import LocalMapper, Mapper, Recipe
from landslide_cli.stages.infer.pipeline import map_scenes
from landslide_cli.stages.infer.result import InferResult, MappedScene
from landslide_cli.stages.infer.revise import revise, tell_work
from landslide_cli.stages.infer.scenes import SceneChoice, SceneFile, choose_scenes, protect_maps
from landslide_cli.stages.infer.submission import write_submission

# Settings that the probabilities of a scene do not depend on.
_IMMATERIAL = ("infer.scenes", "infer.output", "infer.memory", "infer.submission", *SETTINGS)


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
        profile: its `infer`, `classes`, `foreground`, `bands` and `run` are used.
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
    if profile.infer.elevation is not None:
        check_elevation(profile.infer.elevation)
    if probability:
        profile = _storing_probability(profile)
    run = find_run(profile)
    if run.is_packaged:
        reporter.note(f"no model in {profile.run_folder}: mapping with the packaged one")
    choice = choose_scenes(profile, scenes or profile.infer.scenes, limit, reporter)
    fingerprint = fingerprint_of(run.file, run.home)
    folder = MapFolder(
        output or maps_folder(profile),
        _made_from(profile, run, fingerprint),
        Outputs.of(profile.infer, run.threshold),
        profile.palette.polygons,
    )
    if not has_utf8_name(folder.folder):
        raise OutputError(f"{printable(folder.folder)}: its name is not UTF-8; name another folder")
    refuse_file_as_folder(folder.folder)
    choice = protect_maps(choice, folder, overwrite)
    if overwrite:
        folder.forget([scene.name for scene in choice.scenes])
    with folder.in_use():
        result = _infer(profile, run, fingerprint, choice, folder, scheduler, reporter)
        if not result.scenes:
            return result
        if result.speed is not None:
            folder.record_speed(result.speed)
        merge = profile.infer.duplicates == "merge"
        inventory = update_inventory(folder, merge, overwrite, profile.palette, reporter)
        if profile.infer.submission:
            names = [scene.scene for scene in result.scenes]
            write_submission(folder.folder, names, overwrite, reporter)
        return replace(result, table=folder.write_table(), inventory=inventory)


def _infer(
    profile: Profile,
    run: Run,
    fingerprint: str,
    choice: SceneChoice,
    folder: MapFolder,
    scheduler: str | None,
    reporter: Reporter,
) -> InferResult:
    """Map the scenes that are not, or have changed since."""
    classes = len(profile.palette)
    standings = [
        (scene, folder.standing(scene.name, scene.image, classes)) for scene in choice.scenes
    ]
    unchanged = {scene for scene, standing in standings if standing.work == "nothing"}
    known = {
        scene: standing.known.scale for scene, standing in standings if standing.known is not None
    }
    report_scales({scene.name: scale for scene, scale in known.items()}, reporter)
    tell_work(standings, classes, reporter)
    outdated = [scene for scene, standing in standings if standing.work == "map"]
    revised = [scene for scene in known if scene not in unchanged]
    plan, failed, seconds, model_seconds = folder.plan, list(choice.refused), 0.0, 0.0
    if revised and plan is not None:
        recipe = Recipe(profile, run, plan, fingerprint)
        left, not_revised = revise(recipe, revised, folder, reporter)
        outdated, failed = outdated + left, failed + not_revised
    if outdated or plan is None:
        images = [scene.image for scene in outdated]
        run = with_chosen_scales(profile, run, images, reporter)
        # Kept where a scene had it before, asked for now or not.
        had = (folder.outputs_of(scene.name, scene.image).probability for scene in outdated)
        wanted = _storing_probability(profile) if any(kind != "none" for kind in had) else profile
        recipe, mapper = _mapper(wanted, run, fingerprint, images, folder.plan, scheduler, reporter)
        plan = recipe.plan
        folder.start(plan)
        began = time.monotonic()
        failed += map_scenes(mapper, recipe, outdated, folder, reporter)
        seconds, model_seconds = time.monotonic() - began, mapper.seconds
    mapped = [
        _mapped(scene, folder, finished, unchanged=scene in unchanged)
        for scene in choice.scenes
        if (finished := folder.finished(scene.name, scene.image)) is not None
    ]
    tell_borders(mapped, reporter)
    tell_clipped(mapped, reporter)
    tell_left_out(mapped, profile.infer, reporter)
    return InferResult(
        folder=folder.folder,
        table=None,
        inventory=None,
        scenes=mapped,
        failed=failed,
        plan=plan,
        scale=run.preprocessing.scale,
        threshold=run.threshold,
        model=fingerprint,
        seconds=seconds,
        model_seconds=model_seconds,
    )


def _storing_probability(profile: Profile) -> Profile:
    """Have the probability stored, in per cent unless the profile says otherwise."""
    if profile.infer.probability != "none":
        return profile
    infer = profile.infer.model_copy(update={"probability": "percent"})
    return profile.model_copy(update={"infer": infer})


def _made_from(profile: Profile, run: Run, fingerprint: str) -> dict[str, Any]:
    """Describe what the probabilities follow from, as far as it may change between two calls."""
    settings = profile.settings("infer", "classes", "bands")
    settings |= profile.source_settings("gsd", "scale", "bands", "value_range", "layers")
    relevant = {
        key: value
        for key, value in settings.items()
        # Maps of versions before there were layers are none of these either.
        if key not in _IMMATERIAL and not (value is None and key.endswith(".layers"))
    }
    sizes = {key: getattr(run.preprocessing, key) for key in ("scale", "gsd", "gsd_range")}
    return relevant | {"model": fingerprint} | sizes


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
        return recipe, LocalMapper.of(recipe, predictor)
    from landslide_cli.stages.infer.cluster import ClusterMapper

    plan = plan or make_plan(profile, run, images, reporter)[0]
    recipe = Recipe(profile, run, plan, fingerprint)
    return recipe, ClusterMapper(recipe, scheduler, reporter)


def _mapped(
    scene: SceneFile, folder: MapFolder, finished: FinishedScene, unchanged: bool
) -> MappedScene:
    summary = finished.summary
    files = {kind: folder.folder / file for kind, file in summary.files.items()}
    formats = [kind for kind in FORMATS if kind in files]
    if formats:
        files["polygons"] = files[formats[0]]
    return MappedScene(
        scene=scene.name,
        image=scene.image,
        files=files,
        width=finished.width,
        height=finished.height,
        gsd=summary.gsd,
        scale=finished.scale,
        class_shares=summary.class_shares,
        totals=summary.totals,
        unit=summary.unit,
        unchanged=unchanged,
        border=summary.border,
        clipped=summary.clipped,
    )
