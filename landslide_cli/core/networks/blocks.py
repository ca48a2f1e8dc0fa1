"""What the architectures are built of: convolutions with normalization, upsampling, the head.

All of it is made of Keras's own layers, so that it runs on any of Keras's backends, for windows of
any size, and a model that was saved is loaded by Keras alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.encoders import ENCODER

layers = keras.layers

# Beginning of the names of layers that have a channel per class.
CLASSES = "classes"


@dataclass(frozen=True)
class Convolutions:
    """Convolutions, each with batch normalization and an activation after it.

    Args:
        activation: by its name in Keras.
        momentum: of the moving statistics of batch normalization.
        synchronized: whether batch normalization shares its statistics between devices.
        normalization: whether there is any.
        bias: whether convolutions have a bias too.
        scale: whether the convolutions' normalization has a factor beside its offset.
    """

    activation: str
    momentum: float
    synchronized: bool
    normalization: bool = True
    bias: bool = True
    scale: bool = True

    def convolution(
        self,
        features: Any,
        filters: int,
        name: str,
        kernel: int = 3,
        dilation: int = 1,
        active: bool = True,
    ) -> Any:
        """Apply a convolution that keeps the size; not `active`, without activation."""
        features = layers.Conv2D(
            filters,
            kernel,
            padding="same",
            dilation_rate=dilation,
            use_bias=self.bias,
            kernel_initializer="he_normal",
            name=name,
        )(features)
        if self.normalization:
            features = self.normalize(features, f"{name}_norm", self.scale)
        return self.activate(features, f"{name}_act") if active else features

    def pair(self, features: Any, filters: int, name: str) -> Any:
        """Apply two 3 x 3 convolutions, as each level of a U-Net does."""
        features = self.convolution(features, filters, f"{name}_first")
        return self.convolution(features, filters, f"{name}_second")

    def normalize(self, features: Any, name: str, scale: bool = True) -> Any:
        return layers.BatchNormalization(
            momentum=self.momentum,
            scale=scale,
            synchronized=self.synchronized,
            name=name,
        )(features)

    def activate(self, features: Any, name: str) -> Any:
        return layers.Activation(self.activation, name=name)(features)


def scaled_image(bands: int) -> tuple[Any, Any]:
    """Return the input, (batch, rows, cols, bands) of 0 to 255, and the same from 0 to 1."""
    image = keras.Input((None, None, bands), name="image")
    return image, layers.Rescaling(1.0 / 255.0, name="scaling")(image)


def pooled_levels(features: Any, count: int, level_of: Callable[[Any, int, str], Any]) -> list[Any]:
    """Build an encoder of levels, each at half the size of the one before it by max-pooling.

    Args:
        features: of the image's size.
        count: how many levels.
        level_of: what is built at a level, of its features, its number and the name of its layers.

    Returns:
        The features of each level, the largest first.
    """
    levels: list[Any] = []
    for level in range(count):
        if level > 0:
            features = layers.MaxPooling2D(2, name=f"{ENCODER}_{level}_pool")(features)
        features = level_of(features, level, f"{ENCODER}_{level}")
        levels.append(features)
    return levels


def upsample(features: Any, factor: int, name: str, dtype: str | None = None) -> Any:
    """Enlarge features smoothly by a power of two.

    Each doubling repeats every pixel and takes the mean of 3 x 3. On a line that weighs neighbours
    by 1/3 and 2/3, where bilinear interpolation weighs them by 1/4 and 3/4: Keras's bilinear
    upsampling does not take windows of any size.

    Args:
        features: (batch, rows, cols, channels).
        factor: 1, 2, 4, ...
        name: beginning of the layers' names.
        dtype: to compute in. Default: that of all layers.
    """
    for level in range(factor.bit_length() - 1):
        features = layers.UpSampling2D(2, dtype=dtype, name=f"{name}_{level}_double")(features)
        features = layers.AveragePooling2D(
            3, 1, padding="same", dtype=dtype, name=f"{name}_{level}_smooth"
        )(features)
    return features


def drop(features: Any, rate: float) -> Any:
    """Leave out a share of the feature maps in training."""
    return layers.SpatialDropout2D(rate, name="dropout")(features) if rate > 0.0 else features


def class_logits(features: Any, outputs: int, name: str = CLASSES, kernel: int = 1) -> Any:
    """Map features to a value per class, float32 whatever the precision of the other layers."""
    return layers.Conv2D(outputs, kernel, padding="same", dtype="float32", name=name)(features)


def probabilities(logits: Any) -> Any:
    """Apply softmax, or sigmoid to a single channel."""
    activation = "sigmoid" if logits.shape[-1] == 1 else "softmax"
    return layers.Activation(activation, dtype="float32", name="probabilities")(logits)
