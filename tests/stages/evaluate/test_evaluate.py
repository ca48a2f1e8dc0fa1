"""Evaluation against counting by hand."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_cli.core.networks.predictor import predictor
from landslide_cli.core.palette import IGNORE
from landslide_cli.dataset.prepared import labelled_scenes_of, read_scene
from landslide_cli.dataset.tiles import part_tiles
from landslide_cli.errors import DataError, ModelError, UsageError
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.profile import Profile, load_profile
from landslide_cli.runs.run import find_run
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.evaluate.result import EvaluateResult
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import split
from landslide_cli.stages.train import train
from tests.models import copy_of_run


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
        found = probabilities[..., 0] >= np.float32(threshold)
        there, known = mask == 1, mask != IGNORE
        hits += int((found & there).sum())
        alarms += int((found & ~there & known).sum())
        misses += int((~found & there).sum())
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


@pytest.fixture(scope="module")
def on_tiles(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> EvaluateResult:
    """The trained run scored on the tiles of test, with the files that this writes."""
    return evaluate(copy_of_run(trained_folder, tmp_path_factory.mktemp("scored") / "run"))


def test_json_has_each_class_under_its_name(on_tiles: EvaluateResult) -> None:
    document = json.loads((on_tiles.run / "evaluation.json").read_text())
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


def on_scenes(profile: Profile, **changes: Any) -> Profile:
    settings = profile.evaluate.model_copy(update={"units": "scenes", **changes})
    return profile.model_copy(update={"evaluate": settings})


def lines_of(result: EvaluateResult) -> list[dict[str, str]]:
    with result.files[2].open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for one in value for number in numbers_in(one)]
    return [float(value)] if isinstance(value, int | float) else []


def test_whole_scenes_are_scored_as_infer_tiled_maps_them(trained: Profile) -> None:
    total = np.zeros((2, 2), np.int64)
    expected = {}
    maps = infer_tiled(trained, [str(scene.image) for scene in labelled_scenes_of(trained)])
    for scene, mapped in zip(labelled_scenes_of(trained), maps.scenes, strict=True):
        _, reading = read_scene(trained, scene)
        with rasterio.open(mapped.mask) as dataset:
            found = dataset.read(1) == 1
        counts = np.array(
            [[((reading.mask == i) & (found == bool(j))).sum() for j in (0, 1)] for i in (0, 1)]
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
    assert scores.mean["dice"] == pytest.approx(np.mean(each), rel=1e-4)


def test_scenes_are_scored_with_the_views_that_they_are_mapped_with(trained: Profile) -> None:
    infer = trained.infer.model_copy(update={"tta": "symmetries", "engine": "tensorflow"})
    viewed = on_scenes(trained.model_copy(update={"infer": infer}))
    plain, mean = evaluate(on_scenes(trained)), evaluate(viewed)
    assert mean.loss != plain.loss
    mapped = infer_tiled(viewed, [str(one.image) for one in labelled_scenes_of(trained)])
    shares = {one.scene: one.class_shares["landslide"] for one in mapped.scenes}
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
    source = trained.source.model_copy(
        update={"images": str(tmp_path / "images"), "masks": str(tmp_path / "masks")}
    )
    result = evaluate(on_scenes(trained.model_copy(update={"source": source})))
    document = json.loads(result.files[0].read_text(encoding="utf-8"))
    assert len(numbers_in(document)) > 50
    assert all(math.isfinite(number) for number in numbers_in(document))
    assert document["landslide"]["area"]["ratio"] is None
    assert document["landslide"]["objects"]["true"] == 0
    assert document["landslide"]["dice"] in (0.0, 1.0)


def test_intervals_surround_the_score_and_follow_the_seed(
    trained: Profile, on_tiles: EvaluateResult
) -> None:
    first, same, other = (evaluate(on_scenes(trained, seed=seed, draws=200)) for seed in (1, 1, 2))
    scores = first.classes["landslide"]
    low, high = scores.intervals["dice"]
    assert low <= scores.dice <= high
    assert first.classes == same.classes
    tiles = on_tiles.classes["landslide"]
    assert tiles.intervals["iou"][0] < tiles.iou < tiles.intervals["iou"][1]
    assert other.bootstrap == {"draws": 200, "seed": 2}


def test_one_group_has_no_interval(trained: Profile) -> None:
    result = evaluate(on_scenes(trained), limit=1)
    assert result.classes["landslide"].intervals == {}
    assert any("-" in row for row in result.tables()[0].rows)


def test_the_worst_come_first(on_tiles: EvaluateResult) -> None:
    dice = [tile["dice"] for tile in on_tiles.worst]
    assert dice == sorted(dice)
    assert {tile["scene"] for tile in on_tiles.worst} == {f"t{index}" for index in range(5)}


def test_pictures_of_the_numbers_are_drawn(on_tiles: EvaluateResult) -> None:
    for path in on_tiles.files[3:]:
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


def test_a_run_against_itself_differs_by_nothing(trained: Profile) -> None:
    result = evaluate(on_scenes(trained), against=trained.run)
    assert result.comparison is not None
    assert [one.difference for one in result.comparison.scores.values()] == [0.0] * 4
    assert "not larger than chance" in result.headline()


@pytest.fixture
def worse(trained_folder: Path, save_bright: Callable[..., None], tmp_path: Path) -> Profile:
    """A run that misses half of each landslide, the pixels below the middle of their values."""
    profile = copy_of_run(trained_folder, tmp_path / "worse")
    save_bright(profile.run / "model.keras", middle=180.0, steepness=1.0)
    return profile


def test_a_better_run_is_told_from_a_worse_one(trained: Profile, worse: Profile) -> None:
    result = evaluate(trained, against=worse.run)
    assert result.comparison is not None
    iou = result.comparison.scores["iou"]
    assert iou.difference == pytest.approx(iou.this - iou.other)
    assert iou.interval is not None
    assert iou.interval[0] > 0.0
    assert iou.larger_than_chance
    document = json.loads(result.files[0].read_text(encoding="utf-8"))["comparison"]
    assert document["scores"]["iou"]["larger_than_chance"] is True
    assert document["verdict"].endswith(", larger than chance")
    backwards = evaluate(worse, against=trained.run).comparison
    assert backwards is not None
    assert backwards.scores["iou"].difference == pytest.approx(-iou.difference)


def test_against_a_folder_that_is_no_run_is_refused(trained: Profile, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a run"):
        evaluate(trained, against=tmp_path / "nowhere")


def test_the_threshold_is_the_best_on_valid_and_the_profiles_goes_first(
    trained: Profile, on_tiles: EvaluateResult
) -> None:
    stored = json.loads((trained.run / "threshold.json").read_text(encoding="utf-8"))
    assert stored["chosen_on"] == "valid"
    assert on_tiles.thresholds == [stored["threshold"]]
    on_valid = {
        threshold: evaluate(
            trained.model_copy(
                update={"infer": trained.infer.model_copy(update={"threshold": threshold})}
            ),
            part="valid",
        )
        for threshold in (0.02, stored["threshold"], 0.98)
    }
    dice = {threshold: one.classes["landslide"].dice for threshold, one in on_valid.items()}
    assert max(dice.values()) == dice[stored["threshold"]]
    assert stored["scores"]["dice"] == pytest.approx(dice[stored["threshold"]])
    assert on_valid[0.98].thresholds == [0.98]


def test_without_a_stored_threshold_the_most_probable_class_counts(trained: Profile) -> None:
    (trained.run / "threshold.json").unlink()
    assert evaluate(trained).thresholds == [None]
    assert not (trained.run / "threshold.json").exists()


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    """A dataset of seven scenes, two of one place, in three folds, with a model for each."""
    folder = tmp_path_factory.mktemp("folded")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    rng = np.random.default_rng(3)
    for name in "abcdefg":
        image = rng.integers(0, 60, (32, 32, 3), np.uint8)
        image[8:20, 6:18] += 120
        mask = np.zeros((32, 32), np.uint8)
        mask[8:20, 6:18] = 255
        cv2.imwrite(str(folder / "images" / f"{name}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"{name}.png"), mask)
    (folder / "groups.csv").write_text("scene,group\na,one\nb,one\n", encoding="utf-8")
    (folder / "p.yaml").write_text(
        f"""\
dataset: '{folder / "dataset"}'
run: '{folder / "run"}'
source: {{images: '{folder / "images"}', masks: '{folder / "masks"}'}}
prepare: {{scale: 0.5, tile: 16, workers: 1}}
split: {{folds: 3, groups: '{folder / "groups.csv"}', overlap: {{content: false}}}}
model: {{base_filters: 4, base_kernels: 3, num_layers: 2}}
train: {{epochs: 2, batch: 2, learning_rate: 5e-3, loss: crossentropy_dice}}
evaluate: {{draws: 200}}
infer: {{overlap: 0}}
""",
        encoding="utf-8",
    )
    prepare(load_profile(folder / "p.yaml"))
    split(load_profile(folder / "p.yaml"))
    for fold in (1, 2, 3):
        train(load_profile(folder / "p.yaml", [f"fold={fold}"]))
    return load_profile(folder / "p.yaml")


def in_fold(profile: Profile, fold: int) -> Profile:
    return profile.model_copy(update={"fold": fold})


def test_folds_are_pooled_each_by_its_own_model(folded: Profile) -> None:
    single = [evaluate(in_fold(folded, fold)) for fold in (1, 2, 3)]
    pooled = evaluate(folded, folds=True)
    assert (pooled.units, pooled.samples, pooled.groups) == ("scenes", 7, 6)
    assert pooled.folds == [1, 2, 3]
    assert pooled.run == folded.run
    assert pooled.pixels == sum(one.pixels for one in single) == 7 * 32 * 32
    assert [lines_of(pooled)[0]["fold"], lines_of(pooled)[-1]["fold"]] == ["1", "3"]
    apart = sorted(
        (line for one in single for line in lines_of(one)), key=lambda line: line["scene"]
    )
    assert sorted(lines_of(pooled), key=lambda line: line["scene"]) == apart
    assert pooled.thresholds == [one.thresholds[0] for one in single]
    assert (folded.run / "evaluation.json").is_file()
    assert (folded.run / "fold-2" / "evaluation.json").is_file()


def test_a_threshold_for_resized_scenes_is_chosen_at_their_size(folded: Profile) -> None:
    for fold in (1, 2, 3):
        profile = in_fold(folded, fold)
        stored = json.loads((profile.run_folder / "threshold.json").read_text(encoding="utf-8"))
        assert stored["units"] == "scenes"
        scores = evaluate(profile, part="valid").classes["landslide"]
        assert stored["scores"]["dice"] == pytest.approx(scores.dice)


def test_folds_are_compared_fold_by_fold(folded: Profile) -> None:
    result = evaluate(folded, folds=True, against=folded.run)
    assert result.comparison is not None
    assert result.comparison.scores["iou"].interval == [0.0, 0.0]


@pytest.mark.parametrize("fold", [None, 2])
def test_folds_that_do_not_fit_the_question_are_refused(folded: Profile, fold: int | None) -> None:
    profile = folded.model_copy(update={"fold": fold})
    with pytest.raises(UsageError, match="--fold"):
        evaluate(profile, folds=fold is not None)


def test_folds_without_any_are_refused(trained: Profile) -> None:
    with pytest.raises(UsageError, match=r"split\.folds"):
        evaluate(trained, folds=True)


def test_a_run_that_has_seen_the_ground_is_warned_of(
    folded: Profile, reporter: Any, tmp_path: Path
) -> None:
    def warned(fold_of_run: int) -> list[str]:
        reporter.warnings.clear()
        run = folded.run / f"fold-{fold_of_run}"
        evaluate(in_fold(folded, 1), against=run, reporter=reporter)
        return [text for text in reporter.warnings if "was trained on" in text]

    assert warned(1) == []
    (warning,) = warned(2)
    assert "fold-2 was trained on ground of" in warning


def test_scenes_that_are_gone_leave_the_tiles_to_score(
    folded: Profile, reporter: Any, tmp_path: Path
) -> None:
    source = folded.source.model_copy(update={"images": str(tmp_path)})
    profile = in_fold(folded.model_copy(update={"source": source}), 1)
    result = evaluate(profile, reporter=reporter)
    assert result.units == "tiles"
    assert result.samples == evaluate(in_fold(folded, 1)).samples
    assert any("scoring tiles instead" in text for text in reporter.warnings)
    with pytest.raises(DataError):
        evaluate(on_scenes(profile))


def test_georeferenced_scenes_are_measured_in_metres(
    trained: Profile, trained_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    for path in (trained_folder / "scenes" / "images").iterdir():
        pixels = np.moveaxis(read_image(path, 3), -1, 0)
        with rasterio.open(
            *(tmp_path / "images" / f"{path.stem}.tif", "w", "GTiff", 75, 75, 3, "EPSG:32648"),
            transform=Affine(2.0, 0.0, 5e5, 0.0, -2.0, 3.4e6),
            dtype="uint8",
        ) as dataset:
            dataset.write(pixels)
    source = trained.source.model_copy(update={"images": str(tmp_path / "images")})
    located = trained.model_copy(update={"source": source})
    ours = evaluate(on_scenes(located, boundary_metres=6.0, object_sizes=[100.0, 2000.0]))
    plain = evaluate(on_scenes(trained, boundary_pixels=3.0, object_sizes=[25.0, 500.0]))
    there, here = ours.classes["landslide"], plain.classes["landslide"]
    assert there.area is not None
    assert here.area is not None
    assert there.area["unit"] == "square metres"
    # On the central meridian of UTM a metre of the grid is 1 / 0.9996 m of the ground.
    assert there.area["true"] == pytest.approx(4 / 0.9996**2 * here.area["true"], rel=2e-4)
    assert there.area["ratio"] == pytest.approx(here.area["ratio"])
    assert there.boundary is not None
    assert here.boundary is not None
    assert (there.boundary["tolerance"], there.boundary["unit"]) == (6.0, "metres")
    assert there.boundary["f1"] == pytest.approx(here.boundary["f1"], abs=0.02)
    assert there.objects is not None
    assert here.objects is not None
    assert there.objects["size_unit"] == "square metres"
    assert [one["true"] for one in there.objects["sizes"]] == [
        one["true"] for one in here.objects["sizes"]
    ]
