"""Steps that run ahead in threads of their own give the same, in order, and leave nothing."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landslide_cli.core.tiling.prefetch import ahead


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class Stream:
    """Counts up to `stop`, or to an error; says how far it is and whether it was closed."""

    def __init__(self, stop: int, error: BaseException | None = None) -> None:
        self.stop, self.error = stop, error
        self.made, self.closed, self.thread = 0, False, ""

    def __iter__(self) -> Iterator[int]:
        return self.items()

    def items(self) -> Iterator[int]:
        try:
            self.thread = threading.current_thread().name
            for number in range(self.stop):
                self.made = number + 1
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


@given(st.lists(st.integers()), st.integers(0, 5))
def test_items_come_as_they_are_and_in_order(items: list[int], depth: int) -> None:
    with ahead(items, depth) as taken:
        assert list(taken) == items


def test_items_are_made_in_another_thread() -> None:
    stream = Stream(3)
    with ahead(stream.items(), 2) as taken:
        assert list(taken) == [0, 1, 2]
    assert stream.thread != threading.current_thread().name


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_is_raised_where_items_are_taken(error: BaseException) -> None:
    stream, seen = Stream(3, error), []
    with pytest.raises(type(error)) as raised, ahead(stream.items(), 2) as taken:
        for item in taken:
            seen.append(item)
    assert raised.value is error
    assert seen == [0, 1, 2]
    assert stream.closed


def test_after_an_error_the_stream_is_over() -> None:
    with ahead(Stream(1, ValueError("broken")).items(), 2) as taken:
        assert next(taken) == 0
        with pytest.raises(ValueError, match="broken"):
            next(taken)
        assert next(taken, None) is None


def test_an_error_while_closing_is_raised_where_items_are_taken() -> None:
    class Items:
        def __iter__(self) -> Iterator[int]:
            return iter((1, 2))

        def close(self) -> None:
            raise OSError("disk full")

    with ahead(Items(), 2) as taken:
        assert [next(taken), next(taken)] == [1, 2]
        with pytest.raises(OSError, match="disk full"):
            next(taken)


@given(st.integers(0, 4), st.integers(0, 20))
@settings(max_examples=15)
def test_no_more_items_are_made_ahead_than_asked_for(depth: int, taken_before: int) -> None:
    stream = Stream(30)
    with ahead(stream.items(), depth) as taken:
        for number in range(taken_before):
            assert next(taken) == number
            # So many wait, and one more is in the maker's hand.
            assert stream.made <= number + 1 + max(1, depth) + 1
    assert stream.made <= taken_before + max(1, depth) + 2


def test_leaving_early_stops_the_thread_and_closes_the_stream() -> None:
    stream = Stream(10**9)
    with ahead(stream.items(), 3) as taken:
        assert next(taken) == 0
    assert stream.closed
    assert stream.made < 10


def test_an_error_of_who_takes_stops_the_thread_and_closes_the_stream() -> None:
    stream = Stream(10**9)
    with pytest.raises(ZeroDivisionError), ahead(stream.items(), 3) as taken:
        next(taken)
        raise ZeroDivisionError
    assert stream.closed


def test_leaving_before_anything_was_taken_stops_the_thread() -> None:
    stream = Stream(10**9)
    with ahead(stream.items(), 1):
        pass
    assert stream.made <= 3


def test_steps_follow_each_other_and_end_together() -> None:
    first = Stream(10**9)
    with ExitStack() as steps:
        numbers = steps.enter_context(ahead(first.items(), 2))
        squares = steps.enter_context(ahead((number**2 for number in numbers), 2))
        assert [next(squares) for _ in range(4)] == [0, 1, 4, 9]
    assert first.closed
    assert first.made < 20
