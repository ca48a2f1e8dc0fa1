"""Random crops of whole scenes: where they lie, what they show, and what is pasted on them."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.palette import IGNORE
from landslide_cli.dataset.scenes import Scene
from landslide_cli.errors import DataError
from landslide_cli.profile import TrainSettings
from landslide_cli.training_data.crops import CropExamples, foreground_pixels
from landslide_cli.training_data.examples import Pair
from landslide_cli.training_data.store import Cache
from landslide_cli.training_data.windows import WindowExamples
from tests.training_data.conftest import (
    CACHES,
    SceneSource,
    Size,
    all_of,
    as_bytes,
    assert_same,
    pair_of,
    scene_sizes,
    seeds,
    source_of,
)


@given(scene_sizes, st.integers(1, 24), st.sampled_from([0.0, 0.5, 1.0]), seeds)
def test_crops_lie_in_their_scenes_and_are_their_pixels(
    sizes: list[Size], side: int, share: float, seed: int
) -> None:
    source = source_of(sizes)
    crops = source.crops(side, crops=8, foreground_share=share, seed=seed)
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
    source = SceneSource([diagonal(200, 240)])
    crops = source.crops(32, crops=40, crop_scale=(0.5, 2.0), crop_rotation=180.0)
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
    crops = SceneSource([diagonal(60, 60)]).crops(32, crops=20, crop_scale=(0.6, 2.0))
    for image, mask in all_of(crops, 0):
        assert image.shape == (32, 32, 2)
        assert not (mask == IGNORE).any()


def test_turned_crops_are_a_function_of_seed_epoch_and_position() -> None:
    def made(**options: Any) -> CropExamples:
        chosen: dict[str, Any] = {"crops": 5, "crop_scale": (0.5, 2.0), "crop_rotation": 90.0}
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
    source = SceneSource([dark, bright])
    plain = all_of(source.crops(40, crops=60, foreground_share=0.0), 0)
    pasted = all_of(source.crops(40, crops=60, foreground_share=0.0, copy_paste=0.5), 0)
    changed = [
        (before, after)
        for before, after in zip(plain, pasted, strict=True)
        if (before[1] != after[1]).any()
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
        all_of(source.crops(40, crops=60, foreground_share=0.0, copy_paste=0.5), 0)
    )


def test_pasted_foreground_gets_other_light_and_sometimes_it_is_the_crop_s_own() -> None:
    """Two scenes with foreground at other places, so that each paste shows whose it is."""
    pairs = []
    for rows, level in ((slice(4, 16), 80), (slice(24, 36), 120)):
        mask = np.zeros((40, 40), np.uint8)
        mask[rows, 10:30] = 1
        pairs.append((np.full((40, 40, 2), level, np.uint8), mask))
    options: dict[str, Any] = {"crops": 200, "foreground_share": 0.0, "copy_paste": 1.0}
    crops = all_of(SceneSource(pairs).crops(40, paste_light=1.0, **options), 0)
    middles = {0: np.s_[10, 20], 1: np.s_[30, 20]}
    own, levels, apart = 0, [], []
    for image, mask in crops:
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


def test_bands_that_show_no_light_are_pasted_as_they_are() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 1
    source = SceneSource([(np.full((40, 40, 3), 100.0, np.float32), mask)])
    settings = {"seed": 1, "cache": "none", "crops": 20, "copy_paste": 1.0, "paste_light": 1.0}
    values = TrainSettings.model_validate(settings)
    crops = CropExamples(source.scenes, source.load, 40, values, lit=(0, 2))
    images = np.stack([image for image, _ in all_of(crops, 0)])
    assert (images[..., 1] == 100.0).all()
    assert (images[:, 20, 20, [0, 2]] != 100.0).all()


def test_nothing_is_drawn_for_other_light_where_there_is_none() -> None:
    pair = pair_of(3, 40, 40)
    options: dict[str, Any] = {"crops": 20, "copy_paste": 0.9}
    source = SceneSource([pair, pair_of(4, 40, 40)])
    plain = as_bytes(all_of(source.crops(24, **options), 0))
    assert as_bytes(all_of(source.crops(24, paste_light=0.0, **options), 0)) == plain
    assert as_bytes(all_of(source.crops(24, paste_light=0.5, **options), 0)) != plain


def test_crops_of_many_bands_are_turned_too() -> None:
    image, mask = pair_of(0, 40, 40)
    bands = np.concatenate([image] * 4, axis=-1)
    crop, _ = SceneSource([(bands, mask)]).crops(16, crops=1, crop_rotation=45.0).example(0, 0)
    np.testing.assert_array_equal(crop[..., :2], crop[..., 6:])


@given(scene_sizes, st.integers(1, 24))
def test_crops_of_an_epoch_cover_the_scenes_once_unless_told_otherwise(
    sizes: list[Size], side: int
) -> None:
    pixels = sum(rows * cols for rows, cols in sizes)
    assert len(source_of(sizes).crops(side)) == max(1, -(-pixels // side**2))
    assert len(source_of(sizes).crops(side, crops=7)) == 7


@given(scene_sizes, st.integers(1, 24), seeds, st.randoms(use_true_random=False))
def test_crops_are_the_same_bits_whatever_the_cache_the_order_and_the_threads(
    sizes: list[Size], side: int, seed: int, random: Any
) -> None:
    source = source_of(sizes)
    places = [(epoch, position) for epoch in (0, 5) for position in range(6)]
    uncached = source.crops(side, crops=6, seed=seed)
    wanted = [uncached.example(*place) for place in places]
    order = list(range(len(places)))
    random.shuffle(order)
    with TemporaryDirectory() as folder, ThreadPoolExecutor(4) as threads:
        for cache in CACHES:
            crops = source.crops(side, crops=6, seed=seed, cache=cache, folder=Path(folder))
            asked = [threads.submit(crops.example, *places[index]) for index in order]
            for index, future in zip(order, asked, strict=True):
                assert_same(future.result(), wanted[index])


def test_another_epoch_or_seed_has_other_crops() -> None:
    source = source_of([(40, 40)] * 3)
    crops = source.crops(8, crops=20)
    first, again = as_bytes(all_of(crops, 0)), as_bytes(all_of(source.crops(8, crops=20), 0))
    assert first == again
    assert len(set(first)) > 15
    for differing in (all_of(crops, 1), all_of(source.crops(8, crops=20, seed=2), 0)):
        assert sum(a == b for a, b in zip(first, as_bytes(differing), strict=True)) <= 2


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
    crops = source.crops(side, crops=2000, foreground_share=share)
    centres = [mask[side // 2, side // 2] == 1 for _, mask in all_of(crops, 0)]
    assert np.mean(centres) == pytest.approx(share + (1 - share) * by_chance, abs=0.035)


def test_scenes_with_foreground_are_chosen_alike_and_all_others_by_their_areas() -> None:
    big, small = np.zeros((120, 100), np.uint8), np.zeros((40, 50), np.uint8)
    big[60, 50] = small[20, 20] = 1
    none = np.zeros((60, 100), np.uint8)
    source = SceneSource(
        [(np.zeros((*mask.shape, 2), np.uint8), mask) for mask in (big, small, none)]
    )
    chosen = {}
    for share in (0.0, 1.0):
        crops = source.crops(10, crops=3000, foreground_share=share)
        places = [source.place(crops, 0, position)[0] for position in range(3000)]
        chosen[share] = np.bincount(places, minlength=3) / 3000
    assert chosen[0.0] == pytest.approx([0.6, 0.1, 0.3], abs=0.03)
    assert chosen[1.0] == pytest.approx([0.5, 0.5, 0.0], abs=0.03)


def test_every_place_of_a_scene_is_as_likely() -> None:
    source = source_of([(12, 14)])
    crops = source.crops(10, crops=6000, foreground_share=0.0)
    places = [source.place(crops, 0, position)[1:] for position in range(6000)]
    counts = np.zeros((3, 5))
    np.add.at(counts, tuple(np.transpose(places)), 1)
    assert counts / 6000 == pytest.approx(np.full((3, 5), 1 / 15), abs=0.015)


@pytest.mark.parametrize("label", [0, IGNORE])
def test_without_foreground_crops_lie_anywhere(label: int) -> None:
    mask = np.full((30, 30), label, np.uint8)
    crops = SceneSource([(np.zeros((30, 30, 2), np.uint8), mask)]).crops(8, foreground_share=1.0)
    assert len({crops.name(0, position) for position in range(len(crops))}) > 5


def test_anchors_are_a_fair_choice_of_the_foreground() -> None:
    mask = np.zeros((300, 300), np.uint8)
    mask[:, 100:] = 2
    mask[:100] = IGNORE
    pixels = foreground_pixels(mask, 1000, np.random.default_rng(1))
    assert len(np.unique(pixels, axis=0)) == 1000
    assert pixels.min(axis=0).tolist() >= [100, 100]
    assert pixels.mean(axis=0) == pytest.approx([199.5, 199.5], abs=8)
    few = foreground_pixels(mask[:, :101], 1000, np.random.default_rng(1))
    assert sorted(few.tolist()) == [[row, 100] for row in range(100, 300)]


def test_a_scene_that_cannot_be_read_is_refused_at_once_in_its_own_words() -> None:
    def load(scene: Scene) -> Pair:
        raise DataError(f"{scene.image}: is damaged")

    scenes = source_of([(9, 9)]).scenes
    for make in (
        lambda: CropExamples(scenes, load, 8, TrainSettings()),
        lambda: WindowExamples(scenes, load, 8),
    ):
        with pytest.raises(DataError, match=r"^s0\.png: is damaged$"):
            make()


@pytest.mark.parametrize(("cache", "loads"), [("memory", 1), ("disk", 1), ("none", 21)])
def test_a_scene_is_loaded_once_unless_nothing_is_kept(
    cache: Cache, loads: int, tmp_path: Path
) -> None:
    source = source_of([(20, 20)])
    all_of(source.crops(8, crops=20, cache=cache, folder=tmp_path), 0)
    assert source.loaded == [loads]


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
