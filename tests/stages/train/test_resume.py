"""A training whose process is killed or told to end, and started again."""

import random
import signal
from pathlib import Path

from landslide_cli.profile import Profile, dump_profile
from landslide_cli.stages.train import train
from tests.conftest import RecordingReporter
from tests.killing import assert_same_bits, logged, stop_training, weights_of
from tests.stages.train.tiny_training import changed

# Averages, a plateau, dropout, augmentation, decoded tiles on disk.
NETWORK = {
    "num_layers": 2, "normalization": True, "normalization_momentum": 0.9, "dropout_rate": 0.1,
}  # fmt: skip
TRAIN = {
    "epochs": 6, "stop_patience": None, "ema": 0.9, "reduce_patience": 1, "cache": "disk",
    "augment": {"elastic": {"probability": 0.5}}, "checkpoint_minutes": 1e-6,
}  # fmt: skip


def test_a_training_stopped_at_random_moments_ends_with_the_same_bits_and_whole_files(
    untrained: Profile, tmp_path: Path, reporter: RecordingReporter
) -> None:
    profile = changed(untrained, model=NETWORK, train=TRAIN)
    path, unfinished = tmp_path / "profile.yaml", profile.run.with_name("run.unfinished")
    path.write_text(dump_profile(profile), encoding="utf-8")
    rng = random.Random(4)  # noqa: S311
    for number, expected in ((signal.SIGKILL, -9), (signal.SIGTERM, 143)):
        status, text = stop_training(path, unfinished, number, rng, longest=0.3)
        assert status == expected, text
        assert not profile.run.exists(), "the training had ended before it was stopped"
        assert ("resuming at epoch" in text) == (number != signal.SIGKILL)
        if number != signal.SIGKILL:
            assert "Traceback" not in text
            assert "resumes from the last checkpoint" in text
            assert len(text.splitlines()[-1]) < 200
    train(profile, reporter=reporter)
    assert "resuming at epoch" in reporter.notes[0]
    assert not unfinished.exists()
    files = {path.name for path in profile.run.iterdir()}
    assert files.isdisjoint({"checkpoints", "cache", "unfinished.json"})

    whole = profile.model_copy(update={"run": tmp_path / "whole"})
    train(whole)
    assert_same_bits(weights_of(profile.run), weights_of(whole.run))
    assert logged(profile.run) == logged(whole.run)
