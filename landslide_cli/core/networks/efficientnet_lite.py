"""EfficientNet-Lite, small encoders that are fast on a CPU and have ImageNet weights."""

from dataclasses import dataclass
from typing import Any

from landslide_cli.core.networks.backend import keras

layers = keras.layers

# Scale pixels of 0 to 255 to -127/128 to 1.
SCALE, OFFSET = 1.0 / 128.0, -127.0 / 128.0


@dataclass(frozen=True)
class _Stage:
    """Consecutive blocks with the same kernel, expansion and channels; the first has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


# The stages of each variant; the stem has 32 channels in all.
_STAGES = {
    "efficientnet_lite0": (
        _Stage(1, 3, 1, 1, 16),
        _Stage(2, 3, 2, 6, 24),
        _Stage(2, 5, 2, 6, 40),
        _Stage(3, 3, 2, 6, 80),
        _Stage(3, 5, 1, 6, 112),
        _Stage(4, 5, 2, 6, 192),
        _Stage(1, 3, 1, 6, 320),
    ),
    "efficientnet_lite2": (
        _Stage(1, 3, 1, 1, 16),
        _Stage(3, 3, 2, 6, 24),
        _Stage(3, 5, 2, 6, 48),
        _Stage(4, 3, 2, 6, 88),
        _Stage(4, 5, 1, 6, 120),
        _Stage(5, 5, 2, 6, 208),
        _Stage(1, 3, 1, 6, 352),
    ),
}

VARIANTS = frozenset(_STAGES)

# Stages whose output is the encoder's at strides 2, 4, 8, 16 and 32.
_OUTPUT_STAGES = (0, 1, 2, 4, 6)


def efficientnet_lite(
    variant: str,
    image: Any,
    prefix: str,
    drop_path: float = 0.0,
    momentum: float = 0.99,
    synchronized: bool = False,
) -> list[Any]:
    """Apply an EfficientNet-Lite without its classifier.

    Mobile inverted bottlenecks as in EfficientNet, without squeeze-and-excitation and with ReLU6
    instead of swish.

    Args:
        variant: one of `VARIANTS`.
        image: (batch, rows, cols, bands), scaled; rows and cols are multiples of 32.
        prefix: of the layers' names.
        drop_path: rate of stochastic depth: the share of images for which a residual block is left
            out in training. It grows in proportion to the depth of the block, from 0 to this.
        momentum: of the moving statistics of batch normalization.
        synchronized: whether batch normalization shares its statistics between devices.

    Returns:
        Features at strides 2, 4, 8, 16 and 32: of 16, 24, 40, 112 and 320 channels (Lite0), or of
        16, 24, 48, 120 and 352 (Lite2).

    Source: Tan and Le, EfficientNet, 2019, arXiv:1905.11946; the Lite variant: TensorFlow's
    tpu/models/official/efficientnet/lite, 2020.
    """
    build = _LayerBuilder(momentum, synchronized)
    features = build.convolution(image, 32, 3, 2, f"{prefix}_stem")
    stages = _STAGES[variant]
    blocks, index, outputs = sum(stage.repeats for stage in stages), 0, []
    for number, stage in enumerate(stages):
        for repeat in range(stage.repeats):
            name, block_input = f"{prefix}_block{index}", features
            stride = stage.stride if repeat == 0 else 1
            channels = int(features.shape[-1])
            if stage.expansion > 1:
                expanded = channels * stage.expansion
                features = build.convolution(features, expanded, 1, 1, f"{name}_expand")
            features = build.depthwise(features, stage.kernel, stride, f"{name}_depthwise")
            features = build.projection(features, stage.channels, f"{name}_project")
            if stride == 1 and channels == stage.channels:
                rate = drop_path * index / blocks
                if rate > 0.0:
                    features = layers.Dropout(
                        rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop"
                    )(features)
                features = layers.Add(name=f"{name}_add")([features, block_input])
            index += 1
        if number in _OUTPUT_STAGES:
            outputs.append(features)
    return outputs


@dataclass(frozen=True)
class _LayerBuilder:
    """Convolutions without bias, each with batch normalization, all but projections with ReLU6."""

    momentum: float
    synchronized: bool

    def convolution(self, features: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
        features = layers.Conv2D(
            filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv"
        )(features)
        return self._activate(features, name)

    def depthwise(self, features: Any, kernel: int, stride: int, name: str) -> Any:
        features = layers.DepthwiseConv2D(
            kernel, stride, padding="same", use_bias=False, name=f"{name}_conv"
        )(features)
        return self._activate(features, name)

    def projection(self, features: Any, filters: int, name: str) -> Any:
        features = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_conv")(features)
        return self._normalize(features, name)

    def _activate(self, features: Any, name: str) -> Any:
        return layers.ReLU(max_value=6.0, name=f"{name}_relu")(self._normalize(features, name))

    def _normalize(self, features: Any, name: str) -> Any:
        return layers.BatchNormalization(
            epsilon=1e-3,
            momentum=self.momentum,
            synchronized=self.synchronized,
            name=f"{name}_norm",
        )(features)
