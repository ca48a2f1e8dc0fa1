"""A run's directory: the trained model with what is known of it."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landslide_cli.core.inference import Predict, Tiling, predictor
from landslide_cli.errors import ModelError, UsageError
from landslide_cli.profile import Profile

MODEL, RECORD, PROFILE, METRICS, CURVES, THRESHOLD = (
    "model.keras",
    "run.json",
    "profile.yaml",
    "metrics.csv",
    "curves.png",
    "threshold.json",
)


@dataclass(frozen=True)
class Run:
    """A trained model.

    `scale` is the factor at which scenes were resized for its tiles; `threshold` the probability
    from which on foreground was best told on valid, None if that was not found out.
    """

    folder: Path
    model: Any
    scale: float
    threshold: float | None

    def predict(self) -> Predict:
        """Return the model as a function from windows to probabilities of all classes."""
        return predictor(self.model)


def load_run(profile: Profile, folder: Path | None = None) -> Run:
    """Load the profile's trained model.

    Args:
        profile: its `run`, `fold`, `bands` and `classes` are used.
        folder: where the run lies if it is not the profile's.

    Raises:
        ModelError: there is none, the file is damaged, or it was made for other bands or classes.
    """
    if folder is None:
        check_trained(profile)
    folder = folder or profile.run_folder
    path = folder / MODEL
    from landslide_cli.core.backend import keras

    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its parsers raise
        damaged = "holds a damaged model" if zipfile.is_zipfile(path) else "is no Keras model"
        raise ModelError(
            f"{path}: {damaged}; run `landslide train` again, or name another `run`"
        ) from error
    expected = profile.bands, model_outputs(profile)
    found = _ends(model)
    if found != expected:
        raise ModelError(
            f"{path}: takes {found[0]} bands and gives {found[1]} classes, the profile says "
            f"{expected[0]} and {expected[1]};\ntrain it again, or name another `run`"
        )
    return Run(folder, model, _scale(folder), _threshold(folder))


def tiling_of(profile: Profile, run: Run) -> Tiling:
    """Return how whole scenes are predicted: the profile's windows, at the scale of the run."""
    scale = profile.infer.scale or run.scale
    return Tiling(profile.window, profile.infer.overlap, profile.infer.batch, scale)


def check_trained(profile: Profile) -> None:
    """Check that there is a model file, before anything slow is begun.

    Raises:
        ModelError: there is none.
    """
    path = profile.run_folder / MODEL
    if not path.is_file():
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
        return float(json.loads((run / RECORD).read_text(encoding="utf-8"))["result"]["scale"])
    except (OSError, ValueError, KeyError, TypeError):
        return 1.0  # a model from elsewhere


def _threshold(run: Path) -> float | None:
    try:
        return float(json.loads((run / THRESHOLD).read_text(encoding="utf-8"))["threshold"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
