"""The record of a folder of maps on disk, which several runs and threads may change."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.documents import write_json
from landslide_cli.locks import in_turn
from landslide_cli.runs.map_record import MapRecord, read_record


class RecordFile:
    """The file of a record, which is read again only after somebody else has written it.

    Args:
        folder: of the maps, which need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MAPS_RECORD
        self._lock = threading.Lock()
        self._version: tuple[int, ...] | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other threads and runs from the record meanwhile."""
        with self._lock, in_turn(self.path.with_name(f".{MAPS_RECORD}.lock"), "recorded"):
            yield

    def read_if_new(self) -> MapRecord | None:
        """Read the record; None if it is as this object has read or written it last.

        Raises:
            DataError: it is damaged.
        """
        version = _version_of(self.path)
        if version is not None and version == self._version:
            return None
        self._version = version
        return read_record(self.path)

    def write(self, record: MapRecord) -> None:
        """Write the record, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        write_json(self.path, asdict(record))
        self._version = _version_of(self.path)


def _version_of(path: Path) -> tuple[int, ...] | None:
    """Tell one writing of a file from another, as each makes a new file; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
