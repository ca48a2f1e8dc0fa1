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
# By itself TensorFlow uses oneDNN only on processors with AVX512; without it, training FlexUNet on
# an AVX2 processor was measured 1.5 to 1.8 times as slow.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

with _held_back_stderr():
    import keras
    import tensorflow as tf

    tf.config.list_logical_devices()
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
