"""A scene resized piece by piece is the scene resized at once, and nothing moves."""

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.tiling.scaling import TOLERANCE, Ratio, filled_up, to_model, to_scene

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
def test_a_ratio_is_of_the_least_numbers_near_the_scale(scale: float) -> None:
    ratio = Ratio.of(scale)
    assert abs(ratio.scale / scale - 1) <= TOLERANCE
    for smaller in range(1, ratio.scene):
        nearest = Fraction(max(1, round(smaller * scale)), smaller)
        assert abs(float(nearest) / scale - 1) > TOLERANCE


@pytest.mark.parametrize(
    ("scale", "scene", "model"),
    [(1.0, 1, 1), (0.25, 4, 1), (2.0, 1, 2), (5 / 3, 3, 5), (0.3333, 3, 1), (0.867062, 15, 13)],
)
def test_the_ratios_of_known_scales(scale: float, scene: int, model: int) -> None:
    assert Ratio.of(scale) == Ratio(scene, model)


@given(st.integers(1, 10_000), ratios)
def test_the_model_gets_the_nearest_number_of_pixels_and_one_at_least(
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
        share = (image / 255).astype(np.float32)
        np.testing.assert_allclose(resize(share, rows, cols), value / 255, atol=1e-6)


@given(ratios, ratios, st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 3, 5]), seeds)
def test_whole_units_are_resized_as_opencv_does(
    rows: Ratio, cols: Ratio, down: int, across: int, bands: int, seed: int
) -> None:
    if (rows.scale - 1) * (cols.scale - 1) < 0:
        cols = Ratio(cols.model, cols.scene)  # OpenCV shrinks in both directions or in none.
    shrinks = rows.scale < 1 or cols.scale < 1
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    size = (across * cols.model, down * rows.model)
    for dtype, tolerance in ((np.uint8, 1.0), (np.float32, 1e-5)):
        image = noise(down * rows.scene, across * cols.scene, bands, seed, dtype)
        planes = [cv2.resize(image[..., band], size, interpolation=how) for band in range(bands)]
        expected = np.stack(planes, axis=-1).astype(np.float64)
        resized = to_model(image, rows, cols)
        assert resized.dtype == dtype
        np.testing.assert_allclose(resized, expected, atol=tolerance, rtol=0)


@st.composite
def pieces(draw: st.DrawFn, units: int, halo: int) -> tuple[slice, slice]:
    """Draw some units, and the same with as many more around them as the halo, inside a scene."""
    begin = draw(st.integers(0, units - 1))
    end = draw(st.integers(begin + 1, units))
    return slice(begin, end), slice(max(0, begin - halo), min(units, end + halo))


def times(part: slice, size: int) -> slice:
    return slice(part.start * size, part.stop * size)


def minus(part: slice, start: int) -> slice:
    return slice(part.start - start, part.stop - start)


@given(ratios, ratios, st.integers(1, 12), st.integers(1, 12), seeds, st.data())
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("back", [False, True])
def test_resizing_piece_by_piece_is_resizing_the_whole(
    back: bool,
    dtype: type,
    rows: Ratio,
    cols: Ratio,
    down: int,
    across: int,
    seed: int,
    data: st.DataObject,
) -> None:
    resize = to_scene if back else to_model
    sides = [(one.model, one.scene) if back else (one.scene, one.model) for one in (rows, cols)]
    halos = [one.halo_to_scene if back else one.halo_to_model for one in (rows, cols)]
    (tall, tall_after), (wide, wide_after) = sides
    # The scene may end within a unit.
    image = noise(down * tall, across * wide, 3, seed, dtype)
    image = image[: image.shape[0] - seed % tall, : image.shape[1] - seed % wide]
    whole = resize(image, rows, cols)
    assert whole.shape == (down * tall_after, across * wide_after, 3)
    rows_of, rows_seen = data.draw(pieces(down, halos[0]))
    cols_of, cols_seen = data.draw(pieces(across, halos[1]))
    seen = image[times(rows_seen, tall), times(cols_seen, wide)]
    part = resize(seen, rows, cols)[
        times(minus(rows_of, rows_seen.start), tall_after),
        times(minus(cols_of, cols_seen.start), wide_after),
    ]
    expected = whole[times(rows_of, tall_after), times(cols_of, wide_after)]
    np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize("ratio", [Ratio(4, 1), Ratio(2, 1), Ratio(1, 2), Ratio(4, 3)])
@pytest.mark.parametrize("width", [999, 1000, 1023])
def test_opencv_pieces_of_any_width_are_those_of_the_whole(ratio: Ratio, width: int) -> None:
    # Vector code that handles the ends of lines otherwise must not round otherwise.
    image = noise(24, width * ratio.scene, 3, width)
    whole = to_model(image, ratio, ratio)
    for begin in (1, 7, 16, 33):
        seen = image[:, (begin - 1) * ratio.scene :]
        part = to_model(seen, ratio, ratio)[:, ratio.model :]
        np.testing.assert_array_equal(part, whole[:, begin * ratio.model :])


@pytest.mark.parametrize("ratio", [Ratio(4, 1), Ratio(2, 1), Ratio(3, 5), Ratio(1, 2), Ratio(5, 3)])
def test_a_ramp_stays_in_place(ratio: Ratio) -> None:
    units = 12
    ramp = np.arange(units * ratio.scene, dtype=np.float32) + 0.5
    places = (np.arange(units * ratio.model) + 0.5) / ratio.scale
    at_model = to_model(ramp[:, None, None], ratio, Ratio())
    inner, again = slice(ratio.model, -ratio.model), slice(2 * ratio.scene, -2 * ratio.scene)
    error = at_model[inner, 0, 0] - places[inner]
    # Averages over parts of pixels lie a little beside their centres, on both sides alike.
    assert np.abs(error).max() < 0.1
    assert abs(error.mean()) < 1e-4
    back = to_scene(at_model, ratio, Ratio())[again, 0, 0] - ramp[again]
    assert np.abs(back).max() < 0.1
    assert abs(back.mean()) < 1e-4


def test_rows_and_columns_have_ratios_of_their_own() -> None:
    line = np.arange(24, dtype=np.float32) + 0.5
    image = np.add.outer(100 * line, line)[..., None]
    resized = to_model(image, Ratio(4, 1), Ratio(1, 2))
    assert resized.shape == (6, 48, 1)
    down, across = (np.arange(6) + 0.5) * 4, (np.arange(48) + 0.5) / 2
    expected = np.add.outer(100 * down, across)
    np.testing.assert_allclose(resized[:, 1:-1, 0], expected[:, 1:-1], rtol=1e-6)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 1))
def test_what_lacks_of_the_last_unit_repeats_the_last_pixels(
    rows: int, cols: int, size: int, axis: int
) -> None:
    values = noise(rows, cols, 2, rows)
    length = values.shape[axis]
    units = -(-length // size)
    full = filled_up(values, units, size, axis)
    assert full.shape[axis] == units * size
    last = np.take(values, np.minimum(np.arange(units * size), length - 1), axis)
    np.testing.assert_array_equal(full, last)
