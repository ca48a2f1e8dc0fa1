"""Rewritten networks say the same as before, and without the operations that are slow."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.files import MODEL, PACKAGED
from landslide_cli.runs.openvino_graph import rewrite
from landslide_cli.runs.openvino_library import import_openvino
from landslide_cli.runs.openvino_model import converted

TO_CHANNELS_LAST = [0, 2, 3, 1]


@pytest.fixture(scope="module")
def openvino() -> Any:
    return import_openvino()


def network(openvino: Any, outputs: int, is_nonlinear: bool = False) -> Any:
    """Return a convolution, and a softmax over its channels."""
    ops, rng = openvino.opset13, np.random.default_rng(outputs)
    image = ops.parameter([-1, -1, -1, 3], np.float32, "image")
    features = ops.transpose(image, [0, 3, 1, 2])
    kernel = rng.normal(size=(outputs, 3, 3, 3)).astype(np.float32)
    logits = ops.convolution(features, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
    logits = ops.add(logits, rng.normal(size=(1, outputs, 1, 1)).astype(np.float32))
    if is_nonlinear:
        logits = ops.tanh(logits)
    return model_of(openvino, ops.softmax(ops.transpose(logits, TO_CHANNELS_LAST), -1), image)


def repeating(openvino: Any, factors: tuple[int, int], columns_axis: int = 3) -> Any:
    """Return a network that repeats pixels as Keras's UpSampling2D is converted."""
    ops, (rows, cols) = openvino.opset13, factors
    image = ops.parameter([1, 4, 6, 3], np.float32, "image")
    of_rows = ops.tile(ops.unsqueeze(ops.transpose(image, [0, 3, 1, 2]), 2), [1, 1, rows, 1, 1])
    high = ops.reshape(ops.transpose(of_rows, [0, 3, 2, 4, 1]), [1, 4 * rows, 6, 3], False)
    counts = [1, 1, 1, 1, 1]
    counts[columns_axis] = cols
    wide = ops.tile(ops.unsqueeze(high, columns_axis), counts)
    return model_of(openvino, ops.reshape(wide, [1, 4 * rows, 6 * cols, 3], False), image)


def model_of(openvino: Any, output: Any, image: Any) -> Any:
    return openvino.Model([output], [image])


def answer(openvino: Any, model: Any, image: NDArray[np.float32]) -> NDArray[np.float32]:
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    (values,) = compiled([image]).to_tuple()
    return np.asarray(values)


def kinds(model: Any) -> Counter[str]:
    return Counter(operation.get_type_name() for operation in model.get_ordered_ops())


@pytest.fixture
def image() -> NDArray[np.float32]:
    return np.random.default_rng(7).normal(size=(1, 4, 6, 3)).astype(np.float32)


@pytest.mark.parametrize("is_nonlinear", [False, True])
def test_foreground_alone_is_the_second_of_two_classes(
    openvino: Any, image: NDArray[np.float32], is_nonlinear: bool
) -> None:
    model = network(openvino, 2, is_nonlinear)
    expected = answer(openvino, model, image)
    rewrite(openvino, model, foreground_alone=True)
    np.testing.assert_allclose(answer(openvino, model, image), expected[..., 1:], atol=1e-6)
    assert kinds(model)["Softmax"] == 0
    assert expected[..., 1].std() > 0.1


@pytest.mark.parametrize(("outputs", "foreground_alone"), [(2, False), (5, False), (5, True)])
def test_all_classes_stay_where_they_are_asked_for_or_several(
    openvino: Any, image: NDArray[np.float32], outputs: int, foreground_alone: bool
) -> None:
    model = network(openvino, outputs)
    expected = answer(openvino, model, image)
    rewrite(openvino, model, foreground_alone)
    assert expected.shape == (1, 4, 6, outputs)
    np.testing.assert_allclose(answer(openvino, model, image), expected, atol=1e-6)


@pytest.mark.parametrize("factors", [(2, 2), (2, 3), (4, 1)])
def test_repeated_pixels_are_the_same_bits(
    openvino: Any, image: NDArray[np.float32], factors: tuple[int, int]
) -> None:
    model = repeating(openvino, factors)
    rewrite(openvino, model, foreground_alone=True)
    expected = image.repeat(factors[0], axis=1).repeat(factors[1], axis=2)
    np.testing.assert_array_equal(answer(openvino, model, image), expected)
    assert kinds(model)["Tile"] == 0


def test_another_order_of_repetition_is_left_as_it_is(
    openvino: Any, image: NDArray[np.float32]
) -> None:
    # Whole rows are repeated, not pixels.
    model = repeating(openvino, (2, 2), columns_axis=2)
    expected = answer(openvino, model, image)
    rewrite(openvino, model, foreground_alone=True)
    np.testing.assert_array_equal(answer(openvino, model, image), expected)
    assert kinds(model)["Tile"] == 2


def test_packaged_network_has_none_of_the_slow_operations_left(
    openvino: Any, tmp_path: Path
) -> None:
    model = openvino.Core().read_model(converted(PACKAGED / MODEL, SilentReporter(), tmp_path))
    assert kinds(model)["Tile"] == 8
    image = np.random.default_rng(1).integers(0, 256, (1, 64, 96, 3)).astype(np.float32)
    expected = answer(openvino, model, image)
    rewrite(openvino, model, foreground_alone=True)
    assert not {"Tile", "Softmax"} & set(kinds(model))
    np.testing.assert_allclose(answer(openvino, model, image), expected[..., 1:], atol=1e-6)
