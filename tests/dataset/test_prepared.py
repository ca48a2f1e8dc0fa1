"""Scenes read in the bands and colours of their source, and the size they are prepared at."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from landslide_cli.dataset.prepared import prepared_scale, prepared_scene, read_scene
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.errors import DataError
from landslide_cli.profile import Profile

Load = Callable[..., Profile]


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
