"""The profile: one YAML file that drives all six subcommands."""

from landslide_cli.profile.evaluate import EvaluateSettings
from landslide_cli.profile.infer import InferSettings
from landslide_cli.profile.labels import ClassFieldSettings, LabelSettings
from landslide_cli.profile.loading import dump_profile, load_profile
from landslide_cli.profile.model import ModelSettings
from landslide_cli.profile.networks import (
    AttentionUNetSettings,
    DeepLabV3PlusSettings,
    EncoderSettings,
    ExternalSettings,
    FlexUNetSettings,
    MultiResUNetSettings,
    SegFormerSettings,
    SharpUNetSettings,
    U2NetSettings,
    UNet3PlusSettings,
    UNetSettings,
)
from landslide_cli.profile.prepare import OfflineAugmentSettings, PrepareSettings
from landslide_cli.profile.profile import Profile
from landslide_cli.profile.show import ShowSettings
from landslide_cli.profile.source import ClassSettings, SourceSettings, SyntheticSettings
from landslide_cli.profile.split import SplitSettings
from landslide_cli.profile.train import TrainSettings

__all__ = [
    "AttentionUNetSettings",
    "ClassFieldSettings",
    "ClassSettings",
    "DeepLabV3PlusSettings",
    "EncoderSettings",
    "EvaluateSettings",
    "ExternalSettings",
    "FlexUNetSettings",
    "InferSettings",
    "LabelSettings",
    "ModelSettings",
    "MultiResUNetSettings",
    "OfflineAugmentSettings",
    "PrepareSettings",
    "Profile",
    "SegFormerSettings",
    "SharpUNetSettings",
    "ShowSettings",
    "SourceSettings",
    "SplitSettings",
    "SyntheticSettings",
    "TrainSettings",
    "U2NetSettings",
    "UNet3PlusSettings",
    "UNetSettings",
    "dump_profile",
    "load_profile",
]
