"""Crops of mosaics: pieces of the scenes with their labels, by weight, without made-up ground."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.arrays import MEAN
from landslide_cli.core.palette import IGNORE
from landslide_cli.profile import TrainSettings
from landslide_cli.training_data.examples import Pair
from landslide_cli.training_data.mosaics import Ground, MosaicExamples
from tests.training_data.conftest import (
    CACHES,
    SceneSource,
    Size,
    all_of,
    as_bytes,
    scene_sizes,
    seeds,
)

# Of each source, the value of its pixels: background and, 20 above, landslide.
VALUES = (50, 150)


def told_by_value(source: int, rows: int, cols: int, share: float) -> Pair:
    """A scene whose pixels tell source and class."""
    rng = np.random.default_rng((source, rows, cols))
    mask = (rng.random((rows, cols)) < share).astype(np.uint8)
    values = VALUES[source] + 20 * mask
    return np.stack([values, values], axis=-1).astype(np.uint8), mask


def mosaics(
    sizes: list[list[Size]],
    side: int,
    weights: tuple[float, ...] = (1.0, 1.0),
    zoom: tuple[float, float] = (1.0, 1.0),
    standardized: bool = False,
    folder: Path | None = None,
    **settings: Any,
) -> MosaicExamples:
    pairs = [
        told_by_value(index, *size, share=0.3 if index == 0 else 0.0)
        for index, of_source in enumerate(sizes)
        for size in of_source
    ]
    source = SceneSource(pairs)
    grounds: list[Ground] = []
    for of_source, weight in zip(sizes, weights, strict=True):
        first = sum(len(ground.scenes) for ground in grounds)
        scenes = source.scenes[first : first + len(of_source)]
        grounds.append(Ground(scenes, weight, zoom))
    values = TrainSettings.model_validate({"seed": 1, "cache": "none", "crops": 4, **settings})
    return MosaicExamples(grounds, source.load, side, values, standardized, folder)


@given(scene_sizes, scene_sizes, st.integers(1, 24), seeds)
def test_pixels_keep_their_labels_and_all_are_of_a_scene(
    first: list[Size], second: list[Size], side: int, seed: int
) -> None:
    examples = mosaics([first, second], side, seed=seed)
    for image, mask in all_of(examples, 3):
        assert image.shape == (side, side, 2)
        # No padding and no label that is missing, however small the scenes are.
        np.testing.assert_array_equal(np.isin(image[..., 0], (70,)), mask == 1)
        assert set(np.unique(image)) <= {50, 70, 150}


def test_enlarged_and_turned_crops_hold_no_made_up_ground() -> None:
    examples = mosaics([[(30, 40)], [(9, 7)]], 32, zoom=(0.5, 2.0), crop_rotation=45.0, crops=8)
    images, masks = (np.stack(values) for values in zip(*all_of(examples, 1), strict=True))
    assert not (masks == IGNORE).any()
    assert images.min() >= 50
    assert (images[..., 0] > 100)[masks == 1].mean() < 0.2


def test_sources_are_drawn_by_weight() -> None:
    sizes = [[(16, 16)], [(16, 16)]]

    def share(weights: tuple[float, float]) -> float:
        images = [image for image, _ in all_of(mosaics(sizes, 32, weights, crops=30), 1)]
        return float((np.stack(images) == 150).mean())

    assert share((1.0, 0.0)) == 0.0
    assert share((0.0, 1.0)) == 1.0
    assert 0.65 < share((1.0, 3.0)) < 0.85


@pytest.mark.parametrize("cache", CACHES)
def test_examples_follow_from_seed_epoch_and_position(cache: str, tmp_path: Path) -> None:
    sizes = [[(40, 30), (20, 20)], [(8, 8)]]
    options: dict[str, Any] = {"zoom": (0.7, 1.4), "copy_paste": 0.5, "paste_light": 0.5}
    examples = mosaics(sizes, 16, folder=tmp_path / cache, cache=cache, **options)
    first = as_bytes(all_of(examples, 1))
    assert first == as_bytes(all_of(mosaics(sizes, 16, **options), 1))
    assert first != as_bytes(all_of(examples, 2))
    assert first != as_bytes(all_of(mosaics(sizes, 16, seed=2, **options), 1))
    assert len(set(first)) == len(first)


def test_mosaics_are_standardized_as_a_whole_or_each_piece_by_itself() -> None:
    """A piece of one value has the mean of all; beside others it keeps its difference to them."""
    examples = mosaics([[(16, 16)], [(16, 16)]], 32, standardized=True, crops=40, copy_paste=0.0)
    alone = [float((np.abs(image - MEAN) < 1).mean()) > 0.4 for image, _ in all_of(examples, 1)]
    assert 0.2 < np.mean(alone) < 0.8


def test_foreground_of_other_mosaics_is_pasted() -> None:
    plain = mosaics([[(20, 20)], [(20, 20)]], 32, weights=(1.0, 2.0), crops=12)
    pasted = mosaics([[(20, 20)], [(20, 20)]], 32, weights=(1.0, 2.0), crops=12, copy_paste=1.0)
    shares = [np.stack([mask for _, mask in all_of(e, 1)]).mean() for e in (plain, pasted)]
    assert shares[1] > 1.2 * shares[0]
