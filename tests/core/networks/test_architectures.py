"""Each architecture has the parameters of its paper, takes images of any size, and can be trained.

The papers' counts are of trainable parameters; see each row for what it counts.
"""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.build import ARCHITECTURES, build_model
from landslide_cli.core.networks.summary import feature_sizes, summarise_layers
from landslide_cli.profile import ModelSettings
from landslide_cli.runs.engines import OpenVinoEngine
from landslide_cli.runs.openvino_library import import_openvino

# The smallest of each, of a thousandth of the parameters.
TINY: dict[str, dict[str, Any]] = {
    "flexunet": {"base_filters": 2, "base_kernels": 3, "num_layers": 3, "normalization": True},
    "unet": {"encoder_weights": None, "decoder": [4]},
    "deeplabv3plus": {"encoder_weights": None, "filters": 4, "low_level_filters": 2},
    "attention_unet": {"base_filters": 2},
    "unet3plus": {"base_filters": 2},
    "u2net": {"base_filters": 8, "small": True},
    "multiresunet": {"base_filters": 4},
    "sharp_unet": {"base_filters": 2},
    "segformer": {
        "filters": [4, 4, 8, 8],
        "heads": [1, 2, 2, 4],
        "depths": [1, 1, 1, 1],
        "decoder": 4,
    },
}

FROM_PAPERS = sorted(TINY.keys() - {"flexunet", "unet"})


SETTINGS: TypeAdapter[ModelSettings] = TypeAdapter(ModelSettings)

BANDS, OUTPUTS = 4, 3


def build(name: str, bands: int = 3, outputs: int = 2, **changes: Any) -> Any:
    values = {"architecture": name} | changes
    return build_model(SETTINGS.validate_json(json.dumps(values)), bands, outputs)


@cache
def tiny(name: str) -> Any:
    """Build the smallest network of its kind; do not change its weights."""
    return build(name, BANDS, OUTPUTS, **TINY[name])


def image() -> Any:
    shape = (2, 32, 64, BANDS)
    return np.random.default_rng(7).uniform(0, 255, shape).astype(np.float32)


def trainable(model: Any) -> int:
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def test_every_architecture_is_tried_here() -> None:
    assert TINY.keys() == ARCHITECTURES.keys()


@pytest.mark.usefixtures("without_values")
@pytest.mark.parametrize(
    ("name", "outputs", "parameters"),
    [
        # Huang et al., table 1: 26.97 million.
        ("unet3plus", 1, 26_971_777),
        # Qin et al., table 3: 176.3 MB of four bytes each.
        ("u2net", 1, 44_009_869),
        # Xie et al., table 1: 3.8 million, for the 150 classes of ADE20K.
        ("segformer", 150, 3_752_694),
        # Zunair and Ben Hamza: as many as the U-Net that Ibtehaz and Rahman, table 3, count to
        # 7,759,521 for one band; here are three.
        ("sharp_unet", 1, 7_759_521 + 2 * 9 * 32),
    ],
)
def test_the_published_width_has_the_parameters_of_the_paper(
    name: str, outputs: int, parameters: int
) -> None:
    assert trainable(build(name, 3, outputs)) == parameters


@pytest.mark.usefixtures("without_values")
def test_multiresunet_has_the_parameters_of_the_paper_but_for_the_normalization_of_its_head() -> (
    None
):
    # Ibtehaz and Rahman, table 3, with the statistics of batch normalization. Theirs has it in the
    # head: an offset and two statistics where here is a bias.
    assert build("multiresunet", 3, 1).count_params() == 7_262_750 - 2


def attention_unet_parameters(dimensions: int, filters: list[int], bands: int, gates: bool) -> int:
    """Count the trainable parameters of an attention U-Net from the definition in the paper."""

    def convolution(inputs: int, outputs: int, side: int = 3) -> int:
        return int(side**dimensions) * inputs * outputs + outputs

    def pair(inputs: int, outputs: int) -> int:
        both = convolution(inputs, outputs) + convolution(outputs, outputs)
        return both + 4 * outputs

    def gate(features: int, signal: int) -> int:
        joint = int(2**dimensions) * features**2 + convolution(signal, features, 1)
        output = convolution(features, features, 1) + 2 * features
        return joint + convolution(features, 1, 1) + output

    levels = list(zip([bands, *filters], filters, strict=False))
    count = sum(pair(*level) for level in levels) + convolution(filters[0], 1, 1)
    count += sum(pair(low + high, low) for low, high in levels[1:])
    if gates:
        count += convolution(filters[-1], filters[-1], 1) + 2 * filters[-1]
        count += sum(gate(low, high) for low, high in levels[2:])
    return count


@pytest.mark.usefixtures("without_values")
def test_attention_unet_is_the_paper_s_in_two_dimensions() -> None:
    # Oktay et al., table 1: the U-Net under the gates has 5.88 million parameters in three.
    plain = attention_unet_parameters(3, [16, 32, 64, 128, 256], 1, gates=False)
    assert plain == pytest.approx(5.88e6, abs=0.01e6)
    flat = attention_unet_parameters(2, [64, 128, 256, 512, 1024], 3, gates=True)
    assert trainable(build("attention_unet", 3, 1)) == flat


@pytest.mark.usefixtures("without_values")
def test_deeplab_adds_pyramid_and_decoder_to_the_shared_encoder() -> None:
    def convolution(inputs: int, outputs: int, side: int) -> int:
        return side * side * inputs * outputs + 2 * outputs

    # EfficientNet-Lite0 gives 24 channels at stride 4 and 320 at stride 32.
    pyramid = convolution(320, 256, 1) * 2 + 3 * convolution(320, 256, 3)
    fused = convolution(5 * 256, 256, 1)
    decoder = convolution(24, 48, 1) + convolution(304, 256, 3) + convolution(256, 256, 3)
    head = 256 * 2 + 2
    model = build("deeplabv3plus", encoder_weights=None)
    own = [w for w in model.trainable_weights if not w.path.startswith("encoder")]
    assert sum(math.prod(w.shape) for w in own) == pyramid + fused + decoder + head
    same = build("unet", encoder_weights=None)
    assert [w.path for w in model.weights if w.path.startswith("encoder")] == [
        w.path for w in same.weights if w.path.startswith("encoder")
    ]


@pytest.mark.parametrize("name", FROM_PAPERS)
def test_a_step_on_a_rectangle_reaches_every_weight(name: str) -> None:
    model, pixels = tiny(name), image()
    truth = np.eye(OUTPUTS, dtype=np.float32)[np.arange(pixels.shape[2]) // 22]
    with tf.GradientTape() as tape:
        answer = model(pixels, training=True)
        loss = -tf.reduce_mean(tf.math.log(answer + 1e-7) * truth)
    assert answer.shape == (*pixels.shape[:3], OUTPUTS)
    np.testing.assert_allclose(tf.reduce_sum(answer, -1), 1.0, atol=1e-5)
    gradients = tape.gradient(loss, model.trainable_weights)
    assert None not in gradients
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_attention_and_dilation_are_read_back_by_keras_alone_and_run_in_openvino(
    tmp_path: Path,
) -> None:
    # Of the architectures' operations those that are not in the U-Nets of other tests, in one
    # model, as each export takes seconds.
    pixels, inputs = image(), keras.Input((None, None, BANDS))
    dilated = keras.layers.Conv2D(OUTPUTS, 3, padding="same", dilation_rate=2)(inputs)
    answers = [tiny("segformer")(inputs), tiny("sharp_unet")(inputs), dilated]
    together = keras.Model(inputs, keras.layers.Concatenate()(answers))
    together.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    loaded.export(tmp_path / "exported", format="tf_saved_model", verbose=False)
    core = import_openvino().Core()
    network = core.read_model(tmp_path / "exported")
    network.reshape(pixels.shape)
    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    (answer,) = core.compile_model(network, "CPU", hints)([pixels]).to_tuple()
    np.testing.assert_allclose(answer, together(pixels), rtol=1e-4, atol=1e-4)
    # OpenVINO knows the shapes of dilated convolutions only when they run.
    engine = OpenVinoEngine(tmp_path / "exported", BANDS, OUTPUTS * len(answers), 1)
    assert engine.bytes_per_pixel > 4 * BANDS


def test_sharp_unet_does_not_train_its_filter() -> None:
    model = tiny("sharp_unet")
    kernels = [w.numpy() for w in model.weights if w.path.startswith("sharpened")]
    assert len(kernels) == 4
    for kernel in kernels:
        assert kernel[1, 1].max() == kernel[1, 1].min() == 8.0
        np.testing.assert_array_equal(kernel.sum(axis=(0, 1)), 0.0)
    assert not [w for w in model.trainable_weights if w.path.startswith("sharpened")]


@pytest.mark.usefixtures("without_values")
def test_work_and_memory_of_attention_are_counted() -> None:
    model = build("segformer", **TINY["segformer"])
    (layer,) = (
        each for each in summarise_layers(model, 64, 64) if each.name == "encoder_0_0_attention"
    )
    queries, keys, channels = 16 * 16, 2 * 2, 4
    assert layer.flop == 4 * (queries + keys) * channels**2 + 4 * queries * keys * channels
    sizes, _ = feature_sizes(model, 64, 64)
    index = [operation.name for operation in model.operations].index(layer.name)
    assert sizes[index] == queries * channels + queries * keys
