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

    tf.config.list_logical_devices()
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
