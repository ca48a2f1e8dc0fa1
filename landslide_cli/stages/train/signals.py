"""Signals that end the process: work ends at its next safe place, and then as the signal would."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# A closed terminal sends SIGHUP, which Windows does not have.
_NAMES = ("SIGTERM", "SIGINT", "SIGHUP")
_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class Interruption:
    """Whether the process has been told to end, and by which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._replaced: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    @property
    def stop_requested(self) -> bool:
        return self.signal is not None

    def reraise(self) -> None:
        """End as the signal would have ended the process when it came, if one has come."""
        self._restore()
        if self.signal is not None:
            signal.raise_signal(self.signal)

    def _install(self) -> None:
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            # What is ignored stays ignored, as in a shell's background job.
            if handler != signal.SIG_IGN:
                self._replaced[number] = handler
                signal.signal(number, self._record)

    def _record(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        # Whoever asks twice does not want to wait.
        self._restore()

    def _restore(self) -> None:
        while self._replaced:
            number, handler = self._replaced.popitem()
            signal.signal(number, handler)


@contextmanager
def interruptions() -> Iterator[Interruption]:
    """Record signals that end the process instead of ending; the second one ends it at once."""
    interruption = Interruption()
    if threading.current_thread() is threading.main_thread():
        interruption._install()
    try:
        yield interruption
    finally:
        interruption._restore()
