"""`landslide train`: tiles to a run directory with a model."""

import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import landslide_cli
from landslide_cli.core.parts import Part
from landslide_cli.errors import ChangedError
from landslide_cli.imagery.dataset import TILES, TileFiles, part_tiles
from landslide_cli.imagery.plots import plot_curves
from landslide_cli.outputs import (
    made_parents,
    replace_folder,
    whole_file,
    write_csv,
    write_text,
)
from landslide_cli.profile import Profile, dump_profile
from landslide_cli.records import Record, Step, refuse_foreign
from landslide_cli.reporting import Reporter, SilentReporter, Table
from landslide_cli.stages import prepare
from landslide_cli.stages.previews import Previews
from landslide_cli.stages.runs import (
    CURVES,
    METRICS,
    MODEL,
    PROFILE,
    RECORD,
    check_fold,
    load_run,
    model_outputs,
    tiling_of,
    unfinished_folder,
)
from landslide_cli.stages.sources import palette_of
from landslide_cli.stages.thresholds import choose_threshold

Row = dict[str, float]


@dataclass(frozen=True)
class TrainResult:
    """A finished training. `best` is the logged row of the epoch whose model was kept."""

    run: Path
    epochs: int
    best: Row
    parameters: int
    tiles: dict[Part, int]
    seconds: float
    scale: float
    threshold: float
    versions: dict[str, str]
    hardware: dict[str, Any]
    unchanged: bool = False

    def headline(self) -> str:
        """Say what was made, or that nothing had to be."""
        made = "unchanged since it was trained" if self.unchanged else "trained"
        return f"model of epoch {self.best['epoch']:.0f} of {self.epochs} {made}: {self.run}"

    def tables(self) -> Sequence[Table]:
        """Show the best epoch."""
        values = [
            (name, f"{value:.4g}") for name, value in self.best.items() if name.startswith("valid_")
        ]
        facts = [
            ("parameters", f"{self.parameters:,}"),
            ("train / valid tiles", f"{self.tiles['train']} / {self.tiles['valid']}"),
            ("threshold, best on valid", f"{self.threshold:.3f}"),
            ("seconds", f"{self.seconds:.0f}"),
        ]
        return [Table("best epoch", ["", "value"], values + facts)]

    def document(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self) | {"run": str(self.run)}


def train(
    profile: Profile,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> TrainResult:
    """Train the profile's model on train, and keep the epoch with the least loss on valid.

    In the end the threshold on the foreground's probability that is best on valid is stored too.

    Until it has finished, the run lies in `<run>.unfinished`; each file in it is whole at any time.

    Args:
        profile: its `model`, `train`, `classes`, `bands`, `dataset` and `run` are used.
        limit: take only the first tiles of each part, by name.
        overwrite: train again even if the run is there.
        reporter: shown the progress.

    Raises:
        UsageError: the dataset is split into folds and the profile names none.
        ChangedError: there is a run with other tiles or settings, or an unfinished one.
        DataError: there are no tiles, or they cannot be used.
        LandslideError: the loss became infinite or not a number.
    """
    reporter = reporter or SilentReporter()
    check_fold(profile)
    parts: tuple[Part, Part] = ("train", "valid")
    tiles = {part: part_tiles(profile.parts_folder, part)[:limit] for part in parts}
    settings = profile.settings("model", "train", "classes", "bands", "prepare.nearest_colour")
    settings |= {"limit": limit}
    files = [path for one in tiles.values() for tile in one for path in (tile.image, tile.mask)]
    step = Step.of(profile.run_folder / RECORD, settings, files)
    finished = step.finished_before("train", overwrite)
    if finished is not None:
        return TrainResult(**{**finished, "run": profile.run_folder, "unchanged": True})
    if not (profile.run_folder / RECORD).exists():
        refuse_foreign([profile.run_folder], overwrite)
    folder = unfinished_folder(profile.run_folder)
    if (folder / MODEL).exists() and not overwrite:
        raise ChangedError(
            f"{folder}: holds a training that has not finished; move it away to keep it,\n"
            "or start afresh with --overwrite"
        )
    if not (folder / PROFILE).exists():
        refuse_foreign([folder], overwrite)
    with made_parents(folder):
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            result = _train(profile, tiles, folder, limit, reporter)
            step.finish(result.document(), folder / RECORD)
            replace_folder(folder, profile.run_folder)
        except BaseException:
            # What finished epochs have learned is kept, nothing else.
            if not (folder / MODEL).exists():
                shutil.rmtree(folder, ignore_errors=True)
            else:
                reporter.warn(f"not finished; the best model so far is kept in {folder}")
            raise
    return result


def _train(
    profile: Profile,
    tiles: Mapping[Part, Sequence[TileFiles]],
    folder: Path,
    limit: int | None,
    reporter: Reporter,
) -> TrainResult:
    """Data, model, epochs, threshold, report."""
    from landslide_cli.core.model import build_model
    from landslide_cli.imagery.batches import TileBatches
    from landslide_cli.stages.fitting import Fitter, Patience, time_left

    settings, palette, started = profile.train, palette_of(profile), time.monotonic()
    write_text(folder / PROFILE, dump_profile(profile))
    batches = {
        part: TileBatches(
            some,
            palette,
            profile.bands,
            settings.batch,
            multiple=profile.model.multiple,
            cache=settings.cache,
            nearest_colour=profile.prepare.nearest_colour,
        )
        for part, some in tiles.items()
    }
    model = build_model(profile.model, profile.bands, model_outputs(profile), settings.seed)
    fitter = Fitter(model, settings, len(palette))
    scale = _prepared_scale(profile)
    previews = Previews(profile, model, tiling_of(profile, scale), folder)
    # Margins as in Keras's ReduceLROnPlateau and EarlyStopping, which the experiment used.
    slowing, stopping = Patience(settings.reduce_patience, 1e-4), Patience(settings.stop_patience)
    journal = _Journal(folder, model)
    steps = sum(len(one) for one in batches.values())
    columns = [
        "epoch",
        "loss",
        "valid loss",
        f"{palette.names[palette.foreground]} Dice",
        "rate",
        "left",
    ]
    with reporter.live(f"training {profile.name}", columns) as add_row:
        for epoch in range(1, settings.epochs + 1):
            began, rate = time.monotonic(), fitter.learning_rate
            with reporter.track(f"epoch {epoch}", steps) as advance:
                learned = fitter.train(batches["train"], epoch, advance)
                valid = fitter.validate(batches["valid"], advance)
            row = {"epoch": float(epoch)} | learned | _prefixed("valid_", valid)
            row |= {"learning_rate": rate, "seconds": time.monotonic() - began}
            is_best = stopping.sees_better(valid["loss"])
            journal.add(row, is_best)
            previews.add(epoch)
            left = time_left([one["seconds"] for one in journal.rows], settings.epochs)
            add_row(_cells(row, is_best, left))
            if stopping.is_over:
                reporter.note(f"no better validation loss for {stopping.waited} epochs: stopped")
                break
            slowing.sees_better(valid["loss"])
            if slowing.is_over:
                fitter.learning_rate, slowing.waited = rate * settings.reduce_factor, 0
    previews.finish()
    plot_curves(folder / CURVES, journal.rows, round(journal.best["epoch"]))
    # The run has no record yet that would tell its scale.
    best = replace(load_run(profile, folder), scale=scale)
    threshold = choose_threshold(profile, best, folder, limit, reporter)
    return TrainResult(
        run=profile.run_folder,
        epochs=len(journal.rows),
        best=journal.best,
        parameters=model.count_params(),
        tiles={part: len(some) for part, some in tiles.items()},
        seconds=time.monotonic() - started,
        scale=scale,
        threshold=threshold,
        versions=_versions(),
        hardware=_hardware(),
    )


class _Journal:
    """What a training has logged, and its best model: both on disk after each epoch."""

    def __init__(self, folder: Path, model: Any) -> None:
        self._folder, self._model = folder, model
        self.rows: list[Row] = []
        self.best: Row = {}

    def add(self, row: Row, is_best: bool) -> None:
        """Log an epoch, and keep the model as it is now if it is the best so far."""
        self.rows.append(row)
        if is_best:
            self.best = row
            with whole_file(self._folder / MODEL) as partial:
                self._model.save(partial)
        write_csv(self._folder / METRICS, list(row), [_rounded(one) for one in self.rows])


def _prepared_scale(profile: Profile) -> float:
    """Return the factor at which `prepare` resized the scenes; 1 for another tool's tiles."""
    record = Record.read(profile.dataset / TILES / prepare.RECORD)
    return float(record.result["scale"]) if record is not None else 1.0


def _cells(row: Row, is_best: bool, left: str) -> list[str]:
    mark = " *" if is_best else ""
    return [
        f"{row['epoch']:.0f}",
        f"{row['loss']:.4f}",
        f"{row['valid_loss']:.4f}{mark}",
        f"{row['valid_dice']:.4f}",
        f"{row['learning_rate']:.1e}",
        left,
    ]


def _prefixed(prefix: str, values: Mapping[str, float]) -> Row:
    return {f"{prefix}{name}": value for name, value in values.items()}


def _rounded(row: Row) -> list[object]:
    return [int(value) if name == "epoch" else f"{value:.6g}" for name, value in row.items()]


def _versions() -> dict[str, str]:
    packages = ("tensorflow", "keras", "numpy", "opencv-python-headless", "rasterio")
    versions = {"landslide-cli": landslide_cli.__version__, "python": platform.python_version()}
    return versions | {name: version(name) for name in packages}


def _hardware() -> dict[str, Any]:
    from landslide_cli.core.backend import tf

    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "gpus": [device.name for device in tf.config.list_physical_devices("GPU")],
        "threads_within_an_operation": tf.config.threading.get_intra_op_parallelism_threads(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    }
