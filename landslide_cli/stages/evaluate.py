"""`landslide evaluate`: a model and a part to numbers that can be trusted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landslide_cli.core.inference import mask_of
from landslide_cli.core.parts import Part
from landslide_cli.core.scores import ClassScores, class_scores, confusion
from landslide_cli.imagery.dataset import part_tiles
from landslide_cli.outputs import write_csv, write_json
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, SilentReporter, Table
from landslide_cli.stages.runs import check_trained, load_run
from landslide_cli.stages.sources import palette_of


@dataclass(frozen=True)
class EvaluateResult:
    """The scores of each class from counts over all tiles of the part, and two whole-set values.

    `loss` is the training's loss by its name; `dice_coef_multiclass` is the experiment's metric.
    """

    run: Path
    part: Part
    tiles: int
    classes: dict[str, ClassScores]
    loss_name: str
    loss: float
    dice_coef_multiclass: float
    files: list[Path]

    def headline(self) -> str:
        """Say where the numbers lie."""
        return f"{self.tiles} tiles of {self.part} scored: {self.files[0]}"

    def tables(self) -> Sequence[Table]:
        """Show the foreground classes first, then what the experiment reports."""
        led = [*list(self.classes.items())[1:], *list(self.classes.items())[:1]]
        rows = [
            (name, *(f"{value:.4f}" for value in (s.dice, s.iou, s.precision, s.recall)))
            for name, s in led
        ]
        others = [
            (self.loss_name, f"{self.loss:.4f}"),
            (
                "dice_coef_multiclass (mean probability of the true class)",
                f"{self.dice_coef_multiclass:.4f}",
            ),
        ]
        return [
            Table(f"scores on {self.part}", ["class", "Dice", "IoU", "precision", "recall"], rows),
            Table("as in the experiment", ["", "value"], others),
        ]

    def document(self) -> dict[str, Any]:
        """Return each class's scores under its name, beside the others."""
        return {
            **{name: asdict(scores) for name, scores in self.classes.items()},
            "part": self.part,
            "tiles": self.tiles,
            "loss": {"name": self.loss_name, "value": self.loss},
            "dice_coef_multiclass": self.dice_coef_multiclass,
            "run": str(self.run),
            "files": [str(path) for path in self.files],
        }


def evaluate(
    profile: Profile,
    *,
    part: Part | None = None,
    limit: int | None = None,
    reporter: Reporter | None = None,
) -> EvaluateResult:
    """Score the profile's model on the tiles of a part, without their padding.

    Writes `evaluation.json`, and `evaluation.csv` in the experiment's two rows, to the run; for a
    part other than test its name is added to theirs.

    Args:
        profile: its `evaluate`, `classes`, `bands`, `dataset` and `run` are used.
        part: which part. Default: `evaluate.part`.
        limit: take only the first tiles, by name.
        reporter: shown the progress.

    Raises:
        ModelError: there is no model that fits.
        DataError: there are no tiles, or they cannot be used.
    """
    reporter = reporter or SilentReporter()
    part = part or profile.evaluate.part
    check_trained(profile)
    tiles = part_tiles(profile.dataset, part)[:limit]
    run = load_run(profile)

    from landslide_cli.core.backend import tf
    from landslide_cli.core.losses import make_loss
    from landslide_cli.core.metrics import DiceCoefMulticlass
    from landslide_cli.imagery.batches import TileBatches

    palette = palette_of(profile)
    batches = TileBatches(
        tiles,
        palette,
        profile.bands,
        profile.evaluate.batch or profile.train.batch,
        multiple=profile.model.multiple,
        cache="none",
        nearest_colour=profile.prepare.nearest_colour,
    )
    predict, loss_of = run.predict(), make_loss(profile.train)
    soft_accuracy, losses = DiceCoefMulticlass(), []
    counts = np.zeros((len(palette), len(palette)), np.int64)
    with reporter.track(f"scoring {part}", len(batches)) as advance:
        for images, masks in batches.epoch():
            probabilities = predict(images)
            counts += confusion(masks.numpy(), mask_of(probabilities), len(palette))
            losses.append(float(loss_of(masks, tf.constant(probabilities))) * len(probabilities))
            soft_accuracy.update_state(masks, tf.constant(probabilities))
            advance()
    suffix = "" if part == "test" else f"-{part}"
    result = EvaluateResult(
        run=run.folder,
        part=part,
        tiles=len(tiles),
        classes={name: class_scores(counts, index) for index, name in enumerate(palette.names)},
        loss_name=profile.train.loss,
        loss=sum(losses) / len(tiles),
        dice_coef_multiclass=float(soft_accuracy.result()),
        files=[run.folder / f"evaluation{suffix}.{kind}" for kind in ("json", "csv")],
    )
    write_json(result.files[0], result.document())
    write_csv(
        result.files[1],
        [result.loss_name, f"{result.loss:.4f}"],
        [["dice_coef_multiclass", f"{result.dice_coef_multiclass:.4f}"]],
    )
    return result
