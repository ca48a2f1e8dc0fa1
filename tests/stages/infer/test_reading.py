"""Whatever scenes are like, the model sees their pixels with data, in its bands and range."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE
from landslide_cli.profile import Profile
from landslide_cli.stages.infer import infer_tiled

Bright = Callable[..., Profile]
Write = Callable[..., Path]
ReadPolygons = Callable[[Path], Any]

UTM = {"crs": "EPSG:32648", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)}


def without_data(kind: str, image: NDArray[np.uint8], gap: NDArray[np.bool_], path: Path) -> Path:
    """Write an image as GeoTIFF that says in one of four ways where it has no data."""
    bands = np.moveaxis(image, -1, 0)
    options: dict[str, Any] = {}
    if kind == "value":
        bands, options = np.where(gap, 0, bands), {"nodata": 0}
    if kind == "nan":
        bands = np.where(gap, np.nan, bands).astype(np.float32)
    if kind == "alpha":
        bands = np.concatenate([bands, np.where(gap, 0, 255)[None].astype(np.uint8)])
        options = {"photometric": "RGB", "alpha": "yes"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(
        path, "w", "GTiff", image.shape[1], image.shape[0], len(bands),
        dtype=bands.dtype, **options, **UTM,
    ) as dataset:  # fmt: skip
        dataset.write(bands)
        if kind == "mask":
            dataset.write_mask(~gap)
    return path


KINDS = pytest.mark.parametrize("kind", ["value", "alpha", "mask", "nan"])


@KINDS
def test_windows_without_data_are_not_run_and_have_no_data_in_the_maps(
    bright: Bright, tmp_path: Path, seen_windows: list[NDArray[np.uint8]], kind: str
) -> None:
    image = np.full((128, 256, 3), 5, np.uint8)
    image[10:30, 20:50] = 250
    gap = np.zeros((128, 256), bool)
    gap[:, 60:] = True
    gap[20:25, 25:30] = True  # a hole in the landslide
    path = without_data(kind, image, gap, tmp_path / "gaps.tif")
    profile = bright("infer.overlap=0", "source.value_range=[0, 255]", "infer.fill_holes=0")
    (mapped,) = infer_tiled(profile, [str(path)], output=tmp_path / "maps").scenes
    assert len(seen_windows) == 2  # of eight windows
    with rasterio.open(mapped.mask) as dataset:
        mask = dataset.read(1)
    np.testing.assert_array_equal(mask == IGNORE, gap)
    np.testing.assert_array_equal(mask == 1, (image[..., 0] == 250) & ~gap)
    assert mapped.totals[0].area == pytest.approx(575 * 0.25 / 0.9996**2, rel=1e-5)
    pixels = int((~gap).sum())
    assert mapped.class_shares["landslide"] == pytest.approx(575 / pixels)
    assert mapped.totals[0].share == pytest.approx(575 / pixels, rel=1e-3)


@KINDS
def test_scene_without_any_data_is_mapped_as_such(
    bright: Bright,
    read_polygons: ReadPolygons,
    tmp_path: Path,
    seen_windows: list[NDArray[np.uint8]],
    kind: str,
) -> None:
    image, gap = np.full((70, 90, 3), 90, np.uint8), np.ones((70, 90), bool)
    path = without_data(kind, image, gap, tmp_path / "empty.tif")
    profile = bright("source.value_range=[0, 255]", "infer.probability=percent")
    result = infer_tiled(profile, [str(path)], output=tmp_path / "maps")
    assert seen_windows == []
    assert result.exit_status == 0
    (mapped,) = result.scenes
    for kind_of_map in ("mask", "probability"):
        with rasterio.open(mapped.files[kind_of_map]) as dataset:
            assert (dataset.read(1) == IGNORE).all()
    assert len(read_polygons(mapped.files["polygons"]).geometries) == 0
    assert mapped.class_shares == {"background": 0.0, "landslide": 0.0}
    assert (mapped.totals[0].landslides, mapped.totals[0].area, mapped.totals[0].share) == (
        0,
        0.0,
        0.0,
    )
    assert result.tables()
    assert result.table is not None
    assert result.table.read_text(encoding="utf-8").splitlines()[1].startswith("empty,landslide,0")


def test_bands_are_chosen_and_ordered_as_the_profile_says(
    bright: Bright, write_raster: Write, tmp_path: Path
) -> None:
    image = np.full((60, 80, 5), 5, np.uint8)
    for band in range(5):
        image[10 * band : 10 * band + 10, :, band] = 250
    path = write_raster("many.tif", image)
    for order in ([1, 2, 3], [3, 2, 1], [5, 1, 2], [4, 4, 4]):
        (mapped,) = infer_tiled(
            bright(f"infer.bands={order}"), [str(path)], output=tmp_path / f"{order}"
        ).scenes
        with rasterio.open(mapped.mask) as dataset:
            np.testing.assert_array_equal(dataset.read(1), image[..., order[0] - 1] == 250)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_plain_pictures_are_mapped(
    bright: Bright, plant: Write, tmp_path: Path, suffix: str
) -> None:
    path = plant(f"picture{suffix}")
    (mapped,) = infer_tiled(bright(), [str(path)], output=tmp_path / "maps").scenes
    with rasterio.open(mapped.mask) as dataset:
        mask = dataset.read(1)
    assert mask[25:45, 40:80].all()
    assert (mask == 1).mean() == pytest.approx(30 * 60 / (96 * 160), abs=0.01)


def test_mosaic_of_scenes_is_mapped_as_one(
    bright: Bright, plant: Write, read_polygons: ReadPolygons, tmp_path: Path
) -> None:
    scene = plant("scene.tif", **UTM)
    rasterio.shutil.copy(scene, tmp_path / "mosaic.vrt", driver="VRT")
    (mapped,) = infer_tiled(
        bright(), [str(tmp_path / "mosaic.vrt")], output=tmp_path / "maps"
    ).scenes
    layer = read_polygons(mapped.files["polygons"])
    assert layer.fields["area_m2"] == pytest.approx([1800 * 0.25 / 0.9996**2], rel=1e-5)


def test_16_bit_scenes_are_scaled_by_their_range(
    bright: Bright, write_raster: Write, tmp_path: Path
) -> None:
    image = np.full((60, 80, 3), 100, np.uint16)
    image[10:30, 20:50] = 3900
    path = write_raster("deep.tif", image)
    (mapped,) = infer_tiled(
        bright("source.value_range=[0, 4000]"), [str(path)], output=tmp_path / "maps"
    ).scenes
    with rasterio.open(mapped.mask) as dataset:
        np.testing.assert_array_equal(dataset.read(1), image[..., 0] == 3900)
