"""Shapes of polygons against what is known of simple ones."""

import numpy as np
import pytest
import shapely
from shapely import affinity

from landslide_cli.imagery.vector.shapes import shapes_of, size_classes


@pytest.mark.parametrize("turned", [0, 30, 90, 135, 179])
def test_the_least_rectangle_of_a_turned_rectangle_is_itself(turned: int) -> None:
    upright = shapely.box(0, 0, 2, 8)
    polygon = affinity.rotate(upright, -turned)  # clockwise
    (shape,) = shapes_of(np.array([polygon], object))
    assert (shape.length, shape.width) == pytest.approx((8, 2))
    assert shape.elongation == pytest.approx(4)
    assert abs((shape.orientation - turned + 90) % 180 - 90) < 1e-6
    assert 0 <= shape.orientation < 180
    assert shape.compactness == pytest.approx(4 * np.pi * 16 / 20**2)


def test_directions_in_pixels_are_from_up() -> None:
    east_of_up = shapely.Polygon([(0, 10), (1, 10), (11, 0), (10, 0)])
    (shape,) = shapes_of(np.array([east_of_up], object), y_is_north=False)
    assert 40 < shape.orientation < 50


def test_a_circle_is_compact_and_several_parts_have_one_rectangle() -> None:
    circle = shapely.Point(0, 0).buffer(10, quad_segs=64)
    pair = shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(9, 0, 10, 1)])
    round_shape, two = shapes_of(np.array([circle, pair], object))
    assert round_shape.compactness == pytest.approx(1, abs=1e-3)
    assert (two.length, two.width) == pytest.approx((10, 1))


def test_of_no_polygons_there_are_no_shapes() -> None:
    assert shapes_of(np.array([], object)) == []


def test_size_classes_are_decades() -> None:
    areas = np.array([1.0, 99.9, 100.0, 12_345.0, 5e6])
    assert size_classes(areas).tolist() == [
        *("under 100 m2", "under 100 m2", "100 to 1,000 m2", "1 to 10 ha", "over 1 km2"),
    ]
