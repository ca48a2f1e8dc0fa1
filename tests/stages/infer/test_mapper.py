"""What maps follow from, and what they do not depend on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from landslide_cli.imagery.pictures import Reduced
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.profile import Profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.planning import load_predictor
from landslide_cli.runs.run import find_run
from landslide_cli.stages.infer.mapper import LocalMapper, Recipe


def test_a_run_that_was_trained_again_is_another_recipe(trained: Profile) -> None:
    plan = Plan("openvino", "float32", None, 32, True, 8, 4, 1, 1)
    run = find_run(trained)
    first, again, retrained = (
        Recipe(trained, run, plan, fingerprint) for fingerprint in ("a", "a", "b")
    )
    assert first.key == again.key
    assert first.key != retrained.key


# Pixels at 65 N are 2.4 times as high as wide: rows are enlarged where columns are reduced.
NORTH = {"crs": "EPSG:4326", "transform": Affine(4.5e-6, 0, 105, 0, -4.5e-6, 65)}


@pytest.mark.parametrize("ground", [{}, NORTH], ids=["nowhere", "degrees"])
def test_maps_do_not_depend_on_the_columns_that_are_mapped_at_once(
    bright: Callable[..., Profile], write_raster: Callable[..., Path], ground: dict[str, Any]
) -> None:
    rows, cols = np.mgrid[:130, :700]
    image = (127 + 60 * (np.sin(rows / 11 + cols / 23) + np.sin(cols / 17))).clip(0, 255)
    path = write_raster("wide.tif", image.astype(np.uint8)[..., None].repeat(3, axis=-1), **ground)
    profile = bright("infer.scale=0.75")
    run = find_run(profile)
    predictor = load_predictor(profile, run, [path], SilentReporter())

    def mapped(cols_at_once: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], int]:
        mapper = LocalMapper(predictor, run.threshold, cols_at_once)
        mask, probability = np.zeros((130, 700), np.uint8), np.zeros((130, 700), np.float32)
        with SceneReader(path, run.preprocessing) as scene:
            layout = predictor.plan.layout(scene)
            picture = Reduced(scene.height, scene.width, 100)
            for band in mapper.bands(path, scene, layout, picture, lambda _: None):
                height, width = band.mask.shape
                part = np.s_[band.row_off : band.row_off + height, band.col_off :][:2]
                mask[part][:, :width] = band.mask
                probability[part][:, :width] = band.probability
            return mask, probability, len(mapper.blocks(layout))

    whole, few, many = (mapped(cols_at_once) for cols_at_once in (12_288, 200, 64))
    assert whole[2] == 1 < few[2] < many[2]
    assert 0.1 < (whole[0] == 1).mean() < 0.9
    for mask, probability, _ in (few, many):
        np.testing.assert_array_equal(mask, whole[0])
        np.testing.assert_array_equal(probability, whole[1])
