"""`landslide train`: tiles or scenes to a run directory with a model."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import landslide_cli
from landslide_cli.core.parts import Part
from landslide_cli.dataset.prepared import training_preprocessing
from landslide_cli.errors import UsageError
from landslide_cli.imagery.plots import plot_curves
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.outputs import write_text
from landslide_cli.profile import Profile, dump_profile
from landslide_cli.records import Step, refuse_overwrite
from landslide_cli.reporting import Reporter, Result, SilentReporter, Table
from landslide_cli.runs.files import CURVES, PROFILE, RUN_RECORD, unfinished_folder
from landslide_cli.runs.run import check_fold, find_run
from landslide_cli.runs.threshold import choose_threshold, write_default_threshold
from landslide_cli.stages.train import checkpoints
from landslide_cli.stages.train.checkpoints import Checkpoint
from landslide_cli.stages.train.in_progress import (
    CACHE,
    can_go_on,
    checkpoint_of,
    put_in_place,
    unfinished,
)
from landslide_cli.stages.train.previews import Previews
from landslide_cli.stages.train.signals import interruptions
from landslide_cli.stages.train.warm_start import start_file, start_from
from landslide_cli.stages.train.workers import Place, Workers, place_of
from landslide_cli.training_data.inputs import PartFiles, examples_of, files_of_part

if TYPE_CHECKING:
    from landslide_cli.stages.train.loop import Training

Row = dict[str, float]
BOTH: tuple[Part, Part] = ("train", "valid")

# Settings that change how a training goes, but nothing of what comes out.
_WITHOUT_EFFECT = ("train.cache", "train.checkpoint_minutes", "train.tensorboard")


@dataclass(frozen=True)
class TrainResult(Result):
    """A finished training.

    `best` is the logged row of the epoch whose model was kept; `tiles` counts what an epoch takes
    of a part, tiles or crops; `seconds` are those of all epochs. `preprocessing` is what its scenes
    went through.
    """

    run: Path
    epochs: int
    best: Row
    parameters: int
    tiles: dict[Part, int]
    seconds: float
    threshold: float
    versions: dict[str, str]
    hardware: dict[str, Any]
    preprocessing: Preprocessing
    unchanged: bool = False

    @classmethod
    def of(cls, document: Mapping[str, Any], run: Path, unchanged: bool = False) -> Self:
        """Restore what `document` returned, for a run that lies in that folder now."""
        preprocessing = Preprocessing.of(document["preprocessing"])
        values = {"run": run, "preprocessing": preprocessing, "unchanged": unchanged}
        return cls(**{**document, **values})

    def headline(self) -> str:
        """Say what was made, or that nothing had to be."""
        made = "unchanged since it was trained" if self.unchanged else "trained"
        return f"model of epoch {self.best['epoch']:.0f} of {self.epochs} {made}: {self.run}"

    def tables(self) -> Sequence[Table]:
        """Show the best epoch."""
        part = "valid_" if "valid_loss" in self.best else ""
        logged = ("loss", "dice", "iou", "dice_coef_multiclass")
        values = [
            (name, f"{self.best[name]:.4g}")
            for name in (f"{part}{one}" for one in logged)
            if name in self.best
        ]
        facts = [
            ("parameters", f"{self.parameters:,}"),
            ("train / valid images", f"{self.tiles['train']} / {self.tiles.get('valid', 0)}"),
            ("threshold, best on valid" if part else "threshold", f"{self.threshold:.3f}"),
            ("seconds", f"{self.seconds:.0f}"),
        ]
        return [Table("best epoch", ["", "value"], values + facts)]


def train(
    profile: Profile,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> TrainResult:
    """Train the profile's model on train, and keep the epoch that is best on valid.

    In the end the threshold on the foreground's probability that is best on valid is stored too.
    Without a valid part the last epoch is kept, and the threshold is 0.5.

    Until it has finished, the run lies in `<run>.unfinished`; each file in it is whole at any time.
    A training that was interrupted goes on from its last checkpoint there, to the same weights.
    SIGTERM and SIGINT write one first. Where `TF_CONFIG` or SLURM name several workers, all of them
    train together and the first one writes.

    Args:
        profile: its `model`, `train`, `classes`, `bands`, `dataset` and `run` are used, with
            `train.crop` also `source` and `prepare`.
        limit: take only the first tiles or scenes of each part, by name.
        overwrite: train again even if the run is there, or is under way with other settings.
        reporter: shown the progress.

    Raises:
        UsageError: the dataset is split into folds and the profile names none; or a batch cannot be
            divided among the workers.
        ChangedError: there is a run with other tiles or settings, or an unfinished one.
        DataError: there are no tiles, or they cannot be used.
        LandslideError: the loss became infinite or not a number; or another worker was lost.
    """
    place = place_of(os.environ)
    reporter = reporter if reporter is not None and place.index == 0 else SilentReporter()
    check_fold(profile)
    folder = unfinished_folder(profile.run_folder)
    materials = [files_of_part(profile, part, limit) for part in BOTH]
    step = _step(profile, materials, limit)
    # Of several workers, TensorFlow must hear before anything else.
    workers = Workers(place) if place.count > 1 else None
    finished = None
    if place.index == 0 and (overwrite or not can_go_on(folder, step)):
        finished = step.finished_before("train", overwrite)
    if workers is not None:
        with workers.watched():
            workers.agree("profile and data", _digest(step))
            finished = workers.broadcast_document(finished)
    if finished is not None:
        return TrainResult.of(finished, profile.run_folder, unchanged=True)
    if place.index == 0:
        return _lead(profile, materials, step, limit, overwrite, workers, reporter)
    return _help(profile, materials, workers or Workers(place), reporter)


def _lead(
    profile: Profile,
    materials: Sequence[PartFiles],
    step: Step,
    limit: int | None,
    overwrite: bool,
    workers: Workers | None,
    reporter: Reporter,
) -> TrainResult:
    """Train as the process that writes the run."""
    folder = unfinished_folder(profile.run_folder)
    if not (profile.run_folder / RUN_RECORD).exists():
        refuse_overwrite([profile.run_folder], overwrite)
    machine = _hardware() | _versions()
    checkpoint = checkpoint_of(folder, step, machine, overwrite, reporter)
    with unfinished(folder, step, machine, checkpoint is None, reporter):
        write_text(folder / PROFILE, dump_profile(profile))
        workers = workers or Workers(Place(0, 1))
        with workers.watched():
            training = _trained(profile, materials, folder, checkpoint, workers, reporter)
            result = _finish(profile, materials, training, folder, limit, reporter)
            put_in_place(folder, step, result.document(), profile.run_folder)
            workers.broadcast_document(result.document())
    return result


def _help(
    profile: Profile, materials: Sequence[PartFiles], workers: Workers, reporter: Reporter
) -> TrainResult:
    """Train as one of the other processes; returns when the first one has finished the run."""
    folder = unfinished_folder(profile.run_folder)
    with workers.watched():
        _trained(profile, materials, folder, None, workers, reporter)
        document = workers.broadcast_document(None)
    return TrainResult.of(document, profile.run_folder)


def _trained(
    profile: Profile,
    materials: Sequence[PartFiles],
    folder: Path,
    checkpoint: Checkpoint | None,
    workers: Workers,
    reporter: Reporter,
) -> "Training":
    """Data, model, epochs."""
    from landslide_cli.core.networks.backend import enable_determinism
    from landslide_cli.core.networks.batch_norm import with_fused_normalization
    from landslide_cli.core.networks.build import build_model
    from landslide_cli.stages.train.loop import Training
    from landslide_cli.stages.train.step import Fitter
    from landslide_cli.training_data.augment import Augmenter
    from landslide_cli.training_data.batches import Batches

    settings, palette = profile.train, profile.palette
    if settings.jit and workers.replicas > 1:
        raise UsageError(
            f"train.jit: XLA compiles for one processor or GPU, and there are {workers.replicas}; "
            "switch it off"
        )
    if settings.deterministic:
        enable_determinism()
    start, preprocessing = start_file(profile), _preprocessing(profile, materials)
    share = workers.share(settings.batch)
    cache = folder / CACHE / f"worker-{workers.place.index}"
    examples = {
        one.part: examples_of(profile, one, cache / one.part) for one in materials if one.files
    }
    augmenter = None if settings.augment.is_off else Augmenter(settings.augment, settings.seed)
    batches = {
        "train": Batches(
            examples["train"],
            profile.bands,
            settings.batch,
            share,
            multiple=settings.accumulate,
            augmenter=augmenter,
            wraps=True,
        ),
    }
    if "valid" in examples:
        batches["valid"] = Batches(examples["valid"], profile.bands, settings.batch, share)
    with workers.strategy.scope():
        model = build_model(
            profile.model,
            profile.bands,
            profile.model_outputs,
            settings.seed,
            settings.precision,
            synchronized=workers.replicas > 1,
        )
        if start is not None and checkpoint is None:
            start_from(profile, start, model, preprocessing.standardized, reporter)
        model = with_fused_normalization(model)
    fitter = Fitter(model, settings, len(palette), workers)
    previews = Previews(profile, model, preprocessing, folder)
    training = Training(
        fitter,
        settings,
        batches,
        workers,
        folder,
        folder / checkpoints.FOLDER,
        previews,
        reporter,
        palette.names[palette.foreground],
    )
    training.go_on_from(checkpoint)
    with interruptions() as interruption:
        training.run(interruption)
        interruption.obey()
    return training


def _finish(
    profile: Profile,
    materials: Sequence[PartFiles],
    training: "Training",
    folder: Path,
    limit: int | None,
    reporter: Reporter,
) -> TrainResult:
    """Film strips, curves, threshold, and the run's numbers."""
    training.previews.finish(len(training.rows))
    plot_curves(folder / CURVES, training.rows, round(training.best["epoch"]))
    preprocessing = _preprocessing(profile, materials)
    has_valid = any(material.part == "valid" and material.files for material in materials)
    if has_valid:
        run = find_run(profile, folder, preprocessing)
        threshold = choose_threshold(profile, run, folder, limit, reporter)
    else:
        threshold = write_default_threshold(folder)
    return TrainResult(
        run=profile.run_folder,
        epochs=len(training.rows),
        best=training.best,
        parameters=training.parameters,
        tiles=training.examples,
        seconds=sum(row["seconds"] for row in training.rows),
        threshold=threshold,
        versions=_versions(),
        hardware=_hardware() | {"replicas": training.replicas},
        preprocessing=preprocessing,
    )


def _step(profile: Profile, materials: Sequence[PartFiles], limit: int | None) -> Step:
    """Describe the training by its settings and files."""
    sections = ["model", "train", "classes", "bands", "prepare.nearest_colour"]
    if profile.train.crop is not None:
        sections += ["prepare.resize", "prepare.scale", "prepare.standardize"]
        sections += ["source.value_range"]
    settings = profile.settings(*sections) | {"limit": limit}
    for key in _WITHOUT_EFFECT:
        settings.pop(key)
    files = [path for material in materials for path in material.files]
    start = start_file(profile)
    files += [] if start is None else [start]
    return Step.of(profile.run_folder / RUN_RECORD, settings, files)


def _digest(step: Step) -> bytes:
    """Describe settings and contents in a few bytes; folders may be others on other machines."""
    files = sorted((Path(name).name, one.digest) for name, one in step.inputs.items())
    text = json.dumps([step.settings, files], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _preprocessing(profile: Profile, materials: Sequence[PartFiles]) -> Preprocessing:
    scenes = [scene for material in materials for scene in material.scenes]
    return training_preprocessing(profile, scenes)


def _versions() -> dict[str, str]:
    packages = ("tensorflow", "keras", "numpy", "opencv-python-headless", "rasterio")
    versions = {"landslide-cli": landslide_cli.__version__, "python": platform.python_version()}
    return versions | {name: version(name) for name in packages}


def _hardware() -> dict[str, Any]:
    from landslide_cli.core.networks.backend import tf

    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "gpus": [device.name for device in tf.config.list_physical_devices("GPU")],
        "threads_within_an_operation": tf.config.threading.get_intra_op_parallelism_threads(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    }
