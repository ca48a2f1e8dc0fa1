"""How a run was trained, as the report shows it."""

from dataclasses import dataclass
from pathlib import Path

from landslide_cli.documents import read_json
from landslide_cli.imagery.plots import plot_curves
from landslide_cli.profile import Profile
from landslide_cli.runs.files import RUN_RECORD
from landslide_cli.stages.show.history import History
from landslide_cli.stages.show.report.page import drawn


@dataclass(frozen=True)
class TrainingPart:
    """A training: facts, and its curves as a data URI, None without a log."""

    name: str
    facts: list[tuple[str, str]]
    curves: str | None


def training_part(profile: Profile, home: Path, history: History | None) -> TrainingPart:
    """Return how the run of a profile was trained.

    Args:
        profile: its model and training.
        home: the folder of the run.
        history: of the training, None without one.

    Raises:
        DataError: the record of the run is damaged.
    """
    curves = None
    if history is not None:
        curves = drawn(lambda path: plot_curves(path, history.rows, history.best_epoch))
    return TrainingPart(home.name, _facts(profile, home, history), curves)


def _facts(profile: Profile, home: Path, history: History | None) -> list[tuple[str, str]]:
    record = read_json(home / RUN_RECORD) or {}
    result = record.get("result", {})
    facts = [("Run", str(home)), ("Architecture", profile.model.architecture)]
    if "parameters" in result:
        facts.append(("Parameters", f"{result['parameters']:,}"))
    if history is not None:
        facts.append(("Epochs", f"{len(history.rows)}, of which {history.best_epoch} is kept"))
    threshold = result.get("threshold")
    if threshold is not None:
        facts.append(("Threshold", f"{threshold:g}"))
    facts.append(("Seed", str(profile.train.seed)))
    if "seconds" in result:
        facts.append(("Time of the training", f"{result['seconds'] / 60:,.0f} min"))
    versions = result.get("versions", {})
    if versions:
        facts.append(("Versions", ", ".join(f"{key} {value}" for key, value in versions.items())))
    return facts
