"""Copies of a network with other layers, or in another precision, and the same weights."""

from collections.abc import Callable
from typing import Any

from landslide_cli.core.networks.backend import keras

layers = keras.layers

# Keras's name of the policy by which layers compute in a precision, with weights in float32.
POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


def in_precision(model: Any, precision: str) -> Any:
    """Copy a network so that all layers but the last compute in another precision.

    Layers inside nested `Sequential` models, ConvNeXt's downsampling, stay as they are.
    """

    def copy_layer(layer: Any) -> Any:
        config = layer.get_config()
        # Bare operations compute in the precision of their inputs.
        if isinstance(layer, layers.Layer) and layer.name != model.layers[-1].name:
            config["dtype"] = POLICIES[precision]
        return type(layer).from_config(config)

    return rebuilt(model, copy_layer)


def rebuilt(model: Any, copy_layer: Callable[[Any], Any]) -> Any:
    """Copy a network with its weights; `copy_layer` makes each layer of the copy."""
    copy = keras.models.clone_model(model, clone_function=copy_layer)
    copy.set_weights(model.get_weights())
    return copy
