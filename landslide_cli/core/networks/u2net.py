"""U2-Net: a U-Net each of whose levels is a small U-Net."""

from dataclasses import dataclass
from typing import Any

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.blocks import (
    CLASSES,
    Convolutions,
    class_logits,
    drop,
    pooled_levels,
    probabilities,
    scaled_image,
    upsample,
)
from landslide_cli.profile import U2NetSettings

layers = keras.layers


@dataclass(frozen=True)
class _Level:
    """A small U-Net: its depth, its filters inside and outside, as parts of `base_filters` / 4.

    With `is_flat`, it keeps its size and dilates its convolutions instead.
    """

    depth: int
    inside: int
    outside: int
    is_flat: bool = False


# Filters of the paper for base_filters 64, over 16.
_ENCODER = (
    _Level(7, 2, 4),
    _Level(6, 2, 8),
    _Level(5, 4, 16),
    _Level(4, 8, 32),
    _Level(4, 16, 32, is_flat=True),
    _Level(4, 16, 32, is_flat=True),
)
_DECODER = (
    _Level(7, 1, 4),
    _Level(6, 2, 4),
    _Level(5, 4, 8),
    _Level(4, 8, 16),
    _Level(4, 16, 32, is_flat=True),
)


def u2net(settings: U2NetSettings, bands: int, outputs: int, synchronized: bool = False) -> Any:
    """Build U2-Net, or with `small` the paper's small version of it.

    Six levels of encoder and five of decoder, each a residual U-block: a small U-Net whose result
    is added to its first convolution. The last features of each size give class maps, which are
    enlarged and fused to one; that alone is trained, where the paper also trains each map by
    itself.

    Source: Qin et al., U2-Net, 2020, arXiv:2005.09007.
    """
    build = Convolutions(settings.activation, settings.normalization_momentum, synchronized)
    image, features = scaled_image(bands)

    def block(features: Any, number: int, name: str) -> Any:
        return _block(build, features, _ENCODER[number], settings, name)

    *skips, features = pooled_levels(features, len(_ENCODER), block)
    sides = [features]
    for number, level in reversed(list(enumerate(_DECODER))):
        name = f"decoder_{number}"
        features = upsample(features, 2, name)
        features = layers.Concatenate(name=f"{name}_join")([features, skips.pop()])
        features = _block(build, features, level, settings, name)
        sides.append(features)
    sides[-1] = drop(sides[-1], settings.dropout)
    maps = []
    for number, side in enumerate(reversed(sides)):
        name = f"{CLASSES}_side_{number}"
        logits = class_logits(side, outputs, name, kernel=3)
        maps.append(upsample(logits, 2**number, name, dtype="float32"))
    joined = layers.Concatenate(dtype="float32", name="join")(maps)
    logits = class_logits(joined, outputs)
    return keras.Model(image, probabilities(logits), name="u2net")


def _block(
    build: Convolutions, features: Any, level: _Level, settings: U2NetSettings, name: str
) -> Any:
    """Apply a residual U-block."""
    unit = settings.base_filters // 4
    inside, outside = (1, 4) if settings.small else (level.inside, level.outside)
    inside, outside = inside * unit, outside * unit
    first = features = build.convolution(features, outside, f"{name}_in")
    skips = []
    for step in range(level.depth - 1):
        if step > 0 and not level.is_flat:
            features = layers.MaxPooling2D(2, name=f"{name}_pool_{step}")(features)
        dilation = 2**step if level.is_flat else 1
        features = build.convolution(features, inside, f"{name}_down_{step}", dilation=dilation)
        skips.append(features)
    bottom_dilation = 2 ** (level.depth - 1) if level.is_flat else 2
    features = build.convolution(features, inside, f"{name}_bottom", dilation=bottom_dilation)
    for step in reversed(range(level.depth - 1)):
        if step < level.depth - 2 and not level.is_flat:
            features = upsample(features, 2, f"{name}_up_{step}")
        features = layers.Concatenate(name=f"{name}_join_{step}")([features, skips.pop()])
        filters = inside if step > 0 else outside
        dilation = 2**step if level.is_flat else 1
        features = build.convolution(features, filters, f"{name}_up_{step}", dilation=dilation)
    return layers.Add(name=f"{name}_add")([features, first])
