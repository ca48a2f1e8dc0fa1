"""How a command ends: by a signal or an error, with its message and exit status."""

import signal
from typing import NoReturn

from landslide_cli.errors import LandslideError, printable


class Terminated(BaseException):
    """The program received SIGTERM, or SIGHUP as its terminal was closed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


# What ends a command in a line.
EXPECTED = (
    LandslideError,
    OSError,
    MemoryError,
    UnicodeEncodeError,
    KeyboardInterrupt,
    Terminated,
)


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated(number)


def end_by_signals() -> None:
    """Have signals end the program like an error, so that partial results are removed."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # What is ignored stays ignored, as with nohup.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _terminate)


def message_of(error: BaseException) -> str:
    """Say in a line or two why a command ends."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, Terminated):
        return "terminated"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, UnicodeEncodeError):
        return f"{printable(error.object)[:200]}: is not UTF-8; rename it"
    if isinstance(error, MemoryError):
        return "out of memory; use smaller tiles or batches, or fewer workers"
    return str(error)


def status_of(error: BaseException) -> int:
    """Return the exit status of a command that ends by an error or a signal."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if isinstance(error, Terminated):
        return 128 + error.number
    return error.exit_status if isinstance(error, LandslideError) else 1
