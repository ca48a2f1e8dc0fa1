"""Warm start: the weights of another run, or of the packaged model, for a new training."""

from pathlib import Path
from typing import Any

from landslide_cli.core.networks.weight_files import Arrays, assign_weights, weights_of
from landslide_cli.errors import ModelError, listed
from landslide_cli.profile import Profile
from landslide_cli.records import check_file
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import LANDSLIDE, MODEL, PACKAGED, RUN_RECORD
from landslide_cli.runs.keras_model import load_keras
from landslide_cli.runs.preprocessing import stored_preprocessing
from landslide_cli.runs.run import architecture_path

# Layers after the decoder, which have the classes' number of channels.
_OF_CLASSES = ("classes", "enlarged_")


def start_file(profile: Profile) -> Path | None:
    """Return the model file that `model.weights` names, if any.

    Raises:
        ModelError: it does not exist.
    """
    weights = profile.model.weights
    if weights is None:
        return None
    file = (PACKAGED if weights == LANDSLIDE else Path(weights)) / MODEL
    if not file.is_file():
        raise ModelError(
            f"{file}: no such model; set model.weights to '{LANDSLIDE}' or to the folder of a run"
        )
    return file


def start_from(
    profile: Profile, file: Path, model: Any, standardized: bool, reporter: Reporter
) -> None:
    """Give a new model the weights of another; the last layer stays new if the classes differ.

    Args:
        profile: its `model`, `bands` and `classes` are of the new model.
        file: the other model.
        model: the new one.
        standardized: whether it will be trained on standardized scenes.
        reporter: told of a new last layer, and warned of scenes unlike those of the other model.

    Raises:
        DataError: the other run is damaged.
        ModelError: the other model is of another network.
    """
    check_file(file, file.with_name(RUN_RECORD))
    weights: Arrays = weights_of(load_keras(file, architecture_path(profile)))
    unassigned = assign_weights(model, weights)
    unlike = [name for name in unassigned if not name.startswith(_OF_CLASSES)]
    if unlike:
        raise ModelError(
            f"{file}: is another network than the profile's `model`: the weights of "
            f"{listed(unlike, most=3)} are missing or have another shape"
        )
    if unassigned:
        reporter.note(f"{file} has other classes: the last layer is initialized anew")
    if standardized != stored_preprocessing(file.parent, profile.model_inputs).standardized:
        how, wanted = ("without", "false") if standardized else ("with", "true")
        reporter.warn(
            f"{file} was trained {how} standardization; set prepare.standardize: {wanted} to start "
            "from it"
        )
