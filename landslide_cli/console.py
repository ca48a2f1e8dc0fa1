"""Progress, tables and errors on the terminal; the only module that writes to it.

Results go to stdout; progress, notes, warnings and errors go to stderr. Progress is drawn with Rich
on a terminal and written as plain lines elsewhere, so that a CI log stays readable.

A result that cannot be written is an error. What stderr does not take is lost, and ends nothing.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table as RichTable
from rich.text import Text
from tqdm import tqdm

from landslide_cli.reporting import AddRow, Advance, Reporter, Result, SilentReporter, Table

_LONGEST_NUMBER = 16  # characters
LOG_WIDTH = 140  # of a table that goes to a file, in characters

# Names of files may hold what commands a terminal, and bytes that are not UTF-8.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udcff]")


def reporter_for(quiet: bool) -> Reporter:
    """Return the reporter for stderr: silent, drawn on a terminal, or lines of a log."""
    if quiet:
        return SilentReporter()
    return TerminalReporter() if sys.stderr.isatty() else LogReporter()


def show_result(result: Result, as_json: bool) -> None:
    """Print the result of a stage on stdout, as tables or as one JSON document.

    Raises:
        OSError: it cannot be written there.
    """
    if as_json:
        sys.stdout.write(json.dumps(result.document(), indent=2, allow_nan=False) + "\n")
        return
    console = Console(
        width=None if sys.stdout.isatty() else LOG_WIDTH, highlight=False, emoji=False
    )
    if isinstance(sys.stdout, TextIOWrapper):
        # A name in another script must not end the command where the encoding lacks it.
        sys.stdout.reconfigure(errors="backslashreplace")
    for table in result.tables():
        console.print(_rich_table(table), crop=False)
    console.print(_printable(result.headline()), soft_wrap=True, markup=False)


def show_error(text: str) -> None:
    """Print on stderr why the program ends."""
    _stderr().print(f"error: {_printable(text)}", style="red", soft_wrap=True, markup=False)


def show_traceback() -> None:
    """Print the traceback of the error being handled, for `--debug`."""
    _stderr().print_exception()


class TerminalReporter:
    """Progress bars and growing tables, redrawn in place."""

    def __init__(self) -> None:
        self._console = _stderr()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._live: Live | None = None

    @contextmanager
    def track(self, description: str, total: int) -> Iterator[Advance]:
        """Draw a bar, below the live table if there is one."""
        task = self._progress.add_task(description, total=total)
        with self._shown(self._progress):
            yield lambda: self._progress.advance(task)
        self._progress.remove_task(task)

    @contextmanager
    def live(self, title: str, columns: Sequence[str]) -> Iterator[AddRow]:
        """Draw the last rows of a growing table, as many as fit, and the bars below."""
        rows: list[Sequence[str]] = []

        def drawn() -> Group:
            table = _rich_table(Table(title, columns, rows[-self._max_rows() :]))
            return Group(table, self._progress)

        def add(cells: Sequence[str]) -> None:
            rows.append(cells)
            if self._live is not None:
                self._live.update(drawn())

        with self._shown(drawn()):
            yield add

    def _max_rows(self) -> int:
        """Return how many rows of a table fit the terminal beside its head and a bar."""
        return max(3, self._console.height - 8)

    @contextmanager
    def _shown(self, renderable: Group | Progress) -> Iterator[None]:
        # Rich draws one live display at a time: the first to open owns it.
        if self._live is not None:
            yield
            return
        with Live(renderable, console=self._console, refresh_per_second=4) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def note(self, text: str) -> None:
        self._console.print(_printable(text), soft_wrap=True, markup=False)

    def warn(self, text: str) -> None:
        self._console.print(
            f"warning: {_printable(text)}", style="yellow", soft_wrap=True, markup=False
        )


class LogReporter:
    """Progress as lines of plain text, at least `interval` seconds apart."""

    def __init__(self, interval: float = 10.0) -> None:
        self._interval = interval
        self._stream = _BestEffort(sys.stderr)

    @contextmanager
    def track(self, description: str, total: int) -> Iterator[Advance]:
        with tqdm(
            total=total,
            desc=description,
            file=_Lines(self._stream),
            mininterval=self._interval,
            bar_format="{desc}: {n_fmt}/{total_fmt} in {elapsed}, {remaining} left",
            miniters=1,
            delay=self._interval,  # no line for a task that ends sooner
            leave=False,
        ) as bar:
            yield lambda: _discard(bar.update())

    @contextmanager
    def live(self, title: str, columns: Sequence[str]) -> Iterator[AddRow]:
        """Write a line per row, with the column's name before each cell."""
        self.note(title)

        def add(cells: Sequence[str]) -> None:
            self.note(
                "  ".join(f"{name} {cell}" for name, cell in zip(columns, cells, strict=True))
            )

        yield add

    def note(self, text: str) -> None:
        self._stream.write(_printable(text) + "\n")
        self._stream.flush()

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")


class _BestEffort:
    """A stream that loses what it cannot write, as on a full disk or into a closed pipe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        return self._stream.encoding

    def isatty(self) -> bool:
        return self._stream.isatty()

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class _Lines:
    """A stream for tqdm that turns each update of the bar into a line."""

    def __init__(self, stream: "_BestEffort") -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        line = text.strip()
        return self._stream.write(line + "\n") if line else 0

    def flush(self) -> None:
        self._stream.flush()


def _rich_table(table: Table) -> RichTable:
    drawn = RichTable(title=table.title or None, title_justify="left")
    for index, column in enumerate(table.columns):
        # A narrow terminal wraps heads and names. Numbers stay whole.
        words = [word for row in table.rows for word in row[index].split()]
        longest = min(max(map(len, words), default=0), _LONGEST_NUMBER)
        drawn.add_column(
            column,
            justify="right" if index else "left",
            overflow="fold",
            min_width=longest if index else None,
        )
    for row in table.rows:
        drawn.add_row(
            *(Text(_printable(cell)) for cell in row)
        )  # Text: a name may look like markup
    return drawn


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)


def _stderr() -> Console:
    return Console(file=cast(TextIO, _BestEffort(sys.stderr)), highlight=False, emoji=False)


def _discard(_: object) -> None:
    return None
