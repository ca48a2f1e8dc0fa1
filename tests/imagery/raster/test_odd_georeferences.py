"""Georeferences that are local, incomplete or without meaning, and the units of all others."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import (
    Georeference,
    gsd_of,
    metric_crs,
    metric_of,
    pixel_area,
)
from landslide_cli.imagery.raster.images import probe

WriteRaster = Callable[..., Path]

WIDTH, HEIGHT = 40, 30
GROUND = np.ones((HEIGHT, WIDTH), np.uint8)
FEET = 1200 / 3937
KILOMETRES = "+proj=utm +zone=48 +datum=WGS84 +units=km"
HEIGHTS = 'VERT_CS["h",VERT_DATUM["h",2005],UNIT["metre",1],AXIS["Up",UP]]'
LOCAL = {
    'LOCAL_CS["Local Coordinates (m)",UNIT["metre",1]]': 1.0,
    'LOCAL_CS["say ""site"", [1]",UNIT["foot",0.3048]]': 0.3048,
    'ENGCRS["Site",EDATUM["Ground"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],'
    'LENGTHUNIT["US survey foot",0.304800609601219]]': FEET,
    f'COMPD_CS["both",LOCAL_CS["Site",LOCAL_DATUM["d",0],UNIT["metre",1]],{HEIGHTS}]': 1.0,
}


def place_of(path: Path) -> Georeference:
    return probe(path).georeference


def vrt(folder: Path, transform: str, crs: str = "EPSG:32648") -> Path:
    """A VRT, which can say what no other format can."""
    path = folder / "scene.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{WIDTH}" rasterYSize="{HEIGHT}"><SRS>{crs}</SRS>'
        f"<GeoTransform>{transform}</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    return path


@pytest.mark.parametrize(("crs", "metre"), LOCAL.items())
def test_a_local_crs_is_measured_in_its_own_plane(
    write_raster: WriteRaster, crs: str, metre: float
) -> None:
    transform = Affine(0.5, 0, 100, 0, -0.25, 500)
    place = place_of(write_raster("a.tif", GROUND, crs=crs, transform=transform))
    assert place.is_known
    assert place.is_local
    gsd = gsd_of(place, WIDTH, HEIGHT)
    assert gsd == pytest.approx((0.25 * metre, 0.5 * metre), rel=1e-9)
    assert pixel_area(place, WIDTH, HEIGHT) == pytest.approx(0.125 * metre**2, rel=1e-9)
    square = np.array([shapely.box(0, 0, 10, 10)], object)
    measured = metric_of(place, WIDTH, HEIGHT).measured(square)
    assert shapely.area(measured)[0] == pytest.approx(100 * metre**2)


@pytest.mark.parametrize(
    "crs",
    [
        'LOCAL_CS["a",UNIT["degree",0.0174532925199433]]',
        'LOCAL_CS["a",UNIT["unknown",1]]',
        'LOCAL_CS["Undefined Cartesian SRS",UNIT["Meter",1]]',  # a GeoPackage's word for none
    ],
)
def test_a_local_crs_without_known_lengths_is_as_none(tmp_path: Path, crs: str) -> None:
    place = place_of(vrt(tmp_path, "100, 1, 0, 500, 0, -1", crs.replace('"', "&quot;")))
    assert place == Georeference(None, Affine(1, 0, 100, 0, -1, 500))


def test_a_local_crs_has_no_place_on_the_earth() -> None:
    place = Georeference(next(iter(LOCAL)), Affine(1, 0, 10, 0, -1, 20))
    with pytest.raises(DataError, match="nothing on the Earth"):
        metric_crs(place, WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("crs", "transform", "metre"),
    [
        (KILOMETRES, Affine(0.0005, 0, 500, 0, -0.0005, 3400), 1000 / 0.9996),
        ("EPSG:2225", Affine(0.5, 0, 6_561_666.667, 0, -0.5, 2_000_000), FEET),
        ("EPSG:32648+5773", Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000), 1 / 0.9996),
        ("EPSG:4979", Affine(1e-5, 0, 103, 0, -1e-5, 0), 111_000),
    ],
    ids=["kilometres", "feet", "with heights", "degrees with heights"],
)
def test_units_and_heights_of_a_crs_are_minded(
    write_raster: WriteRaster, crs: str, transform: Affine, metre: float
) -> None:
    wkt = CRS.from_user_input(crs).to_wkt()
    place = place_of(write_raster("a.tif", GROUND, crs=wkt, transform=transform))
    side = transform.a * metre
    assert gsd_of(place, WIDTH, HEIGHT) == pytest.approx((side, side), rel=0.005)
    assert pixel_area(place, WIDTH, HEIGHT) == pytest.approx(side**2, rel=0.01)


@pytest.mark.parametrize(
    "transform",
    [
        "0, 0, 0, 0, 0, 0",
        "400000, 0, 0, 3450000, 0, 0",
        "nan, 1, 0, 0, 0, -1",
        "400000, 1, 0, inf, 0, -1",
        "400000, 1e-320, 0, 3450000, 0, 1e-320",
        "0, 1e-200, 0, 0, 0, 1e-200",
        "0, 1e300, 0, 0, 0, 1e300",
        "400000, 1, 2, 3450000, 1, 2",
        "400000, 0.1, 0.3, 3450000, 0.2, 0.6",
        "400000, 1e-12, 0, 3450000, 0, -1e-12",
    ],
)
@pytest.mark.parametrize("crs", ["EPSG:32648", "rubbish"])
def test_a_transform_that_gives_pixels_no_area_is_as_none(
    tmp_path: Path, transform: str, crs: str
) -> None:
    place = place_of(vrt(tmp_path, transform, crs))
    assert place.spoilt
    assert not place.is_known
    assert place.transform.is_identity
    assert gsd_of(place, WIDTH, HEIGHT) is None
    assert pixel_area(place, WIDTH, HEIGHT) is None


@pytest.mark.parametrize(
    "transform",
    ["400000, 1, 0, 3450000, 0, -1", "103, 2e-6, 0, 31, 0, -2e-6", "0, 1e-7, 0, 0, 1e-9, 1e-7"],
)
def test_a_transform_of_small_pixels_is_kept(tmp_path: Path, transform: str) -> None:
    x, a, b, y, d, e = (float(number) for number in transform.split(","))
    place = place_of(vrt(tmp_path, transform))
    assert not place.spoilt
    assert place.transform == Affine(a, b, x, d, e, y)


def test_an_identity_without_a_crs_is_no_georeference(tmp_path: Path) -> None:
    assert place_of(vrt(tmp_path, "0, 1, 0, 0, 0, 1", "")) == Georeference()


@given(
    turn=st.floats(0, 360),
    shear=st.floats(-60, 60),
    across=st.floats(0.05, 50),
    down=st.floats(0.05, 50),
    mirrored=st.booleans(),
)
def test_gsd_and_area_hold_however_a_scene_is_turned_sheared_or_mirrored(
    turn: float, shear: float, across: float, down: float, mirrored: bool
) -> None:
    pixel = Affine.scale(across, down if mirrored else -down)
    transform = (
        Affine.translation(500_000, 3_400_000) @ Affine.rotation(turn) @ Affine.shear(shear) @ pixel
    )
    place = Georeference(CRS.from_epsg(32648).to_wkt(), transform)
    slanted = down * math.hypot(1, math.tan(math.radians(shear)))
    expected = (slanted / 0.9996, across / 0.9996)
    assert gsd_of(place, WIDTH, HEIGHT) == pytest.approx(expected, rel=1e-4)
    area = pixel_area(place, WIDTH, HEIGHT)
    assert area == pytest.approx(across * down / 0.9996**2, rel=1e-4)


# As the program maps; nobody has imported rasterio before.
MAP = """
import sys
from pathlib import Path
import numpy as np
from landslide_cli.imagery.raster.georeference import pixel_area
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.raster.writer import Layer, MapWriter, finish_cog
scene, folder = Path(sys.argv[1]), Path(sys.argv[2])
place = probe(scene).georeference
with MapWriter(folder / "raw.tif", 4, 4, place, Layer("uint8", 255)) as writer:
    writer.write(0, 0, np.ones((4, 4), np.uint8))
finish_cog(folder / "raw.tif", folder / "map.tif", Layer("uint8", 255))
print(round(pixel_area(probe(folder / "map.tif").georeference, 4, 4), 3))
"""


@pytest.mark.parametrize("name", ["PROJ_LIB", "PROJ_DATA", None])
def test_projections_are_rasterios_own_and_nothing_is_said_on_stderr(
    write_raster: WriteRaster, tmp_path: Path, name: str | None
) -> None:
    """A GIS may have left those of another version in the environment of the whole machine.

    A unit without a code, such as that of kilometres, has PROJ complain within GDAL.
    """
    (tmp_path / "proj.db").write_bytes(b"")
    environment = dict(os.environ) | ({} if name is None else {name: str(tmp_path)})
    transform = Affine(0.0005, 0, 500, 0, -0.0005, 3450)
    path = write_raster("a.tif", GROUND, crs=KILOMETRES, transform=transform)
    command = [sys.executable, "-c", MAP, str(path), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("0.25\n", "")
