"""What the tests of evaluate share."""

import csv
from typing import Any

from landslide_cli.profile import Profile
from landslide_cli.stages.evaluate.result import EvaluateResult


def on_scenes(profile: Profile, **changes: Any) -> Profile:
    settings = profile.evaluate.model_copy(update={"units": "scenes", **changes})
    return profile.model_copy(update={"evaluate": settings})


def lines_of(result: EvaluateResult) -> list[dict[str, str]]:
    with result.files[2].open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
