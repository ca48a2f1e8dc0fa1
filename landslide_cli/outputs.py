"""Results that are whole or not there: written beside their final name and renamed when finished.

A run that is killed leaves the old file or the new one, never half a file; what it leaves beside
them (`.name.partial`) is removed by the next run.
"""

import csv
import errno
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from landslide_cli.errors import OutputError

_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.ENAMETOOLONG: "give its scene a shorter name",
}


def partial_name(path: Path) -> Path:
    """Return where a result is written until it is whole; the suffix stays, for format choice."""
    return path.with_name(f".{path.stem}.partial{path.suffix}")


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
    scratch = path.with_name(f".{path.name}.partial")
    with made_parents(path), _as_output_error(path):
        _restore(path)
        _remove(scratch)
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


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document, whole or not at all; NaN is refused."""
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table with a head line, whole or not at all."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([columns, *rows])
    write_text(path, buffer.getvalue())


@contextmanager
def made_parents(path: Path) -> Iterator[None]:
    """Make the folders above `path`; on failure remove again those that were made."""
    missing = [folder for folder in path.parents if not folder.exists()]
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
