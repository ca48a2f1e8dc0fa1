"""The networks, built from a profile's `model` settings.

An architecture is one function from settings, bands and output channels to a Keras model, listed in
`ARCHITECTURES`, and one settings class in the profile.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from landslide_cli.core.backend import keras

if TYPE_CHECKING:
    from landslide_cli.profile import ModelSettings

layers = keras.layers


# What the names of the encoder's layers begin with.
ENCODER = "encoder"

_POLICIES = {
    "float32": "float32",
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


def build_model(
    settings: "ModelSettings",
    bands: int,
    outputs: int,
    seed: int = 137,
    precision: str = "float32",
    synchronized: bool = False,
) -> Any:
    """Build an untrained network.

    Args:
        settings: architecture and its settings.
        bands: bands of the input.
        outputs: channels of the output: one a class (softmax), or a single one (sigmoid).
        seed: seed of the weights, and of dropout where the settings fix none.
        precision: `float32`, `bfloat16` or `float16`, that all layers but the last compute in.
        synchronized: normalize by the statistics of a batch that is spread over several processors.

    Returns:
        A Keras model from (batch, rows, cols, bands), values in [0, 255], to probabilities
        (batch, rows, cols, outputs); rows and cols are multiples of `settings.multiple`.
    """
    keras.utils.set_random_seed(seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[precision])
    try:
        return ARCHITECTURES[settings.architecture](settings, bands, outputs, synchronized)
    finally:
        keras.config.set_dtype_policy(before)


def flexunet(
    settings: "ModelSettings", bands: int, outputs: int, synchronized: bool = False
) -> Any:
    """Build FlexUNet, a U-Net whose kernels are large at the top and shrink towards the bottom.

    Level i has base_filters * 2^i filters, kernels of max(3, base_kernels - 2i) and dilation
    max(1, dilation - i); its two convolutions stand around a dropout of dropout_rate * i. The
    encoder halves by max-pooling; the decoder doubles by 2 x 2 transposed convolution, takes the
    encoder's features of its level beside it, and mirrors the level's two convolutions.

    Source: antillia.com, TensorFlow-FlexUNet-Tiled-Image-Segmentation-Sichuan-Landslide, 2025,
    after Ronneberger et al., U-Net, 2015, doi:10.1007/978-3-319-24574-4_28.
    """
    inputs = keras.Input((None, None, bands), name="image")
    features = layers.Rescaling(1.0 / 255.0)(inputs) if settings.input_scaling else inputs
    skips = []
    for level in range(settings.num_layers):
        if level > 0:
            features = layers.MaxPooling2D((2, 2))(features)
        block = _Block(settings, level, f"{ENCODER}_{level}", synchronized)
        features = block.applied_to(features)
        skips.append(features)
    for level in reversed(range(settings.num_layers - 1)):
        filters = settings.base_filters * 2**level
        features = layers.Conv2DTranspose(filters, (2, 2), strides=(2, 2), padding="same")(features)
        features = layers.Concatenate()([features, skips[level]])
        block = _Block(settings, level, f"decoder_{level}", synchronized)
        features = block.applied_to(features)
    activation = "sigmoid" if outputs == 1 else "softmax"
    # Probabilities stay float32 whatever the precision of the layers before.
    head = layers.Conv2D(outputs, (1, 1), activation=activation, dtype="float32", name="classes")
    return keras.Model(inputs, head(features), name="flexunet")


@dataclass(frozen=True)
class _Block:
    """Convolution, dropout, convolution: one level of the encoder or the decoder."""

    settings: "ModelSettings"
    level: int
    name: str
    synchronized: bool

    def applied_to(self, features: Any) -> Any:
        rate, seed = self.settings.dropout_rate * self.level, self.settings.dropout_seed
        features = self._convolution(features, f"{self.name}_first")
        features = layers.Dropout(rate, seed=seed, name=f"{self.name}_dropout")(features)
        return self._convolution(features, f"{self.name}_second")

    def _convolution(self, features: Any, name: str) -> Any:
        settings = self.settings
        features = layers.Conv2D(
            settings.base_filters * 2**self.level,
            max(3, settings.base_kernels - 2 * self.level),
            activation=settings.activation,
            dilation_rate=[max(1, rate - self.level) for rate in settings.dilation],
            kernel_initializer="he_normal",
            padding="same",
            name=name,
        )(features)
        if not settings.normalization:
            return features
        return layers.BatchNormalization(
            momentum=settings.normalization_momentum,
            synchronized=self.synchronized,
            name=f"{name}_normalization",
        )(features)


ARCHITECTURES: dict[str, Callable[["ModelSettings", int, int, bool], Any]] = {
    "flexunet": flexunet,
}


@dataclass(frozen=True)
class LayerSummary:
    """A layer of a network: kind, output shape without the batch, parameters and FLOP a tile."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    flop: int


def summarise_layers(model: Any, height: int, width: int) -> Sequence[LayerSummary]:
    """List the layers as they work on one tile of `height` x `width` pixels.

    FLOP count two for each multiplication with its addition in convolutions, which are all but a
    thousandth of the work; other layers count as none.
    """
    shapes = _output_shapes(model, height, width)
    return [
        LayerSummary(
            name=layer.name,
            kind=type(layer).__name__,
            shape=shapes[layer.name],
            parameters=layer.count_params(),
            flop=_flop(layer, shapes[layer.name]),
        )
        for layer in model.layers
    ]


def feature_sizes(model: Any, height: int, width: int) -> tuple[list[int], list[list[int]]]:
    """List the numbers in each layer's output for one tile, and which layers it takes them from.

    Returns:
        The sizes in the order in which the layers run, and for each the indices of its inputs.
    """
    shapes = _output_shapes(model, height, width)
    index = {layer.name: number for number, layer in enumerate(model.layers)}
    inputs = [
        [
            index[parent.operation.name]
            for node in layer._inbound_nodes[:1]
            for parent in node.parent_nodes
        ]
        for layer in model.layers
    ]
    return [math.prod(shapes[layer.name]) for layer in model.layers], inputs


def in_precision(model: Any, precision: str) -> Any:
    """Copy a network into one that computes in another precision, but for its output."""

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name != model.layers[-1].name:
            config["dtype"] = _POLICIES[precision]
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=copied)
    copy.set_weights(model.get_weights())
    return copy


def _output_shapes(model: Any, height: int, width: int) -> dict[str, tuple[int, ...]]:
    probe = keras.Model(model.inputs, [layer.output for layer in model.layers])
    bands = model.input_shape[-1]
    specs = probe.compute_output_spec(keras.KerasTensor((1, height, width, bands)))
    names = [layer.name for layer in model.layers]
    return {name: tuple(spec.shape[1:]) for name, spec in zip(names, specs, strict=True)}


def _flop(layer: Any, shape: tuple[int, ...]) -> int:
    if not isinstance(layer, layers.Conv2D | layers.Conv2DTranspose):
        return 0
    rows, cols, _ = shape
    kernel_rows, kernel_cols, *channels = layer.kernel.shape
    work = 2 * kernel_rows * kernel_cols * channels[0] * channels[1] * rows * cols
    if isinstance(layer, layers.Conv2DTranspose):
        # Each input pixel is spread over `stride` output pixels.
        work //= layer.strides[0] * layer.strides[1]
    return int(work)
