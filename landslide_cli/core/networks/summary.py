"""What a network consists of: its layers and operations, with shapes, sizes and FLOP for a tile."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from landslide_cli.core.diagram import Operation
from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.shapes import output_shapes

layers = keras.layers


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
