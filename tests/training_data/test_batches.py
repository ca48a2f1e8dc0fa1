"""Batches of training: full, the same wherever one starts, and shared out without overlap."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.dataset.tiles import TileFiles
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.profile.augment import OnlineAugmentSettings
from landslide_cli.training_data.augment import Augmenter
from landslide_cli.training_data.batches import Batches
from landslide_cli.training_data.examples import Pair
from landslide_cli.training_data.tiles import TileExamples

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class Numbered:
    """Examples that say by their pixels which they are: the position and, in band 1, the epoch."""

    rows, cols = 4, 6

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def example(self, epoch: int, position: int) -> Pair:
        image = np.zeros((self.rows, self.cols, 2), np.uint8)
        image[...] = position, epoch
        return image, np.full((self.rows, self.cols), position % 2, np.uint8)

    def name(self, epoch: int, position: int) -> str:
        return f"{position} of epoch {epoch}"


class Speckled(Numbered):
    """Examples with something to see in them."""

    rows, cols = 16, 16

    def example(self, epoch: int, position: int) -> Pair:
        rng = np.random.default_rng((epoch, position))
        image = rng.integers(0, 256, (self.rows, self.cols, 2), np.uint8)
        return image, (image[..., 0] > 127).astype(np.uint8)


def batches_of(count: int, batch: int = 2, **options: Any) -> Batches:
    return Batches(Numbered(count), 2, batch, **options)


def arrays(batches: Iterable[tuple[Any, Any]]) -> list[Arrays]:
    return [(images.numpy(), masks.numpy()) for images, masks in batches]


def numbers(batches: Iterable[tuple[Any, Any]]) -> list[list[int]]:
    """The positions of the examples in each batch, as their pixels tell them."""
    return [images[:, 0, 0, 0].tolist() for images, _ in arrays(batches)]


def assert_same(ours: list[Arrays], theirs: list[Arrays]) -> None:
    assert len(ours) == len(theirs)
    for (images, masks), (other_images, other_masks) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(masks, other_masks)


@pytest.mark.parametrize("wraps", [False, True])
@settings(max_examples=15)
@given(count=st.integers(1, 9), batch=st.integers(1, 5), multiple=st.integers(1, 3))
def test_all_batches_are_full_and_as_many_as_asked_for(
    wraps: bool, count: int, batch: int, multiple: int
) -> None:
    batches = batches_of(count, batch, multiple=multiple, wraps=wraps)
    epoch = arrays(batches.epoch())
    assert {images.shape for images, _ in epoch} == {(batch, 4, 6, 2)}
    assert {masks.shape for _, masks in epoch} == {(batch, 4, 6)}
    assert {values.dtype for pair in epoch for values in pair} == {np.dtype(np.uint8)}
    assert len(epoch) == len(batches)
    assert len(batches) % multiple == 0
    assert count <= len(batches) * batch < count + batch * multiple


def test_the_last_batches_are_filled_up_with_the_first_examples() -> None:
    assert numbers(batches_of(5, 4, wraps=True).epoch()) == [[0, 1, 2, 3], [4, 0, 1, 2]]
    several = batches_of(3, 2, wraps=True, multiple=4)
    assert numbers(several.epoch()) == [[0, 1], [2, 0], [1, 2], [0, 1]]


def test_or_else_with_blank_images_without_any_label() -> None:
    (_, first), (images, masks) = arrays(batches_of(5, 4).epoch(epoch=3))
    assert IGNORE not in first
    assert images[0, 0, 0].tolist() == [4, 3]
    assert not images[1:].any()
    assert (masks[1:] == IGNORE).all()
    assert IGNORE not in masks[0]


@pytest.mark.parametrize("wraps", [False, True])
def test_an_epoch_can_be_taken_up_at_any_batch(wraps: bool) -> None:
    batches = batches_of(9, 2, wraps=wraps)
    whole = arrays(batches.epoch(epoch=2))
    for first in range(len(batches) + 1):
        assert_same(arrays(batches.epoch(epoch=2, first=first)), whole[first:])


@pytest.mark.parametrize("wraps", [False, True])
def test_the_shares_of_two_processes_are_the_batch_without_overlap(wraps: bool) -> None:
    whole = arrays(batches_of(10, 4, wraps=wraps).epoch(epoch=1))
    shares = [
        arrays(batches_of(10, 4, share=share, wraps=wraps).epoch(epoch=1))
        for share in (range(2), range(2, 4))
    ]
    together = [
        (np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]))
        for first, second in zip(*shares, strict=True)
    ]
    assert_same(together, whole)


def test_names_are_those_of_the_batchs_examples() -> None:
    wrapping, blank = batches_of(5, 4, wraps=True), batches_of(5, 4)
    assert wrapping.names(7, 0) == [f"{index} of epoch 7" for index in range(4)]
    assert wrapping.names(7, 1) == [f"{index} of epoch 7" for index in (4, 0, 1, 2)]
    assert blank.names(7, 1) == ["4 of epoch 7"]


def augmenter(seed: int = 5) -> Augmenter:
    kinds = {
        "hflip": {"probability": 0.5},
        "rotate90": {"probability": 0.5},
        "elastic": {"probability": 0.5},
        "rotate": {"probability": 0.5},
        "contrast": {"probability": 0.5},
        "noise": {"probability": 1.0},
    }
    return Augmenter(OnlineAugmentSettings.model_validate(kinds), seed)


def augmented(seed: int = 5, **options: Any) -> Batches:
    return Batches(Speckled(6), 2, 4, augmenter=augmenter(seed), wraps=True, **options)


def test_what_happens_to_an_image_depends_neither_on_the_start_nor_on_the_share() -> None:
    whole = arrays(augmented().epoch(epoch=3))
    assert_same(arrays(augmented().epoch(epoch=3, first=1)), whole[1:])
    half = arrays(augmented(share=range(2, 4)).epoch(epoch=3, first=1))
    assert_same(half, [(images[2:], masks[2:]) for images, masks in whole[1:]])


def test_what_happens_to_an_image_depends_on_epoch_seed_and_place() -> None:
    settled = Speckled(6)
    settled.example = lambda epoch, position: Speckled(6).example(0, 0)  # type: ignore[method-assign]

    def images(batches: Batches, epoch: int) -> NDArray[np.uint8]:
        return np.concatenate([images for images, _ in arrays(batches.epoch(epoch=epoch))])

    ours, other = (Batches(settled, 2, 4, augmenter=augmenter(seed), wraps=True) for seed in (5, 6))
    first = images(ours, 1)
    # Also those that fill up the last batch are changed anew.
    assert len({image.tobytes() for image in first}) == len(first)
    assert (images(ours, 2) != first).any(axis=(1, 2, 3)).all()
    assert (images(other, 1) != first).any(axis=(1, 2, 3)).all()


@pytest.fixture
def tiles(tmp_path: Path, palette: Palette) -> list[TileFiles]:
    """Seven tiles, each of one colour and of noise beyond its corner."""
    rng = np.random.default_rng(0)
    files = [
        TileFiles(tmp_path / f"t{index}.png", tmp_path / f"m{index}.png") for index in range(7)
    ]
    for index, tile in enumerate(files):
        image = rng.integers(0, 256, (16, 16, 3), np.uint8)
        image[0, 0] = index
        write_image(tile.image, image)
        write_mask(tile.mask, np.zeros((16, 16), np.uint8), palette)
    return files


def order(tiles: list[TileFiles], palette: Palette, seed: int | None, epoch: int) -> list[int]:
    examples = TileExamples(tiles, palette, 3, seed=seed)
    batches = Batches(examples, 3, 3, wraps=True)
    return [index for batch in numbers(batches.epoch(epoch=epoch)) for index in batch]


def test_the_order_follows_from_seed_and_epoch(tiles: list[TileFiles], palette: Palette) -> None:
    first = order(tiles, palette, seed=1, epoch=1)
    assert sorted(first[:7]) == list(range(7))
    assert first[7:] == first[:2]
    assert order(tiles, palette, seed=1, epoch=1) == first
    assert order(tiles, palette, seed=1, epoch=2) != first
    assert order(tiles, palette, seed=2, epoch=1) != first
    assert order(tiles, palette, seed=None, epoch=1)[:7] == list(range(7))


def test_a_broken_file_is_named_and_not_tensorflows_words(
    tiles: list[TileFiles], palette: Palette, cut_short: Callable[..., Path]
) -> None:
    cut_short(tiles[4].image)
    batches = Batches(TileExamples(tiles, palette, 3), 3, 2)
    with pytest.raises(DataError, match=r"t4\.png: is damaged"):
        list(batches.epoch())
    assert len(list(batches.epoch(first=3))) == 1


def test_an_epoch_that_is_left_early_can_be_begun_again() -> None:
    batches = batches_of(8, 2)
    for _ in range(3):
        assert next(iter(batches.epoch()))[0][1, 0, 0, 0] == 1
    assert len(list(batches.epoch())) == 4
