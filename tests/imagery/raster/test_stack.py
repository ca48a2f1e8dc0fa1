"""Bands of any type from several files: where they lie, what they hold, how they are scaled."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from landslide_cli.core.composition import Band, Composition
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import read_tile, write_values
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader

WriteRaster = Callable[..., Path]

UTM = {"crs": "EPSG:32648", "transform": Affine(10.0, 0, 400_000, 0, -10.0, 3_400_000)}
ROWS, COLS = 40, 50


def ranged(name: str, number: int, low: float, high: float, **more: Any) -> Band:
    return Band(name, number, scaling="range", low=low, high=high, **more)


def composed(*bands: Band, layers: tuple[tuple[str, str], ...] = ()) -> Preprocessing:
    composition = Composition(bands)
    return Preprocessing(len(composition.inputs), composition=composition, layers=layers)


def read(path: Path, preprocessing: Preprocessing) -> Any:
    with SceneReader(path, preprocessing) as scene:
        return scene.read((0, scene.height), (0, scene.width))


def message_of(path: Path, preprocessing: Preprocessing) -> str:
    with pytest.raises(DataError) as caught:
        read(path, preprocessing)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def values_of(dtype: Any, bands: int = 3) -> NDArray[Any]:
    rng = np.random.default_rng(7)
    values: NDArray[Any] = rng.integers(100, 4000, (ROWS, COLS, bands)).astype(dtype)
    return values


@pytest.fixture
def height() -> np.ndarray:
    """Heights on the grid of a scene: a plane that falls to the south-east, and a hill."""
    y, x = np.mgrid[:ROWS, :COLS].astype(np.float32)
    return np.asarray(500.0 - 2.0 * y - x + 30.0 * np.exp(-((y - 20) ** 2 + (x - 25) ** 2) / 200.0))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_values_of_any_type_keep_their_depth(write_raster: WriteRaster, dtype: Any) -> None:
    values = values_of(dtype)
    path = write_raster("scene.tif", values)
    piece = read(path, composed(ranged("nir", 3, 0.0, 5000.0), ranged("red", 1, 50.0, 4000.0)))
    assert piece.image.dtype == np.float32
    expected = [values[..., 2] / 5000.0, (values[..., 0] - 50.0) / 3950.0]
    np.testing.assert_allclose(piece.image, 255.0 * np.stack(expected, axis=-1), rtol=2e-6)


def test_values_a_ten_thousandth_of_the_range_apart_stay_apart(write_raster: WriteRaster) -> None:
    values = np.array([[0.5, 0.5001, 0.50002]], np.float64)[..., None]
    image = read(write_raster("scene.tif", values), composed(ranged("b", 1, 0.0, 1.0))).image
    assert np.diff(image[0, :, 0])[0] == pytest.approx(255e-4, rel=1e-3)
    assert len(np.unique(image)) == 3


def test_values_beyond_a_range_are_cut_off_and_counted(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", values_of(np.uint16, 1))
    with SceneReader(path, composed(ranged("red", 1, 1000.0, 2000.0))) as scene:
        image = scene.read((0, ROWS), (0, COLS)).image
        outside = (values_of(np.uint16, 1) < 1000) | (values_of(np.uint16, 1) > 2000)
        assert scene.clipped == {"red": outside.mean()}
    assert (image.min(), image.max()) == (0.0, 255.0)


def test_values_beyond_a_range_are_an_error_on_demand(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", values_of(np.uint16, 1))
    told = message_of(path, composed(ranged("red", 1, 1000.0, 2000.0, clipped=False)))
    assert "red has values from 1" in told
    assert "outside its range [1000, 2000]" in told


def test_percentiles_are_those_of_the_whole_scene(write_raster: WriteRaster) -> None:
    values = values_of(np.uint16, 1)
    path = write_raster("scene.tif", values)
    bands = composed(Band("red", 1, scaling="percentiles", low=10.0, high=90.0))
    low, high = np.percentile(values, (10, 90))
    with SceneReader(path, bands) as scene:
        part = scene.read((3, 9), (5, 30)).image
    expected = 255.0 * (np.clip(values[3:9, 5:30], low, high) - low) / (high - low)
    np.testing.assert_allclose(part, expected, atol=1e-3)


@pytest.mark.parametrize("common", [0.0, -3000.0])
def test_a_band_of_mostly_one_value_is_scaled_by_its_ends(
    write_raster: WriteRaster, common: float
) -> None:
    values = np.full((ROWS, COLS, 2), common, np.float32)
    values[0, :2, 0] += 4.0, 2.0
    path = write_raster("scene.tif", values)
    names = enumerate(("rare", "constant"), start=1)
    image = read(
        path, composed(*(Band(b, n, scaling="percentiles", low=2.0, high=98.0) for n, b in names))
    ).image
    np.testing.assert_allclose(image[0, :3, 0], [255.0, 127.5, 0.0])
    assert not image[1:].any()


def test_8_bits_need_no_range(write_raster: WriteRaster) -> None:
    values = np.random.default_rng(1).integers(0, 256, (ROWS, COLS, 2), np.uint8)
    bands = composed(Band("gray", 2, scaling="range"), ranged("red", 1, 0.0, 100.0))
    image = read(write_raster("scene.tif", values), bands).image
    np.testing.assert_allclose(image[..., 0], values[..., 1], atol=1e-4)


def test_the_bits_that_a_file_uses_are_its_range(write_raster: WriteRaster) -> None:
    values = np.full((ROWS, COLS, 1), 2047, np.uint16)
    path = write_raster("scene.tif", values, nbits=11)
    assert read(path, composed(Band("red", 1, scaling="range"))).image.max() == 255.0


def test_more_bits_need_a_range(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", values_of(np.uint16))
    told = message_of(path, composed(Band("red", 1, scaling="range")))
    assert "nothing says which of uint16 values of red become 0 and 255" in told


def test_a_scene_has_as_many_bands_as_are_listed(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", values_of(np.uint16, 4))
    bands = composed(*(ranged(f"b{number}", number, 0.0, 1.0) for number in (1, 2, 3)))
    assert bands.composition is not None
    counted = replace(bands, composition=replace(bands.composition, takes_all=True))
    assert "has 4 bands where `bands` in the profile lists 3" in message_of(path, counted)
    layer = write_raster("dem.tif", values_of(np.float32, 1))
    entries = *bands.composition.bands, ranged("z", 1, 0.0, 1.0, layer="dem")
    beside = composed(*entries, layers=(("dem", str(layer)),))
    counted = replace(beside, composition=Composition(entries, takes_all=True))
    assert "has 4 bands where `bands` in the profile lists 3" in message_of(path, counted)
    three = write_raster("three.tif", values_of(np.uint16, 3))
    assert read(three, counted).image.shape[-1] == 4
    assert read(path, bands).image.shape[-1] == 3
    assert "reads band 5" in message_of(path, composed(ranged("red", 5, 0.0, 1.0)))


def test_no_data_in_one_band_is_no_data(write_raster: WriteRaster) -> None:
    values = values_of(np.float32)
    values[2, 3, 1] = np.nan
    values[5, 6, 0] = -9999.0
    path = write_raster("scene.tif", values, nodata=-9999.0)
    piece = read(path, composed(*(ranged(f"b{i}", i, 0.0, 5000.0) for i in (1, 2, 3))))
    missing = np.zeros((ROWS, COLS), bool)
    missing[2, 3] = missing[5, 6] = True
    np.testing.assert_array_equal(~piece.valid, missing)
    assert (piece.image[missing] == 0).all()


def test_where_data_lie_is_known_before_their_statistics(write_raster: WriteRaster) -> None:
    values = values_of(np.float32, 1)
    values[2, 3] = np.nan
    path = write_raster("scene.tif", values)
    with SceneReader(path, composed(Band("red", 1, scaling="auto"))) as scene:
        valid = scene.read_valid((0, ROWS), (0, COLS))
    assert valid is not None
    np.testing.assert_array_equal(valid, np.isfinite(values[..., 0]))


def test_a_layer_lies_where_its_georeference_says(
    write_raster: WriteRaster, height: np.ndarray
) -> None:
    """A plane on a grid of another place, size and CRS is the same plane on the scene."""
    path = write_raster("scene.tif", values_of(np.uint16, 1), **UTM)
    x, y = 399_000.0 + 25.0 * np.arange(120), 3_400_500.0 - 25.0 * np.arange(100)
    plane = (0.1 * (x[None] - 400_000.0) + 0.2 * (3_400_000.0 - y[:, None])).astype(np.float32)
    transform = Affine(25.0, 0, 399_000.0 - 12.5, 0, -25.0, 3_400_500.0 + 12.5)
    layer = write_raster("dem.tif", plane, crs="EPSG:32648", transform=transform)
    bands = composed(
        ranged("red", 1, 0.0, 5000.0),
        ranged("height", 1, -1000.0, 1000.0, layer="dem"),
        layers=(("dem", str(layer)),),
    )
    with SceneReader(path, bands) as scene:
        values, valid = scene.read_values()
        assert scene.warning is None
    rows, cols = np.mgrid[:ROWS, :COLS] + 0.5
    assert valid is None
    np.testing.assert_allclose(values[..., 1], 0.1 * 10.0 * cols + 0.2 * 10.0 * rows, atol=0.01)


def test_slope_is_the_same_in_any_part(write_raster: WriteRaster, height: np.ndarray) -> None:
    path = write_raster("scene.tif", values_of(np.uint16, 1), **UTM)
    layer = write_raster("dem.tif", height, **UTM)
    slope = Band("slope", derived="slope", of=("height",), scaling="range", high=90.0)
    bands = composed(
        Band("height", 1, layer="dem", is_input=False), slope, layers=(("dem", str(layer)),)
    )
    with SceneReader(path, bands) as scene:
        whole = scene.read((0, ROWS), (0, COLS)).image
        part = scene.read((7, 31), (11, 42)).image
    np.testing.assert_array_equal(part, whole[7:31, 11:42])
    down, across = np.gradient(height, 10.0)
    expected = np.degrees(np.arctan(np.hypot(down, across)))[3:-3, 3:-3]
    np.testing.assert_allclose(whole[3:-3, 3:-3, 0] * 90.0 / 255.0, expected, atol=0.3)


@pytest.mark.parametrize(
    "turned",
    [
        Affine(10.0, 0, 400_000, 0, 10.0, 3_400_000),
        Affine.translation(400_000, 3_400_000) @ Affine.rotation(-30) @ Affine.scale(10, -10),
    ],
    ids=["south up", "turned"],
)
def test_aspect_is_by_the_compass_however_the_scene_is_turned(
    write_raster: WriteRaster, turned: Affine
) -> None:
    path = write_raster("scene.tif", values_of(np.uint16, 1), crs=UTM["crs"], transform=turned)
    y, x = np.mgrid[:150, :150].astype(np.float32)
    north_up = Affine(10.0, 0, 399_500, 0, -10.0, 3_400_500)
    layer = write_raster("dem.tif", 3.0 * y - 4.0 * x, crs=UTM["crs"], transform=north_up)
    terrain = [Band(kind, derived=kind, of=("z",)) for kind in ("slope", "aspect", "hillshade")]
    bands = composed(
        Band("z", 1, layer="dem", is_input=False), *terrain, layers=(("dem", str(layer)),)
    )
    with SceneReader(path, bands) as scene:
        slope, aspect, shade = np.moveaxis(scene.read_values()[0], -1, 0)
    rise_south, rise_east = 0.3, -0.4
    np.testing.assert_allclose(slope, np.degrees(np.arctan(0.5)), atol=0.1)
    np.testing.assert_allclose(aspect, np.degrees(np.arctan2(-rise_east, rise_south)), atol=0.2)
    lit = (np.sqrt(0.5) + 0.5 * (rise_east + rise_south)) / np.sqrt(1.25)
    np.testing.assert_allclose(shade, 255.0 * lit, atol=0.5)


def test_nan_that_a_layer_does_not_declare_counts_as_not_covered(
    write_raster: WriteRaster, height: np.ndarray
) -> None:
    path = write_raster("scene.tif", values_of(np.uint16, 1), **UTM)
    height[:, : COLS // 2] = np.nan
    layer = write_raster("dem.tif", height, **UTM)
    bands = composed(ranged("z", 1, 0.0, 900.0, layer="dem"), layers=(("dem", str(layer)),))
    with SceneReader(path, bands) as scene:
        assert "dem.tif has data on 50% of the scene" in (scene.warning or "")
    layer = write_raster("dem.tif", np.full_like(height, np.nan), **UTM)
    assert "does not overlap" in message_of(path, bands)
    assert "or has no data there" in message_of(path, bands)


@pytest.mark.parametrize("with_hole", [1, 2])
def test_no_data_in_one_band_of_a_layer_is_not_interpolated(
    write_raster: WriteRaster, with_hole: int
) -> None:
    path = write_raster("scene.tif", values_of(np.uint16, 1), **UTM)
    values = np.full((10, 13, 2), 5.0, np.float32)
    values[:5, :5, with_hole - 1] = -9999.0
    coarse = {"crs": UTM["crs"], "transform": UTM["transform"] @ Affine.scale(4.0)}
    layer = write_raster("layer.tif", values, nodata=-9999.0, photometric="minisblack", **coarse)
    for number in (1, 2):
        band = ranged("vv", number, 0.0, 9.0, layer="sar")
        with SceneReader(path, composed(band, layers=(("sar", str(layer)),))) as scene:
            read, valid = scene.read_values()
            warning = scene.warning or ""
        assert (valid is not None) == ("layer.tif has data on" in warning) == (number == with_hole)
        np.testing.assert_allclose(read if valid is None else read[valid], 5.0, atol=1e-5)


def test_no_slope_beside_heights_of_the_scene_that_are_no_data(
    write_raster: WriteRaster, height: np.ndarray
) -> None:
    """Otherwise the nodata value would be a cliff."""
    heights = height.copy()
    heights[10:20, 10:20] = -9999.0
    path = write_raster("scene.tif", heights, nodata=-9999.0, **UTM)
    slope = Band("slope", derived="slope", of=("z",), scaling="range", high=90.0)
    with SceneReader(path, composed(Band("z", 1, is_input=False), slope)) as scene:
        values, valid = scene.read_values()
    assert valid is not None
    missing = np.zeros((ROWS, COLS), bool)
    missing[9:21, 9:21] = True
    assert np.array_equal(~valid | missing, missing)
    assert values[valid].max() < 30.0


def test_slope_of_the_scene_without_a_gsd_is_an_error(
    write_raster: WriteRaster, height: np.ndarray
) -> None:
    path = write_raster("scene.tif", height)
    slope = Band("slope", derived="slope", of=("z",), scaling="range", high=90.0)
    bands = composed(Band("z", 1, is_input=False), slope)
    assert "so slope needs its GSD; set source.gsd" in message_of(path, bands)
    assert read(path, replace(bands, own_gsd=10.0)).image.max() > 0.0


def test_what_a_layer_does_not_cover_has_no_data(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", values_of(np.uint16, 1), **UTM)
    half = write_raster("dem.tif", np.ones((ROWS, COLS // 2), np.float32), **UTM)
    bands = composed(ranged("z", 1, 0.0, 2.0, layer="dem"), layers=(("dem", str(half)),))
    with SceneReader(path, bands) as scene:
        piece = scene.read((0, ROWS), (0, COLS))
        assert scene.warning is not None
        assert "dem.tif has data on 50% of the scene" in scene.warning
    assert piece.valid is not None
    assert not piece.valid[:, COLS // 2 + 1 :].any()
    assert piece.valid[:, : COLS // 2 - 1].all()


def test_a_band_that_a_layer_does_not_have_is_told(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", values_of(np.uint16), **UTM)
    layer = write_raster("dem.tif", values_of(np.float32, 1), **UTM)
    bands = composed(ranged("z", 2, 0.0, 1.0, layer="dem"), layers=(("dem", str(layer)),))
    assert "dem.tif: has 1 band where `bands` in the profile reads band 2" in message_of(
        path, bands
    )


def test_layers_that_cannot_be_laid_on_the_scene_are_told(write_raster: WriteRaster) -> None:
    path = write_raster("scene.tif", values_of(np.uint16, 1), **UTM)
    bands = composed(ranged("z", 1, 0.0, 2.0, layer="dem"))
    assert "has no file for the layer dem" in message_of(path, bands)
    far = dict(UTM, transform=Affine(10.0, 0, 500_000, 0, -10.0, 3_400_000))
    elsewhere = write_raster("far.tif", np.ones((9, 9), np.float32), **far)
    told = message_of(path, replace(bands, layers=(("dem", str(elsewhere)),)))
    assert "far.tif: does not overlap" in told
    assert "x 500000 to 500090" in told
    bare = write_raster("bare.tif", np.ones((9, 9), np.float32))
    told = message_of(path, replace(bands, layers=(("dem", str(bare)),)))
    assert "is 9 x 9 pixels where" in told
    assert "bare.tif has no georeference" in told


def test_a_layer_of_the_same_size_needs_no_georeference(write_raster: WriteRaster) -> None:
    path = write_raster("scene.png", np.zeros((ROWS, COLS, 3), np.uint8))
    values = values_of(np.float32, 1)
    layer = write_raster("dem.tif", values)
    bands = composed(ranged("z", 1, 0.0, 5000.0, layer="dem"), layers=(("dem", str(layer)),))
    np.testing.assert_allclose(read(path, bands).image, 255.0 * values / 5000.0, rtol=1e-6)


@pytest.mark.parametrize("shift", [0, 3])
def test_a_shift_against_the_image_before_is_told(write_raster: WriteRaster, shift: int) -> None:
    rng = np.random.default_rng(3)
    ground = np.cumsum(rng.normal(size=(110, 100)), axis=0).astype(np.float32)
    path = write_raster("after.tif", ground[5:105, 5:95], **UTM)
    before = write_raster("before.tif", ground[5 + shift : 105 + shift, 5:95], **UTM)
    change = Band("change", derived="difference", of=("after", "before"), scaling="range", high=1.0)
    bands = composed(
        Band("after", 1, is_input=False),
        Band("before", 1, layer="before", is_input=False),
        replace(change, low=-1.0),
        layers=(("before", str(before)),),
    )
    with SceneReader(path, bands) as scene:
        image = scene.read((0, 100), (0, 90)).image
        if shift:
            assert scene.warning is not None
            assert "before.tif is shifted by 3.0 pixels against the scene (3.0 up)" in scene.warning
        else:
            assert scene.warning is None
            np.testing.assert_allclose(image, 127.5)


@pytest.mark.parametrize("seed", range(4))
def test_much_change_is_no_shift(write_raster: WriteRaster, seed: int) -> None:
    """The peak of the phase correlation is one of noise there, 40 to 50 pixels off."""
    rng = np.random.default_rng(seed)
    ground, slides = (
        cv2.GaussianBlur(rng.normal(size=(96, 96)).astype(np.float32), (0, 0), sigma)
        for sigma in (3.0, 8.0)
    )
    after = ground + 9.0 * ground.std() * (slides > 0.3 * slides.std())
    before = write_raster("before.tif", ground, **UTM)
    change = Band("change", derived="difference", of=("after", "before"), scaling="range", high=1.0)
    bands = composed(
        Band("after", 1, is_input=False),
        Band("before", 1, layer="before", is_input=False),
        replace(change, low=-1.0),
        layers=(("before", str(before)),),
    )
    with SceneReader(write_raster("after.tif", after, **UTM), bands) as scene:
        assert scene.warning is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_a_tile_keeps_values_type_and_scale(tmp_path: Path, dtype: Any) -> None:
    values, valid = (values_of(np.int32) % 200).astype(dtype), np.ones((ROWS, COLS), np.bool_)
    valid[4:9, 5] = False
    path = tmp_path / "tile.tif"
    write_values(path, values, ("a", "b", "c"), [(10.0, 150.0), None, (0.0, 255.0)], valid)
    with rasterio.open(path) as dataset:
        assert dataset.dtypes == (np.dtype(dtype).name,) * 3
        assert dataset.descriptions == ("a", "b", "c")
    bands = [
        Band("a", 1, scaling="file"),
        Band("b", 2, scaling="deviations", low=50.0, high=9.0),
        Band("c", 3, scaling="file"),
    ]
    image = read_tile(path, 3, Composition(tuple(bands)))
    expected = (values.astype(np.float64) - [10.0, 0.0, 0.0]) * [255.0 / 140.0, 1.0, 1.0]
    expected[..., 1] = 110.0 + 50.0 * (values[..., 1] - 50.0) / 9.0
    np.testing.assert_allclose(image[valid], expected[valid], atol=1e-3)
    assert (image[~valid] == 0.0).all()
