"""Prefetched items arrive unchanged and in order, and no thread survives."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landslide_cli.core.tiling.prefetch import prefetch


@pytest.fixture(autouse=True)
def no_thread_survives() -> Iterator[None]:
    threads = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= threads


class Stream:
    """Yields the numbers below `stop`, then raises the error; records its progress and its end."""

    def __init__(self, stop: int, error: BaseException | None = None) -> None:
        self.stop, self.error = stop, error
        self.produced, self.closed, self.thread = 0, False, ""

    def items(self) -> Iterator[int]:
        try:
            self.thread = threading.current_thread().name
            for number in range(self.stop):
                self.produced = number + 1
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


@given(st.lists(st.integers()), st.integers(0, 5))
def test_items_arrive_unchanged_and_in_order(items: list[int], depth: int) -> None:
    with prefetch(items, depth) as prefetched:
        assert list(prefetched) == items


def test_items_are_produced_in_another_thread() -> None:
    stream = Stream(3)
    with prefetch(stream.items(), 2) as prefetched:
        assert list(prefetched) == [0, 1, 2]
    assert stream.thread != threading.current_thread().name


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_of_the_iterable_is_raised_in_the_consumer(error: BaseException) -> None:
    stream, received = Stream(3, error), []
    with pytest.raises(type(error)) as raised, prefetch(stream.items(), 2) as prefetched:
        for item in prefetched:
            received.append(item)
    assert raised.value is error
    assert received == [0, 1, 2]
    assert stream.closed


def test_the_stream_ends_after_an_error() -> None:
    with prefetch(Stream(1, ValueError("broken")).items(), 2) as prefetched:
        assert next(prefetched) == 0
        with pytest.raises(ValueError, match="broken"):
            next(prefetched)
        assert next(prefetched, None) is None


def test_an_error_on_closing_is_raised_in_the_consumer() -> None:
    class Items:
        def __iter__(self) -> Iterator[int]:
            return iter((1, 2))

        def close(self) -> None:
            raise OSError("disk full")

    with prefetch(Items(), 2) as prefetched:
        assert [next(prefetched), next(prefetched)] == [1, 2]
        with pytest.raises(OSError, match="disk full"):
            next(prefetched)


@given(st.integers(0, 4), st.integers(0, 20))
@settings(max_examples=15)
def test_at_most_depth_items_and_one_more_are_produced_ahead(depth: int, consumed: int) -> None:
    stream = Stream(30)
    with prefetch(stream.items(), depth) as prefetched:
        for number in range(consumed):
            assert next(prefetched) == number
            # `depth` items are buffered, and one waits for a free place.
            assert stream.produced <= number + 1 + max(1, depth) + 1
    assert stream.produced <= consumed + max(1, depth) + 2


def test_leaving_early_stops_the_thread_and_closes_the_stream() -> None:
    stream = Stream(10**9)
    with prefetch(stream.items(), 3) as prefetched:
        assert next(prefetched) == 0
    assert stream.closed
    assert stream.produced < 10


def test_an_error_of_the_consumer_stops_the_thread_and_closes_the_stream() -> None:
    stream = Stream(10**9)
    with pytest.raises(ZeroDivisionError), prefetch(stream.items(), 3) as prefetched:
        next(prefetched)
        raise ZeroDivisionError
    assert stream.closed


def test_leaving_without_consuming_stops_the_thread() -> None:
    stream = Stream(10**9)
    with prefetch(stream.items(), 1):
        pass
    assert stream.produced <= 3


def test_steps_can_be_chained_and_stop_together() -> None:
    first = Stream(10**9)
    with ExitStack() as steps:
        numbers = steps.enter_context(prefetch(first.items(), 2))
        squares = steps.enter_context(prefetch((number**2 for number in numbers), 2))
        assert [next(squares) for _ in range(4)] == [0, 1, 4, 9]
    assert first.closed
    assert first.produced < 20
