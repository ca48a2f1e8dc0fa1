"""Which objects reach the edge of the data, however the mask is cut into pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.imagery.vector.data_edges import DataEdges
from landslide_cli.imagery.vector.outlines import Outliner


def cut(mask: Mask, rows_at_once: int, cols_at_once: int) -> tuple[list[int], NDArray[np.bool_]]:
    """Return the pixels of each object and whether it is cut, of a mask in pieces."""
    height, width = mask.shape
    edges, outliner = DataEdges(), Outliner(2)
    for col in range(0, width, cols_at_once):
        for row in range(0, height, rows_at_once):
            piece = mask[row : row + rows_at_once, col : col + cols_at_once]
            edges.add(row, col, piece)
            outliner.add(row, col, piece, np.ones(piece.shape, np.float32))
    outlines = outliner.finish()
    return [outline.pixels for outline in outlines], edges.cut(outlines, height, width)


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 12))
def test_objects_are_cut_where_they_touch_the_edge_or_pixels_without_data(
    seed: int, rows: int, cols: int
) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.choice(np.array([0, 1, IGNORE], np.uint8), (12, 12), p=[0.75, 0.2, 0.05])
    labels, count = ndimage.label(mask == 1, np.ones((3, 3)))
    outside = np.pad(mask, 1, constant_values=IGNORE) == IGNORE
    beside = ndimage.binary_dilation(outside)[1:-1, 1:-1]
    expected = sorted(
        (int((labels == label).sum()), bool(beside[labels == label].any()))
        for label in range(1, count + 1)
    )
    pixels, flags = cut(mask, rows, cols)
    assert sorted(zip(pixels, flags.tolist(), strict=True)) == expected


@pytest.mark.parametrize("pieces", [(6, 6), (2, 3)])
def test_an_object_in_the_middle_of_the_data_is_whole(pieces: tuple[int, int]) -> None:
    mask = np.zeros((6, 6), np.uint8)
    mask[2:4, 2:4] = 1
    mask[0] = IGNORE
    assert cut(mask, *pieces)[1].tolist() == [False]
