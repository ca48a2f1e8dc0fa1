"""Every scene, and every part of a large one, is standardized to the same mean and contrast."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.arrays import DEVIATION, MEAN, Image
from landslide_cli.core.tiling.grid import Window
from landslide_cli.core.tiling.layout import Tiling
from landslide_cli.core.tiling.local_statistics import local_statistics
from landslide_cli.core.tiling.predict import predict_scene
from landslide_cli.core.tiling.source import ImageSource, Piece
from landslide_cli.core.tiling.standardize import standardize
from landslide_cli.core.tiling.windows import View, views
from tests.core.tiling.grids import noise

WHOLE = (1.0, 1.0)


def by_itself(image: Image) -> Image:
    return standardize(image, local_statistics(ImageSource(image), WHOLE))


@given(
    means=st.lists(st.floats(60.0, 190.0), min_size=1, max_size=5).map(tuple),
    deviation=st.floats(9.0, 30.0),
)
@settings(max_examples=25)
def test_all_scenes_get_the_same_mean_and_deviation(
    means: tuple[float, ...], deviation: float
) -> None:
    image = noise(80, 60, means, deviation)
    standardized = by_itself(image)
    assert standardized.shape == image.shape
    assert standardized.dtype == np.uint8
    np.testing.assert_allclose(standardized.mean(axis=(0, 1)), MEAN, atol=3)
    assert standardized.std(axis=(0, 1)).mean() == pytest.approx(DEVIATION, abs=4)


def test_a_scene_looks_the_same_with_and_without_haze() -> None:
    image = noise(64, 64, (120.0, 100.0, 90.0), 15.0)
    hazy = np.rint(image * 0.6 + [60.0, 70.0, 80.0]).astype(np.uint8)
    # The remaining differences are amplified rounding errors.
    assert np.abs(by_itself(image).astype(int) - by_itself(hazy)).max() <= 4


def test_bands_keep_their_relative_contrast() -> None:
    image = np.dstack([noise(64, 64, (120.0,), 10.0), noise(64, 64, (80.0,), 30.0, seed=1)])
    deviations = by_itself(image).std(axis=(0, 1))
    assert deviations[1] / deviations[0] == pytest.approx(3, rel=0.1)


def test_very_low_contrast_is_not_amplified_fully() -> None:
    even = np.full((32, 32, 3), 200, np.uint8)
    even[0] += 1
    standardized = by_itself(even)
    assert np.ptp(standardized) <= 7
    np.testing.assert_allclose(standardized.mean(axis=(0, 1)), MEAN, atol=1)


@pytest.mark.parametrize("value", [0, 255])
def test_a_scene_of_a_single_value_stays_constant(value: int) -> None:
    assert len(np.unique(by_itself(np.full((5, 7, 3), value, np.uint8)))) == 1


class HalfValid(ImageSource):
    """A scene whose right half holds no data."""

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        piece = super().read(rows, cols)
        valid = np.ones(piece.image.shape[:2], np.bool_)
        valid[:, max(0, self.width // 2 - cols[0]) :] = False
        return Piece(piece.image, valid)


@pytest.mark.parametrize("fill", [0, 255])
@pytest.mark.parametrize("side", [40, 700])
def test_pixels_without_data_do_not_count(fill: int, side: int) -> None:
    image = noise(40, side, (100.0, 120.0), 20.0)
    padded = np.concatenate([image, np.full_like(image, fill)], axis=1)
    standardized = standardize(padded, local_statistics(HalfValid(padded), WHOLE))[:, :side]
    np.testing.assert_allclose(standardized.mean(axis=(0, 1)), MEAN, atol=2)
    assert standardized.std() == pytest.approx(DEVIATION, rel=0.05)


def test_parts_of_a_scene_in_different_light_get_the_same_statistics() -> None:
    lights = [(60.0, 10.0), (170.0, 25.0), (110.0, 15.0)]
    image = np.concatenate(
        [noise(1024, 1024, (mean,), std, seed) for seed, (mean, std) in enumerate(lights)],
        axis=1,
    )
    resized = image.reshape(256, 4, 768, 4, 1)[:, 0, :, 0]
    scales = (0.25, 0.25)
    standardized = standardize(resized, local_statistics(ImageSource(image), scales), scales=scales)
    for index in range(3):
        # In the middle of each part; towards the edges statistics are interpolated.
        middle = standardized[:, 256 * index + 124 : 256 * index + 132]
        assert middle.mean() == pytest.approx(MEAN, abs=5)
        assert middle.std() == pytest.approx(DEVIATION, rel=0.1)
    # There is no edge that was not in the scene.
    steps = np.abs(np.diff(standardized.mean(axis=0)[:, 0]))
    assert np.delete(steps, [255, 511]).max() < 20


@given(data=st.data(), scale=st.sampled_from([0.25, 0.5, 1.0, 2.0]))
@settings(max_examples=30)
def test_a_part_is_standardized_as_within_the_whole(data: st.DataObject, scale: float) -> None:
    rows, cols = data.draw(st.integers(1, 900)), data.draw(st.integers(1, 900))
    gradient = np.linspace(0, 90, cols).astype(np.uint8)[None, :, None]
    image = noise(rows, cols, (60.0, 100.0), 12.0) + gradient
    scales = (scale, scale)
    resized = np.repeat(image, 2, axis=0).repeat(2, axis=1) if scale == 2.0 else image
    step = round(1 / min(1.0, scale))
    resized = np.ascontiguousarray(resized[::step, ::step])
    whole = standardize(resized, local_statistics(ImageSource(image), scales), scales=scales)
    top = data.draw(st.integers(0, resized.shape[0] - 1))
    left = data.draw(st.integers(0, resized.shape[1] - 1))
    bottom = data.draw(st.integers(top + 1, resized.shape[0]))
    right = data.draw(st.integers(left + 1, resized.shape[1]))

    def scene_span(start: int, stop: int, length: int) -> tuple[int, int]:
        return int(start / scale), min(length, int(np.ceil(stop / scale)))

    statistics = local_statistics(
        ImageSource(image), scales, scene_span(top, bottom, rows), scene_span(left, right, cols)
    )
    part = standardize(resized[top:bottom, left:right], statistics, (top, left), scales)
    np.testing.assert_array_equal(part, whole[top:bottom, left:right])


def windows_of(
    source: ImageSource, tiling: Tiling, block: Window | None = None
) -> dict[Any, Image]:
    layout = tiling.layout(source.height, source.width)
    items = views(source, layout, block or layout.whole)
    return {view.window: view.pixels for view in items if isinstance(view, View)}  # type: ignore[misc]


@pytest.mark.parametrize("scale", [1.0, 0.25, 2.0])
def test_windows_are_standardized_but_the_pixels_reported_are_those_of_the_scene(
    scale: float,
) -> None:
    image = noise(100, 90, (70.0, 90.0, 60.0), 12.0)
    tiling, scales = Tiling(16, 4, scale=scale), (scale, scale)
    statistics = local_statistics(ImageSource(image), scales)
    plain = windows_of(ImageSource(image), tiling)
    for window, pixels in windows_of(ImageSource(image, standardized=True), tiling).items():
        expected = standardize(plain[window], statistics, (window.row_off, window.col_off), scales)
        np.testing.assert_array_equal(pixels, expected)
    reported = np.zeros_like(image)

    def on_pixels(row: int, col: int, pixels: Image) -> None:
        reported[row : row + pixels.shape[0], col : col + pixels.shape[1]] = pixels

    layout = tiling.layout(100, 90)
    list(views(ImageSource(image, standardized=True), layout, layout.whole, on_pixels))
    np.testing.assert_array_equal(reported, image)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_windows_of_a_block_equal_those_of_the_whole_scene(scale: float) -> None:
    gradient = np.linspace(0, 120, 1500).astype(np.uint8)[:, None, None]
    source = ImageSource(noise(1500, 1300, (60.0,), 12.0) + gradient, standardized=True)
    tiling = Tiling(128, 32, scale=scale)
    whole = windows_of(source, tiling)
    for block in tiling.layout(1500, 1300).blocks(500, 400):
        for window, pixels in windows_of(source, tiling, block).items():
            np.testing.assert_array_equal(pixels, whole[window])


def test_a_scene_is_standardized_for_prediction_if_the_source_says_so() -> None:
    image, means = noise(40, 40, (70.0,), 12.0), []

    def predict(windows: Image) -> NDArray[np.float32]:
        means.append(float(windows[:, :40, :40].mean()))
        return np.full((*windows.shape[:3], 1), 0.5, np.float32)

    for standardized in (False, True):
        source = ImageSource(image, standardized)
        predict_scene(source, predict, Tiling(None, 0).layout(40, 40), channels=1)
    assert means == pytest.approx([70.0, MEAN], abs=2)
