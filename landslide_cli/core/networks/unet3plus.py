"""UNet 3+: every level of the decoder sees the features of all scales."""

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
from landslide_cli.profile import UNet3PlusSettings

layers = keras.layers

_LEVELS = 5


def unet3plus(
    settings: UNet3PlusSettings, bands: int, outputs: int, synchronized: bool = False
) -> Any:
    """Build a UNet 3+ without its auxiliary outputs (deep supervision).

    Levels of two 3 x 3 convolutions with batch normalization. A level of the decoder takes the
    encoder's features of its own and all larger sizes, reduced by max-pooling, and the decoder's of
    all smaller sizes, enlarged; each goes through a convolution to `base_filters` channels, and all
    are fused by one more.

    Source: Huang et al., UNet 3+, 2020, arXiv:2004.08790.
    """
    build = Convolutions(settings.activation, settings.normalization_momentum, synchronized)
    image, features = scaled_image(bands)

    def pair(features: Any, level: int, name: str) -> Any:
        return build.pair(features, settings.base_filters * 2**level, name)

    encoded = pooled_levels(features, _LEVELS, pair)
    width = settings.base_filters
    decoded = {_LEVELS - 1: encoded[-1]}
    for level in reversed(range(_LEVELS - 1)):
        scales = []
        for source in range(_LEVELS):
            name = f"decoder_{level}_from_{source}"
            if source <= level:
                branch = encoded[source]
                if source < level:
                    pool = layers.MaxPooling2D(2 ** (level - source), name=f"{name}_pool")
                    branch = pool(branch)
            else:
                branch = upsample(decoded[source], 2 ** (source - level), name)
            scales.append(build.convolution(branch, width, name))
        joined = layers.Concatenate(name=f"decoder_{level}_join")(scales)
        decoded[level] = build.convolution(joined, _LEVELS * width, f"decoder_{level}_fuse")
    features = drop(decoded[0], settings.dropout)
    logits = class_logits(features, outputs, kernel=3)
    return keras.Model(image, probabilities(logits), name="unet3plus")
