"""Curves and bars as PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from landslide_cli.outputs import whole_file

_COLOURS = {"train": "#8a6d3b", "valid": "#1b6ca8"}


def plot_curves(path: Path, history: Sequence[Mapping[str, float]], best_epoch: int) -> None:
    """Draw every logged value over the epochs, training and validation together.

    Args:
        path: the PNG to write.
        history: a row an epoch: `epoch`, `learning_rate`, and each value with its `valid_` twin.
        best_epoch: marked with a line.
    """
    skipped = {"epoch", "seconds"}
    names = [name for name in history[0] if name not in skipped and not name.startswith("valid_")]
    figure = Figure(figsize=(4.2 * len(names), 3.4), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for index, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), index + 1)
        for part, key in (("train", name), ("valid", f"valid_{name}")):
            if key in history[0]:
                values = [row[key] for row in history]
                axes.plot(epochs, values, color=_COLOURS[part], label=part, marker=".")
        axes.axvline(best_epoch, color="0.7", linestyle=":", zorder=0)
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        if f"valid_{name}" in history[0]:
            axes.legend()
        if name == "learning_rate":
            axes.set_yscale("log")
    _save(figure, path)


def plot_shares(path: Path, title: str, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Draw stacked bars of class shares, in per cent, one bar a part.

    Args:
        path: the PNG to write.
        title: what is shown.
        shares: for each bar, the share of each class, in [0, 1].
    """
    figure = Figure(figsize=(7.0, 1.4 + 0.5 * len(shares)), layout="constrained")
    axes = figure.add_subplot()
    bars = list(shares)
    classes = list(shares[bars[0]])
    left = [0.0] * len(bars)
    for name in classes:
        values = [100 * shares[bar][name] for bar in bars]
        axes.barh(bars, values, left=left, label=name)
        left = [start + value for start, value in zip(left, values, strict=True)]
    axes.set_xlabel("% of the labelled pixels")
    axes.set_xlim(0, 100)
    axes.invert_yaxis()
    axes.set_title(title)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    _save(figure, path)


def plot_histogram(path: Path, title: str, shares: Sequence[float]) -> None:
    """Draw how the tiles' foreground shares, in [0, 1], are distributed."""
    figure = Figure(figsize=(7.0, 3.0), layout="constrained")
    axes = figure.add_subplot()
    axes.hist([100 * share for share in shares], bins=20, range=(0, 100), color=_COLOURS["valid"])
    axes.set_xlabel("foreground, % of the tile")
    axes.set_ylabel("tiles")
    axes.set_title(title)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as partial:
        figure.savefig(partial, dpi=110)
