"""How times and memory are measured, and how a benchmark of its own is run."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

# Runs the command, and writes the peak memory in GB behind what it says. A process's own peak: what
# the system tells its parent counts the parent's memory too.
MEASURED = """
import sys
from landslide_cli.app import main
from tools.bench.measuring import peak_memory
if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.write(f" {peak_memory()}")
    sys.exit(status)
"""


def peak_memory(process: int | str = "self") -> float:
    """Return the peak memory of a process, in GB.

    Raises:
        OSError: there is no such process.
    """
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    # Of a process that is ending nothing is told any more.
    peak = next((line.split()[1] for line in lines if line.startswith("VmHWM")), "0")
    return int(peak) * 1024 / 1e9


def least_seconds(work: Callable[[], object], times: int = 1, least: float = 0.0) -> float:
    """Return the least of several measured times of `work`, after one that is not counted.

    Args:
        work: what is measured.
        times: how often, at least.
        least: how many seconds in all, at least.
    """
    work()
    measured: list[float] = []
    while len(measured) < times or sum(measured) < least:
        began = time.perf_counter()
        work()
        measured.append(time.perf_counter() - began)
    return min(measured)


def run_alone(bench: Callable[[Path], Iterable[tuple[str, ...]]]) -> None:
    """Run one benchmark in a temporary folder, and print its rows as they come."""
    with TemporaryDirectory() as name:
        for row in bench(Path(name)):
            print("  ".join(row), flush=True)  # noqa: T201
