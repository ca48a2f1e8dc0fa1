"""Progress as lines of plain text, for logs and pipes."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from landslide_cli.console.streams import BestEffort, printable
from landslide_cli.reporting import AddRow, Advance


class LogReporter:
    """Progress as lines of plain text, at least `interval` seconds apart."""

    def __init__(self, interval: float = 10.0) -> None:
        self._interval = interval
        self._stream = BestEffort(sys.stderr)

    @contextmanager
    def track(self, description: str, total: float, unit: str = "") -> Iterator[Advance]:
        """Write how far it has come, and what is at work, every few seconds."""
        counts = f"{{n:,.1f}}/{{total:,.1f}} {unit}" if unit else "{n:.0f}/{total:.0f}"
        with tqdm(
            total=total,
            desc=description,
            file=_Lines(self._stream),
            mininterval=self._interval,
            bar_format=f"{{desc}}: {counts} in {{elapsed}}, {{remaining}} left",
            miniters=0,
            delay=self._interval,  # no line for a task that ends sooner
            leave=False,
        ) as bar:

            def advance(amount: float = 1.0, *, name: str | None = None) -> None:
                if name is not None:
                    bar.set_description_str(printable(name), refresh=False)
                bar.update(amount)

            yield advance

    @contextmanager
    def working(self, words: str) -> Iterator[None]:
        """Write nothing: notes and progress tell a log enough."""
        yield

    @contextmanager
    def live(
        self, title: str, columns: Sequence[str], least: Sequence[str] = ()
    ) -> Iterator[AddRow]:
        """Write a line per row, with the column's name before each cell."""
        self.note(title)

        def add(cells: Sequence[str]) -> None:
            self.note(
                "  ".join(f"{name} {cell}" for name, cell in zip(columns, cells, strict=True))
            )

        yield add

    def note(self, text: str) -> None:
        self._stream.write(printable(text) + "\n")
        self._stream.flush()

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")


class _Lines:
    """A stream for tqdm that turns each update of the bar into a line."""

    def __init__(self, stream: BestEffort) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        line = text.strip()
        return self._stream.write(line + "\n") if line else 0

    def flush(self) -> None:
        self._stream.flush()
