"""Masks are laid on their images by the places of both."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.warp import Resampling, calculate_default_transform, reproject

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.raster.masks import form_of, read_mask, read_mask_window

WriteRaster = Callable[..., Path]

ROWS, COLS = 20, 30
PLACE = Affine(0.5, 0, 400000, 0, -0.5, 3450000)
UTM = {"crs": "EPSG:32648", "transform": PLACE}
TRUTH = (np.random.default_rng(4).random((ROWS, COLS)) > 0.6).astype(np.uint8)


@pytest.fixture
def image(write_raster: WriteRaster) -> Path:
    return write_raster("image.tif", np.full((ROWS, COLS, 3), 90, np.uint8), **UTM)


def laid(write: WriteRaster, image: Path, mask: NDArray[Any], **place: Any) -> NDArray[np.uint8]:
    palette = Palette(("background", "landslide"), ((0, 0, 0), (255, 0, 255)))
    return read_mask(write("mask.tif", mask, **place), palette, image=image).mask


def shifted(rows: int, cols: int) -> NDArray[np.uint8]:
    """The truth as a mask says it that lies further down and to the right."""
    expected = np.full((ROWS, COLS), IGNORE, np.uint8)
    for row in range(ROWS):
        for col in range(COLS):
            if 0 <= row - rows < ROWS and 0 <= col - cols < COLS:
                expected[row, col] = TRUTH[row - rows, col - cols]
    return expected


def test_a_mask_on_the_grid_of_its_image_is_taken_as_it_is(
    write_raster: WriteRaster, image: Path
) -> None:
    np.testing.assert_array_equal(laid(write_raster, image, TRUTH, **UTM), TRUTH)


def test_a_south_up_mask_is_turned(write_raster: WriteRaster, image: Path) -> None:
    place = PLACE @ Affine(1, 0, 0, 0, -1, ROWS)
    mask = laid(write_raster, image, TRUTH[::-1], crs="EPSG:32648", transform=place)
    np.testing.assert_array_equal(mask, TRUTH)


@given(st.integers(-ROWS + 1, ROWS - 1), st.integers(-COLS + 1, COLS - 1))
def test_a_shifted_mask_labels_the_ground_that_it_covers(
    tmp_path_factory: pytest.TempPathFactory, rows: int, cols: int
) -> None:
    folder = tmp_path_factory.mktemp("laid")
    paths = folder / "image.tif", folder / "mask.tif"
    for path, transform in zip(paths, (PLACE, PLACE @ Affine.translation(cols, rows)), strict=True):
        with rasterio.open(
            path, "w", driver="GTiff", width=COLS, height=ROWS, count=1, dtype="uint8",
            crs="EPSG:32648", transform=transform,
        ) as dataset:  # fmt: skip
            dataset.write(TRUTH, 1)
    palette = Palette(("background", "landslide"), ((0, 0, 0), (255, 0, 255)))
    mask = read_mask(paths[1], palette, image=paths[0]).mask
    np.testing.assert_array_equal(mask, shifted(rows, cols))


def test_a_finer_mask_of_another_extent_is_sampled(write_raster: WriteRaster, image: Path) -> None:
    fine = np.pad(np.kron(TRUTH, np.ones((2, 2), np.uint8)), 6)
    place = PLACE @ Affine.scale(0.5) @ Affine.translation(-6, -6)
    mask = laid(write_raster, image, fine, crs="EPSG:32648", transform=place)
    np.testing.assert_array_equal(mask, TRUTH)


def test_a_mask_in_another_crs_is_warped(write_raster: WriteRaster, image: Path) -> None:
    bounds = rasterio.transform.array_bounds(ROWS, COLS, PLACE)
    place, width, height = calculate_default_transform(
        "EPSG:32648", "EPSG:4326", COLS, ROWS, *bounds, resolution=1e-6
    )
    smooth = np.zeros((ROWS, COLS), np.uint8)
    smooth[5:14, 8:21] = 1
    there = np.full((height, width), IGNORE, np.uint8)
    reproject(
        smooth, there, src_crs="EPSG:32648", src_transform=PLACE, dst_crs="EPSG:4326",
        dst_transform=place, resampling=Resampling.nearest, dst_nodata=IGNORE, tolerance=0,
    )  # fmt: skip
    mask = laid(write_raster, image, there, crs="EPSG:4326", transform=place)
    inside = mask != IGNORE
    assert inside.mean() > 0.9
    np.testing.assert_array_equal(mask[inside], smooth[inside])


def test_a_mask_beside_its_image_is_refused_with_both_extents(
    write_raster: WriteRaster, image: Path
) -> None:
    place = PLACE @ Affine.translation(500, 0)
    with pytest.raises(DataError, match="lies beside its image") as caught:
        laid(write_raster, image, TRUTH, crs="EPSG:32648", transform=place)
    assert "x 400250 to 400265, y 3449990 to 3450000" in str(caught.value)
    assert "x 400000 to 400015" in str(caught.value)


def test_a_mask_with_a_world_file_alone_has_the_crs_of_its_image(
    write_raster: WriteRaster, image: Path
) -> None:
    mask = laid(write_raster, image, TRUTH, transform=PLACE @ Affine.translation(2, 3))
    np.testing.assert_array_equal(mask, shifted(3, 2))


@pytest.mark.parametrize("placed", ["image", "mask"])
def test_without_both_places_pixels_are_taken_as_they_come(
    write_raster: WriteRaster, placed: str
) -> None:
    places = {"image": {}, "mask": {}, placed: UTM}
    path = write_raster("image.tif", np.full((ROWS, COLS), 90, np.uint8), **places["image"])
    np.testing.assert_array_equal(laid(write_raster, path, TRUTH, **places["mask"]), TRUTH)


@pytest.mark.parametrize("crs", ["EPSG:32648", "EPSG:32647"])
@given(
    row=st.integers(0, ROWS - 1),
    col=st.integers(0, COLS - 1),
    rows=st.integers(1, ROWS),
    cols=st.integers(1, COLS),
)
def test_windows_of_a_mask_are_those_of_the_mask_as_laid(
    tmp_path_factory: pytest.TempPathFactory, crs: str, row: int, col: int, rows: int, cols: int
) -> None:
    folder = tmp_path_factory.mktemp("laid")
    palette = Palette(("background", "landslide"), ((0, 0, 0), (255, 0, 255)))
    image, mask = folder / "image.tif", folder / "mask.tif"
    write_as(image, np.full((ROWS, COLS), 90, np.uint8), UTM)
    place, width, height = calculate_default_transform(
        "EPSG:32648", crs, COLS, ROWS, 400000, 3449990, 400015, 3450000
    )
    values = np.zeros((height, width), np.uint8)
    reproject(TRUTH, values, PLACE, src_crs="EPSG:32648", dst_transform=place, dst_crs=crs)
    write_as(mask, values, {"crs": crs, "transform": place})
    window = Window(col, row, min(cols, COLS - col), min(rows, ROWS - row))
    form = form_of(mask, palette)
    piece = read_mask_window(mask, window, form, probe(image))
    whole = read_mask(mask, palette, image=image)
    assert whole.encoding == form.encoding
    expected = whole.mask[window.row_off : window.row_stop, window.col_off : window.col_stop]
    np.testing.assert_array_equal(piece, expected)


def write_as(path: Path, values: NDArray[np.uint8], place: dict[str, Any]) -> None:
    height, width = values.shape
    how = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": height, "width": width}
    with rasterio.open(path, "w", **how, **place) as file:
        file.write(values, 1)
