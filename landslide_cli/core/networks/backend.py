"""TensorFlow and Keras, imported once and without their chatter.

TensorFlow writes half a dozen lines to file descriptor 2 while it is imported and when it first
looks for devices, before any logger can be set. They are held back, and replayed if the import
fails.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# TensorFlow's library offers its SQLite, which has no R-trees, to all that is loaded after it. GDAL
# must have found its own by then, or it writes GeoPackages without a spatial index.
import pyogrio  # noqa: F401


@contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Point file descriptor 2 away; what was written to it is shown only if the import fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# TF_ENABLE_ONEDNN_OPTS is left to TensorFlow, which uses oneDNN on processors with AVX512 only. On
# one with AVX2 it was measured to train up to 1.8 times as fast, but a single convolution of
# FlexUNet (9 x 9, 32 filters, one 512 x 512 tile) took 71 s instead of 0.1 s.

with _held_back_stderr():
    import keras
    import tensorflow as tf

    # Several workers' collectives must be set up before the devices are first looked for.
    if not os.environ.get("TF_CONFIG") and os.environ.get("SLURM_STEP_NUM_TASKS", "1") == "1":
        tf.config.list_logical_devices()
tf.get_logger().setLevel("ERROR")

__all__ = ["compute_exactly", "computes_bfloat16", "gpu_memory", "keras", "tf"]


def compute_exactly() -> None:
    """Have TensorFlow give the same bits whenever it computes the same; for the whole process.

    Its own switch does not suffice: of the graph optimizers one, to save memory, adds gradients up
    in the order in which they happen to be ready. Leaving the optimizers out was measured to cost a
    training nothing on a CPU.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def computes_bfloat16() -> bool:
    """Whether the GPU, or the CPU where there is none, multiplies bfloat16 natively."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return bool(details.get("compute_capability", (0, 0)) >= (8, 0))
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def gpu_memory() -> int | None:
    """Return the memory in bytes that TensorFlow may use of the first GPU; None without one."""
    from tensorflow.python.client import device_lib

    if not tf.config.list_physical_devices("GPU"):
        return None
    limits = [one.memory_limit for one in device_lib.list_local_devices() if "GPU" in one.name]
    return int(limits[0]) if limits else None
