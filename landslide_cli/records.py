"""What a finished step was made from, so that repeating it behaves like `make`.

A step writes its record as the last of its results. Run again, it compares: if nothing changed it
has nothing to do; if something changed it refuses and names it, unless told to overwrite.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, Self

from landslide_cli.documents import damaged_file, read_json, restored, write_json
from landslide_cli.errors import ChangedError, DataError, OutputError, listed

# Settings that were removed, and their values without effect: runs recorded with these are
# unchanged.
_REMOVED = {"train.augment.recolour": {"probability": 0.0}}

# Increased when a step's results change their form, so that older ones are not taken for current.
FORMAT = 2

# Bytes of a sample of a file that is too large to be read whole.
_SAMPLE = 2**14


@dataclass(frozen=True)
class Input:
    """A file as it was read: size in bytes, modification time in nanoseconds, BLAKE2 digest.

    `changed` is the time of the last change of its content or of what is known of it, in
    nanoseconds: a copy may keep the other times, and never has this one. Older records lack it.
    """

    size: int
    modified: int
    digest: str
    changed: int = -1

    @classmethod
    def of(cls, path: Path, known: Self | None = None, most: int | None = None) -> Self:
        """Describe a file; its content is read unless size and times are those of `known`.

        Args:
            path: of the file.
            known: as it was.
            most: bytes that go into the digest, in samples from all over the file if it has more.
                Default: all.
        """
        status = path.stat()
        state = status.st_size, status.st_mtime_ns, status.st_ctime_ns
        if known is not None and state == (known.size, known.modified, known.changed):
            return known
        with path.open("rb") as file:
            digest = _digest(file, status.st_size, most)
        return cls(status.st_size, status.st_mtime_ns, digest, status.st_ctime_ns)


def _digest(file: BufferedReader, size: int, most: int | None) -> str:
    """Compute the digest of a file, or of its size and of evenly spaced samples."""
    if most is None or size <= most:
        return hashlib.file_digest(file, _blake2).hexdigest()
    digest, count = _blake2(), max(2, most // _SAMPLE)
    digest.update(str(size).encode())
    for number in range(count):
        file.seek(number * (size - _SAMPLE) // (count - 1))
        digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def _blake2() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=16)


@dataclass(frozen=True)
class _Stored:
    """A record as it is stored; those of version 0.1.0 do not have all fields of an input."""

    format: int
    result: dict[str, Any]
    settings: dict[str, Any]
    inputs: dict[str, tuple[int, int, str] | tuple[int, int, str, int]]
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Tied:
    """Of a record, what tells whether the files beside it are those of the step."""

    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """The settings, the inputs and the result of a finished step.

    `files` are the digests of files that the step wrote beside the record, by their names; those of
    version 0.1.0 have none.
    """

    settings: Mapping[str, Any]
    inputs: Mapping[str, Input]
    result: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)

    def write(self, path: Path, indent: int | None = 2) -> None:
        """Write the record as JSON; it stands for the step being finished."""
        inputs = {
            name: [file.size, file.modified, file.digest, file.changed]
            for name, file in self.inputs.items()
        }
        write_json(
            path,
            {
                "format": FORMAT,
                "result": self.result,
                "settings": self.settings,
                "inputs": inputs,
                "files": self.files,
            },
            indent,
        )

    @classmethod
    def read(cls, path: Path) -> "Record | None":
        """Read a record, or None where the step has not finished.

        Raises:
            DataError: the file is not a record.
        """
        document = read_json(path)
        if document is None:
            return None
        stored = restored(_Stored, document, path)
        inputs = {name: Input(*fields) for name, fields in stored.inputs.items()}
        settings = stored.settings | {"format": stored.format}
        return cls(settings, inputs, stored.result, stored.files)

    def changes(self, settings: Mapping[str, Any], inputs: Mapping[str, Input]) -> list[str]:
        """Name what differs between this record and the given settings and inputs."""
        settings = {**settings, "format": FORMAT}
        recorded = _without_removed(self.settings)
        changed = [
            f"{key} ({json.dumps(recorded.get(key))} -> {json.dumps(settings.get(key))})"
            for key in sorted(recorded.keys() | settings.keys())
            if recorded.get(key) != settings.get(key)
        ]
        before, now = self.inputs, inputs
        changed += [f"{name} (new)" for name in sorted(now.keys() - before.keys())]
        changed += [f"{name} (gone)" for name in sorted(before.keys() - now.keys())]
        changed += [
            f"{name} (edited)"
            for name in sorted(now.keys() & before.keys())
            if now[name].digest != before[name].digest
        ]
        return changed


def _without_removed(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out recorded settings that were removed since and had no effect."""
    without_effect = [
        section
        for section, values in _REMOVED.items()
        if all(settings.get(f"{section}.{key}") == value for key, value in values.items())
    ]
    return {
        key: value
        for key, value in settings.items()
        if not any(key.startswith(f"{section}.") for section in without_effect)
    }


@dataclass(frozen=True)
class Step:
    """One step about to be made: where its record lies, and what it would be made from.

    `record` is that of the step made earlier; None if there is none.
    """

    path: Path
    settings: Mapping[str, Any]
    inputs: Mapping[str, Input]
    record: Record | None = None

    @classmethod
    def of(
        cls,
        path: Path,
        settings: Mapping[str, Any],
        files: Sequence[Path],
        overwrite: bool = False,
    ) -> Self:
        """Describe the step by its settings and its input files.

        Raises:
            DataError: its record is damaged; with `overwrite` it counts as none.
        """
        try:
            record = Record.read(path)
        except DataError:
            if not overwrite:
                raise
            record = None
        known: Mapping[str, Input] = record.inputs if record is not None else {}
        inputs = {str(file): Input.of(file, known.get(str(file))) for file in files}
        # JSON has no tuples: settings are compared in the form that they are stored in.
        return cls(path, json.loads(json.dumps(settings)), inputs, record)

    def finished_before(self, command: str, overwrite: bool) -> Mapping[str, Any] | None:
        """Return the result of the same step made earlier, or None if it is to be made.

        Raises:
            ChangedError: it was made from other inputs or settings and `overwrite` is not set.
        """
        if self.record is None or overwrite:
            return None
        changes = self.record.changes(self.settings, self.inputs)
        if changes:
            raise ChangedError(
                f"{self.path.parent} was made with different inputs or settings: "
                f"{listed(changes, most=4)};\n"
                f"make it again with --overwrite, or name another folder for `{command}`"
            )
        return self.record.result

    def finish(
        self, result: Mapping[str, Any], path: Path | None = None, files: Sequence[str] = ()
    ) -> None:
        """Write the record, as the last of the step's results.

        Args:
            result: of the step.
            path: of the record, until its folder gets its name.
            files: names of files beside the record that are to stay as they are.
        """
        path = path or self.path
        digests = digests_of(path.parent, files)
        Record(self.settings, self.inputs, result, digests).write(path)


def digests_of(folder: Path, files: Sequence[str]) -> dict[str, str]:
    """Return the digests of files in a folder, by their names."""
    return {name: Input.of(folder / name).digest for name in files}


def check_file(path: Path, record: Path) -> None:
    """Refuse a file that is not what the step wrote whose record lies beside it.

    Where there is no record, or one of version 0.1.0, any file is taken.

    Raises:
        DataError: it is another file, or is missing; or the record is damaged.
    """
    document = read_json(record)
    if document is None:
        return
    digest = restored(_Tied, document, record, others=True).files.get(path.name)
    if digest is None:
        return
    if not path.is_file():
        raise damaged_file(path, f"is missing, and {record.name} describes it")
    if Input.of(path).digest != digest:
        raise damaged_file(path, f"is not the file that {record.name} describes")


def refuse_overwrite(paths: Iterable[Path], overwrite: bool) -> None:
    """Refuse to replace files that this program has no record of, unless told to.

    Raises:
        OutputError: one of `paths` is a file, or a folder that is not empty.
    """
    there = [str(path) for path in paths if path.is_file() or _is_filled(path)]
    if there and not overwrite:
        raise OutputError(
            f"{listed(there, most=3)}: exists and was not made by this step;\n"
            "move it away, or replace it with --overwrite"
        )


def _is_filled(path: Path) -> bool:
    return path.is_dir() and next(path.iterdir(), None) is not None
