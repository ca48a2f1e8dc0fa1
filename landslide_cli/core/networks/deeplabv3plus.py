"""DeepLabV3+ with a pretrained encoder."""

from typing import Any

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.blocks import (
    Convolutions,
    class_logits,
    drop,
    probabilities,
    upsample,
)
from landslide_cli.core.networks.encoders import encoder_features, load_encoder
from landslide_cli.profile import DeepLabV3PlusSettings

layers = keras.layers


def deeplabv3plus(
    settings: DeepLabV3PlusSettings, bands: int, outputs: int, synchronized: bool = False
) -> Any:
    """Build DeepLabV3+ with the encoder weights that the profile names.

    The encoder's last features go through a pyramid: a 1 x 1 convolution, 3 x 3 convolutions of
    several dilations, and the mean over the window, all fused by a 1 x 1 convolution. The result is
    enlarged, joined to the encoder's features of stride 4, and refined by two 3 x 3 convolutions.
    The encoder keeps its stride of 32, where the paper's last stage is dilated to keep 16.

    Raises:
        ModelError: the encoder's weights cannot be loaded.

    Source: Chen et al., Encoder-decoder with atrous separable convolution, 2018, arXiv:1802.02611.
    """
    image = keras.Input((None, None, bands), name="image")
    encoded = encoder_features(settings, image, bands, synchronized)
    build = Convolutions("relu", settings.normalization_momentum, synchronized, bias=False)
    features = drop(_pyramid(build, encoded[-1], settings), settings.dropout)
    features = upsample(features, 8, "decoder")
    # The encoder's features at stride 4.
    low_level = build.convolution(encoded[1], settings.low_level_filters, "low_level", 1)
    features = layers.Concatenate(name="decoder_join")([features, low_level])
    features = build.pair(features, settings.filters, "decoder")
    logits = upsample(class_logits(features, outputs), 4, "enlarged", dtype="float32")
    model = keras.Model(image, probabilities(logits), name="deeplabv3plus")
    if settings.weights is None:
        load_encoder(settings, model)
    return model


def _pyramid(build: Convolutions, features: Any, settings: DeepLabV3PlusSettings) -> Any:
    """Apply atrous spatial pyramid pooling."""
    filters = settings.filters
    branches = [build.convolution(features, filters, "pyramid_1", 1)]
    for dilation in settings.dilations:
        name = f"pyramid_{dilation}_{len(branches)}"
        branches.append(build.convolution(features, filters, name, dilation=dilation))
    joined = layers.Concatenate(name="pyramid_join")(branches)
    fused = layers.Conv2D(
        filters, 1, use_bias=False, kernel_initializer="he_normal", name="pyramid_fuse"
    )(joined)
    if settings.image_pooling:
        mean = layers.GlobalAveragePooling2D(keepdims=True, name="pyramid_mean")(features)
        mean = build.convolution(mean, filters, "pyramid_mean_filters", 1)
        # A 1 x 1 convolution of what is concatenated is a sum of 1 x 1 convolutions, and a sum
        # repeats the mean for all pixels by itself.
        mean = layers.Conv2D(filters, 1, use_bias=False, name="pyramid_mean_fuse")(mean)
        fused = layers.Add(name="pyramid_add")([fused, mean])
    return build.activate(build.normalize(fused, "pyramid_fuse_norm"), "pyramid_fuse_act")
