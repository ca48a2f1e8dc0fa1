"""Offline augmentation: further copies of a tile, image and mask moved alike."""

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import Mask
from landslide_cli.core.tiling.resampling import by_bands

Floats = NDArray[np.floating]
# (rows, cols, bands), of tiles in their own values too.
Image = NDArray[Any]

# Width of the noise that the experiment's distortion field is smoothed with, in pixels.
FIELD_SIGMA = 40.0

# Deviation of the Gaussian that unsharp masking compares with, in pixels.
SHARPENING_SIGMA = 1.0


def copies(
    image: Image,
    mask: Mask,
    seed: Sequence[int],
    hflip: bool = False,
    vflip: bool = False,
    rotate90: bool = False,
    distortions: Sequence[float] = (),
    lens: Sequence[float] = (),
    sharpen: Sequence[float] = (),
) -> Iterator[tuple[str, Image, Mask]]:
    """Make the augmented copies of a tile, without the tile itself.

    Args:
        image: (rows, cols, bands).
        mask: (rows, cols) uint8 class indices.
        seed: fixes the distortions.
        hflip: add the mirror image left to right.
        vflip: add the mirror image top to bottom.
        rotate90: add the turns by 90, 180 and 270 degrees.
        distortions: add a smooth warp for each largest displacement, as a share of the side.
        lens: add a radial distortion by each coefficient.
        sharpen: add a copy sharpened by each factor.

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
    for index, coefficient in enumerate(lens):
        kind = "barrel" if coefficient > 0.0 else "pincushion"
        distorted = through_lens(image, mask, coefficient)
        yield f"{kind}{index + 1}_{abs(coefficient):g}", *distorted
    for index, factor in enumerate(sharpen):
        yield f"sharpen{index + 1}_{factor:g}", sharpened(image, factor), mask


def distort(
    image: Image, mask: Mask, amount: float, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Warp a tile smoothly, as the FlexUNet experiment does.

    The displacement is the gradient of Gaussian-smoothed white noise, scaled so that its largest
    component is `amount` times the longer side (antillia.com, TiledImageMaskDatasetGenerator; its
    slight blur of image and mask is left out). Beyond the edges the tile is reflected.

    Args:
        image: (rows, cols, bands), interpolated linearly.
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
    return _remapped(image, mask, map_x, map_y)


def through_lens(image: Image, mask: Mask, coefficient: float) -> tuple[Image, Mask]:
    """Distort a tile radially about its centre, as a barrel or a pincushion.

    What is shown at the distance r from the centre, 1 at the corners, was at r (1 + k r^2), the
    first term of Brown's model of lenses (1966). For k > 0, the barrel, that is divided by 1 + k,
    so that the corners stay where they are; for k < 0, the pincushion, they leave the tile. In
    neither case ground beyond the edges would be needed.

    Args:
        image: (rows, cols, bands), interpolated linearly.
        mask: (rows, cols) uint8, nearest neighbour.
        coefficient: k, above -1/3.
    """
    rows, cols = mask.shape
    y, x = np.indices((rows, cols), np.float32)
    centre_y, centre_x = (rows - 1) / 2, (cols - 1) / 2
    dy, dx = y - centre_y, x - centre_x
    squared = (dy**2 + dx**2) / max(1.0, centre_y**2 + centre_x**2)
    scale = (1.0 + coefficient * squared) / (1.0 + max(0.0, coefficient))
    map_x, map_y = (centre_x + dx * scale), (centre_y + dy * scale)
    return _remapped(image, mask, map_x.astype(np.float32), map_y.astype(np.float32))


def sharpened(image: Image, factor: float) -> Image:
    """Sharpen a tile by unsharp masking: add a factor of its difference from its blurred self.

    Args:
        image: (rows, cols, bands).
        factor: above 0; 1 doubles the finest contrasts.
    """

    def blur(bands: Image) -> Image:
        edges = cv2.BORDER_REFLECT_101
        blurred = cv2.GaussianBlur(bands, (0, 0), SHARPENING_SIGMA, borderType=edges)
        return np.asarray(blurred.reshape(bands.shape), image.dtype)

    changed = image + factor * (image.astype(np.float32) - by_bands(image, blur))
    if image.dtype.kind != "f":
        ends = np.iinfo(image.dtype.name)
        changed = np.clip(np.round(changed), ends.min, ends.max)
    return np.asarray(changed, image.dtype)


def _remapped(image: Image, mask: Mask, map_x: Floats, map_y: Floats) -> tuple[Image, Mask]:
    """Take each pixel from a place in the tile, which is reflected beyond its edges."""
    edges = cv2.BORDER_REFLECT_101

    def move(bands: Image) -> Image:
        moved = cv2.remap(bands, map_x, map_y, cv2.INTER_LINEAR, borderMode=edges)
        return np.asarray(moved.reshape(bands.shape), image.dtype)

    moved_mask = cv2.remap(mask, map_x, map_y, cv2.INTER_NEAREST, borderMode=edges)
    return by_bands(image, move), moved_mask
