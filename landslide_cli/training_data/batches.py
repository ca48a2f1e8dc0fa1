"""Examples to batches for TensorFlow: drawn and augmented in parallel, a few ahead of the step."""

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.networks.backend import tf
from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.training_data.augment import Augmenter
from landslide_cli.training_data.examples import Examples

_PREFETCHED = 2  # batches


class Batches:
    """The examples of an epoch in batches that are all full.

    Images are (batch, rows, cols, bands), masks (batch, rows, cols) uint8 class indices. What a
    batch holds follows from the epoch and the batch's number alone, so that an epoch can be
    resumed at any batch.

    Args:
        examples: what is drawn from.
        bands: of the images.
        batch: examples per batch.
        share: which of a batch's examples this process takes, where several divide it. Default:
            all.
        multiple: an epoch has a multiple of this many batches.
        augmenter: changes each example at random; None leaves them as they are.
        wraps: fill the last batches with the epoch's first examples; otherwise with blank images
            without any label.
        is_float: whether images are float32; otherwise uint8.
    """

    def __init__(
        self,
        examples: Examples,
        bands: int,
        batch: int,
        share: range | None = None,
        multiple: int = 1,
        augmenter: Augmenter | None = None,
        wraps: bool = False,
        is_float: bool = False,
    ) -> None:
        self.examples = examples
        self._dtype = np.dtype(np.float32 if is_float else np.uint8)
        self._bands, self._batch = bands, batch
        self._share = range(batch) if share is None else share
        self._count = math.ceil(len(examples) / (batch * multiple)) * multiple
        self._augmenter, self._wraps = augmenter, wraps
        self._error: Exception | None = None
        # Traced once: an epoch would take longer to begin than small ones take.
        number = tf.TensorSpec((), tf.int64)
        self._draw = tf.function(
            self._drawn_example, input_signature=[number, number], autograph=False
        )

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return self._count

    def epoch(self, epoch: int = 0, first: int = 0) -> Iterator[tuple[Any, Any]]:
        """Iterate over the batches of an epoch.

        Args:
            epoch: its number.
            first: the batch to begin with.

        Yields:
            (images, masks) tensors.

        Raises:
            DataError: an example cannot be read.
        """
        size, threads = len(self._share), os.cpu_count() or 1
        epoch_number = tf.constant(epoch, tf.int64)
        dataset = (
            tf.data.Dataset.range(first * size, self._count * size)
            .map(
                lambda index: self._draw(epoch_number, index),
                num_parallel_calls=threads,
                deterministic=True,
            )
            .batch(size, drop_remainder=True)
            .prefetch(_PREFETCHED)
        )
        options = tf.data.Options()
        # The autotuner was measured to hold up training for up to 5 s per epoch.
        options.autotune.enabled = False
        options.threading.private_threadpool_size = threads
        try:
            yield from dataset.with_options(options)
        except tf.errors.OpError:
            # TensorFlow wraps what was raised in its threads; the error itself is clearer.
            if self._error is not None:
                raise self._error from None
            raise

    def names(self, epoch: int, number: int) -> list[str]:
        """Name the examples of a batch, for a message."""
        first, count = number * self._batch, len(self.examples)
        return [
            self.examples.name(epoch, position % count)
            for position in range(first, first + self._batch)
            if self._wraps or position < count
        ]

    def _drawn_example(self, epoch: Any, index: Any) -> Any:
        """Draw the example of that number in this process's share of the epoch."""
        size = len(self._share)
        position = index // size * self._batch + self._share[0] + index % size
        rows, cols = self.examples.rows, self.examples.cols
        # What it returns follows from its arguments: it may run in any order, in parallel.
        image, mask = tf.numpy_function(
            self._warped_example, [epoch, position], (self._dtype, tf.uint8), stateful=False
        )
        image.set_shape((rows, cols, self._bands))
        mask.set_shape((rows, cols))
        if self._augmenter is None:
            return image, mask
        return self._augmenter.transform(image, mask, epoch, position)

    def _warped_example(self, epoch: np.int64, position: np.int64) -> tuple[Image, Mask]:
        try:
            count = len(self.examples)
            if position >= count and not self._wraps:
                return self._blank()
            image, mask = self.examples.example(int(epoch), int(position) % count)
            if self._augmenter is not None:
                image, mask = self._augmenter.warp(image, mask, int(epoch), int(position))
            return image, mask
        except Exception as error:
            self._error = error
            raise

    def _blank(self) -> tuple[Image, Mask]:
        shape = self.examples.rows, self.examples.cols
        return np.zeros((*shape, self._bands), self._dtype), np.full(shape, IGNORE, np.uint8)
