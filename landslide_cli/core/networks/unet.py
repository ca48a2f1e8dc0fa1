"""U-Net with an encoder that has been trained before."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.encoders import encoder_features, load_encoder

if TYPE_CHECKING:
    from landslide_cli.profile import UNetSettings

layers = keras.layers

# From stride 32 to 1.
_DOUBLINGS = 5


def unet(settings: "UNetSettings", bands: int, outputs: int, synchronized: bool = False) -> Any:
    """Build a U-Net whose encoder has the weights that the profile names, if not all will have.

    The decoder doubles by repeating pixels, takes the encoder's features of that stride beside it,
    and convolves twice 3 x 3 with batch normalization and ReLU. Where it ends before stride 1, the
    classes' logits are doubled by transposed convolutions that begin as bilinear interpolation.

    Raises:
        ModelError: the encoder's weights cannot be had.

    Source: Ronneberger et al., U-Net, 2015, doi:10.1007/978-3-319-24574-4_28.
    """
    inputs = keras.Input((None, None, bands), name="image")
    *skips, features = encoder_features(settings, inputs, bands, synchronized)
    for level, filters in enumerate(settings.decoder):
        name = f"decoder_{level}"
        features = layers.UpSampling2D(2, name=f"{name}_double")(features)
        if skips:
            features = layers.Concatenate(name=f"{name}_join")([features, skips.pop()])
        for place in ("first", "second"):
            features = layers.Conv2D(
                filters,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"{name}_{place}",
            )(features)
            features = layers.BatchNormalization(
                momentum=settings.normalization_momentum,
                synchronized=synchronized,
                name=f"{name}_{place}_norm",
            )(features)
            features = layers.ReLU(name=f"{name}_{place}_relu")(features)
    if settings.decoder_dropout > 0.0:
        features = layers.SpatialDropout2D(settings.decoder_dropout, name="dropout")(features)
    # Logits and probabilities stay float32 whatever the precision of the layers before.
    logits = layers.Conv2D(outputs, 1, dtype="float32", name="classes")(features)
    for level in range(len(settings.decoder), _DOUBLINGS):
        double = layers.Conv2DTranspose(
            outputs,
            4,
            2,
            padding="same",
            use_bias=False,
            dtype="float32",
            name=f"enlarged_{level}",
        )
        logits = double(logits)
        double.set_weights([_bilinear(outputs)])
    activation = "sigmoid" if outputs == 1 else "softmax"
    probabilities = layers.Activation(activation, dtype="float32", name="probabilities")(logits)
    model = keras.Model(inputs, probabilities, name="unet")
    if settings.weights is None:
        load_encoder(settings, model)
    return model


def _bilinear(channels: int) -> NDArray[np.float64]:
    """Make the kernel (4, 4, channels, channels) that doubles each channel bilinearly."""
    weights = np.array([0.25, 0.75, 0.75, 0.25])
    return np.outer(weights, weights)[:, :, None, None] * np.eye(channels)
