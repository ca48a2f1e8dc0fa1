"""Footprints: where scenes lie, which overlap and by how much, whatever their projections."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.arrays import Transform
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.vector.footprints import (
    Footprint,
    FootprintOverlap,
    footprint_of,
    overlapping,
)
from tests.imagery.raster.places import (
    DEGREES,
    LEFT,
    MERCATOR,
    TOP,
    ZONE_48,
    ZONE_49,
    WriteRaster,
    area_of_pixel,
    collared,
    filled,
    north_up,
    reprojected,
    turned,
)

Place = Callable[..., Footprint]


def applied(transform: Transform, x: float, y: float) -> tuple[float, float]:
    (a, b, c), (d, e, f) = transform
    return a * x + b * y + c, d * x + e * y + f


@pytest.fixture
def place(write_raster: WriteRaster) -> Place:
    """Write a scene of the given values, or of one value all over, and take its footprint."""
    written = iter(range(1000))

    def write(
        crs: str,
        transform: Affine,
        rows: int = 100,
        cols: int = 100,
        values: NDArray[Any] | None = None,
        **options: Any,
    ) -> Footprint:
        values = filled(rows, cols) if values is None else values
        path = write_raster(f"{next(written)}.tif", values, crs=crs, transform=transform, **options)
        footprint = footprint_of(path)
        assert footprint is not None
        return footprint

    return write


def only(footprints: Sequence[Footprint | None], least: float = 1e-6) -> FootprintOverlap:
    (overlap,) = overlapping(footprints, least)
    return overlap


def test_a_footprint_is_the_frame_of_the_scene(place: Place) -> None:
    footprint = place(ZONE_48, north_up(pixel=0.5), rows=60, cols=100)
    assert (footprint.width, footprint.height) == (100, 60)
    assert footprint.georeference.transform == north_up(pixel=0.5)
    assert "UTM zone 48N" in str(footprint.georeference.crs)
    expected = shapely.box(LEFT, TOP - 30, LEFT + 50, TOP)
    assert shapely.area(shapely.symmetric_difference(footprint.outline, expected)) < 1e-6


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"crs": ZONE_48},
        {"transform": north_up()},
        {"crs": ZONE_48, "transform": Affine.identity()},
    ],
    ids=["nothing", "no transform", "no projection", "identity"],
)
def test_without_georeference_a_scene_lies_nowhere(
    write_raster: WriteRaster, options: dict[str, Any]
) -> None:
    path = write_raster("scene.tif", filled(8, 8), **options)
    assert footprint_of(path) is None
    assert area_of_pixel(path) is None


def test_a_picture_lies_nowhere(write_raster: WriteRaster) -> None:
    path = write_raster("scene.png", filled(8, 8))
    assert footprint_of(path) is None
    assert area_of_pixel(path) is None


@pytest.mark.parametrize("read", [footprint_of, area_of_pixel])
def test_an_unreadable_file_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    for name, content in (("empty.tif", b""), ("notes.tif", b"These are notes.\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError) as caught:
            read(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
    with pytest.raises(DataError, match=r"none\.tif: no such file"):
        read(tmp_path / "none.tif")


def test_a_truncated_file_whose_collar_must_be_read_is_named(
    write_raster: WriteRaster, cut_short: Callable[..., Path]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    path = write_raster("scene.tif", noise, crs=ZONE_48, transform=north_up(), nodata=0)
    cut_short(path, 0.6)
    with pytest.raises(DataError, match="damaged or cut short") as caught:
        footprint_of(path)
    assert str(path) in str(caught.value)


def test_no_scenes_no_overlaps(place: Place) -> None:
    assert overlapping([], 0.1) == []
    assert overlapping([None], 0.1) == []
    assert overlapping([None, None], 0.1) == []
    assert overlapping([place(ZONE_48, north_up())], 0.1) == []


def test_scenes_without_georeference_keep_their_indices(place: Place) -> None:
    here, far = place(ZONE_48, north_up()), place(ZONE_48, north_up(LEFT + 5000))
    overlap = only([None, here, None, far, here])
    assert (overlap.first, overlap.second) == (1, 4)


def test_pairs_are_sorted_by_their_scenes(place: Place) -> None:
    offsets = (150, 0, 80, 240)
    footprints = [place(ZONE_48, north_up(LEFT + offset)) for offset in offsets]
    overlaps = overlapping(footprints, 0.01)
    assert [(overlap.first, overlap.second) for overlap in overlaps] == [(0, 2), (0, 3), (1, 2)]
    assert [overlap.share for overlap in overlaps] == pytest.approx([0.3, 0.1, 0.2])


@pytest.mark.parametrize("other_crs", [False, True], ids=["plane", "equal area"])
@pytest.mark.parametrize(
    ("right", "down", "share"),
    [(0, 0, 1.0), (50, 0, 0.5), (0, 75, 0.25), (90, 90, 0.01), (-40, 20, 0.48)],
)
def test_the_share_is_that_of_the_smaller_footprint(
    place: Place, right: int, down: int, share: float, other_crs: bool
) -> None:
    first, second = place(ZONE_48, north_up()), place(ZONE_48, north_up(LEFT + right, TOP - down))
    # A third scene elsewhere, in another projection, takes all of them to the equal area.
    third = [place(DEGREES, north_up(10.0, 50.0, 1e-5))] if other_crs else []
    overlap = only([first, second, *third])
    assert (overlap.first, overlap.second) == (0, 1)
    assert overlap.share == pytest.approx(share, abs=1e-6)


def test_a_small_scene_within_a_large_one_is_wholly_shared(place: Place) -> None:
    large = place(ZONE_48, north_up(pixel=10.0))
    small = place(ZONE_48, north_up(LEFT + 300, TOP - 300, 0.2))
    for pair in ([large, small], [small, large]):
        assert only(pair).share == pytest.approx(1.0)
        assert only(pair).share <= 1.0


@pytest.mark.parametrize("degrees", [0, 17, 45, 133, 270])
def test_a_turned_scene_with_its_corner_in_the_middle_covers_a_quarter(
    place: Place, degrees: float
) -> None:
    """As every square does that turns about another's middle."""
    first = place(ZONE_48, north_up())
    second = place(ZONE_48, turned(LEFT + 50, TOP - 50, degrees))
    overlap = only([first, second])
    assert overlap.share == pytest.approx(0.25, abs=1e-9)
    assert applied(overlap.transform, 50, 50) == pytest.approx((0, 0), abs=1e-6)


def test_the_box_around_a_turned_scene_is_not_its_footprint(place: Place) -> None:
    diamond = place(ZONE_48, turned(LEFT, TOP, 45))
    reach = 100 / math.sqrt(2)
    in_the_corner = place(ZONE_48, north_up(LEFT + reach + 40, TOP + reach, 0.3))
    assert diamond.outline.bounds[0] < in_the_corner.outline.bounds[0] < diamond.outline.bounds[2]
    assert overlapping([diamond, in_the_corner], 1e-9) == []


def test_a_scene_in_degrees_from_the_central_meridian_on_covers_half(place: Place) -> None:
    """The central meridian is straight in UTM: it halves a scene in the middle of the zone."""
    utm = place(ZONE_48, north_up(500_000.0 - 500, 3_400_000.0, 10.0))
    _, latitude = reprojected(500_000.0, 3_400_000.0 - 500, ZONE_48, DEGREES)
    lonlat = place(DEGREES, north_up(105.0, latitude + 0.05, 1e-3))
    overlap = only([utm, lonlat])
    assert overlap.share == pytest.approx(0.5, abs=1e-4)
    assert applied(overlap.transform, 50, 50)[0] == pytest.approx(0, abs=0.01)


def test_a_scene_in_degrees_around_one_in_metres_shares_all_of_it(place: Place) -> None:
    utm = place(ZONE_48, north_up(), rows=500, cols=700)
    longitude, latitude = reprojected(LEFT, TOP, ZONE_48, DEGREES)
    lonlat = place(DEGREES, north_up(longitude - 0.02, latitude + 0.02, 5e-4))
    assert only([utm, lonlat]).share == pytest.approx(1.0, abs=1e-9)


def test_a_scene_of_the_neighbouring_zone_with_its_corner_in_the_middle_covers_a_quarter(
    place: Place,
) -> None:
    """North is another direction there: again a square turned about another's middle."""
    left, top = reprojected(108.0, 30.0, DEGREES, ZONE_48)
    first = place(ZONE_48, north_up(left, top), rows=400, cols=400)
    corner = reprojected(left + 200, top - 200, ZONE_48, ZONE_49)
    second = place(ZONE_49, north_up(*corner), rows=420, cols=420)
    assert only([first, second]).share == pytest.approx(0.25, abs=1e-4)


def test_the_long_sides_of_a_scene_bend_from_one_projection_to_another(place: Place) -> None:
    """A strip of 400 x 2 km sinks by 1.8 km of latitude at its ends: no straight line does."""
    strip = place(ZONE_48, north_up(300_000.0, TOP, 100.0), rows=20, cols=4000)
    for easting in (400_000.0, 500_000.0):
        longitude, latitude = reprojected(easting, TOP - 100, ZONE_48, DEGREES)
        inside = place(DEGREES, north_up(longitude, latitude, 1e-4))
        assert only([strip, inside]).share == pytest.approx(1.0, abs=1e-6)


def test_equal_coordinates_in_neighbouring_zones_are_far_apart(place: Place) -> None:
    assert overlapping([place(ZONE_48, north_up()), place(ZONE_49, north_up())], 1e-9) == []


@pytest.mark.parametrize("least", [0.001, 0.01, 0.1])
def test_slivers_below_the_threshold_do_not_count(place: Place, least: float) -> None:
    first = place(ZONE_48, north_up(), rows=10, cols=1000)
    shared = round(1000 * least)
    for columns, counts in ((shared + 1, True), (shared - 1, False)):
        second = place(ZONE_48, north_up(LEFT + 1000 - columns), rows=10, cols=1000)
        assert bool(overlapping([first, second], least)) is counts


def test_sheets_that_only_touch_do_not_overlap(place: Place) -> None:
    sheets = [
        place(ZONE_48, north_up(LEFT + right, TOP - down))
        for right, down in ((0, 0), (100, 0), (0, 100), (100, 100))
    ]
    assert overlapping(sheets, 1e-6) == []
    elsewhere = place(DEGREES, north_up(10.0, 50.0, 1e-5))
    assert overlapping([*sheets, elsewhere], 1e-6) == []


def test_a_collar_of_no_data_is_no_part_of_the_footprint(place: Place) -> None:
    values = collared(np.s_[20:80], np.s_[30:90])
    footprint = place(ZONE_48, north_up(), values=values, nodata=0)
    expected = shapely.box(LEFT + 30, TOP - 80, LEFT + 90, TOP - 20)
    assert shapely.area(shapely.symmetric_difference(footprint.outline, expected)) < 1e-6
    # Without the mark of no data, zeros are data.
    assert shapely.area(place(ZONE_48, north_up(), values=values).outline) == pytest.approx(100**2)


@pytest.mark.parametrize("kind", ["alpha", "mask", "nan", "bands"])
def test_every_kind_of_no_data_is_left_out(write_raster: WriteRaster, kind: str) -> None:
    data = collared(np.s_[20:80], np.s_[30:90])
    values: NDArray[Any] = data
    options: dict[str, Any] = {}
    if kind == "alpha":
        values, options = np.dstack([filled(100, 100)] * 3 + [data // 7 * 255]), {"alpha": "yes"}
        options["photometric"] = "rgb"
    elif kind == "nan":
        values, options = (
            np.where(data > 0, np.float32(0.0), np.float32(np.nan)),
            {"nodata": np.nan},
        )
    elif kind == "bands":
        # A pixel has data if any of its bands has.
        values, options = np.dstack([data, np.where(np.arange(100) < 60, data, 0)]), {"nodata": 0}
    path = write_raster("scene.tif", values, crs=ZONE_48, transform=north_up(), **options)
    if kind == "mask":
        with rasterio.open(path, "r+") as dataset:
            dataset.write_mask(data > 0)
    footprint = footprint_of(path)
    assert footprint is not None
    assert footprint.outline.bounds == (LEFT + 30, TOP - 80, LEFT + 90, TOP - 20)
    assert shapely.area(footprint.outline) == pytest.approx(60 * 60)


def test_scenes_whose_collars_alone_overlap_do_not(place: Place) -> None:
    left = place(ZONE_48, north_up(), values=collared(np.s_[:], np.s_[:40]), nodata=0)
    right = place(ZONE_48, north_up(LEFT + 30), values=collared(np.s_[:], np.s_[60:]), nodata=0)
    assert overlapping([left, right], 1e-6) == []
    whole = place(ZONE_48, north_up(LEFT + 20))
    assert only([left, whole]).share == pytest.approx(0.5)


def test_the_collar_of_a_turned_scene_turns_with_it(place: Place) -> None:
    """An orthophoto turned into its raster: the data are a diamond, the corners are empty."""
    rows, cols = np.indices((200, 200)) + 0.5
    diamond = (np.abs(rows - 100) + np.abs(cols - 100) < 100).astype(np.uint8)
    footprint = place(ZONE_48, turned(LEFT, TOP, 45), values=diamond, nodata=0)
    # The diamond's sides lie along the axes again, but for the pixels' stairs.
    assert shapely.area(footprint.outline) == pytest.approx(200 * 200 / 2, rel=0.01)
    assert shapely.area(shapely.box(*footprint.outline.bounds)) == pytest.approx(
        200 * 200 / 2, rel=0.03
    )


def test_the_collar_of_a_large_scene_is_right_to_a_thousandth_of_its_side(place: Place) -> None:
    values = collared(np.s_[333:1777], np.s_[211:1999], side=2048)
    footprint = place(ZONE_48, north_up(), values=values, nodata=0)
    expected = (LEFT + 211, TOP - 1777, LEFT + 1999, TOP - 333)
    assert footprint.outline.bounds == pytest.approx(expected, abs=4)
    assert shapely.area(footprint.outline) == pytest.approx(1444 * 1788, rel=0.005)


def test_data_in_several_pieces_are_all_in_the_footprint(place: Place) -> None:
    values = collared(np.s_[:10], np.s_[:10]) + collared(np.s_[90:], np.s_[90:])
    pieces = place(ZONE_48, north_up(), values=values, nodata=0)
    corner = place(ZONE_48, north_up(LEFT + 95, TOP - 95))
    middle = place(ZONE_48, north_up(LEFT + 40, TOP - 40), rows=20, cols=20)
    overlap = only([pieces, corner, middle])
    assert (overlap.first, overlap.second) == (0, 1)
    assert overlap.share == pytest.approx(25 / 200)


@pytest.mark.parametrize("crs", [ZONE_48, DEGREES], ids=["same CRS", "other CRS"])
def test_a_scene_without_any_data_overlaps_nothing(place: Place, crs: str) -> None:
    empty = place(ZONE_48, north_up(), values=filled(50, 50, 0), nodata=0)
    whole = place(ZONE_48, north_up())
    other = place(crs, north_up() if crs == ZONE_48 else north_up(10.0, 50.0, 1e-5))
    pairs = [
        (overlap.first, overlap.second) for overlap in overlapping([empty, whole, other], 1e-6)
    ]
    assert pairs == ([(1, 2)] if crs == ZONE_48 else [])


@given(st.floats(0, 100), st.floats(0, 60))
def test_the_transform_takes_pixels_of_the_one_to_those_of_the_other(x: float, y: float) -> None:
    # Only the pixels' own transforms matter, not the outlines.
    around = shapely.box(-500, -500, 500, 500)
    first = Footprint(Path("a"), Georeference(ZONE_48, north_up(0, 0)), around, 100, 60)
    turn = turned(50, -30, 30, 2.0)
    second = Footprint(Path("b"), Georeference(ZONE_48, turn), around, 90, 80)
    overlap = only([first, second])
    expected = ~second.georeference.transform @ (first.georeference.transform @ (x, y))
    assert applied(overlap.transform, x, y) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("crs", [ZONE_49, DEGREES, MERCATOR])
def test_the_transform_is_right_to_a_fraction_of_a_pixel_across_projections(
    place: Place, crs: str
) -> None:
    left, top = reprojected(108.0, 30.0, DEGREES, ZONE_48)
    first = place(ZONE_48, north_up(left, top, 0.5), rows=1000, cols=1200)
    pixel = 5e-6 if crs == DEGREES else 0.5
    corner = reprojected(left + 150, top - 100, ZONE_48, crs)
    second = place(crs, north_up(*corner, pixel), rows=900, cols=800)
    overlap = only([first, second])
    for x, y in np.random.default_rng(0).uniform((300, 200), (1200, 1000), (20, 2)):
        east, north = first.georeference.transform @ (x, y)
        expected = ~second.georeference.transform @ reprojected(east, north, ZONE_48, crs)
        assert applied(overlap.transform, x, y) == pytest.approx(expected, abs=0.05)


def test_the_transform_does_not_mind_the_collar(place: Place) -> None:
    first = place(ZONE_48, north_up(), values=collared(np.s_[20:80], np.s_[20:80]), nodata=0)
    second = place(ZONE_48, north_up(LEFT + 30, TOP - 10))
    expected = np.array([[1.0, 0.0, -30.0], [0.0, 1.0, -10.0]])
    np.testing.assert_allclose(only([first, second]).transform, expected, atol=1e-6)


def test_overlaps_are_right_across_the_date_line(place: Place) -> None:
    left, top = reprojected(180.0, -16.8, DEGREES, "EPSG:32701")
    first = place("EPSG:32701", north_up(left - 50, top))
    corner = reprojected(left, top - 50, "EPSG:32701", "EPSG:32760")
    second = place("EPSG:32760", north_up(*corner), rows=110, cols=110)
    # At the same latitude, but in Zambia: no scene of the date line reaches there.
    elsewhere = place(DEGREES, north_up(25.0, -16.75, 1e-3))
    overlap = only([first, second, elsewhere])
    assert (overlap.first, overlap.second) == (0, 1)
    assert overlap.share == pytest.approx(0.25, abs=1e-3)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        (DEGREES, north_up(300.0, 3400.0, 0.5)),
        (ZONE_48, north_up(1e12, TOP)),
    ],
    ids=["degrees", "metres"],
)
def test_a_scene_off_the_earth_is_named_if_it_is_compared_with_another_crs(
    place: Place, crs: str, transform: Affine
) -> None:
    here, off = place(ZONE_49, north_up()), place(crs, transform)
    with pytest.raises(DataError, match="places nothing on the Earth") as caught:
        overlapping([here, off], 0.1)
    assert str(caught.value).startswith(f"{off.path}: ")
    # Among scenes of its own CRS it needs no place on the Earth.
    assert only([off, off]).share == pytest.approx(1.0)


def test_scenes_in_a_local_crs_have_no_footprint_as_any_site_may_have_that_crs(
    write_raster: WriteRaster,
) -> None:
    local = {"crs": 'LOCAL_CS["site",UNIT["metre",1]]', "transform": north_up(100.0, 500.0)}
    assert footprint_of(write_raster("a.tif", filled(20, 20), **local)) is None
