"""Sources of scenes: their names, masks, colours and bands, and the size they are prepared at."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from landslide_cli.core.palette import Palette
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.prepared import prepared_scale, prepared_scene, read_scene
from landslide_cli.dataset.preprocessing import training_preprocessing
from landslide_cli.dataset.sources import changed_since_prepare, labelled_scenes_of
from landslide_cli.dataset.tiles import TILES
from landslide_cli.errors import DataError, ProfileError
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.profile import Profile, load_profile
from landslide_cli.records import Step

Load = Callable[..., Profile]

UTM = {"crs": "EPSG:32648", "transform": (2.0, 0, 5e5, 0, -2.0, 3.4e6)}


@pytest.fixture
def sources(
    tmp_path: Path,
    palette: Palette,
    write_profile: Callable[[str], Path],
    write_raster: Callable[..., Path],
) -> Load:
    """Three sources: PNG, georeferenced GeoTIFF in other colours and bands, and background."""
    rng = np.random.default_rng(1)
    for name in ("aerial/images", "aerial/masks", "satellite/masks", "fields"):
        (tmp_path / name).mkdir(parents=True)
    red = Palette(palette.names, ((9, 9, 9), (255, 0, 0)))
    for index in (1, 2):
        image = rng.integers(1, 250, (40, 48, 3), np.uint8)
        write_image(tmp_path / f"aerial/images/a{index}.png", image)
        mask = (image[..., 0] > 120).astype(np.uint8)
        write_mask(tmp_path / f"aerial/masks/a{index}.png", mask, palette)
        bands = rng.integers(1, 250, (20, 30, 4), np.uint8)
        write_raster(f"satellite/images/a{index}.tif", bands, photometric="minisblack", **UTM)
        mask = (bands[..., 3] > 120).astype(np.uint8)
        write_mask(tmp_path / f"satellite/masks/a{index}.png", mask, red)
        write_image(tmp_path / f"fields/f{index}.png", image[:16, :16])
    text = f"""\
name: three
dataset: '{tmp_path / "dataset"}'
run: '{tmp_path / "run"}'
prepare: {{tile: null, gsd: 2.0}}
train: {{crop: 32}}
model: {{num_layers: 3}}
source:
  - images: '{tmp_path / "aerial/images"}'
    masks: '{tmp_path / "aerial/masks"}'
    gsd: 0.5
  - name: satellite
    images: '{tmp_path / "satellite/images"}'
    masks: '{tmp_path / "satellite/masks"}'
    bands: [4, 2, 1]
    colours: {{background: [9, 9, 9], landslide: [255, 0, 0]}}
  - images: '{tmp_path / "fields"}'
    masks: none
    scale: 1.0
"""
    path = write_profile(text)
    return lambda *overrides: load_profile(path, overrides)


def test_scenes_of_all_sources_have_names_of_their_own(sources: Load) -> None:
    scenes = labelled_scenes_of(sources())
    names = ["a1", "a2", "satellite-a1", "satellite-a2", "f1", "f2"]
    assert [scene.name for scene in scenes] == names
    assert [scene.source for scene in scenes] == [0, 0, 1, 1, 2, 2]
    assert [scene.mask is None for scene in scenes] == [False] * 4 + [True] * 2
    assert [len(scene.files) for scene in scenes] == [2] * 4 + [1] * 2


def test_a_name_that_is_taken_is_told_apart_by_the_position(sources: Load) -> None:
    scenes = labelled_scenes_of(sources("source.1.name=null"))
    assert [scene.name for scene in scenes][2:4] == ["source2-a1", "source2-a2"]


def test_names_that_meet_by_their_prefix_are_refused(sources: Load, tmp_path: Path) -> None:
    (tmp_path / "aerial/images/a2.png").rename(tmp_path / "aerial/images/satellite-a1.png")
    (tmp_path / "aerial/masks/a2.png").rename(tmp_path / "aerial/masks/satellite-a1.png")
    with pytest.raises(DataError, match=r"both called satellite-a1; give source\.1 another name"):
        labelled_scenes_of(sources())


def test_limit_takes_the_first_of_each_source(sources: Load) -> None:
    scenes = labelled_scenes_of(sources(), limit=1)
    assert [scene.name for scene in scenes] == ["a1", "satellite-a1", "f1"]


def test_masks_are_read_in_the_colours_of_their_source(sources: Load) -> None:
    profile = sources()
    aerial, _, satellite, _, field, _ = labelled_scenes_of(profile)
    image, reading = read_scene(profile, aerial)
    np.testing.assert_array_equal(reading.mask, image[..., 0] > 120)
    image, reading = read_scene(profile, satellite)
    assert image.shape == (20, 30, 3)
    # The first of its bands in the profile's order is the fourth, which the mask follows.
    np.testing.assert_array_equal(reading.mask, image[..., 0] > 120)
    image, reading = read_scene(profile, field)
    assert reading.mask.shape == image.shape[:2]
    assert not reading.mask.any()
    assert reading.encoding == "none"


def test_scenes_are_prepared_at_one_gsd_unless_their_source_has_a_scale(sources: Load) -> None:
    profile = sources()
    scenes = labelled_scenes_of(profile)
    scales = [prepared_scale(profile, scene) for scene in scenes]
    assert scales == pytest.approx([0.25, 0.25, 1.0, 1.0, 1.0, 1.0], abs=1e-3)
    assert prepared_scene(profile, scenes[0]).image.shape == (10, 12, 3)
    shown = sources("source.0.scale=0.5")
    assert prepared_scale(shown, scenes[0]) == 0.5
    finer = sources("prepare.gsd=1.0")
    assert prepared_scene(finer, scenes[2]).image.shape == (40, 60, 3)


def test_a_training_knows_its_gsd_and_how_far_it_has_zoomed(sources: Load) -> None:
    zooms = ("source.0.zoom=[0.8, 1.6]", "source.1.zoom=[0.5, 1.0]", "source.2.zoom=[0.1, 4.0]")
    profile = sources(*zooms, "train.mosaic=true")
    known = training_preprocessing(profile, labelled_scenes_of(profile)[:2])
    assert known.gsd == 2.0
    assert known.scale == pytest.approx(0.25)
    assert known.gsd_range == pytest.approx((2.0 / 1.6, 2.0 / 0.5))
    # Crops of single scenes are not zoomed by their source.
    assert training_preprocessing(sources(*zooms), ()).gsd is None
    profile = sources("train.augment.zoom={probability: 1.0, range: [0.5, 2.0]}")
    known = training_preprocessing(profile, labelled_scenes_of(profile))
    assert known.gsd_range == pytest.approx((1.0, 4.0))
    # Scenes without georeference are taken for those of the first source.
    assert known.scale == pytest.approx(0.25)


def test_an_unknown_gsd_is_asked_for(sources: Load) -> None:
    profile = sources("source.0.gsd=null")
    message = r"a1\.png: has no georeference.*set source\.0\.gsd .*, or source\.0\.scale"
    with pytest.raises(DataError, match=message):
        prepared_scene(profile, labelled_scenes_of(profile)[0])


def test_a_scene_off_the_earth_is_named(sources: Load, write_raster: Callable[..., Path]) -> None:
    far = {"crs": "EPSG:32648", "transform": Affine(1, 0, 1e9, 0, -1, 1e9)}
    write_raster("satellite/images/a1.tif", np.ones((20, 30, 4), np.uint8), **far)
    profile = sources()
    with pytest.raises(DataError, match=r"a1\.tif: the georeference places nothing on the Earth"):
        prepared_scene(profile, labelled_scenes_of(profile)[2])


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["source.1.images=none/*.tif"], DataError, r"source satellite: none/\*\.tif: no image"),
        (["source.2.images=nowhere"], DataError, r"source 3: nowhere: no image found"),
        (["source.0.masks=null"], ProfileError, r"set source\.0\.images and source\.0\.masks"),
        (["source.0.name=satellite"], ProfileError, "two sources are called 'satellite'"),
        (["source.1.bands=[1]"], ProfileError, r"source\.1\.bands must name 3 bands"),
        (["source.1.colours={slide: [1, 2, 3]}"], ProfileError, "there is no class 'slide'"),
        (["prepare.scale=0.5"], ProfileError, "does not go with prepare"),
        (["source.1.zoom=[2, 1]"], ProfileError, "must not be above"),
        (["train.crop=null", "train.mosaic=true"], ProfileError, "needs train.crop"),
    ],
)
def test_errors_name_the_source(
    sources: Load, overrides: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        labelled_scenes_of(sources(*overrides))


def test_a_damaged_background_is_named(sources: Load, cut_short: Callable[..., Any]) -> None:
    path = Path(str(sources().sources[2].images)) / "f1.png"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"source 3: .*f1\.png: is an empty file"):
        labelled_scenes_of(sources())


def test_files_that_changed_since_prepare_are_told(
    sources: Load, tmp_path: Path, write_raster: Callable[..., Path]
) -> None:
    profile, path = sources(), tmp_path / "fields" / "a.png"
    path.write_bytes(b"as it was")
    record = Step.of(profile.dataset / TILES / PREPARE_RECORD, {}, [path])
    record.path.parent.mkdir(parents=True)
    record.finish({})
    os.utime(path, (1, 1))
    assert changed_since_prepare(profile) == []
    path.write_bytes(b"as it is!")
    (warning,) = changed_since_prepare(profile)
    assert "1 file changed since `landslide prepare`" in warning
    assert "a.png" in warning
