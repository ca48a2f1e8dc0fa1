"""Locks on folders and files: one process works, the others wait, or are told who works.

A lock is a hidden file with its owner in it, removed at the end. The kernel's lock on that file
tells whether the owner lives, as it goes with the process however that ends, over NFS and SMB too.
Where the file system has no such locks the file itself is the lock, and what tells is the owner's
process number or, on another machine, how long ago the owner has renewed the file. A folder that
cannot be written to needs no lock: reading works everywhere.

This is not left to `filelock`: its lock files do not tell who holds them, and are emptied by
whoever asks.
"""

import contextlib
import errno
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from landslide_cli.errors import BusyError, OutputError
from landslide_cli.outputs import made_parents, remove_leftovers
from landslide_cli.owners import Process, seconds_since_change, this_machine

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

# How often a lock is tried by who waits for it, in seconds: at first, and at most.
_FIRST_POLL, _LAST_POLL = 0.01, 0.5

# How often owners renew their locks, and after how long without that an owner on another machine is
# taken for gone, in seconds.
_RENEWAL, SILENCE = 15.0, 120.0

# So long a lock may lack its owner's name, which is written just after it is made, in seconds.
_NAMELESS = 10.0

# What a folder or a file system answers that has no locks, or takes no files.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY)


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock.

    `doing` is what it does to the locked, as a participle; `since` in seconds of the epoch. The
    process is None where the lock does not say.
    """

    process: Process | None
    host: str
    doing: str
    since: float

    def __str__(self) -> str:
        if self.process is None:
            return "another process"
        began = datetime.fromtimestamp(self.since).strftime("%Y-%m-%d %H:%M:%S")
        return f"process {self.process.pid} on {self.host} since {began}"

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs on another machine, so that nobody here can tell whether it lives."""
        return self.process is not None and self.process.machine != this_machine()


_UNKNOWN = Owner(None, "", "", 0.0)


@contextmanager
def refusing(lock: Path, doing: str, what: Path) -> Iterator[None]:
    """Hold a lock, or refuse at once because another process holds it.

    What killed processes have left in the lock's folder is cleared away.

    Args:
        lock: its file.
        doing: what is done meanwhile to `what`, as a participle such as "trained".
        what: is named in the refusal.

    Raises:
        BusyError: another process holds it.
    """
    with made_parents(lock):
        held = _take_if_possible(lock, doing)
        if isinstance(held, Owner):
            raise _busy(what, held, lock)
        try:
            clear_leftovers(lock.parent)
            yield
        finally:
            if held is not None:
                held.release()


def refuse_work_in(folder: Path) -> None:
    """Refuse to replace a folder in which other processes hold locks, at any depth.

    Raises:
        BusyError: there is such a process.
    """
    for lock in _locks_below(folder):
        owner = _living(lock)
        if owner is not None:
            raise _busy(lock.parent, owner, lock)


def wait_for_work_in(folder: Path, on_wait: Callable[[Path, Owner], None]) -> None:
    """Wait until no other process holds a lock in a folder, at any depth.

    Args:
        folder: need not be there.
        on_wait: told of each that is waited for, and of the folder that it works in.
    """
    for lock in _locks_below(folder):
        if (owner := _living(lock)) is not None:
            on_wait(lock.parent, owner)
            while _living(lock) is not None:
                time.sleep(_LAST_POLL)


@contextmanager
def in_turn(
    lock: Path,
    doing: str,
    on_wait: Callable[[Owner], None] = lambda owner: None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold a lock, after waiting until no other process holds it.

    Args:
        lock: its file; where none can be made, nothing can be written either, and there is no lock.
        doing: see `refusing`.
        on_wait: told once who is waited for.
        check: called again and again while waiting; what it raises ends that.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OutputError):
            stack.enter_context(made_parents(lock))
        pause, told = _FIRST_POLL, False
        while isinstance(held := _take_if_possible(lock, doing), Owner):
            check()
            if not told and pause >= _LAST_POLL:
                told = True
                on_wait(held)
            time.sleep(pause)
            pause = min(2 * pause, _LAST_POLL)
        if held is not None:
            stack.callback(held.release)
        yield


def clear_leftovers(folder: Path) -> None:
    """Remove from a folder what processes left in it that are no longer there."""
    remove_leftovers(folder)
    with contextlib.suppress(OSError):
        for path in folder.glob(".*.lock"):
            _living(path)


def _locks_below(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(folder.rglob(".*.lock"))
    return []


def _living(lock: Path) -> Owner | None:
    """Return who holds a lock; one that is held no more is cleared away."""
    if _owner(lock) is None:
        return None
    held = _take_if_possible(lock, "cleared")
    if isinstance(held, _Held):
        held.release()
    return held if isinstance(held, Owner) else None


def _busy(what: Path, owner: Owner, lock: Path) -> BusyError:
    gone = f"; if that process is gone, delete {lock}" if owner.is_elsewhere else ""
    return BusyError(
        f"{what} is being {owner.doing or 'used'} by {owner};\n"
        f"wait until it has finished, or end it, and run the command again{gone}"
    )


class _Held:
    """A lock that this process holds, renewed for those on other machines until it is released."""

    def __init__(self, path: Path, descriptor: int, doing: str) -> None:
        self._path, self._descriptor = path, descriptor
        owner = asdict(Owner(Process.this(), socket.gethostname(), doing, time.time()))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        self._is_released = threading.Event()
        threading.Thread(target=self._renew, daemon=True).start()

    def release(self) -> None:
        """Let it go, and remove its file unless that is another's by now."""
        self._is_released.set()
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            if _is_open_as(self._descriptor, self._path):
                self._path.unlink()
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def _renew(self) -> None:
        while not self._is_released.wait(_RENEWAL):
            with contextlib.suppress(OSError):
                os.utime(self._path)


def _take_if_possible(path: Path, doing: str) -> _Held | Owner | None:
    """Take a lock; return who has it, or None where there can be no lock."""
    try:
        while (taken := _take(path, doing)) is None:
            pass
    except OSError:
        return None  # what cannot be locked cannot be written to, which will be said if it matters
    return taken


def _take(path: Path, doing: str) -> _Held | Owner | None:
    """Try once to take a lock; None if it changed hands meanwhile, so that it is worth a retry.

    Raises:
        OSError: the folder does not exist, or cannot be written to.
    """
    flags = os.O_RDWR | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor, is_new = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666), True
    except FileExistsError:
        try:
            descriptor, is_new = os.open(path, flags), False
        except FileNotFoundError:
            return None
        except PermissionError:  # of another user, or locked against reading too
            owner = _owner(path) or _UNKNOWN
            if _lives(owner, seconds_since_change(path)):
                return owner
            path.unlink()
            return None
    try:
        held = _judged(path, descriptor, is_new, doing)
    except BaseException:
        os.close(descriptor)
        raise
    if not isinstance(held, _Held):
        os.close(descriptor)
    return held


def _judged(path: Path, descriptor: int, is_new: bool, doing: str) -> _Held | Owner | None:
    """Take the lock whose file is open, if its owner is gone or it is new."""
    is_locked = _kernel_lock(descriptor)
    if is_locked is False:
        return _owner_by_and_by(path)
    if is_locked and not _is_open_as(descriptor, path):
        return None
    owner = None if is_new else _living_owner(path, bool(is_locked))
    if owner is not None:
        return owner
    if is_locked or is_new:
        return _Held(path, descriptor, doing)
    _remove_stale(path, descriptor)
    return None


def _living_owner(path: Path, is_locked: bool) -> Owner | None:
    """Return the owner of a lock file unless it is gone; `is_locked` if the kernel's lock is ours.

    The latter shows that no process of this machine has it; some mounts have locks that do not
    reach others.
    """
    owner, silence = _owner(path), seconds_since_change(path)
    if is_locked:
        is_alive = owner is not None and owner.is_elsewhere and silence < SILENCE
    elif owner is None:
        is_alive = silence < _NAMELESS
    else:
        is_alive = _lives(owner, silence)
    return (owner or _UNKNOWN) if is_alive else None


def _kernel_lock(descriptor: int) -> bool | None:
    """Lock an open file; False if another has locked it, None where there are no such locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True


def _lives(owner: Owner, silence: float) -> bool:
    return owner.process is None or owner.process.is_there(heard_of=silence < SILENCE)


def _remove_stale(path: Path, descriptor: int) -> None:
    """Remove a lock whose owner is gone: not what another process, quicker, has put there since."""
    guard = path.with_name(f"{path.name}-stale")
    try:
        os.close(os.open(guard, os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        if seconds_since_change(guard) > _NAMELESS:
            guard.unlink(missing_ok=True)
        return
    try:
        if _is_open_as(descriptor, path):
            path.unlink()
    finally:
        guard.unlink(missing_ok=True)


def _is_open_as(descriptor: int, path: Path) -> bool:
    """Whether a path still names the file that is open."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _owner_by_and_by(path: Path) -> Owner | None:
    """Read who holds a lock, which is written just after it is taken; None if it is gone."""
    for _ in range(20):
        owner = _owner(path)
        if owner is not None:
            return owner
        if not path.exists():
            return None
        time.sleep(0.01)
    return _UNKNOWN


def _owner(path: Path) -> Owner | None:
    """Read who holds a lock; None if the file does not say."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        process = Process(**document["process"])
        return Owner(process, document["host"], document["doing"], float(document["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
