"""What a stage says while it works and when it is done, with no word on how that is shown.

A stage is given a `Reporter` and returns a `Result`; the console implements the one and prints the
other. From Python, `SilentReporter` keeps a stage quiet.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

Advance = Callable[[], None]
AddRow = Callable[[Sequence[str]], None]


class Reporter(Protocol):
    """Progress, as a stage sees it."""

    def track(self, description: str, total: int) -> AbstractContextManager[Advance]:
        """Show progress towards `total`; call what is yielded once for each thing done."""

    def live(self, title: str, columns: Sequence[str]) -> AbstractContextManager[AddRow]:
        """Show a table that grows; call what is yielded with each new row's cells."""

    def note(self, text: str) -> None:
        """Say something worth reading in a log."""

    def warn(self, text: str) -> None:
        """Say something that may make the result other than expected."""


class SilentReporter:
    """A reporter for callers who want none."""

    @contextmanager
    def track(self, description: str, total: int) -> Iterator[Advance]:
        """Count nothing."""
        yield lambda: None

    @contextmanager
    def live(self, title: str, columns: Sequence[str]) -> Iterator[AddRow]:
        """Show nothing."""
        yield lambda cells: None

    def note(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Table:
    """Rows of text under column heads; the first column names the row, the others align right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


class Result(Protocol):
    """What a stage returns."""

    def headline(self) -> str:
        """One line: what was done and where it lies."""

    def tables(self) -> Sequence[Table]:
        """The numbers a person wants to see."""

    def document(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
