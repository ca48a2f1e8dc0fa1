"""Signals that ask a long work to end: it ends at its next safe place, then as it would have."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """Whether the process has been asked to end, and by which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    @property
    def is_asked(self) -> bool:
        """Whether a signal has come."""
        return self.signal is not None

    def obey(self) -> None:
        """End as the signal would have ended the process when it came."""
        self._give_back()
        if self.signal is not None:
            signal.raise_signal(self.signal)

    def _hear(self) -> None:
        for number in _SIGNALS:
            before = signal.getsignal(number)
            # What is ignored stays ignored, as in a shell's background job.
            if before != signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        # Whoever asks twice does not want to wait.
        self._give_back()

    def _give_back(self) -> None:
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, before)


@contextmanager
def interruptions() -> Iterator[Interruption]:
    """Note SIGTERM and SIGINT instead of ending at once; the second one ends at once."""
    interruption = Interruption()
    if threading.current_thread() is threading.main_thread():
        interruption._hear()
    try:
        yield interruption
    finally:
        interruption._give_back()
