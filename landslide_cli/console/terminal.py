"""Progress on a terminal: bars, a growing table, and a spinner where nothing else moves."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import Progress, Task, TaskID
from rich.progress_bar import ProgressBar
from rich.table import Table as RichTable
from rich.text import Text

from landslide_cli.console.streams import printable, say, terminal_console
from landslide_cli.console.tables import drawn
from landslide_cli.reporting import AddRow, Advance, Table

_FRAMES, _PLAIN_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "-\\|/"
_FRAMES_PER_SECOND = 8
# A bar is not drawn narrower than this.
_LEAST_BAR = 10


@dataclass(eq=False)
class _Work:
    """Something that goes on: a bar, or words beside a spinner."""

    words: str = ""
    bar: TaskID | None = None
    began: float = field(default_factory=time.monotonic)


class TerminalReporter:
    """Progress bars, growing tables and a spinner, redrawn in place at the bottom.

    Args:
        delay: seconds that something goes on before it gets a spinner, and that a bar is shown
            before its end is told in a line.
    """

    def __init__(self, delay: float = 0.5) -> None:
        self._console, self._delay = terminal_console(), delay
        # For its tasks and their speed; it is drawn here.
        self._bars = Progress(console=self._console, auto_refresh=False)
        self._works: list[_Work] = []
        self._table: Callable[[], RenderableType] | None = None
        self._live: Live | None = None

    @contextmanager
    def track(self, description: str, total: float, unit: str = "") -> Iterator[Advance]:
        """Draw a bar, below the live table if there is one."""
        task = self._bars.add_task(printable(description), total=total, unit=unit)

        def advance(amount: float = 1.0, *, name: str | None = None) -> None:
            words = None if name is None else printable(name)
            self._bars.update(task, advance=amount, description=words)

        try:
            with self._shown(_Work(bar=task)) as work:
                yield advance
                if self._table is None and time.monotonic() - work.began >= self._delay:
                    amount = _amount(total, unit)
                    self.note(f"{description}: {amount} in {_clock(time.monotonic() - work.began)}")
        finally:
            self._bars.remove_task(task)

    @contextmanager
    def working(self, words: str) -> Iterator[None]:
        """Draw a spinner with words, unless what began later draws a bar or has other words."""
        with self._shown(_Work(words=printable(words))):
            yield

    @contextmanager
    def live(
        self, title: str, columns: Sequence[str], least: Sequence[str] = ()
    ) -> Iterator[AddRow]:
        """Draw the last rows of a growing table, as many as fit, and the bars below."""
        rows: list[Sequence[str]] = []

        def table() -> RenderableType:
            latest = Table(title, columns, rows[-self._max_rows() :], least)
            return drawn(latest, self._console.width, records=False)

        self._table = table
        try:
            with self._shown(None):
                yield rows.append
        finally:
            self._table = None
            self._console.print(table())

    def note(self, text: str) -> None:
        say(self._console, text)

    def warn(self, text: str) -> None:
        say(self._console, f"warning: {text}", style="yellow")

    def _max_rows(self) -> int:
        """Return how many rows of a table fit the terminal beside its head and a bar."""
        return max(3, self._console.height - 9)

    @contextmanager
    def _shown(self, work: _Work | None) -> Iterator[_Work]:
        """Show work as long as it lasts; Rich draws one live display at a time."""
        work = work or _Work()
        self._works.append(work)
        try:
            if self._live is not None:
                self._live.refresh()
                yield work
                return
            self._live = Live(
                get_renderable=self._drawn,
                console=self._console,
                refresh_per_second=_FRAMES_PER_SECOND,
                transient=True,
            )
            try:
                with self._live:
                    yield work
            finally:
                self._live = None
        finally:
            self._works.remove(work)

    def _drawn(self) -> Group:
        parts = [] if self._table is None else [self._table()]
        parts += [_bar(task, self._console.width) for task in self._bars.tasks]
        work = self._works[-1] if self._works else None
        if work is not None and work.words:
            parts += self._spinner(work)
        return Group(*parts)

    def _spinner(self, work: _Work) -> list[RenderableType]:
        seconds = time.monotonic() - work.began
        if seconds < self._delay:
            return []
        is_plain = self._console.options.ascii_only
        frames = _PLAIN_FRAMES if is_plain else _FRAMES
        frame = frames[int(seconds * _FRAMES_PER_SECOND) % len(frames)]
        return [Text(f"{frame} {work.words}, {seconds:.0f} s", no_wrap=True, overflow="ellipsis")]


def _bar(task: Task, width: int) -> RenderableType:
    """Draw description, bar, amount and times on a line, or on two where it is too long for one."""
    total = task.total or 0.0
    amount = _amount(total, task.fields["unit"], task.completed)
    remaining = task.time_remaining
    left = "" if remaining is None else f"{_clock(remaining)} left"
    end = "  ".join(filter(None, (amount, _clock(task.elapsed or 0.0), left)))
    space = width - cell_len(task.description) - cell_len(end) - 2
    if space >= _LEAST_BAR:
        return _line(task.description, _drawn_bar(task, min(space, 40)), end)
    space = width - cell_len(end) - 1
    above = Text(task.description, no_wrap=True, overflow="ellipsis")
    if space < _LEAST_BAR:  # the time that is left says more than that which has gone
        end = "  ".join(filter(None, (amount, left)))
        space = width - cell_len(end) - 1
    if space < _LEAST_BAR:
        return Group(above, Text(set_cell_size(end, min(width, cell_len(end)))))
    return Group(above, _line(_drawn_bar(task, min(space, 40)), end))


def _line(*parts: RenderableType) -> RichTable:
    line = RichTable.grid(padding=(0, 1, 0, 0))
    for _ in parts:
        line.add_column(no_wrap=True)
    line.add_row(*(Text(part) if isinstance(part, str) else part for part in parts))
    return line


def _drawn_bar(task: Task, width: int) -> ProgressBar:
    return ProgressBar(total=task.total, completed=task.completed, width=width)


def _amount(total: float, unit: str, done: float | None = None) -> str:
    """Write an amount, or how much of it is done: `3/12`, or `3.1/12.6 Mpx`."""
    digits, words = (1 if total >= 10.0 else 2, f" {unit}") if unit else (0, "")
    whole = f"{total:,.{digits}f}{words}"
    return whole if done is None else f"{min(done, total):,.{digits}f}/{whole}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
