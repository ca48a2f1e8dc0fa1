"""Where decoded images are kept: each pair the same, whatever the cache and whatever happened."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.core.memory import free_memory
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError
from landslide_cli.training_data.examples import Pair
from landslide_cli.training_data.store import Cache, SceneStore, Store, resolve_cache
from tests.training_data.conftest import CACHES, SceneSource, assert_same, pair_of, source_of

FALLBACKS: tuple[Cache, ...] = ("disk", "none")


def loads_of(source: SceneSource, folder: Path | None, free_bytes: int) -> list[int]:
    """Read each scene three times by `auto`; return how often each was loaded."""
    free = lambda: free_bytes  # noqa: E731
    store = SceneStore(source.scenes, source.load, "auto", folder, free_bytes=free)
    for index, pair in enumerate(source.pairs * 3):
        assert_same(store.window(index % 6, Window(0, 0, 20, 20)), pair)
    return source.loaded


@pytest.mark.parametrize("has_folder", [True, False])
def test_scenes_go_to_disk_or_are_loaded_anew_when_the_memory_does_not_suffice(
    tmp_path: Path, has_folder: bool
) -> None:
    needed, folder = 6 * 20 * 20 * 3, tmp_path / "cache"
    loads = loads_of(source_of([(20, 20)] * 6), folder if has_folder else None, 4 * needed // 2)
    # The first three fill the memory, and are decoded again for the disk.
    assert loads == ([2, 2, 2, 1, 1, 1] if has_folder else [4] * 6)
    assert folder.exists() == has_folder


def test_scenes_that_fit_the_memory_are_loaded_once_and_leave_nothing_on_disk(
    tmp_path: Path,
) -> None:
    needed = 6 * 20 * 20 * 3
    loads = loads_of(source_of([(20, 20)] * 6), tmp_path / "cache", 4 * needed + 4)
    assert loads == [1] * 6
    assert list(tmp_path.iterdir()) == []


def test_auto_takes_memory_if_a_quarter_of_it_suffices() -> None:
    assert resolve_cache("auto", 0, "none") == "memory"
    assert resolve_cache("auto", free_memory(), "none") == "none"
    for fallback in FALLBACKS:
        assert resolve_cache("auto", 999, fallback, lambda: 4000) == "memory"
        assert resolve_cache("auto", 1000, fallback, lambda: 4000) == fallback
    for cache in CACHES:
        assert resolve_cache(cache, 10**15, "none") == cache


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
        snapshot = tracemalloc.take_snapshot().filter_traces([pixels])
        held = sum(trace.size for trace in snapshot.traces)
    finally:
        tracemalloc.stop()
    assert (held > count * side * side) == holds
