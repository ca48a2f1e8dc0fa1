"""SegFormer: a transformer whose stages have the strides of an encoder, and a light decoder."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.blocks import (
    Convolutions,
    class_logits,
    drop,
    probabilities,
    upsample,
)
from landslide_cli.core.networks.encoders import ENCODER
from landslide_cli.profile import SegFormerSettings

layers = keras.layers

# Strides and kernels of the convolutions that begin the stages, and by how much each stage reduces
# the side of what its pixels attend to.
_STRIDES, _KERNELS, _REDUCTIONS = (4, 2, 2, 2), (7, 3, 3, 3), (8, 4, 2, 1)

# Factor on the channels inside a block's convolutions.
_EXPANSION = 4


def segformer(
    settings: SegFormerSettings, bands: int, outputs: int, synchronized: bool = False
) -> Any:
    """Build a SegFormer; by default with MiT-B0 as encoder, without pretrained weights.

    Four stages, each begun by a convolution of overlapping patches: every pixel attends to all
    others at a reduced resolution, and is mixed with its neighbours by a depthwise convolution. The
    decoder brings the stages to equal channels and to stride 4, and fuses them by a 1 x 1
    convolution.

    Source: Xie et al., SegFormer, 2021, arXiv:2105.15203.
    """
    image = keras.Input((None, None, bands), name="image")
    features = layers.Rescaling(1.0 / 127.5, -1.0, name="scaling")(image)
    rates = _drop_rates(settings)
    encoded = []
    for stage, filters in enumerate(settings.filters):
        name = f"{ENCODER}_{stage}"
        features = layers.Conv2D(
            filters, _KERNELS[stage], _STRIDES[stage], padding="same", name=f"{name}_patches"
        )(features)
        features = _normalized(features, f"{name}_patches_norm")
        for number in range(settings.depths[stage]):
            block = _Block(
                filters, settings.heads[stage], _REDUCTIONS[stage], next(rates), f"{name}_{number}"
            )
            features = block(features)
        features = _normalized(features, f"{name}_norm")
        encoded.append(features)
    logits = class_logits(_decoded(settings, encoded, synchronized), outputs)
    logits = upsample(logits, 4, "enlarged", dtype="float32")
    return keras.Model(image, probabilities(logits), name="segformer")


def _decoded(settings: SegFormerSettings, encoded: list[Any], synchronized: bool) -> Any:
    """Fuse the features of all stages at stride 4."""
    scales = []
    for stage, features in enumerate(encoded):
        name = f"decoder_{stage}"
        projected = layers.Conv2D(settings.decoder, 1, name=name)(features)
        scales.append(upsample(projected, 2**stage, name))
    joined = layers.Concatenate(name="decoder_join")(scales)
    build = Convolutions("relu", settings.normalization_momentum, synchronized, bias=False)
    return drop(build.convolution(joined, settings.decoder, "decoder_fuse", 1), settings.dropout)


@dataclass(frozen=True)
class _Block:
    """A transformer block: attention and a mixing network, each added to its input."""

    filters: int
    heads: int
    reduction: int
    drop_path: float
    name: str

    def __call__(self, features: Any) -> Any:
        return self._mixed(self._attended(features))

    def _attended(self, features: Any) -> Any:
        """Let every pixel attend to all others, which are reduced by a strided convolution."""
        name = f"{self.name}_attention"
        queries = keys = _normalized(features, f"{name}_norm")
        if self.reduction > 1:
            side = self.reduction
            keys = layers.Conv2D(self.filters, side, side, name=f"{name}_reduce")(queries)
            keys = _normalized(keys, f"{name}_reduce_norm")
        # Over rows and columns at once: no layer needs to know how many there are.
        attention = layers.MultiHeadAttention(
            self.heads, self.filters // self.heads, attention_axes=(1, 2), name=name
        )
        return self._added(features, attention(queries, keys), name)

    def _mixed(self, features: Any) -> Any:
        """Apply two layers to each pixel, with a depthwise 3 x 3 convolution between them."""
        name = f"{self.name}_mix"
        mixed = _normalized(features, f"{name}_norm")
        mixed = layers.Conv2D(_EXPANSION * self.filters, 1, name=f"{name}_expand")(mixed)
        mixed = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_depthwise")(mixed)
        mixed = layers.Activation("gelu", name=f"{name}_gelu")(mixed)
        mixed = layers.Conv2D(self.filters, 1, name=f"{name}_project")(mixed)
        return self._added(features, mixed, name)

    def _added(self, features: Any, change: Any, name: str) -> Any:
        if self.drop_path > 0.0:
            change = layers.Dropout(
                self.drop_path, noise_shape=(None, 1, 1, 1), name=f"{name}_drop"
            )(change)
        return layers.Add(name=f"{name}_add")([features, change])


def _normalized(features: Any, name: str) -> Any:
    return layers.LayerNormalization(epsilon=1e-6, name=name)(features)


def _drop_rates(settings: SegFormerSettings) -> Iterator[float]:
    """Yield the rate of stochastic depth of each block, from 0 to the last one's."""
    blocks = sum(settings.depths)
    return (settings.drop_path * index / max(1, blocks - 1) for index in range(blocks))
