"""Whole scenes in windows side by side."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.errors import DataError
from landslide_cli.training_data.store import Cache
from tests.training_data.conftest import CACHES, Size, assert_same, scene_sizes, source_of


@given(scene_sizes, st.integers(1, 24), st.sampled_from(CACHES))
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
    for make in (source_of([]).crops, source_of([]).windows):
        with pytest.raises(DataError, match="no scene"):
            make(8)
