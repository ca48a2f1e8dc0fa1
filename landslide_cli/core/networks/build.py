"""Building a network from a profile's `model` settings.

An architecture is a function from settings, bands, output channels and `synchronized` to a Keras
model, listed in `ARCHITECTURES`, and a settings class in the profile.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from landslide_cli.core.diagram import Operation
from landslide_cli.core.networks.attention_unet import attention_unet
from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.deeplabv3plus import deeplabv3plus
from landslide_cli.core.networks.external import external
from landslide_cli.core.networks.flexunet import flexunet
from landslide_cli.core.networks.multiresunet import multiresunet
from landslide_cli.core.networks.segformer import segformer
from landslide_cli.core.networks.shapes import output_shapes
from landslide_cli.core.networks.sharp_unet import sharp_unet
from landslide_cli.core.networks.u2net import u2net
from landslide_cli.core.networks.unet import unet
from landslide_cli.core.networks.unet3plus import unet3plus
from landslide_cli.profile import ModelSettings

layers = keras.layers

Architecture = Callable[[Any, int, int, bool], Any]

_POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


def build_model(
    settings: ModelSettings,
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
        outputs: channels of the output, one per class (softmax) or a single one (sigmoid).
        seed: seed of the weights, and of dropout if the settings have none.
        precision: `float32`, `bfloat16` or `float16`, in which all layers but the last compute.
        synchronized: whether batch normalization shares its statistics between devices.

    Returns:
        A Keras model from (batch, rows, cols, bands), values in [0, 255], to probabilities
        (batch, rows, cols, outputs); rows and cols are multiples of `settings.multiple`.
    """
    keras.utils.set_random_seed(seed)
    global_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[precision])
    try:
        build: Architecture = ARCHITECTURES.get(settings.architecture, external)
        return build(settings, bands, outputs, synchronized)
    finally:
        keras.config.set_dtype_policy(global_policy)


# All others are paths of functions outside this package.
ARCHITECTURES: dict[str, Architecture] = {
    "flexunet": flexunet,
    "unet": unet,
    "deeplabv3plus": deeplabv3plus,
    "attention_unet": attention_unet,
    "unet3plus": unet3plus,
    "u2net": u2net,
    "multiresunet": multiresunet,
    "sharp_unet": sharp_unet,
    "segformer": segformer,
}


@dataclass(frozen=True)
class LayerSummary:
    """A layer: class name, output shape without the batch, parameters, and FLOP per tile."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    flop: int


def summarise_layers(model: Any, height: int, width: int) -> Sequence[LayerSummary]:
    """List the layers of a network, with shapes and FLOP for one tile of `height` x `width` pixels.

    A multiplication and its addition count as 2 FLOP. Only convolutions and attention are counted,
    which do more than 99.9 % of the work.
    """
    shapes = output_shapes(model, height, width)
    return [
        LayerSummary(
            name=layer.name,
            kind=type(layer).__name__,
            shape=shapes[layer.name],
            parameters=layer.count_params(),
            flop=_flop(layer, shapes),
        )
        for layer in model.layers
    ]


def feature_sizes(model: Any, height: int, width: int) -> tuple[list[int], list[list[int]]]:
    """Count the values in each operation's output for one tile, and list its inputs.

    Returns:
        The sizes in the order in which the operations run, and for each the indices of the
        operations whose output it takes.
    """
    shapes = output_shapes(model, height, width)
    operations = model.operations
    index = {operation.name: number for number, operation in enumerate(operations)}
    inputs = [[index[name] for name in _parents(operation)] for operation in operations]
    sizes = [
        math.prod(shapes[operation.name]) + _attention_weights(operation, shapes)
        for operation in operations
    ]
    return sizes, inputs


def operations_of(model: Any, height: int, width: int) -> list[Operation]:
    """List the operations of a network, with the shapes for one tile, to draw them."""
    shapes = output_shapes(model, height, width)
    index = {operation.name: number for number, operation in enumerate(model.operations)}
    return [
        Operation(
            name=operation.name,
            shape=shapes[operation.name],
            parameters=operation.count_params() if isinstance(operation, layers.Layer) else 0,
            inputs=tuple(index[name] for name in _parents(operation)),
        )
        for operation in model.operations
    ]


def in_precision(model: Any, precision: str) -> Any:
    """Copy a network so that all layers but the last compute in another precision.

    Layers inside nested `Sequential` models, ConvNeXt's downsampling, stay as they are.
    """

    def copy_layer(layer: Any) -> Any:
        config = layer.get_config()
        # Bare operations compute in the precision of their inputs.
        if isinstance(layer, layers.Layer) and layer.name != model.layers[-1].name:
            config["dtype"] = _POLICIES[precision]
        return type(layer).from_config(config)

    return rebuilt(model, copy_layer)


def rebuilt(model: Any, copy_layer: Callable[[Any], Any]) -> Any:
    """Copy a network with its weights; `copy_layer` makes each layer of the copy."""
    copy = keras.models.clone_model(model, clone_function=copy_layer)
    copy.set_weights(model.get_weights())
    return copy


def _parents(operation: Any) -> list[str]:
    """Name the operations whose output one takes, in the order of its arguments."""
    return [
        parent.operation.name
        for node in operation._inbound_nodes[:1]
        for parent in node.parent_nodes
    ]


def _attention_weights(operation: Any, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Count the weights of an attention: for each head, query pixel and key pixel one."""
    if not isinstance(operation, layers.MultiHeadAttention):
        return 0
    queries, keys = (math.prod(shapes[name][:-1]) for name in _parents(operation)[:2])
    return int(operation.num_heads * queries * keys)


def _attention_flop(layer: Any, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Count the projections of queries, keys, values and output, and the two products of them."""
    queries, keys = (math.prod(shapes[name][:-1]) for name in _parents(layer)[:2])
    channels = shapes[layer.name][-1]
    width = layer.num_heads * layer.key_dim
    return int(4 * (queries + keys) * channels * width + 4 * queries * keys * width)


def _flop(layer: Any, shapes: Mapping[str, tuple[int, ...]]) -> int:
    if isinstance(layer, layers.MultiHeadAttention):
        return _attention_flop(layer, shapes)
    if not isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
        return 0
    rows, cols, _ = shapes[layer.name]
    kernel_rows, kernel_cols, *channels = layer.kernel.shape
    flop = 2 * kernel_rows * kernel_cols * channels[0] * channels[1] * rows * cols
    if isinstance(layer, layers.Conv2DTranspose):
        # The kernel is applied to each input pixel, of which there are fewer by the strides.
        flop //= layer.strides[0] * layer.strides[1]
    return int(flop)
