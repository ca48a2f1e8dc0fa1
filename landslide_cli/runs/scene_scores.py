"""The scores of single scenes: what an evaluation writes of them, and what is drawn."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from landslide_cli.documents import read_json, restored
from landslide_cli.runs.files import EVALUATION, PER_SCENE


@dataclass(frozen=True)
class SceneScore:
    """A scene with the Dice of its foreground; `fold` is that of the run that predicted it."""

    scene: str
    fold: int | None
    dice: float


@dataclass(frozen=True)
class WorstScene(SceneScore):
    """A scene with one of the lowest scores; `true_share` of its labelled pixels is foreground."""

    true_share: float


@dataclass(frozen=True)
class _Evaluated:
    """The part of `evaluation.json` that is drawn."""

    units: str = ""
    worst: list[WorstScene] = field(default_factory=list)


def worst_scenes(run: Path) -> list[WorstScene]:
    """Return the worst scenes by the last evaluation of a run on test; none if it scored tiles.

    Raises:
        DataError: what the evaluation has written is damaged.
    """
    path = run / EVALUATION
    document = read_json(path)
    if document is None:
        return []
    evaluated = restored(_Evaluated, document, path, others=True)
    return evaluated.worst if evaluated.units == "scenes" else []


def best_scenes(run: Path, names: Sequence[str], worst: Sequence[SceneScore]) -> list[SceneScore]:
    """Return the scenes with the highest Dice by the last evaluation, the best first.

    Args:
        run: its folder.
        names: of the foreground's classes, whose mean Dice counts.
        worst: scenes to leave out.
    """
    path, left_out = run / PER_SCENE, {(entry.scene, entry.fold) for entry in worst}
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    scenes = []
    for line in lines:
        fold = int(line["fold"]) if line["fold"] else None
        values = [float(line[key]) for name in names if line.get(key := f"{name}_dice")]
        if values and (line["scene"], fold) not in left_out:
            scenes.append(SceneScore(line["scene"], fold, sum(values) / len(values)))
    return sorted(scenes, key=lambda entry: -entry.dice)
