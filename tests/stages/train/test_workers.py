"""Which worker a process is, by `TF_CONFIG` or SLURM's variables, and what it takes of a batch."""

import json
from types import SimpleNamespace

import pytest

from landslide_cli.errors import UsageError
from landslide_cli.stages.train.workers import WorkerRank, Workers, slurm_cluster, worker_rank


def tf_config(kind: str, index: int, **cluster: list[str]) -> dict[str, str]:
    document = {"cluster": cluster, "task": {"type": kind, "index": index}}
    return {"TF_CONFIG": json.dumps(document)}


def test_process_is_alone_where_the_environment_says_nothing() -> None:
    assert worker_rank({}) == WorkerRank(0, 1)
    alone = {"SLURM_JOB_ID": "7", "SLURM_STEP_NUM_TASKS": "1"}
    assert worker_rank(alone) == WorkerRank(0, 1)


def test_tf_config_names_the_worker() -> None:
    assert worker_rank(tf_config("worker", 1, worker=["a:1", "b:1"])) == WorkerRank(1, 2)


def test_tf_configs_chief_is_the_first_worker() -> None:
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    assert worker_rank(tf_config("chief", 0, **cluster)) == WorkerRank(0, 3)
    assert worker_rank(tf_config("worker", 1, **cluster)) == WorkerRank(2, 3)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
     '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
     '{"cluster": {"worker": ["a:1"]}, "task": {}}'],
)  # fmt: skip
def test_unusable_tf_config_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="TF_CONFIG cannot be used") as raised:
        worker_rank({"TF_CONFIG": text})
    assert "host:port" in str(raised.value)


SLURM = {
    "SLURM_JOB_ID": "12345",
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_STEP_NODELIST": "node[2,10-11]",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
}


def test_slurm_names_the_worker() -> None:
    assert worker_rank({**SLURM, "SLURM_PROCID": "3"}) == WorkerRank(3, 5)


def test_slurm_tasks_have_hosts_in_their_order_and_ports_of_their_own() -> None:
    document = json.loads(slurm_cluster({**SLURM, "SLURM_PROCID": "3"}))
    assert document["task"] == {"type": "worker", "index": 3}
    hosts = [address.split(":")[0] for address in document["cluster"]["worker"]]
    assert hosts == ["node2", "node2", "node10", "node10", "node11"]
    assert len(set(document["cluster"]["worker"])) == 5


def test_two_slurm_jobs_have_different_ports() -> None:
    jobs = [{**SLURM, "SLURM_PROCID": "0", "SLURM_JOB_ID": job} for job in ("12345", "12346")]
    clusters = [json.loads(slurm_cluster(job))["cluster"]["worker"] for job in jobs]
    ports = [addresses[0].split(":")[1] for addresses in clusters]
    assert ports[0] != ports[1]


def workers_with(replicas: int, rank: WorkerRank) -> Workers:
    """Workers with so many processors in all, without the processes and processors."""
    workers = Workers(WorkerRank(0, 1))
    workers.strategy = SimpleNamespace(num_replicas_in_sync=replicas)
    workers.rank = rank
    return workers


def test_the_shares_of_the_workers_are_the_batch() -> None:
    shares = [workers_with(6, WorkerRank(index, 3)).share(12) for index in range(3)]
    assert shares == [range(4), range(4, 8), range(8, 12)]


def test_batch_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(UsageError, match="3 images cannot be divided among 2 processors"):
        workers_with(2, WorkerRank(1, 2)).share(3)


def test_a_process_alone_agrees_with_itself_and_sends_nothing() -> None:
    workers = Workers(WorkerRank(0, 1))
    assert workers.is_chief
    assert (workers.any(True), workers.any(False)) == (True, False)
    workers.check_same("profile", b"digest")
    assert workers.broadcast_document({"a": [1]}) == {"a": [1]}
    with workers.explaining_losses():
        pass
