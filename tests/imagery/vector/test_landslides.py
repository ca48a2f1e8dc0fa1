"""Landslides: outlines filtered, simplified, measured and graded."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import example, given
from hypothesis import strategies as st
from rasterio.features import rasterize

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.objects import object_counts
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.vector.landslides import (
    PolygonOptions,
    landslides_of,
    shaped_mask,
)
from tests.imagery.vector.shapes import (
    DEGREES,
    METRES,
    NAMES,
    SQUARE_METRES,
    TURNED,
    UTM,
    WKT,
    blob,
    holed,
    landslides_in,
    outlines_in,
    squares,
)


@pytest.mark.parametrize("place", [UTM, DEGREES, TURNED, Georeference()])
def test_untouched_landslides_lie_exactly_on_pixel_corners(place: Georeference) -> None:
    mask = blob(1)
    landslides = landslides_in(mask, place)
    for landslide, outline in zip(landslides, outlines_in(mask), strict=True):
        expected = [place.transform @ xy for xy in shapely.get_coordinates(outline.polygon)]
        np.testing.assert_array_equal(shapely.get_coordinates(landslide.geometry), expected)
        assert shapely.is_valid(landslide.geometry)


def test_landslides_are_measured_in_metres_on_the_ground() -> None:
    (landslide,) = landslides_in(squares(20), UTM)
    assert landslide.area == pytest.approx(400 * SQUARE_METRES, rel=1e-6)
    assert landslide.perimeter == pytest.approx(80 * METRES, rel=1e-6)


def test_landslides_of_a_scene_in_degrees_are_measured_in_metres() -> None:
    (landslide,) = landslides_in(squares(20), DEGREES)
    # On WGS 84 at 31.25 degrees north: 110,869 m a degree of latitude, 95,249 m of longitude.
    assert landslide.area == pytest.approx(400 * 4e-12 * 110_869 * 95_249, rel=5e-4)
    assert landslide.perimeter == pytest.approx(40 * 2e-6 * (110_869 + 95_249), rel=5e-4)


def test_a_turned_scene_has_the_areas_of_a_straight_one() -> None:
    (landslide,) = landslides_in(squares(20), TURNED)
    assert landslide.area == pytest.approx(400 * SQUARE_METRES, rel=1e-6)


@pytest.mark.parametrize(
    "place",
    [
        Georeference(),
        Georeference(None, Affine(0.5, 0, 10, 0, -0.5, 20)),
        Georeference(WKT, Affine.identity()),
    ],
)
def test_without_a_georeference_landslides_are_measured_in_pixels(place: Georeference) -> None:
    (landslide,) = landslides_in(squares(20), place)
    assert (landslide.area, landslide.perimeter) == (400, 80)
    corner = place.transform @ (1, 1)
    assert corner in [tuple(xy) for xy in shapely.get_coordinates(landslide.geometry).tolist()]


def test_a_perimeter_counts_the_rims_of_holes() -> None:
    (landslide,) = landslides_in(holed(10, 4))
    assert (landslide.area, landslide.perimeter) == (84, 56)


@pytest.mark.parametrize(
    ("place", "unit"), [(Georeference(), 1.0), (UTM, SQUARE_METRES), (TURNED, SQUARE_METRES)]
)
def test_landslides_below_the_least_area_are_dropped(place: Georeference, unit: float) -> None:
    mask = squares(2, 5, 9)
    for least, kept in ((25 * unit * 0.9999, [25, 81]), (25 * unit * 1.0001, [81])):
        landslides = landslides_in(mask, place, PolygonOptions(min_area=least))
        assert [landslide.area for landslide in landslides] == pytest.approx(
            [n * unit for n in kept], rel=1e-5
        )


@pytest.mark.parametrize(("place", "unit"), [(Georeference(), 1.0), (UTM, SQUARE_METRES)])
def test_holes_below_an_area_are_filled_and_others_stay(place: Georeference, unit: float) -> None:
    mask = np.hstack([holed(10, 2), holed(10, 4)])
    landslides = landslides_in(mask, place, PolygonOptions(fill_holes=10 * unit))
    assert [landslide.area / unit for landslide in landslides] == pytest.approx([100, 84], rel=1e-5)
    assert [len(landslide.geometry.interiors) for landslide in landslides] == [0, 1]


def test_landslides_are_dropped_by_their_area_with_filled_holes() -> None:
    assert len(landslides_in(holed(10, 8), options=PolygonOptions(min_area=90))) == 0
    assert len(landslides_in(holed(10, 8), options=PolygonOptions(min_area=90, fill_holes=70))) == 1


def test_an_island_in_a_filled_hole_becomes_part_of_the_landslide_around_it() -> None:
    mask = holed(11, 7)
    mask[6, 6] = 1
    assert [landslide.area for landslide in landslides_in(mask)] == [72, 1]
    assert [
        landslide.area for landslide in landslides_in(mask, options=PolygonOptions(fill_holes=50))
    ] == [121]


def test_a_part_in_a_filled_hole_that_touches_by_a_corner_does_not_overlap() -> None:
    mask = holed(9, 5)
    mask[4, 4] = 1
    mask[3, 3] = 1  # touches the rim of the hole by a corner only
    mask[3, 4] = mask[4, 3] = 0
    (landslide,) = landslides_in(mask, options=PolygonOptions(fill_holes=30))
    assert landslide.geometry.equals(shapely.box(1, 1, 10, 10))


def test_a_hole_that_holds_another_class_is_not_filled() -> None:
    mask = holed(11, 7)
    mask[6, 6] = 2
    landslides = landslides_in(mask, options=PolygonOptions(fill_holes=50))
    assert [(landslide.class_name, landslide.area) for landslide in landslides] == [
        ("landslide", 72),
        ("rock fall", 1),
    ]


@given(st.integers(0, 2**32 - 1), st.sampled_from([2.0, 5.0, 30.0, 1e9]))
def test_filling_holes_adds_background_only_and_leaves_no_small_holes(
    seed: int, least: float
) -> None:
    mask = blob(seed)
    landslides = landslides_in(mask, options=PolygonOptions(fill_holes=least))
    assert all(shapely.is_valid(landslide.geometry) for landslide in landslides)
    holes = [
        hole
        for landslide in landslides
        for part in shapely.get_parts(landslide.geometry)
        for hole in part.interiors
    ]
    assert all(shapely.area(shapely.Polygon(hole)) >= least for hole in holes)
    if landslides:
        times = sum(
            rasterize([landslide.geometry], out_shape=mask.shape).astype(int)
            for landslide in landslides
        )
        assert times.max() == 1
        assert (times >= mask).all()


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.6, 1.5, 4.0, 50.0]))
@example(785, 1.5)
def test_simplified_landslides_are_valid_and_keep_their_holes_and_pixel_corners(
    seed: int, tolerance: float
) -> None:
    mask = blob(seed)
    plain = landslides_in(mask)
    simple = landslides_in(mask, options=PolygonOptions(simplify=tolerance))
    for landslide, other in zip(plain, simple, strict=True):
        assert shapely.is_valid(other.geometry)
        assert not other.geometry.is_empty
        parts, other_parts = shapely.get_parts(
            [landslide.geometry, other.geometry], return_index=True
        )
        assert len(parts[other_parts == 0]) == len(parts[other_parts == 1])
        rings = shapely.get_num_interior_rings(parts)
        assert rings[other_parts == 0].sum() == rings[other_parts == 1].sum()
        kept = {tuple(xy) for xy in shapely.get_coordinates(other.geometry).tolist()}
        assert kept <= {tuple(xy) for xy in shapely.get_coordinates(landslide.geometry).tolist()}
        assert shapely.hausdorff_distance(landslide.geometry, other.geometry) < 2 * tolerance + 1


@pytest.mark.parametrize("place", [UTM, DEGREES, TURNED])
def test_the_tolerance_of_simplification_is_in_metres(place: Georeference) -> None:
    mask = squares(40)
    mask[0, 10:30] = 1  # a step of one pixel
    step = METRES if place is not DEGREES else 0.2217
    (fine,) = landslides_in(mask, place, PolygonOptions(simplify=0.4 * step))
    (coarse,) = landslides_in(mask, place, PolygonOptions(simplify=1.1 * step))
    assert shapely.get_num_coordinates(fine.geometry) == 9
    assert shapely.get_num_coordinates(coarse.geometry) == 5


def test_the_areas_of_simplified_landslides_are_their_own() -> None:
    mask = squares(40)
    mask[0, 10:20] = 1
    (landslide,) = landslides_in(mask, options=PolygonOptions(simplify=1.1))
    assert landslide.area == shapely.area(landslide.geometry) == 1600


@pytest.mark.parametrize(
    ("mean", "least", "grade"),
    [
        (0.85, 0.1, "high"),
        (0.85, 0.09, "medium"),
        (0.84, 0.5, "medium"),
        (0.65, 0.05, "medium"),
        (0.65, 0.04, "low"),
        (0.64, 0.5, "low"),
        (float(np.float32(0.65)), float(np.float32(0.05)), "medium"),
    ],
)
def test_confidence_grades_by_the_mean_and_the_least_probability(
    mean: float, least: float, grade: str
) -> None:
    (outline,) = outlines_in(squares(3))
    outline = replace(outline, mean_probability=mean, min_probability=least)
    (landslide,) = landslides_of([outline], UTM, 5, 5, NAMES, PolygonOptions())
    assert landslide.confidence == grade
    assert (landslide.mean_probability, landslide.min_probability) == pytest.approx(
        (mean, least), abs=1e-6
    )


@pytest.mark.parametrize("options", [PolygonOptions(), PolygonOptions(1.0, 1.0, 1.0)])
def test_no_outlines_are_no_landslides(options: PolygonOptions) -> None:
    assert landslides_of([], UTM, 5, 5, NAMES, options) == []


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([UTM, DEGREES, TURNED, Georeference()]),
    st.sampled_from([(0.0, 0.0), (6.0, 0.0), (0.0, 9.0), (4.0, 1e9), (30.0, 8.0)]),
)
def test_a_shaped_mask_has_the_landslides_of_the_map(
    seed: int, place: Georeference, least: tuple[float, float]
) -> None:
    first = blob(seed, 40)
    mask = np.where(blob(seed + 1, 40) == 1, 2 * (1 - first), first).astype(np.uint8)
    (unit,) = {a.area for a in landslides_in(squares(1), place)}
    options = PolygonOptions(*(unit * area for area in least))
    shaped = shaped_mask(mask, place, len(NAMES), options)
    landslides = landslides_in(mask, place, options)
    for index, name in enumerate(NAMES[1:], start=1):
        areas = [landslide.area for landslide in landslides if landslide.class_name == name]
        counts = object_counts(shaped, shaped, index, [])
        assert counts[0, 0] == len(areas)
        assert (shaped == index).sum() == pytest.approx(sum(areas) / unit, rel=1e-3)


def test_unlabelled_pixels_stay_so_in_a_shaped_mask() -> None:
    mask = holed(10, 2)
    mask[5, 5] = IGNORE
    mask[0, 0] = IGNORE
    shaped = shaped_mask(mask, UTM, 2, PolygonOptions(fill_holes=5.0))
    assert (shaped == IGNORE).sum() == 2
    assert (shaped == 1).sum() == 99
    dropped = shaped_mask(mask, UTM, 2, PolygonOptions(min_area=101.0))
    assert sorted(set(dropped.ravel().tolist())) == [0, IGNORE]
