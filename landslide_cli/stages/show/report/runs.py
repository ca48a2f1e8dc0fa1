"""What the report says of a run: how it was trained, its scores, and how it compares to another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from landslide_cli.core.parts import PARTS
from landslide_cli.dataset.split_record import groups_of, scene_names
from landslide_cli.documents import read_json
from landslide_cli.errors import counted, listed
from landslide_cli.imagery.pictures import Picture, fitted
from landslide_cli.imagery.raster.images import encoded_jpeg
from landslide_cli.profile import Profile
from landslide_cli.runs.files import EVALUATION, run_home
from landslide_cli.stages.show.history import History
from landslide_cli.stages.show.report.comparison import (
    ComparedScene,
    ComparisonPart,
    comparison_part,
)
from landslide_cli.stages.show.report.page import data_uri
from landslide_cli.stages.show.report.scores import (
    SCORES,
    Row,
    ScoreTables,
    score_tables,
    score_text,
)
from landslide_cli.stages.show.report.training import TrainingPart, training_part

# Longer side of the pictures of a scene, in pixels.
_SIDE = 640


@dataclass(frozen=True)
class ScoredScene:
    """A scene with its score, its image, and hits, misses and false alarms over it."""

    name: str
    fold: int | None
    dice: float
    image: Picture
    comparison: Picture


@dataclass(frozen=True)
class RunPart:
    """A run as the report shows it: its training, and the last evaluation if there was any.

    `pairs` are names, captions and two pictures each, as data URIs.
    """

    training: TrainingPart
    evaluated: str = ""
    scores: ScoreTables = field(default_factory=ScoreTables)
    pairs: list[tuple[str, str, str, str]] = field(default_factory=list)
    parts: list[Row] = field(default_factory=list)
    groups: str = ""
    comparison: ComparisonPart | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def sections(self) -> list[tuple[str, str]]:
        """Anchors and names of what there is."""
        known = [
            ("run", "Training", True),
            ("scores", "Scores", bool(self.scores.foreground)),
            ("scenes", "Best and worst scenes", bool(self.pairs)),
            ("comparison", "Comparison", self.comparison is not None),
            ("split", "Split", bool(self.parts)),
        ]
        return [(anchor, name) for anchor, name, is_there in known if is_there]


def run_part(
    profile: Profile,
    history: History | None,
    scored: Sequence[ScoredScene],
    compared: Sequence[ComparedScene] = (),
) -> RunPart | None:
    """Return what there is of the profile's run; None before it is trained or scored.

    Args:
        profile: its run, and where the split lies.
        history: of the training, None without one.
        scored: scenes to show, the worst first.
        compared: scenes to show with what another run maps.

    Raises:
        DataError: a record is damaged.
    """
    home = run_home(profile)
    evaluation = read_json(home / EVALUATION)
    if history is None and evaluation is None:
        return None
    part = RunPart(
        training_part(profile, home, history), parts=_parts(profile), groups=_groups(profile)
    )
    if evaluation is None:
        return part
    subject = profile.palette.subject
    return replace(
        part,
        evaluated=_evaluated(evaluation),
        scores=score_tables(evaluation, profile.palette),
        pairs=[_pair(scene, subject) for scene in scored],
        comparison=comparison_part(
            profile, evaluation, [_compared(scene, subject) for scene in compared]
        ),
        warnings=list(evaluation.get("warnings", [])),
    )


def expectation_of(profile: Profile) -> str:
    """Say what the last evaluation of the profile's own run makes one expect of its maps."""
    evaluation = read_json(run_home(profile) / EVALUATION)
    names = [profile.palette.names[index] for index in profile.palette.foreground]
    if evaluation is None or not set(names) <= evaluation.keys():
        return (
            "The model has not been scored: `landslide evaluate` does so on scenes that it has "
            "not learned from."
        )
    texts = []
    for name in names:
        scores = {words: score_text(evaluation, name, key) for key, words in SCORES.items()}
        values = ", ".join(f"{words} {value}" for words, (value, _) in scores.items())
        interval = scores["IoU"][1]
        texts.append(
            f"{name}: {values}" + (f", 95 % interval of the IoU {interval}" * bool(interval))
        )
    return (
        f"On {_evaluated(evaluation)} the last evaluation of this run gave for "
        f"{'; '.join(texts)}. Elsewhere expect less."
    )


def _parts(profile: Profile) -> list[Row]:
    rows: list[Row] = []
    for part in PARTS:
        names = scene_names(profile, part)
        if names:
            rows.append((part, f"{len(names):,}", listed(names, most=12)))
    return rows


def _groups(profile: Profile) -> str:
    groups = groups_of(profile)
    if not groups:
        return ""
    return (
        f"{counted(len(groups), 'scene')} in {counted(len(set(groups.values())), 'group')}: scenes "
        "that show the same ground are never separated."
    )


def _evaluated(evaluation: Mapping[str, Any]) -> str:
    units = "tile" if evaluation.get("units") == "tiles" else "scene"
    number = evaluation.get(f"{units}s", 0)
    groups = counted(evaluation.get("groups", 0), "group")
    place = ", in mosaics" if evaluation.get("units") == "mosaic" else ""
    return f"{counted(number, units)} of {evaluation.get('part')} in {groups}{place}"


def _pair(scene: ScoredScene, subject: str) -> tuple[str, str, str, str]:
    caption = f"{scene.name}: {subject} Dice {scene.dice:.3f}"
    return scene.name, caption, _picture(scene.image), _picture(scene.comparison)


def _compared(scene: ComparedScene, subject: str) -> tuple[str, str, str, str, str]:
    caption = (
        f"{scene.name}: {subject} Dice {scene.this:.3f} by this run, {scene.other:.3f} by the "
        f"other ({scene.this - scene.other:+.3f})"
    )
    image, this, other = (_picture(p) for p in (scene.image, scene.of_this, scene.of_other))
    return scene.name, caption, image, this, other


def _picture(picture: Picture) -> str:
    return data_uri("image/jpeg", encoded_jpeg(fitted(picture, _SIDE), 82))
