"""Scenes in memory whose pixels say where they are, and tiles on disk."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.tiles import TileFiles
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.profile import TrainSettings
from landslide_cli.training_data.crops import CropExamples
from landslide_cli.training_data.examples import Examples, Pair
from landslide_cli.training_data.store import Cache
from landslide_cli.training_data.windows import WindowExamples

CACHES: tuple[Cache, ...] = ("memory", "disk", "none")

Size = tuple[int, int]
WriteTiles = Callable[..., list[TileFiles]]

scene_sizes = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=4)
seeds = st.integers(0, 2**40)


def pair_of(index: int, rows: int, cols: int, share: float = 0.2) -> Pair:
    """A scene in which each pixel differs, as far as two bands tell; some have no label."""
    rng = np.random.default_rng(index)
    place = np.arange(rows * cols).reshape(rows, cols)
    image = np.stack([place % 256, place // 256], axis=-1).astype(np.uint8)
    mask = (rng.random((rows, cols)) < share).astype(np.uint8)
    mask[rng.random((rows, cols)) < 0.1] = IGNORE
    return image, mask


class SceneSource:
    """Scenes in memory, which count how often each is loaded."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = list(pairs)
        self.scenes = [
            Scene(f"s{i}", Path(f"s{i}.png"), Path(f"m{i}.png")) for i in range(len(pairs))
        ]
        self.loaded = [0] * len(pairs)

    def load(self, scene: Scene) -> Pair:
        index = self.scenes.index(scene)
        self.loaded[index] += 1
        return self.pairs[index]

    def crops(self, side: int, folder: Path | None = None, **settings: Any) -> CropExamples:
        """Crops by the profile's `train` settings; nothing is cached unless they say so."""
        values = TrainSettings.model_validate({"seed": 1, "cache": "none", **settings})
        return CropExamples(self.scenes, self.load, side, values, folder)

    def windows(
        self, side: int, cache: Cache = "none", folder: Path | None = None
    ) -> WindowExamples:
        return WindowExamples(self.scenes, self.load, side, cache, folder)

    def place(self, examples: Examples, epoch: int, position: int) -> tuple[int, int, int]:
        """The scene, the row and the column of an example, as its name tells them."""
        name, place = examples.name(epoch, position).split(" at column ")
        col, row = place.split(", row ")
        return int(name[1:]), int(row), int(col)

    def expected(self, index: int, row: int, col: int, side: int) -> Pair:
        image, mask = self.pairs[index]
        padded = np.full((row + side, col + side), IGNORE, np.uint8)
        rows, cols = min(len(padded), len(mask)), min(padded.shape[1], mask.shape[1])
        padded[:rows, :cols] = mask[:rows, :cols]
        reflected = np.pad(image, [(0, side)] * 2 + [(0, 0)], mode="reflect")
        place = np.s_[row : row + side, col : col + side]
        return reflected[place], padded[place]


def source_of(sizes: Sequence[Size], share: float = 0.2) -> SceneSource:
    return SceneSource([pair_of(index, *size, share) for index, size in enumerate(sizes)])


def assert_same(pair: Pair, expected: Pair) -> None:
    for values, wanted in zip(pair, expected, strict=True):
        assert type(values) is np.ndarray
        assert values.dtype == np.uint8
        np.testing.assert_array_equal(values, wanted)


def all_of(examples: Examples, epoch: int) -> list[Pair]:
    return [examples.example(epoch, position) for position in range(len(examples))]


def as_bytes(pairs: Sequence[Pair]) -> list[bytes]:
    return [image.tobytes() + mask.tobytes() for image, mask in pairs]


@pytest.fixture
def write_tiles(tmp_path: Path, palette: Palette) -> WriteTiles:
    """Write tiles t0, t1, ... of the sizes given."""

    def write(*sizes: Size) -> list[TileFiles]:
        tiles = []
        for index, (rows, cols) in enumerate(sizes):
            rng = np.random.default_rng(index)
            tile = TileFiles(tmp_path / f"t{index}.png", tmp_path / f"m{index}.png")
            write_image(tile.image, rng.integers(0, 256, (rows, cols, 3), np.uint8))
            write_mask(tile.mask, rng.integers(0, 2, (rows, cols), np.uint8), palette)
            tiles.append(tile)
        return tiles

    return write
