import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.ndimage import label

from landslide_cli.core.palette import IGNORE
from landslide_cli.imagery.vector.outlines import Outline, Outliner

Mask = NDArray[np.uint8]
Probability = NDArray[np.float32]


@dataclass(frozen=True)
class Cut:
    """A mask, and where it is cut into blocks of columns and each block into bands of rows.

    `settles` tells to build what can be built after each piece.
    """

    mask: Mask
    probability: Probability
    blocks: list[tuple[int, int, list[tuple[int, int]]]]
    settles: bool = False

    @property
    def classes(self) -> int:
        return max(2, int(self.mask[self.mask != IGNORE].max(initial=0)) + 1)


def spans(length: int, cuts: set[int]) -> list[tuple[int, int]]:
    ends = [0, *sorted(cut for cut in cuts if cut < length), length]
    return list(pairwise(ends))


@st.composite
def cut_masks(draw: st.DrawFn) -> Cut:
    """Masks of patches of pixels, in any pieces."""
    rows, cols = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = ([0], [1], [0, 1], [0, 0, 0, 1], [0, 1, 1], [0, 1, 2], [0, 0, 1, 2, 3, IGNORE])
    values = np.array(draw(st.sampled_from(kinds)), np.uint8)
    patch = draw(st.sampled_from((1, 1, 2, 3)))
    coarse = rng.choice(values, (rows // patch + 1, cols // patch + 1))
    mask = np.kron(coarse, np.ones((patch, patch), np.uint8))[:rows, :cols]
    blocks = [
        (start, stop, spans(rows, draw(st.sets(st.integers(1, 19)))))
        for start, stop in spans(cols, draw(st.sets(st.integers(1, 19))))
    ]
    probability = rng.random((rows, cols), np.float32)
    return Cut(mask, probability, blocks, settles=draw(st.booleans()))


def outlines(cut: Cut) -> list[Outline]:
    outliner = Outliner(cut.classes)
    for left, right, bands in cut.blocks:
        for top, bottom in bands:
            piece = np.s_[top:bottom, left:right]
            outliner.add(top, left, cut.mask[piece], cut.probability[piece])
            if cut.settles:
                outliner.settle()
    return outliner.finish()


def outlines_at_once(mask: Mask, probability: Probability | None = None) -> list[Outline]:
    rows, cols = mask.shape
    values = np.ones(mask.shape, np.float32) if probability is None else probability
    return outlines(Cut(mask, values, [(0, cols, [(0, rows)])]))


def objects(cut: Cut) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """The objects by an independent labelling, with their classes, by their upper left pixel."""
    outlined = []
    for index in range(1, cut.classes):
        labels, count = label(cut.mask == index, np.ones((3, 3)))
        outlined += [(index, labels == number) for number in range(1, count + 1)]
    yield from sorted(outlined, key=lambda region: int(region[1].argmax()))


@given(cut_masks())
def test_the_outlines_are_the_same_however_the_mask_is_cut(cut: Cut) -> None:
    pieces, whole = outlines(cut), outlines_at_once(cut.mask, cut.probability)
    assert [(outline.index, outline.pixels, outline.min_probability) for outline in pieces] == [
        (outline.index, outline.pixels, outline.min_probability) for outline in whole
    ]
    for outline, other in zip(pieces, whole, strict=True):
        assert shapely.equals_exact(outline.polygon, other.polygon, tolerance=0.0)
        assert outline.mean_probability == pytest.approx(other.mean_probability, abs=1e-9)


@given(cut_masks())
def test_each_object_of_a_class_has_one_outline_with_its_pixels_and_probabilities(
    cut: Cut,
) -> None:
    expected = list(objects(cut))
    outlined = outlines(cut)
    assert len(outlined) == len(expected)
    for outline, (index, pixels) in zip(outlined, expected, strict=True):
        assert (outline.index, outline.pixels) == (index, pixels.sum())
        covered = rasterize([outline.polygon], out_shape=pixels.shape).astype(bool)
        np.testing.assert_array_equal(covered, pixels)
        assert shapely.area(outline.polygon) == outline.pixels
        values = cut.probability[pixels].astype(np.float64)
        assert outline.mean_probability == pytest.approx(values.mean(), abs=1e-9)
        assert outline.min_probability == values.min()


@given(cut_masks())
def test_polygons_are_valid_and_have_no_vertex_within_a_side(cut: Cut) -> None:
    for outline in outlines(cut):
        assert shapely.is_valid(outline.polygon), shapely.is_valid_reason(outline.polygon)
        assert outline.polygon.geom_type in ("Polygon", "MultiPolygon")
        for part in shapely.get_parts(outline.polygon):
            for ring in shapely.get_rings(part):
                sides = np.diff(shapely.get_coordinates(ring), axis=0)
                turns = np.append(sides, sides[:1], axis=0)
                assert (np.count_nonzero(turns, axis=1) == 1).all()
                assert ((turns[1:] * turns[:-1]).sum(axis=1) == 0).all()


@given(cut_masks())
def test_a_polygon_has_a_part_for_each_set_of_pixels_that_touch_by_sides(cut: Cut) -> None:
    for outline, (_, pixels) in zip(outlines(cut), objects(cut), strict=True):
        _, count = label(pixels)
        assert shapely.get_num_geometries(outline.polygon) == count
        assert (outline.polygon.geom_type == "MultiPolygon") == (count > 1)


def test_a_rectangle_has_its_four_corners() -> None:
    mask = np.zeros((10, 12), np.uint8)
    mask[2:5, 3:9] = 1
    (outline,) = outlines_at_once(mask)
    assert shapely.equals_exact(outline.polygon, shapely.normalize(shapely.box(3, 2, 9, 5)))


def test_a_mask_full_of_one_class_is_one_rectangle() -> None:
    (outline,) = outlines_at_once(np.ones((3, 4), np.uint8))
    assert outline.polygon.equals(shapely.box(0, 0, 4, 3))


def test_pixels_that_touch_by_a_corner_are_one_outline_of_two_polygons() -> None:
    (outline,) = outlines_at_once(np.eye(2, dtype=np.uint8))
    assert outline.polygon.geom_type == "MultiPolygon"
    assert outline.polygon.equals(shapely.union(shapely.box(0, 0, 1, 1), shapely.box(1, 1, 2, 2)))


def test_corners_touch_across_the_corner_of_four_pieces() -> None:
    mask, other = np.zeros((2, 6, 6), np.uint8)
    mask[2, 2] = mask[3, 3] = other[2, 3] = other[3, 2] = 1
    halves = [(0, 3), (3, 6)]
    for image in (mask, other):
        cut = Cut(image, np.ones((6, 6), np.float32), [(*half, halves) for half in halves])
        assert [outline.pixels for outline in outlines(cut)] == [2]


def test_a_hole_stays_open_and_an_island_in_it_is_an_outline_of_its_own() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[1:8, 1:8], mask[2:7, 2:7], mask[4, 4] = 1, 0, 1
    around, island = outlines_at_once(mask)
    assert around.polygon.equals(shapely.box(1, 1, 8, 8) - shapely.box(2, 2, 7, 7))
    assert island.polygon.equals(shapely.box(4, 4, 5, 5))


def test_a_ring_that_closes_by_a_corner_has_a_hole() -> None:
    mask = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], np.uint8)
    (outline,) = outlines_at_once(mask)
    assert outline.polygon.geom_type == "Polygon"
    assert len(outline.polygon.interiors) == 1
    assert outline.polygon.is_valid


def test_classes_that_touch_are_outlined_apart_and_share_their_border() -> None:
    mask = np.array([[1, 1, 2, 2]], np.uint8)
    first, second = outlines_at_once(mask)
    assert (first.index, second.index) == (1, 2)
    assert first.polygon.intersection(second.polygon).length == 1


def test_pixels_without_data_belong_to_no_outline_and_part_those_beside_them() -> None:
    mask = np.array([[1, IGNORE, 1, 0, IGNORE]], np.uint8)
    assert [outline.polygon.bounds for outline in outlines_at_once(mask)] == [
        (0, 0, 1, 1),
        (2, 0, 3, 1),
    ]


@pytest.mark.parametrize("value", [0, IGNORE])
def test_a_mask_without_foreground_has_no_outlines(value: int) -> None:
    assert outlines_at_once(np.full((7, 5), value, np.uint8)) == []


def test_no_pieces_are_no_outlines() -> None:
    assert Outliner(2).finish() == []


def test_probabilities_are_those_of_the_whole_outline_across_a_seam() -> None:
    mask, probability = np.ones((2, 1), np.uint8), np.array([[0.5], [1.0]], np.float32)
    (outline,) = outlines(Cut(mask, probability, [(0, 1, [(0, 1), (1, 2)])]))
    assert (outline.pixels, outline.mean_probability, outline.min_probability) == (2, 0.75, 0.5)


@pytest.mark.parametrize("place", [(5, 0), (4, 1), (0, 5)])
def test_a_piece_out_of_order_is_refused(place: tuple[int, int]) -> None:
    outliner = Outliner(2)
    outliner.add(0, 0, np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.float32))
    with pytest.raises(ValueError, match="expected"):
        outliner.add(*place, np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.float32))


def test_a_spiral_of_one_pixel_is_one_polygon() -> None:
    size = 41
    mask = np.zeros((size, size), np.uint8)
    row, col, step = 0, 0, (0, 1)
    mask[0, 0] = 1
    for length in [size - 1, *(n for n in range(size - 1, 0, -2) for _ in range(2))]:
        for _ in range(length):
            row, col = row + step[0], col + step[1]
            mask[row, col] = 1
        step = (step[1], -step[0])
    columns = [(col, min(col + 3, size), spans(size, {5, 6, 30})) for col in range(0, size, 3)]
    (outline,) = outlines(Cut(mask, np.ones_like(mask, np.float32), columns))
    assert outline.polygon.geom_type == "Polygon"
    assert outline.polygon.is_valid
    assert math.isclose(outline.polygon.area, mask.sum())
