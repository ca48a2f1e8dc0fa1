"""A trained network in ONNX, for programs that read that: QGIS's plugin Deepness, ONNX Runtime.

It is translated from OpenVINO's form, operation by operation, so that neither TensorFlow nor a
second conversion of the Keras model is needed. The network in ONNX takes (1, bands, rows, cols) of
0 to 1, as other programs give it, and is scaled, standardized and laid out as this program does.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import DEVIATION, MEAN
from landslide_cli.core.tiling.standardize import LEAST_DEVIATION
from landslide_cli.errors import ModelError, UsageError, listed
from landslide_cli.runs.engines import import_openvino

# Read by ONNX Runtime from 1.13 (2022) on.
_OPSET, _IR_VERSION = 17, 8

_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]

# Rows and columns where channels come first.
_SIDES = [2, 3]

# What has been tried, in words for a message.
_ABLE = "flexunet, or unet with an EfficientNet-Lite encoder,"

# Operations of the same inputs in both, with their names there.
_ALIKE = {
    "Add": "Add",
    "Multiply": "Mul",
    "Subtract": "Sub",
    "Divide": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
}

# These leave the values as they are, in their order; OpenVINO knows the shape.
_SHAPES = ("Reshape", "Squeeze", "Unsqueeze")


def onnx_model(network: Path, side: int, standardized: bool, metadata: dict[str, str]) -> bytes:
    """Translate a network to ONNX.

    Args:
        network: in OpenVINO's form, (batch, rows, cols, bands) of 0 to 255 to probabilities.
        side: of the square tiles that the translation takes, in pixels.
        standardized: each tile is standardized by itself before the network; pixels that are black
            in all bands do not count.
        metadata: texts to be stored with it.

    Returns:
        The file: (1, bands, side, side) float32 of 0 to 1 to (1, channels, side, side).

    Raises:
        ModelError: the network has operations without a translation.
        UsageError: the package onnx is not installed.
    """
    try:
        from onnx import checker, helper
    except ImportError:
        raise UsageError(
            "--export onnx needs the package onnx; install it with: "
            "pip install 'landslide-cli[onnx]'"
        ) from None
    openvino = import_openvino()
    from openvino.passes import ConstantFolding, Manager

    source = openvino.Core().read_model(network)
    bands = int(source.input().partial_shape[-1].get_length())
    source.reshape([1, side, side, bands])
    # What is computed from the size of the tile alone becomes numbers.
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(source)
    graph = _Graph()
    image = graph.add("Mul", ["image", graph.number(255)])
    if standardized:
        image = _standardized(graph, image)
    answer = _translated(graph, source, graph.add("Transpose", [image], perm=_TO_CHANNELS_LAST))
    graph.add("Transpose", [answer], output="probability", perm=_TO_CHANNELS_FIRST)
    channels = int(source.output().shape[-1])
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "landslide",
            [_described("image", bands, side)],
            [_described("probability", channels, side)],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="landslide",
    )
    helper.set_model_props(model, metadata)
    checker.check_model(model)
    return bytes(model.SerializeToString())


class _Graph:
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


def _described(name: str, channels: int, side: int) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, side, side])


def _standardized(graph: _Graph, image: str) -> str:
    """Add what `core.tiling.standardize` computes of a scene that is a single cell."""

    def total(values: str) -> str:
        return graph.add("ReduceSum", [values, graph.integers(_SIDES)], keepdims=1)

    image = graph.add("Round", [image])
    brightest = graph.add("ReduceMax", [image], axes=[1], keepdims=1)
    counts = graph.add("Min", [brightest, graph.number(1)])  # whole numbers: 0 where it is black
    count = graph.add("Max", [total(counts), graph.number(1)])
    mean = graph.add("Div", [total(image), count])
    centred = graph.add("Sub", [image, mean])
    squares = graph.add("Mul", [graph.add("Mul", [centred, centred]), counts])
    deviations = graph.add("Sqrt", [graph.add("Div", [total(squares), count])])
    deviation = graph.add("ReduceMean", [deviations], axes=[1], keepdims=1)
    deviation = graph.add("Max", [deviation, graph.number(LEAST_DEVIATION)])
    gain = graph.add("Div", [graph.number(DEVIATION), deviation])
    result = graph.add("Add", [graph.add("Mul", [centred, gain]), graph.number(MEAN)])
    return graph.add("Round", [graph.add("Clip", [result, graph.number(0), graph.number(255)])])


def _translated(graph: _Graph, source: Any, image: str) -> str:
    """Add a network's operations, and return the name of its output."""
    operations = source.get_ordered_ops()
    foreign = {op.get_type_name() for op in operations} - {*_TRANSLATIONS, *_ENDS}
    if foreign:
        raise ModelError(
            f"a network with {listed(sorted(foreign))} cannot be exported to ONNX; {_ABLE} can"
        )
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


def _named(graph: _Graph, names: dict[str, str], node: Any) -> Callable[[], str]:
    """Return what gives an input's name; numbers are stored when it is asked for first."""

    def name() -> str:
        key = node.get_name()
        if key not in names:
            names[key] = graph.constant(np.array(node.data))
        return names[key]

    return name


_Inputs = Sequence[Callable[[], str]]


def _alike(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
    return graph.add(_ALIKE[operation.get_type_name()], [name() for name in inputs])


def _reshape(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
    shape = [int(side) for side in operation.output(0).shape]
    return graph.add("Reshape", [inputs[0](), graph.integers(shape)])


def _tile(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
    return graph.add("Tile", [inputs[0](), graph.integers(_integers(operation, 1))])


def _transpose(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
    return graph.add("Transpose", [inputs[0]()], perm=_integers(operation, 1))


def _concat(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
    axis = operation.get_attributes()["axis"]
    return graph.add("Concat", [name() for name in inputs], axis=axis)


def _clamp(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
    limits = operation.get_attributes()
    ends = [graph.number(float(limits[end])) for end in ("min", "max")]
    return graph.add("Clip", [inputs[0](), *ends])


def _softmax(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
    return graph.add("Softmax", [inputs[0]()], axis=operation.get_attributes()["axis"])


def _mean(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
    keep = int(operation.get_attributes()["keep_dims"])
    return graph.add("ReduceMean", [inputs[0]()], axes=_integers(operation, 1), keepdims=keep)


def _convolution(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
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


def _transposed_convolution(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
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


def _pool(graph: _Graph, operation: Any, inputs: _Inputs) -> str:
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
_TRANSLATIONS: dict[str, Callable[[_Graph, Any, _Inputs], str]] = {
    **dict.fromkeys(_ALIKE, _alike),
    **dict.fromkeys(_SHAPES, _reshape),
    "Tile": _tile,
    "Transpose": _transpose,
    "Concat": _concat,
    "Clamp": _clamp,
    "Softmax": _softmax,
    "ReduceMean": _mean,
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
            f"to ONNX; {_ABLE} can"
        )
    return np.array(node.data)


def _integers(operation: Any, number: int) -> list[int]:
    return [int(value) for value in _constant(operation, number).ravel()]
