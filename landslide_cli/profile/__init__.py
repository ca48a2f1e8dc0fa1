"""The profile: one YAML file that drives all six subcommands."""

from landslide_cli.profile.loading import dump_profile, load_profile
from landslide_cli.profile.tree import (
    AugmentSettings,
    ClassSettings,
    EvaluateSettings,
    InferSettings,
    ModelSettings,
    PrepareSettings,
    Profile,
    ShowSettings,
    SourceSettings,
    SplitSettings,
    SyntheticSettings,
    TrainSettings,
)

__all__ = [
    "AugmentSettings",
    "ClassSettings",
    "EvaluateSettings",
    "InferSettings",
    "ModelSettings",
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
