"""FlexUNet, the network of the published experiment."""

from dataclasses import dataclass
from typing import Any

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.encoders import ENCODER
from landslide_cli.profile import FlexUNetSettings

layers = keras.layers


def flexunet(
    settings: FlexUNetSettings, bands: int, outputs: int, synchronized: bool = False
) -> Any:
    """Build FlexUNet, a U-Net whose kernels are large at the top and shrink towards the bottom.

    Level i has two convolutions with base_filters * 2^i filters, kernels of max(3, base_kernels -
    2i) and dilation max(1, dilation - i), and between them dropout at the rate dropout_rate * i.
    The encoder halves the resolution by max-pooling. The decoder doubles it by 2 x 2 transposed
    convolution, concatenates the encoder's features of the level, and repeats the convolutions.

    Source: antillia.com, TensorFlow-FlexUNet-Tiled-Image-Segmentation-Sichuan-Landslide, 2025,
    after Ronneberger et al., U-Net, 2015, doi:10.1007/978-3-319-24574-4_28.
    """
    inputs = keras.Input((None, None, bands), name="image")
    features = layers.Rescaling(1.0 / 255.0)(inputs) if settings.input_scaling else inputs
    skips = []
    for level in range(settings.num_layers):
        if level > 0:
            features = layers.MaxPooling2D((2, 2))(features)
        block = _ConvBlock(settings, level, f"{ENCODER}_{level}", synchronized)
        features = block(features)
        skips.append(features)
    for level in reversed(range(settings.num_layers - 1)):
        filters = settings.base_filters * 2**level
        features = layers.Conv2DTranspose(
            filters, (2, 2), strides=(2, 2), padding="same", name=f"decoder_{level}_double"
        )(features)
        features = layers.Concatenate()([features, skips[level]])
        block = _ConvBlock(settings, level, f"decoder_{level}", synchronized)
        features = block(features)
    activation = "sigmoid" if outputs == 1 else "softmax"
    # Probabilities are float32 whatever the precision of the other layers.
    head = layers.Conv2D(outputs, (1, 1), activation=activation, dtype="float32", name="classes")
    return keras.Model(inputs, head(features), name="flexunet")


@dataclass(frozen=True)
class _ConvBlock:
    """Convolution, dropout and convolution, at one level of the encoder or the decoder."""

    settings: FlexUNetSettings
    level: int
    name: str
    synchronized: bool

    def __call__(self, features: Any) -> Any:
        rate, seed = self.settings.dropout_rate * self.level, self.settings.dropout_seed
        features = self._convolution(features, f"{self.name}_first")
        features = layers.Dropout(rate, seed=seed, name=f"{self.name}_dropout")(features)
        return self._convolution(features, f"{self.name}_second")

    def _convolution(self, features: Any, name: str) -> Any:
        settings = self.settings
        features = layers.Conv2D(
            settings.base_filters * 2**self.level,
            max(3, settings.base_kernels - 2 * self.level),
            activation=settings.activation,
            dilation_rate=[max(1, rate - self.level) for rate in settings.dilation],
            kernel_initializer="he_normal",
            padding="same",
            name=name,
        )(features)
        if not settings.normalization:
            return features
        return layers.BatchNormalization(
            momentum=settings.normalization_momentum,
            synchronized=self.synchronized,
            name=f"{name}_normalization",
        )(features)
