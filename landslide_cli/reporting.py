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
from typing import Any, Protocol

Advance = Callable[[], None]
AddRow = Callable[[Sequence[str]], None]


class Reporter(Protocol):
    """Shows the progress, notes and warnings of a stage."""

    def track(self, description: str, total: int) -> AbstractContextManager[Advance]:
        """Show progress towards `total`; call the yielded function once per finished item."""

    def live(self, title: str, columns: Sequence[str]) -> AbstractContextManager[AddRow]:
        """Show a growing table; call the yielded function with the cells of each new row."""

    def note(self, text: str) -> None:
        """Show a line of information."""

    def warn(self, text: str) -> None:
        """Show a warning: the result may not be what the user expects."""


class SilentReporter:
    """A reporter that shows nothing."""

    @contextmanager
    def track(self, description: str, total: int) -> Iterator[Advance]:
        yield lambda: None

    @contextmanager
    def live(self, title: str, columns: Sequence[str]) -> Iterator[AddRow]:
        yield lambda cells: None

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass


@dataclass(frozen=True)
class Table:
    """Rows of text under column heads; the first column names the row, the others align right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


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
