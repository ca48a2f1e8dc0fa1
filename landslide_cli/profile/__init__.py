"""The profile: one YAML file that drives all six subcommands."""

from landslide_cli.profile.data import (
    ClassSettings,
    OfflineAugmentSettings,
    PrepareSettings,
    SourceSettings,
    SplitSettings,
    SyntheticSettings,
)
from landslide_cli.profile.loading import dump_profile, load_profile
from landslide_cli.profile.model import FlexUNetSettings, ModelSettings, UNetSettings
from landslide_cli.profile.profile import Profile
from landslide_cli.profile.results import EvaluateSettings, InferSettings, ShowSettings
from landslide_cli.profile.train import TrainSettings

__all__ = [
    "ClassSettings",
    "EvaluateSettings",
    "FlexUNetSettings",
    "InferSettings",
    "ModelSettings",
    "OfflineAugmentSettings",
    "PrepareSettings",
    "Profile",
    "ShowSettings",
    "SourceSettings",
    "SplitSettings",
    "SyntheticSettings",
    "TrainSettings",
    "UNetSettings",
    "dump_profile",
    "load_profile",
]
