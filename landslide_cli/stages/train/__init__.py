"""`landslide train`: tiles or scenes to a run directory with a model."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landslide_cli.core.parts import Part
from landslide_cli.dataset.preprocessing import training_preprocessing
from landslide_cli.dataset.sources import changed_since_prepare
from landslide_cli.errors import UsageError
from landslide_cli.imagery.plots import plot_curves
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.locks import refuse_work_in, refusing
from landslide_cli.outputs import write_text
from landslide_cli.profile import EncoderSettings, Profile, dump_profile
from landslide_cli.records import Step, refuse_overwrite
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.runs.ancestry import document_of, learned_from
from landslide_cli.runs.files import CURVES, PROFILE, RUN_RECORD, run_lock, unfinished_folder
from landslide_cli.runs.planning import load_predictor
from landslide_cli.runs.quantization import check_can_quantize
from landslide_cli.runs.run import check_fold, find_run
from landslide_cli.runs.threshold import choose_threshold, write_default_threshold
from landslide_cli.stages.train.ancestors import ancestors_of, warn_of_known
from landslide_cli.stages.train.checkpoints import Checkpoint
from landslide_cli.stages.train.in_progress import (
    CACHE,
    can_resume,
    checkpoint_to_resume,
    finish_run,
    unfinished,
)
from landslide_cli.stages.train.made_from import digest_of, hardware, training_step, versions
from landslide_cli.stages.train.previews import Previews
from landslide_cli.stages.train.result import TrainResult
from landslide_cli.stages.train.signals import interruptions
from landslide_cli.stages.train.warm_start import start_file, start_from
from landslide_cli.stages.train.workers import Workers, worker_rank
from landslide_cli.training_data.inputs import PartFiles, examples_of, files_of_part

if TYPE_CHECKING:
    from landslide_cli.stages.train.loop import TrainingLoop
    from landslide_cli.training_data.batches import Batches

BOTH: tuple[Part, Part] = ("train", "valid")


def train(
    profile: Profile,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> TrainResult:
    """Train the profile's model on the training set; keep the epoch with the best validation score.

    The threshold on the foreground's probability that is best on the validation set is stored too.
    Without a validation set the last epoch is kept, and the threshold is 0.5.

    Until it has finished, the run lies in `<run>.unfinished`; each file in it is whole at any time.
    A training that was interrupted resumes from its last checkpoint there, to the same weights.
    SIGTERM, SIGINT and SIGHUP write a checkpoint first. Where `TF_CONFIG` or SLURM name several
    workers, all of them train together and the first writes.

    Args:
        profile: its `model`, `train`, `classes`, `bands`, `dataset` and `run` are used, with
            `train.crop` also `source` and `prepare`.
        limit: take only the first tiles or scenes of each part, by name.
        overwrite: train again even if the run exists, or is unfinished with other settings.
        reporter: shown the progress.

    Raises:
        UsageError: the dataset is split into folds and the profile names none; or a batch cannot be
            divided among the workers.
        BusyError: another process trains or evaluates the run, or writes maps into it.
        ChangedError: there is a run, finished or not, with other tiles or settings.
        DataError: there are no tiles, or they cannot be used.
        LandslideError: the loss became infinite or not a number; or another worker was lost.
    """
    rank = worker_rank(os.environ)
    reporter = reporter if reporter is not None and rank.is_chief else SilentReporter()
    check_fold(profile)
    if rank.is_chief:
        for text in changed_since_prepare(profile):
            reporter.warn(text)
    # With several workers, TensorFlow is set up before anything else uses it.
    workers, run = Workers(rank), profile.run_folder
    with workers.explaining_losses(), ExitStack() as stack:
        with workers.ending_together():
            parts = [files_of_part(profile, part, limit) for part in BOTH]
            if rank.is_chief:
                stack.enter_context(refusing(run_lock(run), "trained", run))
        return _train(profile, parts, limit, overwrite, workers, reporter)


def _train(
    profile: Profile,
    parts: Sequence[PartFiles],
    limit: int | None,
    overwrite: bool,
    workers: Workers,
    reporter: Reporter,
) -> TrainResult:
    step, finished = training_step(profile, parts, limit, overwrite), None
    with workers.ending_together():
        if workers.is_chief:
            finished = _result_before(profile, step, overwrite)
    workers.check_same("profile and data", digest_of(step))
    finished = workers.broadcast_document(finished)
    if finished is not None:
        return TrainResult.of(finished, profile, unchanged=True)
    if workers.is_chief:
        result = _lead(profile, parts, step, limit, overwrite, workers, reporter)
        workers.broadcast_document(result.document())
        return result
    with workers.ending_together():
        pass  # what the chief may refuse
    _run_loop(profile, parts, _preprocessing(profile, parts), None, workers, reporter)
    return TrainResult.of(workers.broadcast_document(None), profile)


def _result_before(profile: Profile, step: Step, overwrite: bool) -> Mapping[str, Any] | None:
    """Return the result of the same training finished earlier; None if there is work to do."""
    if not overwrite and can_resume(unfinished_folder(profile.run_folder), step):
        return None
    return step.finished_before("train", overwrite)


def _lead(
    profile: Profile,
    parts: Sequence[PartFiles],
    step: Step,
    limit: int | None,
    overwrite: bool,
    workers: Workers,
    reporter: Reporter,
) -> TrainResult:
    """Train as the process that writes the run."""
    folder = unfinished_folder(profile.run_folder)
    with reporter.working("loading TensorFlow"):
        machine = hardware() | versions()
    if profile.train.int8:
        check_can_quantize()
    with workers.ending_together():
        ancestors = ancestors_of(profile)
        refuse_work_in(profile.run_folder)
        if not (profile.run_folder / RUN_RECORD).exists():
            refuse_overwrite([profile.run_folder], overwrite)
        checkpoint = checkpoint_to_resume(folder, step, machine, overwrite, reporter)
    with unfinished(folder, step, machine, checkpoint is None, reporter):
        write_text(folder / PROFILE, dump_profile(profile))
        warn_of_known(profile, ancestors, reporter)
        _warn_of_turning(profile, reporter)
        # Before hours in which files may change.
        learned = learned_from(profile, parts[0].named_images, step.inputs)
        preprocessing = _preprocessing(profile, parts)
        loop = _run_loop(profile, parts, preprocessing, checkpoint, workers, reporter)
        result = _finish(profile, parts, preprocessing, loop, limit, reporter)
        document = result.document() | document_of(learned, ancestors)
        finish_run(folder, step, document, profile.run_folder, reporter)
    return result


def _warn_of_turning(profile: Profile, reporter: Reporter) -> None:
    composition, turns = profile.composition, profile.train.augment.turns
    told = None if composition is None else composition.told_of_turning(turns)
    if told is not None:
        reporter.warn(f"train.augment: {told}")


def _run_loop(
    profile: Profile,
    parts: Sequence[PartFiles],
    preprocessing: Preprocessing,
    checkpoint: Checkpoint | None,
    workers: Workers,
    reporter: Reporter,
) -> "TrainingLoop":
    """Put together data, model and optimizer, and train for all epochs."""
    with reporter.working("loading TensorFlow"):
        from landslide_cli.core.networks.backend import enable_determinism
        from landslide_cli.stages.train.loop import TrainingLoop
        from landslide_cli.stages.train.step import Stepper

    settings, palette = profile.train, profile.palette
    folder = unfinished_folder(profile.run_folder)
    if settings.jit and workers.replicas > 1:
        raise UsageError(
            f"train.jit: XLA compiles for one processor or GPU, and there are {workers.replicas}; "
            "switch it off"
        )
    if settings.deterministic:
        enable_determinism()
    batches = _batches(profile, parts, folder, workers)
    with reporter.working("building the model"):
        model = _model(profile, preprocessing, checkpoint is None, workers, reporter)
    loop = TrainingLoop(
        settings,
        Stepper(model, settings, len(palette), workers),
        batches["train"],
        batches.get("valid"),
        folder,
        Previews(profile, model, find_run(profile, folder, preprocessing)),
        reporter,
        palette,
    )
    loop.resume(checkpoint)
    with interruptions() as interruption:
        loop.run(interruption)
        interruption.reraise()
    return loop


def _batches(
    profile: Profile, parts: Sequence[PartFiles], folder: Path, workers: Workers
) -> "dict[Part, Batches]":
    """Return this worker's share of the batches of training and, if there is any, validation."""
    from landslide_cli.training_data.augment import Augmenter
    from landslide_cli.training_data.batches import Batches

    settings = profile.train
    share = workers.share(settings.batch)
    cache = folder / CACHE / f"worker-{workers.rank.index}"
    examples = {
        files.part: examples_of(profile, files, cache / files.part)
        for files in parts
        if files.files
    }
    composition, augmenter = profile.composition, None
    if not settings.augment.is_off:
        augmenter = Augmenter(settings.augment, settings.seed, profile.named_bands)
    batches: dict[Part, Batches] = {
        "train": Batches(
            examples["train"],
            profile.model_inputs,
            settings.batch,
            share,
            multiple=settings.accumulate,
            augmenter=augmenter,
            wraps=True,
            is_float=composition is not None,
        )
    }
    if "valid" in examples:
        batches["valid"] = Batches(
            examples["valid"],
            profile.model_inputs,
            settings.batch,
            share,
            is_float=composition is not None,
        )
    return batches


def _model(
    profile: Profile,
    preprocessing: Preprocessing,
    is_new: bool,
    workers: Workers,
    reporter: Reporter,
) -> Any:
    """Build the model, with its first weights unless a checkpoint has them."""
    from landslide_cli.core.networks.batch_norm import with_fused_normalization
    from landslide_cli.core.networks.build import build_model
    from landslide_cli.core.networks.encoders import load_encoder

    start = start_file(profile)
    with workers.strategy.scope():
        model = build_model(
            profile.model,
            profile.model_inputs,
            profile.model_outputs,
            profile.train.seed,
            profile.train.precision,
            synchronized=workers.replicas > 1,
        )
        named = profile.named_bands
        if is_new and named is not None and isinstance(profile.model, EncoderSettings):
            load_encoder(profile.model, model, named.rgb_channels)
        if start is not None and is_new:
            start_from(profile, start, model, preprocessing.standardized, reporter)
        return with_fused_normalization(model)


def _finish(
    profile: Profile,
    parts: Sequence[PartFiles],
    preprocessing: Preprocessing,
    loop: "TrainingLoop",
    limit: int | None,
    reporter: Reporter,
) -> TrainResult:
    """Write film strips, curves, threshold and the models for maps; return the run's numbers."""
    state, training = loop.state, parts[0]
    with reporter.working("drawing previews and curves"):
        loop.previews.finish(len(state.rows))
        plot_curves(loop.folder / CURVES, state.rows, round(state.best["epoch"]))
    threshold = _threshold(profile, parts, preprocessing, loop.folder, limit, reporter)
    if profile.train.int8:
        _make_int8_form(profile, training, preprocessing, loop.folder, reporter)
    return TrainResult(
        run=profile.run_folder,
        epochs=len(state.rows),
        best=state.best,
        parameters=int(loop.stepper.model.count_params()),
        tiles=loop.examples_per_epoch(),
        seconds=sum(row["seconds"] for row in state.rows),
        threshold=threshold,
        versions=versions(),
        hardware=hardware() | {"replicas": loop.stepper.workers.replicas},
        preprocessing=preprocessing,
        events=_events(profile, training),
    )


def _threshold(
    profile: Profile,
    parts: Sequence[PartFiles],
    preprocessing: Preprocessing,
    folder: Path,
    limit: int | None,
    reporter: Reporter,
) -> float:
    """Store the run's threshold and the precision of its maps; return the threshold."""
    training, validation = parts
    run = find_run(profile, folder, preprocessing)
    if validation.files:
        return choose_threshold(profile, run, folder, limit, reporter)
    threshold = write_default_threshold(folder)
    # The precision of the maps is decided with the run, not by whatever is mapped first.
    examined = run if training.scenes else run.for_tiles()
    load_predictor(profile, examined, training.images, reporter)
    return threshold


def _make_int8_form(
    profile: Profile,
    training: PartFiles,
    preprocessing: Preprocessing,
    folder: Path,
    reporter: Reporter,
) -> None:
    """Make the model's int8 form, as a plan that asks for int8 does."""
    # Found again: masks are compared at the threshold that was chosen.
    run = find_run(profile, folder, preprocessing)
    in_int8 = profile.infer.model_copy(update={"precision": "int8", "engine": "openvino"})
    quantized = profile.model_copy(update={"infer": in_int8})
    load_predictor(quantized, run, training.images, reporter)


def _events(profile: Profile, training: PartFiles) -> list[str]:
    """List the events that are learned from; tiles do not tell from which source they are."""
    sources = {scene.source for scene in training.scenes}
    if training.tiles:
        sources = {i for i, source in enumerate(profile.sources) if source.part in (None, "train")}
    return sorted({event for index in sources for event in profile.sources[index].events})


def _preprocessing(profile: Profile, parts: Sequence[PartFiles]) -> Preprocessing:
    scenes = [scene for part in parts for scene in part.scenes]
    return training_preprocessing(profile, scenes)
