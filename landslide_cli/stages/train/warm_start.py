"""The weights that a training starts from: those of another run, or of the packaged model."""

from pathlib import Path
from typing import Any

from landslide_cli.core.networks.weight_files import Arrays, assign_weights, weights_of
from landslide_cli.errors import ModelError, listed
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import LANDSLIDE, MODEL, PACKAGED
from landslide_cli.runs.run import load_keras, stored_preprocessing

# Layers after the decoder, which have the classes' number of channels.
_OF_CLASSES = ("classes", "enlarged_")


def start_file(profile: Profile) -> Path | None:
    """Return the model file that `model.weights` names, if it names any.

    Raises:
        ModelError: it is not there.
    """
    given = profile.model.weights
    if given is None:
        return None
    file = (PACKAGED if given == LANDSLIDE else Path(given)) / MODEL
    if not file.is_file():
        raise ModelError(
            f"{file}: no such model; model.weights is '{LANDSLIDE}' or the folder of a run"
        )
    return file


def start_from(
    profile: Profile, file: Path, model: Any, standardized: bool, reporter: Reporter
) -> None:
    """Give a new model the weights of another; what depends on other classes stays new.

    Args:
        profile: its `model`, `bands` and `classes` are of the new model.
        file: the other model.
        model: the new one.
        standardized: whether it will learn from scenes of standard levels.
        reporter: told of what stays new, and warned of scenes unlike those of the other.

    Raises:
        ModelError: the other is not like it.
    """
    weights: Arrays = weights_of(load_keras(file))
    left = assign_weights(model, weights)
    unlike = [name for name in left if not name.startswith(_OF_CLASSES)]
    if unlike:
        raise ModelError(
            f"{file}: is another network than the profile's `model`: {listed(unlike, most=3)} "
            "have no weights there, or of another shape"
        )
    if left:
        reporter.note(f"{file} has other classes: the last layer starts anew")
    if standardized != stored_preprocessing(file.parent, profile.bands).standardized:
        wanted = "false" if standardized else "true"
        reporter.warn(
            f"{file} has learned from scenes of {'other' if standardized else 'standard'} levels; "
            f"it starts better with prepare.standardize: {wanted}"
        )
