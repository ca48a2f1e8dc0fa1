import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import label

from landslide_cli.imagery.vector.row_runs import RowRuns, turns_of

Bools = NDArray[np.bool_]

images = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 20)))


def drawn(runs: RowRuns) -> NDArray[np.int64]:
    """The part of each pixel, -1 where there is none."""
    return np.array([runs.line(row) for row in range(runs.rows)])


@given(images)
def test_runs_are_the_pixels_of_the_image_in_their_order(image: Bools) -> None:
    runs = RowRuns.of(image)
    np.testing.assert_array_equal(drawn(runs) >= 0, image)
    assert (runs.stops > runs.starts).all()
    assert (np.diff(runs.ends) > 0).all()


@given(images)
def test_parts_are_what_touches_by_sides(image: Bools) -> None:
    parts, (expected, count) = drawn(RowRuns.of(image)), label(image)
    pairs = np.unique(np.column_stack([parts[image], expected[image]]), axis=0)
    assert len(pairs) == count
    assert sorted(pairs[:, 0]) == list(range(count))


@given(images)
def test_the_outermost_columns_have_the_parts_of_their_pixels(image: Bools) -> None:
    runs = RowRuns.of(image)
    parts = drawn(runs)
    np.testing.assert_array_equal(runs.first_column(), parts[:, 0])
    np.testing.assert_array_equal(runs.last_column(), parts[:, -1])


@given(images)
def test_corners_are_where_four_pixels_do_not_make_a_straight_line(image: Bools) -> None:
    runs = RowRuns.of(image)
    turns, parts = turns_of(runs), drawn(runs)
    found = sorted(zip(turns.row, turns.col, turns.turn, turns.part, strict=True))
    expected: list[tuple[int, ...]] = []
    touching: set[tuple[int, ...]] = set()
    for row in range(1, image.shape[0]):
        for col in range(1, image.shape[1]):
            around = image[row - 1 : row + 1, col - 1 : col + 1].ravel()
            part = parts[row - 1 : row + 1, col - 1 : col + 1].ravel()
            inside = np.flatnonzero(around)
            diagonal = len(inside) == 2 and inside.sum() == 3
            if len(inside) == 1 or diagonal:
                expected += [(row, col, quadrant, part[quadrant]) for quadrant in inside.tolist()]
            if len(inside) == 3:
                missing = int(np.flatnonzero(~around)[0])
                expected.append((row, col, 4 + missing, part[inside[0]]))
            if diagonal:
                touching.add((part[inside[0]], part[inside[1]]))
    assert found == sorted(expected)
    assert {tuple(pair) for pair in turns.touching.tolist()} == touching
