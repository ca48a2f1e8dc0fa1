"""The engines that run a trained model: OpenVINO, the fastest on a CPU, or TensorFlow."""

import math
import os
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from landslide_cli.core.arrays import Image, Probabilities
from landslide_cli.core.memory import peak_size
from landslide_cli.core.processor import computes, is_allowed
from landslide_cli.core.tiling.predict import model_channels
from landslide_cli.core.tiling.streaming import Predict
from landslide_cli.errors import ModelError
from landslide_cli.runs.int8_form import Int8Form, read_int8_form
from landslide_cli.runs.keras_model import check_channels
from landslide_cli.runs.openvino_graph import rewrite
from landslide_cli.runs.openvino_library import import_openvino, openvino_core

Precision = Literal["float32", "bfloat16", "int8"]
EngineName = Literal["openvino", "tensorflow"]

# (batch, rows, cols, channels); attention has more.
_FEATURE_RANK = 4

# Sizes of window that a model is kept compiled for: scenes of other sizes may take turns.
_KEPT = 2


@dataclass(frozen=True)
class BatchShape:
    """The shape of the windows of a model call; they are uint8 unless `is_float`."""

    batch: int
    rows: int
    cols: int
    is_float: bool = False


class Engine(Protocol):
    """A loaded model."""

    @property
    def bytes_per_pixel(self) -> float:
        """Bytes that its features take per pixel of a window, in float32."""

    @property
    def int8_form(self) -> Int8Form | None:
        """The int8 form that it can compute; None if there is none."""

    def prefers(self) -> Sequence[Precision]:
        """Return the precisions that the processor computes natively, the fastest first."""

    def compiled(self, shape: BatchShape, precision: Precision) -> Predict:
        """Return the model for windows of one shape.

        It takes (batch, rows, cols, bands) and gives probabilities, (batch, rows, cols, channels)
        float32 in [0, 1]; of two classes only that of the second.
        """


class OpenVinoEngine:
    """A network in OpenVINO's form on the CPU.

    Args:
        network: the file.
        bands: of its input, by the profile.
        outputs: channels of its output, by the profile.
        threads: to compute with; results are bit-identical only for the same number.
        adds_background: whether the network has no output for the background.
        int8_form: the int8 form of the model, if it has one.

    Raises:
        ModelError: the file cannot be read, or the network has other bands or classes.
    """

    def __init__(
        self,
        network: Path,
        bands: int,
        outputs: int,
        threads: int,
        adds_background: bool = False,
        int8_form: Int8Form | None = None,
    ) -> None:
        self._openvino, self._core, self._threads = import_openvino(), openvino_core(), threads
        self._adds_background = adds_background
        try:
            self._model = self._core.read_model(network)
        except RuntimeError as error:
            raise ModelError(f"{network}: cannot be read; delete its folder") from error
        ends = (*self._model.inputs, *self._model.outputs)
        channels = tuple(int(end.partial_shape[-1].get_length()) for end in ends)
        check_channels(network, channels, (bands, outputs))
        rewrite(self._openvino, self._model, foreground_alone=not adds_background)
        self._bands, self.int8_form, self._int8 = bands, int8_form, None
        self._compiled = lru_cache(_KEPT)(self._compile)

    @property
    def network(self) -> Any:
        """The network as it is computed in floating point, an `openvino.Model`."""
        return self._model

    def with_int8(self, network: Any) -> "OpenVinoEngine":
        """Return the same model with another int8 form, an `openvino.Model`."""
        other = copy(self)
        other._int8 = network
        other._compiled = lru_cache(_KEPT)(other._compile)
        return other

    @property
    def bytes_per_pixel(self) -> float:
        """Bytes that its features take per pixel of a window, in float32."""
        side = 512
        model = self._model.clone()
        model.reshape([1, side, side, self._bands])
        operations = [op for op in model.get_ordered_ops() if op.get_type_name() != "Constant"]
        index = {op.get_name(): number for number, op in enumerate(operations)}
        inputs = [
            [
                index[name]
                for value in op.input_values()
                if (name := value.get_node().get_name()) in index
            ]
            for op in operations
        ]
        sizes: list[int] = []
        for operation, sources in zip(operations, inputs, strict=True):
            size = _bytes_of(operation)
            sizes.append(max((sizes[at] for at in sources), default=0) if size is None else size)
        return peak_size(sizes, inputs) / side**2

    def prefers(self) -> Sequence[Precision]:
        """Return the precisions that the processor computes natively, the fastest first."""
        preferred: list[Precision] = ["int8"] if computes("int8") else []
        return (*preferred, *self._floating_point())

    def _floating_point(self) -> Sequence[Precision]:
        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        has_bfloat16 = "BF16" in capabilities and is_allowed("bfloat16")
        return ("bfloat16", "float32") if has_bfloat16 else ("float32",)

    def compiled(self, shape: BatchShape, precision: Precision) -> Predict:
        """Return the model for windows of one shape."""
        predict: Predict = self._compiled(shape, precision)
        return predict

    def _compile(self, shape: BatchShape, precision: Precision) -> Predict:
        openvino = self._openvino
        model = (self._quantized() if precision == "int8" else self._model).clone()
        model.reshape([shape.batch, shape.rows, shape.cols, self._bands])
        # Layers that are not quantized are computed as is fastest.
        floating_point = self._floating_point()[0] if precision == "int8" else precision
        prepost = openvino.preprocess.PrePostProcessor(model)
        kind = openvino.Type.f32 if shape.is_float else openvino.Type.u8
        prepost.input().tensor().set_element_type(kind)
        compiled = self._core.compile_model(
            prepost.build(),
            "CPU",
            {
                # Without this it takes bfloat16 by itself where the processor has it.
                "INFERENCE_PRECISION_HINT": "bf16" if floating_point == "bfloat16" else "f32",
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": self._threads,
            },
        )
        request = compiled.create_infer_request()

        def predict(windows: Image) -> Probabilities:
            (answer,) = request.infer([windows], share_inputs=True).to_tuple()
            return model_channels(np.asarray(answer, np.float32), self._adds_background)

        return predict

    def _quantized(self) -> Any:
        if self._int8 is None:
            if self.int8_form is None:
                raise ModelError("the model has no int8 form")
            self._int8 = read_int8_form(self.int8_form.path, self._core)
        return self._int8


class TensorFlowEngine:
    """A Keras model, on the GPU where there is one.

    Args:
        model: a softmax over the classes, or a sigmoid for the foreground alone.
        adds_background: whether it has no output for the background.
    """

    int8_form = None

    def __init__(self, model: Any, adds_background: bool = False) -> None:
        self._model, self._adds_background = model, adds_background
        self._predict = lru_cache(None)(self._compile)

    @property
    def bytes_per_pixel(self) -> float:
        """Bytes that its features take per pixel of a window, in float32."""
        from landslide_cli.core.networks.summary import feature_sizes

        side = 512
        return 4.0 * peak_size(*feature_sizes(self._model, side, side)) / side**2

    def prefers(self) -> Sequence[Precision]:
        """Return the precisions that the processor computes natively, the fastest first."""
        from landslide_cli.core.networks.backend import has_native_bfloat16

        return ("bfloat16", "float32") if has_native_bfloat16() else ("float32",)

    def compiled(self, shape: BatchShape, precision: Precision) -> Predict:
        """Return the model for windows of one shape."""
        predict: Predict = self._predict(precision)
        return predict

    def _compile(self, precision: Precision) -> Predict:
        from landslide_cli.core.networks.predictor import predictor
        from landslide_cli.core.networks.rebuild import in_precision

        model = self._model
        if precision == "bfloat16":
            model = in_precision(model, precision)
        return predictor(model, self._adds_background)


def may_have_gpu() -> bool:
    """Whether a GPU may be there: TensorFlow needs seconds to look for one."""
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))


def processor_threads() -> int:
    """Return how many processor cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _bytes_of(operation: Any) -> int | None:
    """Return the memory that the features take which an operation gives, in float32.

    Attention between pixels counts; weights and numbers, which do not grow with the window, do not.
    None if OpenVINO knows the shape only when it runs, as of dilated convolutions.
    """
    shapes = [operation.get_output_partial_shape(i) for i in range(operation.get_output_size())]
    if not shapes or shapes[0].rank.is_dynamic or len(shapes[0]) < _FEATURE_RANK:
        return 0
    if not all(shape.is_static for shape in shapes):
        return None
    return sum(4 * math.prod(int(side.get_length()) for side in shape) for shape in shapes)
