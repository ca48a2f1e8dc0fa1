"""The search for overlapping scenes, on a thousand drawn scenes of which fifty pairs overlap."""

import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.overlap import Features, extract, find_overlaps
from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.profile import Profile
from landslide_cli.stages.split.grouping import match_settings

Image = NDArray[np.uint8]
Points = NDArray[np.float64]

SIDE = 512
SCENES = 1000
PAIRS = 50
SEED = 77
SETTINGS = match_settings(Profile())


def bench_overlaps(folder: Path) -> list[tuple[str, str, str]]:
    """Search a thousand scenes for the fifty planted pairs; drawing them is not counted."""
    files = _draw_scenes(folder)
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as threads:
        features = list(threads.map(_features_of, files))
    extracted = time.perf_counter()
    overlaps = find_overlaps(features, SETTINGS, lambda: None)
    ended = time.perf_counter()
    pairs = {(overlap.first, overlap.second) for overlap in overlaps}
    planted = {(2 * pair, 2 * pair + 1) for pair in range(PAIRS)}
    weakest = min((o.inliers for o in overlaps if (o.first, o.second) in planted), default=0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return [
        ("overlaps, planted pairs found", f"{len(pairs & planted)} of {PAIRS}", "at least 48"),
        ("overlaps, false pairs", f"{len(pairs - planted)}", "0"),
        ("overlaps, inliers of the weakest pair", f"{weakest}", f"at least {SETTINGS.inliers}"),
        (
            f"overlaps, {SCENES} scenes, of it reading and key points",
            f"{ended - began:.0f} s",
            f"{(extracted - began) / (ended - began):.2f}",
        ),
        ("overlaps, peak memory", f"{memory:.1f} GB", "below 3"),
    ]


def _features_of(path: Path) -> Features:
    return extract(read_image(path, 3), SETTINGS)


def _draw_scenes(folder: Path) -> Sequence[Path]:
    """Draw the planted pairs, then the scenes that overlap none, with two processes."""
    with ProcessPoolExecutor(2) as processes:
        pairs = processes.map(partial(_draw_pair, folder), range(PAIRS))
        singles = processes.map(partial(_draw_single, folder), range(2 * PAIRS, SCENES))
        return [*(path for pair in pairs for path in pair), *singles]


def _draw_single(folder: Path, index: int) -> Path:
    return _written(folder, index, draw_scene(SEED, index, SIDE, SIDE)[0])


def _draw_pair(folder: Path, pair: int) -> tuple[Path, Path]:
    """Cut two scenes out of one larger; the second is moved, turned, scaled and lit anew.

    The shift is 30 to 80 % of the mean of the two sides on the ground, the scale 0.5 to 2.
    """
    rng = np.random.default_rng([SEED, pair])
    scale, shift = 2 ** rng.uniform(-1, 1), rng.uniform(0.3, 0.8)
    direction, turn = rng.uniform(0, 2 * np.pi, 2)
    away = shift * (SIDE + SIDE / scale) / 2
    first = _square(SIDE, 0)
    other = _square(SIDE / scale, turn) + away * np.array([np.cos(direction), np.sin(direction)])
    corner = np.floor(np.minimum(first.min(axis=0), other.min(axis=0))) - 2
    width, height = (np.maximum(first.max(axis=0), other.max(axis=0)) + 2 - corner).astype(int)
    ground, _ = draw_scene(SEED, pair, int(width), int(height))
    second = _lit(_cut(ground, other - corner, scale), rng)
    return (
        _written(folder, 2 * pair, _cut(ground, first - corner, 1)),
        _written(folder, 2 * pair + 1, second),
    )


def _square(side: float, turn: float) -> Points:
    """Three corners of a square around the origin: upper left, upper right, lower right."""
    corners = side / 2 * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0]])
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.asarray(corners @ turned, np.float64)


def _cut(ground: Image, corners: Points, scale: float) -> Image:
    """Cut a turned square out of the ground and scale it to SIDE x SIDE."""
    smooth = ground if scale >= 1 else cv2.GaussianBlur(ground, (0, 0), 0.45 / scale)
    target = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE]], np.float32)
    transform = cv2.getAffineTransform(corners.astype(np.float32), target)
    return np.asarray(cv2.warpAffine(smooth, transform, (SIDE, SIDE)), np.uint8)


def _lit(image: Image, rng: np.random.Generator) -> Image:
    lit = image * rng.uniform(0.7, 1.3) + rng.uniform(-25, 25)
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _written(folder: Path, index: int, image: Image) -> Path:
    path = folder / f"overlap{index:04d}.png"
    write_image(path, image)
    return path
