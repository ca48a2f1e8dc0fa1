"""The local statistics of a scene, of any part of it, and in passing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landslide_cli.core.arrays import MEAN
from landslide_cli.core.tiling.local_statistics import RunningStatistics, local_statistics
from landslide_cli.core.tiling.source import ImageSource, Piece
from landslide_cli.core.tiling.standardize import standardize
from tests.core.tiling.grids import noise


class CountingSource(ImageSource):
    """A scene that counts the pixels read."""

    pixels = 0

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        type(self).pixels += (rows[1] - rows[0]) * (cols[1] - cols[0])
        return super().read(rows, cols)


def test_only_a_quarter_of_a_large_scene_is_read() -> None:
    side = 6144
    gradient = np.linspace(40, 200, side)[:, None, None]
    image = np.broadcast_to(np.rint(gradient).astype(np.uint8), (side, side, 1))
    statistics = local_statistics(CountingSource(image), (0.25, 0.25))
    assert CountingSource.pixels == side * side // 4
    standardized = standardize(image[::4, ::4], statistics, scales=(0.25, 0.25))
    assert standardized[256:-256].mean() == pytest.approx(MEAN, abs=3)


@given(data=st.data(), scale=st.sampled_from([0.25, 0.5, 1.0, 2.0]))
@settings(max_examples=30)
def test_statistics_in_passing_are_those_of_the_scene(data: st.DataObject, scale: float) -> None:
    rows, cols = data.draw(st.integers(1, 2600)), data.draw(st.integers(1, 700))
    image = noise(rows, cols, (60.0, 100.0), 12.0)
    valid = np.add.outer(np.arange(rows), np.arange(cols)) % 200 > 20
    is_float, has_gaps = data.draw(st.booleans()), data.draw(st.booleans())
    source = ImageSource(
        image.astype(np.float32) if is_float else image, valid=valid if has_gaps else None
    )
    whole = local_statistics(source, (scale, scale))
    running = RunningStatistics(source, (scale, scale))
    assert running.around((0, rows)) is None
    step = data.draw(st.integers(1, rows))
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        running.add(start, source.read((start, stop), (0, cols)))
    known = running.around((0, rows))
    assert known is not None
    np.testing.assert_array_equal(known.cells, whole.cells)


def test_statistics_are_known_as_soon_as_the_cells_around_are_read() -> None:
    image = noise(4096, 512, (90.0,), 12.0)
    source = ImageSource(image)
    running = RunningStatistics(source, (1.0, 1.0))
    known = []
    for start in range(0, 4096, 256):
        running.add(start, source.read((start, start + 256), (0, 512)))
        known.append(running.around((0, 512)) is not None)
    # The first 512 rows depend on three rows of cells, of 256 pixels each.
    assert known == [False, False, *[True] * 14]
