"""Kills a training at random moments, and checks that nothing it left is half written."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from landslide_cli.app import main
from tests.forked import Forked

Weights = dict[str, NDArray[Any]]


def start_training(
    profile: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start `landslide train`; its progress can be read from `stderr`."""
    return subprocess.Popen(
        [sys.executable, "-m", "landslide_cli", "train", str(profile), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )


def fork_training(profile: Path, *arguments: str) -> Forked:
    """Start `landslide train` in a process that has TensorFlow loaded already."""
    errors = profile.with_name(f"{profile.stem}.stderr")
    return Forked(main, ["train", str(profile), *arguments], errors=errors)


def stop_training(
    profile: Path,
    folder: Path,
    number: signal.Signals,
    rng: random.Random,
    longest: float,
    *arguments: str,
    start: Callable[..., Any] = start_training,
) -> tuple[int, str]:
    """Start a training, and send it a signal at a random moment after its first checkpoint.

    Args:
        profile: of the training.
        folder: of the unfinished run, in which all files must be whole afterwards.
        number: the signal.
        rng: of the moment.
        longest: it comes at most so many seconds after the first checkpoint of this process.
        arguments: further arguments of the command.
        start: `start_training` or `fork_training`.

    Returns:
        The exit status, and what was written to stderr.
    """
    before = _names(folder / "checkpoints")
    process = start(profile, *arguments)
    while _names(folder / "checkpoints") <= before and process.poll() is None:
        time.sleep(0.01)
    time.sleep(rng.uniform(0.0, longest))
    process.send_signal(number)
    if isinstance(process, Forked):
        status, text = process.end()
    else:
        _, text = process.communicate()
        status = process.returncode
    check_readable(folder)
    return status, text


def train_with_kills(
    profile: Path, run: Path, kills: int, rng: random.Random, longest: float, *arguments: str
) -> int:
    """Train to the end, with so many kill -9 at random moments; see `stop_training`.

    Args:
        profile: of the training.
        run: its run's folder, where nothing is yet.
        kills: how many.
        rng: of the moments.
        longest: seconds from a process's first checkpoint to its end.
        arguments: further arguments of the command.

    Returns:
        How often a training was resumed from a checkpoint.
    """
    texts, unfinished = [], run.with_name(f"{run.name}.unfinished")
    for _ in range(kills):
        _, text = stop_training(profile, unfinished, signal.SIGKILL, rng, longest, *arguments)
        assert not run.exists(), "the training had ended before it was killed often enough"
        texts.append(text)
    process = start_training(profile, *arguments)
    _, text = process.communicate()
    assert process.returncode == 0, text
    return sum("resuming at epoch" in text for text in [*texts, text])


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("epoch_*.npz")}


def check_readable(folder: Path) -> None:
    """Read every file that has its final name."""
    for path in folder.rglob("*") if folder.exists() else ():
        if path.is_file() and not path.name.startswith("."):
            _READERS[path.suffix](path)


def weights_of(run: Path) -> Weights:
    """Return the arrays of a run's model by name."""
    content = zipfile.ZipFile(run / "model.keras").read("model.weights.h5")
    weights: Weights = {}
    with h5py.File(BytesIO(content)) as file:
        file.visititems(
            lambda name, item: (
                weights.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    assert weights
    return weights


def assert_same_bits(weights: Weights, expected: Weights) -> None:
    """Compare two models bit by bit."""
    assert weights.keys() == expected.keys()
    different = [n for n in weights if weights[n].tobytes() != expected[n].tobytes()]
    assert not different, different


def logged(
    run: Path, names: Sequence[str] = ("loss", "valid_loss", "valid_dice")
) -> list[list[str]]:
    """Return what a run has logged of each epoch."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [[row[name] for name in names] for row in csv.DictReader(file)]


def _read_zip(path: Path) -> None:
    assert zipfile.ZipFile(path).testzip() is None


def _read_image(path: Path) -> None:
    with Image.open(path) as image:
        image.load()


def _read_csv(path: Path) -> None:
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert rows
    assert len({len(row) for row in rows}) == 1


_READERS: dict[str, Callable[[Path], object]] = {
    ".npz": _read_zip,
    ".keras": _read_zip,
    ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    ".yaml": lambda path: path.read_text(encoding="utf-8"),
    ".csv": _read_csv,
    ".png": _read_image,
    ".gif": _read_image,
    ".npy": lambda path: np.load(path, allow_pickle=False),
}
