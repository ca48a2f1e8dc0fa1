"""Examples to batches for TensorFlow: drawn and augmented in parallel, a few ahead of the step."""

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.networks.backend import tf
from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.training_data.augment import Augmenter
from landslide_cli.training_data.examples import Examples

_AHEAD = 2  # batches


class Batches:
    """The examples of an epoch in batches that are all full.

    Images are (batch, rows, cols, bands) uint8, masks (batch, rows, cols) uint8 class indices. What
    a batch holds follows from the epoch and the batch's number alone, so that an epoch can be taken
    up anywhere.

    Args:
        examples: what is drawn from.
        bands: of the images.
        batch: examples a batch.
        share: which of a batch's examples are wanted here, where several processes divide it.
        multiple: an epoch has a multiple of so many batches.
        augmenter: changes each example at random; None leaves them as they are.
        wraps: fill up the last batches with the epoch's first examples; otherwise with blank
            images without any label.
    """

    def __init__(
        self,
        examples: Examples,
        bands: int,
        batch: int,
        share: Sequence[int] | None = None,
        multiple: int = 1,
        augmenter: Augmenter | None = None,
        wraps: bool = False,
    ) -> None:
        self.examples = examples
        self._bands, self._batch = bands, batch
        self._share = range(batch) if share is None else share
        self._count = math.ceil(len(examples) / (batch * multiple)) * multiple
        self._augmenter, self._wraps = augmenter, wraps
        self._problem: Exception | None = None
        # Traced once: an epoch would take longer to begin than small ones take.
        number = tf.TensorSpec((), tf.int64)
        self._traced = tf.function(self._drawn, input_signature=[number, number], autograph=False)

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return self._count

    def epoch(self, epoch: int = 0, first: int = 0) -> Iterator[tuple[Any, Any]]:
        """Iterate over the batches of an epoch.

        Args:
            epoch: which one.
            first: the batch to begin with.

        Yields:
            (images, masks) tensors.

        Raises:
            DataError: an example cannot be read.
        """
        size, threads = len(self._share), os.cpu_count() or 1
        of_epoch = tf.constant(epoch, tf.int64)
        dataset = (
            tf.data.Dataset.range(first * size, self._count * size)
            .map(
                lambda index: self._traced(of_epoch, index),
                num_parallel_calls=threads,
                deterministic=True,
            )
            .batch(size, drop_remainder=True)
            .prefetch(_AHEAD)
        )
        options = tf.data.Options()
        # The autotuner was measured to hold up training for up to 5 s an epoch.
        options.autotune.enabled = False
        options.threading.private_threadpool_size = threads
        try:
            yield from dataset.with_options(options)
        except tf.errors.OpError:
            # TensorFlow wraps what was raised in its threads; the reason itself is clearer.
            if self._problem is not None:
                raise self._problem from None
            raise

    def names(self, epoch: int, number: int) -> list[str]:
        """Name the examples of a batch, for a message."""
        places = [number * self._batch + index for index in range(self._batch)]
        count = len(self.examples)
        places = [place % count for place in places if self._wraps or place < count]
        return [self.examples.name(epoch, place) for place in places]

    def _drawn(self, epoch: Any, index: Any) -> Any:
        """Draw the example of that number in this process's share of the epoch."""
        size = len(self._share)
        place = index // size * self._batch + self._share[0] + index % size
        rows, cols = self.examples.rows, self.examples.cols
        # What it returns follows from its arguments: it may run in any order, in parallel.
        image, mask = tf.numpy_function(
            self._example, [epoch, place], (tf.uint8, tf.uint8), stateful=False
        )
        image.set_shape((rows, cols, self._bands))
        mask.set_shape((rows, cols))
        if self._augmenter is None:
            return image, mask
        return self._augmenter.transform(image, mask, epoch, place)

    def _example(self, epoch: np.int64, place: np.int64) -> tuple[Image, Mask]:
        try:
            count = len(self.examples)
            if place >= count and not self._wraps:
                return self._blank()
            image, mask = self.examples.example(int(epoch), int(place) % count)
            if self._augmenter is not None:
                image, mask = self._augmenter.warp(image, mask, int(epoch), int(place))
            return image, mask
        except Exception as error:
            self._problem = error
            raise

    def _blank(self) -> tuple[Image, Mask]:
        shape = self.examples.rows, self.examples.cols
        return np.zeros((*shape, self._bands), np.uint8), np.full(shape, IGNORE, np.uint8)
