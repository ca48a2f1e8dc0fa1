"""What a training logs for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path

from landslide_cli.core.networks.backend import tf

TENSORBOARD = "tensorboard"

# How TensorBoard knows a scalar; `tf.summary.scalar` would need TensorBoard itself.
_SCALAR = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"})


class TensorBoardLog:
    """Every logged value of each epoch; training and validation in one chart.

    Args:
        run: the run's folder; logs go to `tensorboard/train` and `tensorboard/valid` in it.
    """

    def __init__(self, run: Path) -> None:
        self._writers = {
            part: tf.summary.create_file_writer(str(run / TENSORBOARD / part))
            for part in ("train", "valid")
        }

    def add(self, row: Mapping[str, float]) -> None:
        for name, value in row.items():
            part = "valid" if name.startswith("valid_") else "train"
            with self._writers[part].as_default():
                tag, scalar = name.removeprefix("valid_"), tf.constant(value, tf.float32)
                tf.summary.write(tag, scalar, round(row["epoch"]), _SCALAR)
        for writer in self._writers.values():
            writer.flush()
