"""Masks in blocks, and the flood of a raster from its edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from landslide_cli.imagery.raster.flood import Block, BlockMask, EdgeLines, flooded

Bools = NDArray[np.bool_]


def kept(mask: Bools, shape: tuple[int, int]) -> BlockMask:
    blocks = BlockMask(mask.shape[0], mask.shape[1], shape)
    rows, cols = blocks.block_counts
    for row in range(rows):
        for col in range(cols):
            span = blocks.span((row, col))
            blocks.put((row, col), mask[slice(*span[0]), slice(*span[1])])
    return blocks


@st.composite
def masks(draw: st.DrawFn) -> tuple[Bools, tuple[int, int]]:
    rows, cols = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    mask = rng.random((rows, cols)) < draw(st.sampled_from([0.0, 0.5, 0.6, 0.7, 1.0]))
    return mask, (draw(st.integers(1, 20)), draw(st.integers(1, 20)))


@given(masks())
def test_a_mask_in_blocks_is_the_mask(drawn: tuple[Bools, tuple[int, int]]) -> None:
    mask, shape = drawn
    blocks, (rows, cols) = kept(mask, shape), mask.shape
    whole = blocks.within((0, rows), (0, cols))
    np.testing.assert_array_equal(np.zeros_like(mask) if whole is None else whole, mask)
    middle = blocks.within((rows // 3, rows), (cols // 3, cols))
    expected = mask[rows // 3 :, cols // 3 :]
    np.testing.assert_array_equal(np.zeros_like(expected) if middle is None else middle, expected)
    assert blocks.count == mask.sum()


@given(masks())
@settings(max_examples=200)
def test_the_flood_reaches_what_is_connected_with_the_edge_in_any_blocks(
    drawn: tuple[Bools, tuple[int, int]],
) -> None:
    mask, shape = drawn
    blocks, asked = BlockMask(mask.shape[0], mask.shape[1], shape), []

    def passable(block: Block) -> Bools:
        asked.append(block)
        rows, cols = blocks.span(block)
        return mask[slice(*rows), slice(*cols)]

    seeds = EdgeLines(mask[0], mask[-1], mask[:, 0], mask[:, -1])
    reached = flooded(blocks, seeds, passable).within((0, mask.shape[0]), (0, mask.shape[1]))
    labels, _ = ndimage.label(mask)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    expected = np.isin(labels, edge[edge > 0])
    np.testing.assert_array_equal(np.zeros_like(mask) if reached is None else reached, expected)
    assert len(asked) == len(set(asked))


def test_the_flood_reads_only_what_it_comes_to() -> None:
    mask = np.zeros((100, 100), np.bool_)
    mask[:, :10] = True
    blocks, asked = BlockMask(100, 100, (10, 10)), set()

    def passable(block: Block) -> Bools:
        asked.add(block)
        rows, cols = blocks.span(block)
        return mask[slice(*rows), slice(*cols)]

    nowhere = np.zeros(100, np.bool_)
    reached = flooded(blocks, EdgeLines(nowhere, nowhere, ~nowhere, nowhere), passable)
    assert reached.count == 1000
    assert asked == {(row, col) for row in range(10) for col in (0, 1)}


def test_blocks_that_are_the_same_everywhere_may_be_put_as_one_pixel() -> None:
    blocks = BlockMask(25, 15, (10, 10))
    blocks.put((2, 1), np.array([[True]]))
    assert blocks.count == 25
    assert blocks.is_full((2, 1))
    assert blocks.get((2, 1)).shape == (5, 5)


@pytest.mark.parametrize("block", [(0, 0), (2, 1)])
def test_what_was_never_put_is_false(block: Block) -> None:
    blocks = BlockMask(25, 15, (10, 10))
    assert block not in blocks
    assert not blocks.get(block).any()
    assert blocks.within((0, 25), (0, 15)) is None
