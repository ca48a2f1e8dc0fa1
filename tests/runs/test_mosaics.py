"""Scenes scored as parts of mosaics: each pixel is the one it was, and background is counted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.profile import Profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.predictions import predictions
from landslide_cli.runs.run import find_run
from landslide_cli.runs.samples import samples_of
from landslide_cli.runs.scene_predictor import Prediction
from landslide_cli.stages.evaluate import evaluate

Load = Callable[..., Profile]


@pytest.fixture
def labelled(bright: Load, tmp_path: Path, palette: Palette, write_raster: Any) -> Load:
    """Scenes of several sizes, one with pixels of no data; and scenes of background."""
    rng = np.random.default_rng(5)
    for name in ("masks", "fields"):
        (tmp_path / name).mkdir()
    for index, (rows, cols) in enumerate([(90, 60), (50, 50), (40, 110)]):
        image = rng.integers(1, 255, (rows, cols, 1), np.uint8).repeat(3, axis=-1)
        image[5:9] = 0
        write_raster(f"images/s{index}.tif", image, nodata=0 if index == 1 else None)
        mask = (image[..., 0] > 140).astype(np.uint8)
        mask[20:24] = IGNORE
        write_mask(tmp_path / "masks" / f"s{index}.png", mask, palette)
    for index in range(3):
        image = np.full((30, 30, 3), 5, np.uint8)
        image[:10, :15] = 250
        write_image(tmp_path / "fields" / f"f{index}.png", image)
    labelled = f"{{images: {tmp_path / 'images'}, masks: {tmp_path / 'masks'}}}"
    fields = f"{{images: {tmp_path / 'fields'}, masks: none}}"

    def load(*overrides: str, background: bool = True) -> Profile:
        listed = f"[{labelled}, {fields}]" if background else labelled
        options = "evaluate.units=mosaic", "evaluate.draws=100", f"run={tmp_path / 'run'}"
        return bright(f"source={listed}", *options, *overrides)

    return load


@pytest.fixture(autouse=True)
def run(bright_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(bright_folder / "run")


def predicted(profile: Profile) -> list[Prediction]:
    samples = samples_of(profile, "test", None, SilentReporter())
    return list(predictions(profile, find_run(profile), samples, "", SilentReporter()))


def test_a_scene_in_a_mosaic_is_predicted_where_it_is(labelled: Load) -> None:
    """The model looks at single pixels, so that neighbours change nothing."""
    alone = {p.sample.name: p for p in predicted(labelled("evaluate.units=scenes"))}
    in_mosaics = [p for p in predicted(labelled()) if p.sample.mask is not None]
    assert [p.sample.name for p in in_mosaics] == ["s0", "s1", "s2"]
    for prediction in in_mosaics:
        expected = alone[prediction.sample.name]
        np.testing.assert_array_equal(prediction.truth, expected.truth)
        mask = expected.predicted.mask(0.5)
        np.testing.assert_array_equal(prediction.predicted.mask(0.5), mask)
        assert prediction.pixels == 1.0
    assert (in_mosaics[1].truth[5:9] == IGNORE).all()


def test_the_layout_follows_from_the_seed(labelled: Load) -> None:
    def background(*overrides: str) -> np.ndarray:
        (prediction,) = [p for p in predicted(labelled(*overrides)) if p.sample.mask is None]
        return prediction.truth

    first = background()
    np.testing.assert_array_equal(first, background())
    other = background("evaluate.seed=9")
    assert first.shape != other.shape or (first != other).any()
    # All that is not one of the scenes.
    assert (first == IGNORE).sum() == 90 * 60 + 50 * 50 + 40 * 110


def test_what_is_mapped_on_background_is_counted_apart(labelled: Load) -> None:
    result = evaluate(labelled())
    alarms = result.document()["false_alarms"]
    # A sixth of a field is bright; which parts of fields a mosaic shows is drawn.
    assert 0.08 < alarms["share"] < 0.3
    assert alarms["square_metres_per_square_kilometre"] == pytest.approx(1e6 * alarms["share"])
    assert (result.samples, result.units) == (3, "mosaic")
    (table,) = [table for table in result.tables() if "without landslides" in table.title]
    assert [row[0] for row in table.rows] == ["background of mosaic 1", "all, 1 scene"]
    assert result.files[0].name == "evaluation-mosaic.json"
    alone = evaluate(labelled("evaluate.units=scenes"))
    alarms = alone.document()["false_alarms"]
    assert (alarms["pixels"], alarms["mapped"], alarms["objects"]) == (3 * 900, 3 * 150, 3)
    assert [(line["scored"], line["mapped"]) for line in alarms["each"]] == [(False, 150)] * 3
    assert alone.classes["landslide"].pixels == result.classes["landslide"].pixels
    assert alone.classes["landslide"].iou == pytest.approx(result.classes["landslide"].iou)


def test_without_background_scenes_surround_each_other_unscored(labelled: Load) -> None:
    result = evaluate(labelled(background=False))
    assert result.document()["false_alarms"] is None
    assert result.samples == 3


def test_scenes_of_other_scales_are_brought_to_one(labelled: Load) -> None:
    profile = labelled("source.0.scale=0.5", "source.1.scale=1.0")
    in_mosaics = predicted(profile)
    assert [p.truth.shape for p in in_mosaics if p.sample.mask is not None] == [
        (90, 60),
        (50, 50),
        (40, 110),
    ]
    # Fields have twice the model's resolution there: they are enlarged to that of the scenes.
    two = labelled(f"source.1={{images: {profile.sources[0].images}, masks: none, scale: 2.0}}")
    shapes = [p.truth.shape for p in predicted(two) if p.sample.mask is not None]
    assert shapes == [(90, 60), (50, 50), (40, 110)]


def test_a_source_is_mapped_by_its_gsd_whatever_it_is_trained_at(
    labelled: Load, tmp_path: Path
) -> None:
    trained = Preprocessing(3, gsd=2.0, scale=0.25)
    field = tmp_path / "fields" / "f0.png"

    def scale(*overrides: str) -> float:
        run = find_run(labelled(*overrides), tmp_path / "run", trained)
        return run.preprocessing_of(field).scales_of(field, Georeference(), 30, 30)[0]

    assert scale("source.1.gsd=0.3", "source.1.scale=1.0") == pytest.approx(0.15)
    assert scale("source.1.gsd=0.3") == pytest.approx(0.15)
    assert scale("source.1.scale=1.0") == 1.0
    assert scale("source.1.gsd=0.3", "infer.scale=0.5") == 0.5


def test_nothing_but_background_is_an_error(labelled: Load, tmp_path: Path) -> None:
    from landslide_cli.errors import DataError

    profile = labelled(f"source={{images: {tmp_path / 'fields'}, masks: none}}")
    for units in ("mosaic", "scenes"):
        with pytest.raises(DataError, match="has a mask"):
            evaluate(
                profile.model_copy(
                    update={"evaluate": profile.evaluate.model_copy(update={"units": units})}
                )
            )
