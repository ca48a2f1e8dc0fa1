"""The interface between a stage and the console: progress while it runs, a result when it ends.

A stage receives a `Reporter` and returns a `Result`. The console implements the first and prints
the second; from Python, `SilentReporter` shows nothing.
"""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Protocol

AddRow = Callable[[Sequence[str]], None]


class Advance(Protocol):
    """Advances a progress; threads may call it."""

    def __call__(self, amount: float = 1.0, *, name: str | None = None) -> None:
        """Add `amount` to what is done; `name` says what is at work now."""


class Reporter(Protocol):
    """Shows the progress, notes and warnings of a stage."""

    def track(
        self, description: str, total: float, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """Show progress towards `total`, in items or in a `unit`; call what is yielded."""

    def working(self, words: str) -> AbstractContextManager[None]:
        """Show on a terminal that something goes on of which the end is not known."""

    def live(
        self, title: str, columns: Sequence[str], least: Sequence[str] = ()
    ) -> AbstractContextManager[AddRow]:
        """Show a growing table; call the yielded function with the cells of each new row.

        `least` are columns that may be left out where space is short, the least important first.
        """

    def note(self, text: str) -> None:
        """Show a line of information."""

    def warn(self, text: str) -> None:
        """Show a warning: the result may not be what the user expects."""


class SilentReporter:
    """A reporter that shows nothing."""

    @contextmanager
    def track(self, description: str, total: float, unit: str = "") -> Iterator[Advance]:
        yield lambda amount=1.0, *, name=None: None

    @contextmanager
    def working(self, words: str) -> Iterator[None]:
        yield

    @contextmanager
    def live(
        self, title: str, columns: Sequence[str], least: Sequence[str] = ()
    ) -> Iterator[AddRow]:
        yield lambda cells: None

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass


@dataclass(frozen=True)
class Table:
    """Rows of text under column heads; the first column names the row, the others align right.

    `least` are columns that may be left out where space is short, the least important first.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    least: Sequence[str] = ()

    def html(self) -> str:
        """Return the whole table as HTML."""
        heads = "".join(f"<th>{escape(head)}</th>" for head in self.columns)
        rows = "".join(f"<tr>{_html_cells(row)}</tr>" for row in self.rows)
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _html_cells(row: Sequence[str]) -> str:
    name, *values = (escape(cell.strip()) for cell in row)
    cells = "".join(f'<td style="text-align: right">{value}</td>' for value in values)
    return f'<th style="text-align: left">{name}</th>{cells}'


@dataclass(frozen=True)
class Result(ABC):
    """The outcome of a stage. Subclasses are frozen dataclasses."""

    @property
    def exit_status(self) -> int:
        """Exit status of the command."""
        return 0

    @property
    def complaint(self) -> str | None:
        """Error message for a stage that finished but did not succeed in everything."""
        return None

    @abstractmethod
    def headline(self) -> str:
        """Return one line: what was done, and where the results are."""

    @abstractmethod
    def tables(self) -> Sequence[Table]:
        """Return the numbers to show to a person."""

    def document(self) -> dict[str, Any]:
        """Return the fields as plain JSON values, paths as text."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self), default=os.fspath))
        return document

    def _repr_html_(self) -> str:
        """Show the result in a notebook, as the terminal does."""
        lines = "<br>".join(escape(line) for line in self.headline().splitlines())
        return "".join([*(table.html() for table in self.tables()), f"<p>{lines}</p>"])
