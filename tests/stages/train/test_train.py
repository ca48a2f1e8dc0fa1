"""Training: what a run holds, and what happens when it is repeated, changed or stopped."""

import csv
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from landslide_cli.core.palette import Palette
from landslide_cli.errors import ChangedError, DataError, OutputError, ProfileError
from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.profile import Profile, load_profile
from landslide_cli.runs.run import find_run
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.show import show
from landslide_cli.stages.split import split
from landslide_cli.stages.train import train
from tests.conftest import RecordingReporter
from tests.killing import weights_of
from tests.models import bright_square
from tests.stages.train.tiny_training import changed


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_model_learns_the_squares(trained: Profile) -> None:
    rows = rows_of(trained.run)
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])
    assert max(float(row["valid_dice"]) for row in rows) > 0.8


def test_run_holds_all_it_can_be_repeated_from(trained: Profile) -> None:
    stored = load_profile(trained.run / "profile.yaml")
    assert stored.model_copy(update={"run": trained.run}) == trained
    record = json.loads((trained.run / "run.json").read_text())
    assert record["result"]["versions"]["tensorflow"]
    assert record["result"]["hardware"]["cores"] >= 1
    assert record["settings"]["train.learning_rate"] == 5e-3
    assert read_image(trained.run / "curves.png", 3).size > 0


def test_kept_model_is_the_one_with_the_least_validation_loss(trained: Profile) -> None:
    best = json.loads((trained.run / "run.json").read_text())["result"]["best"]
    losses = [float(row["valid_loss"]) for row in rows_of(trained.run)]
    assert best["valid_loss"] == pytest.approx(min(losses), rel=1e-4)
    assert losses.index(min(losses)) + 1 == best["epoch"]


def test_previews_picture_each_epoch_and_make_a_film_and_a_strip_of_it(trained: Profile) -> None:
    folder, epochs = trained.run / "previews", len(rows_of(trained.run))
    assert len(list((folder / "s1").glob("epoch_*.png"))) == epochs
    strip = read_image(folder / "s1.png", 3)
    assert strip.shape[1] > 2 * strip.shape[0]
    with Image.open(folder / "s1.gif") as film:
        assert film.format == "GIF"
        assert getattr(film, "n_frames", 1) == epochs


def test_repeated_training_does_nothing_and_says_so(trained: Profile) -> None:
    before = (trained.run / "model.keras").stat().st_mtime_ns
    result = train(trained)
    assert result.unchanged
    assert "unchanged" in result.headline()
    assert (trained.run / "model.keras").stat().st_mtime_ns == before


def test_changed_setting_is_refused_by_name_and_leaves_the_run(trained: Profile) -> None:
    before = (trained.run / "model.keras").read_bytes()
    with pytest.raises(ChangedError, match=r"train\.batch \(4 -> 3\)"):
        train(changed(trained, train={"batch": 3}))
    assert (trained.run / "model.keras").read_bytes() == before


def test_missing_part_is_named(untrained: Profile, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"landslide split"):
        train(untrained.model_copy(update={"dataset": tmp_path / "nothing"}))
    assert not untrained.run.exists()


def test_unknown_preview_scene_is_named_and_leaves_nothing(untrained: Profile) -> None:
    with pytest.raises(ProfileError, match="nobody"):
        train(changed(untrained, train={"preview_scenes": ["nobody"]}))
    assert list(untrained.run.parent.iterdir()) == []


def test_tiles_that_the_model_cannot_take_are_refused(untrained: Profile) -> None:
    with pytest.raises(DataError, match="multiples of 64"):
        train(changed(untrained, model={"num_layers": 7}))
    assert list(untrained.run.parent.iterdir()) == []


@pytest.mark.parametrize("weights", ["[1]", "[1, 2, 3]", "[0, 0]"])
def test_class_weights_that_fit_no_classes_are_an_error_of_the_profile(
    trained_folder: Path, weights: str
) -> None:
    with pytest.raises(ProfileError, match=r"--set train\.class_weights.*must"):
        load_profile(trained_folder / "profile.yaml", [f"train.class_weights={weights}"])


def test_damaged_tile_is_named_not_tensorflows_words(
    untrained: Profile, tmp_path: Path, cut_short: Callable[..., Path], palette: Palette
) -> None:
    for part in ("train", "valid"):
        for name in ("images", "masks"):
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for index in range(2):
                image = np.full((32, 32, 3 if name == "images" else 1), index, np.uint8)
                write_image(tmp_path / "data" / part / name / f"t{index}.png", image)
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    bad = tmp_path / "data" / "train" / "images" / "t1.png"
    write_image(bad, noise)
    cut_short(bad)
    with pytest.raises(DataError, match=r"t1\.png: is damaged"):
        train(untrained.model_copy(update={"dataset": tmp_path / "data"}))
    assert not untrained.run.exists()


def test_folder_of_somebody_else_is_not_replaced(untrained: Profile) -> None:
    untrained.run.mkdir()
    (untrained.run / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="--overwrite"):
        train(untrained)
    assert (untrained.run / "thesis.txt").read_text() == "years of work"


class StoppingReporter(RecordingReporter):
    """Presses Ctrl-C when a row of the live table is added."""

    def live(
        self, title: str, columns: Sequence[str], least: Sequence[str] = ()
    ) -> AbstractContextManager[Callable[[Sequence[str]], None]]:
        return nullcontext(self._stop)

    def _stop(self, cells: Sequence[str]) -> None:
        raise KeyboardInterrupt


def test_interrupted_training_keeps_its_epochs_and_is_resumed_unless_it_has_changed(
    untrained: Profile, reporter: RecordingReporter
) -> None:
    unfinished = untrained.run.with_name("run.unfinished")
    with pytest.raises(KeyboardInterrupt):
        train(untrained, limit=3, reporter=StoppingReporter())
    assert not untrained.run.exists()
    assert len(rows_of(unfinished)) == 1
    assert find_run(untrained.model_copy(update={"run": unfinished})).load().count_params() > 0

    before = sorted(path.name for path in unfinished.rglob("*"))
    for key, value in {"learning_rate": 1e-4, "batch": 3, "loss": "dice", "seed": 2}.items():
        with pytest.raises(ChangedError, match=rf"train\.{key} \(.* -> .*\).*\n.*--overwrite"):
            train(changed(untrained, train={key: value}), limit=3)
    with pytest.raises(ChangedError, match=r"limit \(3 -> 4\)"):
        train(untrained, limit=4)
    assert sorted(path.name for path in unfinished.rglob("*")) == before

    prolonged = changed(
        untrained,
        train={
            "epochs": 3,
            "stop_patience": 7,
            "preview_scenes": ["s1"],
            "tensorboard": True,
            "checkpoint_minutes": 5.0,
            "cache": "none",
        },
    )
    result = train(prolonged, limit=3, reporter=reporter)
    assert reporter.notes[0] == "resuming at epoch 2, step 1"
    assert (result.epochs, len(rows_of(untrained.run))) == (3, 3)
    assert result.tiles == {"train": 3, "valid": 3}
    assert not unfinished.exists()


def test_overwriting_keeps_the_old_run_until_the_new_one_is_whole_and_can_be_resumed(
    trained: Profile, reporter: RecordingReporter
) -> None:
    before, first_losses = weights_of(trained.run), [rows_of(trained.run)[0]["loss"]]
    other = changed(trained, train={"seed": 9, "epochs": 2, "preview_scenes": []})
    with pytest.raises(KeyboardInterrupt):
        train(other, overwrite=True, reporter=StoppingReporter())
    kept = weights_of(trained.run)
    assert all(np.array_equal(kept[name], values) for name, values in before.items())
    assert train(other, reporter=reporter).epochs == 2
    assert "resuming" in reporter.notes[0]
    assert len(rows_of(trained.run)) == 2
    # With another seed it is another training from the first epoch on.
    first_losses.append(rows_of(trained.run)[0]["loss"])
    assert first_losses[0] != first_losses[1]


@pytest.fixture
def divided(
    profile_with: Callable[..., Profile], write_scene: Callable[..., Any]
) -> Callable[..., Profile]:
    """Load the profile of six divided scenes of 60 pixels, to be trained on crops of 32."""
    for index in range(6):
        image, mask = bright_square(index, side=60)
        write_scene(f"s{index}", image=image, mask=mask)

    def profile(*overrides: str) -> Profile:
        made = profile_with(
            *("prepare.tile=null", "split.by=scene", "split.overlap.content=false"),
            *("split.train=0.5", "split.valid=0.25", "split.test=0.25", "evaluate.draws=100"),
            *("model.base_filters=2", "model.base_kernels=3", "model.num_layers=2"),
            *("train.crop=32", "train.crops=6", "train.batch=2", "train.epochs=1"),
            *("train.learning_rate=5e-3", *overrides),
        )
        prepare(made)
        split(made)
        return made

    return profile


def scenes_of(profile: Profile) -> dict[str, list[str]]:
    document = json.loads((profile.dataset / "split.json").read_text(encoding="utf-8"))
    return dict(document["result"]["scenes"])


def test_crops_of_scenes_as_the_profile_prepares_them_now_train_a_model_without_any_tiles(
    divided: Callable[..., Profile],
) -> None:
    profile = divided()
    profile = changed(profile, prepare={"scale": 0.5, "standardize": True}, train={"crop": 16})
    result, scenes = train(profile), scenes_of(profile)
    # A scene of 30 pixels has four windows of 16 pixels, side by side.
    assert result.tiles == {"train": 6, "valid": 4 * len(scenes["valid"])}
    assert (result.preprocessing.scale, result.preprocessing.standardized) == (0.5, True)
    assert find_run(profile).preprocessing.standardized
    assert not list(profile.dataset.rglob("*.png"))
    assert train(profile).unchanged
    scores = evaluate(profile)
    assert scores.units == "scenes"
    assert scores.pixels == scores.samples * 60 * 60 == len(scenes["test"]) * 60 * 60
    assert 0.0 <= scores.classes["landslide"].dice <= 1.0
    with pytest.raises(ChangedError, match=r"prepare\.standardize"):
        train(changed(profile, prepare={"standardize": False}))


def test_tiles_have_the_scale_and_the_levels_of_when_they_were_cut(
    divided: Callable[..., Profile],
) -> None:
    profile = divided("prepare.tile=16", "prepare.standardize=true", "train.crop=null")
    profile = changed(profile, prepare={"scale": 0.5, "standardize": False})
    result = train(profile, limit=4)
    assert (result.preprocessing.scale, result.preprocessing.standardized) == (1.0, True)
    assert find_run(profile).preprocessing.standardized


def test_without_a_validation_set_the_last_epoch_is_kept_at_an_even_threshold(
    divided: Callable[..., Profile],
) -> None:
    profile = divided("split.train=0.8", "split.valid=0", "split.test=0.2", "train.epochs=2")
    result = train(profile)
    assert result.tiles == {"train": 6}
    assert result.best["epoch"] == 2
    assert result.threshold == 0.5
    assert not any(name.startswith("valid") for name in rows_of(profile.run)[0])
    names = [row[0] for row in result.tables()[0].rows]
    assert names[0] == "loss"
    assert "threshold" in names
    assert evaluate(profile).thresholds == [0.5]
    assert show(profile).files
    with pytest.raises(DataError, match="puts no scene into valid"):
        evaluate(profile, part="valid")
