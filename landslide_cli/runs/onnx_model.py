"""A trained network in ONNX, for programs that read that: QGIS's plugin Deepness, ONNX Runtime.

It is translated from OpenVINO's form, operation by operation, so that neither TensorFlow nor a
second conversion of the Keras model is needed. The network in ONNX takes (1, bands, rows, cols) of
0 to 1, as other programs give it, and is scaled, standardized and laid out as this program does.
"""

from pathlib import Path
from typing import Any

from landslide_cli.core.arrays import DEVIATION, MEAN
from landslide_cli.core.tiling.standardize import LEAST_DEVIATION
from landslide_cli.errors import UsageError
from landslide_cli.runs.onnx_operations import Graph, translated
from landslide_cli.runs.openvino_library import import_openvino

# Read by ONNX Runtime from 1.13 (2022) on.
_OPSET, _IR_VERSION = 17, 8

_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]

# Rows and columns where channels come first.
_SIDES = [2, 3]


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
    graph = Graph()
    image = graph.add("Mul", ["image", graph.number(255)])
    if standardized:
        image = _standardized(graph, image)
    answer = translated(graph, source, graph.add("Transpose", [image], perm=_TO_CHANNELS_LAST))
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


def _described(name: str, channels: int, side: int) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, side, side])


def _standardized(graph: Graph, image: str) -> str:
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
