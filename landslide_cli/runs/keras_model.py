"""The Keras file of a trained model: loaded, and compared with the profile."""

import zipfile
from pathlib import Path
from typing import Any

from landslide_cli.errors import ModelError


def load_keras(path: Path, architecture: str | None = None) -> Any:
    """Load a Keras model.

    Args:
        path: of the file.
        architecture: path of a function outside this package that has built it. Its module is
            imported only if the model has layers that Keras does not know without it.

    Raises:
        ModelError: the file is damaged, or that module cannot be imported.
    """
    from landslide_cli.core.networks.backend import keras

    try:
        try:
            return keras.saving.load_model(path, compile=False)
        except TypeError:
            if architecture is None or not zipfile.is_zipfile(path):
                raise
            from landslide_cli.core.networks.import_path import import_architecture

            import_architecture(architecture)
            return keras.saving.load_model(path, compile=False)
    except ModelError:
        raise
    except Exception as error:  # Keras raises whatever its parsers raise
        damaged = "is a damaged model" if zipfile.is_zipfile(path) else "is not a Keras model"
        raise ModelError(
            f"{path}: {damaged}; run `landslide train` again, or name another `run`"
        ) from error


def check_channels(path: Path, channels: tuple[int | None, ...], expected: tuple[int, int]) -> None:
    """Check that a model was made for the profile's bands and classes.

    Args:
        path: of the model.
        channels: of its input and its output.
        expected: likewise, by the profile.

    Raises:
        ModelError: it was not.
    """
    if channels != expected:
        raise ModelError(
            f"{path}: expects {channels[0]} bands and gives {channels[1]} classes; the profile has "
            f"{expected[0]} and {expected[1]};\ntrain it again, or name another `run`"
        )


def channels_of(model: Any) -> tuple[int | None, int | None]:
    """Return the channels of a model's input and output; None for what it does not tell."""
    try:
        return model.input_shape[-1], model.output_shape[-1]
    except (AttributeError, TypeError, IndexError):
        return None, None
