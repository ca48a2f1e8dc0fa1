"""Several workers on this machine, over loopback: the same training, and what if one is lost."""

import json
import signal
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.app import main
from landslide_cli.core.networks.backend import tf
from landslide_cli.locks import refusing
from landslide_cli.profile import Profile, dump_profile
from landslide_cli.runs.files import run_lock
from landslide_cli.stages.train import train
from landslide_cli.stages.train.signals import interruptions
from landslide_cli.stages.train.workers import WorkerRank, Workers
from tests.forked import Forked
from tests.killing import check_readable, logged, weights_of
from tests.stages.train.tiny_training import changed, loop_of


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def start_workers(profile: Profile, path: Path, count: int = 2) -> list[Forked]:
    path.write_text(dump_profile(profile), encoding="utf-8")
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(count)]}
    tasks = [{"type": "worker", "index": index} for index in range(count)]
    return [
        Forked(
            main,
            ["train", str(path)],
            errors=path.with_name(f"worker{index}.txt"),
            environment={"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})},
        )
        for index, task in enumerate(tasks)
    ]


def ends(processes: list[Forked]) -> list[tuple[int, str]]:
    ended = [process.end() for process in processes]
    assert all("Traceback" not in text for _, text in ended), ended
    return ended


@pytest.fixture
def profile(untrained: Profile) -> Profile:
    """Batch normalization and no dropout, whose draws would be each worker's own."""
    network = {
        "num_layers": 2,
        "normalization": True,
        "normalization_momentum": 0.9,
        "dropout_rate": 0.0,
    }
    settings = {"epochs": 2, "optimizer": "sgd", "learning_rate": 1e-2, "checkpoint_minutes": 1e-3}
    # Another engine would be given the model by a process of its own.
    infer = {"engine": "tensorflow"}
    train_settings = {**settings, "stop_patience": None}
    return changed(untrained, model=network, train=train_settings, infer=infer)


def losses(run: Path, epochs: int) -> list[list[float]]:
    rows = logged(run, ["loss", "valid_loss"])[:epochs]
    return [[float(value) for value in row] for row in rows]


def test_two_workers_train_as_one_and_a_lost_one_stops_the_other_until_both_start_again(
    profile: Profile, tmp_path: Path
) -> None:
    path, unfinished = tmp_path / "profile.yaml", profile.run.with_name("run.unfinished")
    processes = start_workers(changed(profile, train={"epochs": 10_000}), path)
    while not (unfinished / "metrics.csv").exists():
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)
    processes[1].send_signal(signal.SIGKILL)
    (status, text), _ = ends(processes)
    assert status == 1
    assert "worker 1 of 2 has lost another worker" in text
    assert "start all of them again" in text
    check_readable(unfinished)
    done = len(logged(unfinished))

    # What the first worker refuses ends the other with a message, as another process has the run.
    with refusing(run_lock(profile.run), "trained", profile.run):
        (status, text), (other_status, other_text) = ends(start_workers(profile, path))
    assert (status, other_status) == (1, 1)
    assert "is being trained by process" in text
    assert "worker 1 of 2 ended:" in other_text
    assert "is being trained by process" in other_text

    longer = changed(profile, train={"epochs": done + 2})
    again = ends(start_workers(longer, path))
    assert [status for status, _ in again] == [0, 0], again
    assert "resuming at epoch" in again[0][1]
    assert not unfinished.exists()
    assert json.loads((profile.run / "run.json").read_text())["result"]["hardware"]["replicas"] == 2

    alone = longer.model_copy(update={"run": tmp_path / "alone"})
    train(alone)
    expected = losses(alone.run, 3)
    assert losses(profile.run, 3) == [pytest.approx(row, rel=1e-3) for row in expected]


def mirror(folder: Path) -> None:
    """Train as with several GPUs: in one process, whose processor is taken for two."""
    workers = Workers(WorkerRank(0, 1))
    workers.strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    mirrored_loop(folder, workers)


def mirrored_loop(folder: Path, workers: Workers) -> None:
    network = {"normalization": True, "normalization_momentum": 0.9}
    settings: dict[str, Any] = {"accumulate": 2, "batch": 2, "ema": 0.9, "epochs": 2}
    loop = loop_of(folder, workers=workers, network=network, optimizer="sgd", **settings)
    with interruptions() as interruption:
        loop.run(interruption)


def test_one_process_with_two_devices_trains_as_one_with_one(tmp_path: Path) -> None:
    mirrored = Forked(mirror, tmp_path / "two", errors=tmp_path / "two.txt", devices=2)
    mirrored_loop(tmp_path / "one", Workers(WorkerRank(0, 1)))
    status, text = mirrored.end()
    assert status == 0, text
    expected = losses(tmp_path / "one", 2)
    assert losses(tmp_path / "two", 2) == [pytest.approx(row, rel=1e-3) for row in expected]
    weights = weights_of(tmp_path / "two")
    for name, values in weights_of(tmp_path / "one").items():
        np.testing.assert_allclose(weights[name], values, atol=1e-3, err_msg=name)
