"""What `train` returns, and how it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

from landslide_cli.core.parts import Part
from landslide_cli.documents import restored
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.profile import Profile
from landslide_cli.profile.train import MetricName
from landslide_cli.reporting import Result, Table
from landslide_cli.runs.files import RUN_RECORD
from landslide_cli.runs.preprocessing import restored_preprocessing


@dataclass(frozen=True)
class TrainResult(Result):
    """A finished training.

    `best` is the logged row of the epoch whose model was kept; `tiles` counts the tiles, crops or
    windows of each part per epoch; `seconds` are those of all epochs; `preprocessing` is what the
    scenes went through; `events` are those of the sources that were learned from.
    """

    run: Path
    epochs: int
    best: dict[str, float]
    parameters: int
    tiles: dict[Part, int]
    seconds: float
    threshold: float
    versions: dict[str, str]
    hardware: dict[str, Any]
    preprocessing: Preprocessing
    events: list[str] = field(default_factory=list)
    unchanged: bool = False

    @classmethod
    def of(
        cls, document: Mapping[str, Any], profile: Profile, unchanged: bool = False
    ) -> "TrainResult":
        """Restore a recorded result, for the run of the profile.

        Raises:
            DataError: the record is damaged.
        """
        path = profile.run_folder / RUN_RECORD
        preprocessing = restored_preprocessing({"result": document}, profile.model_inputs, path)
        values = {"run": str(profile.run_folder), "preprocessing": asdict(preprocessing)}
        return restored(cls, {**document, **values, "unchanged": unchanged}, path, others=True)

    def headline(self) -> str:
        made = "unchanged since it was trained" if self.unchanged else "trained"
        return f"model of epoch {self.best['epoch']:.0f} of {self.epochs} {made}: {self.run}"

    def tables(self) -> Sequence[Table]:
        part = "valid_" if "valid_loss" in self.best else ""
        logged = ("loss", *get_args(MetricName))
        values = [
            (name, f"{self.best[name]:.4g}")
            for name in (part + metric for metric in logged)
            if name in self.best
        ]
        facts = [
            ("parameters", f"{self.parameters:,}"),
            ("train / valid images", f"{self.tiles['train']} / {self.tiles.get('valid', 0)}"),
            (
                "threshold, best on the validation set" if part else "threshold",
                f"{self.threshold:.3f}",
            ),
            ("seconds", f"{self.seconds:.0f}"),
        ]
        return [Table("best epoch", ["", "value"], values + facts)]
