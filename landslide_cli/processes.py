"""Work in other processes, which end with this one however it ends."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from types import ModuleType
from typing import TypeVar

import cv2

from landslide_cli.errors import LandslideError
from landslide_cli.reporting import Reporter

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


def in_processes(
    work: Callable[[Job], Outcome],
    jobs: Sequence[Job],
    workers: int | None,
    description: str,
    reporter: Reporter,
) -> list[Outcome]:
    """Call a function for each job, in several processes.

    Args:
        work: a function at the top level of a module, so that other processes can import it.
        jobs: its arguments, one per call; they can be pickled.
        workers: number of processes. Default: one per processor core.
        description: shown with the progress.
        reporter: shown the progress, in jobs.

    Returns:
        The results in the order of the jobs.

    Raises:
        LandslideError: a process was killed. Errors of `work` are raised unchanged.
    """
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    outcomes: list[Outcome] = []
    with reporter.track(description, len(jobs)) as advance:
        if workers <= 1:
            for job in jobs:
                outcomes.append(work(job))
                advance()
            return outcomes
        # Spawned, not forked: the threads of OpenCV and GDAL do not survive a fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _start_worker) as pool, ending_children():
            try:
                with _interrupts_ignored(), without_the_script():
                    futures = [pool.submit(work, job) for job in jobs]
                for future in as_completed(futures):
                    future.result()
                    advance()
            except BrokenProcessPool:
                raise LandslideError(
                    "a worker process was killed, probably out of memory; try fewer workers: "
                    "--set prepare.workers=1"
                ) from None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            return [future.result() for future in futures]


@contextmanager
def ending_children() -> Iterator[None]:
    """End the processes that are started in the context at once if it is interrupted."""
    before = set(multiprocessing.active_children())
    try:
        yield
    except Exception:
        raise
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise


def end_with_parent() -> None:
    """Have this process end as soon as the one that started it is gone, even if it was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    """Wait for the end of a pipe that closes with the parent, on every system."""
    wait([sentinel])
    os._exit(1)


@contextmanager
def without_the_script() -> Iterator[None]:
    """Start processes that do not run the user's script, as spawned ones do to find functions.

    A script that calls this package without `if __name__ == "__main__":` would run again in each.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _start_worker() -> None:
    end_with_parent()
    cv2.setNumThreads(1)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Start processes that ignore Ctrl-C; the parent handles it and shuts them down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
