"""Results that are whole or not there: written beside their final name and renamed when finished.

A run that is killed leaves the old file or the new one, never half a file. What it leaves beside
them (`.name.OWNER.partial`) is removed by the next run; no two processes write to the same name.
"""

import contextlib
import csv
import errno
import io
import itertools
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from landslide_cli.errors import OutputError
from landslide_cli.owners import Process, seconds_since_change

# Seconds without a change after which unfinished files of another machine count as left behind.
_LONG = 86400.0

# Characters of a result's name that the unfinished one has too: more may be too long for a name.
_LEGIBLE = 24

_PARTIAL = re.compile(r"\..*\.(?P<owner>[^.]+)-\d+\.partial(\.[^.]*)?")
_numbers = itertools.count(1)

_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.ENAMETOOLONG: "give its scene a shorter name",
}


def partial_name(path: Path) -> Path:
    """Return where a result is written until it is whole; the suffix stays, for format choice.

    The name tells its owner, and is another at each call.
    """
    return path.with_name(f"{_partial_stem(path.stem)}{path.suffix}")


def _partial_stem(name: str) -> str:
    return f".{name[:_LEGIBLE]}.{Process.this().token}-{next(_numbers)}.partial"


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files and folders of processes that are no longer there."""
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    for path in entries:
        match = _PARTIAL.fullmatch(path.name)
        owner = None if match is None else Process.of_token(match["owner"])
        if owner is not None and not owner.is_there(heard_of=_age(path) < _LONG):
            with contextlib.suppress(OSError):
                _remove(path)


def _age(path: Path) -> float:
    """Return for how many seconds nothing has changed in a file or folder."""
    return min(seconds_since_change(entry) for entry in (path, *path.rglob("*")))


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; on success it becomes `path`, on failure it is removed.

    Raises:
        OutputError: the folder or the file cannot be written.
    """
    partial = partial_name(path)
    with made_parents(path), _as_output_error(path):
        try:
            yield partial
            flush(partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`, on the same file system; it is removed in the end.

    Raises:
        OutputError: the folder or a file in it cannot be written.
    """
    scratch = path.with_name(_partial_stem(path.name))
    with made_parents(path), _as_output_error(path):
        _restore(path)
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; on success it replaces `path`, on failure it is removed.

    Raises:
        OutputError: the folder or a file in it cannot be written.
    """
    with scratch_folder(path) as partial:
        yield partial
        replace_folder(partial, path)


def replace_folder(new: Path, path: Path) -> None:
    """Rename the folder `new` to `path`; what was there is moved aside and then deleted."""
    _restore(path)
    old = _aside(path)
    _remove(old)
    if path.exists():
        path.rename(old)
    new.rename(path)
    _remove(old)


def remove_folder(path: Path) -> None:
    """Delete a folder that this program made; under its own name it is never half deleted."""
    if path.exists():
        path.rename(_aside(path))
    _remove(_aside(path))


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _restore(path: Path) -> None:
    """Bring back what was moved aside for a replacement never made, as after a power cut."""
    if _aside(path).exists() and not path.exists():
        _aside(path).rename(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table with a head line, whole or not at all."""
    write_text(path, _csv_text(columns, rows))


def write_csv_if_new(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table as `write_csv`, unless the file says the same already."""
    text = _csv_text(columns, rows)
    try:
        if path.read_bytes() == text.encode():
            return
    except OSError:
        pass
    write_text(path, text)


def _csv_text(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([columns, *rows])
    return buffer.getvalue()


@contextmanager
def made_parents(path: Path) -> Iterator[None]:
    """Make the folders above `path`; on failure remove again those that were made."""
    missing = [folder for folder in path.parents if not folder.exists()]
    refuse_file_as_folder(path.parent)
    with _as_output_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for folder in missing:
            try:
                folder.rmdir()
            except OSError:
                break  # somebody else's files are in it
        raise


def refuse_file_as_folder(folder: Path) -> None:
    """Refuse a file where a folder is, or is to be made.

    Raises:
        OutputError: `folder`, or what should be a folder above it, is a file.
    """
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            raise OutputError(f"{place}: is a file, and files are to be written into that folder")


@contextmanager
def _as_output_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "name a folder that can be written to")
        raise OutputError(
            f"{path}: cannot be written: {error.strerror or error}; {remedy}"
        ) from error


def flush(path: Path) -> None:
    """Have the file on disk before it gets its name, so that a power cut leaves no empty file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
