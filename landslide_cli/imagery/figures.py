"""Figures as files that are fit for print: PNG of 300 dots per inch, PDF or SVG."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from landslide_cli.imagery.map_frame import length_in_words, round_length
from landslide_cli.imagery.pictures import LegendEntry, Picture, fitted
from landslide_cli.imagery.raster.recognition import MARK
from landslide_cli.outputs import whole_file

DPI = 300

# Of a sheet, in dots: between pictures, and the height of a line of text.
GAP, LINE = 12, 40
_FONT_SIZE = 7.0

# Of a legend: a colour, the space to its name and to the next colour, in ems; and an em in dots.
_SPACES = 1.2, 0.8, 1.2
_EM = _FONT_SIZE * DPI / 72.0

# One typeface, which comes with Matplotlib; texts of SVG as shapes, so that every viewer has it.
_STYLE = {
    "font.family": "DejaVu Sans",
    "svg.fonttype": "path",
    "svg.hashsalt": "landslide-cli",
    "pdf.fonttype": 42,
}

# What the file says of itself; without a date, so that the same figure gives the same bytes.
_METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": MARK},
    ".pdf": {"Creator": MARK, "Producer": MARK, "CreationDate": None},
    ".svg": {"Creator": MARK, "Date": None},
}


@dataclass(frozen=True)
class SheetRow:
    """A row of a sheet: pictures of the same ground, (rows, cols, 3) uint8, under a caption.

    `note` stands below them. `metres` is the width of the ground, for a scale bar in the first
    picture; None if it is not known.
    """

    caption: str
    pictures: Sequence[Picture]
    note: str = ""
    metres: float | None = None


def save_figure(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Write a figure, whole or not at all, in the format of its suffix: .png, .pdf or .svg.

    Raises:
        OutputError: it cannot be written.
    """
    with (
        whole_file(path) as partial,
        warnings.catch_warnings(),
        matplotlib.rc_context(_STYLE),
    ):
        # Scenes may have names in any script; the font draws boxes for what it lacks.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(partial, dpi=dpi, metadata=_METADATA[path.suffix])


def write_sheet(
    path: Path,
    columns: Sequence[str],
    rows: Sequence[SheetRow],
    cell: int,
    legend: Sequence[LegendEntry] = (),
) -> None:
    """Lay pictures out in rows, with names above the columns, and write the sheet.

    Args:
        path: of the file, by its suffix PNG, PDF or SVG.
        columns: what the pictures of a column show.
        rows: from the top.
        cell: longer side of a picture, in dots.
        legend: names and colours explained on the last line, or on as many as they need.

    Raises:
        OutputError: it cannot be written.
    """
    heights = [2 * LINE + cell + GAP if row.note else LINE + cell + GAP for row in rows]
    width = len(columns) * (cell + GAP) + GAP
    lines = _lines(legend, width - GAP)
    page = _Page(width, LINE + sum(heights) + LINE * len(lines))
    for col, name in enumerate(columns):
        page.write(name, GAP + col * (cell + GAP), LINE)
    top = LINE
    for row, row_height in zip(rows, heights, strict=True):
        page.write(row.caption, GAP, top + LINE)
        pictures = [fitted(picture, cell) for picture in row.pictures]
        for col, picture in enumerate(pictures):
            page.place(picture, GAP + col * (cell + GAP), top + LINE)
        if row.metres is not None:
            rows_of_first, cols_of_first = pictures[0].shape[:2]
            page.add_scale_bar(row.metres, GAP, top + LINE + rows_of_first, cols_of_first)
        if row.note:
            page.write(row.note, GAP, top + 2 * LINE + cell)
        top += row_height
    for line in lines:
        top += LINE
        page.explain(line, top)
    save_figure(page.figure, path)


def _lines(legend: Sequence[LegendEntry], width: int) -> list[list[LegendEntry]]:
    """Divide a legend into lines of so many dots."""
    lines: list[list[LegendEntry]] = []
    left = 0.0
    for name, colour in legend:
        needed = _EM * (_SPACES[0] + _SPACES[1]) + _text_width(name)
        if needed > left:
            lines.append([])
            left = float(width)
        lines[-1].append((name, colour))
        left -= needed + _EM * _SPACES[2]
    return lines


def _text_width(text: str) -> float:
    """Return the width of a text in dots."""
    font = get_font(findfont(str(_STYLE["font.family"])))
    font.set_size(_FONT_SIZE, DPI)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        font.set_text(text)
    width, _ = font.get_width_height()
    return float(width / 64.0)


class _Page:
    """A white page of some dots, on which places are given from its upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)

    def write(self, text: str, left: float, below: float) -> None:
        """Write a line that ends a little above a place."""
        x, y = self._share(left, below - LINE // 4)
        self.figure.text(x, y, text, fontsize=_FONT_SIZE, va="baseline", parse_math=False)

    def place(self, picture: Picture, left: int, top: int) -> None:
        """Put a picture, dot by dot."""
        self.figure.figimage(picture, left, self._height - top - picture.shape[0], origin="upper")

    def add_scale_bar(self, metres: float, left: int, bottom: int, width: int) -> None:
        """Draw a scale bar into the lower left corner of a picture that shows so many metres."""
        length = round_length(metres / 3.0)
        start, y = self._share(left + GAP, bottom - GAP)
        end, _ = self._share(left + GAP + length / metres * width, bottom - GAP)
        outline = [withStroke(linewidth=2.0, foreground="black")]
        line = Line2D([start, end], [y, y], color="white", linewidth=1.2, path_effects=outline)
        self.figure.add_artist(line)
        _, above = self._share(0.0, bottom - 1.8 * GAP)
        self.figure.text(
            start,
            above,
            length_in_words(length),
            fontsize=_FONT_SIZE - 1.0,
            color="white",
            path_effects=outline,
        )

    def explain(self, legend: Sequence[LegendEntry], below: float) -> None:
        """Explain colours on a line that ends at a place."""
        patches = [
            Patch(facecolor=[part / 255 for part in colour], label=name) for name, colour in legend
        ]
        x, y = self._share(GAP, below)
        colour, to_name, to_next = _SPACES
        self.figure.legend(
            handles=patches,
            loc="lower left",
            bbox_to_anchor=(x, y),
            ncols=len(legend),
            fontsize=_FONT_SIZE,
            frameon=False,
            borderpad=0.3,
            borderaxespad=0.0,
            handlelength=colour,
            handletextpad=to_name,
            columnspacing=to_next,
        )

    def _share(self, left: float, top: float) -> tuple[float, float]:
        """Return a place as shares of the page, from its lower left corner."""
        return left / self._width, 1.0 - top / self._height
