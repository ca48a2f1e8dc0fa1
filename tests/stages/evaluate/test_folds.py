"""Folds, comparisons, leaks and metres."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_cli.errors import DataError, ModelError, UsageError
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.profile import Profile, load_profile
from landslide_cli.runs.against import profile_of_run
from landslide_cli.runs.files import uses_packaged
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.evaluate.result import EvaluateResult
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import split
from landslide_cli.stages.train import train
from tests.models import copy_of_run, untie
from tests.stages.evaluate.cases import lines_of, on_scenes


def test_a_run_against_itself_differs_by_nothing(trained: Profile) -> None:
    result = evaluate(trained, part="train", against=trained.run)
    assert result.comparison is not None
    assert [item.difference for item in result.comparison.scores.values()] == [0.0] * 4
    assert "not larger than chance" in result.headline()


@pytest.fixture
def worse(trained_folder: Path, save_bright: Callable[..., None], tmp_path: Path) -> Profile:
    """A run that misses half of each landslide, the pixels below the middle of their values."""
    profile = copy_of_run(trained_folder, tmp_path / "worse")
    untie(profile.run)
    save_bright(profile.run / "model.keras", middle=180.0, steepness=1.0)
    return profile


def test_a_better_run_is_told_from_a_worse_one(trained: Profile, worse: Profile) -> None:
    result = evaluate(trained, part="train", against=worse.run)
    assert result.comparison is not None
    iou = result.comparison.scores["iou"]
    assert iou.difference == pytest.approx(iou.this - iou.other)
    assert iou.interval is not None
    assert iou.interval[0] > 0.0
    assert iou.larger_than_chance
    document = json.loads(result.files[0].read_text(encoding="utf-8"))["comparison"]
    assert document["scores"]["iou"]["larger_than_chance"] is True
    assert document["verdict"].endswith(", larger than chance")
    assert document["other"]["landslide"]["iou"] == iou.other
    differences = [line["difference"] for line in document["scenes"]]
    assert differences == sorted(differences)
    assert {line["this"] - line["other"] for line in document["scenes"]} == set(differences)
    backwards = evaluate(worse, part="train", against=trained.run).comparison
    assert backwards is not None
    assert backwards.scores["iou"].difference == pytest.approx(-iou.difference)


def test_against_a_folder_that_is_no_run_is_refused(trained: Profile, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a run"):
        evaluate(trained, against=tmp_path / "nowhere")


def test_the_packaged_model_is_compared_with_by_its_name(tmp_path: Path) -> None:
    own = load_profile("landslide", [f"run={tmp_path}/valley", "model.weights=null"])
    packaged = profile_of_run(Path("landslide"), None, own)
    assert uses_packaged(packaged)
    assert packaged.run.parent == own.run.parent
    packaged.run.mkdir()
    (packaged.run / "model.keras").touch()
    with pytest.raises(ModelError, match="is a run of your own"):
        profile_of_run(Path("landslide"), None, own)


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
    dice = {threshold: item.classes["landslide"].dice for threshold, item in on_valid.items()}
    assert max(dice.values()) == dice[stored["threshold"]]
    assert stored["scores"]["dice"] == pytest.approx(dice[stored["threshold"]])
    assert on_valid[0.98].thresholds == [0.98]


def test_without_a_stored_threshold_the_most_probable_class_counts(trained: Profile) -> None:
    untie(trained.run)
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
    assert pooled.pixels == sum(item.pixels for item in single) == 7 * 32 * 32
    assert [lines_of(pooled)[0]["fold"], lines_of(pooled)[-1]["fold"]] == ["1", "3"]
    apart = sorted(
        (line for item in single for line in lines_of(item)), key=lambda line: line["scene"]
    )
    assert sorted(lines_of(pooled), key=lambda line: line["scene"]) == apart
    assert pooled.thresholds == [item.thresholds[0] for item in single]
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
    assert result.comparison.scores["iou"].difference == 0.0
    assert result.comparison.sentence().startswith("6 groups of scenes cannot tell a difference")


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
        result = evaluate(in_fold(folded, 1), against=run, reporter=reporter)
        assert set(reporter.warnings) <= set(result.warnings)
        assert bool(result.leaks) == (fold_of_run != 1)
        assert {(leak.run, leak.model) for leak in result.leaks} <= {(str(run), str(run))}
        return [text for text in reporter.warnings if "was trained on" in text]

    assert warned(1) == []
    (warning,) = warned(2)
    assert "fold-2 was trained on ground of" in warning


def test_scenes_that_are_gone_leave_the_tiles_to_score(
    folded: Profile, reporter: Any, tmp_path: Path
) -> None:
    source = folded.sources[0].model_copy(update={"images": str(tmp_path)})
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
    source = trained.sources[0].model_copy(update={"images": str(tmp_path / "images")})
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
    assert [item["true"] for item in there.objects["sizes"]] == [
        item["true"] for item in here.objects["sizes"]
    ]
