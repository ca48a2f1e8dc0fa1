"""The tiles of a part as examples: their order, their bits, and what is refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.core.palette import Palette
from landslide_cli.dataset.tiles import TileFiles
from landslide_cli.errors import DataError
from landslide_cli.training_data.store import Cache, CacheSetting
from landslide_cli.training_data.tiles import TileExamples
from tests.training_data.conftest import CACHES, WriteTiles, all_of, as_bytes, source_of


def test_without_a_seed_tiles_come_as_given(write_tiles: WriteTiles, palette: Palette) -> None:
    tiles = write_tiles(*[(16, 24)] * 5)
    examples = TileExamples(tiles, palette, 3)
    assert (len(examples), examples.rows, examples.cols) == (5, 16, 24)
    for epoch in (0, 4):
        assert [examples.name(epoch, i) for i in range(5)] == [str(tile.image) for tile in tiles]
    assert as_bytes(all_of(examples, 0)) == as_bytes(all_of(examples, 4))


def test_every_epoch_has_every_tile_in_an_order_of_its_own(
    write_tiles: WriteTiles, palette: Palette
) -> None:
    tiles = write_tiles(*[(8, 8)] * 12)
    plain = as_bytes(all_of(TileExamples(tiles, palette, 3), 0))
    examples = TileExamples(tiles, palette, 3, seed=7)
    orders = []
    for epoch in (0, 1, 2):
        expected = np.random.default_rng((7, epoch)).permutation(12)
        names = [examples.name(epoch, position) for position in range(12)]
        assert names == [str(tiles[index].image) for index in expected]
        pairs = as_bytes(all_of(examples, epoch))
        assert pairs == [plain[index] for index in expected]
        assert sorted(pairs) == sorted(plain)
        orders.append(tuple(expected))
    assert len(set(orders)) == 3
    other = TileExamples(tiles, palette, 3, seed=8)
    assert as_bytes(all_of(other, 0)) != as_bytes(all_of(examples, 0))


def test_tiles_are_the_same_bits_whatever_the_cache_the_order_and_the_threads(
    write_tiles: WriteTiles, palette: Palette, tmp_path: Path
) -> None:
    tiles = write_tiles(*[(8, 8)] * 6)
    places = [(epoch, position) for position in range(6) for epoch in (3, 0)]
    alone = TileExamples(tiles, palette, 3, seed=5, cache="none")
    wanted = as_bytes([alone.example(*place) for place in places])
    caches: tuple[CacheSetting, ...] = (*CACHES, "auto")
    for cache in caches:
        examples = TileExamples(tiles, palette, 3, seed=5, cache=cache, folder=tmp_path / "cache")
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(examples.example, *place) for place in [*places, *places]]
            assert as_bytes([future.result() for future in asked]) == [*wanted, *wanted]


@pytest.mark.parametrize("cache", CACHES)
def test_examples_may_be_changed_without_harm_to_the_cache(
    write_tiles: WriteTiles, palette: Palette, tmp_path: Path, cache: Cache
) -> None:
    tiles = TileExamples(write_tiles((8, 8)), palette, 3, cache=cache, folder=tmp_path / "tiles")
    crops = source_of([(8, 8)]).crops(8, cache=cache, folder=tmp_path / "crops")
    for examples in (tiles, crops):
        image, mask = examples.example(0, 0)
        before = as_bytes([(image, mask)])
        image += 1
        mask[:] = 7
        assert as_bytes([examples.example(0, 0)]) == before


def test_tiles_of_no_size_that_the_model_takes_are_refused(
    write_tiles: WriteTiles, palette: Palette
) -> None:
    with pytest.raises(DataError, match=r"t0.png: is 48 x 32 pixels; .* multiples of 32: prepare"):
        TileExamples(write_tiles((32, 48)), palette, 3, multiple=32)


@pytest.mark.parametrize("cache", CACHES)
def test_tiles_of_another_size_than_the_first_are_refused(
    write_tiles: WriteTiles, palette: Palette, tmp_path: Path, cache: Cache
) -> None:
    tiles = write_tiles((16, 16), (16, 32))
    examples = TileExamples(tiles, palette, 3, cache=cache, folder=tmp_path / "cache")
    examples.example(0, 0)
    with pytest.raises(DataError, match=r"t1\.png: is 32 x 16 pixels where the first tile is 16"):
        examples.example(0, 1)
    mixed = [TileFiles(tiles[0].image, tiles[1].mask)]
    with pytest.raises(DataError, match=r"m1\.png: is 32 x 16 pixels where the first"):
        TileExamples(mixed, palette, 3, cache="none").example(0, 0)


def test_a_damaged_tile_is_named(
    write_tiles: WriteTiles, palette: Palette, cut_short: Callable[..., Path]
) -> None:
    tiles = write_tiles((16, 16), (16, 16))
    examples = TileExamples(tiles, palette, 3)
    cut_short(tiles[1].image)
    with pytest.raises(DataError, match=r"t1\.png: is damaged"):
        examples.example(0, 1)
