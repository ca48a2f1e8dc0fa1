"""The steps of online augmentation in TensorFlow: what each kind does to an image and its mask.

Most are made by Keras's preprocessing layers (keras.io/api/layers/preprocessing_layers).
"""

import math
from collections.abc import Callable
from typing import Any

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.gaussian import gaussian_blur
from landslide_cli.core.palette import IGNORE
from landslide_cli.imagery.warp import SHARPENING_SIGMA

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


# Kinds that change how light falls or how a sensor sees it, not what lies where.
LIGHT_KINDS = frozenset({"brightness", "contrast", "blur", "noise", "sharpen"})

# Kinds whose layers cut off at 0 and 255, as 8 bits need it; bands scaled by mean and deviation go
# beyond.
CLIPPING_KINDS = frozenset({"brightness", "contrast", "saturation", "hue"})

# The step of each kind, by its name in the settings, from the range that the profile gives it.
STEPS: dict[str, Callable[[float, float], Step]] = {
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
