"""Progress, tables and errors on the terminal; the only room that writes to it.

Results go to stdout; progress, notes, warnings and errors go to stderr. Progress is drawn with Rich
on a terminal and written as plain lines elsewhere, so that a CI log stays readable.

A result that cannot be written is an error. What stderr does not take is lost, and ends nothing.
"""

import json
import sys
from io import TextIOWrapper

from rich.console import Console

from landslide_cli.console.log import LogReporter
from landslide_cli.console.streams import say, stderr_console
from landslide_cli.console.tables import drawn, needed_width
from landslide_cli.console.terminal import TerminalReporter
from landslide_cli.reporting import Reporter, Result, SilentReporter

__all__ = [
    "LOG_WIDTH",
    "LogReporter",
    "TerminalReporter",
    "reporter_for",
    "show_error",
    "show_failure",
    "show_result",
    "show_traceback",
]

LOG_WIDTH = 140  # of a table that goes to a file, in characters


def reporter_for(quiet: bool) -> Reporter:
    """Return the reporter for stderr: silent, drawn on a terminal, or lines of a log."""
    if quiet:
        return SilentReporter()
    return TerminalReporter() if sys.stderr.isatty() else LogReporter()


def show_result(result: Result, as_json: bool) -> None:
    """Print the result of a stage on stdout, as tables or as one JSON document.

    The document of a result with a complaint has that as its `error`.

    Raises:
        OSError: it cannot be written there.
    """
    if as_json:
        complaint = {"error": result.complaint} if result.complaint else {}
        _write_json(complaint | result.document())
        return
    is_terminal = sys.stdout.isatty()
    console = Console(width=None if is_terminal else LOG_WIDTH, highlight=False, emoji=False)
    if isinstance(sys.stdout, TextIOWrapper):
        # A name in another script must not end the command where the encoding lacks it.
        sys.stdout.reconfigure(errors="backslashreplace")
    for table in result.tables():
        # A file takes all columns.
        width = console.width if is_terminal else max(LOG_WIDTH, needed_width(table))
        console.print(drawn(table, width), crop=False, width=width)
    say(console, result.headline())


def show_failure(text: str, exit_status: int) -> None:
    """Print on stdout, as a JSON document, why the program ends and with which status.

    Raises:
        OSError: it cannot be written there.
    """
    _write_json({"error": text, "exit_status": exit_status})


def show_error(text: str) -> None:
    """Print on stderr why the program ends."""
    say(stderr_console(), f"error: {text}", style="red")


def show_traceback() -> None:
    """Print the traceback of the error being handled, for `--debug`."""
    stderr_console().print_exception()


def _write_json(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
