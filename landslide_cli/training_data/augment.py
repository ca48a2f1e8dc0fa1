"""Online augmentation: every image and its mask changed at random, anew in each epoch.

Most changes are made by Keras's preprocessing layers (keras.io/api/layers/preprocessing_layers).
What is drawn for an image is a function of seed, epoch and the image's position alone, so neither
the batch, nor the number of workers or threads, nor an interruption changes any pixel.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.composition import Composition
from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.gaussian import gaussian_blur
from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.errors import DataError
from landslide_cli.imagery.warp import SHARPENING_SIGMA, distort, through_lens
from landslide_cli.profile.augment import COLOUR_KINDS, OnlineAugmentSettings

layers = keras.layers
fold_in = tf.random.experimental.stateless_fold_in

# float32 whatever the global policy is; a fixed seed, as each layer else takes one from `random`.
_PLAIN = {"dtype": "float32", "seed": 0}
_REFLECT = {**_PLAIN, "fill_mode": "reflect"}


class Draws(keras.random.SeedGenerator):  # type: ignore[misc]
    """The random numbers of one image for one kind of change, each a function of the key.

    Keras's generator counts in a variable. Inside tf.data that runs ahead of the training, and
    parallel calls reach it in any order. This one counts while the graph is built.
    """

    def __init__(self, key: Any) -> None:
        # Without the base class's, which would make that variable.
        self._key = key
        self._drawn = 0

    def next(self, ordered: bool = True) -> Any:
        """Return the next seed, (2,) int32."""
        self._drawn += 1
        return fold_in(self._key, self._drawn)

    def uniform(self, low: float = 0.0, high: float = 1.0, shape: tuple[int, ...] = ()) -> Any:
        """Draw float32 numbers evenly from [low, high)."""
        return tf.random.stateless_uniform(shape, self.next(), low, high)

    def normal(self, shape: tuple[int, ...]) -> Any:
        """Draw float32 numbers from the standard normal distribution."""
        return tf.random.stateless_normal(shape, self.next())


# Changes an image (1, rows, cols, bands) float32 of 0 to 255 and its mask (1, rows, cols, 1) uint8.
Step = Callable[[Draws, Any, Any], tuple[Any, Any]]
# What a layer is to do instead of what it drew, as entries of its transformation.
Instead = Callable[[Draws, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class LitBands:
    """Which bands of an image show light, by position: only these change with brightness.

    `lit` is None for all of them; `colours` are those of red, green and blue, None if these are not
    all there.
    """

    lit: tuple[int, ...] | None = None
    colours: tuple[int, ...] | None = (0, 1, 2)


def lit_bands(composition: Composition | None) -> LitBands:
    """Return which bands of a composition show light."""
    if composition is None:
        return LitBands()
    return LitBands(composition.lit, composition.colours)


class Augmenter:
    """Changes images and masks as `train.augment` says.

    `warp` comes first; it is OpenCV's part, `transform` TensorFlow's.

    Args:
        settings: the profile's.
        seed: of all draws.
        bands: which of the images' bands colours are changed of.
    """

    def __init__(
        self, settings: OnlineAugmentSettings, seed: int, bands: LitBands | None = None
    ) -> None:
        self._settings, self._bands = settings, bands or LitBands()
        self._seed = seed
        # However large the seed is, TensorFlow's are two numbers of 32 bits.
        self._key = np.random.SeedSequence(seed).generate_state(2).view(np.int32)
        # The kinds draw apart from each other: switching one on changes no other's numbers.
        self._steps = [
            (_DRAW_IDS[name], kind.probability, self._step(name, kind))
            for name, kind in settings
            if name in _KINDS and kind.probability > 0.0
        ]

    def _step(self, name: str, kind: Any) -> Step:
        step = _KINDS[name](*getattr(kind, "range", (0.0, 0.0)))
        if name in COLOUR_KINDS:
            return (
                step if self._bands.colours in (None, (0, 1, 2)) else _on(self._bands.colours, step)
            )
        if name in _LIGHT_KINDS and self._bands.lit is not None:
            return _on(self._bands.lit, step)
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
        for draw_id, probability, step in self._steps:
            draws = Draws(fold_in(key, draw_id))
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
        has_colours = bands == 3 if self._bands.lit is None else self._bands.colours is not None
        if settings.needs_colour and not has_colours:
            among = f", not {bands}" if self._bands.lit is None else " called red, green and blue"
            raise DataError(
                f"train.augment.saturation and .hue need images of three bands{among}; "
                "switch them off"
            )


def _keep(image: Any, mask: Any) -> tuple[Any, Any]:
    return image, mask


def _on(bands: Sequence[int], step: Step) -> Step:
    """Have a step change some bands only, by their positions."""

    def on_bands(draws: Draws, image: Any, mask: Any) -> tuple[Any, Any]:
        changed, mask = step(draws, tf.gather(image, list(bands), axis=-1), mask)
        planes = tf.unstack(image, axis=-1)
        for position, plane in zip(bands, tf.unstack(changed, axis=-1), strict=True):
            planes[position] = plane
        return tf.stack(planes, axis=-1), mask

    return on_bands


def _by(layer: Any, instead: Instead = lambda draws, drawn: {}) -> Step:
    """Make a step of a layer; those that change colours leave the mask alone."""

    def step(draws: Draws, image: Any, mask: Any) -> tuple[Any, Any]:
        drawn = layer.get_random_transformation(image, training=True, seed=draws)
        drawn |= instead(draws, drawn)
        moved = layer.transform_segmentation_masks(mask, drawn)
        return layer.transform_images(image, drawn), tf.cast(moved, tf.uint8)

    return step


def _flip(mode: str) -> Step:
    # The layer flips half of the images; the share is the profile's.
    return _by(
        layers.RandomFlip(mode, **_PLAIN), lambda *_: {"flips": tf.ones((1, 1, 1, 1), tf.bool)}
    )


def _turn(draws: Draws, image: Any, mask: Any) -> tuple[Any, Any]:
    turns = tf.random.stateless_uniform((), draws.next(), 1, 4, tf.int32)
    moved, moved_mask = tf.image.rot90(image, turns), tf.image.rot90(mask, turns)
    return tf.ensure_shape(moved, image.shape), tf.ensure_shape(moved_mask, mask.shape)


def _zoom(low: float, high: float) -> Step:
    # The layer's factor is how much more of the image is seen, as a share.
    return _by(layers.RandomZoom((1.0 / high - 1.0, 1.0 / low - 1.0), **_REFLECT))


def _shear(low: float, high: float) -> Step:
    # The layer shears both ways at once, which flattens the image to a line where both are 1.
    def one_way(draws: Draws, drawn: dict[str, Any]) -> dict[str, Any]:
        way = tf.cast(draws.uniform() < 0.5, tf.int32)
        return {"shear_factor": drawn["shear_factor"] * tf.one_hot([way], 2)}

    return _by(layers.RandomShear((low, high), (low, high), **_REFLECT), one_way)


def _perspective(low: float, high: float) -> Step:
    # The layer draws shifts in proportion to a corner's coordinates, so that the upper left one
    # never moves, and has one fill value for image and mask.
    on_image, on_mask = (
        layers.RandomPerspective(fill_value=float(fill), **_PLAIN) for fill in (0, IGNORE)
    )

    def step(draws: Draws, image: Any, mask: Any) -> tuple[Any, Any]:
        _, rows, cols, _ = image.shape
        right, bottom = cols - 1.0, rows - 1.0
        corners = tf.constant([[[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]]])
        reach = draws.uniform(low, high) * tf.constant([cols, rows], tf.float32)
        how = {
            "apply_perspective": tf.constant([True]),
            "start_points": corners,
            "end_points": corners + draws.uniform(-1.0, 1.0, (1, 4, 2)) * reach,
        }
        moved = on_mask.transform_segmentation_masks(mask, how)
        return on_image.transform_images(image, how), moved

    return step


def _contrast(low: float, high: float) -> Step:
    # The layer sorts a range's two distances from 1, and so mixes them up.
    return _by(
        layers.RandomContrast(0.5, **_PLAIN),
        lambda draws, _: {"contrast_factor": draws.uniform(low, high, (1, 1, 1, 1))},
    )


def _saturation(low: float, high: float) -> Step:
    # The layer draws f / (1 - f) from a range of f. Its value range is the saturation's.
    return _by(
        layers.RandomSaturation(0.5, value_range=(0, 1), **_PLAIN),
        lambda draws, _: {"factor": draws.uniform(low, high, (1,))},
    )


def _hue(low: float, high: float) -> Step:
    # The layer draws a size and a sign of its own; what it takes is a share of the circle.
    return _by(
        layers.RandomHue(0.5, **_PLAIN),
        lambda draws, _: {"factor": draws.uniform(low / 360.0, high / 360.0, (1,))},
    )


def _blur(low: float, high: float) -> Step:
    # Keras's RandomGaussianBlur sees black beyond the edges, draws another sigma for x than for y,
    # no larger than 1, and has a kernel of two dimensions where two of one do.
    def step(draws: Draws, image: Any, mask: Any) -> tuple[Any, Any]:
        return _smoothed(image, draws.uniform(low, high), math.ceil(3.0 * high)), mask

    return step


def _smoothed(image: Any, sigma: Any, radius: int) -> Any:
    """Convolve with a Gaussian that is cut off at a radius; edges are mirrored."""
    radius = min(radius, *image.shape[1:3])
    edge = (radius, radius)
    padded = tf.pad(image, [(0, 0), edge, edge, (0, 0)], "SYMMETRIC")
    return gaussian_blur(padded, sigma, radius, "VALID")


def _sharpen(low: float, high: float) -> Step:
    def step(draws: Draws, image: Any, mask: Any) -> tuple[Any, Any]:
        blurred = _smoothed(image, SHARPENING_SIGMA, math.ceil(3.0 * SHARPENING_SIGMA))
        return image + draws.uniform(low, high) * (image - blurred), mask

    return step


def _noise(low: float, high: float) -> Step:
    def step(draws: Draws, image: Any, mask: Any) -> tuple[Any, Any]:
        return image + draws.uniform(low, high) * draws.normal(image.shape), mask

    return step


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

# Kinds that change how light falls or how a sensor sees it, not what lies where.
_LIGHT_KINDS = frozenset({"brightness", "contrast", "blur", "noise", "sharpen"})

# The step of each kind, by its name in the settings, from the range that the profile gives it.
_KINDS: dict[str, Callable[[float, float], Step]] = {
    "hflip": lambda *_: _flip("horizontal"),
    "vflip": lambda *_: _flip("vertical"),
    "rotate90": lambda *_: _turn,
    "rotate": lambda low, high: _by(layers.RandomRotation((low / 360, high / 360), **_REFLECT)),
    "zoom": _zoom,
    "shear": _shear,
    "translate": lambda *both: _by(layers.RandomTranslation(both, both, **_REFLECT)),
    "perspective": _perspective,
    "brightness": lambda *both: _by(layers.RandomBrightness(both, **_PLAIN)),
    "contrast": _contrast,
    "saturation": _saturation,
    "hue": _hue,
    "blur": _blur,
    "noise": _noise,
    "sharpen": _sharpen,
}
