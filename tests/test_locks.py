"""Locks: one process works in a folder at a time, and a killed one leaves nothing in the way."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from landslide_cli import locks
from landslide_cli.errors import BusyError
from landslide_cli.locks import (
    Owner,
    clear_leftovers,
    in_turn,
    refuse_work_in,
    refusing,
    wait_for_work_in,
)
from landslide_cli.outputs import partial_name
from landslide_cli.owners import Process

# Holds a lock until it is killed or its input ends.
HOLD = """
import sys
from pathlib import Path
from landslide_cli.locks import refusing
with refusing(Path(sys.argv[1]), "trained", Path("runs/a")):
    print("held", flush=True)
    sys.stdin.read()
"""

# Adds to a number in a file, by reading and writing it.
COUNT = """
import sys
from pathlib import Path
from landslide_cli.locks import in_turn
number = Path(sys.argv[1])
for _ in range(20):
    with in_turn(number.with_name(".number.lock"), "counted"):
        text = number.read_text()
        number.write_text(str(int(text) + 1))
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python on a text, and end it after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(text: str, *arguments: Path) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", text, *map(str, arguments)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(params=["kernel", "file"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """File systems with locks of the kernel's, and without."""
    if request.param == "file":
        monkeypatch.setattr(locks, "_kernel_lock", lambda descriptor: None)
    return str(request.param)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / ".a.lock"


def held(start: Start, lock: Path) -> subprocess.Popen[str]:
    process = start(HOLD, lock)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def owned(lock: Path, process: Process, age: float = 0.0) -> None:
    """Leave a lock of a process, as last renewed some seconds ago."""
    document = {"process": vars(process), "host": "elsewhere", "doing": "trained", "since": 0.0}
    lock.write_text(json.dumps(document))
    os.utime(lock, (time.time() - age, time.time() - age))


def refused(lock: Path) -> str:
    with pytest.raises(BusyError) as caught, refusing(lock, "evaluated", Path("runs/a")):
        pytest.fail("it is held by another process")
    assert caught.value.exit_status == 1
    assert len(str(caught.value).splitlines()) == 2
    return str(caught.value)


def free(lock: Path) -> None:
    with refusing(lock, "evaluated", Path("runs/a")):
        assert lock.exists()
    assert not lock.exists()


def test_lock_is_hidden_and_removed_at_the_end(lock: Path, either: str) -> None:
    free(lock)
    free(lock)
    assert list(lock.parent.iterdir()) == []


def test_lock_is_removed_where_the_work_fails(lock: Path, either: str) -> None:
    with pytest.raises(ZeroDivisionError), refusing(lock, "trained", Path("runs/a")):
        raise ZeroDivisionError
    free(lock)


def test_folders_that_a_lock_needed_are_gone_where_the_work_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        refusing(tmp_path / "runs" / "deep" / ".a.lock", "trained", Path("runs/a")),
    ):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_second_is_refused_at_once_and_told_who_works_since_when(
    lock: Path, start: Start, either: str
) -> None:
    process = held(start, lock)
    message = refused(lock)
    assert f"runs/a is being trained by process {process.pid} on " in message
    assert f" since {time.strftime('%Y-')}" in message
    process.communicate("")
    free(lock)


def test_threads_of_one_process_exclude_each_other_too(lock: Path, either: str) -> None:
    with refusing(lock, "trained", Path("runs/a")):
        assert f"process {os.getpid()} on" in refused(lock)
    free(lock)


def test_lock_of_a_killed_process_is_taken_over(lock: Path, start: Start, either: str) -> None:
    process = held(start, lock)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert lock.exists()
    free(lock)


def test_number_of_a_killed_process_that_another_has_now_is_told_from_it(
    lock: Path, either: str
) -> None:
    this = Process.this()
    owned(lock, Process(this.machine, this.pid, this.born - 1))
    free(lock)


def test_lock_of_another_machine_holds_while_it_is_renewed(lock: Path, either: str) -> None:
    owned(lock, Process("abcdef", 1, 1), age=locks.SILENCE / 2)
    assert f"if that process is gone, delete {lock}" in refused(lock)
    owned(lock, Process("abcdef", 1, 1), age=2 * locks.SILENCE)
    free(lock)


def test_owners_renew_their_locks(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_RENEWAL", 0.01)
    with refusing(lock, "trained", Path("runs/a")):
        os.utime(lock, (0, 0))
        while lock.stat().st_mtime == 0:
            time.sleep(0.01)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"process": {}}', "\xff"])
def test_lock_that_says_nothing_is_in_nobodys_way(lock: Path, text: str, either: str) -> None:
    lock.write_text(text)
    os.utime(lock, (0, 0))
    free(lock)


def test_folder_that_takes_no_files_needs_no_lock(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *arguments: int) -> int:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with refusing(lock, "evaluated", Path("runs/a")), in_turn(lock, "mapped"):
        assert not lock.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_system_without_locks_is_recognised(
    lock: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with refusing(lock, "trained", Path("runs/a")):
        refused(lock)
    free(lock)


def test_waiting_ends_when_it_is_told_to(
    lock: Path, either: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_LAST_POLL", 0.02)
    told: list[str] = []

    def check() -> None:
        if told:
            raise InterruptedError

    with (
        refusing(lock, "mapped", Path("maps")),
        pytest.raises(InterruptedError),
        in_turn(lock, "mapped", lambda owner: told.append(str(owner)), check),
    ):
        pytest.fail("it is held")
    assert len(told) == 1
    assert told[0].startswith(f"process {os.getpid()} on ")


def test_processes_in_turn_lose_nothing_of_each_other(tmp_path: Path, start: Start) -> None:
    number = tmp_path / "number"
    number.write_text("0")
    processes = [start(COUNT, number) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert number.read_text() == "80"
    assert list(tmp_path.iterdir()) == [number]


def test_threads_in_turn_lose_nothing_of_each_other(tmp_path: Path, either: str) -> None:
    counted, together = [0], []

    def count() -> None:
        for _ in range(20):
            with in_turn(tmp_path / ".number.lock", "counted"):
                before = counted[0]
                together.append(1)
                time.sleep(0.0002)
                counted[0] = before + 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted == [len(together)] == [80]


def test_stale_lock_is_taken_over_by_one_of_many(tmp_path: Path, either: str) -> None:
    """Repeated, as it is a race."""
    for attempt in range(20):
        lock = tmp_path / f".{attempt}.lock"
        owned(lock, Process(Process.this().machine, 2**22 + 1, 7))
        inside: list[int] = []
        most, barrier = [0], threading.Barrier(4)

        def take(lock=lock, inside=inside, most=most, barrier=barrier):
            barrier.wait()
            with in_turn(lock, "trained"):
                inside.append(1)
                most[0] = max(most[0], len(inside))
                time.sleep(0.001)
                inside.pop()

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most == [1]


def test_folder_is_not_replaced_while_others_work_in_it(
    lock: Path, start: Start, either: str
) -> None:
    deep = lock.parent / "infer" / "deep" / lock.name
    deep.parent.mkdir(parents=True)
    refuse_work_in(lock.parent)
    process = held(start, deep)
    with pytest.raises(BusyError, match=rf"{deep.parent} is being .+ by process {process.pid} on"):
        refuse_work_in(lock.parent)
    waited_for: list[Path] = []

    def end(where: Path, owner: Owner) -> None:
        waited_for.append(where)
        process.kill()
        process.wait()

    wait_for_work_in(lock.parent, end)
    assert waited_for == [deep.parent]
    refuse_work_in(lock.parent)
    wait_for_work_in(lock.parent / "nowhere", end)


def test_what_a_killed_process_left_is_cleared_and_what_a_live_one_writes_is_not(
    tmp_path: Path, start: Start
) -> None:
    killed, alive = held(start, tmp_path / ".killed.lock"), held(start, tmp_path / ".alive.lock")
    left = tmp_path / f".scene.{token_of(killed.pid)}-1.partial"
    (left / "deep").mkdir(parents=True)
    (left / "deep" / "mask.tif").touch()
    (tmp_path / f".infer.{token_of(killed.pid)}-2.partial.json").touch()
    (tmp_path / f".infer.{token_of(alive.pid)}-1.partial.json").touch()
    (tmp_path / ".notes.of.a.person.partial").touch()
    (tmp_path / ".yarn.lock").write_text("# of another program")
    partial_name(tmp_path / "table.csv").touch()
    clear_leftovers(tmp_path)
    assert len(list(tmp_path.iterdir())) == 8
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    clear_leftovers(tmp_path)
    names = sorted(path.name.split(".")[1] for path in tmp_path.iterdir())
    assert names == ["alive", "infer", "notes", "table", "yarn"]


def token_of(pid: int) -> str:
    from landslide_cli import owners

    return Process(owners.this_machine(), pid, owners._born(pid)).token


def test_what_another_machine_writes_is_kept_for_a_day(tmp_path: Path) -> None:
    path = tmp_path / ".scene.abcdef-3-4-1.partial.tif"
    for age, is_kept in ((0.0, True), (3600.0, True), (90000.0, False)):
        path.touch()
        os.utime(path, (time.time() - age, time.time() - age))
        clear_leftovers(tmp_path)
        assert path.exists() == is_kept
