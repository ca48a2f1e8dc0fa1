"""What reaches stderr: best effort, on one line as in a log, or broken between words."""

import os
import re
import sys
import textwrap
from contextlib import suppress
from typing import TextIO, cast

from rich.console import Console

# Names of files may hold what commands a terminal, and bytes that are not UTF-8.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udcff]")


class BestEffort:
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


def printable(text: str) -> str:
    """Return a text with what commands a terminal, and bytes that are not UTF-8, escaped."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)


def stderr_console() -> Console:
    """Return a console for stderr."""
    return _console(sys.stderr)


def terminal_console() -> Console:
    """Return a console for the terminal that stderr is.

    TensorFlow's messages are kept from stderr while it is imported; what is drawn meanwhile goes
    through a descriptor of its own.
    """
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return stderr_console()
    encoding = sys.stderr.encoding
    return _console(os.fdopen(descriptor, "w", encoding=encoding, errors="backslashreplace"))


def _console(stream: TextIO) -> Console:
    return Console(file=cast(TextIO, BestEffort(stream)), highlight=False, emoji=False)


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print text as it is; on a terminal, lines that are too long are broken between words.

    A word is never broken, so that no number is, and paths can be copied.
    """
    text = printable(text)
    if console.is_terminal:
        text = "\n".join(
            line for long in text.split("\n") for line in in_words(long, console.width)
        )
    console.print(text, style=style, soft_wrap=True, markup=False)


def in_words(text: str, width: int, indent: str = "") -> list[str]:
    """Break a text between words into lines of at most `width`; a longer word has its own."""
    lines = textwrap.wrap(
        text,
        max(width, 1),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [indent]
