"""Prefetching: the steps of a stream run at the same time, each in its own thread."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

# Seconds between a waiting producer's checks whether it was stopped.
_POLL_SECONDS = 0.2


class _EndOfStream:
    """The last entry of the queue; carries the iterable's error, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def prefetch(items: Iterable[Item], depth: int) -> Iterator[Iterator[Item]]:
    """Run an iterable in its own thread, up to `depth` items ahead of the consumer.

    Errors of the iterable are raised in the consumer. On leaving the context the thread is stopped
    and joined, and the iterable is closed.
    """
    buffer: queue.Queue[Item | _EndOfStream] = queue.Queue(maxsize=max(1, depth))
    stopped = threading.Event()

    def put(item: Item | _EndOfStream) -> None:
        while not stopped.is_set():
            try:
                buffer.put(item, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue

    def produce() -> None:
        end = _EndOfStream()
        try:
            try:
                for item in items:
                    put(item)
                    if stopped.is_set():
                        break
            finally:
                close = getattr(items, "close", None)
                if close is not None:
                    close()
        except BaseException as error:  # any error is raised in the consumer
            end = _EndOfStream(error)
        put(end)

    def consume() -> Iterator[Item]:
        while True:
            item = buffer.get()
            if isinstance(item, _EndOfStream):
                if item.error is not None:
                    raise item.error
                return
            yield item

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stopped.set()
        thread.join()
