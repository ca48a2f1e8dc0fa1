"""Polygons on pixels: as an independent test of each pixel's middle decides."""

from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio import warp

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.vector.painting import (
    LabelPainter,
    Polygons,
    count_outside,
    on_pixels,
)

UTM = Georeference("EPSG:32648", Affine(0.5, 0, 400_000, 0, -0.5, 3_450_000))
WHOLE = Window(0, 0, 40, 30)


def polygons(*shapes: shapely.Geometry, classes: list[int] | None = None) -> Polygons:
    values = classes or [1] * len(shapes)
    return Polygons(np.array(shapes, object), np.array(values, np.uint8))


def middles(rows: int, cols: int) -> tuple[NDArray[Any], NDArray[Any]]:
    x, y = np.meshgrid(np.arange(cols) + 0.5, np.arange(rows) + 0.5)
    return x, y


# Vertices at thirds of a pixel, so that no middle of a pixel lies on a side's end.
@st.composite
def triangles(draw: st.DrawFn) -> shapely.Polygon:
    number = st.integers(-30, 150)
    corners = [(draw(number) / 3 + 0.1, draw(number) / 3 + 0.1) for _ in range(3)]
    return shapely.Polygon(corners)


@given(st.lists(st.tuples(triangles(), st.integers(1, 3)), min_size=1, max_size=5))
def test_a_pixel_has_the_last_class_of_the_polygons_around_its_middle(
    drawn: list[tuple[shapely.Polygon, int]],
) -> None:
    drawn = [(shape, index) for shape, index in drawn if shape.area > 0.5]
    if not drawn:
        return
    shapes, classes = zip(*drawn, strict=True)
    mask = LabelPainter(polygons(*shapes, classes=list(classes))).paint(WHOLE)
    x, y = middles(30, 40)
    expected = np.zeros((30, 40), np.uint8)
    on_a_side = np.zeros((30, 40), bool)
    points = shapely.points(x, y)
    for shape, index in sorted(drawn, key=lambda pair: pair[1]):
        expected[shapely.contains_xy(shape, x, y)] = index
        on_a_side |= shapely.distance(shape.boundary, points) < 1e-6
    assert (mask == expected)[~on_a_side].all()


@given(st.lists(triangles(), min_size=1, max_size=4), st.integers(3, 17))
def test_windows_side_by_side_are_the_whole(shapes: list[shapely.Polygon], side: int) -> None:
    painter = LabelPainter(polygons(*shapes), edge=(1.5, 1.5))
    whole = painter.paint(WHOLE)
    pieces = np.zeros_like(whole)
    for row in range(0, 30, side):
        for col in range(0, 40, side):
            rows, cols = min(side, 30 - row), min(side, 40 - col)
            piece = painter.paint(Window(col, row, cols, rows))
            pieces[row : row + rows, col : col + cols] = piece
    # A middle that lies exactly on a side may fall to either.
    assert (pieces != whole).mean() < 0.005


def test_holes_are_background() -> None:
    ring = shapely.box(2, 2, 20, 20).difference(shapely.box(8, 8, 12, 12))
    mask = LabelPainter(polygons(ring)).paint(WHOLE)
    assert mask[10, 10] == 0
    assert mask[5, 5] == 1
    assert (mask == 1).sum() == 18 * 18 - 4 * 4


def test_ground_without_a_label_lies_below_every_class() -> None:
    painter = LabelPainter(
        polygons(shapely.box(0, 0, 10, 10), shapely.box(5, 0, 15, 10), classes=[IGNORE, 1])
    )
    mask = painter.paint(WHOLE)
    assert mask[5, 2] == IGNORE
    assert mask[5, 7] == 1


def test_outside_of_the_examined_area_there_is_no_label() -> None:
    area = np.array([shapely.box(0, 0, 12, 30)], object)
    mask = LabelPainter(polygons(shapely.box(5, 5, 20, 20)), area).paint(WHOLE)
    assert mask[10, 8] == 1
    assert mask[25, 8] == 0
    assert (mask[:, 12:] == IGNORE).all()


def test_near_an_outline_there_is_no_label_on_both_sides() -> None:
    mask = LabelPainter(polygons(shapely.box(10, 10, 20, 20)), edge=(2.0, 2.0)).paint(WHOLE)
    assert mask[15].tolist() == [0] * 8 + [IGNORE] * 4 + [1] * 6 + [IGNORE] * 4 + [0] * 18


def test_a_side_that_two_polygons_of_a_class_share_is_no_outline() -> None:
    halves = polygons(shapely.box(5, 5, 15, 20), shapely.box(15, 5, 25, 20))
    mask = LabelPainter(halves, edge=(1.0, 1.0)).paint(WHOLE)
    assert mask[12, 15] == mask[12, 14] == 1


def test_the_distance_from_outlines_may_differ_by_direction() -> None:
    mask = LabelPainter(polygons(shapely.box(10, 10, 20, 20)), edge=(3.0, 1.0)).paint(WHOLE)
    assert (mask[15] == IGNORE).sum() == 12
    assert (mask[:, 15] == IGNORE).sum() == 4


def test_all_touched_pixels_may_be_taken() -> None:
    speck = polygons(shapely.box(4.6, 4.6, 4.9, 4.9))
    assert (LabelPainter(speck).paint(WHOLE) == 1).sum() == 0
    assert (LabelPainter(speck, all_touched=True).paint(WHOLE) == 1).sum() == 1


def to_degrees(shape: shapely.Geometry) -> shapely.Geometry:
    def moved(points: NDArray[Any]) -> NDArray[Any]:
        return np.column_stack(warp.transform("EPSG:32648", "EPSG:4326", *points.T))

    return shapely.transform(shape, moved)


def test_polygons_in_degrees_lie_where_they_do_in_metres() -> None:
    drawn = shapely.box(400_010, 3_449_900, 400_300, 3_449_990)
    bent = to_degrees(shapely.segmentize(drawn, 1.0))
    shapes, indices = on_pixels(np.array([bent], object), "EPSG:4326", UTM, 1000, 1000)
    expected = shapely.box(20, 20, 600, 200)
    assert indices.tolist() == [0]
    assert shapely.symmetric_difference(shapes[0], expected).area < 1.0


def test_long_straight_sides_are_bent_as_the_map_bends_them() -> None:
    # A side along a parallel, from one end of the scene to the other, has two vertices.
    wide = Georeference("EPSG:32648", Affine(10.0, 0, 300_000, 0, -10.0, 5_000_000))
    corners = to_degrees(shapely.box(300_000, 4_900_000, 399_990, 4_990_000)).bounds
    belt = shapely.box(corners[0], corners[1] + 0.2, corners[2], corners[3] - 0.2)
    shapes, _ = on_pixels(np.array([belt], object), "EPSG:4326", wide, 10_000, 10_000)
    dense = shapely.segmentize(belt, 0.0005)
    there = np.column_stack(
        warp.transform("EPSG:4326", "EPSG:32648", *shapely.get_coordinates(dense).T)
    )
    expected = shapely.Polygon((there - (300_000, 5_000_000)) * (0.1, -0.1))
    assert shapely.hausdorff_distance(shapes[0], expected) < 0.1


def test_polygons_elsewhere_on_the_earth_are_left_out() -> None:
    # Beyond what the scene's projection can express.
    far = shapely.box(-80, -5, -75, 5)
    near = to_degrees(shapely.box(400_010, 3_449_900, 400_300, 3_449_990))
    shapes, indices = on_pixels(np.array([far, near], object), "EPSG:4326", UTM, 1000, 1000)
    assert indices.tolist() == [1]
    assert len(shapes) == 1


def test_a_polygon_around_half_the_earth_is_cut_to_the_scene() -> None:
    half = shapely.box(20, -60, 179, 80)
    shapes, _ = on_pixels(np.array([half], object), "EPSG:4326", UTM, 1000, 1000)
    assert shapely.contains(shapes[0], shapely.box(0, 0, 1000, 1000))


SCENES = np.array([shapely.box(105.0, 31.0, 105.1, 31.1)], object)


def test_polygons_on_no_scene_are_counted() -> None:
    shapes = np.array([shapely.box(105.0, 31.0, 105.01, 31.01), shapely.box(0, 0, 1, 1)], object)
    assert count_outside("a", shapes, SCENES) == 1


def test_a_layer_beside_the_scenes_is_refused_with_both_extents() -> None:
    with pytest.raises(DataError, match=r"x 100 to 101, y 31 to 32, the scenes x 105 to 105\.1"):
        count_outside("a", np.array([shapely.box(100, 31, 101, 32)], object), SCENES)


def test_exchanged_coordinates_are_told() -> None:
    with pytest.raises(DataError, match="latitude before longitude"):
        count_outside("a", np.array([shapely.box(31.0, 105.0, 31.01, 105.01)], object), SCENES)
