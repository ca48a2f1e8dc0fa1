"""Standard streams that are closed, full or read by nobody."""

import os
import sys


def open_closed_streams() -> None:
    """Open what the caller has closed of stdin, stdout and stderr, as services do, on nothing.

    Otherwise there is nothing to write to, and the next file that is opened takes the place: what
    libraries write to stderr would go into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, which is this one: those below are open by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        mode = "r" if number == 0 else "w"
        setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def forget_unwritten() -> None:
    """Let go of what stdout and stderr did not take: Python would try again at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
