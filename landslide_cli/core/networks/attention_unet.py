"""Attention U-Net: skip connections weighted by what the decoder sees at a coarser scale."""

from typing import Any

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.blocks import (
    Convolutions,
    class_logits,
    drop,
    pooled_levels,
    probabilities,
    scaled_image,
    upsample,
)
from landslide_cli.profile import AttentionUNetSettings

layers = keras.layers

_LEVELS = 5


def attention_unet(
    settings: AttentionUNetSettings, bands: int, outputs: int, synchronized: bool = False
) -> Any:
    """Build an attention U-Net, the paper's in two dimensions instead of three.

    Levels of two 3 x 3 convolutions with batch normalization, max-pooling between them, and a
    decoder that upsamples by interpolation. The features of levels 2 to 4 pass a gate before they
    are concatenated; those of the first level are too plain to be gated, as in the paper. Without
    its auxiliary outputs (deep supervision).

    Source: Oktay et al., Attention U-Net, 2018, arXiv:1804.03999.
    """
    build = Convolutions(settings.activation, settings.normalization_momentum, synchronized)
    image, features = scaled_image(bands)

    def pair(features: Any, level: int, name: str) -> Any:
        return build.pair(features, settings.base_filters * 2**level, name)

    *skips, bottom = pooled_levels(features, _LEVELS, pair)
    features = bottom
    gating = build.convolution(bottom, int(bottom.shape[-1]), "gating", kernel=1)
    for level in reversed(range(_LEVELS - 1)):
        name, skip = f"decoder_{level}", skips.pop()
        if level > 0:
            # The first gate sees the bottom through a convolution, the others the decoder itself.
            skip = _gated(build, skip, gating, f"{name}_gate")
        features = upsample(features, 2, name)
        features = layers.Concatenate(name=f"{name}_join")([skip, features])
        features = gating = build.pair(features, settings.base_filters * 2**level, name)
    features = drop(features, settings.dropout)
    return keras.Model(image, probabilities(class_logits(features, outputs)), name="attention_unet")


def _gated(build: Convolutions, features: Any, gating: Any, name: str) -> Any:
    """Weight each pixel of the features by additive attention.

    With features x and a gating signal g of half their size, the weights are sigmoid(psi(relu(Wx x
    + Wg g))), computed at the size of g; Wx is a 2 x 2 convolution of stride 2. The weighted
    features pass a 1 x 1 convolution with batch normalization.
    """
    filters = int(features.shape[-1])
    theta = layers.Conv2D(filters, 2, 2, use_bias=False, name=f"{name}_features")(features)
    phi = layers.Conv2D(filters, 1, name=f"{name}_signal")(gating)
    joint = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([theta, phi]))
    weights = layers.Conv2D(1, 1, activation="sigmoid", name=f"{name}_weights")(joint)
    weights = upsample(weights, 2, name)
    weighted = layers.Multiply(name=f"{name}_multiply")([features, weights])
    return build.convolution(weighted, filters, f"{name}_output", kernel=1, active=False)
