"""The table of a training that grows by a row per epoch."""

from collections.abc import Callable

from landslide_cli.profile.train import higher_is_better
from landslide_cli.stages.train.schedule import Patience
from landslide_cli.stages.train.state import Row


class EpochTable:
    """Titles and cells of the table; a column is left out where it would have no value.

    Args:
        epochs: of the whole training, for the time that is left.
        monitored: name of the value by which the best epoch is kept.
        has_validation: whether there is a validation set.
        foreground: what it is called, whose Dice is shown.
        pixels: per image.
        has_means: whether the mean IoU over all classes is shown too.
    """

    def __init__(
        self,
        epochs: int,
        monitored: str,
        has_validation: bool,
        foreground: str,
        pixels: int,
        has_means: bool = False,
    ) -> None:
        self._epochs = epochs
        self._seconds: list[float] = []
        self._best = Patience(None, higher_is_better(monitored))
        cells: dict[str, Callable[[Row], str]] = {
            "epoch": lambda row: f"{row['epoch']:.0f}",
            "loss": lambda row: f"{row['loss']:.4f}",
        }
        if has_validation:
            cells["valid loss"] = lambda row: f"{row['valid_loss']:.4f}"
        dice = "valid_dice" if has_validation else "dice"
        cells[f"{foreground} Dice"] = lambda row: f"{row[dice]:.4f}"
        if has_means:
            mean = "valid_mean_iou" if has_validation else "mean_iou"
            cells["mean IoU"] = lambda row: f"{row[mean]:.4f}"
        if has_validation:
            # Without a validation set the last epoch is kept, not the best.
            cells[f"best {monitored.replace('_', ' ')}"] = lambda row: self._best_of(row[monitored])
        cells["learning rate"] = lambda row: f"{row['learning_rate']:.1e}"
        cells["images/s"] = lambda row: f"{row['images_per_second']:.1f}"
        cells["Mpx/s"] = lambda row: f"{row['images_per_second'] * pixels / 1e6:.2f}"
        cells["input wait"] = lambda row: f"{row['input_wait']:.1%}"
        cells["time left"] = lambda row: self._time_left(row["seconds"])
        self._cells = cells

    @property
    def columns(self) -> list[str]:
        return list(self._cells)

    @property
    def least(self) -> list[str]:
        """Columns that a narrow terminal may leave out, the least important first."""
        return ["Mpx/s", "input wait", "images/s", "learning rate"]

    def cells(self, row: Row) -> list[str]:
        """Return the cells of the next epoch's row; those of all earlier ones come first."""
        return [cell(row) for cell in self._cells.values()]

    def _best_of(self, monitored: float) -> str:
        is_best = self._best.improved(monitored)
        return f"{self._best.best:.4f}" + (" *" if is_best else "")

    def _time_left(self, seconds: float) -> str:
        self._seconds.append(seconds)
        return time_left(self._seconds, self._epochs)


def time_left(seconds: list[float], epochs: int) -> str:
    """Estimate the time for the remaining epochs from that of the finished ones, as h:mm:ss."""
    remaining = round(sum(seconds) / len(seconds) * (epochs - len(seconds)))
    return f"{remaining // 3600}:{remaining // 60 % 60:02d}:{remaining % 60:02d}"
