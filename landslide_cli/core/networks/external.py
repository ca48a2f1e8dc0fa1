"""Architectures from outside this package, named by the path of a function to import."""

from typing import Any

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.import_path import import_architecture, named
from landslide_cli.errors import ModelError, first_line
from landslide_cli.profile import ExternalSettings


def external(
    settings: ExternalSettings, bands: int, outputs: int, synchronized: bool = False
) -> Any:
    """Build the network that a function outside this package makes.

    The function is called as those of this package are, with `settings`, `bands`, `outputs` and
    `synchronized`; its own settings are in `settings.options`. It returns a Keras model from
    (batch, rows, cols, bands) of 0 to 255 to probabilities (batch, rows, cols, outputs).

    Raises:
        ModelError: the function cannot be imported, fails, or returns something else.
    """
    function = import_architecture(settings.architecture)
    try:
        model = function(settings, bands, outputs, synchronized)
    except Exception as error:  # whatever that function raises
        raise ModelError(f"{named(settings.architecture)} failed: {first_line(error)}") from error
    if not isinstance(model, keras.Model):
        kind = type(model).__name__
        raise ModelError(f"{named(settings.architecture)} returned {kind}, not a Keras model")
    shapes = _shape(model, "input_shape"), _shape(model, "output_shape")
    expected = (None, None, None, bands), (None, None, None, outputs)
    if shapes != expected:
        raise ModelError(
            f"{named(settings.architecture)}: its model goes from {shapes[0]} to {shapes[1]}; "
            f"it should go from {expected[0]} to {expected[1]}"
        )
    return model


def _shape(model: Any, name: str) -> Any:
    try:
        return getattr(model, name)
    except (AttributeError, ValueError):
        return None
