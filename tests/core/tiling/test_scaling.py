"""Resizing piece by piece equals resizing the whole scene, without any shift."""

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.tiling.grid import ceil_div
from landslide_cli.core.tiling.scaling import TOLERANCE, Ratio, pad_to_units, to_model, to_scene

SCALES = [0.25, 0.5, 0.3, 0.6, 0.867, 1.0, 1.2, 1.5, 5 / 3, 2.0, 4.0]
RATIOS = [Ratio.of(scale) for scale in SCALES]

ratios = st.sampled_from(RATIOS)
seeds = st.integers(0, 2**32 - 1)


def noise(rows: int, cols: int, bands: int, seed: int, dtype: type = np.uint8) -> NDArray[Any]:
    rng = np.random.default_rng(seed)
    if dtype is np.uint8:
        return rng.integers(0, 256, (rows, cols, bands), np.uint8)
    return rng.random((rows, cols, bands), np.float32)


@given(st.floats(0.01, 8.0))
@example(1.0)
@example(0.9995)
@example(0.9985)
@example(0.2371 / 0.8)
@example(1 / 1000)
def test_a_ratio_has_the_smallest_integers_within_the_tolerance(scale: float) -> None:
    ratio = Ratio.of(scale)
    assert abs(ratio.scale / scale - 1) <= TOLERANCE
    for smaller in range(1, ratio.scene):
        nearest = Fraction(max(1, round(smaller * scale)), smaller)
        assert abs(float(nearest) / scale - 1) > TOLERANCE


@pytest.mark.parametrize(
    ("scale", "scene", "model"),
    [(1.0, 1, 1), (0.25, 4, 1), (2.0, 1, 2), (5 / 3, 3, 5), (0.3333, 3, 1), (0.867062, 15, 13)],
)
def test_ratios_of_common_scales(scale: float, scene: int, model: int) -> None:
    assert Ratio.of(scale) == Ratio(scene, model)


@given(st.integers(1, 10_000), ratios)
def test_lengths_are_rounded_to_the_nearest_pixel_of_the_model_but_at_least_one(
    length: int, ratio: Ratio
) -> None:
    pixels = ratio.model_length(length)
    assert pixels >= 1
    assert pixels == 1 or abs(pixels - length * ratio.scale) <= 0.5
    assert pixels <= ratio.units(length) * ratio.model
    assert (ratio.units(length) - 1) * ratio.scene < length <= ratio.units(length) * ratio.scene


@given(ratios, ratios, st.integers(1, 40), st.integers(1, 40), st.integers(0, 255))
def test_a_constant_image_stays_constant(
    rows: Ratio, cols: Ratio, height: int, width: int, value: int
) -> None:
    image = np.full((height, width, 2), value, np.uint8)
    for resize in (to_model, to_scene):
        assert (resize(image, rows, cols) == value).all()
        probabilities = (image / 255).astype(np.float32)
        np.testing.assert_allclose(resize(probabilities, rows, cols), value / 255, atol=1e-6)


@given(ratios, ratios, st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 5]), seeds)
def test_whole_units_are_resized_as_opencv_does(
    rows: Ratio, cols: Ratio, row_units: int, col_units: int, bands: int, seed: int
) -> None:
    if (rows.scale - 1) * (cols.scale - 1) < 0:
        cols = Ratio(cols.model, cols.scene)  # OpenCV averages along both axes or along neither.
    shrinks = rows.scale < 1 or cols.scale < 1
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    size = (col_units * cols.model, row_units * rows.model)
    for dtype, tolerance in ((np.uint8, 1.0), (np.float32, 1e-5)):
        image = noise(row_units * rows.scene, col_units * cols.scene, bands, seed, dtype)
        planes = [
            cv2.resize(image[..., band], size, interpolation=interpolation) for band in range(bands)
        ]
        expected = np.stack(planes, axis=-1).astype(np.float64)
        resized = to_model(image, rows, cols)
        assert resized.dtype == dtype
        np.testing.assert_allclose(resized, expected, atol=tolerance, rtol=0)


@st.composite
def pieces(draw: st.DrawFn, units: int, halo: int) -> tuple[slice, slice]:
    """Draw a range of units, and the same range with the halo around it, inside a scene."""
    begin = draw(st.integers(0, units - 1))
    end = draw(st.integers(begin + 1, units))
    return slice(begin, end), slice(max(0, begin - halo), min(units, end + halo))


def pixels(units: slice, size: int) -> slice:
    return slice(units.start * size, units.stop * size)


def relative_to(units: slice, start: int) -> slice:
    return slice(units.start - start, units.stop - start)


@given(ratios, ratios, st.integers(1, 12), st.integers(1, 12), seeds, st.data())
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("back", [False, True])
def test_resizing_piece_by_piece_equals_resizing_the_whole(
    back: bool,
    dtype: type,
    rows: Ratio,
    cols: Ratio,
    row_units: int,
    col_units: int,
    seed: int,
    data: st.DataObject,
) -> None:
    resize = to_scene if back else to_model
    row_size, new_row_size = (rows.model, rows.scene) if back else (rows.scene, rows.model)
    col_size, new_col_size = (cols.model, cols.scene) if back else (cols.scene, cols.model)
    row_halo = rows.halo_to_scene if back else rows.halo_to_model
    col_halo = cols.halo_to_scene if back else cols.halo_to_model
    # The scene may end within a unit.
    image = noise(row_units * row_size, col_units * col_size, 3, seed, dtype)
    image = image[: image.shape[0] - seed % row_size, : image.shape[1] - seed % col_size]
    whole = resize(image, rows, cols)
    assert whole.shape == (row_units * new_row_size, col_units * new_col_size, 3)
    row_piece, row_input = data.draw(pieces(row_units, row_halo))
    col_piece, col_input = data.draw(pieces(col_units, col_halo))
    piece = resize(image[pixels(row_input, row_size), pixels(col_input, col_size)], rows, cols)
    piece = piece[
        pixels(relative_to(row_piece, row_input.start), new_row_size),
        pixels(relative_to(col_piece, col_input.start), new_col_size),
    ]
    expected = whole[pixels(row_piece, new_row_size), pixels(col_piece, new_col_size)]
    np.testing.assert_array_equal(piece, expected)


@pytest.mark.parametrize("ratio", [Ratio(4, 1), Ratio(2, 1), Ratio(1, 2), Ratio(4, 3)])
@pytest.mark.parametrize("width", [999, 1000, 1023])
def test_pieces_of_any_width_equal_the_whole_to_the_bit(ratio: Ratio, width: int) -> None:
    # Vectorized code must not round differently at the ends of rows.
    image = noise(24, width * ratio.scene, 3, width)
    whole = to_model(image, ratio, ratio)
    for begin in (1, 7, 16, 33):
        piece = to_model(image[:, (begin - 1) * ratio.scene :], ratio, ratio)
        np.testing.assert_array_equal(piece[:, ratio.model :], whole[:, begin * ratio.model :])


@pytest.mark.parametrize("ratio", [Ratio(4, 1), Ratio(2, 1), Ratio(3, 5), Ratio(1, 2), Ratio(5, 3)])
def test_a_ramp_is_not_shifted(ratio: Ratio) -> None:
    units = 12
    ramp = np.arange(units * ratio.scene, dtype=np.float32) + 0.5
    positions = (np.arange(units * ratio.model) + 0.5) / ratio.scale
    resized = to_model(ramp[:, None, None], ratio, Ratio())
    inner = slice(ratio.model, -ratio.model)
    error = resized[inner, 0, 0] - positions[inner]
    # Averages over parts of pixels deviate slightly, symmetrically to both sides.
    assert np.abs(error).max() < 0.1
    assert abs(error.mean()) < 1e-4
    inner = slice(2 * ratio.scene, -2 * ratio.scene)
    error = to_scene(resized, ratio, Ratio())[inner, 0, 0] - ramp[inner]
    assert np.abs(error).max() < 0.1
    assert abs(error.mean()) < 1e-4


def test_rows_and_columns_can_have_different_ratios() -> None:
    line = np.arange(24, dtype=np.float32) + 0.5
    image = np.add.outer(100 * line, line)[..., None]
    resized = to_model(image, Ratio(4, 1), Ratio(1, 2))
    assert resized.shape == (6, 48, 1)
    row_positions, col_positions = (np.arange(6) + 0.5) * 4, (np.arange(48) + 0.5) / 2
    expected = np.add.outer(100 * row_positions, col_positions)
    np.testing.assert_allclose(resized[:, 1:-1, 0], expected[:, 1:-1], rtol=1e-6)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 1))
def test_the_last_unit_is_padded_by_repeating_the_last_pixels(
    rows: int, cols: int, size: int, axis: int
) -> None:
    values = noise(rows, cols, 2, rows)
    length = values.shape[axis]
    units = ceil_div(length, size)
    padded = pad_to_units(values, units, size, axis)
    assert padded.shape[axis] == units * size
    expected = np.take(values, np.minimum(np.arange(units * size), length - 1), axis)
    np.testing.assert_array_equal(padded, expected)
