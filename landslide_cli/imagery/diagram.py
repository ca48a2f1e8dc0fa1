"""The picture of a network: a box per block, lower the smaller its features are."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from landslide_cli.core.diagram import Block
from landslide_cli.imagery.figures import save_figure

# Of a box and of the place that it has, in inches.
_WIDTH, _HEIGHT = 1.7, 0.62
_COLUMN, _LANE, _ROW_GAP = 2.1, 0.78, 0.35

_DOTS_PER_INCH = 120
# A file of at most so many inches stays readable, and is opened by any viewer.
_WIDEST = 200.0

# As much as the title needs.
_NARROWEST = 7.0

_LONGEST_LINE = 27
_FONT_SIZE = 7.0

_COLOURS = {"encoder": "#cfe3f1", "decoder": "#f6e2c4"}
_PLAIN = "#ececec"


def plot_network(path: Path, title: str, blocks: Sequence[Block]) -> None:
    """Draw the blocks of a network from left to right, a row for each size of features.

    Args:
        path: the file to write, by its suffix PNG, PDF or SVG.
        title: written above them.
        blocks: in the order in which they run.
    """
    tops = _row_tops(blocks)
    columns = 1 + max(block.column for block in blocks)
    extent = max(_NARROWEST, columns * _COLUMN)
    height = -min(tops.values()) + _lanes(blocks)[max(tops)] * _LANE + 0.8
    figure = Figure(figsize=(min(_WIDEST, extent + 0.4), height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlim(-0.2, extent)
    axes.set_ylim(-height + 0.6, 0.3)
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(title, loc="left", fontsize=10)
    for block in blocks:
        for source in block.inputs:
            places = _corner(blocks[source], tops), _corner(block, tops)
            _draw_arrow(axes, *places, bent=_has_between(blocks, blocks[source], block))
    for block in blocks:
        _draw_box(axes, block, _corner(block, tops))
    save_figure(figure, path, _DOTS_PER_INCH)


def _lanes(blocks: Sequence[Block]) -> dict[int, int]:
    """Return how many boxes lie above each other at most in each row."""
    return {
        row: 1 + max(block.lane for block in blocks if block.row == row)
        for row in sorted({block.row for block in blocks})
    }


def _row_tops(blocks: Sequence[Block]) -> dict[int, float]:
    """Return the upper edge of each row, falling from 0."""
    tops, top = {}, 0.0
    for row, lanes in _lanes(blocks).items():
        tops[row] = top
        top -= lanes * _LANE + _ROW_GAP
    return tops


def _corner(block: Block, tops: dict[int, float]) -> tuple[float, float]:
    """Return the lower left corner of a box."""
    return block.column * _COLUMN, tops[block.row] - block.lane * _LANE - _HEIGHT


def _has_between(blocks: Sequence[Block], first: Block, last: Block) -> bool:
    """Whether other boxes lie between two of the same height."""
    place = first.row, first.lane
    return place == (last.row, last.lane) and any(
        (block.row, block.lane) == place and first.column < block.column < last.column
        for block in blocks
    )


def _draw_arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], bent: bool
) -> None:
    begin = start[0] + _WIDTH, start[1] + _HEIGHT / 2
    target = end[0], end[1] + _HEIGHT / 2
    axes.add_patch(
        FancyArrowPatch(
            begin,
            target,
            arrowstyle="-|>",
            mutation_scale=8,
            connectionstyle="arc3,rad=-0.12" if bent else "arc3,rad=0",
            color="0.45",
            linewidth=0.8,
            shrinkA=0,
            shrinkB=0,
            clip_on=False,
        )
    )


def _draw_box(axes: Axes, block: Block, corner: tuple[float, float]) -> None:
    colour = _COLOURS.get(block.name.partition("_")[0], _PLAIN)
    axes.add_patch(
        FancyBboxPatch(
            corner,
            _WIDTH,
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=colour,
            edgecolor="0.3",
            linewidth=0.8,
        )
    )
    lines = [_shortened(block.name), " x ".join(map(str, block.shape))]
    if block.parameters:
        lines.append(_counted(block.parameters))
    axes.text(
        corner[0] + _WIDTH / 2,
        corner[1] + _HEIGHT / 2,
        "\n".join(lines),
        ha="center",
        va="center",
        fontsize=_FONT_SIZE,
        linespacing=1.3,
    )


def _shortened(name: str) -> str:
    """Cut a name in its middle so that it fits into the box."""
    if len(name) <= _LONGEST_LINE:
        return name
    half = (_LONGEST_LINE - 1) // 2
    return f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"


def _counted(parameters: int) -> str:
    """Write a number of parameters in three digits."""
    for unit, size in (("million", 1_000_000), ("thousand", 1_000)):
        if parameters >= size:
            return f"{parameters / size:.3g} {unit} parameters"
    return f"{parameters} parameters"
