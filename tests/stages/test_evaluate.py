"""Evaluation against counting by hand."""

import csv
import json

import numpy as np
import pytest

from landslide_cli.core.palette import IGNORE
from landslide_cli.errors import DataError, ModelError
from landslide_cli.imagery.dataset import part_tiles
from landslide_cli.imagery.masks import read_mask
from landslide_cli.imagery.raster import read_image
from landslide_cli.profile import Profile
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.runs import load_run
from landslide_cli.stages.sources import palette_of


def test_scores_are_those_of_counting_all_labelled_pixels(trained: Profile) -> None:
    predict, palette = load_run(trained).predict(), palette_of(trained)
    hits = alarms = misses = labelled = 0
    soft = []
    for tile in part_tiles(trained.dataset, "test"):
        mask = read_mask(tile.mask, palette).mask
        probabilities = predict(read_image(tile.image, 3)[None])[0]
        found, there, known = probabilities.argmax(-1) == 1, mask == 1, mask != IGNORE
        hits += int((found & there).sum())
        alarms += int((found & ~there & known).sum())
        misses += int((~found & there).sum())
        labelled += int(known.sum())
        true = np.where(there, probabilities[..., 1], probabilities[..., 0])[known]
        soft.append((2 * true.sum() + 1) / (2 * known.sum() + 1))
    assert labelled < 5 * 32 * 32  # padding is left out
    result = evaluate(trained)
    scores = result.classes["landslide"]
    assert scores.dice == pytest.approx(2 * hits / (2 * hits + alarms + misses))
    assert scores.iou == pytest.approx(hits / (hits + alarms + misses))
    assert scores.precision == pytest.approx(hits / (hits + alarms))
    assert scores.recall == pytest.approx(hits / (hits + misses))
    assert result.dice_coef_multiclass == pytest.approx(float(np.mean(soft)), rel=1e-5)


def test_json_has_each_class_under_its_name(trained: Profile) -> None:
    result = evaluate(trained)
    document = json.loads((trained.run / "evaluation.json").read_text())
    assert document["landslide"]["dice"] == result.classes["landslide"].dice
    assert document["loss"]["name"] == "crossentropy_dice"
    assert document == json.loads(json.dumps(result.document()))


def test_csv_has_the_experiments_two_rows(trained: Profile) -> None:
    result = evaluate(trained)
    with (trained.run / "evaluation.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["crossentropy_dice", f"{result.loss:.4f}"],
        ["dice_coef_multiclass", f"{result.dice_coef_multiclass:.4f}"],
    ]


def test_other_part_has_files_of_its_own(trained: Profile) -> None:
    result = evaluate(trained, part="valid", limit=2)
    assert result.tiles == 2
    assert [path.name for path in result.files] == ["evaluation-valid.json", "evaluation-valid.csv"]


def test_batch_size_changes_no_score(trained: Profile) -> None:
    one = trained.evaluate.model_copy(update={"batch": 1})
    single = evaluate(trained.model_copy(update={"evaluate": one}))
    several = evaluate(trained)
    assert single.classes == several.classes
    assert single.dice_coef_multiclass == pytest.approx(several.dice_coef_multiclass, rel=1e-5)


def test_missing_model_is_said_before_anything_else(untrained: Profile) -> None:
    with pytest.raises(ModelError, match="landslide train"):
        evaluate(untrained)
    assert not untrained.run.exists()


def test_file_that_is_no_model_is_refused(untrained: Profile) -> None:
    untrained.run.mkdir()
    (untrained.run / "model.keras").write_text("not a model")
    with pytest.raises(ModelError, match="no Keras model"):
        evaluate(untrained)
    assert [path.name for path in untrained.run.iterdir()] == ["model.keras"]


def test_model_for_other_bands_is_refused(trained: Profile) -> None:
    with pytest.raises(ModelError, match="takes 3 bands and gives 2 classes"):
        evaluate(trained.model_copy(update={"bands": 4}))


def test_part_without_tiles_is_named(
    trained: Profile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("empty")
    with pytest.raises(DataError, match="no test tiles"):
        evaluate(trained.model_copy(update={"dataset": elsewhere}))
