"""The features of an image by which images of the same ground are found.

Key points and descriptors are SIFT (Lowe, Distinctive Image Features from Scale-Invariant
Keypoints, IJCV 2004), the descriptors compared by the Hellinger kernel (RootSIFT: Arandjelović and
Zisserman, Three things everyone should know to improve object retrieval, CVPR 2012).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.imagery.overlap.settings import MatchSettings

Floats = NDArray[np.float32]

# Below OpenCV's 0.04, for ground in haze or shade; the second where the first finds few, as on
# smooth ground.
CONTRASTS = 0.02, 0.004
SIFT_LAYERS = 3  # of an octave; a key point's contrast is its response times this
FEW = 0.25  # share of the key points asked for
CELLS = 8  # key points are spread over CELLS x CELLS parts of the image
DESCRIPTOR_NORM = 512.0  # as in SIFT's own 8-bit descriptors
THUMBNAIL = 512  # long side in pixels
SIGNATURE = 32  # side in cells
BLANK = 3, 252  # gray levels up to which, or from which on, a larger area is no ground
BLANK_SIDE = 15  # pixels; the least side of such an area


@dataclass(frozen=True, eq=False)
class Features:
    """What is remembered of an image of `width` x `height` pixels; n key points.

    Args:
        points: (n, 2) float32, x and y in pixels of the original image.
        sizes: (n,) float32, diameter in pixels of the original image.
        angles: (n,) float32, orientation in degrees, [0, 360).
        descriptors: (n, 128) uint8 RootSIFT, of norm `DESCRIPTOR_NORM`.
        width: columns of the original image.
        height: rows of the original image.
        thumbnail: (rows, cols) uint8 gray, long side at most `THUMBNAIL`.
        signature: (SIGNATURE, SIGNATURE) float32 mean gray levels of as many cells.
        digest: the same for images of identical size and gray values only.
        flat: whether the image is constant and so shows no ground.
    """

    points: Floats
    sizes: Floats
    angles: Floats
    descriptors: NDArray[np.uint8]
    width: int
    height: int
    thumbnail: NDArray[np.uint8]
    signature: Floats
    digest: bytes
    flat: bool

    @property
    def long_side(self) -> int:
        """The longer of `width` and `height`."""
        return max(self.width, self.height)


def extract(image: Image, settings: MatchSettings) -> Features:
    """Find the key points of an image and describe them.

    Args:
        image: (rows, cols, bands) uint8, at least one pixel and one band.
        settings: `size` and `features` are used.
    """
    gray = gray_of(image)
    rows, cols = gray.shape
    small = _reduced(gray, settings.size)
    points, sizes, angles, descriptors = _key_points(small, settings.features)
    ratio = np.array([cols / small.shape[1], rows / small.shape[0]], np.float32)
    return Features(
        points=(points + 0.5) * ratio - 0.5,
        sizes=sizes * ratio.max(),
        angles=angles,
        descriptors=descriptors,
        width=cols,
        height=rows,
        thumbnail=_reduced(small, THUMBNAIL),
        signature=_cell_means(small),
        digest=hashlib.blake2b(gray.tobytes(), salt=f"{cols}x{rows}".encode()[:16]).digest(),
        flat=bool(gray.min() == gray.max()),
    )


def gray_of(image: Image) -> NDArray[np.uint8]:
    """Average up to three bands of (rows, cols, bands) uint8; returns (rows, cols) uint8."""
    count = min(3, image.shape[-1])
    total = np.full(image.shape[:2], count // 2, np.uint16)
    for band in range(count):
        total += image[..., band].astype(np.uint8)
    return np.asarray(total // count, np.uint8)


def enlarged(features: Features, width: int, height: int) -> Features:
    """Return the features of a reduced copy as those of its original of `width` x `height`."""
    ratio = np.array([width / features.width, height / features.height], np.float32)
    return replace(
        features,
        points=(features.points + np.float32(0.5)) * ratio - np.float32(0.5),
        sizes=features.sizes * ratio.max(),
        width=width,
        height=height,
    )


def mirrored(features: Features) -> Features:
    """Return the features that the image would have if it were mirrored left to right.

    A mirrored patch has the descriptor with its rows of cells and the sense of its directions
    reversed, as its own orientation is the axis of the mirror. Thumbnail and signature are
    mirrored too, the digest stays.
    """
    cells = features.descriptors.reshape(-1, 4, 4, 8)
    directions = -np.arange(8) % 8
    return replace(
        features,
        points=_flipped(features.points, features.width),
        angles=(180 - features.angles) % 360,
        descriptors=np.ascontiguousarray(cells[:, ::-1][..., directions]).reshape(-1, 128),
        thumbnail=features.thumbnail[:, ::-1],
        signature=features.signature[:, ::-1],
    )


def _flipped(points: Floats, width: int) -> Floats:
    flipped = points.copy()
    flipped[:, 0] = width - 1 - points[:, 0]
    return flipped


def _reduced(gray: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Average an image down so that its long side is at most `size`."""
    rows, cols = gray.shape
    ratio = size / max(rows, cols)
    if ratio >= 1:
        return gray
    shape = max(1, round(cols * ratio)), max(1, round(rows * ratio))
    return np.asarray(cv2.resize(gray, shape, interpolation=cv2.INTER_AREA), np.uint8)


def _cell_means(gray: NDArray[np.uint8]) -> Floats:
    cells = (SIGNATURE, SIGNATURE)
    small = cv2.resize(gray.astype(np.float32), cells, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _key_points(
    gray: NDArray[np.uint8], most: int
) -> tuple[Floats, Floats, Floats, NDArray[np.uint8]]:
    """Return points, sizes, angles and descriptors of at most `most` key points."""
    sift = _sift(CONTRASTS[1])
    faint = sift.detect(gray, _ground(gray))
    found = [point for point in faint if point.response * SIFT_LAYERS >= CONTRASTS[0]]
    if len(found) < FEW * most:
        found = faint
    chosen = [found[index] for index in _spread(found, gray.shape, most)]
    kept, descriptors = sift.compute(gray, chosen) if chosen else ([], None)
    if not kept:
        nothing = np.zeros(0, np.float32)
        return nothing.reshape(0, 2), nothing, nothing, np.zeros((0, 128), np.uint8)
    points = np.array([point.pt for point in kept], np.float32)
    sizes = np.array([point.size for point in kept], np.float32)
    angles = np.array([point.angle for point in kept], np.float32)
    return points, sizes, angles, _root(descriptors)


def _sift(contrast: float) -> Any:
    return cv2.SIFT.create(
        nfeatures=0,
        nOctaveLayers=SIFT_LAYERS,
        contrastThreshold=contrast,
        edgeThreshold=10,
        sigma=1.6,
        descriptorType=cv2.CV_8U,
        enable_precise_upscale=True,
    )


def _ground(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mark with 255 what is not near a black or white area, such as the frame of a mosaic.

    The outline of such an area is no ground, and alike in images of quite different ground.
    """
    whole, around = (np.ones((side, side), np.uint8) for side in (BLANK_SIDE, 2 * BLANK_SIDE))
    black, white = cv2.dilate(gray, whole) <= BLANK[0], cv2.erode(gray, whole) >= BLANK[1]
    near = cv2.dilate((black | white).astype(np.uint8), around)
    return np.asarray(255 * (1 - near), np.uint8)


def _spread(key_points: Sequence[Any], shape: tuple[int, ...], most: int) -> NDArray[np.intp]:
    """Choose the strongest key points of every part of the image, in turns; returns indices."""
    if not key_points:
        return np.zeros(0, np.intp)
    points = np.array([point.pt for point in key_points])
    strength = np.array([point.response * np.sqrt(point.size) for point in key_points])
    order = np.lexsort((points[:, 0], points[:, 1], -strength))
    part = (points / (shape[1], shape[0]) * CELLS).astype(int).clip(0, CELLS - 1) @ (CELLS, 1)
    rank = np.empty(len(key_points), int)
    for number in np.unique(part):
        inside = order[part[order] == number]
        rank[inside] = np.arange(len(inside))
    return order[np.argsort(rank[order], kind="stable")][:most]


def _root(descriptors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn SIFT descriptors into RootSIFT, kept in 8 bits so that products of them are exact."""
    total = np.maximum(descriptors.sum(axis=1, keepdims=True, dtype=np.float32), 1)
    root = DESCRIPTOR_NORM * np.sqrt(descriptors / total)
    return np.asarray(np.clip(np.rint(root), 0, 255), np.uint8)
