"""Which process something belongs to, and whether that process is still there.

Locks and unfinished files carry their owner, so that what a killed process leaves is told from what
another process is working on.
"""

import os
import re
import socket
import time
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Self

import psutil

_TOKEN = re.compile(r"(?P<machine>[0-9a-f]{6})-(?P<pid>\d+)-(?P<born>\d+)")


@dataclass(frozen=True)
class Process:
    """A process by its machine, its number, and when it was born: numbers are used again."""

    machine: str
    pid: int
    born: int

    @classmethod
    def this(cls) -> Self:
        """Return the process that asks."""
        return cls(this_machine(), os.getpid(), _born(os.getpid()))

    @classmethod
    def of_token(cls, text: str) -> Self | None:
        """Read what `token` wrote; None if it is nothing of the kind."""
        match = _TOKEN.fullmatch(text)
        if match is None:
            return None
        return cls(match["machine"], int(match["pid"]), int(match["born"]))

    @property
    def token(self) -> str:
        """A short text for file names."""
        return f"{self.machine}-{self.pid}-{self.born}"

    def is_there(self, heard_of: bool) -> bool:
        """Whether the process is still running.

        Args:
            heard_of: whether it gave a sign of life lately, which decides if it is on another
                machine.
        """
        if self.machine != this_machine():
            return heard_of
        return psutil.pid_exists(self.pid) and _born(self.pid) == self.born


@cache
def this_machine() -> str:
    """Identify the machine, or the container, within which process numbers are unique."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return blake2b(f"{socket.gethostname()} {space}".encode(), digest_size=3).hexdigest()


def _born(pid: int) -> int:
    """Return when a process was started, in a unit of the system; 0 where there is none."""
    try:
        # In ticks since the machine was started: unlike psutil's seconds, not moved by the clock.
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2]
        return int(after_name.split()[19])
    except (OSError, IndexError, ValueError):
        pass
    try:
        return int(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0


def seconds_since_change(path: Path) -> float:
    """Return how long ago a file or folder was changed; infinite where there is none."""
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return float("inf")
