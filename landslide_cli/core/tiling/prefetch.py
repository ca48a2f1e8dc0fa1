"""Steps of a stream that work at the same time, each in a thread of its own."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

# How often a thread that waits looks whether it is still wanted, in seconds.
_PATIENCE = 0.2


class _End:
    """The last thing in a queue: the stream is over, or broke with an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def ahead(items: Iterable[Item], depth: int) -> Iterator[Iterator[Item]]:
    """Run an iterable in a thread of its own, up to `depth` items ahead of who takes them.

    Errors of the iterable are raised where its items are taken. On leaving the context the thread
    is told to stop and waited for, so that it holds nothing any more.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(maxsize=max(1, depth))
    stopped = threading.Event()

    def put(item: Item | _End) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_PATIENCE)
                return
            except queue.Full:
                continue

    def work() -> None:
        end = _End()
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
        except BaseException as error:  # whatever it is, it is raised by the one who takes
            end = _End(error)
        put(end)

    def taken() -> Iterator[Item]:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopped.set()
        thread.join()
