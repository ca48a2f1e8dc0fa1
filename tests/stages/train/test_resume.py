"""A training that is killed or told to end, by the command line, and started again."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from landslide_cli.app import main
from landslide_cli.profile import Profile, dump_profile
from landslide_cli.stages.train import train
from tests.killing import (
    assert_same_bits,
    check_readable,
    fork_training,
    logged,
    stop_training,
    weights_of,
)
from tests.stages.train.tiny_training import changed

# Averages, a plateau, dropout, augmentation, decoded tiles on disk.
NETWORK = {
    "num_layers": 2, "normalization": True, "normalization_momentum": 0.9, "dropout_rate": 0.1,
}  # fmt: skip
TRAIN = {
    "epochs": 6, "stop_patience": None, "ema": 0.9, "reduce_patience": 1, "cache": "disk",
    "augment": {"elastic": {"probability": 0.5}}, "checkpoint_minutes": 1e-6,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def signal_after_checkpoint(folder: Path, number: signal.Signals, seconds: float) -> None:
    """Send this process a signal, so many seconds after the next checkpoint is written."""
    before, deadline = set(folder.iterdir()), time.monotonic() + 60
    while set(folder.iterdir()) <= before:
        if time.monotonic() > deadline:
            return  # and no signal without a training to take it
        time.sleep(0.01)
    time.sleep(seconds)
    os.kill(os.getpid(), number)


def test_a_training_stopped_at_random_moments_ends_with_the_same_bits_and_whole_files(
    untrained: Profile, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    profile = changed(untrained, model=NETWORK, train=TRAIN)
    path, unfinished = tmp_path / "profile.yaml", profile.run.with_name("run.unfinished")
    path.write_text(dump_profile(profile), encoding="utf-8")
    rng = random.Random(4)  # noqa: S311
    status, text = stop_training(
        path, unfinished, signal.SIGKILL, rng, longest=0.3, start=fork_training
    )
    assert status == -signal.SIGKILL, text

    for number, expected in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        arguments = (unfinished / "checkpoints", number, rng.uniform(0.0, 0.3))
        sender = threading.Thread(target=signal_after_checkpoint, args=arguments)
        sender.start()
        assert main(["train", str(path)]) == expected
        sender.join()
        text = capfd.readouterr().err
        assert not profile.run.exists(), "the training had ended before it was stopped"
        assert "resuming at epoch" in text
        assert "resumes from the last checkpoint" in text
        assert "Traceback" not in text
        assert len(text.splitlines()[-1]) < 200
        check_readable(unfinished)

    assert main(["train", str(path)]) == 0
    assert "resuming at epoch" in capfd.readouterr().err
    assert not unfinished.exists()
    files = {path.name for path in profile.run.iterdir()}
    assert files.isdisjoint({"checkpoints", "cache", "unfinished.json"})
    whole = profile.model_copy(update={"run": tmp_path / "whole"})
    train(whole)
    assert_same_bits(weights_of(profile.run), weights_of(whole.run))
    assert logged(profile.run) == logged(whole.run)
