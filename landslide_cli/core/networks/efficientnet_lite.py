"""EfficientNet-Lite0, an encoder that is small, fast on a CPU and trained on ImageNet."""

from dataclasses import dataclass
from typing import Any

from landslide_cli.core.networks.backend import keras

layers = keras.layers

# Pixels of 0 to 255 become -127/128 to 1.
SCALE, OFFSET = 1.0 / 128.0, -127.0 / 128.0


@dataclass(frozen=True)
class _Stage:
    """Blocks of one resolution: how many, kernel, first stride, expansion, output channels."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)

# Stages whose last block gives the features of a stride: 2, 4, 8, 16 and 32.
_GIVING = (0, 1, 2, 4, 6)


def efficientnet_lite0(
    image: Any,
    prefix: str,
    drop_path: float = 0.0,
    momentum: float = 0.99,
    synchronized: bool = False,
) -> list[Any]:
    """Apply EfficientNet-Lite0 without its classifier.

    Mobile inverted bottlenecks as in EfficientNet-B0, without squeeze-and-excitation and with
    ReLU6 instead of swish.

    Args:
        image: (batch, rows, cols, bands), scaled; rows and cols are multiples of 32.
        prefix: what the layers' names begin with.
        drop_path: share of the images for which the last residual block is left out in training;
            earlier ones in proportion to their depth.
        momentum: share of its running statistics that batch normalization keeps at a step.
        synchronized: normalize by the statistics of a batch that is spread over processors.

    Returns:
        Features at strides 2, 4, 8, 16 and 32, of 16, 24, 40, 112 and 320 channels.

    Source: Tan and Le, EfficientNet, 2019, arXiv:1905.11946; the Lite variant: TensorFlow's
    tpu/models/official/efficientnet/lite, 2020.
    """
    layer = _Layers(momentum, synchronized)
    features = layer.convolution(image, 32, 3, 2, f"{prefix}_stem")
    blocks, index, given = sum(stage.repeats for stage in _STAGES), 0, []
    for number, stage in enumerate(_STAGES):
        for repeat in range(stage.repeats):
            name, before = f"{prefix}_block{index}", features
            stride = stage.stride if repeat == 0 else 1
            width = int(features.shape[-1])
            if stage.expansion > 1:
                expanded = width * stage.expansion
                features = layer.convolution(features, expanded, 1, 1, f"{name}_expand")
            features = layer.depthwise(features, stage.kernel, stride, f"{name}_depthwise")
            features = layer.projection(features, stage.channels, f"{name}_project")
            if stride == 1 and width == stage.channels:
                rate = drop_path * index / blocks
                if rate > 0.0:
                    features = layers.Dropout(
                        rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop"
                    )(features)
                features = layers.Add(name=f"{name}_add")([features, before])
            index += 1
        if number in _GIVING:
            given.append(features)
    return given


@dataclass(frozen=True)
class _Layers:
    """Convolutions with batch normalization, without biases."""

    momentum: float
    synchronized: bool

    def convolution(self, features: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
        features = layers.Conv2D(
            filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv"
        )(features)
        return self._activated(features, name)

    def depthwise(self, features: Any, kernel: int, stride: int, name: str) -> Any:
        features = layers.DepthwiseConv2D(
            kernel, stride, padding="same", use_bias=False, name=f"{name}_conv"
        )(features)
        return self._activated(features, name)

    def projection(self, features: Any, filters: int, name: str) -> Any:
        features = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_conv")(features)
        return self._normalized(features, name)

    def _activated(self, features: Any, name: str) -> Any:
        return layers.ReLU(max_value=6.0, name=f"{name}_relu")(self._normalized(features, name))

    def _normalized(self, features: Any, name: str) -> Any:
        return layers.BatchNormalization(
            epsilon=1e-3,
            momentum=self.momentum,
            synchronized=self.synchronized,
            name=f"{name}_norm",
        )(features)
