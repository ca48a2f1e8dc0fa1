"""Which worker a process is, by `TF_CONFIG` or SLURM's variables."""

import json

import pytest

from landslide_cli.errors import UsageError
from landslide_cli.stages.train.workers import Place, place_of, slurm_cluster


def tf_config(kind: str, index: int, **cluster: list[str]) -> dict[str, str]:
    document = {"cluster": cluster, "task": {"type": kind, "index": index}}
    return {"TF_CONFIG": json.dumps(document)}


def test_process_is_alone_where_the_environment_says_nothing() -> None:
    assert place_of({}) == Place(0, 1)
    assert place_of({"SLURM_JOB_ID": "7", "SLURM_STEP_NUM_TASKS": "1"}) == Place(0, 1)


def test_tf_config_tells_the_worker() -> None:
    assert place_of(tf_config("worker", 1, worker=["a:1", "b:1"])) == Place(1, 2)


def test_tf_configs_chief_is_the_first_worker() -> None:
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    assert place_of(tf_config("chief", 0, **cluster)) == Place(0, 3)
    assert place_of(tf_config("worker", 1, **cluster)) == Place(2, 3)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
     '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
     '{"cluster": {"worker": ["a:1"]}, "task": {}}'],
)  # fmt: skip
def test_unusable_tf_config_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="TF_CONFIG cannot be used") as raised:
        place_of({"TF_CONFIG": text})
    assert "host:port" in str(raised.value)


SLURM = {
    "SLURM_JOB_ID": "12345",
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_STEP_NODELIST": "node[2,10-11]",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
}


def test_slurm_tells_the_worker() -> None:
    assert place_of({**SLURM, "SLURM_PROCID": "3"}) == Place(3, 5)


def test_slurm_tasks_have_hosts_in_their_order_and_ports_of_their_own() -> None:
    document = json.loads(slurm_cluster({**SLURM, "SLURM_PROCID": "3"}))
    assert document["task"] == {"type": "worker", "index": 3}
    hosts = [address.split(":")[0] for address in document["cluster"]["worker"]]
    assert hosts == ["node2", "node2", "node10", "node10", "node11"]
    assert len(set(document["cluster"]["worker"])) == 5


def test_two_slurm_jobs_have_other_ports() -> None:
    one = slurm_cluster({**SLURM, "SLURM_PROCID": "0"})
    other = slurm_cluster({**SLURM, "SLURM_PROCID": "0", "SLURM_JOB_ID": "12346"})
    ports = [json.loads(text)["cluster"]["worker"][0].split(":")[1] for text in (one, other)]
    assert ports[0] != ports[1]
