"""What a network's features take at the most, at one time."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.memory import free_memory, peak_size

Network = tuple[list[int], list[list[int]]]


@st.composite
def networks(draw: st.DrawFn) -> Network:
    count = draw(st.integers(1, 12))
    sizes = draw(st.lists(st.integers(0, 100), min_size=count, max_size=count))
    inputs: list[list[int]] = [[]]
    for index in range(1, count):
        inputs.append(draw(st.lists(st.integers(0, index - 1), max_size=3)))
    return sizes, inputs


@given(networks())
def test_the_peak_is_the_most_that_any_operation_finds_alive(network: Network) -> None:
    sizes, inputs = network
    count = len(sizes)
    peak = 0
    for now in range(count):
        wanted = {source for taken in inputs[now:] for source in taken}
        alive = {step for step in range(now + 1) if step == now or step in wanted}
        peak = max(peak, sum(sizes[step] for step in alive))
    assert peak_size(sizes, inputs) == peak


def test_a_chain_holds_two_results_at_a_time() -> None:
    assert peak_size([1, 5, 7, 2], [[], [0], [1], [2]]) == 12


def test_a_skip_connection_is_held_until_it_is_taken() -> None:
    #        0 ------------------> 4
    #        0 -> 1 -> 2 -> 3 ---> 4
    sizes = [10, 1, 1, 1, 3]
    assert peak_size(sizes, [[], [0], [1], [2], [3]]) == 11
    assert peak_size(sizes, [[], [0], [1], [2], [3, 0]]) == 14


def test_a_result_that_nobody_takes_is_let_go_at_once() -> None:
    assert peak_size([4, 100, 3], [[], [0], [0]]) == 104
    assert peak_size([4, 3, 100], [[], [], [0]]) == 104


def test_one_operation_and_none() -> None:
    assert peak_size([8], [[]]) == 8
    assert peak_size([], []) == 0


def test_some_memory_is_free() -> None:
    assert free_memory() > 0


# Eight threads that allocate at the same time; then how many pools the C library has made.
_COUNT_POOLS = """
import ctypes, sys, threading
from landslide_cli.core.memory import share_freed_memory
if sys.argv[1] == "shared":
    share_freed_memory()
libc, together = ctypes.CDLL(None), threading.Barrier(8)
libc.malloc.restype, libc.fopen.restype = ctypes.c_void_p, ctypes.c_void_p
def allocate():
    together.wait()
    for _ in range(100):
        libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
report = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, report)
libc.fclose(report)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of the GNU C library")
def test_threads_share_few_pools_of_memory(tmp_path: Path) -> None:
    pools = {}
    for how in ("apart", "shared"):
        report = tmp_path / f"{how}.xml"
        subprocess.run([sys.executable, "-c", _COUNT_POOLS, how, str(report)], check=True)
        pools[how] = report.read_text().count("<heap nr=")
    assert pools["shared"] <= 2 < pools["apart"]
