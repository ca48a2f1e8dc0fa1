"""OpenVINO's operations in ONNX, one by one.

Sizes are known when they are translated, so that what depends on them becomes numbers.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import ModelError, listed

# Operations of the same inputs in both, with their names there.
_ALIKE = {
    "Add": "Add",
    "Multiply": "Mul",
    "Subtract": "Sub",
    "Divide": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "Power": "Pow",
    "Negative": "Neg",
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
    "Exp": "Exp",
    "Log": "Log",
    "Erf": "Erf",
    "Select": "Where",
}

# These leave the values as they are, in their order; OpenVINO knows the shape.
_SHAPES = ("Reshape", "Squeeze", "Unsqueeze")


class Graph:
    """The operations in ONNX so far, and the numbers that they need."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._numbers: dict[float, str] = {}

    def add(
        self, kind: str, inputs: Sequence[str], output: str | None = None, **attributes: Any
    ) -> str:
        """Add an operation, and return the name of its output."""
        from onnx import helper

        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: NDArray[Any]) -> str:
        """Add an array, and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def number(self, value: float) -> str:
        """Return the name of a float32, which is stored once."""
        if value not in self._numbers:
            self._numbers[value] = self.constant(np.array(value, np.float32))
        return self._numbers[value]

    def integers(self, values: Sequence[int]) -> str:
        """Add whole numbers, and return their name."""
        return self.constant(np.array(values, np.int64))


def translated(graph: Graph, source: Any, image: str) -> str:
    """Add a network's operations to a graph.

    Args:
        graph: to which they are added.
        source: the network, an OpenVINO model whose shapes are all known.
        image: name of its input in the graph.

    Returns:
        The name of its output in the graph.

    Raises:
        ModelError: it has operations without a translation.
    """
    operations = source.get_ordered_ops()
    foreign = {op.get_type_name() for op in operations} - {*_TRANSLATIONS, *_ENDS}
    if foreign:
        raise ModelError(f"a network with {listed(sorted(foreign))} cannot be exported to ONNX")
    names: dict[str, str] = {}
    for operation in operations:
        kind, name = operation.get_type_name(), operation.get_name()
        if kind == "Parameter":
            names[name] = image
        elif kind == "Result":
            return names[operation.input_value(0).get_node().get_name()]
        elif kind != "Constant":
            inputs = [_named(graph, names, value.get_node()) for value in operation.input_values()]
            names[name] = _TRANSLATIONS[kind](graph, operation, inputs)
    raise ModelError("the network has no output")


def _named(graph: Graph, names: dict[str, str], node: Any) -> Callable[[], str]:
    """Return what gives an input's name; numbers are stored when it is asked for first."""

    def name() -> str:
        key = node.get_name()
        if key not in names:
            names[key] = graph.constant(np.array(node.data))
        return names[key]

    return name


_Inputs = Sequence[Callable[[], str]]


def _alike(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    return graph.add(_ALIKE[operation.get_type_name()], [name() for name in inputs])


def _reshape(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    return graph.add("Reshape", [inputs[0](), graph.integers(_shape(operation))])


def _swish(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    steep = graph.add("Mul", [name() for name in inputs]) if len(inputs) > 1 else inputs[0]()
    return graph.add("Mul", [inputs[0](), graph.add("Sigmoid", [steep])])


def _squared_difference(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    difference = graph.add("Sub", [name() for name in inputs])
    return graph.add("Mul", [difference, difference])


def _product(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    names = []
    for number, end in enumerate("ab"):
        name = inputs[number]()
        if operation.get_attributes()[f"transpose_{end}"]:
            axes = [*range(len(operation.input_value(number).shape))]
            name = graph.add("Transpose", [name], perm=[*axes[:-2], axes[-1], axes[-2]])
        names.append(name)
    return graph.add("MatMul", names)


def _space_to_batch(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    """Divide an image into a batch of images, each with every n-th row and column."""
    block, begins, ends = (_integers(operation, number) for number in (1, 2, 3))
    padded = graph.add("Pad", [inputs[0](), graph.integers([*begins, *ends])])
    batch, *sides = (
        int(side) + begin + end
        for side, begin, end in zip(operation.input_value(0).shape, begins, ends, strict=True)
    )
    apart = [
        part for side, size in zip(sides, block[1:], strict=True) for part in (side // size, size)
    ]
    divided = graph.add("Reshape", [padded, graph.integers([batch, *apart])])
    axes = range(1, 1 + len(apart))
    divided = graph.add("Transpose", [divided], perm=[*axes[1::2], 0, *axes[::2]])
    return graph.add("Reshape", [divided, graph.integers(_shape(operation))])


def _batch_to_space(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    """Interleave the images of such a batch again, and crop what was padded."""
    block, begins, ends = (_integers(operation, number) for number in (1, 2, 3))
    many, *sides = (int(side) for side in operation.input_value(0).shape)
    batch, count = many // math.prod(block), len(sides)
    apart = graph.add("Reshape", [inputs[0](), graph.integers([*block[1:], batch, *sides])])
    pairs = [axis for number in range(count) for axis in (count + 1 + number, number)]
    apart = graph.add("Transpose", [apart], perm=[count, *pairs])
    whole = [batch, *(side * size for side, size in zip(sides, block[1:], strict=True))]
    image = graph.add("Reshape", [apart, graph.integers(whole)])
    stops = [side - end for side, end in zip(whole, ends, strict=True)]
    return graph.add("Slice", [image, graph.integers(begins), graph.integers(stops)])


def _pad(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    pads = graph.integers([*_integers(operation, 1), *_integers(operation, 2)])
    value = [name() for name in inputs[3:]]
    mode = operation.get_attributes()["pad_mode"]
    return graph.add("Pad", [inputs[0](), pads, *value], mode=mode)


def _tile(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    return graph.add("Tile", [inputs[0](), graph.integers(_integers(operation, 1))])


def _transpose(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    return graph.add("Transpose", [inputs[0]()], perm=_integers(operation, 1))


def _concat(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    axis = operation.get_attributes()["axis"]
    return graph.add("Concat", [name() for name in inputs], axis=axis)


def _clamp(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    limits = operation.get_attributes()
    ends = [graph.number(float(limits[end])) for end in ("min", "max")]
    return graph.add("Clip", [inputs[0](), *ends])


def _softmax(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    return graph.add("Softmax", [inputs[0]()], axis=operation.get_attributes()["axis"])


def _reduce(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    kind, axes = operation.get_type_name(), _integers(operation, 1)
    keep = int(operation.get_attributes()["keep_dims"])
    if kind == "ReduceSum":  # the first whose axes are an input
        return graph.add(kind, [inputs[0](), graph.integers(axes)], keepdims=keep)
    return graph.add(kind, [inputs[0]()], axes=axes, keepdims=keep)


def _einsum(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    equation = operation.get_attributes()["equation"]
    return graph.add("Einsum", [name() for name in inputs], equation=equation)


def _is_finite(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    kinds = [graph.add(kind, [inputs[0]()]) for kind in ("IsInf", "IsNaN")]
    return graph.add("Not", [graph.add("Or", kinds)])


def _convolution(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    kernel = _constant(operation, 1)
    groups = 1
    if operation.get_type_name() == "GroupConvolution":
        # (groups, outputs of a group, ...): ONNX has all outputs in one axis.
        groups = len(kernel)
        kernel = kernel.reshape(-1, *kernel.shape[2:])
    return graph.add(
        "Conv",
        [inputs[0](), graph.constant(kernel)],
        group=groups,
        strides=_attribute(operation, "strides"),
        dilations=_attribute(operation, "dilations"),
        pads=_pads(operation, kernel.shape[2:]),
    )


def _transposed_convolution(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    kernel = _constant(operation, 1)
    strides, dilations = _attribute(operation, "strides"), _attribute(operation, "dilations")
    sides = zip(_lengths(operation.input_value(0)), _lengths(operation.output(0)), strict=True)
    begins, ends, added = [], [], []
    for number, (before, after) in enumerate(sides):
        whole = strides[number] * (before - 1) + dilations[number] * (kernel.shape[2 + number] - 1)
        cut = whole + 1 - after
        added.append(max(0, -cut))
        begin = max(0, cut) // 2
        begins.append(begin)
        ends.append(max(0, cut) - begin)
    return graph.add(
        "ConvTranspose",
        [inputs[0](), graph.constant(kernel)],
        strides=strides,
        dilations=dilations,
        pads=[*begins, *ends],
        output_padding=added,
    )


def _pool(graph: Graph, operation: Any, inputs: _Inputs) -> str:
    kernel = _attribute(operation, "kernel")
    rest: dict[str, Any] = {}
    if operation.get_type_name() == "AvgPool":
        rest["count_include_pad"] = 1 - int(operation.get_attributes()["exclude-pad"])
    return graph.add(
        operation.get_type_name().replace("Avg", "Average"),
        [inputs[0]()],
        kernel_shape=kernel,
        strides=_attribute(operation, "strides"),
        pads=_pads(operation, kernel),
        **rest,
    )


_ENDS = ("Parameter", "Result", "Constant")
_TRANSLATIONS: dict[str, Callable[[Graph, Any, _Inputs], str]] = {
    **dict.fromkeys(_ALIKE, _alike),
    **dict.fromkeys(_SHAPES, _reshape),
    "Swish": _swish,
    "SquaredDifference": _squared_difference,
    "MatMul": _product,
    "SpaceToBatch": _space_to_batch,
    "BatchToSpace": _batch_to_space,
    "Pad": _pad,
    "Tile": _tile,
    "Transpose": _transpose,
    "Concat": _concat,
    "Clamp": _clamp,
    "Softmax": _softmax,
    "ReduceMean": _reduce,
    "ReduceMax": _reduce,
    "ReduceSum": _reduce,
    "Einsum": _einsum,
    "IsFinite": _is_finite,
    "Convolution": _convolution,
    "GroupConvolution": _convolution,
    "ConvolutionBackpropData": _transposed_convolution,
    "MaxPool": _pool,
    "AvgPool": _pool,
}


def _pads(operation: Any, kernel: Sequence[int]) -> list[int]:
    """Return how many pixels are padded before and after each side, as the sizes tell."""
    if operation.get_attributes()["auto_pad"] not in ("same_upper", "same_lower"):
        return [*_attribute(operation, "pads_begin"), *_attribute(operation, "pads_end")]
    strides = _attribute(operation, "strides")
    dilations = _attribute(operation, "dilations") or [1] * len(kernel)
    lengths = zip(_lengths(operation.input_value(0)), _lengths(operation.output(0)), strict=True)
    totals = [
        max(0, (after - 1) * stride + dilation * (size - 1) + 1 - before)
        for (before, after), stride, dilation, size in zip(
            lengths, strides, dilations, kernel, strict=True
        )
    ]
    halves = [total // 2 for total in totals]
    rest = [total - half for total, half in zip(totals, halves, strict=True)]
    upper = operation.get_attributes()["auto_pad"] == "same_upper"
    return [*halves, *rest] if upper else [*rest, *halves]


def _shape(operation: Any) -> list[int]:
    return [int(side) for side in operation.output(0).shape]


def _lengths(value: Any) -> list[int]:
    """Return rows and columns, where channels come first."""
    return [int(side) for side in value.shape][2:]


def _attribute(operation: Any, name: str) -> list[int]:
    return [int(value) for value in operation.get_attributes().get(name, [])]


def _constant(operation: Any, number: int) -> NDArray[Any]:
    node = operation.input_value(number).get_node()
    if node.get_type_name() != "Constant":
        raise ModelError(
            f"a network whose {operation.get_type_name()} computes its weights cannot be exported "
            "to ONNX"
        )
    return np.array(node.data)


def _integers(operation: Any, number: int) -> list[int]:
    return [int(value) for value in _constant(operation, number).ravel()]
