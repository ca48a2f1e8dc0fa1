"""Evaluation against counting by hand."""

import csv
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
import shapely
from pyogrio import raw

from landslide_cli.core.networks.predictor import predictor
from landslide_cli.core.palette import IGNORE
from landslide_cli.dataset.prepared import read_scene
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.dataset.tiles import part_tiles
from landslide_cli.documents import read_json, write_json
from landslide_cli.errors import DataError, ModelError
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.profile import Profile
from landslide_cli.runs.run import find_run
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.evaluate.result import EvaluateResult
from landslide_cli.stages.infer import infer_tiled
from tests.stages.evaluate.cases import lines_of, on_scenes


def test_scores_are_those_of_counting_all_labelled_pixels(trained: Profile) -> None:
    exact = trained.infer.model_copy(update={"precision": "float32"})
    trained = trained.model_copy(update={"infer": exact})
    run, palette = find_run(trained), trained.palette
    predict, threshold = predictor(run.load()), run.threshold
    assert threshold is not None
    hits = alarms = misses = labelled = 0
    soft = []
    for tile in part_tiles(trained.dataset, "test"):
        mask = read_mask(tile.mask, palette).mask
        probabilities = predict(read_image(tile.image, 3)[None])[0]
        predicted = probabilities[..., 0] >= np.float32(threshold)
        there, known = mask == 1, mask != IGNORE
        hits += int((predicted & there).sum())
        alarms += int((predicted & ~there & known).sum())
        misses += int((~predicted & there).sum())
        labelled += int(known.sum())
        true = np.where(there, probabilities[..., 0], 1 - probabilities[..., 0])[known]
        soft.append((2 * true.sum() + 1) / (2 * known.sum() + 1))
    assert labelled < 5 * 32 * 32  # padding is left out
    result = evaluate(trained)
    scores = result.classes["landslide"]
    assert scores.dice == pytest.approx(2 * hits / (2 * hits + alarms + misses))
    assert scores.iou == pytest.approx(hits / (hits + alarms + misses))
    assert scores.precision == pytest.approx(hits / (hits + alarms))
    assert scores.recall == pytest.approx(hits / (hits + misses))
    assert result.dice_coef_multiclass == pytest.approx(float(np.mean(soft)), rel=1e-5)


def test_json_has_each_class_under_its_name(on_tiles: EvaluateResult) -> None:
    document = read_json(on_tiles.run / "evaluation.json")
    assert document is not None
    assert document["landslide"]["dice"] == on_tiles.classes["landslide"].dice
    assert document["loss"]["name"] == "crossentropy_dice"
    assert document == json.loads(json.dumps(on_tiles.document()))


def test_csv_has_the_experiments_two_rows(on_tiles: EvaluateResult) -> None:
    with (on_tiles.run / "evaluation.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["crossentropy_dice", f"{on_tiles.loss:.4f}"],
        ["dice_coef_multiclass", f"{on_tiles.dice_coef_multiclass:.4f}"],
    ]


def test_other_part_has_files_of_its_own(trained: Profile) -> None:
    result = evaluate(trained, part="valid", limit=2)
    assert (result.units, result.samples) == ("tiles", 2)
    assert [path.name for path in result.files] == [
        "evaluation-valid.json",
        "evaluation-valid.csv",
        "per_scene-valid.csv",
        "scenes-valid.png",
        "precision_recall-valid.png",
        "reliability-valid.png",
    ]


def test_batch_size_changes_no_score(trained: Profile, on_tiles: EvaluateResult) -> None:
    single = trained.evaluate.model_copy(update={"batch": 1})
    result = evaluate(trained.model_copy(update={"evaluate": single}))
    assert result.classes["landslide"].dice == on_tiles.classes["landslide"].dice
    assert result.dice_coef_multiclass == pytest.approx(on_tiles.dice_coef_multiclass, rel=1e-5)


def test_missing_model_is_said_before_anything_else(untrained: Profile) -> None:
    with pytest.raises(ModelError, match="landslide train"):
        evaluate(untrained)
    assert not untrained.run.exists()


def test_file_that_is_no_model_is_refused(untrained: Profile) -> None:
    untrained.run.mkdir()
    (untrained.run / "model.keras").write_text("not a model")
    with pytest.raises(ModelError, match="not a Keras model"):
        evaluate(untrained)
    assert [path.name for path in untrained.run.iterdir()] == ["model.keras"]


def test_model_for_other_bands_is_refused(trained: Profile) -> None:
    with pytest.raises(ModelError, match="expects 3 bands and gives 2 classes"):
        evaluate(trained.model_copy(update={"bands": 4}))


def test_part_without_tiles_is_named(
    trained: Profile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("empty")
    with pytest.raises(DataError, match="no test tiles"):
        evaluate(trained.model_copy(update={"dataset": elsewhere}))


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for item in value for number in numbers_in(item)]
    return [float(value)] if isinstance(value, int | float) else []


def test_whole_scenes_are_scored_as_infer_tiled_maps_them(trained: Profile) -> None:
    total = np.zeros((2, 2), np.int64)
    expected = {}
    maps = infer_tiled(trained, [str(scene.image) for scene in labelled_scenes_of(trained)])
    for scene, mapped in zip(labelled_scenes_of(trained), maps.scenes, strict=True):
        _, reading = read_scene(trained, scene)
        with rasterio.open(mapped.mask) as dataset:
            predicted = dataset.read(1) == 1
        counts = np.array(
            [[((reading.mask == i) & (predicted == bool(j))).sum() for j in (0, 1)] for i in (0, 1)]
        )
        expected[scene.name] = counts
        total += counts
    result = evaluate(on_scenes(trained))
    assert (result.units, result.samples, result.groups) == ("scenes", 2, 2)
    assert result.pixels == 2 * 75 * 75
    scores = result.classes["landslide"]
    assert scores.precision == pytest.approx(total[1, 1] / total[:, 1].sum())
    assert scores.recall == pytest.approx(total[1, 1] / total[1].sum())
    lines = lines_of(result)
    assert [line["scene"] for line in lines] == ["s0", "s1"]
    for line in lines:
        counts = expected[line["scene"]]
        dice = 2 * counts[1, 1] / (counts[1].sum() + counts[:, 1].sum())
        assert float(line["landslide_dice"]) == pytest.approx(dice, rel=1e-4)
        assert float(line["landslide_area_true"]) == counts[1].sum()
        assert float(line["landslide_area_mapped"]) == counts[:, 1].sum()
    each = [float(line["landslide_dice"]) for line in lines]
    assert scores.mean is not None
    assert scores.mean["dice"] == pytest.approx(np.mean(each), rel=1e-4)


def test_scenes_are_scored_with_the_views_that_they_are_mapped_with(trained: Profile) -> None:
    infer = trained.infer.model_copy(update={"tta": "symmetries", "engine": "tensorflow"})
    viewed = on_scenes(trained.model_copy(update={"infer": infer}))
    plain, mean = evaluate(on_scenes(trained)), evaluate(viewed)
    assert mean.loss != plain.loss
    mapped = infer_tiled(viewed, [str(item.image) for item in labelled_scenes_of(trained)])
    shares = {item.scene: item.class_shares["landslide"] for item in mapped.scenes}
    for line in lines_of(mean):
        area = float(line["landslide_area_mapped"]) / 75**2
        assert area == pytest.approx(shares[line["scene"]], abs=1e-9)


def test_every_number_in_the_files_is_finite_even_without_any_landslide(
    trained: Profile, tmp_path: Path
) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    for index in range(2):
        image = rng.integers(0, 30, (40, 50, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"{index}.png"), image)
        cv2.imwrite(str(tmp_path / "masks" / f"{index}.png"), np.zeros((40, 50), np.uint8))
    source = trained.sources[0].model_copy(
        update={"images": str(tmp_path / "images"), "masks": str(tmp_path / "masks")}
    )
    result = evaluate(on_scenes(trained.model_copy(update={"source": source})))
    document = json.loads(result.files[0].read_text(encoding="utf-8"))
    assert len(numbers_in(document)) > 50
    assert all(math.isfinite(number) for number in numbers_in(document))
    assert document["landslide"]["area"]["ratio"] is None
    assert document["landslide"]["objects"]["true"] == 0
    assert document["landslide"]["dice"] in (0.0, 1.0)
    assert (document["landslide"]["mean"], document["worst"]) == (None, [])
    assert (document["scenes"], document["with_landslides"]) == (2, 0)
    alarms = document["false_alarms"]
    assert (alarms["pixels"], alarms["unit"]) == (2 * 40 * 50, "pixels")
    assert [line["scored"] for line in alarms["each"]] == [True, True]
    assert {line["landslide_dice"] for line in lines_of(result)} == {""}


def test_intervals_surround_the_score_and_follow_the_seed(trained: Profile) -> None:
    def on_train(seed: int) -> EvaluateResult:
        settings = trained.evaluate.model_copy(update={"seed": seed, "draws": 200})
        return evaluate(trained.model_copy(update={"evaluate": settings}), part="train")

    first, same, other = (on_train(seed) for seed in (1, 1, 2))
    scores = first.classes["landslide"]
    assert first.groups == 12
    assert scores.intervals["iou"][0] < scores.iou < scores.intervals["iou"][1]
    assert "groups" in first.tables()[0].title
    assert first.classes == same.classes
    assert other.bootstrap == {"draws": 200, "seed": 2}


def test_less_than_eight_groups_have_no_interval(trained: Profile) -> None:
    seven, eight = (evaluate(trained, part="train", limit=limit) for limit in (7, 8))
    assert seven.classes["landslide"].intervals == {}
    assert any("-" in row for row in seven.tables()[0].rows)
    assert seven.tables()[0].title.endswith("7 groups; intervals need 8 groups")
    assert "iou" in eight.classes["landslide"].intervals


def test_the_worst_come_first(on_tiles: EvaluateResult) -> None:
    dice = [tile.dice for tile in on_tiles.worst]
    assert dice == sorted(dice)
    assert {tile.scene for tile in on_tiles.worst} == {f"t{index}" for index in range(5)}


@pytest.mark.usefixtures("printed_figures")
def test_pictures_of_the_numbers_are_drawn(trained: Profile) -> None:
    for path in evaluate(trained, limit=2).files[3:]:
        assert read_image(path, 3).std() > 0


def test_both_the_experiments_metric_and_the_landslide_dice_stand_in_the_table(
    on_tiles: EvaluateResult,
) -> None:
    rows = {
        name: value
        for table in on_tiles.tables()
        if "published metric" in table.title
        for name, value in table.rows
    }
    assert list(rows.values()) == [
        f"{on_tiles.dice_coef_multiclass:.4f}",
        f"{on_tiles.classes['landslide'].dice:.4f}",
    ]


def test_tiles_of_unknown_origin_are_said_to_be_each_its_own_group(
    trained: Profile, reporter: Any
) -> None:
    assert evaluate(trained, reporter=reporter).groups == 5
    assert any("split.groups" in text for text in reporter.notes)
    grouped = trained.split.model_copy(update={"groups": "^(t)"})
    result = evaluate(trained.model_copy(update={"split": grouped}))
    assert result.groups == 1


def test_scenes_without_georeference_keep_the_scale_of_the_run_and_are_warned_of_once(
    trained: Profile, reporter: Any
) -> None:
    profile, path = on_scenes(trained), trained.run / "run.json"
    before = evaluate(profile)
    record = read_json(path)
    assert record is not None
    record["result"]["preprocessing"] |= {"gsd": 2.0, "gsd_range": [1.0, 3.0]}
    write_json(path, record)
    result = evaluate(profile, reporter=reporter)
    assert (before.warnings, result.samples) == ([], 2)
    assert result.classes == before.classes
    assert result.warnings == reporter.warnings == result.document()["warnings"]
    (warning,) = result.warnings
    assert warning.startswith("s0, s1: GSD not known, so resized by 1, right for 2 m per pixel")
    assert evaluate(trained, reporter=reporter).warnings == []  # tiles are prepared already


def test_misses_and_false_alarms_of_scenes_are_a_layer_by_rank(trained: Profile) -> None:
    result = evaluate(on_scenes(trained))
    path = result.files[-1]
    assert path.name == "disagreements.gpkg"
    meta, _, shapes, columns = raw.read(path, layer="disagreements")
    fields = dict(zip(meta["fields"], columns, strict=True))
    _, _, _, (styles,) = raw.read(path, layer="layer_styles", columns=["styleQML"])
    assert all(f'value="{kind}"' in styles[0] for kind in ("miss", "false alarm"))
    assert fields["rank"].tolist() == list(range(1, len(shapes) + 1))
    assert (np.diff(fields["weight"]) <= 0).all()
    assert set(fields["kind"]) <= {"miss", "false alarm"}
    np.testing.assert_allclose(shapely.area(shapely.from_wkb(shapes)), fields["area_px"])
    np.testing.assert_allclose(
        fields["weight"], fields["area_px"] * fields["probability"], rtol=1e-3, atol=1e-3
    )


def test_evaluation_and_pictures_do_without_tensorflow(trained: Profile) -> None:
    evaluate(trained, limit=1)  # the model has been converted from here on
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from landslide_cli.profile import load_profile\n"
        "from landslide_cli.stages.evaluate import evaluate\n"
        "from landslide_cli.stages.show import show\n"
        "profile = load_profile(Path(sys.argv[1]), [f'run={sys.argv[2]}'])\n"
        "evaluate(profile, limit=1)\n"
        "show(profile, limit=1)\n"
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))\n"
    )
    (trained.run_folder / "evaluation.json").unlink()
    profile = trained.dataset.parent / "profile.yaml"
    command = [sys.executable, "-c", script, str(profile), str(trained.run_folder)]
    subprocess.run(command, check=True)
    assert (trained.run_folder / "evaluation.json").exists()
