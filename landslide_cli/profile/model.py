"""The network: `model`, whose keys depend on `model.architecture`."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from landslide_cli.profile.base import Settings
from landslide_cli.profile.networks import (
    AttentionUNetSettings,
    DeepLabV3PlusSettings,
    ExternalSettings,
    FlexUNetSettings,
    MultiResUNetSettings,
    SegFormerSettings,
    SharpUNetSettings,
    U2NetSettings,
    UNet3PlusSettings,
    UNetSettings,
)

# In place of an architecture's name: any that has a colon is a path to import.
EXTERNAL = "my_package.module:function"

# Where a profile names none.
DEFAULT_ARCHITECTURE = "flexunet"


def _tag(settings: Any) -> str:
    """Tell which settings are meant."""
    if isinstance(settings, dict):
        name = str(settings.get("architecture", DEFAULT_ARCHITECTURE))
    else:
        name = str(getattr(settings, "architecture", DEFAULT_ARCHITECTURE))
    return EXTERNAL if ":" in name else name


ModelSettings = Annotated[
    Annotated[FlexUNetSettings, Tag("flexunet")]
    | Annotated[UNetSettings, Tag("unet")]
    | Annotated[DeepLabV3PlusSettings, Tag("deeplabv3plus")]
    | Annotated[AttentionUNetSettings, Tag("attention_unet")]
    | Annotated[UNet3PlusSettings, Tag("unet3plus")]
    | Annotated[U2NetSettings, Tag("u2net")]
    | Annotated[MultiResUNetSettings, Tag("multiresunet")]
    | Annotated[SharpUNetSettings, Tag("sharp_unet")]
    | Annotated[SegFormerSettings, Tag("segformer")]
    | Annotated[ExternalSettings, Tag(EXTERNAL)],
    Discriminator(_tag),
]

# The settings of each architecture, by its name in a profile.
ARCHITECTURES: dict[str, type[Settings]] = {
    "flexunet": FlexUNetSettings,
    "unet": UNetSettings,
    "deeplabv3plus": DeepLabV3PlusSettings,
    "attention_unet": AttentionUNetSettings,
    "unet3plus": UNet3PlusSettings,
    "u2net": U2NetSettings,
    "multiresunet": MultiResUNetSettings,
    "sharp_unet": SharpUNetSettings,
    "segformer": SegFormerSettings,
    EXTERNAL: ExternalSettings,
}


def network_settings(model: Any) -> type[Settings]:
    """Return the settings class of a profile's `model`; FlexUNet's for an unknown name."""
    return ARCHITECTURES.get(_tag(model), FlexUNetSettings)
