"""Encoders trained on ImageNet, all behind one contract.

An encoder takes an image (batch, rows, cols, bands) of 0 to 255, rows and cols multiples of 32, and
gives features at strides 2, 4, 8, 16 and 32. Its layers' names begin with `ENCODER`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.efficientnet_lite import OFFSET, SCALE, efficientnet_lite0
from landslide_cli.core.networks.shapes import output_shapes
from landslide_cli.core.networks.weight_files import (
    Arrays,
    assign_weights,
    packaged_weights,
    read_weights,
    weights_of,
)
from landslide_cli.errors import ModelError

if TYPE_CHECKING:
    from landslide_cli.profile import UNetSettings

layers = keras.layers

# What the names of an encoder's layers begin with.
ENCODER = "encoder"

# Mean and standard deviation of ImageNet's bands, of 0 to 255.
_MEANS, _DEVIATIONS = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)

_STRIDES = (2, 4, 8, 16, 32)

# Side of the image by which layers' strides are told.
_PROBE = 256

# What the layers' names begin with that only the classifier needs.
_UNUSED = ("top_", "layer_normalization")


@dataclass(frozen=True)
class _Application:
    """An encoder of keras.applications.

    `function` is its name there; `is_symmetric` tells that its training scaled images to -1 to 1,
    and not by ImageNet's mean and deviation.
    """

    function: str
    is_symmetric: bool

    def features(self, image: Any, bands: int, momentum: float, synchronized: bool) -> list[Any]:
        """Apply it; see `encoder_features`."""
        # Its variables are known as the encoder's by their path, its layers by their name.
        with keras.name_scope(ENCODER):
            backbone = self._backbone(self._scaled(image, bands), bands, None)
        shapes = output_shapes(backbone, _PROBE, _PROBE)
        last = {shape[0]: name for name, shape in shapes.items() if not name.startswith(_UNUSED)}
        names = [last.get(_PROBE // stride) for stride in _STRIDES]
        features = [backbone.get_layer(name).output for name in names if name is not None]
        for layer in backbone.layers:
            if layer.weights:
                layer.name = f"{ENCODER}_{layer.name}"
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum, layer.synchronized = momentum, synchronized
        # ConvNeXt begins with a stride of 4.
        return features if names[0] is not None else [_stem(image, synchronized), *features]

    def weights(self, given: str) -> Arrays:
        """Read its ImageNet weights, by the names that the layers have in our networks."""
        donor = self._backbone(None, len(_MEANS), given)
        return {f"{ENCODER}_{name}": values for name, values in weights_of(donor).items()}

    def _backbone(self, image: Any, bands: int, weights: str | None) -> Any:
        # All but ResNet50V2 may scale the image themselves, but only three bands.
        options = {} if self.function == "ResNet50V2" else {"include_preprocessing": False}
        try:
            return getattr(keras.applications, self.function)(
                include_top=False,
                weights=weights,
                input_tensor=image,
                input_shape=(None, None, bands),
                **options,
            )
        except Exception as error:  # what downloads and files raise
            if weights is None:
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(
                f"model.encoder_weights: cannot have '{weights}' for {self.function} ({reason});\n"
                "name a file that was downloaded before, or take model.encoder: "
                "efficientnet_lite0, whose weights are in this package"
            ) from None

    def _scaled(self, image: Any, bands: int) -> Any:
        if self.is_symmetric:
            return layers.Rescaling(1.0 / 127.5, -1.0, name="scaling")(image)
        means, deviations = np.array(_MEANS), np.array(_DEVIATIONS)
        if bands != len(_MEANS):
            means, deviations = means.mean(), deviations.mean()
        scale, offset = (1.0 / deviations).tolist(), (-means / deviations).tolist()
        return layers.Rescaling(scale, offset, name="scaling")(image)


_APPLICATIONS = {
    "efficientnetv2_b0": _Application("EfficientNetV2B0", is_symmetric=False),
    "efficientnetv2_b1": _Application("EfficientNetV2B1", is_symmetric=False),
    "efficientnetv2_b2": _Application("EfficientNetV2B2", is_symmetric=False),
    "efficientnetv2_b3": _Application("EfficientNetV2B3", is_symmetric=False),
    "convnext_tiny": _Application("ConvNeXtTiny", is_symmetric=False),
    "mobilenetv3_large": _Application("MobileNetV3Large", is_symmetric=True),
    "resnet50v2": _Application("ResNet50V2", is_symmetric=True),
}


def encoder_features(
    settings: "UNetSettings", image: Any, bands: int, synchronized: bool = False
) -> list[Any]:
    """Apply the profile's encoder, its input scaling included; nothing is trained yet.

    Returns:
        Features at strides 2, 4, 8, 16 and 32; their last axis tells the channels.
    """
    momentum = settings.normalization_momentum
    if settings.encoder == "efficientnet_lite0":
        scaled = layers.Rescaling(SCALE, OFFSET, name="scaling")(image)
        return efficientnet_lite0(scaled, ENCODER, settings.drop_path, momentum, synchronized)
    return _APPLICATIONS[settings.encoder].features(image, bands, momentum, synchronized)


def load_encoder(settings: "UNetSettings", model: Any) -> None:
    """Give a network's encoder what it has learned before, if the profile wants that.

    Raises:
        ModelError: the weights cannot be had, or are another encoder's.
    """
    given = settings.encoder_weights
    if given is None:
        return
    if settings.encoder != "efficientnet_lite0":
        weights = _APPLICATIONS[settings.encoder].weights(given)
    elif given == "imagenet":
        weights = packaged_weights("efficientnet_lite0.npz")
    else:
        weights = read_weights(Path(given))
    left = [name for name in assign_weights(model, weights) if name.startswith(f"{ENCODER}_")]
    if left:
        raise ModelError(
            f"model.encoder_weights: '{given}' does not fit {settings.encoder}; it has no "
            f"{left[0]}, or one of another shape"
        )


def _stem(image: Any, synchronized: bool) -> Any:
    features = layers.Rescaling(1.0 / 127.5, -1.0, name="stem_scaling")(image)
    features = layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="stem")(features)
    features = layers.BatchNormalization(synchronized=synchronized, name="stem_norm")(features)
    return layers.ReLU(name="stem_relu")(features)
