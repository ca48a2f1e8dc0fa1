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
from landslide_cli.profile.results import EvaluateSettings, InferSettings, ShowSettings
from landslide_cli.profile.training import ModelSettings, TrainSettings
from landslide_cli.profile.tree import Profile

__all__ = [
    "ClassSettings",
    "EvaluateSettings",
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
    "dump_profile",
    "load_profile",
]
