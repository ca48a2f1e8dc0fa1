"""The networks, built from a profile's `model` settings.

An architecture is one function from settings, bands and output channels to a Keras model, listed in
`ARCHITECTURES`, and one settings class in the profile.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.flexunet import flexunet
from landslide_cli.core.networks.shapes import output_shapes
from landslide_cli.core.networks.unet import unet

if TYPE_CHECKING:
    from landslide_cli.profile import ModelSettings

layers = keras.layers


_POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


def build_model(
    settings: "ModelSettings",
    bands: int,
    outputs: int,
    seed: int = 137,
    precision: str = "float32",
    synchronized: bool = False,
) -> Any:
    """Build an untrained network.

    Args:
        settings: architecture and its settings.
        bands: bands of the input.
        outputs: channels of the output: one a class (softmax), or a single one (sigmoid).
        seed: seed of the weights, and of dropout where the settings fix none.
        precision: `float32`, `bfloat16` or `float16`, that all layers but the last compute in.
        synchronized: normalize by the statistics of a batch that is spread over several processors.

    Returns:
        A Keras model from (batch, rows, cols, bands), values in [0, 255], to probabilities
        (batch, rows, cols, outputs); rows and cols are multiples of `settings.multiple`.
    """
    keras.utils.set_random_seed(seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[precision])
    try:
        return ARCHITECTURES[settings.architecture](settings, bands, outputs, synchronized)
    finally:
        keras.config.set_dtype_policy(before)


ARCHITECTURES: dict[str, Callable[[Any, int, int, bool], Any]] = {
    "flexunet": flexunet,
    "unet": unet,
}


@dataclass(frozen=True)
class LayerSummary:
    """A layer of a network: kind, output shape without the batch, parameters and FLOP a tile."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    flop: int


def summarise_layers(model: Any, height: int, width: int) -> Sequence[LayerSummary]:
    """List the layers as they work on one tile of `height` x `width` pixels.

    FLOP count two for each multiplication with its addition in convolutions, which are all but a
    thousandth of the work; other layers count as none.
    """
    shapes = output_shapes(model, height, width)
    return [
        LayerSummary(
            name=layer.name,
            kind=type(layer).__name__,
            shape=shapes[layer.name],
            parameters=layer.count_params(),
            flop=_flop(layer, shapes[layer.name]),
        )
        for layer in model.layers
    ]


def feature_sizes(model: Any, height: int, width: int) -> tuple[list[int], list[list[int]]]:
    """List the numbers in each layer's output for one tile, and which layers it takes them from.

    Returns:
        The sizes in the order in which the layers run, and for each the indices of its inputs.
    """
    shapes = output_shapes(model, height, width)
    index = {layer.name: number for number, layer in enumerate(model.layers)}
    inputs = [
        [
            index[parent.operation.name]
            for node in layer._inbound_nodes[:1]
            for parent in node.parent_nodes
        ]
        for layer in model.layers
    ]
    return [math.prod(shapes[layer.name]) for layer in model.layers], inputs


def in_precision(model: Any, precision: str) -> Any:
    """Copy a network into one that computes in another precision, but for its output."""

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        # Bare operations compute in what they are given.
        if isinstance(layer, layers.Layer) and layer.name != model.layers[-1].name:
            config["dtype"] = _POLICIES[precision]
        return type(layer).from_config(config)

    return rebuilt(model, copied)


def rebuilt(model: Any, copied: Callable[[Any], Any]) -> Any:
    """Copy a network with its weights, each layer into what `copied` makes of it."""
    copy = keras.models.clone_model(model, clone_function=copied)
    copy.set_weights(model.get_weights())
    return copy


def _flop(layer: Any, shape: tuple[int, ...]) -> int:
    if not isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
        return 0
    rows, cols, _ = shape
    kernel_rows, kernel_cols, *channels = layer.kernel.shape
    work = 2 * kernel_rows * kernel_cols * channels[0] * channels[1] * rows * cols
    if isinstance(layer, layers.Conv2DTranspose):
        # Each input pixel is spread over `stride` output pixels.
        work //= layer.strides[0] * layer.strides[1]
    return int(work)
