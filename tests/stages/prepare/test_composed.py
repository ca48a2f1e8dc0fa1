"""`landslide prepare` and `split` with bands of many bits, layers and HDF5 files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from landslide_cli.dataset.prepared import prepared_scene
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.dataset.tiles import part_tiles
from landslide_cli.errors import DataError
from landslide_cli.profile import Profile, load_profile
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import split
from landslide_cli.training_data.inputs import examples_of, files_of_part
from tests.conftest import RecordingReporter

WriteRaster = Callable[..., Path]
SIDE, TILE = 40, 32
CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.fixture
def profile(tmp_path: Path, write_raster: WriteRaster) -> Profile:
    """Four scenes of 16 bits in UTM, a corner of each without data, and an elevation model."""
    rng = np.random.default_rng(4)
    for index in range(4):
        values = rng.integers(1000 + 100 * index, 3000, (SIDE, SIDE, 3), np.uint16)
        values[:5, :6] = 0
        place = {
            "crs": "EPSG:32648",
            "transform": Affine(10.0, 0, 400_000 + 1000 * index, 0, -10.0, 3_400_000),
        }
        write_raster(f"images/s{index}.tif", values, nodata=0, **place)
        write_raster(f"masks/s{index}.tif", (values[..., 0] > 2500).astype(np.uint8), **place)
    heights = np.add.outer(np.arange(60.0), 2.0 * np.arange(420)).astype(np.float32)
    dem = {"crs": "EPSG:32648", "transform": Affine(10.0, 0, 399_900, 0, -10.0, 3_400_100)}
    write_raster("dem.tif", heights, **dem)
    path = tmp_path / "profile.yaml"
    path.write_text(
        f"""\
name: composed
dataset: '{tmp_path / "dataset"}'
run: '{tmp_path / "run"}'
source:
  images: '{tmp_path}/images'
  masks: '{tmp_path}/masks'
  layers: {{dem: '{tmp_path}/dem.tif'}}
bands:
  - {{name: red, band: 3, auto: true}}
  - {{name: green, band: 2, range: [1200, 2800]}}
  - {{name: blue, band: 1, percentiles: [2, 98]}}
  - {{name: height, layer: dem, input: false}}
  - {{name: slope, derive: slope, of: height}}
prepare: {{tile: {TILE}, workers: 1, augment: {{hflip: true}}}}
split: {{by: scene, train: 0.5, valid: 0.25, test: 0.25}}
model: {{num_layers: 3}}
"""
    )
    return load_profile(path)


def record_of(profile: Profile) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((profile.dataset / "tiles" / "prepare.json").read_text())
    return document


def test_tiles_hold_values_and_training_scales_them_by_its_own_scenes(profile: Profile) -> None:
    result = prepare(profile)
    assert result.tiles == 16
    tile = profile.dataset / "tiles" / "images" / "s1_r00000_c00000.tif"
    with rasterio.open(tile) as dataset, rasterio.open(tile.parents[3] / "images/s1.tif") as scene:
        assert dataset.descriptions == ("red", "green", "blue", "slope")
        values, own = dataset.read(), scene.read()
        np.testing.assert_array_equal(dataset.read_masks(1)[:5, :6], 0)
    np.testing.assert_array_equal(values[0, 6:], own[2, 6:TILE, :TILE])
    expected = np.degrees(np.arctan(np.hypot(0.1, 0.2)))
    np.testing.assert_allclose(values[3, 6:], expected, atol=0.01)  # UTM is 0.9996 of the ground

    split(profile)
    files = files_of_part(profile, "train", None)
    examples = examples_of(profile, files, None)
    images = [examples.example(0, position)[0] for position in range(len(examples))]
    scenes = {pair.image.stem.split("_")[0] for pair in part_tiles(profile.dataset, "train")}
    measured = [record_of(profile)["result"]["bands"][scene][0] for scene in sorted(scenes)]
    counts, means, _ = np.array(measured).T
    trained = [
        scene for scene in labelled_scenes_of(profile) if scene.name in scenes
    ]  # whole, as crops would be taken
    whole = np.concatenate([prepared_scene(profile, scene).image for scene in trained])
    known = whole[(whole != 0).any(axis=-1)]
    assert len(known) == counts.sum()
    np.testing.assert_allclose(known[:, 0].mean(dtype=np.float64), 110.0, atol=0.01)
    np.testing.assert_allclose(known[:, 0].std(dtype=np.float64), 50.0, atol=0.01)
    assert {image.dtype for image in images} == {np.dtype(np.float32)}
    assert means.min() > 1000.0


def test_whole_scenes_are_the_same_as_their_tiles(profile: Profile) -> None:
    prepare(profile)
    split(profile)
    scenes = {scene.name: scene for scene in labelled_scenes_of(profile)}
    examples = examples_of(profile, files_of_part(profile, "test", None), None)
    name = Path(examples.name(0, 0)).stem
    image, mask = examples.example(0, 0)
    prepared = prepared_scene(profile, scenes[name.split("_")[0]])
    if name.endswith("hflip"):
        image, mask = image[:, ::-1], mask[:, ::-1]
    row, col = (int(part[1:]) for part in name.split("_")[1:3])
    there = np.s_[row : row + 8, col : col + 8]
    np.testing.assert_allclose(image[:8, :8], prepared.image[there], atol=1e-3)
    np.testing.assert_array_equal(mask[:8, :8], prepared.reading.mask[there])


def test_values_outside_of_a_range_are_told(profile: Profile, reporter: Any) -> None:
    prepare(profile, reporter=reporter)
    assert any("values outside of their range are cut off: " in note for note in reporter.notes)
    assert any("% of green" in note for note in reporter.notes)


def test_a_range_that_cannot_be_right_is_warned_of(profile: Profile, reporter: Any) -> None:
    assert not isinstance(profile.bands, int)
    bands = list(profile.bands)
    bands[1] = bands[1].model_copy(update={"range": (10_000.0, 20_000.0)})
    prepare(profile.model_copy(update={"bands": bands}), reporter=reporter)
    assert any("cut off: 100.00% of green" in text for text in reporter.warnings)


def test_all_that_is_wrong_with_a_scene_is_told(
    profile: Profile, reporter: Any, write_raster: WriteRaster
) -> None:
    place = {"crs": "EPSG:32648", "transform": Affine(10.0, 0, 399_900, 0, -10.0, 3_400_100)}
    write_raster("dem.tif", np.zeros((60, 30), np.float32), **place)
    assert not isinstance(profile.bands, int)
    bands = list(profile.bands)
    bands[1] = bands[1].model_copy(update={"range": (10_000.0, 20_000.0)})
    prepare(profile.model_copy(update={"bands": bands}), limit=1, reporter=reporter)
    (warning,) = (text for text in reporter.warnings if text.startswith("s0: "))
    assert "dem.tif has data on 50% of the scene" in warning
    assert "cut off: 100.00% of green" in warning


def test_a_scene_without_data_is_told(
    profile: Profile, reporter: Any, write_raster: WriteRaster
) -> None:
    write_raster("images/s1.tif", np.zeros((SIDE, SIDE, 3), np.uint16), nodata=0)
    assert not isinstance(profile.bands, int)
    without_layer = profile.model_copy(update={"bands": profile.bands[:3]})
    prepare(without_layer, limit=2, reporter=reporter)
    assert "s1: has no pixel with both data and a label" in reporter.warnings


@pytest.mark.parametrize("scaling", ["", ", range: [0, 255]"])
def test_names_that_contradict_the_colours_of_a_file_are_warned_of(
    tmp_path: Path, write_raster: WriteRaster, scaling: str
) -> None:
    image = write_raster("images/a.tif", np.full((TILE, TILE, 3), 9, np.uint8), photometric="rgb")
    with rasterio.open(image, "r+") as file:
        file.colorinterp = [ColorInterp[name] for name in ("blue", "green", "red")]
    write_raster("masks/a.png", np.ones((TILE, TILE), np.uint8))

    def warnings_of(*names: str) -> str:
        path = tmp_path / "profile.yaml"
        entries = ", ".join(f"{{name: {name}{scaling}}}" for name in names)
        path.write_text(
            f"source: {{images: '{tmp_path}/images', masks: '{tmp_path}/masks'}}\n"
            f"dataset: '{tmp_path}/{'-'.join(names)}'\n"
            f"bands: [{entries}]\nmodel: {{num_layers: 3}}\nprepare: {{tile: {TILE}}}\n"
        )
        reporter = RecordingReporter()
        prepare(load_profile(path), reporter=reporter)
        return "".join(reporter.warnings)

    told = warnings_of("red", "green", "blue")
    assert "a: `bands` calls band 1 red, band 3 blue, the file 3 red, 2 green, 1 blue" in told
    assert warnings_of("blue", "green", "red") == ""
    assert warnings_of("nir", "red", "green") == ""  # often tagged as if they were colours


def test_a_shared_layer_that_is_damaged_is_told_once(
    profile: Profile, tmp_path: Path, cut_short: Callable[..., Path]
) -> None:
    cut_short(tmp_path / "dem.tif")
    with pytest.raises(DataError) as caught:
        prepare(profile)
    assert len(str(caught.value).splitlines()) == 1


def test_directions_that_copies_do_not_turn_are_told(profile: Profile, reporter: Any) -> None:
    prepare(profile, reporter=reporter)
    assert not any("directions" in text for text in reporter.warnings)  # a slope has none
    assert not isinstance(profile.bands, int)
    bands = list(profile.bands)
    bands[-1] = bands[-1].model_copy(update={"derive": "aspect", "name": "way"})
    prepare(profile.model_copy(update={"bands": bands}), overwrite=True, reporter=reporter)
    (told,) = [text for text in reporter.warnings if "directions" in text]
    assert told.startswith("prepare.augment: hflip turn the pixels of way, and not")


def test_a_layer_that_is_gone_is_told(profile: Profile, tmp_path: Path) -> None:
    (tmp_path / "dem.tif").unlink()
    with pytest.raises(DataError, match="no file found for the layer dem"):
        prepare(profile)
    assert not (profile.dataset / "tiles").exists()


def test_chips_of_landslide4sense_are_prepared_and_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for kind in ("img", "mask"):
        (tmp_path / "TrainData" / kind).mkdir(parents=True)
    for number in range(1, 7):
        chip = np.abs(rng.normal(1.0, 0.3, (128, 128, 14)))
        mask = (chip[..., 3] > 1.4).astype(np.uint8)
        for kind, stem, values in (("img", "image", chip), ("mask", "mask", mask)):
            path = tmp_path / "TrainData" / kind / f"{stem}_{number}.h5"
            with h5py.File(path, "w") as file:
                file[kind] = values
    data = tmp_path / "TrainData"
    profile = load_profile(
        CONFIGS / "landslide4sense.yaml",
        [
            f"source.images={data}/img/image_*.h5",
            f"source.masks={data}/mask/mask_*.h5",
            f"dataset={tmp_path / 'dataset'}",
            "prepare.workers=1",
            "split={train: 0.6, valid: 0.2, test: 0.2, by: scene}",
        ],
    )
    assert prepare(profile).tiles == 6
    split(profile)
    examples = examples_of(profile, files_of_part(profile, "train", None), None)
    image, mask = examples.example(0, 0)
    assert image.shape == (128, 128, 14)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image.mean(axis=(0, 1)), 110.0, atol=2.0)
    assert 0 < (mask == 1).sum() < mask.size
