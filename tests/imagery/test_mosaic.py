"""Mosaics: filled without gaps, never covered twice, and laid out without overlaps."""

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.palette import IGNORE
from landslide_cli.imagery.mosaic import Canvas, Pair, apart, resized, turned, turned_back

sizes = st.tuples(st.integers(1, 30), st.integers(1, 30))
seeds = st.integers(0, 2**32)


def piece(value: int, rows: int, cols: int) -> Pair:
    return np.full((rows, cols, 2), value, np.uint8), np.full((rows, cols), value, np.uint8)


@given(sizes, st.lists(sizes, min_size=1, max_size=4), seeds)
def test_a_canvas_is_filled_with_images_and_their_masks(
    size: tuple[int, int], pieces: list[tuple[int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    canvas = Canvas(*size, 2)
    drawn: list[int] = []

    def draw(_: np.random.Generator) -> Pair:
        drawn.append(1 + len(drawn) % 200)
        return piece(drawn[-1], *pieces[len(drawn) % len(pieces)])

    canvas.fill(draw, rng)
    assert not canvas.is_free.any()
    assert set(np.unique(canvas.mask)) <= set(drawn)
    assert (canvas.image == canvas.mask[..., None]).all()


def test_what_is_there_is_never_covered() -> None:
    canvas = Canvas(4, 6, 2)
    canvas.put(piece(7, 3, 3), -1, 1)
    canvas.put(piece(9, 4, 3), 0, 3)
    expected = np.full((4, 6), IGNORE)
    expected[:2, 1:4] = 7
    expected[:, 3:6] = np.where(expected[:, 3:6] == 7, 7, 9)
    np.testing.assert_array_equal(canvas.mask, expected)
    np.testing.assert_array_equal(canvas.is_free, expected == IGNORE)


@given(sizes, st.integers(0, 7))
def test_turns_are_undone(size: tuple[int, int], turn: int) -> None:
    values = np.arange(size[0] * size[1] * 2).reshape(*size, 2).astype(np.uint8)
    image, mask = turned((values, values[..., 0]), turn)
    np.testing.assert_array_equal(turned_back(image, turn), values)
    np.testing.assert_array_equal(turned_back(mask, turn), values[..., 0])


def test_the_eight_turns_differ() -> None:
    values = np.arange(4).reshape(2, 2).astype(np.uint8)
    views = {turned((values[..., None], values), turn)[1].tobytes() for turn in range(8)}
    assert len(views) == 8


@given(st.lists(sizes, min_size=1, max_size=12), seeds)
def test_rectangles_are_laid_out_apart(pieces: list[tuple[int, int]], seed: int) -> None:
    places, (rows, cols) = apart(pieces, np.random.default_rng(seed))
    boxes = [
        (row, col, row + size[0], col + size[1])
        for (row, col), size in zip(places, pieces, strict=True)
    ]
    for top, left, bottom, right in boxes:
        # None begins or ends where the mosaic does.
        assert 0 < top < bottom < rows
        assert 0 < left < right < cols
    for a, b in combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_places_differ_by_the_seed_alone() -> None:
    pieces = [(20, 30), (30, 20), (25, 25)]
    first, again, other = (apart(pieces, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_masks_are_resized_by_nearest_neighbour() -> None:
    image, mask = resized(piece(200, 6, 8), 3, 16)
    assert image.shape == (3, 16, 2)
    assert mask.shape == (3, 16)
    assert set(np.unique(mask)) == {200}
