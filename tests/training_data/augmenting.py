"""What the tests of augment share."""

import json
from functools import cache

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.composition import Composition
from landslide_cli.core.networks.backend import tf
from landslide_cli.profile.augment import OnlineAugmentSettings
from landslide_cli.training_data.augment import Augmenter

Image = NDArray[np.uint8]


Range = tuple[float, float] | None

GEOMETRIC: dict[str, Range] = {
    "hflip": None,
    "vflip": None,
    "rotate90": None,
    "rotate": (-180.0, 180.0),
    "zoom": (0.5, 3.0),
    "shear": (0.1, 0.8),
    "translate": (-0.6, 0.6),
    "perspective": (0.05, 0.2),
}


PHOTOMETRIC: dict[str, Range] = {
    "brightness": (0.1, 0.4),
    "contrast": (0.2, 0.6),
    "saturation": (1.5, 3.0),
    "hue": (20.0, 90.0),
    "blur": (0.8, 2.5),
    "noise": (5.0, 20.0),
    "sharpen": (0.5, 2.0),
}

# The kinds that OpenCV applies, before the others.
WARPS = ("elastic", "lens")


ALL = GEOMETRIC | PHOTOMETRIC


SIDE = 32


def settings_of(kinds: dict[str, Range], probability: float = 1.0) -> OnlineAugmentSettings:
    settings = {
        name: {"probability": probability} | ({"range": limits} if limits else {})
        for name, limits in kinds.items()
    }
    return OnlineAugmentSettings.model_validate_json(json.dumps(settings))


def augmenter(
    kinds: dict[str, Range],
    probability: float = 1.0,
    seed: int = 1,
    composition: Composition | None = None,
) -> Augmenter:
    return Augmenter(settings_of(kinds, probability), seed, composition)


@cache
def one_kind(name: str) -> Augmenter:
    return augmenter({name: ALL[name]})


def changed(
    by: Augmenter, image: Image, mask: Image | None = None, position: int = 0, epoch: int = 0
) -> tuple[Image, Image]:
    """The eager result as arrays."""
    mask = np.zeros(image.shape[:2], np.uint8) if mask is None else mask
    moved, moved_mask = by.transform(
        tf.constant(image), tf.constant(mask), tf.constant(epoch, tf.int64), tf.constant(position)
    )
    assert moved.dtype == moved_mask.dtype == tf.uint8
    assert moved.shape == image.shape
    assert moved_mask.shape == mask.shape
    return moved.numpy(), moved_mask.numpy()


def texture(seed: int = 0, rows: int = SIDE, cols: int = SIDE, bands: int = 3) -> Image:
    """Colours that no kind saturates easily."""
    return np.random.default_rng(seed).integers(90, 160, (rows, cols, bands), np.uint8)


def blobs(seed: int, values: list[int], rows: int = SIDE, cols: int = SIDE) -> Image:
    """A mask of squares of 4 x 4 pixels."""
    coarse = np.random.default_rng(seed).choice(values, (rows // 4, cols // 4)).astype(np.uint8)
    return np.kron(coarse, np.ones((4, 4), np.uint8))


def saturation(image: Image) -> float:
    highest, lowest = image.max(axis=-1).astype(float), image.min(axis=-1)
    return float(((highest - lowest) / highest).mean())
