"""Who trains: a process with one processor or several GPUs, or the processes of several machines.

Several machines are named by the environment: `TF_CONFIG`, as TensorFlow defines it, or a SLURM job
step with several tasks. Each runs the same command; the first, the chief, alone writes files.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import LandslideError, UsageError

# Where the tasks of a SLURM job listen; each job has ports of its own.
_FIRST_PORT, _PORTS = 20_000, 20_000


@dataclass(frozen=True)
class WorkerRank:
    """A process's number among the workers, from 0, and how many there are."""

    index: int
    count: int

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the files."""
        return self.index == 0


def worker_rank(environment: Mapping[str, str]) -> WorkerRank:
    """Tell from the environment which of the workers this process is.

    Raises:
        UsageError: `TF_CONFIG` is not what TensorFlow defines.
    """
    if environment.get("TF_CONFIG"):
        return _rank_in_tf_config(environment["TF_CONFIG"])
    count = int(environment.get("SLURM_STEP_NUM_TASKS", "1"))
    return WorkerRank(int(environment["SLURM_PROCID"]), count) if count > 1 else WorkerRank(0, 1)


def _rank_in_tf_config(text: str) -> WorkerRank:
    try:
        document = json.loads(text)
        cluster = document.get("cluster", {})
        count = len(cluster.get("chief", [])) + len(cluster.get("worker", []))
        task = document.get("task", {"type": "worker", "index": 0})
        index = int(task["index"])
        if task["type"] not in ("chief", "worker"):
            raise ValueError(f"a training has no task of type '{task['type']}'")
        if task["type"] == "worker":
            index += len(cluster.get("chief", []))
        if not index < max(1, count):
            raise ValueError(f"there are {count} workers, and this is number {index}")
        return WorkerRank(index, max(1, count))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"TF_CONFIG cannot be used: {error};\nit should be "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
        ) from None


class Workers:
    """The processes that train together, as seen from this one, and TensorFlow's strategy for them.

    If there are several, make it before TensorFlow does anything else: its collectives are set up
    at the start.

    Args:
        rank: of this process.
    """

    def __init__(self, rank: WorkerRank) -> None:
        self.rank = rank
        if self.is_distributed:
            _ = self.strategy

    @property
    def is_chief(self) -> bool:
        return self.rank.is_chief

    @property
    def is_distributed(self) -> bool:
        """Whether there are other processes."""
        return self.rank.count > 1

    @cached_property
    def strategy(self) -> Any:
        from landslide_cli.core.networks.backend import tf

        if self.is_distributed:
            if not os.environ.get("TF_CONFIG"):
                os.environ["TF_CONFIG"] = slurm_cluster(os.environ)
            return tf.distribute.MultiWorkerMirroredStrategy()
        if len(tf.config.list_physical_devices("GPU")) > 1:
            return tf.distribute.MirroredStrategy()
        return tf.distribute.get_strategy()

    @cached_property
    def replicas(self) -> int:
        """On how many processors or GPUs a batch is spread, over all processes."""
        return int(self.strategy.num_replicas_in_sync)

    def share(self, batch: int) -> range:
        """Return which images of a batch this process takes.

        Raises:
            UsageError: the batch cannot be divided evenly.
        """
        if batch % self.replicas:
            raise UsageError(
                f"train.batch: {batch} images cannot be divided among {self.replicas} processors; "
                f"take a multiple of {self.replicas}"
            )
        size = batch // self.rank.count
        return range(self.rank.index * size, (self.rank.index + 1) * size)

    def shard(self, values: Any) -> Any:
        """Divide this process's share of a batch among its processors or GPUs."""
        if self.replicas == 1:
            return values
        local = self._local_replicas
        first = self.rank.index * local

        def of_replica(context: Any) -> Any:
            size = values.shape[0] // local
            start = (context.replica_id_in_sync_group - first) * size
            return values[start : start + size]

        return self.strategy.experimental_distribute_values_from_function(of_replica)

    def any(self, condition: bool) -> bool:
        """Return whether the condition holds on any worker; all get the same answer."""
        if not self.is_distributed:
            return condition
        return bool(self._sum(np.array([condition], np.int32))[0])

    def broadcast(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the chief's array; the others give an array of the same shape and type."""
        if not self.is_distributed:
            return array
        # Adding zeros leaves any number as it is; small types have no collectives.
        is_small = array.dtype.kind == "b" or array.dtype.itemsize < 4
        values = array.astype(np.int32) if is_small else array
        total = self._sum(values if self.is_chief else np.zeros_like(values))
        return total.astype(array.dtype)

    def broadcast_document(self, document: Any) -> Any:
        """Return the chief's JSON document; waits until the chief has one."""
        if not self.is_distributed:
            return document
        text = json.dumps(document).encode() if self.is_chief else b""
        length = int(self.broadcast(np.array([len(text)], np.int32))[0])
        text = text.ljust(length)
        return json.loads(self.broadcast(np.frombuffer(text, np.uint8)).tobytes())

    def check_same(self, what: str, digest: bytes) -> None:
        """Check that all workers have the same of something.

        Args:
            what: its name, for the message.
            digest: of what this worker has.

        Raises:
            LandslideError: they differ.
        """
        if not self.is_distributed:
            return
        ours = np.frombuffer(digest, np.uint8).astype(np.int32)
        if self.any(bool((self.broadcast(ours) != ours).any())):
            raise LandslideError(f"the workers do not have the same {what}; give each the same")

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """Do what each worker may refuse; if one does, the others end with its reason.

        Otherwise they would wait for it. All workers must come through here alike.

        Raises:
            LandslideError: this worker refuses, or another one does.
        """
        if not self.is_distributed:
            yield
            return
        refusal: LandslideError | None = None
        try:
            yield
        except LandslideError as error:
            refusal = error
        reasons = self._gathered("" if refusal is None else str(refusal) or "refused")
        if refusal is not None:
            raise refusal
        for index, reason in enumerate(reasons):
            if reason:
                raise LandslideError(f"worker {index + 1} of {self.rank.count} ended: {reason}")

    def _gathered(self, text: str) -> list[str]:
        """Return the texts of all workers."""
        own, index = text.encode(), self.rank.index
        lengths = np.zeros(self.rank.count, np.int32)
        lengths[index] = len(own)
        lengths = self._sum(lengths)
        texts = np.zeros((self.rank.count, max(1, int(lengths.max()))), np.int32)
        texts[index, : len(own)] = np.frombuffer(own, np.uint8)
        rows = self._sum(texts).astype(np.uint8)
        return [row.tobytes()[:length].decode() for row, length in zip(rows, lengths, strict=True)]

    @contextmanager
    def explaining_losses(self) -> Iterator[None]:
        """Turn TensorFlow's errors at the loss of another worker into a clear one.

        Raises:
            LandslideError: another worker was lost.
        """
        if not self.is_distributed:
            yield
            return
        from landslide_cli.core.networks.backend import tf

        lost = (
            tf.errors.UnavailableError,
            tf.errors.AbortedError,
            tf.errors.CancelledError,
            tf.errors.DeadlineExceededError,
        )
        try:
            yield
        except lost as error:
            raise LandslideError(
                f"worker {self.rank.index + 1} of {self.rank.count} has lost another worker, "
                "which ended or cannot be reached;\nstart all of them again: the training resumes "
                "from its last checkpoint"
            ) from error

    @property
    def _local_replicas(self) -> int:
        return self.replicas // self.rank.count

    def _sum(self, values: NDArray[Any]) -> NDArray[Any]:
        """Add up what the processes give."""
        return np.asarray(self._adder(values).numpy())

    @cached_property
    def _adder(self) -> Any:
        from landslide_cli.core.networks.backend import tf

        def on_replica(values: Any) -> Any:
            context = tf.distribute.get_replica_context()
            # A process with several GPUs counts once. The product is on the replica's own device.
            counts = context.replica_id_in_sync_group % self._local_replicas == 0
            once = values * tf.cast(counts, values.dtype)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, once)

        def summed(values: Any) -> Any:
            result = self.strategy.run(on_replica, args=(values,))
            return self.strategy.experimental_local_results(result)[0]

        return tf.function(summed, reduce_retracing=True)


def slurm_cluster(environment: Mapping[str, str]) -> str:
    """Write the `TF_CONFIG` of a SLURM job step: every task is a worker, in blocks of a node.

    Args:
        environment: with SLURM's own variables of a task.
    """
    # TensorFlow's own resolver sorts node10 before node2, and numbers its tasks otherwise.
    from tensorflow.python.distribute.cluster_resolver import slurm_cluster_resolver as slurm

    hosts = slurm.expand_hostlist(environment["SLURM_STEP_NODELIST"])
    tasks = slurm.expand_tasks_per_node(environment["SLURM_STEP_TASKS_PER_NODE"])
    port = _FIRST_PORT + int(environment.get("SLURM_JOB_ID", "0")) % _PORTS
    addresses = [
        f"{host}:{port + number}"
        for host, count in zip(hosts, tasks, strict=True)
        for number in range(count)
    ]
    task = {"type": "worker", "index": int(environment["SLURM_PROCID"])}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})
