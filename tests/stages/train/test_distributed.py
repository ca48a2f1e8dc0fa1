"""Several workers on this machine, over loopback: the same training, and what if one is lost."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from landslide_cli.profile import Profile, dump_profile
from landslide_cli.stages.train import train
from tests.killing import check_readable, logged, start_training

Process = subprocess.Popen[str]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start_workers(profile: Profile, path: Path, *arguments: str, count: int = 2) -> list[Process]:
    path.write_text(dump_profile(profile), encoding="utf-8")
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(count)]}
    return [
        start_training(path, *arguments, environment={"TF_CONFIG": json.dumps(one)})
        for one in (
            {"cluster": cluster, "task": {"type": "worker", "index": index}}
            for index in range(count)
        )
    ]


def ends(processes: list[Process]) -> Iterator[tuple[int, str]]:
    for process in processes:
        _, text = process.communicate(timeout=120)
        yield process.returncode, text


@pytest.fixture
def profile(untrained: Profile) -> Profile:
    """Batch normalization and no dropout, whose draws would be each worker's own."""
    network = {"normalization": True, "normalization_momentum": 0.9, "dropout_rate": 0.0}
    settings = {"epochs": 2, "optimizer": "sgd", "learning_rate": 1e-2, "deterministic": True}
    return untrained.model_copy(
        update={
            "model": untrained.model.model_copy(update=network),
            "train": untrained.train.model_copy(update=settings),
        }
    )


def with_epochs(profile: Profile, epochs: int) -> Profile:
    settings = {"epochs": epochs, "stop_patience": None, "checkpoint_minutes": 1e-3}
    return profile.model_copy(update={"train": profile.train.model_copy(update=settings)})


def test_two_workers_train_as_one_and_a_lost_one_stops_the_other_until_both_start_again(
    profile: Profile, tmp_path: Path
) -> None:
    path, unfinished = tmp_path / "profile.yaml", profile.run.with_name("run.unfinished")
    processes = start_workers(with_epochs(profile, 10_000), path)
    while not (unfinished / "metrics.csv").exists():
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)
    processes[1].send_signal(signal.SIGKILL)
    (status, text), _ = ends(processes)
    assert status == 1
    assert "worker 1 of 2 has lost another worker" in text
    assert "start all of them again" in text
    assert "Traceback" not in text
    check_readable(unfinished)

    done = len(logged(unfinished))
    again = list(ends(start_workers(with_epochs(profile, done + 2), path)))
    assert [status for status, _ in again] == [0, 0], again
    assert "going on with an unfinished training" in again[0][1]
    assert not unfinished.exists()
    assert json.loads((profile.run / "run.json").read_text())["result"]["hardware"]["replicas"] == 2

    alone = with_epochs(profile, done + 2).model_copy(update={"run": tmp_path / "alone"})
    train(alone)
    numbers = [
        [[float(value) for value in row] for row in logged(run, ["loss", "valid_loss"])[:3]]
        for run in (profile.run, alone.run)
    ]
    assert numbers[0] == [pytest.approx(row, rel=1e-3) for row in numbers[1]]


def test_what_the_first_worker_refuses_ends_the_others_with_a_message(
    profile: Profile, trained: Profile, tmp_path: Path
) -> None:
    changed = profile.model_copy(update={"run": trained.run})
    (status, text), (other, text_of_other) = ends(start_workers(changed, tmp_path / "profile.yaml"))
    assert status == 1
    assert "was made with different inputs or settings" in text
    assert other == 1
    assert "has lost another worker" in text_of_other
    assert "Traceback" not in text + text_of_other


def test_batch_that_cannot_be_divided_is_refused(profile: Profile, tmp_path: Path) -> None:
    odd = profile.model_copy(update={"train": profile.train.model_copy(update={"batch": 3})})
    for status, text in ends(start_workers(odd, tmp_path / "profile.yaml")):
        assert status in (1, 2)
        assert "divided among 2 processors" in text or "lost another worker" in text
    assert not profile.run.with_name("run.unfinished").exists()


# As with several GPUs: one process, whose processor is taken for two.
_MIRRORED = """
import sys
from pathlib import Path
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from landslide_cli.profile import load_profile
from landslide_cli.stages.train import workers
from landslide_cli.stages.train import train
workers.Workers._strategy = lambda self: tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
assert train(load_profile(Path(sys.argv[1]))).hardware["replicas"] == 2
"""


def test_one_process_with_two_devices_trains_as_one_with_one(
    profile: Profile, tmp_path: Path
) -> None:
    settings = {"accumulate": 2, "batch": 2, "ema": 0.9}
    profile = profile.model_copy(update={"train": profile.train.model_copy(update=settings)})
    path = tmp_path / "profile.yaml"
    path.write_text(dump_profile(profile), encoding="utf-8")
    command = [sys.executable, "-c", _MIRRORED, str(path)]
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    alone = profile.model_copy(update={"run": tmp_path / "alone"})
    train(alone)
    for row, expected in zip(logged(profile.run), logged(alone.run), strict=True):
        assert [float(one) for one in row] == pytest.approx(
            [float(one) for one in expected], rel=1e-3
        )
