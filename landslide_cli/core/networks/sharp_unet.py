"""Sharp U-Net: skip connections sharpened by a fixed filter."""

from typing import Any

import numpy as np

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.blocks import (
    Convolutions,
    class_logits,
    drop,
    pooled_levels,
    probabilities,
    scaled_image,
)
from landslide_cli.profile import SharpUNetSettings

layers = keras.layers

_LEVELS = 5

# The Laplacian of eight neighbours.
_SHARPENING = np.array([[-1.0, -1.0, -1.0], [-1.0, 8.0, -1.0], [-1.0, -1.0, -1.0]])


def sharp_unet(
    settings: SharpUNetSettings, bands: int, outputs: int, synchronized: bool = False
) -> Any:
    """Build a Sharp U-Net.

    A U-Net of two 3 x 3 convolutions per level and 2 x 2 transposed convolutions. Before the
    encoder's features are concatenated, each channel is convolved with a Laplacian that is not
    trained, so that they match the decoder's better.

    Source: Zunair and Ben Hamza, Sharp U-Net, 2021, doi:10.1016/j.compbiomed.2021.104699.
    """
    build = Convolutions(
        settings.activation,
        settings.normalization_momentum,
        synchronized,
        normalization=settings.normalization,
    )
    image, features = scaled_image(bands)

    def pair(features: Any, level: int, name: str) -> Any:
        return build.pair(features, settings.base_filters * 2**level, name)

    *skips, features = pooled_levels(features, _LEVELS, pair)
    for level in reversed(range(_LEVELS - 1)):
        name, filters = f"decoder_{level}", settings.base_filters * 2**level
        features = layers.Conv2DTranspose(filters, 2, 2, padding="same", name=f"{name}_double")(
            features
        )
        skip = _sharpened(skips.pop(), f"sharpened_{level}")
        features = layers.Concatenate(name=f"{name}_join")([features, skip])
        features = build.pair(features, filters, name)
    features = drop(features, settings.dropout)
    return keras.Model(image, probabilities(class_logits(features, outputs)), name="sharp_unet")


def _sharpened(features: Any, name: str) -> Any:
    layer = layers.DepthwiseConv2D(3, padding="same", use_bias=False, trainable=False, name=name)
    sharpened = layer(features)
    layer.set_weights([np.repeat(_SHARPENING[:, :, None, None], features.shape[-1], axis=2)])
    return sharpened
