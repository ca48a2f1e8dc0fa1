"""U-Net with a pretrained encoder."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.blocks import drop, probabilities
from landslide_cli.core.networks.encoders import encoder_features, load_encoder
from landslide_cli.profile import UNetSettings

layers = keras.layers

# Upsampling steps from stride 32 to 1.
_UPSAMPLING_STEPS = 5


def unet(settings: UNetSettings, bands: int, outputs: int, synchronized: bool = False) -> Any:
    """Build a U-Net with the encoder weights that the profile names.

    They are not loaded if `settings.weights` names a run, which replaces all weights.

    Raises:
        ModelError: the encoder's weights cannot be loaded.

    Source: Ronneberger et al., U-Net, 2015, doi:10.1007/978-3-319-24574-4_28.
    """
    inputs = keras.Input((None, None, bands), name="image")
    features = encoder_features(settings, inputs, bands, synchronized)
    decoded = unet_decoder(settings, features, outputs, synchronized)
    model = keras.Model(inputs, decoded, name="unet")
    if settings.weights is None:
        load_encoder(settings, model)
    return model


def unet_decoder(
    settings: UNetSettings, features: Sequence[Any], outputs: int, synchronized: bool = False
) -> Any:
    """Apply the decoder and the head of a U-Net.

    Each level of the decoder doubles the resolution by repeating pixels, concatenates the encoder's
    features of that stride, and applies two 3 x 3 convolutions with batch normalization and ReLU.
    If the decoder ends before stride 1, the logits are upsampled by transposed convolutions that
    are initialized to bilinear interpolation.

    Args:
        settings: filters per level, dropout and momentum.
        features: of the encoder, at strides 2, 4, 8, 16 and 32.
        outputs: channels of the output, one per class (softmax) or a single one (sigmoid).
        synchronized: whether batch normalization shares its statistics between devices.

    Returns:
        Probabilities at stride 1, (batch, rows, cols, outputs) float32.
    """
    *skips, features = features
    for level, filters in enumerate(settings.decoder):
        name = f"decoder_{level}"
        features = layers.UpSampling2D(2, name=f"{name}_double")(features)
        if skips:
            features = layers.Concatenate(name=f"{name}_join")([features, skips.pop()])
        for position in ("first", "second"):
            features = layers.Conv2D(
                filters,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"{name}_{position}",
            )(features)
            features = layers.BatchNormalization(
                momentum=settings.normalization_momentum,
                synchronized=synchronized,
                name=f"{name}_{position}_norm",
            )(features)
            features = layers.ReLU(name=f"{name}_{position}_relu")(features)
    features = drop(features, settings.decoder_dropout)
    # Logits are float32 whatever the precision of the other layers.
    logits = layers.Conv2D(outputs, 1, dtype="float32", name="classes")(features)
    for level in range(len(settings.decoder), _UPSAMPLING_STEPS):
        upsample = layers.Conv2DTranspose(
            outputs,
            4,
            2,
            padding="same",
            use_bias=False,
            dtype="float32",
            name=f"enlarged_{level}",
        )
        logits = upsample(logits)
        upsample.set_weights([_bilinear_kernel(outputs)])
    return probabilities(logits)


def _bilinear_kernel(channels: int) -> NDArray[np.float64]:
    """Make the (4, 4, channels, channels) kernel that upsamples each channel bilinearly by 2."""
    weights = np.array([0.25, 0.75, 0.75, 0.25])
    return np.outer(weights, weights)[:, :, None, None] * np.eye(channels)
