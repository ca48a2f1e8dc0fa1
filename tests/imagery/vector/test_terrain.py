"""Landslides in the terrain: on planes and cones, of which slope and heights are known."""

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import reprojected
from landslide_cli.imagery.vector.attributes import LandslideTable
from landslide_cli.imagery.vector.terrain import check_elevation, terrain_of

UTM = "EPSG:32648"
GRID = Affine(10, 0, 500_000, 0, -10, 3_400_000)


def elevation(
    path: Path,
    heights: NDArray[np.float32],
    crs: str | None = UTM,
    transform: Affine = GRID,
) -> Path:
    rows, cols = heights.shape
    with rasterio.open(
        path, "w", "GTiff", cols, rows, 1, crs, transform, "float32", nodata=-9999.0
    ) as file:
        file.write(heights, 1)
    return path


def plane(east: float, north: float, size: int = 60) -> NDArray[np.float32]:
    """Heights that rise by so much a metre to the east and to the north."""
    rows, cols = np.mgrid[:size, :size]
    return np.asarray(1000 + 10 * east * cols - 10 * north * rows, np.float32)


def table(*polygons: shapely.Geometry, crs: str | None = UTM) -> LandslideTable:
    return LandslideTable(np.array(polygons, object), {}, crs)


# Cells 10 to 19 from the west, 20 to 29 from the north.
SQUARE = shapely.box(500_100, 3_399_700, 500_200, 3_399_800)


@pytest.mark.parametrize(
    ("east", "north", "aspect"),
    [(0.0, 0.5, 180), (0.0, -0.5, 0), (0.5, 0.0, 270), (-0.3, 0.3, 135)],
)
def test_a_plane_falls_to_one_side_with_one_slope(
    tmp_path: Path, east: float, north: float, aspect: int
) -> None:
    path = elevation(tmp_path / "dem.tif", plane(east, north))
    fields = terrain_of(table(SQUARE), path)
    slope = math.degrees(math.atan(math.hypot(east, north)))
    assert fields["slope_deg"] == pytest.approx([slope], abs=0.1)
    assert fields["aspect_deg"].tolist() == [aspect]
    assert fields["relief_m"] == pytest.approx([90 * (abs(east) + abs(north))], abs=0.2)
    assert fields["highest_m"] - fields["lowest_m"] == pytest.approx(fields["relief_m"], abs=0.15)


def test_the_reach_is_the_fall_over_the_distance_of_highest_and_lowest_cell(
    tmp_path: Path,
) -> None:
    heights = plane(0.0, 0.0)
    heights[21, 11], heights[28, 15] = 1070.0, 970.0
    fields = terrain_of(table(SQUARE), elevation(tmp_path / "dem.tif", heights))
    distance = 10 * math.hypot(7, 4)
    assert fields["reach_h_l"] == pytest.approx([100 / distance], abs=0.01)
    assert fields["reach_angle_deg"] == pytest.approx(
        [math.degrees(math.atan(100 / distance))], abs=0.1
    )
    assert (float(fields["highest_m"][0]), float(fields["lowest_m"][0])) == (1070.0, 970.0)


def test_a_model_in_degrees_gives_what_one_in_metres_gives(tmp_path: Path) -> None:
    cell = 1e-4
    grid = Affine(cell, 0, 105.0, 0, -cell, 30.74)
    rows, cols = np.mgrid[:100, :100]
    # 0.4 m a metre to the north: a degree of latitude has 110.86 km there.
    heights = (2000 - 0.4 * rows * cell * 110_860).astype(np.float32)
    path = elevation(tmp_path / "dem.tif", heights + 0 * cols, "EPSG:4326", grid)
    there = shapely.box(105.002, 30.734, 105.006, 30.738)
    (polygon,) = reprojected(np.array([there], object), "EPSG:4326", UTM)
    fields = terrain_of(table(polygon), path)
    assert fields["slope_deg"] == pytest.approx([math.degrees(math.atan(0.4))], abs=0.1)
    assert fields["aspect_deg"].tolist() == [180]


def test_beyond_the_model_nothing_is_known_and_small_polygons_have_the_cells_they_touch(
    tmp_path: Path,
) -> None:
    heights = plane(0.0, 0.5)
    heights[40:, :] = -9999.0
    path = elevation(tmp_path / "dem.tif", heights)
    outside, missing = (
        shapely.box(0, 0, 10, 10),
        shapely.box(500_100, 3_399_450, 500_150, 3_399_500),
    )
    tiny = shapely.box(500_101, 3_399_901, 500_102, 3_399_902)
    fields = terrain_of(table(outside, missing, tiny), path)
    assert np.isnan(fields["highest_m"]).tolist() == [True, True, False]
    assert fields["relief_m"][2] == 0
    assert np.isnan(fields["reach_h_l"][2])
    assert terrain_of(table(), path)["slope_deg"].shape == (0,)


def test_what_is_no_elevation_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.tif: .*no such file"):
        check_elevation(tmp_path / "missing.tif")
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(DataError, match=r"text\.tif: cannot be read as an elevation model"):
        check_elevation(tmp_path / "text.tif")
    path = elevation(tmp_path / "nowhere.tif", plane(0, 0), None)
    with pytest.raises(DataError, match="has no georeference"):
        check_elevation(path)
    local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]').to_wkt()
    with pytest.raises(DataError, match="another CRS"):
        terrain_of(table(SQUARE, crs=local), elevation(tmp_path / "dem.tif", plane(0, 0)))
