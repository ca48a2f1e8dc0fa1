"""Signals: recorded first, raised again at a safe place, at once the second time."""

import signal
import threading

import pytest

from landslide_cli.stages.train.signals import interruptions


class Ended(BaseException):
    """What this test's SIGTERM handler raises."""


@pytest.fixture(autouse=True)
def _handlers() -> object:
    def end(number: int, frame: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGTERM, Ended), (signal.SIGINT, KeyboardInterrupt)]
)
def test_signal_is_recorded_and_ends_when_it_is_raised_again(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    with interruptions() as interruption:
        assert not interruption.stop_requested
        signal.raise_signal(number)
        assert interruption.stop_requested
        with pytest.raises(raised):
            interruption.reraise()


def test_second_signal_ends_at_once() -> None:
    with interruptions():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Ended):
            signal.raise_signal(signal.SIGTERM)


def test_without_a_signal_nothing_ends_and_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with interruptions() as interruption:
        assert signal.getsignal(signal.SIGTERM) != before
        interruption.reraise()
    assert signal.getsignal(signal.SIGTERM) == before


def test_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptions() as interruption:
            signal.raise_signal(signal.SIGINT)
            assert not interruption.stop_requested
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_can_work_too() -> None:
    seen: list[bool] = []

    def work() -> None:
        with interruptions() as interruption:
            seen.append(interruption.stop_requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
