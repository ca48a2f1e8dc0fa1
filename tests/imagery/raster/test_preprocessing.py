"""By which factors rasters are resized for the model."""

from pathlib import Path
from typing import Any

import pytest
from affine import Affine

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.control import Control
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from tests.imagery.raster.control import gcps

NOWHERE = Georeference()
OFF_THE_EARTH = Georeference("EPSG:4326", Affine(0.5, 0, 300, 0, -0.5, 3_400))
NO_SIZE = Georeference("EPSG:32648", Affine(0, 0, 5e5, 0, 0, 3.4e6))
UNKNOWN = pytest.mark.parametrize(
    "place", [NOWHERE, OFF_THE_EARTH, NO_SIZE], ids=["nowhere", "off the Earth", "no size"]
)


def utm(col: float, row: float | None = None) -> Georeference:
    """On the central meridian, where a metre of the projection is 1 / 0.9996 m."""
    height = col if row is None else row
    return Georeference("EPSG:32648", Affine(col * 0.9996, 0, 5e5, 0, -height * 0.9996, 3_400_000))


def scales_of(place: Georeference, **fields: Any) -> tuple[float, float]:
    return Preprocessing(3, **fields).scales_of(Path("scene.tif"), place, 100, 80)


def test_a_georeferenced_raster_is_resized_to_the_gsd() -> None:
    assert scales_of(utm(0.5), scale=0.3, gsd=2.0) == pytest.approx((0.25, 0.25), rel=1e-6)
    assert scales_of(utm(10.0), scale=0.3, gsd=2.0) == pytest.approx((5.0, 5.0), rel=1e-6)
    scales = scales_of(utm(0.5, 1.2), scale=0.3, gsd=2.0)
    assert scales == pytest.approx((0.6, 0.25), rel=1e-6)


@UNKNOWN
def test_a_raster_of_unknown_gsd_is_resized_by_the_scale(place: Georeference) -> None:
    assert scales_of(place, scale=0.3, gsd=2.0) == (0.3, 0.3)
    assert scales_of(place, scale=0.3) == (0.3, 0.3)


@UNKNOWN
def test_a_gsd_that_was_asked_for_needs_a_georeference(place: Georeference) -> None:
    with pytest.raises(DataError, match=r"scene\.tif: has no georeference.* infer\.scale"):
        scales_of(place, gsd=2.0, resized_by="gsd")


def test_a_gsd_that_is_named_beats_one_that_is_estimated_and_no_georeference_does() -> None:
    points = gcps(Affine(0.5, 0, 5e5, 0, -0.5, 3.4e6), 80, 100)["gcps"]
    place = Georeference(control=Control(tuple(points), "EPSG:32648"))
    assert scales_of(place, gsd=2.0) == pytest.approx((0.25, 0.25), rel=1e-3)
    assert scales_of(place, gsd=2.0, own_gsd=1.0) == (0.5, 0.5)
    assert scales_of(utm(0.5), gsd=2.0, own_gsd=1.0) == pytest.approx((0.25, 0.25), rel=1e-6)


def test_the_scale_alone_counts_where_it_was_asked_for() -> None:
    assert scales_of(utm(0.5), scale=0.3, gsd=2.0, resized_by="scale") == (0.3, 0.3)
    assert scales_of(utm(0.5), scale=0.3) == (0.3, 0.3)
    assert scales_of(utm(0.5, 1.2), scale=0.3, gsd=2.0, resized_by="nothing") == (1.0, 1.0)


@pytest.mark.parametrize("resized_by", ["gsd or scale", "scale"])
def test_pixels_that_are_not_square_become_so_at_the_finer_resolution(resized_by: str) -> None:
    scales = scales_of(utm(0.5, 1.2), scale=0.3, resized_by=resized_by)
    assert scales == pytest.approx((0.72, 0.3), rel=1e-6)
    scales = scales_of(utm(1.2, 0.5), scale=0.3, resized_by=resized_by)
    assert scales == pytest.approx((0.3, 0.72), rel=1e-6)


def test_pixels_that_are_nearly_square_are_resized_by_the_scale_as_it_is() -> None:
    assert scales_of(utm(0.5, 0.5045), scale=0.3) == (0.3, 0.3)
    assert scales_of(utm(0.5, 0.506), scale=0.3) != (0.3, 0.3)


@pytest.mark.parametrize(
    ("place", "fields"),
    [
        (utm(5000.0), {"gsd": 2.0}),
        (utm(0.0005), {"gsd": 2.0}),
        (utm(0.5, 50.0), {"scale": 0.25}),
    ],
    ids=["coarse", "fine", "not square"],
)
def test_a_raster_that_would_be_resized_by_too_much_is_refused(
    place: Georeference, fields: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=r"scene\.tif: has a GSD of .* too far from the model's"):
        scales_of(place, **fields)


def test_a_satellite_image_of_30_metres_is_enlarged_for_a_model_of_two() -> None:
    """It is warned of, and not refused: the limit is for mistakes in the units."""
    assert scales_of(utm(30.0), gsd=2.0) == pytest.approx((15.0, 15.0), rel=1e-3)
