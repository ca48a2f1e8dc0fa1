"""Offline augmentation: further copies of a tile, image and mask moved alike."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import Mask

# Width of the noise that the experiment's distortion field is smoothed with, in pixels.
FIELD_SIGMA = 40.0


def copies(
    image: Image,
    mask: Mask,
    seed: Sequence[int],
    hflip: bool = False,
    vflip: bool = False,
    rotate90: bool = False,
    distortions: Sequence[float] = (),
) -> Iterator[tuple[str, Image, Mask]]:
    """Make the augmented copies of a tile, without the tile itself.

    Args:
        image: (rows, cols, bands) uint8.
        mask: (rows, cols) uint8 class indices.
        seed: fixes the distortions.
        hflip: add the mirror image left to right.
        vflip: add the mirror image top to bottom.
        rotate90: add the turns by 90, 180 and 270 degrees.
        distortions: add a smooth warp for each largest displacement, as a share of the side.

    Yields:
        A short name of the augmentation, the image and the mask.
    """
    if hflip:
        yield "hflip", image[:, ::-1], mask[:, ::-1]
    if vflip:
        yield "vflip", image[::-1], mask[::-1]
    if rotate90:
        for turns in (1, 2, 3):
            yield f"rotate{90 * turns}", np.rot90(image, turns), np.rot90(mask, turns)
    for index, amount in enumerate(distortions):
        rng = np.random.default_rng([*seed, index])
        yield f"distort{index + 1}_{amount:g}", *distort(image, mask, amount, rng)


def distort(
    image: Image, mask: Mask, amount: float, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Warp a tile smoothly, as the FlexUNet experiment does.

    The displacement is the gradient of Gaussian-smoothed white noise, scaled so that its largest
    component is `amount` times the longer side (antillia.com, TiledImageMaskDatasetGenerator; its
    slight blur of image and mask is left out). Beyond the edges the tile is reflected.

    Args:
        image: (rows, cols, bands) uint8, interpolated linearly.
        mask: (rows, cols) uint8, nearest neighbour.
        amount: largest displacement as a share of the longer side, above 0.
        rng: source of the noise.
    """
    rows, cols = mask.shape
    noise = rng.standard_normal((rows, cols)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), FIELD_SIGMA, borderType=cv2.BORDER_REFLECT_101)
    dy, dx = np.gradient(smooth)
    reach = amount * max(rows, cols)
    y, x = np.indices((rows, cols), np.float32)
    map_x = x - dx * (reach / np.abs(dx).max())
    map_y = y - dy * (reach / np.abs(dy).max())
    edges = cv2.BORDER_REFLECT_101
    warped = cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=edges)
    warped_mask = cv2.remap(mask, map_x, map_y, cv2.INTER_NEAREST, borderMode=edges)
    return warped.reshape(image.shape), warped_mask
