"""Borders of orthophotos that no nodata value declares, and ground that looks like one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.imagery.raster.border import Border
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from tests.imagery.raster.rasters import WriteRaster, read_whole, valid_of

Bools = NDArray[np.bool_]

SIDE = 300
AUTO = Preprocessing(3, nodata="auto")
JPEG = {"compress": "jpeg", "photometric": "ycbcr", "tiled": True, "interleave": "pixel"}
TILES = {"tiled": True, "blockxsize": 64, "blockysize": 64}


def texture(low: float, high: float, side: int = SIDE, seed: int = 0) -> NDArray[np.uint8]:
    """Draw gray ground of smooth texture, (side, side, 3), with values from `low` to `high`."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(size=(side, side)), (0, 0), 2)
    noise = (noise - noise.min()) / np.ptp(noise)
    grain = rng.normal(0, 1, (side, side, 3))
    drawn = np.clip(low + noise[..., None] * (high - low) + grain, low, high)
    return np.asarray(drawn, np.uint8)


def turned(degrees: float = 25, half: float = 100) -> Bools:
    """Tell the ground of an orthophoto that lies turned in its frame."""
    row, col = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    angle = np.deg2rad(degrees)
    across = col * np.cos(angle) + row * np.sin(angle)
    down = row * np.cos(angle) - col * np.sin(angle)
    return np.asarray((abs(across) < half) & (abs(down) < half))


def framed(ground: Bools, value: Any, *, coloured: bool = True) -> NDArray[np.uint8]:
    image = texture(40, 200)
    if coloured:
        image = np.asarray(image * [0.9, 1.2, 0.7], np.uint8)
    image[~ground] = value
    return image


def border_of(path: Path, preprocessing: Preprocessing = AUTO) -> Border | None:
    with SceneReader(path, preprocessing) as scene:
        return scene.border


@pytest.mark.parametrize(
    "value", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 10, 30)], ids=str
)
@pytest.mark.parametrize("options", [{}, TILES, {"interleave": "band"}, {"blockysize": 1}], ids=str)
def test_a_frame_of_one_value_holds_no_data(
    write_raster: WriteRaster, value: tuple[int, int, int], options: dict[str, Any]
) -> None:
    ground = turned()
    image = framed(ground, value)
    # What is not connected with the edge is ground.
    image[140:160, 120:160] = value
    path = write_raster("scene.tif", image, compress="deflate", **options)
    piece = read_whole(path, AUTO)
    np.testing.assert_array_equal(valid_of(piece), ground)
    assert not piece.image[~ground].any()
    border = border_of(path)
    assert border is not None
    assert border.values == [list(value)]
    assert border.share == pytest.approx((~ground).mean())


def test_borders_of_tall_rasters_in_strips_are_found(write_raster: WriteRaster) -> None:
    image = np.tile(texture(40, 200), (5, 1, 1))
    image[200:1300, -3:] = 255
    path = write_raster("scene.tif", image, blockysize=1)
    np.testing.assert_array_equal(valid_of(read_whole(path, AUTO)), ~(image == 255).all(axis=-1))


@pytest.mark.parametrize("width", [1, 2, 10])
@pytest.mark.parametrize("sides", ["all", "right", "bottom"])
def test_narrow_borders_and_those_of_one_side_are_found(
    write_raster: WriteRaster, width: int, sides: str
) -> None:
    ground = np.ones((SIDE, SIDE), np.bool_)
    if sides in ("all", "right"):
        ground[:, -width:] = False
    if sides in ("all", "bottom"):
        ground[-width:] = False
    if sides == "all":
        ground[:width] = ground[:, :width] = False
    path = write_raster("scene.tif", framed(ground, 255))
    np.testing.assert_array_equal(valid_of(read_whole(path, AUTO)), ground)


def test_ground_as_gray_as_its_frame_stays_ground(write_raster: WriteRaster) -> None:
    ground = turned()
    path = write_raster("scene.tif", framed(ground, 120, coloured=False))
    valid = valid_of(read_whole(path, AUTO))
    assert not valid[~ground].any()
    assert valid[ground].mean() > 0.999


def test_overviews_do_not_change_a_border(write_raster: WriteRaster) -> None:
    ground = turned()
    path = write_raster("scene.tif", framed(ground, 0), **TILES)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    np.testing.assert_array_equal(valid_of(read_whole(path, AUTO)), ground)


def test_borders_of_several_values_are_found(write_raster: WriteRaster) -> None:
    ground = turned()
    image = framed(ground, 0)
    image[:, 150:][~ground[:, 150:]] = 255
    path = write_raster("scene.tif", image)
    np.testing.assert_array_equal(valid_of(read_whole(path, AUTO)), ground)


@pytest.mark.parametrize("most", [3, 10])
@pytest.mark.parametrize("nodata", [None, 0])
def test_nearly_black_noise_is_a_border(
    write_raster: WriteRaster, most: int, nodata: int | None
) -> None:
    ground = turned()
    image = framed(ground, 0)
    noise = np.random.default_rng(1).integers(0, most + 1, image.shape, np.uint8)
    image[~ground] = noise[~ground]
    valid = valid_of(read_whole(write_raster("scene.tif", image, nodata=nodata), AUTO))
    assert not valid[~ground].any()
    assert valid[ground].mean() > 0.999


@pytest.mark.parametrize("value", [0, 255, 128])
@pytest.mark.parametrize("is_declared", [True, False], ids=["declared", "undeclared"])
def test_what_jpeg_leaves_around_a_border_belongs_to_it(
    write_raster: WriteRaster, value: int, is_declared: bool
) -> None:
    ground = turned()
    path = write_raster(
        "scene.tif", framed(ground, value), nodata=value if is_declared else None, **JPEG
    )
    valid = valid_of(read_whole(path, AUTO))
    assert valid[~ground].mean() < 0.03
    assert valid[ground].mean() > 0.995


@pytest.mark.parametrize("most", [65535, 2047], ids=["16 bits", "11 bits in 16"])
@pytest.mark.parametrize("value", [0, 2047, 65535])
def test_borders_of_16_bit_scenes_are_found(
    write_raster: WriteRaster, most: int, value: int
) -> None:
    ground = turned()
    image = framed(ground, 0).astype(np.uint16) * (most // 255)
    image[~ground] = value
    path = write_raster("scene.tif", image, photometric="minisblack")
    scene = replace(AUTO, value_range=(0, most))
    np.testing.assert_array_equal(valid_of(read_whole(path, scene)), ground)


def test_a_value_outside_the_range_may_be_that_of_a_border(write_raster: WriteRaster) -> None:
    ground = turned()
    image = framed(ground, 0).astype(np.float32) / 255
    image[~ground] = -9999
    path = write_raster("scene.tif", image, photometric="minisblack")
    scene = Preprocessing(3, value_range=(0, 1), nodata="auto")
    np.testing.assert_array_equal(valid_of(read_whole(path, scene)), ground)


def test_colours_beneath_a_transparent_border_tell_what_jpeg_left_of_it(
    write_raster: WriteRaster,
) -> None:
    ground = turned()
    image = np.dstack([framed(ground, 0), np.where(ground, 255, 0).astype(np.uint8)])
    image[..., 3][cv2.erode((~ground).astype(np.uint8), np.ones((9, 9))) == 0] = 255
    valid = valid_of(read_whole(write_raster("scene.tif", image, alpha="yes"), AUTO))
    assert valid[~ground].mean() < 0.01
    np.testing.assert_array_equal(valid[ground], True)


@pytest.mark.parametrize(
    ("low", "high"), [(20, 40), (0, 40), (200, 255), (230, 255), (100, 110)], ids=str
)
@pytest.mark.parametrize("options", [{}, JPEG], ids=["exact", "jpeg"])
@pytest.mark.parametrize("cols", [120, SIDE], ids=["at one side", "everywhere"])
def test_dark_bright_and_even_ground_at_the_edge_is_none(
    write_raster: WriteRaster, low: int, high: int, options: dict[str, Any], cols: int
) -> None:
    image = texture(40, 200)
    image[:, :cols] = texture(low, high, seed=1)[:, :cols]
    assert border_of(write_raster("scene.tif", image, **options)) is None


def test_overexposed_ground_at_the_edge_is_none(write_raster: WriteRaster) -> None:
    # A road: white where it is brightest, ragged and fading at its sides.
    row, col = np.mgrid[:SIDE, :SIDE]
    wave = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(SIDE, SIDE)), (0, 0), 3) * 60
    light = np.clip(1.4 - abs(col - row * 0.5 - 60 + wave) / 40, 0, 1)[..., None]
    image = np.asarray(texture(40, 200) * (1 - light) + 255 * light, np.uint8)
    assert (image[0] == 255).all(axis=-1).sum() > 20
    assert border_of(write_raster("scene.tif", image)) is None


def test_beside_a_frame_overexposed_ground_stays_ground(write_raster: WriteRaster) -> None:
    row, col = np.mgrid[:SIDE, :SIDE]
    wave = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(SIDE, SIDE)), (0, 0), 3) * 60
    light = np.clip(1.4 - abs(col - row * 0.5 - 60 + wave) / 40, 0, 1)[..., None]
    image = np.asarray(texture(40, 200) * (1 - light) + 255 * light, np.uint8)
    image[:, -20:] = 0
    valid = valid_of(read_whole(write_raster("scene.tif", image), AUTO))
    assert valid[:, :-20].all()
    assert not valid[:, -20:].any()


@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_scene_of_one_value_is_all_border(write_raster: WriteRaster, value: int) -> None:
    border = border_of(write_raster("scene.tif", np.full((64, 64, 3), value, np.uint8)))
    assert border is not None
    assert (border.share, border.values) == (1.0, [[value] * 3])


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (5, 5)])
def test_tiny_scenes_are_read(write_raster: WriteRaster, shape: tuple[int, int]) -> None:
    piece = read_whole(write_raster("scene.tif", np.full((*shape, 3), 7, np.uint8)), AUTO)
    assert piece.image.shape == (*shape, 3)


def test_declared_borders_are_left_as_they_are(write_raster: WriteRaster) -> None:
    ground = turned()
    path = write_raster("scene.tif", framed(ground, 0), nodata=0)
    assert border_of(path) is None
    np.testing.assert_array_equal(valid_of(read_whole(path, AUTO)), ground)


def test_without_auto_no_border_is_looked_for(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", framed(turned(), 255))
    assert read_whole(path, Preprocessing(3)).valid is None
    assert border_of(path, Preprocessing(3)) is None


@pytest.mark.parametrize("nodata", [255, 255.0])
def test_all_pixels_of_a_value_that_is_named_hold_no_data(
    write_raster: WriteRaster, nodata: float
) -> None:
    ground = turned()
    image = framed(ground, 255)
    image[150, 150] = 255
    image[150, 151] = (255, 255, 254)
    valid = valid_of(read_whole(write_raster("scene.tif", image), Preprocessing(3, nodata=nodata)))
    expected = ground.copy()
    expected[150, 150] = False
    np.testing.assert_array_equal(valid, expected)


@pytest.mark.parametrize("nodata", [300, -1, 0.5])
def test_a_named_value_that_no_pixel_can_have_changes_nothing(
    write_raster: WriteRaster, nodata: float
) -> None:
    path = write_raster("scene.tif", framed(turned(), 255))
    assert read_whole(path, Preprocessing(3, nodata=nodata)).valid is None


@pytest.fixture
def scenes(write_raster: WriteRaster) -> list[Path]:
    ground = turned()
    return [
        write_raster("exact.tif", framed(ground, 255), **TILES),
        write_raster("jpeg.tif", framed(ground, 128), **JPEG),
        write_raster("strips.tif", framed(ground, 0), nodata=0, blockysize=3),
    ]


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    first = draw(st.integers(0, SIDE - 1))
    return first, draw(st.integers(first + 1, SIDE))


@given(index=st.integers(0, 2), pieces=st.lists(st.tuples(spans(), spans()), max_size=4))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_border_does_not_depend_on_the_pieces_that_are_read(
    scenes: list[Path], index: int, pieces: list[tuple[tuple[int, int], tuple[int, int]]]
) -> None:
    whole = read_whole(scenes[index], AUTO)
    with SceneReader(scenes[index], AUTO) as scene:
        for rows, cols in pieces:
            part, inside = scene.read(rows, cols), np.s_[slice(*rows), slice(*cols)]
            np.testing.assert_array_equal(valid_of(part), valid_of(whole)[inside])
            np.testing.assert_array_equal(part.image, whole.image[inside])


def test_a_scene_without_a_border_costs_its_outermost_blocks(
    write_raster: WriteRaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_raster("scene.tif", texture(40, 200, 1024), **TILES)
    read = 0
    pixels: Callable[..., Any] = SceneReader._pixels

    def counted(self: SceneReader, rows: tuple[int, int], cols: tuple[int, int]) -> Any:
        nonlocal read
        read += (rows[1] - rows[0]) * (cols[1] - cols[0])
        return pixels(self, rows, cols)

    monkeypatch.setattr(SceneReader, "_pixels", counted)
    assert border_of(path) is None
    assert read == 4 * 1024
