"""Networks in ONNX answer as those that they were translated from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.blur import blur_windows
from landslide_cli.core.tiling.local_statistics import local_statistics
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.core.tiling.standardize import standardize
from landslide_cli.errors import ModelError
from landslide_cli.runs.exported import Tiles
from landslide_cli.runs.onnx_model import onnx_model
from landslide_cli.runs.onnx_operations import translated
from landslide_cli.runs.openvino_library import import_openvino

openvino = import_openvino()
onnxruntime = pytest.importorskip("onnxruntime")

from openvino import opset13 as ops  # noqa: E402 - once it is imported without its telemetry

SIDE, BANDS = 32, 3
TILES, ALL = Tiles(SIDE, BANDS), (0, 1, 2)

Body = Callable[[Any], Any]


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, BANDS), np.uint8)


def weights(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(2).normal(0, 0.1, shape).astype(np.float32)


def network_of(body: Body, path: Path) -> Path:
    """A network with channels last and free sides, whose body has channels first."""
    given = ops.parameter([-1, -1, -1, BANDS], np.float32)
    first = ops.transpose(ops.multiply(given, np.float32(1 / 255)), [0, 3, 1, 2])
    model = openvino.Model([ops.transpose(body(first), [0, 2, 3, 1])], [given])
    openvino.save_model(model, path, compress_to_fp16=False)
    return path


def answer_in_onnx(content: bytes, image: Image) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    given = (image.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    (answer,) = session.run(None, {session.get_inputs()[0].name: given})
    return np.asarray(answer[0].transpose(1, 2, 0), np.float32)


def answer_of(network: Path, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    core = openvino.Core()
    compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled([image[None].astype(np.float32)])[0][0], np.float32)


def convolved(x: Any, side: int, stride: int, pad: str, dilation: int = 1) -> Any:
    kernel = weights(5, BANDS, side, side)
    rates = [stride] * 2, [1, 0], [0, 1], [dilation] * 2
    return ops.relu(ops.add(ops.convolution(x, kernel, *rates, auto_pad=pad), weights(1, 5, 1, 1)))


def convolved_by_bands(x: Any) -> Any:
    kernel = weights(BANDS, 2, 1, 3, 3)
    rates = [2, 2], [0, 0], [0, 0], [1, 1]
    return ops.clamp(ops.group_convolution(x, kernel, *rates, auto_pad="same_upper"), 0.0, 0.2)


def enlarged_by_weights(x: Any, side: int, pad: str) -> Any:
    kernel = weights(BANDS, 4, side, side)
    size = ops.constant(np.array([2 * SIDE, 2 * SIDE]))
    return ops.convolution_backprop_data(x, kernel, [2, 2], size, auto_pad=pad)


def enlarged_by_repetition(x: Any) -> Any:
    # As TensorFlow does: by the size of the image, which is known when it runs.
    size = ops.shape_of(x)
    n, bands, rows, cols = (ops.gather(size, [number], 0) for number in range(4))
    one, two = (ops.constant(np.array([number])) for number in (1, 2))
    apart = ops.reshape(x, ops.concat([n, bands, rows, one, cols, one], 0), False)
    repeated = ops.tile(apart, ops.constant(np.array([1, 1, 1, 2, 1, 2], np.int32)))
    twice = [ops.multiply(side, two) for side in (rows, cols)]
    return ops.reshape(repeated, ops.concat([n, bands, *twice], 0), False)


def pooled(x: Any) -> Any:
    highest = ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [3, 3], auto_pad="same_upper")
    mean = ops.avg_pool(x, [2, 2], [1, 1], [1, 1], [3, 3], True)
    return ops.concat([highest.output(0), mean], 1)


def padded(x: Any) -> Any:
    constant = ops.pad(x, [0, 0, 1, 0], [0, 0, 2, 0], "constant", np.float32(0.5))
    return ops.pad(
        ops.pad(constant, [0, 0, 0, 2], [0, 0, 0, 1], "reflect"), [0] * 4, [1] * 4, "edge"
    )


def weighed(x: Any) -> Any:
    mean = ops.reduce_mean(x, [2, 3], True)
    return ops.softmax(ops.multiply(x, ops.sigmoid(ops.subtract(x, mean))), 1)


def dilated_by_parts(x: Any) -> Any:
    # As TensorFlow dilates: every third row and column is convolved by itself, of 39 with padding.
    block, none = np.array([1, 1, 3, 3]), np.zeros(4, int)
    parts = ops.space_to_batch(x, block, np.array([0, 0, 3, 3]), np.array([0, 0, 4, 4]))
    answers = ops.convolution(parts, weights(4, BANDS, 3, 3), [1, 1], [0, 0], [0, 0], [1, 1])
    return ops.batch_to_space(answers, block, none, np.array([0, 0, 1, 1]))


def attended(x: Any) -> Any:
    flat = ops.reshape(x, ops.constant(np.array([1, BANDS, SIDE * SIDE])), False)
    likeness = ops.erf(ops.matmul(flat, flat, False, True))
    far = ops.power(ops.squared_difference(flat, np.float32(0.4)), np.float32(1.5))
    answer = ops.swish(ops.negative(ops.matmul(likeness, ops.exp(far), True, False)))
    return ops.reshape(answer, ops.constant(np.array([1, BANDS, SIDE, SIDE])), False)


def shared_out(x: Any) -> Any:
    # A softmax by its logarithm, as Keras's attention has it.
    scores = ops.einsum([x, ops.constant(weights(BANDS, BANDS))], "bihw,ij->bjhw")
    highest = ops.reduce_max(scores, [3], True)
    highest = ops.select(ops.is_finite(highest), highest, np.float32(0))
    total = ops.reduce_sum(ops.exp(ops.subtract(scores, highest)), [3], True)
    return ops.exp(ops.subtract(scores, ops.add(ops.log(total), highest)))


BODIES: dict[str, Body] = {
    "convolution": lambda x: convolved(x, 3, 1, "same_upper"),
    "of even side and stride": lambda x: convolved(x, 4, 2, "same_upper"),
    "padded before": lambda x: convolved(x, 4, 1, "same_lower"),
    "padded as told": lambda x: convolved(x, 3, 2, "explicit"),
    "dilated": lambda x: convolved(x, 3, 1, "same_upper", dilation=3),
    "by bands": convolved_by_bands,
    "transposed": lambda x: enlarged_by_weights(x, 2, "same_lower"),
    "transposed, wide": lambda x: enlarged_by_weights(x, 3, "same_lower"),
    "transposed, wider": lambda x: enlarged_by_weights(x, 4, "same_upper"),
    "dilated by parts": dilated_by_parts,
    "attention": attended,
    "softmax by parts": shared_out,
    "repetition": enlarged_by_repetition,
    "pools": pooled,
    "padding": padded,
    "weights of the image": weighed,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_operations_give_the_same_in_onnx(
    body: Body, image: NDArray[np.uint8], tmp_path: Path
) -> None:
    network = network_of(body, tmp_path / "model.xml")
    known = answer_of(network, image)
    assert known.std() > 0
    content = onnx_model(network, TILES, {})
    np.testing.assert_allclose(answer_in_onnx(content, image), known, atol=1e-5)


@pytest.mark.parametrize("standardized", [ALL, (0, 2)], ids=["all bands", "some bands"])
@pytest.mark.parametrize("is_float", [False, True], ids=["of 8 bits", "of floats"])
def test_tiles_are_standardized_as_scenes_of_one_cell(
    standardized: tuple[int, ...], is_float: bool, image: NDArray[np.uint8], tmp_path: Path
) -> None:
    image[:5] = 0  # without data
    levels = image.astype(np.float32) / np.float32(1.7) if is_float else image
    tiles = Tiles(SIDE, BANDS, standardized, is_float)
    network = network_of(lambda x: x, tmp_path / "model.xml")
    content = onnx_model(network, tiles, {})
    kept = tuple(set(ALL) - set(standardized))
    source = ImageSource(levels, standardized=False, kept=kept)
    expected = standardize(levels, local_statistics(source, (1.0, 1.0)))[5:].astype(np.float32)
    made = answer_in_onnx(content, levels)[5:] * 255
    # Sums in another order may round a value to its neighbour.
    tolerance = 1e-3 if is_float else 1.001
    np.testing.assert_allclose(made, expected, rtol=0, atol=tolerance)
    assert (np.abs(made - expected) > 1e-3).mean() < 1e-3


def test_tiles_are_blurred(image: NDArray[np.uint8], tmp_path: Path) -> None:
    network = network_of(lambda x: x, tmp_path / "model.xml")
    content = onnx_model(network, Tiles(SIDE, BANDS, blur=0.8), {})
    expected = blur_windows(image[None].astype(np.float32), 0.8)[0]
    np.testing.assert_allclose(255 * answer_in_onnx(content, image), expected, atol=1e-2)


def test_translation_that_answers_otherwise_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of(lambda x: ops.multiply(x, np.float32(0.5)), tmp_path / "model.xml")
    monkeypatch.setattr(
        "landslide_cli.runs.onnx_model.translated",
        lambda graph, source, image: graph.add(
            "Mul", [translated(graph, source, image), graph.number(1.01)]
        ),
    )
    with pytest.raises(ModelError, match=r"differs from the model by 0\.00.* in probability"):
        onnx_model(network, TILES, {})


def test_metadata_are_stored(tmp_path: Path) -> None:
    network = network_of(lambda x: x, tmp_path / "model.xml")
    texts = {"class_names": json.dumps({"0": "background"}), "tile_size": "32"}
    content = onnx_model(network, TILES, texts)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == texts
    assert [end.shape for end in session.get_inputs()] == [[1, BANDS, SIDE, SIDE]]


def test_operation_without_a_translation_is_named(tmp_path: Path) -> None:
    network = network_of(ops.sin, tmp_path / "model.xml")
    with pytest.raises(ModelError, match="Sin cannot be exported to ONNX"):
        onnx_model(network, TILES, {})
