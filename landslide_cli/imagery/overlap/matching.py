"""Whether two images show the same ground: one similarity must explain their matches.

A match is a pair of key points that are each other's nearest in descriptor and clearly nearer than
the next best (Lowe 2004). Each also says how much larger and how far turned the second image is;
the largest group of matches that agree on this goes through RANSAC (Fischler and Bolles 1981).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.overlap.features import Features
from landslide_cli.imagery.overlap.settings import MatchSettings

Points = NDArray[np.float64]
Matrix2x3 = NDArray[np.float64]  # (2, 3)

ANGLE = 25.0  # degrees that two matches of one similarity may differ by
OCTAVES = 0.7  # octaves of size likewise
SCALES = 0.2, 5.0  # smallest and largest scale between two images
CONFIDENCE = 0.999
MOST_ROUNDS = 2000
SPREAD = 0.03  # least root mean square distance of inliers from their centre, to the long side
FEWEST = 3  # matches that a transform needs
AGREEMENT = 0.2  # least share of the matches in the common area that agree
FEWEST_PIXELS = 1000  # of the thumbnails, in which textures can be compared
DISTINCT = 0.01  # points nearer than this share of the long side count as one


@dataclass(frozen=True, eq=False)
class Similarity:
    """A similarity between two images and the evidence for it.

    Args:
        transform: (2, 3), pixels of the first original to pixels of the second.
        inliers: distinct matches that agree with it.
        agreement: share of the matches in the area it makes common that agree with it, in [0, 1].
        correlation: of the texture in that area, in [-1, 1].
        overlap: share of the smaller image's area that both show, in [0, 1].
        covered: share of the larger one's, in [0, 1].
    """

    transform: Matrix2x3
    inliers: int
    agreement: float
    correlation: float
    overlap: float
    covered: float

    def convinces(self, settings: MatchSettings) -> bool:
        """Whether many matches agree, or few where the texture is the same too."""
        return self.inliers >= settings.inliers or self.correlation >= settings.correlation


def fit(first: Features, second: Features, settings: MatchSettings) -> Similarity | None:
    """Fit the similarity that most matches agree on; None if there is no plausible one."""
    rows, cols = match(first, second, settings.ratio)
    group = _of_one_turn(first, second, rows, cols)
    if len(group) < FEWEST:
        return None
    source, target = first.points[rows].astype(float), second.points[cols].astype(float)
    reach = settings.tolerance * second.long_side
    transform = _similarity(source[group], target[group], reach)
    if transform is None:
        return None
    off = np.linalg.norm(moved(source, transform) - target, axis=1)
    inlying = group[off[group] <= reach]
    if not (_spread(source[inlying], first) and _spread(target[inlying], second)):
        return None
    agreement = len(inlying) / max(1, int(_inside(moved(source, transform), second).sum()))
    if agreement < AGREEMENT:
        return None
    overlap, covered = common_shares(first, second, transform)
    return Similarity(
        transform,
        min(_distinct(source[inlying], first), _distinct(target[inlying], second)),
        agreement,
        texture_correlation(first, second, transform),
        overlap,
        covered,
    )


def match(
    first: Features, second: Features, ratio: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the key points of two images that are each other's nearest by far, row by row."""
    if min(len(first.points), len(second.points)) < 2:
        nothing = np.zeros(0, np.intp)
        return nothing, nothing
    squares = _squared_distances(first.descriptors, second.descriptors)
    every = np.arange(len(squares))
    nearest = squares.argmin(axis=1)
    best = squares[every, nearest]
    squares[every, nearest] = np.inf
    rows = np.flatnonzero(best < ratio**2 * squares.min(axis=1))
    squares[every, nearest] = best
    cols = nearest[rows]
    mutual = squares[:, cols].argmin(axis=0) == rows
    return rows[mutual], cols[mutual]


def moved(points: Points, transform: Matrix2x3) -> Points:
    """Transform (n, 2) points."""
    return points @ transform[:, :2].T + transform[:, 2]


def corners(features: Features) -> Points:
    """Return the outline of an image in its own pixels, (4, 2)."""
    right, bottom = features.width - 0.5, features.height - 0.5
    return np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])


def common_shares(first: Features, second: Features, transform: Matrix2x3) -> tuple[float, float]:
    """Return the shares of the smaller and of the larger image's area that both show."""
    outline = moved(corners(first), transform).astype(np.float32)
    common, _ = cv2.intersectConvexConvex(outline, corners(second).astype(np.float32))
    areas = cv2.contourArea(outline), float(second.width * second.height)
    return min(1.0, common / min(areas)), min(1.0, common / max(areas))


def texture_correlation(first: Features, second: Features, transform: Matrix2x3) -> float:
    """Correlate the gradients of two thumbnails where the transform lays them on each other.

    Returns 0 where fewer than `FEWEST_PIXELS` are common.
    """
    to_first = _to_thumbnail(first)
    to_second = _to_thumbnail(second)
    chain = to_second @ np.vstack([transform, [0, 0, 1]]) @ np.linalg.inv(to_first)
    # Compare at the coarser of the two resolutions.
    scale = np.sqrt(abs(np.linalg.det(chain[:2, :2])))
    if scale > 1:
        return _laid_over(second.thumbnail, first.thumbnail, np.linalg.inv(chain)[:2])
    return _laid_over(first.thumbnail, second.thumbnail, chain[:2])


def _laid_over(fine: NDArray[np.uint8], coarse: NDArray[np.uint8], chain: Matrix2x3) -> float:
    rows, cols = coarse.shape
    scale = np.sqrt(abs(np.linalg.det(chain[:, :2])))
    image = fine.astype(np.float32)
    if scale < 0.9:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    warped = cv2.warpAffine(image, chain, (cols, rows), borderMode=cv2.BORDER_REPLICATE)
    valid = cv2.warpAffine(np.ones_like(image), chain, (cols, rows), flags=cv2.INTER_NEAREST)
    valid = cv2.erode(valid, np.ones((3, 3), np.uint8), borderValue=0) > 0
    if np.count_nonzero(valid) < FEWEST_PIXELS:
        return 0.0
    a, b = _texture(warped)[:, valid], _texture(coarse.astype(np.float32))[:, valid]
    return float((a * b).sum() / max(np.sqrt((a**2).sum() * (b**2).sum()), 1e-6))


def _texture(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the gradients of a smoothed image, strong ones damped, (2, rows, cols)."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    damping = np.sqrt(np.sqrt(dx**2 + dy**2) + 1e-3)
    return np.asarray(np.stack([dx, dy]) / damping, np.float32)


def _to_thumbnail(features: Features) -> Matrix2x3:
    """Return the (3, 3) transform from pixels of the original to pixels of the thumbnail."""
    rows, cols = features.thumbnail.shape
    x, y = cols / features.width, rows / features.height
    return np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1.0]])


def _squared_distances(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the squared distances of all (n, 128) from all (m, 128), (n, m).

    One product of matrices; all sums are integers below 2^24 and so exact in float32.
    """
    ours, theirs = a.astype(np.float32), b.astype(np.float32)
    ones = np.ones((len(ours), 1), np.float32), np.ones((len(theirs), 1), np.float32)
    left = np.hstack([-2 * ours, np.square(ours).sum(axis=1, keepdims=True), ones[0]])
    right = np.hstack([theirs, ones[1], np.square(theirs).sum(axis=1, keepdims=True)])
    return np.asarray(left @ right.T, np.float32)


def _of_one_turn(
    first: Features, second: Features, rows: NDArray[np.intp], cols: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Choose the largest group of matches that agree in turn and scale."""
    if not len(rows):
        return rows
    turn = second.angles[cols] - first.angles[rows]
    octave = np.log2(second.sizes[cols] / first.sizes[rows])
    apart = np.abs((turn[:, None] - turn + 180) % 360 - 180)
    alike = (apart < ANGLE) & (np.abs(octave[:, None] - octave) < OCTAVES)
    return np.flatnonzero(alike[alike.sum(axis=1).argmax()])


def _similarity(source: Points, target: Points, reach: float) -> Matrix2x3 | None:
    transform, _ = cv2.estimateAffinePartial2D(
        source,
        target,
        method=cv2.RANSAC,
        ransacReprojThreshold=reach,
        maxIters=MOST_ROUNDS,
        confidence=CONFIDENCE,
    )
    if transform is None:
        return None
    scale = np.hypot(*transform[:, 0])
    return np.asarray(transform, np.float64) if SCALES[0] <= scale <= SCALES[1] else None


def _inside(points: Points, image: Features) -> NDArray[np.bool_]:
    size = image.width, image.height
    return np.asarray(((points >= 0) & (points < size)).all(axis=1))


def _spread(points: Points, image: Features) -> bool:
    """Whether points are spread over more than a spot."""
    if len(points) < 2:
        return False
    return bool(np.sqrt(points.var(axis=0).sum()) >= SPREAD * image.long_side)


def _distinct(points: Points, image: Features) -> int:
    """Count the points that are not next to each other."""
    cells = np.floor(points / (DISTINCT * image.long_side)).astype(int)
    return len(np.unique(cells, axis=0))
