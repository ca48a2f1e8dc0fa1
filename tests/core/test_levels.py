"""Levels: every scene gets the same mean and contrast, however large it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.inference import predict_scene
from landslide_cli.core.layout import Tiling
from landslide_cli.core.levels import DEVIATION, MEAN, levelled, levels_of
from landslide_cli.core.tiler import Image
from landslide_cli.core.windows import ImageSource, Piece, View, views


def noise(rows: int, cols: int, means: tuple[float, ...], deviation: float, seed: int = 0) -> Image:
    values = np.random.default_rng(seed).normal(means, deviation, (rows, cols, len(means)))
    return np.clip(np.rint(values), 1, 255).astype(np.uint8)


@given(
    means=st.lists(st.floats(60.0, 190.0), min_size=1, max_size=5).map(tuple),
    deviation=st.floats(9.0, 30.0),
)
@settings(max_examples=25)
def test_all_scenes_get_the_same_mean_and_deviation(
    means: tuple[float, ...], deviation: float
) -> None:
    image = noise(80, 60, means, deviation)
    found = levelled(image, levels_of(ImageSource(image)))
    assert found.shape == image.shape
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found.mean(axis=(0, 1)), MEAN, atol=3)
    assert found.std(axis=(0, 1)).mean() == pytest.approx(DEVIATION, abs=4)


def test_a_scene_that_another_light_falls_on_looks_the_same() -> None:
    image = noise(64, 64, (120.0, 100.0, 90.0), 15.0)
    hazy = np.rint(image * 0.6 + [60.0, 70.0, 80.0]).astype(np.uint8)
    ones, others = (levelled(one, levels_of(ImageSource(one))) for one in (image, hazy))
    # What is left is rounding, enlarged.
    assert np.abs(ones.astype(int) - others).max() <= 4


def test_bands_keep_their_contrast_to_each_other() -> None:
    image = np.dstack([noise(64, 64, (120.0,), 10.0), noise(64, 64, (80.0,), 30.0, seed=1)])
    spreads = levelled(image, levels_of(ImageSource(image))).std(axis=(0, 1))
    assert spreads[1] / spreads[0] == pytest.approx(3, rel=0.1)


def test_what_there_is_little_of_is_not_blown_up() -> None:
    even = np.full((32, 32, 3), 200, np.uint8)
    even[0] += 1
    found = levelled(even, levels_of(ImageSource(even)))
    assert np.ptp(found) <= 7
    np.testing.assert_allclose(found.mean(axis=(0, 1)), MEAN, atol=1)


@pytest.mark.parametrize("value", [0, 255])
def test_a_scene_of_one_value_is_possible(value: int) -> None:
    even = np.full((5, 7, 3), value, np.uint8)
    assert len(np.unique(levelled(even, levels_of(ImageSource(even))))) == 1


class Collar(ImageSource):
    """A scene whose right half holds no data: white, or black."""

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        piece = super().read(rows, cols)
        valid = np.ones(piece.image.shape[:2], np.bool_)
        valid[:, max(0, self.width // 2 - cols[0]) :] = False
        return Piece(piece.image, valid)


@pytest.mark.parametrize("fill", [0, 255])
def test_what_holds_no_data_does_not_count(fill: int) -> None:
    image = noise(40, 40, (100.0, 120.0), 20.0)
    wide = np.concatenate([image, np.full_like(image, fill)], axis=1)
    np.testing.assert_array_equal(levels_of(Collar(wide)), levels_of(ImageSource(image)))


class Counting(ImageSource):
    """Counts the pixels that are read."""

    pixels = 0

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        type(self).pixels += (rows[1] - rows[0]) * (cols[1] - cols[0])
        return super().read(rows, cols)


def test_of_a_large_scene_squares_all_over_it_are_read() -> None:
    side = 6000
    slope = np.linspace(40, 200, side)[:, None, None]
    image = np.broadcast_to(np.rint(slope).astype(np.uint8), (side, side, 1))
    levels = levels_of(Counting(image))
    assert Counting.pixels == 256 * 128 * 128
    every = levelled(image, levels)
    assert every.mean() == pytest.approx(MEAN, abs=2)
    assert every.std() == pytest.approx(DEVIATION, rel=0.05)


def seen(source: ImageSource, tiling: Tiling) -> list[NDArray[np.uint8]]:
    layout = tiling.layout(source.height, source.width)
    found = views(source, layout, layout.whole)
    return [one.pixels for one in found if isinstance(one, View) and one.pixels is not None]


@pytest.mark.parametrize("scale", [1.0, 0.25, 2.0])
def test_windows_have_the_levels_and_whoever_watches_sees_the_scene_itself(scale: float) -> None:
    image = noise(100, 90, (70.0, 90.0, 60.0), 12.0)
    levels, tiling = levels_of(ImageSource(image)), Tiling(16, 4, scale=scale)
    plain = seen(ImageSource(image), tiling)
    for one, other in zip(seen(ImageSource(image, levels), tiling), plain, strict=True):
        np.testing.assert_array_equal(one, levelled(other, levels))
    watched = np.zeros_like(image)

    def watch(row: int, col: int, pixels: Image) -> None:
        watched[row : row + pixels.shape[0], col : col + pixels.shape[1]] = pixels

    layout = tiling.layout(100, 90)
    list(views(ImageSource(image, levels), layout, layout.whole, watch))
    np.testing.assert_array_equal(watched, image)


def test_a_scene_is_predicted_with_its_levels_where_the_tiling_says_so() -> None:
    image, shown = noise(40, 40, (70.0,), 12.0), []

    def predict(windows: Image) -> NDArray[np.float32]:
        shown.append(float(windows.mean()))
        return np.full((*windows.shape[:3], 2), 0.5, np.float32)

    for standardized in (False, True):
        predict_scene(predict, image, 2, Tiling(None, 0, standardized=standardized))
    assert shown == pytest.approx([70.0, MEAN], abs=2)
