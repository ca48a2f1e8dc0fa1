"""Examples that are crops of mosaics: pieces of scenes of all sources, side by side."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.grid import Window
from landslide_cli.core.tiling.local_statistics import local_statistics
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.core.tiling.standardize import standardize
from landslide_cli.dataset.scenes import Scene
from landslide_cli.imagery.mosaic import Canvas, resized, turned
from landslide_cli.profile import TrainSettings
from landslide_cli.training_data.crops import OnlyForeground, as_it_is, turned_crop, with_pasted
from landslide_cli.training_data.examples import Pair
from landslide_cli.training_data.store import SceneStore

# What sets the draws of this module apart from others of the same seed, epoch and position.
_MOSAICS = 5

# Side of a mosaic, in crops: neighbours beyond the crop take part in its local statistics.
_SIDE = 1.5

# How often a mosaic is divided along an axis, and between which shares of its side.
_DIVIDED_SHARE, _DIVIDED = 0.6, (0.2, 0.8)

# Share of the mosaics in which each piece is standardized by itself, as small scenes and even
# ground are when they are mapped, instead of the mosaic as a whole, as an orthophoto is.
_ALONE_SHARE = 0.5


@dataclass(frozen=True)
class Ground:
    """The scenes of a source: how often they are drawn, and the range of their enlargement."""

    scenes: Sequence[Scene]
    weight: float
    zoom: tuple[float, float]


class MosaicExamples:
    """Random square crops of mosaics, one drawn for each of them; see `Examples`.

    A mosaic is divided into one, two or four rectangles, and each is filled from one source, drawn
    by weight: with a piece at a random place and, where that is too small, with more of them. A
    piece is a whole scene, or as much of one as a mosaic holds; scenes are drawn in proportion to
    their areas, enlarged at random within the range of their source, turned by quarters and
    mirrored. Landslides of other crops are pasted on as in `CropExamples`.

    Args:
        grounds: the sources; those without a scene or with the weight 0 are not drawn.
        load: reads a scene at its prepared size, not standardized.
        side: of a crop, in pixels.
        settings: the profile's `train`: seed, cache, crops and pasting.
        standardized: standardize the mosaics.
        kept: positions of bands that stay as they are.
        folder: of the disk cache.
        only_foreground: as of `CropExamples`.
        lit: likewise.

    Raises:
        DataError: there is no scene, or one cannot be loaded.
    """

    def __init__(
        self,
        grounds: Sequence[Ground],
        load: Callable[[Scene], Pair],
        side: int,
        settings: TrainSettings,
        standardized: bool,
        folder: Path | None = None,
        kept: tuple[int, ...] = (),
        only_foreground: OnlyForeground = as_it_is,
        lit: Sequence[int] | None = None,
    ) -> None:
        self.rows = self.cols = side
        self._settings, self._standardized, self._kept = settings, standardized, kept
        self._only_foreground, self._lit = only_foreground, lit
        self._grounds = [ground for ground in grounds if ground.scenes and ground.weight > 0.0]
        scenes = [scene for ground in self._grounds for scene in ground.scenes]
        self._store = SceneStore(scenes, load, settings.cache, folder)
        weights = np.array([ground.weight for ground in self._grounds])
        self._weights = weights / weights.sum()
        self._first = np.cumsum([0, *(len(ground.scenes) for ground in self._grounds)])
        areas = np.array([rows * cols for rows, cols in self._store.sizes], np.float64)
        self._areas = [
            np.cumsum(areas[start:stop])
            for start, stop in zip(self._first[:-1], self._first[1:], strict=True)
        ]
        self._count = settings.crops or max(1, math.ceil(areas.sum() / side**2))

    def __len__(self) -> int:
        return self._count

    def example(self, epoch: int, position: int) -> Pair:
        count, only = len(self), self._only_foreground
        return with_pasted(self._settings, self._crop, count, epoch, position, only, self._lit)

    def name(self, epoch: int, position: int) -> str:
        return f"mosaic {position} of epoch {epoch}"

    def _crop(self, epoch: int, position: int) -> Pair:
        rng = np.random.default_rng((self._settings.seed, epoch, position, _MOSAICS))
        side = round(_SIDE * self.rows)
        alone = self._standardized and rng.random() < _ALONE_SHARE
        image, mask = self._mosaic(rng, side, alone)
        if self._standardized and not alone:
            image = self._level(image)
        return self._cut((image, mask), rng)

    def _mosaic(self, rng: np.random.Generator, side: int, alone: bool) -> Pair:
        """Draw a mosaic of one to four rectangles, each of the ground of one source."""
        row_edges, col_edges = _edges(rng, side), _edges(rng, side)
        rows = []
        for top, bottom in pairwise(row_edges):
            cells = [
                self._cell(rng, (bottom - top, right - left), side, alone)
                for left, right in pairwise(col_edges)
            ]
            rows.append([np.concatenate(parts, axis=1) for parts in zip(*cells, strict=True)])
        image, mask = (np.concatenate(parts, axis=0) for parts in zip(*rows, strict=True))
        return image, mask

    def _cell(
        self, rng: np.random.Generator, size: tuple[int, int], side: int, alone: bool
    ) -> Pair:
        """Fill a rectangle with a piece and, where it is too small, with more of its source."""
        source = int(rng.choice(len(self._grounds), p=self._weights))

        def draw(rng: np.random.Generator) -> Pair:
            image, mask = self._piece(rng, source, side)
            return (self._level(image), mask) if alone else (image, mask)

        first = draw(rng)
        canvas = Canvas(*size, first[0].shape[-1], first[0].dtype)
        spare = (length - part for length, part in zip(size, first[1].shape, strict=True))
        canvas.put(first, *(int(rng.integers(min(0, room), max(0, room) + 1)) for room in spare))
        canvas.fill(draw, rng)
        return canvas.image, canvas.mask

    def _level(self, image: Image) -> Image:
        source = ImageSource(image, kept=self._kept)
        return standardize(image, local_statistics(source, (1.0, 1.0)))

    def _cut(self, mosaic: Pair, rng: np.random.Generator) -> Pair:
        """Cut a crop anywhere out of a mosaic, turned as the settings say, but not beyond it."""
        degrees = self._settings.crop_rotation * rng.uniform(-1.0, 1.0)
        angle = math.radians(degrees)
        corners = self.rows / 2 * (abs(math.cos(angle)) + abs(math.sin(angle)) - 1.0)
        margin = math.ceil(corners)
        last = len(mosaic[1]) - self.rows - margin
        row, col = (int(start) for start in rng.integers(margin, last + 1, size=2))
        if degrees == 0.0:
            inside = slice(row, row + self.rows), slice(col, col + self.cols)
            return np.array(mosaic[0][inside]), np.array(mosaic[1][inside])
        return turned_crop(mosaic, Window(col, row, self.rows, self.cols), self.rows, degrees)

    def _piece(self, rng: np.random.Generator, source: int, side: int) -> Pair:
        """Draw a piece of a source that is at most as large as a mosaic."""
        areas = self._areas[source]
        scene = int(np.searchsorted(areas, rng.random() * areas[-1], "right"))
        index = int(self._first[source]) + min(scene, len(areas) - 1)
        least, most = (math.log(zoom) for zoom in self._grounds[source].zoom)
        zoom = math.exp(rng.uniform(least, most))
        size = [min(length, max(1, round(side / zoom))) for length in self._store.sizes[index]]
        starts = zip(self._store.sizes[index], size, strict=True)
        row, col = (int(rng.integers(length - part + 1)) for length, part in starts)
        pair = self._store.window(index, Window(col, row, size[1], size[0]))
        pair = resized(pair, *(max(1, round(length * zoom)) for length in size))
        image, mask = turned(pair, int(rng.integers(8)))
        return np.ascontiguousarray(image), mask


def _edges(rng: np.random.Generator, side: int) -> list[int]:
    """Draw where a mosaic begins, may be divided, and ends along one axis."""
    middle = round(side * rng.uniform(*_DIVIDED))
    is_divided = rng.random() < _DIVIDED_SHARE and 0 < middle < side
    return [0, middle, side] if is_divided else [0, side]
