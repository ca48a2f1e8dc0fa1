"""Online augmentation: every image and its mask changed at random, anew in each epoch.

What is drawn for an image is a function of seed, epoch and the image's position alone, so neither
the batch, nor the number of workers or threads, nor an interruption changes any pixel.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.composition import Composition
from landslide_cli.core.networks.backend import tf
from landslide_cli.core.palette import Mask
from landslide_cli.errors import DataError
from landslide_cli.imagery.warp import distort, through_lens
from landslide_cli.profile.augment import COLOUR_KINDS, OnlineAugmentSettings
from landslide_cli.training_data.augment_steps import (
    CLIPPING_KINDS,
    LIGHT_KINDS,
    STEPS,
    Draws,
    Step,
    fold_in,
)

# What keys each kind's random numbers. A new kind takes a new number; none is ever changed or used
# again, or else all trainings with online augmentation would draw other numbers. (3 is `elastic`,
# which OpenCV applies, as it does `lens`; 9 was `recolour`.)
_DRAW_IDS = {
    "hflip": 0,
    "vflip": 1,
    "rotate90": 2,
    "rotate": 4,
    "zoom": 5,
    "shear": 6,
    "translate": 7,
    "perspective": 8,
    "brightness": 10,
    "contrast": 11,
    "saturation": 12,
    "hue": 13,
    "blur": 14,
    "noise": 15,
    "lens": 16,
    "sharpen": 17,
}


class Augmenter:
    """Changes images and masks as `train.augment` says.

    `warp` comes first; it is OpenCV's part, `transform` TensorFlow's.

    Args:
        settings: the profile's.
        seed: of all draws.
        composition: what the images' bands are: those that show no light keep their values. None
            for bands without names, all of light.
    """

    def __init__(
        self, settings: OnlineAugmentSettings, seed: int, composition: Composition | None = None
    ) -> None:
        self._settings, self._seed, self._composition = settings, seed, composition
        # However large the seed is, TensorFlow's are two numbers of 32 bits.
        self._key = np.random.SeedSequence(seed).generate_state(2).view(np.int32)
        # The kinds draw apart from each other: switching one on changes no other's numbers.
        self._steps = [
            (_DRAW_IDS[name], kind.probability, self._step(name, kind), name in CLIPPING_KINDS)
            for name, kind in settings
            if name in STEPS and kind.probability > 0.0
        ]

    def _step(self, name: str, kind: Any) -> Step:
        step = STEPS[name](*getattr(kind, "range", (0.0, 0.0)))
        if self._composition is not None and name in LIGHT_KINDS:
            return _on(self._composition.lit, step)
        if self._composition is not None and name in COLOUR_KINDS:
            return _on(self._composition.colours or (), step)
        return step

    def warp(self, image: Image, mask: Mask, epoch: int, position: int) -> tuple[Image, Mask]:
        """Warp an image and its mask; the settings' `elastic` and `lens`.

        Keras's RandomElasticTransform draws one field for the image and another for the mask.

        Args:
            image: (rows, cols, bands).
            mask: (rows, cols) uint8 class indices, `IGNORE` where there is no label.
            epoch: number of the epoch, from 0.
            position: number of the image in the epoch, from 0.
        """
        elastic, lens = self._settings.elastic, self._settings.lens
        rng = np.random.default_rng([self._seed, epoch, position])
        if rng.random() < elastic.probability:
            image, mask = distort(image, mask, rng.uniform(*elastic.range), rng)
        rng = np.random.default_rng([self._seed, epoch, position, _DRAW_IDS["lens"]])
        if rng.random() < lens.probability:
            image, mask = through_lens(image, mask, rng.uniform(*lens.range))
        return image, mask

    def transform(self, image: Any, mask: Any, epoch: Any, position: Any) -> tuple[Any, Any]:
        """Change an image and its mask; all kinds that `warp` does not. For tf.data's `map`.

        Args:
            image: (rows, cols, bands) tensor of static shape, uint8 or float32.
            mask: (rows, cols) uint8 class indices, `IGNORE` where there is no label.
            epoch: scalar integer tensor, from 0.
            position: number of the image in the epoch, scalar integer tensor, from 0.

        Returns:
            Image and mask of the same shapes and types. Beyond the edges both are reflected, but
            what `perspective` brings into view is black and `IGNORE`.

        Raises:
            DataError: a kind that is on cannot be applied to images of this shape.
        """
        self._check(*image.shape)
        key = fold_in(self._key, tf.cast(epoch, tf.int64))
        key = fold_in(key, tf.cast(position, tf.int64))
        pixels, labels = tf.cast(image, tf.float32)[None], mask[None, ..., None]
        for draw_id, probability, step, clips in self._steps:
            draws = Draws(fold_in(key, draw_id))
            if clips and image.dtype != tf.uint8:
                step = _beyond_white_too(step)  # noqa: PLW2901 - the step as it is for such images
            pixels, labels = tf.cond(
                draws.uniform() < probability,
                partial(step, draws, pixels, labels),
                partial(_keep, pixels, labels),
            )
        if image.dtype == tf.uint8:
            pixels = tf.cast(tf.clip_by_value(tf.round(pixels), 0.0, 255.0), tf.uint8)
        return (
            tf.ensure_shape(pixels[0], image.shape),
            tf.ensure_shape(labels[0, ..., 0], mask.shape),
        )

    def _check(self, rows: int, cols: int, bands: int) -> None:
        settings = self._settings
        if settings.rotate90.probability > 0.0 and rows != cols:
            raise DataError(
                f"train.augment.rotate90 needs square images, not {cols} x {rows} pixels; "
                "train.augment.rotate turns any"
            )
        composition = self._composition
        has_colours = bands == 3 if composition is None else composition.colours is not None
        if settings.needs_colour and not has_colours:
            among = f", not {bands}" if composition is None else " called red, green and blue"
            raise DataError(
                f"train.augment.saturation and .hue need images of three bands{among}; "
                "switch them off"
            )


def _keep(image: Any, mask: Any) -> tuple[Any, Any]:
    return image, mask


def _on(bands: Sequence[int], step: Step) -> Step:
    """Have a step change some bands only, by their positions."""

    def on_bands(draws: Draws, image: Any, mask: Any) -> tuple[Any, Any]:
        if tuple(bands) == tuple(range(image.shape[-1])):
            return step(draws, image, mask)  # on all, in their order
        changed, mask = step(draws, tf.gather(image, list(bands), axis=-1), mask)
        planes = tf.unstack(image, axis=-1)
        for position, plane in zip(bands, tf.unstack(changed, axis=-1), strict=True):
            planes[position] = plane
        return tf.stack(planes, axis=-1), mask

    return on_bands


def _beyond_white_too(step: Step) -> Step:
    """Have a step that cuts off at 0 and 255 leave values beyond as far beyond as they are."""

    def on_all(draws: Draws, image: Any, mask: Any) -> tuple[Any, Any]:
        inside = tf.clip_by_value(image, 0.0, 255.0)
        changed, mask = step(draws, inside, mask)
        return changed + (image - inside), mask

    return on_all
