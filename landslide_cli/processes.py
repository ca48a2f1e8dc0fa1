"""Work spread over processes, one job a scene."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

import cv2

from landslide_cli.errors import LandslideError
from landslide_cli.reporting import Reporter

Job = TypeVar("Job")
Done = TypeVar("Done")


def in_processes(
    work: Callable[[Job], Done],
    jobs: Sequence[Job],
    workers: int | None,
    description: str,
    reporter: Reporter,
) -> list[Done]:
    """Do the jobs in several processes.

    Args:
        work: a function of a module, so that another process finds it.
        jobs: what it is called with; values that can be sent to another process.
        workers: how many processes. Default: one a processor core.
        description: shown with the progress.
        reporter: shown the progress.

    Returns:
        The results in the order of the jobs.

    Raises:
        LandslideError: a process died; errors of the work itself are raised as they are.
    """
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    results: list[Done] = []
    with reporter.track(description, len(jobs)) as advance:
        if workers <= 1:
            for job in jobs:
                results.append(work(job))
                advance()
            return results
        # Fresh processes, not forks: OpenCV's and GDAL's threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _start_worker) as pool:
            try:
                with _interrupts_ignored():
                    futures = [pool.submit(work, job) for job in jobs]
                for future in as_completed(futures):
                    future.result()
                    advance()
            except BrokenProcessPool:
                raise LandslideError(
                    "a worker process died, most likely for want of memory; try fewer: "
                    "--set prepare.workers=1"
                ) from None
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            return [future.result() for future in futures]


def _start_worker() -> None:
    cv2.setNumThreads(1)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C: the parent does, and ends them in good order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
