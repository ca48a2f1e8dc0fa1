"""Rewriting a network in OpenVINO's form so that it runs faster and says the same.

OpenVINO runs a converted graph as it is. Slow there are a softmax along the innermost axis of two
channels, a fifth of the packaged model's time in bfloat16, and pixels that are repeated by tiling
and transposing, as Keras does it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# The axes of (batch, channels, rows, cols), in which OpenVINO convolves, in the order of Keras.
_CHANNELS_LAST = [0, 2, 3, 1]

# How Keras repeats rows and then columns, from the last operation back: their kinds and constants,
# of which the counts of the repetitions and the shapes vary.
_REPETITION = (
    ("Reshape", None),
    ("Tile", None),
    ("Unsqueeze", 3),
    ("Reshape", None),
    ("Transpose", [0, 3, 2, 4, 1]),
    ("Tile", None),
    ("Unsqueeze", 2),
)

_CONVOLUTIONS = {"Convolution": 0, "ConvolutionBackpropData": 1}


def rewrite(openvino: Any, model: Any, foreground_alone: bool) -> None:
    """Rewrite a network in place.

    Args:
        openvino: the module.
        model: an `openvino.Model` from (batch, rows, cols, bands) to (batch, rows, cols, outputs).
        foreground_alone: where it ends with a softmax over two outputs, have it give the second
            alone, as the sigmoid of the difference of the logits.
    """
    ops = openvino.opset13
    for operation in model.get_ordered_ops():
        _repeat_at_once(ops, operation)
    (result,) = model.get_results()
    _rewrite_softmax(ops, result.input_value(0).get_node(), foreground_alone)
    model.validate_nodes_and_infer_types()


def _repeat_at_once(ops: Any, last: Any) -> None:
    """Replace the repetition of rows and of columns that ends with an operation."""
    chain = [last]
    for kind, constant in _REPETITION:
        if chain[-1].get_type_name() != kind:
            return
        if constant is not None and _constant(chain[-1]) != constant:
            return
        chain.append(chain[-1].input_value(0).get_node())
    _, of_cols, _, _, _, of_rows, first, _ = chain
    counts = [_constant(of_rows), _constant(of_cols)]
    rows, cols = counts[0][2], counts[1][3]
    if counts != [[1, 1, rows, 1, 1], [1, 1, 1, cols, 1]]:
        return
    repeated = ops.interpolate(
        first.input_value(0),
        ops.constant(np.array([rows, cols], np.float32)),
        "nearest",
        "scales",
        axes=[2, 3],
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    last.output(0).replace(ops.transpose(repeated, _CHANNELS_LAST).output(0))


def _rewrite_softmax(ops: Any, softmax: Any, foreground_alone: bool) -> None:
    """Compute a final softmax, or the sigmoid in its place, before channels are brought last."""
    if softmax.get_type_name() != "Softmax":
        return
    transpose = softmax.input_value(0).get_node()
    if transpose.get_type_name() != "Transpose" or _constant(transpose) != _CHANNELS_LAST:
        return
    logits = transpose.input_value(0)
    channels = logits.get_partial_shape()[1]
    if foreground_alone and channels.is_static and channels.get_length() == 2:
        probabilities = ops.sigmoid(_difference(ops, logits))
    else:
        probabilities = ops.softmax(logits, 1)
    softmax.output(0).replace(ops.transpose(probabilities, _CHANNELS_LAST).output(0))


def _difference(ops: Any, logits: Any) -> Any:
    """Return the second of two channels (batch, 2, rows, cols) less the first.

    The operations that give the logits compute it themselves, as far as they are linear.
    """
    node = logits.get_node()
    kind = node.get_type_name()
    values = _weights(node.input_value(1)) if node.get_input_size() > 1 else None
    if kind == "Add" and values is not None and values.shape[1:] == (2, 1, 1):
        return ops.add(_difference(ops, node.input_value(0)), values[:, 1:] - values[:, :1])
    if kind in _CONVOLUTIONS and values is not None:
        first, second = np.split(values, 2, axis=_CONVOLUTIONS[kind])
        of_difference = ops.constant(np.ascontiguousarray(second - first))
        node.input(1).replace_source_output(of_difference.output(0))
        node.validate_and_infer_types()
        return node
    first, second = ops.split(logits, 1, 2).outputs()
    return ops.subtract(second, first)


def _constant(operation: Any) -> Any:
    """Return the second input as a number or a list of them; None if it is not a constant."""
    node = operation.input_value(1).get_node()
    return node.get_data().tolist() if node.get_type_name() == "Constant" else None


def _weights(value: Any) -> NDArray[np.float32] | None:
    node = value.get_node()
    if node.get_type_name() != "Constant":
        return None
    return np.asarray(node.get_data(), np.float32)
