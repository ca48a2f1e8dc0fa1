"""Test-time augmentation averages over views that are turned back into place."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.tta import Symmetries, average_views

KINDS: tuple[Symmetries, ...] = ("none", "flips", "symmetries")


class Counted:
    """A model that is not symmetric: what it says depends on the place and on one neighbour."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, windows: Image) -> NDArray[np.float32]:
        assert windows.flags.c_contiguous
        assert windows.dtype == np.uint8
        self.shapes.append(windows.shape)
        bright = windows[..., 0].astype(np.float32) / 255
        rows, cols = bright.shape[1:]
        place = np.add.outer(3 * np.arange(rows), np.arange(cols)) / (3 * rows + cols)
        score = (bright + 2 * np.roll(bright, 1, axis=1) + place.astype(np.float32)) / 4
        return np.stack([1 - score, score], axis=-1)


def symmetric(windows: Image) -> NDArray[np.float32]:
    """A model that sees each pixel alone."""
    bright = windows[..., 0].astype(np.float32) / 256
    return np.stack([1 - bright, bright], axis=-1)


def windows_of(rows: int, cols: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (3, rows, cols, 2), np.uint8)


shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(shapes, st.sampled_from(KINDS), st.integers(0, 99))
def test_a_symmetric_model_says_the_same(
    shape: tuple[int, int], kind: Symmetries, seed: int
) -> None:
    windows = windows_of(*shape, seed)
    result = average_views(symmetric, symmetric, kind)(windows)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, symmetric(windows))


@given(shapes, st.sampled_from(["flips", "symmetries"]), st.integers(0, 99))
def test_what_is_said_of_a_mirrored_window_is_mirrored(
    shape: tuple[int, int], kind: Symmetries, seed: int
) -> None:
    predict, windows = average_views(Counted(), Counted(), kind), windows_of(*shape, seed)
    result = predict(windows)
    for axes in ((1,), (2,), (1, 2)):
        mirrored = predict(np.flip(windows, axes))
        np.testing.assert_allclose(mirrored, np.flip(result, axes), atol=1e-6)


@given(shapes, st.integers(0, 99))
def test_with_all_symmetries_what_is_said_of_a_turned_window_is_turned(
    shape: tuple[int, int], seed: int
) -> None:
    predict, windows = average_views(Counted(), Counted(), "symmetries"), windows_of(*shape, seed)
    result = predict(windows)
    for turns in (1, 2, 3):
        turned = predict(np.rot90(windows, turns, (1, 2)))
        np.testing.assert_allclose(turned, np.rot90(result, turns, (1, 2)), atol=1e-6)
    transposed = predict(windows.swapaxes(1, 2))
    np.testing.assert_allclose(transposed, result.swapaxes(1, 2), atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (6, 9)])
def test_the_result_is_the_average_over_the_views(shape: tuple[int, int]) -> None:
    windows, model = windows_of(*shape), Counted()
    views = []
    for transpose, down, across in product((False, True), repeat=3):
        seen = windows[:, :: -1 if down else 1, :: -1 if across else 1]
        seen = seen.swapaxes(1, 2) if transpose else seen
        answer = model(np.ascontiguousarray(seen))
        answer = answer.swapaxes(1, 2) if transpose else answer
        views.append(answer[:, :: -1 if down else 1, :: -1 if across else 1])
    for kind, count in (("flips", 4), ("symmetries", 8)):
        result = average_views(model, model, kind)(windows)  # type: ignore[arg-type]
        np.testing.assert_allclose(result, np.mean(views[:count], axis=0), atol=1e-6)


@pytest.mark.parametrize(("kind", "calls"), [("none", 1), ("flips", 4), ("symmetries", 8)])
def test_the_model_is_called_once_a_view(kind: Symmetries, calls: int) -> None:
    model = Counted()
    average_views(model, model, kind)(windows_of(5, 5))
    assert len(model.shapes) == calls


def test_the_turned_model_sees_windows_of_swapped_sides() -> None:
    model, turned = Counted(), Counted()
    assert average_views(model, turned, "symmetries")(windows_of(4, 7)).shape == (3, 4, 7, 2)
    assert model.shapes == [(3, 4, 7, 2)] * 4
    assert turned.shapes == [(3, 7, 4, 2)] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_windows_and_the_answers_are_left_as_they_were(kind: Symmetries) -> None:
    windows, answer = windows_of(4, 4), np.full((3, 4, 4, 1), 0.25, np.float32)
    before = windows.copy()
    average_views(lambda _: answer, lambda _: answer, kind)(windows)
    np.testing.assert_array_equal(windows, before)
    np.testing.assert_array_equal(answer, np.float32(0.25))
