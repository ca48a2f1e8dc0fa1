"""What a training draws from: tiles, crops and windows, whatever the cache and the order."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.memory import free_memory
from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.tiles import TileFiles
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.training_data import examples as module
from landslide_cli.training_data.examples import (
    Cache,
    CropExamples,
    Examples,
    Pair,
    Store,
    TileExamples,
    Wanted,
    WindowExamples,
    choose,
)

CACHES: tuple[Cache, ...] = ("memory", "disk", "none")

Size = tuple[int, int]
sizes_of_scenes = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=4
)
seeds = st.integers(0, 2**40)


def pair_of(index: int, rows: int, cols: int, share: float = 0.2) -> Pair:
    """A scene whose every pixel is another, as far as two bands tell; some have no label."""
    rng = np.random.default_rng(index)
    place = np.arange(rows * cols).reshape(rows, cols)
    image = np.stack([place % 256, place // 256], axis=-1).astype(np.uint8)
    mask = (rng.random((rows, cols)) < share).astype(np.uint8)
    mask[rng.random((rows, cols)) < 0.1] = IGNORE
    return image, mask


class Source:
    """Scenes in memory, which counts how often each is loaded."""

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

    def crops(self, side: int, **options: Any) -> CropExamples:
        known: dict[str, Any] = {
            "count": None,
            "foreground_share": 0.5,
            "seed": 1,
            "bands": 2,
            "cache": "none",
        }
        return CropExamples(self.scenes, self.load, side, **(known | options))

    def windows(self, side: int, **options: Any) -> WindowExamples:
        known: dict[str, Any] = {"bands": 2, "cache": "none"}
        return WindowExamples(self.scenes, self.load, side, **(known | options))

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


def source_of(sizes: Sequence[Size], share: float = 0.2) -> Source:
    return Source([pair_of(index, *size, share) for index, size in enumerate(sizes)])


def assert_same(one: Pair, other: Pair) -> None:
    for ours, theirs in zip(one, other, strict=True):
        assert type(ours) is np.ndarray
        assert ours.dtype == np.uint8
        np.testing.assert_array_equal(ours, theirs)


def all_of(examples: Examples, epoch: int) -> list[Pair]:
    return [examples.example(epoch, position) for position in range(len(examples))]


def as_bytes(pairs: Sequence[Pair]) -> list[bytes]:
    return [image.tobytes() + mask.tobytes() for image, mask in pairs]


@given(sizes_of_scenes, st.integers(1, 24), st.sampled_from([0.0, 0.5, 1.0]), seeds)
def test_crops_lie_in_their_scenes_and_are_their_pixels(
    sizes: list[Size], side: int, share: float, seed: int
) -> None:
    source = source_of(sizes)
    crops = source.crops(side, count=8, foreground_share=share, seed=seed)
    assert (crops.rows, crops.cols, len(crops)) == (side, side, 8)
    for position in range(8):
        index, row, col = source.place(crops, 3, position)
        rows, cols = sizes[index]
        assert 0 <= row <= max(0, rows - side)
        assert 0 <= col <= max(0, cols - side)
        assert_same(crops.example(3, position), source.expected(index, row, col, side))


def diagonal(rows: int, cols: int) -> Pair:
    """An image whose first band is the row and whose second the column; foreground on the left."""
    y, x = np.mgrid[0:rows, 0:cols]
    mask = (x < cols // 2).astype(np.uint8)
    return np.stack([y, x], axis=-1).astype(np.uint8), mask


def test_turned_crops_show_the_ground_where_it_is() -> None:
    """Rows and columns are read back from the pixels: they are turned and enlarged as a whole."""
    source = Source([diagonal(200, 240)])
    crops = source.crops(32, count=40, scale=(0.5, 2.0), rotation=180.0)
    seen, angles = [], []
    for image, mask in all_of(crops, 0):
        inside = mask != IGNORE
        labels = (image[..., 1] < 120).astype(np.uint8)
        agree = (labels == mask)[inside]
        assert agree.mean() > 0.95
        row, col = (image[..., band].astype(float) for band in (0, 1))
        if not inside.all():
            continue
        # Steps of the ground along the crop's rows are those along its columns, turned by 90°.
        along = np.array([np.diff(row[16]).mean(), np.diff(col[16]).mean()])
        across = np.array([np.diff(row[:, 16]).mean(), np.diff(col[:, 16]).mean()])
        np.testing.assert_allclose(across, [along[1], -along[0]], atol=0.1)
        seen.append(1.0 / np.hypot(*along))
        angles.append(np.degrees(np.arctan2(*along)))
    assert 0.45 < min(seen) < 0.75
    assert 1.3 < max(seen) < 2.2
    assert np.ptp(angles) > 180.0


def test_a_crop_that_is_only_enlarged_has_a_label_everywhere() -> None:
    crops = Source([diagonal(60, 60)]).crops(32, count=20, scale=(0.6, 2.0))
    for image, mask in all_of(crops, 0):
        assert image.shape == (32, 32, 2)
        assert not (mask == IGNORE).any()


def test_turned_crops_are_a_function_of_seed_epoch_and_position() -> None:
    def made(**options: Any) -> CropExamples:
        chosen = {"count": 5, "scale": (0.5, 2.0), "rotation": 90.0}
        return source_of([(40, 50)]).crops(16, **(chosen | options))

    first = as_bytes(all_of(made(), 3))
    assert first == as_bytes(all_of(made(), 3)[::-1])[::-1]
    assert first != as_bytes(all_of(made(), 4))
    assert first != as_bytes(all_of(made(seed=2), 3))


def test_the_foreground_of_another_crop_is_pasted_with_its_label() -> None:
    """Of two scenes one is all dark background, the other all bright foreground."""
    dark = np.zeros((40, 40, 2), np.uint8), np.zeros((40, 40), np.uint8)
    spots = np.zeros((40, 40), np.uint8)
    spots[10:30, 10:30] = 1
    bright = np.full((40, 40, 2), 200, np.uint8), spots
    source = Source([dark, bright])
    plain = all_of(source.crops(40, count=60, foreground_share=0.0), 0)
    pasted = all_of(source.crops(40, count=60, foreground_share=0.0, copy_paste=0.5), 0)
    changed = [
        (one, other) for one, other in zip(plain, pasted, strict=True) if (one[1] != other[1]).any()
    ]
    # Half of the crops get another, half of the others have foreground, half of these lie on dark.
    assert 2 <= len(changed) <= 16
    for (image, mask), (mixed, labels) in changed:
        assert not image.any()
        assert not mask.any()
        np.testing.assert_array_equal(labels, spots)
        assert (mixed[14:26, 14:26] == 200).all()
        assert not mixed[:5].any()
        assert 0 < mixed[10, 20, 0] < 200
    assert as_bytes(pasted) == as_bytes(
        all_of(source.crops(40, count=60, foreground_share=0.0, copy_paste=0.5), 0)
    )


def test_pasted_foreground_gets_other_light_and_sometimes_it_is_the_crop_s_own() -> None:
    """Two scenes with foreground at other places, so that each paste shows whose it is."""
    pairs = []
    for rows, level in ((slice(4, 16), 80), (slice(24, 36), 120)):
        mask = np.zeros((40, 40), np.uint8)
        mask[rows, 10:30] = 1
        pairs.append((np.full((40, 40, 2), level, np.uint8), mask))
    options: dict[str, Any] = {"count": 200, "foreground_share": 0.0, "copy_paste": 1.0}
    found = all_of(Source(pairs).crops(40, paste_light=1.0, **options), 0)
    middles = {0: np.s_[10, 20], 1: np.s_[30, 20]}
    own, levels, apart = 0, [], []
    for image, mask in found:
        # The ground of a crop tells which scene it is of.
        scene = 0 if image[20, 2, 0] == 80 else 1
        if not mask[middles[1 - scene]]:
            own += 1
            levels.append(image[middles[scene]].mean() / (80, 120)[scene])
        else:
            levels.append(image[middles[1 - scene]].mean() / (120, 80)[scene])
            assert (image[middles[scene]] == (80, 120)[scene]).all()
        assert (image[:2] == (80, 120)[scene]).all()
        there = image[middles[scene] if not mask[middles[1 - scene]] else middles[1 - scene]]
        apart.append(int(there[0]) - int(there[1]))
    # Three in ten by choice, and half of the others as both crops are of one scene.
    assert 100 < own < 160
    assert min(levels) < 0.7
    assert max(levels) > 1.6
    assert 0 < max(np.abs(apart)) <= 21
    assert len(set(apart)) > 10


def test_nothing_is_drawn_for_other_light_where_there_is_none() -> None:
    pair = pair_of(3, 40, 40)
    options: dict[str, Any] = {"count": 20, "copy_paste": 0.9}
    source = Source([pair, pair_of(4, 40, 40)])
    plain = as_bytes(all_of(source.crops(24, **options), 0))
    assert as_bytes(all_of(source.crops(24, paste_light=0.0, **options), 0)) == plain
    assert as_bytes(all_of(source.crops(24, paste_light=0.5, **options), 0)) != plain


def test_crops_of_many_bands_are_turned_too() -> None:
    image, mask = pair_of(0, 40, 40)
    bands = np.concatenate([image] * 4, axis=-1)
    crop, _ = Source([(bands, mask)]).crops(16, count=1, rotation=45.0, bands=8).example(0, 0)
    np.testing.assert_array_equal(crop[..., :2], crop[..., 6:])


@given(sizes_of_scenes, st.integers(1, 24))
def test_crops_an_epoch_cover_the_scenes_once_unless_told_otherwise(
    sizes: list[Size], side: int
) -> None:
    pixels = sum(rows * cols for rows, cols in sizes)
    assert len(source_of(sizes).crops(side)) == max(1, -(-pixels // side**2))
    assert len(source_of(sizes).crops(side, count=7)) == 7


@given(sizes_of_scenes, st.integers(1, 24), seeds, st.randoms(use_true_random=False))
def test_crops_are_the_same_bits_whatever_the_cache_the_order_and_the_threads(
    sizes: list[Size], side: int, seed: int, random: Any
) -> None:
    source = source_of(sizes)
    places = [(epoch, position) for epoch in (0, 5) for position in range(6)]
    wanted = [source.crops(side, count=6, seed=seed).example(*place) for place in places]
    order = list(range(len(places)))
    random.shuffle(order)
    with TemporaryDirectory() as folder, ThreadPoolExecutor(4) as threads:
        for cache in CACHES:
            crops = source.crops(side, count=6, seed=seed, cache=cache, folder=Path(folder))
            asked = [threads.submit(crops.example, *places[index]) for index in order]
            for index, future in zip(order, asked, strict=True):
                assert_same(future.result(), wanted[index])


def test_another_epoch_or_seed_has_other_crops() -> None:
    source = source_of([(40, 40)] * 3)
    crops = source.crops(8, count=20)
    first, again = as_bytes(all_of(crops, 0)), as_bytes(all_of(source.crops(8, count=20), 0))
    assert first == again
    assert len(set(first)) > 15
    for other in (all_of(crops, 1), all_of(source.crops(8, count=20, seed=2), 0)):
        assert sum(a == b for a, b in zip(first, as_bytes(other), strict=True)) <= 2


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_so_many_crops_as_asked_for_are_centred_on_foreground(share: float) -> None:
    side = 16
    inside = np.s_[side // 2 : side // 2 - side, side // 2 : side // 2 - side]
    source = source_of([(200, 200)] * 3)
    for _, mask in source.pairs:
        # Near the edges no crop can be centred.
        labels = mask[inside].copy()
        mask[:] = 0
        mask[inside] = labels
    by_chance = np.mean([mask[inside] == 1 for _, mask in source.pairs])
    crops = source.crops(side, count=2000, foreground_share=share)
    centres = [mask[side // 2, side // 2] == 1 for _, mask in all_of(crops, 0)]
    assert np.mean(centres) == pytest.approx(share + (1 - share) * by_chance, abs=0.035)


def test_scenes_with_foreground_are_chosen_alike_and_all_others_by_their_areas() -> None:
    big, small = np.zeros((120, 100), np.uint8), np.zeros((40, 50), np.uint8)
    big[60, 50] = small[20, 20] = 1
    none = np.zeros((60, 100), np.uint8)
    source = Source([(np.zeros((*mask.shape, 2), np.uint8), mask) for mask in (big, small, none)])
    chosen = {}
    for share in (0.0, 1.0):
        crops = source.crops(10, count=3000, foreground_share=share)
        places = [source.place(crops, 0, position)[0] for position in range(3000)]
        chosen[share] = np.bincount(places, minlength=3) / 3000
    assert chosen[0.0] == pytest.approx([0.6, 0.1, 0.3], abs=0.03)
    assert chosen[1.0] == pytest.approx([0.5, 0.5, 0.0], abs=0.03)


def test_every_place_of_a_scene_is_as_likely() -> None:
    source = source_of([(12, 14)])
    crops = source.crops(10, count=6000, foreground_share=0.0)
    places = [source.place(crops, 0, position)[1:] for position in range(6000)]
    counts = np.zeros((3, 5))
    np.add.at(counts, tuple(np.transpose(places)), 1)
    assert counts / 6000 == pytest.approx(np.full((3, 5), 1 / 15), abs=0.015)


@pytest.mark.parametrize("label", [0, IGNORE])
def test_without_foreground_crops_lie_anywhere(label: int) -> None:
    mask = np.full((30, 30), label, np.uint8)
    crops = Source([(np.zeros((30, 30, 2), np.uint8), mask)]).crops(8, foreground_share=1.0)
    assert len({crops.name(0, position) for position in range(len(crops))}) > 5


def test_anchors_are_a_fair_choice_of_the_foreground() -> None:
    mask = np.zeros((300, 300), np.uint8)
    mask[:, 100:] = 2
    mask[:100] = IGNORE
    pixels = module._foreground_pixels(mask, 1000, np.random.default_rng(1))
    assert len(np.unique(pixels, axis=0)) == 1000
    assert pixels.min(axis=0).tolist() >= [100, 100]
    assert pixels.mean(axis=0) == pytest.approx([199.5, 199.5], abs=8)
    few = module._foreground_pixels(mask[:, :101], 1000, np.random.default_rng(1))
    assert sorted(few.tolist()) == [[row, 100] for row in range(100, 300)]


@given(sizes_of_scenes, st.integers(1, 24), st.sampled_from(CACHES))
def test_windows_cover_every_pixel_of_every_scene_once(
    sizes: list[Size], side: int, cache: Cache
) -> None:
    source = source_of(sizes)
    seen = [np.zeros(size, np.int64) for size in sizes]
    with TemporaryDirectory() as folder:
        windows = source.windows(side, cache=cache, folder=Path(folder))
        for position in range(len(windows)):
            index, row, col = source.place(windows, 0, position)
            assert (index, row, col) == source.place(windows, 9, position)
            seen[index][row : row + side, col : col + side] += 1
            assert_same(windows.example(0, position), source.expected(index, row, col, side))
    assert all((count == 1).all() for count in seen)


def test_without_scenes_there_is_nothing_to_draw_from() -> None:
    for examples in (source_of([]).crops, source_of([]).windows):
        with pytest.raises(DataError, match="no scene"):
            examples(8)


def test_a_scene_that_cannot_be_read_is_refused_at_once_in_its_own_words() -> None:
    def load(scene: Scene) -> Pair:
        raise DataError(f"{scene.image}: is damaged")

    scenes = source_of([(9, 9)]).scenes
    for make in (
        lambda: CropExamples(scenes, load, 8, None, 0.5, 1, 2),
        lambda: WindowExamples(scenes, load, 8, 2),
    ):
        with pytest.raises(DataError, match=r"^s0\.png: is damaged$"):
            make()


@pytest.mark.parametrize(("cache", "loads"), [("memory", 1), ("disk", 1), ("none", 21)])
def test_a_scene_is_loaded_once_unless_nothing_is_kept(
    cache: Cache, loads: int, tmp_path: Path
) -> None:
    source = source_of([(20, 20)])
    all_of(source.crops(8, count=20, cache=cache, folder=tmp_path), 0)
    assert source.loaded == [loads]


@pytest.mark.parametrize("folder", [True, False])
def test_scenes_go_to_disk_or_are_loaded_anew_when_the_memory_does_not_suffice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: bool
) -> None:
    monkeypatch.setattr(module, "free_memory", lambda: 4 * 3 * 20 * 20 * 3)
    source = source_of([(20, 20)] * 6)
    crops = source.crops(8, cache="auto", folder=tmp_path / "cache" if folder else None)
    assert as_bytes(all_of(crops, 0)) == as_bytes(all_of(source_of([(20, 20)] * 6).crops(8), 0))
    assert (tmp_path / "cache").exists() == folder
    fits = source_of([(20, 20)] * 2)
    all_of(fits.crops(8, cache="auto", folder=tmp_path / "other"), 0)
    assert fits.loaded == [1, 1]
    assert not (tmp_path / "other").exists()


def test_auto_takes_memory_if_a_quarter_of_it_suffices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("auto", 0, "none") == "memory"
    assert choose("auto", free_memory(), "none") == "none"
    monkeypatch.setattr(module, "free_memory", lambda: 4000)
    for otherwise in ("disk", "none"):
        assert choose("auto", 999, otherwise) == "memory"
        assert choose("auto", 1000, otherwise) == otherwise
    for cache in CACHES:
        assert choose(cache, 10**15, "none") == cache


def stored(cache: Cache, folder: Path | None, count: int = 3) -> tuple[Store, list[int]]:
    """A store of small pairs, and the list of what was loaded."""
    loaded: list[int] = []

    def load(index: int) -> Pair:
        loaded.append(index)
        return pair_of(index, 8 + index, 9)

    return Store(load, count, cache, folder), loaded


@pytest.mark.parametrize("cache", CACHES)
def test_a_store_gives_what_was_loaded(cache: Cache, tmp_path: Path) -> None:
    store, _ = stored(cache, tmp_path / "a" / "b")
    for index in (2, 0, 2, 1):
        for got, expected in zip(store.get(index), pair_of(index, 8 + index, 9), strict=True):
            np.testing.assert_array_equal(got, expected)
    files = sorted(path.name for path in tmp_path.rglob("*.npy"))
    assert len(files) == (6 if cache == "disk" else 0)


def test_a_second_store_takes_what_the_first_left_on_disk(tmp_path: Path) -> None:
    first, _ = stored("disk", tmp_path)
    for index in range(2):
        first.get(index)
    second, loaded = stored("disk", tmp_path)
    for index in range(3):
        np.testing.assert_array_equal(second.get(index)[1], pair_of(index, 8 + index, 9)[1])
    assert loaded == [2]


def cut_to(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(len(content) * share)]


@pytest.mark.parametrize(
    "damage",
    [
        *(cut_to(share) for share in (0.0, 0.05, 0.5, 0.99)),
        lambda content: bytes(len(content)),
        lambda content: content.replace(b"{'descr'", b"\xff(((((((", 1),
        lambda content: content.replace(b"'|u1'", b"'|O' ", 1),
        lambda content: content.replace(b"(8, 9", b"(9, 8", 1),
        lambda content: content.replace(b"(8, 9", b"(8 ,(", 1),
        None,
    ],
)
@pytest.mark.parametrize("which", ["image", "mask"])
def test_a_damaged_file_of_the_disk_cache_is_made_again(
    tmp_path: Path, damage: Callable[[bytes], bytes] | None, which: str
) -> None:
    stored("disk", tmp_path)[0].get(0)
    (path,) = tmp_path.glob(f"*{which}.npy")
    whole = path.read_bytes()
    path.unlink() if damage is None else path.write_bytes(damage(whole))
    store, loaded = stored("disk", tmp_path)
    for _ in range(2):
        for got, expected in zip(store.get(0), pair_of(0, 8, 9), strict=True):
            np.testing.assert_array_equal(got, expected)
    assert loaded == [0]
    assert path.read_bytes() == whole


def test_what_cannot_be_loaded_leaves_nothing_on_disk(tmp_path: Path) -> None:
    def load(index: int) -> Pair:
        raise DataError("is damaged")

    with pytest.raises(DataError, match="is damaged"):
        Store(load, 1, "disk", tmp_path).get(0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("cache", "holds"), [("memory", True), ("disk", False), ("none", False)])
def test_only_the_memory_cache_holds_pixels(cache: Cache, holds: bool, tmp_path: Path) -> None:
    side, count = 128, 40
    store = Store(lambda index: pair_of(index, side, side), count, cache, tmp_path)
    tracemalloc.start()
    try:
        for index in range(count):
            store.get(index)
        # Pixels alone: modules that are imported meanwhile would count as well.
        pixels = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
        found = tracemalloc.take_snapshot().filter_traces([pixels])
        held = sum(trace.size for trace in found.traces)
    finally:
        tracemalloc.stop()
    assert (held > count * side * side) == holds


def test_a_crop_of_a_scene_on_disk_takes_no_more_memory_than_itself(tmp_path: Path) -> None:
    crops = source_of([(1500, 1500)]).crops(64, cache="disk", folder=tmp_path)
    tracemalloc.start()
    try:
        for position in range(50):
            crops.example(0, position)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 64 * 64 * 3


@pytest.fixture
def write_tiles(tmp_path: Path, palette: Palette) -> Callable[..., list[TileFiles]]:
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


WriteTiles = Callable[..., list[TileFiles]]


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
    caches: tuple[Wanted, ...] = (*CACHES, "auto")
    for cache in caches:
        examples = TileExamples(tiles, palette, 3, seed=5, cache=cache, folder=tmp_path / "cache")
        with ThreadPoolExecutor(4) as threads:
            asked = [threads.submit(examples.example, *place) for place in [*places, *places]]
            assert as_bytes([one.result() for one in asked]) == [*wanted, *wanted]


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


def test_examples_never_load_tensorflow() -> None:
    module = "landslide_cli.training_data.examples"
    script = f"import sys, {module}; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
