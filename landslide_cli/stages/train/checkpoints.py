"""A training's state on disk: whole or not there, the last two kept.

A checkpoint is an uncompressed .npz of all variables with one JSON document beside them, in a zip
file whose checksums tell damage.
"""

import json
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import DataError
from landslide_cli.outputs import whole_file
from landslide_cli.reporting import Reporter

CHECKPOINTS = "checkpoints"
KEPT = 2  # checkpoints

_DOCUMENT = "state.json"
_NAME = re.compile(r"epoch_(\d+)_step_(\d+)\.npz")


@dataclass(frozen=True)
class Checkpoint:
    """What a training resumes from: a file of its variables, and all else as JSON values."""

    path: Path
    document: dict[str, Any]

    def array(self, name: str) -> NDArray[Any]:
        """Read a variable's value.

        Raises:
            KeyError: there is no variable of that name.
        """
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def save_checkpoint(
    folder: Path,
    epoch: int,
    step: int,
    arrays: Iterable[tuple[str, NDArray[Any]]],
    document: dict[str, Any],
) -> Path:
    """Write a checkpoint, and then delete all but the last two.

    Args:
        folder: of the checkpoints.
        epoch: the epoch under way, counted from 1.
        step: how many steps of it are done.
        arrays: name and value of each variable, one in memory at a time.
        document: everything else, as JSON values.

    Raises:
        OutputError: it cannot be written; the earlier checkpoints are untouched.
    """
    path = folder / f"epoch_{epoch:05d}_step_{step:06d}.npz"
    with (
        whole_file(path) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive,
    ):
        archive.writestr(_DOCUMENT, json.dumps(document))
        for name, value in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(value), allow_pickle=False)
    for old in _checkpoints(folder)[:-KEPT]:
        old.unlink()
    return path


def last_checkpoint(folder: Path, reporter: Reporter) -> Checkpoint | None:
    """Return the newest checkpoint that is not damaged; None where there is none.

    Raises:
        DataError: all of them are damaged.
    """
    paths = _checkpoints(folder)
    for path in reversed(paths):
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            reporter.warn(f"{path}: is damaged; using the checkpoint before it")
    if paths:
        raise DataError(f"{folder}: all checkpoints are damaged; start over with --overwrite")
    return None


def _read(path: Path) -> Checkpoint:
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(damaged)
        return Checkpoint(path, json.loads(archive.read(_DOCUMENT)))


def _checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints from the oldest to the newest, by epoch and step."""
    if not folder.is_dir():
        return []
    named = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    numbered = [(int(match[1]), int(match[2]), path) for match, path in named if match]
    return [path for _, _, path in sorted(numbered)]
