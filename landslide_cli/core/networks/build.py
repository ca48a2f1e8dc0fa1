"""Building a network from a profile's `model` settings.

An architecture is a function from settings, bands, output channels and `synchronized` to a Keras
model, listed in `ARCHITECTURES`, and a settings class in the profile.
"""

from collections.abc import Callable
from typing import Any

from landslide_cli.core.networks.attention_unet import attention_unet
from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.deeplabv3plus import deeplabv3plus
from landslide_cli.core.networks.external import external
from landslide_cli.core.networks.flexunet import flexunet
from landslide_cli.core.networks.multiresunet import multiresunet
from landslide_cli.core.networks.rebuild import POLICIES
from landslide_cli.core.networks.segformer import segformer
from landslide_cli.core.networks.sharp_unet import sharp_unet
from landslide_cli.core.networks.u2net import u2net
from landslide_cli.core.networks.unet import unet
from landslide_cli.core.networks.unet3plus import unet3plus
from landslide_cli.profile import ModelSettings

Architecture = Callable[[Any, int, int, bool], Any]


def build_model(
    settings: ModelSettings,
    bands: int,
    outputs: int,
    seed: int = 137,
    precision: str = "float32",
    synchronized: bool = False,
) -> Any:
    """Build an untrained network.

    Args:
        settings: architecture and its settings.
        bands: bands of the input.
        outputs: channels of the output, one per class (softmax) or a single one (sigmoid).
        seed: seed of the weights, and of dropout if the settings have none.
        precision: `float32`, `bfloat16` or `float16`, in which all layers but the last compute.
        synchronized: whether batch normalization shares its statistics between devices.

    Returns:
        A Keras model from (batch, rows, cols, bands), values in [0, 255], to probabilities
        (batch, rows, cols, outputs); rows and cols are multiples of `settings.multiple`.
    """
    keras.utils.set_random_seed(seed)
    global_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        build: Architecture = ARCHITECTURES.get(settings.architecture, external)
        return build(settings, bands, outputs, synchronized)
    finally:
        keras.config.set_dtype_policy(global_policy)


# All others are paths of functions outside this package.
ARCHITECTURES: dict[str, Architecture] = {
    "flexunet": flexunet,
    "unet": unet,
    "deeplabv3plus": deeplabv3plus,
    "attention_unet": attention_unet,
    "unet3plus": unet3plus,
    "u2net": u2net,
    "multiresunet": multiresunet,
    "sharp_unet": sharp_unet,
    "segformer": segformer,
}
