"""Curves, bars and distributions as figures."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from landslide_cli.core.frequency_area import Estimate, FrequencyArea
from landslide_cli.core.tiling.grid import ceil_div
from landslide_cli.errors import counted
from landslide_cli.imagery.figures import save_figure

# More bars than these have no room for their names.
_MOST_NAMES = 60
_LONGEST_NAME = 24
# Classes up to which a confusion matrix has numbers in its cells.
_MOST_CELLS = 30
_BINS_A_DECADE = 5
_COLOURS = {"train": "#8a6d3b", "valid": "#1b6ca8"}
_SETS = {"train": "training set", "valid": "validation set"}
# What is logged, in words; "published metric" is the mean probability of the true class.
_WORDS = {
    "loss": "loss",
    "dice": "Dice",
    "iou": "IoU",
    "dice_coef_multiclass": "published metric (background included)",
    "learning_rate": "learning rate",
}
_CURVES_A_ROW = 3
_FITS = {"power_law": "#d55e00", "inverse_gamma": "#000000"}

Values = NDArray[np.float64]


def plot_curves(path: Path, history: Sequence[Mapping[str, float]], best_epoch: int) -> None:
    """Draw every logged value over the epochs, training and validation together.

    Args:
        path: the file to write, by its suffix PNG, PDF or SVG.
        history: a row per epoch: `epoch`, `learning_rate`, and each value with its `valid_` twin.
        best_epoch: marked with a line.
    """
    skipped = {"epoch", "seconds", "images_per_second", "input_wait"}
    names = [name for name in history[0] if name not in skipped and not name.startswith("valid_")]
    cols = min(_CURVES_A_ROW, len(names))
    rows = ceil_div(len(names), cols)
    figure = Figure(figsize=(3.6 * cols, 2.9 * rows), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, cols, index + 1)
        for part, key in (("train", name), ("valid", f"valid_{name}")):
            if key in history[0]:
                values = [row[key] for row in history]
                axes.plot(epochs, values, color=_COLOURS[part], label=_SETS[part], marker=".")
        axes.axvline(best_epoch, color="0.7", linestyle=":", zorder=0)
        axes.set_title(_WORDS.get(name, name), fontsize="medium")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        if f"valid_{name}" in history[0]:
            axes.legend()
        if name == "learning_rate":
            axes.set_yscale("log")
    save_figure(figure, path)


def plot_shares(path: Path, title: str, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Draw stacked bars of class shares, in per cent, a bar per part.

    Args:
        path: the file to write, by its suffix PNG, PDF or SVG.
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
    save_figure(figure, path)


def plot_histogram(path: Path, title: str, shares: Sequence[float]) -> None:
    """Draw how the tiles' foreground shares, in [0, 1], are distributed."""
    figure = Figure(figsize=(7.0, 3.0), layout="constrained")
    axes = figure.add_subplot()
    axes.hist([100 * share for share in shares], bins=20, range=(0, 100), color=_COLOURS["valid"])
    axes.set_xlabel("foreground, % of the tile")
    axes.set_ylabel("tiles")
    axes.set_title(title)
    save_figure(figure, path)


def plot_bars(path: Path, title: str, values: Mapping[str, float], pooled: float) -> None:
    """Draw a bar per scene, from the best to the worst, and a line at the pooled value.

    Args:
        path: the file to write, by its suffix PNG, PDF or SVG.
        title: what is shown.
        values: of each scene, in [0, 1].
        pooled: the value of all scenes together.
    """
    ordered = sorted(values.items(), key=lambda item: -item[1])
    named = len(ordered) <= _MOST_NAMES
    figure = Figure(figsize=(max(5.0, min(14.0, 1.5 + 0.3 * len(ordered))), 4.2))
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    places = range(len(ordered))
    axes.bar(places, [value for _, value in ordered], color=_COLOURS["valid"], width=0.8)
    axes.axhline(pooled, color=_COLOURS["train"], linestyle="--", label=f"pooled: {pooled:.3f}")
    axes.set_xticks(list(places) if named else [])
    labels = [_shortened(name) for name, _ in ordered] if named else []
    axes.set_xticklabels(labels, rotation=90, parse_math=False)
    axes.set_ylim(0, 1)
    axes.set_title(title)
    axes.legend(loc="lower left")
    save_figure(figure, path)


def plot_precision_recall(
    path: Path,
    recall: ArrayLike,
    precision: ArrayLike,
    chosen: tuple[float, float],
    label: str,
) -> None:
    """Draw the precision-recall curve with the chosen threshold, over lines of equal Dice.

    Args:
        path: the file to write, by its suffix PNG, PDF or SVG.
        recall: of each threshold, in [0, 1]; points with none are left out.
        precision: of each threshold, in [0, 1].
        chosen: recall and precision of the masks.
        label: of the chosen point.
    """
    figure = Figure(figsize=(5.4, 5.0), layout="constrained")
    axes = figure.add_subplot()
    grid = np.linspace(0.01, 1.0, 200)
    for dice in (0.2, 0.4, 0.6, 0.8):
        line = dice * grid / np.maximum(2 * grid - dice, 1e-9)
        shown = (line > 0.0) & (line <= 1.0)
        axes.plot(grid[shown], line[shown], color="0.85", zorder=0)
        axes.annotate(f"Dice {dice:g}", (1.0, dice / (2 - dice)), ha="right", color="0.5")
    recall, precision = np.asarray(recall), np.asarray(precision)
    drawn = recall > 0.0
    axes.plot(recall[drawn], precision[drawn], color=_COLOURS["valid"])
    axes.plot(*chosen, "o", color=_COLOURS["train"], label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01))
    axes.set_title("precision and recall of the foreground")
    axes.legend(loc="lower left")
    save_figure(figure, path)


def plot_confusion(path: Path, names: Sequence[str], counts: NDArray[np.int64]) -> None:
    """Draw a confusion matrix: of each true class, what share is predicted as which class.

    Args:
        path: the file to write, by its suffix PNG, PDF or SVG.
        names: of the classes.
        counts: (classes, classes) pixels, true classes by rows.
    """
    shares = 100.0 * counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    side = 2.6 + 0.5 * len(names)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=100.0)
    labels = [_shortened(name) for name in names]
    places = range(len(names))
    axes.set_xticks(places, labels, rotation=90, parse_math=False)
    axes.set_yticks(places, labels, parse_math=False)
    axes.set(xlabel="predicted class", ylabel="true class")
    for row, col in np.argwhere(counts) if len(names) <= _MOST_CELLS else ():
        ink = "white" if shares[row, col] > 55.0 else "0.2"
        text = "<1" if shares[row, col] < 0.5 else f"{shares[row, col]:.0f}"
        axes.text(col, row, text, ha="center", va="center", color=ink, fontsize=8)
    figure.colorbar(image, label="% of the true class", shrink=0.8)
    axes.set_title("confusion of the classes")
    save_figure(figure, path)


def plot_reliability(path: Path, bins: Sequence[Mapping[str, float]], name: str) -> None:
    """Draw how often pixels of a probability are foreground, and how many pixels have it.

    Args:
        path: the file to write, by its suffix PNG, PDF or SVG.
        bins: `probability`, `frequency`, both in [0, 1], and `pixels` of each bin.
        name: of the foreground.
    """
    figure = Figure(figsize=(5.4, 5.6), layout="constrained")
    curve, share = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    probabilities = [entry["probability"] for entry in bins]
    curve.plot([0, 1], [0, 1], color="0.75", linestyle="--", label="perfectly calibrated")
    curve.plot(
        probabilities,
        [entry["frequency"] for entry in bins],
        color=_COLOURS["valid"],
        marker=".",
        label="measured",
    )
    curve.set(ylabel=f"pixels that are {name}", xlim=(0, 1), ylim=(0, 1))
    curve.set_title("reliability of the predicted probability")
    curve.legend(loc="upper left")
    share.bar(
        probabilities, [entry["pixels"] for entry in bins], width=0.03, color=_COLOURS["train"]
    )
    share.set_yscale("log")
    share.set(xlabel=f"predicted probability of {name}", ylabel="pixels")
    save_figure(figure, path)


def plot_frequency_area(
    path: Path,
    areas: ArrayLike,
    unit: str,
    fitted: FrequencyArea | None = None,
    thing: str = "landslide",
) -> None:
    """Draw how many landslides there are of each size, by which inventories are judged.

    To the left the probability density of the areas in bins of equal width on a logarithmic scale,
    after Malamud et al., "Landslide inventories and their statistical properties", Earth Surface
    Processes and Landforms 29 (2004), doi:10.1002/esp.1064, with the median area: complete
    inventories rise to a maximum and fall off as a power of the area. To the right how many
    landslides have at least an area. Over both, what was fitted.

    Args:
        path: the file to write.
        areas: of all landslides, above 0; at least one.
        unit: of the areas, such as m².
        fitted: the fits to these areas, if any.
        thing: what they are, in the singular.
    """
    values = np.sort(np.asarray(areas, np.float64))
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    density, cumulative = figure.subplots(1, 2)
    _draw_density(density, values, unit)
    _draw_numbers(cumulative, values, thing)
    if fitted is not None:
        _draw_fits(density, cumulative, values, fitted, unit)
    for axes in (density, cumulative):
        axes.set(xscale="log", yscale="log", xlabel=f"area of a {thing} ({unit})")
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower left", fontsize="small")
    figure.suptitle(f"frequency and area of {counted(len(values), thing)}")
    save_figure(figure, path)


def _draw_density(axes: Axes, values: Values, unit: str) -> None:
    low, high = np.log10(values[0]), np.log10(values[-1])
    bins = np.logspace(
        low - 1e-6, high + 1e-6, 1 + max(1, math.ceil(_BINS_A_DECADE * (high - low)))
    )
    counts, edges = np.histogram(values, bins)
    shares = counts / np.diff(edges) / len(values)
    middles, filled = np.sqrt(edges[:-1] * edges[1:]), counts > 0
    axes.plot(middles[filled], shares[filled], "o-", color=_COLOURS["valid"])
    median = float(np.median(values))
    label = f"median: {median:,.0f} {unit}"
    axes.axvline(median, color=_COLOURS["train"], linestyle="--", label=label)
    axes.set_ylabel(f"probability density (per {unit})", parse_math=False)
    if filled.sum() > 1:
        # The curve of a fit may leave the bins far behind.
        axes.set_ylim(shares[filled].min() / 4.0, shares[filled].max() * 4.0)


def _draw_numbers(axes: Axes, values: Values, thing: str) -> None:
    numbers = np.arange(len(values), 0, -1)
    # Evenly on the logarithmic axis, whatever their number.
    shown = np.unique(len(values) - np.geomspace(1, len(values), 400).round().astype(int))
    axes.plot(values[shown], numbers[shown], ".", color=_COLOURS["valid"], markersize=4)
    axes.set_ylabel(f"{thing}s of at least this area")


def _draw_fits(
    density: Axes, cumulative: Axes, values: Values, fitted: FrequencyArea, unit: str
) -> None:
    if fitted.inverse_gamma is not None:
        areas = np.geomspace(values[0], values[-1], 400)
        areas = areas[areas > fitted.inverse_gamma.s.value]
        label = f"inverse gamma: exponent {_written(fitted.inverse_gamma.exponent)}"
        curve = fitted.inverse_gamma.density(areas)
        density.plot(areas, curve, color=_FITS["inverse_gamma"], label=label)
    if fitted.power_law is not None:
        law = fitted.power_law
        ends = np.array([law.lower_bound.value, values[-1]])
        label = f"power law: exponent {_written(law.exponent)}"
        colour = _FITS["power_law"]
        density.plot(ends, law.density(ends, len(values)), "-.", color=colour, label=label)
        label = f"power law from {law.lower_bound.value:,.0f} {unit} on"
        cumulative.plot(ends, law.number(ends), "-.", color=colour, label=label)


def _written(estimate: Estimate) -> str:
    low, high = estimate.interval
    return f"{estimate.value:.2f} ({low:.2f} to {high:.2f})"


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
