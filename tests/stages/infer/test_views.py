"""Maps are those that evaluate scores, and test-time augmentation turns with the scene."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.core.networks.predictor import predictor
from landslide_cli.core.tiling.layout import Tiling
from landslide_cli.core.tiling.predict import mask_of, predict_scene
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.documents import read_json, write_json
from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.profile import Profile
from landslide_cli.runs.planning import training_plan
from landslide_cli.runs.run import find_run
from landslide_cli.stages.infer import infer_tiled
from tests.stages.infer.cases import values_of, with_infer


@pytest.mark.parametrize("standardized", [False, True])
def test_masks_are_those_that_evaluate_scores(
    trained: Profile, tmp_path: Path, standardized: bool
) -> None:
    profile = with_infer(trained, engine="tensorflow", precision="float32", tile=32)
    record = profile.run_folder / "run.json"
    document = read_json(record)
    assert document is not None
    document["result"]["preprocessing"]["standardized"] = standardized
    write_json(record, document)
    run = find_run(profile)
    assert run.preprocessing.standardized == standardized
    predict, plan = predictor(run.load()), training_plan(profile)
    result = infer_tiled(profile, output=tmp_path / "maps")
    assert result.threshold == run.threshold
    for mapped in result.scenes:
        image = read_image(mapped.image, 3)
        masks = {}
        for levels in (False, True):
            source = ImageSource(image, standardized=levels)
            tiling = Tiling(plan.tile, plan.overlap, multiple=plan.multiple)
            layout = tiling.layout(*image.shape[:2])
            probabilities, _ = predict_scene(source, predict, layout, channels=1)
            masks[levels] = mask_of(probabilities, run.threshold)
        np.testing.assert_array_equal(values_of(mapped.mask), masks[standardized])
        assert (masks[False] != masks[True]).any()


@pytest.mark.parametrize("symmetries", ["flips", "symmetries"])
@pytest.mark.parametrize("change", ["rows", "cols", "transpose"])
def test_averaging_over_views_makes_the_map_of_a_turned_scene_a_turned_map(
    trained: Profile, tmp_path: Path, symmetries: str, change: str
) -> None:
    if (symmetries, change) == ("flips", "transpose"):
        pytest.skip("flips do not average over transposes")
    turn: Callable[[NDArray[Any]], NDArray[Any]] = {
        "rows": np.flipud,
        "cols": np.fliplr,
        "transpose": lambda values: values.swapaxes(0, 1),
    }[change]
    image = np.random.default_rng(5).integers(0, 256, (48, 72, 3), np.uint8)
    for name, values in (("straight", image), ("turned", turn(image))):
        write_image(tmp_path / f"{name}.png", np.ascontiguousarray(values))
    settings = {"tta": symmetries, "tile": "whole", "probability": "float32"}
    profile = with_infer(trained, precision="float32", **settings)
    result = infer_tiled(profile, [str(tmp_path / "*.png")], output=tmp_path / "maps")
    straight, turned = (values_of(mapped.files["probability"]) for mapped in result.scenes)
    assert straight.std() > 0.05
    np.testing.assert_allclose(turn(straight), turned, atol=1e-5)


def test_views_are_not_averaged_unasked(trained: Profile, tmp_path: Path) -> None:
    settings = {"probability": "float32", "precision": "float32"}
    plain, flips = (
        infer_tiled(
            with_infer(trained, tta=tta, **settings), output=tmp_path / tta, limit=1
        ).scenes[0]
        for tta in ("none", "flips")
    )
    difference = values_of(plain.files["probability"]) - values_of(flips.files["probability"])
    assert np.abs(difference).max() > 1e-4
