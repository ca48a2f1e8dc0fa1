"""Encoders with ImageNet weights, all with the same interface.

An encoder takes images (batch, rows, cols, bands) of 0 to 255, rows and cols multiples of 32, and
returns features at strides 2, 4, 8, 16 and 32. The names of its layers begin with `ENCODER`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.efficientnet_lite import OFFSET, SCALE, VARIANTS, efficientnet_lite
from landslide_cli.core.networks.shapes import output_shapes
from landslide_cli.core.networks.weight_files import (
    Arrays,
    assign_weights,
    packaged_weights,
    read_weights,
    weights_of,
)
from landslide_cli.errors import ModelError, first_line
from landslide_cli.profile import EncoderSettings

layers = keras.layers

# Prefix of the names of an encoder's layers.
ENCODER = "encoder"

# Mean and standard deviation of ImageNet's bands, in gray levels of 0 to 255.
_MEANS, _DEVIATIONS = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

_STRIDES = (2, 4, 8, 16, 32)

# Side of the image for which output shapes are computed to find the layers' strides.
_PROBE_SIDE = 256

# Prefixes of the names of layers that only the classifier needs.
_CLASSIFIER_PREFIXES = ("top_", "layer_normalization")


@dataclass(frozen=True)
class _KerasApplication:
    """An encoder of keras.applications.

    `function` is its name there. If `is_symmetric`, it was trained on images scaled to -1 to 1,
    else on images standardized by ImageNet's mean and standard deviation.
    """

    function: str
    is_symmetric: bool

    def features(self, image: Any, bands: int, momentum: float, synchronized: bool) -> list[Any]:
        # Variables are recognized as the encoder's by their path, layers by their name.
        with keras.name_scope(ENCODER):
            backbone = self._backbone(self._scale(image, bands), bands, None)
        shapes = output_shapes(backbone, _PROBE_SIDE, _PROBE_SIDE)
        last_of_side = {
            shapes[layer.name][0]: layer.name
            for layer in backbone.layers
            if not layer.name.startswith(_CLASSIFIER_PREFIXES)
        }
        names = [last_of_side.get(_PROBE_SIDE // stride) for stride in _STRIDES]
        features = [backbone.get_layer(name).output for name in names if name is not None]
        for layer in backbone.layers:
            if layer.weights:
                layer.name = f"{ENCODER}_{layer.name}"
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum, layer.synchronized = momentum, synchronized
        # ConvNeXt has no features of stride 2.
        return features if names[0] is not None else [_stem(image, synchronized), *features]

    def load_weights(self, weights: str) -> Arrays:
        """Load weights, `imagenet` or the path of a file, by the layers' names in our networks."""
        pretrained = self._backbone(None, len(_MEANS), weights)
        return {f"{ENCODER}_{name}": values for name, values in weights_of(pretrained).items()}

    def _backbone(self, image: Any, bands: int, weights: str | None) -> Any:
        # All but ResNet50V2 can scale the image themselves, but only with three bands.
        options = {} if self.function == "ResNet50V2" else {"include_preprocessing": False}
        try:
            return getattr(keras.applications, self.function)(
                include_top=False,
                weights=weights,
                input_tensor=image,
                input_shape=(None, None, bands),
                **options,
            )
        except Exception as error:  # whatever downloading or reading a file raises
            if weights is None:
                raise
            raise ModelError(
                f"model.encoder_weights: cannot load '{weights}' for {self.function} "
                f"({first_line(error)});\n"
                "give the path of a downloaded file, or use model.encoder: efficientnet_lite0, "
                "whose weights are part of this package"
            ) from None

    def _scale(self, image: Any, bands: int) -> Any:
        if self.is_symmetric:
            return layers.Rescaling(1.0 / 127.5, -1.0, name="scaling")(image)
        means, deviations = np.array(_MEANS), np.array(_DEVIATIONS)
        if bands != len(_MEANS):
            means, deviations = means.mean(), deviations.mean()
        scale, offset = (1.0 / deviations).tolist(), (-means / deviations).tolist()
        return layers.Rescaling(scale, offset, name="scaling")(image)


_APPLICATIONS = {
    "efficientnetv2_b0": _KerasApplication("EfficientNetV2B0", is_symmetric=False),
    "efficientnetv2_b1": _KerasApplication("EfficientNetV2B1", is_symmetric=False),
    "efficientnetv2_b2": _KerasApplication("EfficientNetV2B2", is_symmetric=False),
    "efficientnetv2_b3": _KerasApplication("EfficientNetV2B3", is_symmetric=False),
    "convnext_tiny": _KerasApplication("ConvNeXtTiny", is_symmetric=False),
    "mobilenetv3_large": _KerasApplication("MobileNetV3Large", is_symmetric=True),
    "resnet50v2": _KerasApplication("ResNet50V2", is_symmetric=True),
}


def encoder_features(
    settings: EncoderSettings, image: Any, bands: int, synchronized: bool = False
) -> list[Any]:
    """Apply the profile's encoder and its input scaling, with random weights.

    Returns:
        Features at strides 2, 4, 8, 16 and 32, (batch, rows, cols, channels).
    """
    name, momentum = settings.encoder, settings.normalization_momentum
    if name in VARIANTS:
        scaled = layers.Rescaling(SCALE, OFFSET, name="scaling")(image)
        return efficientnet_lite(name, scaled, ENCODER, settings.drop_path, momentum, synchronized)
    return _APPLICATIONS[name].features(image, bands, momentum, synchronized)


def load_encoder(
    settings: EncoderSettings, model: Any, rgb_channels: Sequence[int | None] | None = None
) -> None:
    """Load the pretrained weights of a network's encoder, if the profile names any.

    Args:
        settings: of the network.
        model: the network.
        rgb_channels: which of red, green and blue, 0 to 2, each of its bands is; None for another
            band. Default: the bands are taken for these in turn.

    Raises:
        ModelError: the weights cannot be loaded, or are of another encoder.
    """
    source = settings.encoder_weights
    if source is None:
        return
    if settings.encoder not in VARIANTS:
        weights = _APPLICATIONS[settings.encoder].load_weights(source)
    elif source == "imagenet":
        weights = packaged_weights(settings.encoder)
    else:
        weights = read_weights(Path(source))
    unmatched = assign_weights(model, weights, rgb_channels)
    missing = [name for name in unmatched if name.startswith(f"{ENCODER}_")]
    if missing:
        raise ModelError(
            f"model.encoder_weights: '{source}' does not fit {settings.encoder}: "
            f"{missing[0]} is missing or has another shape"
        )


def _stem(image: Any, synchronized: bool) -> Any:
    """Compute features of stride 2 by a layer without pretrained weights."""
    features = layers.Rescaling(1.0 / 127.5, -1.0, name="stem_scaling")(image)
    features = layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="stem")(features)
    features = layers.BatchNormalization(synchronized=synchronized, name="stem_norm")(features)
    return layers.ReLU(name="stem_relu")(features)
