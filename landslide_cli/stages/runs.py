"""A run's directory: the trained model with what is known of it."""

import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from landslide_cli.core.inference import predictor
from landslide_cli.core.layout import LARGEST, Tiling
from landslide_cli.core.streaming import Predict
from landslide_cli.core.symmetries import Symmetries, averaged
from landslide_cli.errors import ModelError, UsageError
from landslide_cli.profile import Profile
from landslide_cli.weights import FOLDER

MODEL, RECORD, PROFILE, METRICS, CURVES, THRESHOLD = (
    "model.keras",
    "run.json",
    "profile.yaml",
    "metrics.csv",
    "curves.png",
    "threshold.json",
)

# The run in this package, by the word for it in `model.weights`.
LANDSLIDE = "landslide"
PACKAGED = FOLDER / LANDSLIDE


@dataclass(frozen=True)
class Run:
    """A trained model, loaded when it is first asked for.

    `home` is the folder for what comes of it, `folder` itself but for the packaged model. `bands`
    and `outputs` are what the profile says of it. `scale` is the factor at which scenes were
    resized for its tiles, `standardized` tells whether they were given standard levels; `threshold`
    is the probability from which on foreground was best told on valid, None if that was not found
    out.
    """

    folder: Path
    home: Path
    bands: int
    outputs: int
    scale: float
    threshold: float | None
    standardized: bool = False

    @property
    def is_packaged(self) -> bool:
        """Whether it is the model in this package."""
        return self.folder == PACKAGED

    @property
    def file(self) -> Path:
        """The Keras model."""
        return self.folder / MODEL

    @cached_property
    def model(self) -> Any:
        """The Keras model, loaded.

        Raises:
            ModelError: the file is damaged, or it was made for other bands or classes.
        """
        return _loaded(self.file, self.bands, self.outputs)

    def predict(self, tta: Symmetries = "none") -> Predict:
        """Return the model as a function from windows to probabilities of all classes."""
        predict = predictor(self.model)
        return averaged(predict, predict, tta)


def find_run(profile: Profile, folder: Path | None = None) -> Run:
    """Return the profile's run; its model is not loaded yet.

    With `model.weights: landslide` that is the packaged one, as long as the profile's is not there.

    Args:
        profile: its `run`, `fold`, `bands` and `classes` are used.
        folder: where the run lies if it is not the profile's.

    Raises:
        ModelError: there is no model.
    """
    if folder is None:
        check_trained(profile)
    home = folder or run_home(profile)
    folder = PACKAGED if folder is None and home != profile.run_folder else home
    outputs = model_outputs(profile)
    scale, threshold = _scale(folder), _threshold(folder)
    standardized = is_standardized(folder)
    return Run(folder, home, profile.bands, outputs, scale, threshold, standardized)


def run_home(profile: Profile) -> Path:
    """Return where the results of the profile's model lie.

    Those of the packaged model lie apart, so that they are never in the way of a training.
    """
    folder = profile.run_folder
    if profile.model.weights != LANDSLIDE or (folder / MODEL).is_file():
        return folder
    return folder.with_name(f"{folder.name}.packaged")


def load_run(profile: Profile, folder: Path | None = None) -> Run:
    """Return the profile's run with its model loaded; see `find_run`.

    Raises:
        ModelError: there is none, the file is damaged, or it was made for other bands or classes.
    """
    run = find_run(profile, folder)
    run.model  # noqa: B018 - what is wrong with it shows now
    return run


def load_keras(path: Path) -> Any:
    """Load a Keras model.

    Raises:
        ModelError: the file is damaged.
    """
    from landslide_cli.core.backend import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its parsers raise
        damaged = "holds a damaged model" if zipfile.is_zipfile(path) else "is no Keras model"
        raise ModelError(
            f"{path}: {damaged}; run `landslide train` again, or name another `run`"
        ) from error


def _loaded(path: Path, bands: int, outputs: int) -> Any:
    model = load_keras(path)
    found = _ends(model)
    if found != (bands, outputs):
        raise other_ends(path, found, (bands, outputs))
    return model


def other_ends(
    path: Path, found: tuple[int | None, int | None], wanted: tuple[int, int]
) -> ModelError:
    """Say that a model was made for other bands or classes than the profile's."""
    return ModelError(
        f"{path}: takes {found[0]} bands and gives {found[1]} classes, the profile says "
        f"{wanted[0]} and {wanted[1]};\ntrain it again, or name another `run`"
    )


def tiling_of(profile: Profile, run_scale: float, standardized: bool) -> Tiling:
    """Return how scenes in memory are predicted.

    Args:
        profile: its `infer` and `model` are used.
        run_scale: the factor at which the model has learned from scenes.
        standardized: whether it has learned from scenes of standard levels.
    """
    infer, multiple = profile.infer, profile.model.multiple
    fitted = infer.tile == "auto"
    tile = {"auto": LARGEST, "whole": None}.get(str(infer.tile), infer.tile)
    side = None if tile is None else -(-int(tile) // multiple) * multiple
    scale = infer.scale or run_scale
    batch = infer.batch or 1
    return Tiling(side, infer.overlap, batch, scale, fitted, multiple, standardized)


def check_trained(profile: Profile) -> None:
    """Check that there is a model file, before anything slow is begun.

    Raises:
        ModelError: there is none.
    """
    path = profile.run_folder / MODEL
    if not path.is_file() and run_home(profile) == profile.run_folder:
        unfinished = unfinished_folder(profile.run_folder)
        hint = f"; the training in {unfinished} has not finished" if unfinished.exists() else ""
        raise ModelError(f"{path}: no trained model{hint}; run `landslide train` first")


def check_fold(profile: Profile) -> None:
    """Check that the profile says which fold to work on, if its dataset is split into folds.

    Raises:
        UsageError: it does not.
    """
    if profile.split.folds is not None and profile.fold is None:
        raise UsageError(
            f"the dataset is split into folds (split.folds); name one with --fold 1 to "
            f"{profile.split.folds}"
        )


def unfinished_folder(run: Path) -> Path:
    """Return where a run lies until its training has finished."""
    return run.with_name(f"{run.name}.unfinished")


def model_outputs(profile: Profile) -> int:
    """Return how many channels the profile's model gives: one a class, a single one for one."""
    return len(profile.classes)


def _ends(model: Any) -> tuple[int | None, int | None]:
    try:
        return model.input_shape[-1], model.output_shape[-1]
    except (AttributeError, TypeError, IndexError):
        return None, None


def _scale(run: Path) -> float:
    try:
        return float(_result(run)["scale"])
    except (KeyError, TypeError, ValueError):
        return 1.0  # a model from elsewhere


def is_standardized(run: Path) -> bool:
    """Tell whether a run's scenes were given standard levels."""
    return bool(_result(run).get("standardized", False))


def _result(run: Path) -> dict[str, Any]:
    """Return what a training has recorded; nothing for a model from elsewhere."""
    try:
        result = json.loads((run / RECORD).read_text(encoding="utf-8"))["result"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return result if isinstance(result, dict) else {}


def _threshold(run: Path) -> float | None:
    try:
        return float(json.loads((run / THRESHOLD).read_text(encoding="utf-8"))["threshold"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
