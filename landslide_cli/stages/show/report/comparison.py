"""What the report says of two runs that were compared on the same scenes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landslide_cli.errors import LandslideError
from landslide_cli.imagery.pictures import Picture
from landslide_cli.profile import Profile
from landslide_cli.runs.against import profile_of_run
from landslide_cli.runs.files import run_home
from landslide_cli.stages.show.history import history_of
from landslide_cli.stages.show.report.scores import (
    SCORES,
    Row,
    ScoreTables,
    interval_text,
    score_tables,
)
from landslide_cli.stages.show.report.training import TrainingPart, training_part

# Scenes in the table of differences; of more, those with the greatest either way.
_MOST_SCENES = 200


@dataclass(frozen=True)
class ComparedScene:
    """A scene with the Dice by two runs, its image, and hits, misses and false alarms of both."""

    name: str
    this: float
    other: float
    image: Picture
    of_this: Picture
    of_other: Picture


@dataclass(frozen=True)
class ComparisonPart:
    """Two runs on the same scenes; `pairs` are name, caption, image and what either maps.

    `scores` are rows of name, value and interval of this run, of the other, and of the difference;
    `scenes` of name, Dice by both, and difference. `training` is None where the other run is gone.
    """

    against: str
    verdict: str
    scores: list[Row]
    other: ScoreTables
    scenes: list[Row] = field(default_factory=list)
    left_out: int = 0
    training: TrainingPart | None = None
    pairs: list[tuple[str, str, str, str, str]] = field(default_factory=list)


def comparison_part(
    profile: Profile,
    evaluation: Mapping[str, Any],
    pairs: Sequence[tuple[str, str, str, str, str]],
) -> ComparisonPart | None:
    """Return the comparison of an evaluation; None without one.

    Args:
        profile: of the run that was evaluated.
        evaluation: its record; before version 0.2 without the other run's own scores and scenes.
        pairs: scenes to show.
    """
    found = evaluation.get("comparison")
    if not found:
        return None
    palette, other = profile.palette, found.get("other", {})
    names = [palette.names[index] for index in palette.foreground]
    lines = found.get("scenes", [])
    half = _MOST_SCENES // 2
    shown = lines if len(lines) <= _MOST_SCENES else [*lines[:half], *lines[-half:]]
    return ComparisonPart(
        found["against"],
        found["verdict"],
        [
            _score(
                SCORES.get(key, key), score, *(_bounds(d, names, key) for d in (evaluation, other))
            )
            for key, score in found["scores"].items()
        ],
        score_tables(other, palette),
        [
            (
                line["scene"] if line["fold"] is None else f"{line['scene']}, fold {line['fold']}",
                f"{line['this']:.3f}",
                f"{line['other']:.3f}",
                f"{line['difference']:+.3f}",
            )
            for line in shown
        ],
        len(lines) - len(shown),
        _training(profile, Path(found["against"])),
        list(pairs),
    )


def _score(name: str, score: Mapping[str, Any], this: str, other: str) -> Row:
    bounds = score["interval"]
    interval = "" if bounds is None else f"{bounds[0]:+.3f} to {bounds[1]:+.3f}"
    values = f"{score['this']:.3f}", this, f"{score['other']:.3f}", other
    return (name, *values, f"{score['difference']:+.3f}", interval)


def _bounds(document: Mapping[str, Any], names: Sequence[str], key: str) -> str:
    """Return the interval of a score of the foreground by a run; of several classes their mean."""
    if len(names) == 1:
        return interval_text(document.get(names[0], {}).get("intervals", {}).get(key))
    return interval_text(document.get("mean_intervals", {}).get(key))


def _training(profile: Profile, against: Path) -> TrainingPart | None:
    """Return how the other run was trained; None if it is no longer there."""
    try:
        other = profile_of_run(against, None, profile)
        return training_part(other, run_home(other), history_of(other))
    except LandslideError:
        return None
