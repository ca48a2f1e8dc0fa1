"""The errors that a person can cause, and the status with which each ends the program.

A message is one or two lines: what is wrong, in which file, what to do about it.
"""

import os
from collections.abc import Sequence


class LandslideError(Exception):
    """What was asked could not be done."""

    exit_status = 1


class UsageError(LandslideError):
    """The command line or the profile is wrong."""

    exit_status = 2


class ProfileError(UsageError):
    """The profile, or an override of it, says something it must not."""


class DataError(LandslideError):
    """Images, masks or tables that cannot be used as they are."""


class ModelError(LandslideError):
    """A model that is missing, damaged or made for other data."""


class ChangedError(LandslideError):
    """A finished step whose inputs or settings are no longer the ones it was made from."""


class OutputError(LandslideError):
    """A result that cannot be written."""


class BusyError(LandslideError):
    """Another process works on the same folder."""


def listed(items: Sequence[str], most: int = 10) -> str:
    """Name the first `most` items on one line, and how many more there are."""
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def in_lines(items: Sequence[str], most: int = 10) -> str:
    """Give each of the first `most` items a line of its own, and say how many more there are."""
    lines = [" ".join(item.split()) for item in items[:most]]
    return "\n".join(lines if len(items) <= most else [*lines, f"and {len(items) - most} more"])


def first_line(error: BaseException) -> str:
    """Return the first line of what an exception says, or else its kind."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def printable(path: str | os.PathLike[str]) -> str:
    """Return a file's name for messages; bytes of it that are not UTF-8 as in `Fl\\xe4che.tif`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def counted(count: int, thing: str) -> str:
    """Say how many things there are, as in "1 scene" and "2 scenes"."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
