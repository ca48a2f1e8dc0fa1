"""TensorFlow and Keras, imported in one place and without their start-up messages.

TensorFlow writes about six lines to file descriptor 2 while it is imported and when it first lists
devices, before any log level can be set. They are captured, and shown only if the import fails.
"""

import os
import sqlite3  # noqa: F401
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# TensorFlow's library exports its own SQLite to all libraries loaded after it. GDAL and Python's
# module must be loaded first: that SQLite has no R-trees, so that GeoPackages would have no spatial
# index, and leaves other bytes in space that is given up.
import pyogrio  # noqa: F401

from landslide_cli.core.processor import computes


@contextmanager
def captured_stderr() -> Iterator[None]:
    """Capture file descriptor 2; write the captured text to it only on an exception."""
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except Exception:
            captured.seek(0)
            os.write(original, captured.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# TF_ENABLE_ONEDNN_OPTS is left to TensorFlow, which uses oneDNN on processors with AVX512 only. On
# a processor with AVX2 oneDNN trained up to 1.8 times as fast, but a single convolution of FlexUNet
# (9 x 9, 32 filters, one 512 x 512 tile) took 71 s instead of 0.1 s.

with captured_stderr():
    import keras
    import tensorflow as tf

    # In distributed training the collectives must be set up before devices are first listed.
    if not os.environ.get("TF_CONFIG") and os.environ.get("SLURM_STEP_NUM_TASKS", "1") == "1":
        tf.config.list_logical_devices()
tf.get_logger().setLevel("ERROR")

__all__ = ["enable_determinism", "gpu_memory", "has_native_bfloat16", "keras", "tf"]


def enable_determinism() -> None:
    """Make TensorFlow deterministic to the bit, for the whole process.

    Its own switch is not enough: one of the graph optimizers saves memory by adding gradients in
    the order in which they become ready. Training on a CPU is as fast without these optimizers.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def has_native_bfloat16() -> bool:
    """Return whether the GPU, or the CPU without one, multiplies bfloat16 natively."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return bool(details.get("compute_capability", (0, 0)) >= (8, 0))
    return computes("bfloat16")


def gpu_memory() -> int | None:
    """Return the bytes of memory that TensorFlow may use on the first GPU; None without one."""
    from tensorflow.python.client import device_lib

    if not tf.config.list_physical_devices("GPU"):
        return None
    devices = device_lib.list_local_devices()
    limits = [device.memory_limit for device in devices if "GPU" in device.name]
    return int(limits[0]) if limits else None
