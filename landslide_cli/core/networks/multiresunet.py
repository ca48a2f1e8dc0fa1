"""MultiResUNet: a U-Net with kernels of several sizes, and convolutions in its skips."""

from typing import Any

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.blocks import (
    Convolutions,
    class_logits,
    drop,
    pooled_levels,
    probabilities,
    scaled_image,
)
from landslide_cli.profile import MultiResUNetSettings

layers = keras.layers

_LEVELS = 5

# How a level's filters are divided among its three convolutions in a row.
_SHARES = (0.167, 0.333, 0.5)


def multiresunet(
    settings: MultiResUNetSettings, bands: int, outputs: int, synchronized: bool = False
) -> Any:
    """Build a MultiResUNet.

    A level is three 3 x 3 convolutions in a row whose outputs are concatenated, so that they see 3,
    5 and 7 pixels, and added to a 1 x 1 convolution of its input. Skips pass as many residual
    convolutions as there are levels between the two sides; the decoder doubles the resolution by
    2 x 2 transposed convolution.

    Source: Ibtehaz and Rahman, MultiResUNet, 2020, doi:10.1016/j.neunet.2019.08.025.
    """
    build = Convolutions(
        settings.activation,
        settings.normalization_momentum,
        synchronized,
        bias=False,
        scale=False,
    )
    image, features = scaled_image(bands)

    def block(features: Any, level: int, name: str) -> Any:
        filters = settings.base_filters * 2**level
        return _block(build, features, settings.alpha * filters, name)

    *skips, features = pooled_levels(features, _LEVELS, block)
    for level in reversed(range(_LEVELS - 1)):
        name, filters = f"decoder_{level}", settings.base_filters * 2**level
        skip = skips.pop()
        for step in range(_LEVELS - 1 - level):
            skip = _residual(build, skip, filters, f"skip_{level}_{step}")
        features = layers.Conv2DTranspose(filters, 2, 2, padding="same", name=f"{name}_double")(
            features
        )
        features = layers.Concatenate(name=f"{name}_join")([features, skip])
        features = _block(build, features, settings.alpha * filters, name)
    features = drop(features, settings.dropout)
    return keras.Model(image, probabilities(class_logits(features, outputs)), name="multiresunet")


def _block(build: Convolutions, features: Any, width: float, name: str) -> Any:
    """Apply the convolutions of a level of about `width` filters in all."""
    counts = [max(1, int(width * share)) for share in _SHARES]
    shortcut = build.convolution(features, sum(counts), f"{name}_shortcut", 1, active=False)
    outputs = []
    for number, count in enumerate(counts):
        features = build.convolution(features, count, f"{name}_{number}")
        outputs.append(features)
    features = layers.Concatenate(name=f"{name}_scales")(outputs)
    features = build.normalize(features, f"{name}_scales_norm")
    return _added(build, shortcut, features, name)


def _residual(build: Convolutions, features: Any, filters: int, name: str) -> Any:
    """Apply a 3 x 3 convolution, and add a 1 x 1 convolution of the same."""
    shortcut = build.convolution(features, filters, f"{name}_shortcut", 1, active=False)
    return _added(build, shortcut, build.convolution(features, filters, name), name)


def _added(build: Convolutions, shortcut: Any, features: Any, name: str) -> Any:
    added = layers.Add(name=f"{name}_add")([shortcut, features])
    return build.normalize(build.activate(added, f"{name}_out"), f"{name}_out_norm")
