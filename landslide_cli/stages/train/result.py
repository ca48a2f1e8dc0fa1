"""What `train` returns, and how it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from landslide_cli.core.parts import Part
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.profile import Profile
from landslide_cli.reporting import Result, Table


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
        """Restore a recorded result, for the run of the profile."""
        names = {field.name for field in fields(cls)}
        values = {name: value for name, value in document.items() if name in names}
        values["run"] = profile.run_folder
        values["preprocessing"] = Preprocessing.recorded(document, profile.bands)
        return cls(**values | {"unchanged": unchanged})

    def headline(self) -> str:
        made = "unchanged since it was trained" if self.unchanged else "trained"
        return f"model of epoch {self.best['epoch']:.0f} of {self.epochs} {made}: {self.run}"

    def tables(self) -> Sequence[Table]:
        part = "valid_" if "valid_loss" in self.best else ""
        logged = ("loss", "dice", "iou", "dice_coef_multiclass")
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
