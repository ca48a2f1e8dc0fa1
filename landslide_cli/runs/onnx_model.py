"""A trained network in ONNX, for programs that read that: QGIS's plugin Deepness, ONNX Runtime.

It is translated from OpenVINO's form, operation by operation, so that neither TensorFlow nor a
second conversion of the Keras model is needed. The network in ONNX takes (1, bands, rows, cols) of
0 to 1, as other programs give it, and is scaled, standardized and laid out as this program does.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import DEVIATION, MEAN
from landslide_cli.core.tiling.blur import gaussian_weights
from landslide_cli.core.tiling.standardize import LEAST_DEVIATION
from landslide_cli.errors import UsageError
from landslide_cli.runs.exported import Tiles, check_exported
from landslide_cli.runs.onnx_operations import Graph, translated
from landslide_cli.runs.openvino_library import openvino_core

# Read by ONNX Runtime from 1.13 (2022) on.
_OPSET, _IR_VERSION = 17, 8

_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]

# Rows and columns where channels come first.
_SIDES = [2, 3]


def onnx_model(network: Path, tiles: Tiles, metadata: dict[str, str]) -> bytes:
    """Translate a network to ONNX.

    Args:
        network: in OpenVINO's form, (batch, rows, cols, bands) of 0 to 255 to probabilities.
        tiles: that the translation takes.
        metadata: texts to be stored with it.

    Returns:
        The file: (1, bands, side, side) float32 of 0 to 1 to (1, channels, side, side).

    Raises:
        ModelError: the network has operations without a translation, or ONNX Runtime answers
            otherwise than OpenVINO.
        UsageError: the packages onnx and onnxruntime are not installed.
    """
    try:
        import onnxruntime
        from onnx import checker
    except ImportError:
        raise UsageError(
            "--export onnx needs the packages onnx and onnxruntime; install them with: "
            "pip install 'landslide-cli[onnx]'"
        ) from None
    core = openvino_core()
    source = core.read_model(network)
    source.reshape([1, tiles.side, tiles.side, tiles.bands])
    compiled = core.compile_model(source, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    translation = _translation(source, tiles, metadata)
    checker.check_model(translation)
    content = bytes(translation.SerializeToString())
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def exported(tile: NDArray[np.float32]) -> NDArray[np.float32]:
        (answer,) = session.run(None, {"image": tile.transpose(_TO_CHANNELS_FIRST)})
        return np.asarray(answer, np.float32).transpose(_TO_CHANNELS_LAST)

    check_exported(exported, lambda tile: np.asarray(compiled([tile])[0], np.float32), tiles)
    return content


def _translation(source: Any, tiles: Tiles, metadata: dict[str, str]) -> Any:
    """Return an OpenVINO model whose shapes are known as a model in ONNX."""
    from onnx import helper
    from openvino.passes import ConstantFolding, Manager

    # What is computed from the size of the tile alone becomes numbers.
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(source)
    graph = Graph()
    image = graph.add("Mul", ["image", graph.number(255)])
    if tiles.standardized:
        image = _standardized(graph, image, tiles)
    if tiles.blur:
        image = _blurred(graph, image, tiles)
    answer = translated(graph, source, graph.add("Transpose", [image], perm=_TO_CHANNELS_LAST))
    graph.add("Transpose", [answer], output="probability", perm=_TO_CHANNELS_FIRST)
    channels = int(source.output().shape[-1])
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "landslide",
            [_described("image", tiles.bands, tiles.side)],
            [_described("probability", channels, tiles.side)],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="landslide",
    )
    helper.set_model_props(model, metadata)
    return model


def _described(name: str, channels: int, side: int) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, side, side])


def _standardized(graph: Graph, image: str, tiles: Tiles) -> str:
    """Add what `core.tiling.standardize` computes of a scene that is a single cell."""
    if not tiles.unchanged:
        return _by_statistics(graph, image, tiles)
    changed, unchanged = (
        graph.add("Gather", [image, graph.integers(bands)], axis=1)
        for bands in (tiles.standardized, tiles.unchanged)
    )
    both = graph.add("Concat", [_by_statistics(graph, changed, tiles), unchanged], axis=1)
    return graph.add("Gather", [both, graph.integers(tiles.order)], axis=1)


def _by_statistics(graph: Graph, image: str, tiles: Tiles) -> str:
    def total(values: str) -> str:
        return graph.add("ReduceSum", [values, graph.integers(_SIDES)], keepdims=1)

    if not tiles.is_float:
        image = graph.add("Round", [image])
    brightest = graph.add("ReduceMax", [graph.add("Abs", [image])], axes=[1], keepdims=1)
    counts = graph.add("Sign", [brightest])  # 0 where all bands are
    count = graph.add("Max", [total(counts), graph.number(1)])
    mean = graph.add("Div", [total(image), count])
    centred = graph.add("Sub", [image, mean])
    squares = graph.add("Mul", [graph.add("Mul", [centred, centred]), counts])
    deviations = graph.add("Sqrt", [graph.add("Div", [total(squares), count])])
    deviation = graph.add("ReduceMean", [deviations], axes=[1], keepdims=1)
    deviation = graph.add("Max", [deviation, graph.number(LEAST_DEVIATION)])
    gain = graph.add("Div", [graph.number(DEVIATION), deviation])
    result = graph.add("Add", [graph.add("Mul", [centred, gain]), graph.number(MEAN)])
    if tiles.is_float:
        return result
    return graph.add("Round", [graph.add("Clip", [result, graph.number(0), graph.number(255)])])


def _blurred(graph: Graph, image: str, tiles: Tiles) -> str:
    """Add what `core.tiling.blur` computes."""
    weights = gaussian_weights(tiles.blur)
    kernel = np.tile(weights, (tiles.bands, 1, 1, 1))
    reach = len(weights) // 2
    around = graph.integers([0, 0, reach, reach, 0, 0, reach, reach])
    image = graph.add("Pad", [image, around], mode="reflect")
    for along in (kernel, kernel.transpose(0, 1, 3, 2)):
        image = graph.add("Conv", [image, graph.constant(along)], group=tiles.bands)
    return image
