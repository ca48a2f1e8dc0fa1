"""Training: what a run holds, and what happens when it is repeated, changed or stopped."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.core.palette import Palette
from landslide_cli.errors import ChangedError, DataError, LandslideError, OutputError, ProfileError
from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.profile import Profile, load_profile
from landslide_cli.runs.run import find_run
from landslide_cli.stages.train import train


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def changed(profile: Profile, **train_settings: object) -> Profile:
    return profile.model_copy(
        update={"train": profile.train.model_copy(update=dict(train_settings))}
    )


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


def test_metrics_have_a_row_an_epoch_with_losses_metrics_rate_and_seconds(
    trained: Profile,
) -> None:
    rows = rows_of(trained.run)
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(rows) + 1))
    logged = {"loss", "dice", "iou", "dice_coef_multiclass"}
    expected = logged | {f"valid_{name}" for name in logged}
    speed = {"seconds", "images_per_second", "input_wait"}
    assert expected | speed | {"epoch", "learning_rate"} == set(rows[0])


def test_kept_model_is_the_one_with_the_least_validation_loss(trained: Profile) -> None:
    best = json.loads((trained.run / "run.json").read_text())["result"]["best"]
    losses = [float(row["valid_loss"]) for row in rows_of(trained.run)]
    assert best["valid_loss"] == pytest.approx(min(losses), rel=1e-4)
    assert losses.index(min(losses)) + 1 == best["epoch"]


def test_previews_picture_each_epoch_and_make_a_film_strip(trained: Profile) -> None:
    folder = trained.run / "previews"
    assert len(list((folder / "s1").glob("epoch_*.png"))) == len(rows_of(trained.run))
    strip = read_image(folder / "s1.png", 3)
    assert strip.shape[1] > 2 * strip.shape[0]


def test_repeated_training_does_nothing_and_says_so(trained: Profile) -> None:
    before = (trained.run / "model.keras").stat().st_mtime_ns
    result = train(trained)
    assert result.unchanged
    assert "unchanged" in result.headline()
    assert (trained.run / "model.keras").stat().st_mtime_ns == before


def test_changed_setting_is_refused_by_name_and_leaves_the_run(trained: Profile) -> None:
    before = (trained.run / "model.keras").read_bytes()
    with pytest.raises(ChangedError, match=r"train\.batch \(4 -> 3\)"):
        train(changed(trained, batch=3))
    assert (trained.run / "model.keras").read_bytes() == before


def test_limit_takes_the_first_tiles_of_each_part(untrained: Profile) -> None:
    result = train(untrained, limit=3)
    assert result.tiles == {"train": 3, "valid": 3}


def test_learning_rate_is_reduced_when_validation_does_not_improve(untrained: Profile) -> None:
    # A rate of next to nothing never improves the loss by the margin.
    profile = changed(untrained, epochs=4, learning_rate=1e-9, reduce_patience=1, reduce_factor=0.5)
    train(profile)
    rates = [float(row["learning_rate"]) for row in rows_of(untrained.run)]
    assert rates == pytest.approx([1e-9, 1e-9, 5e-10, 2.5e-10])


def test_training_stops_early_when_validation_does_not_improve(untrained: Profile) -> None:
    # Steps this small leave the weights as they are, and the loss of the first epoch the least.
    profile = changed(untrained, epochs=9, optimizer="sgd", learning_rate=1e-30, stop_patience=2)
    result = train(profile)
    assert (result.epochs, result.best["epoch"]) == (3, 1)


def test_loss_that_is_not_a_number_stops_with_epoch_and_step(
    untrained: Profile, tmp_path: Path
) -> None:
    profile = changed(untrained, learning_rate=10.0, clip_value=None, optimizer="sgd", epochs=30)
    unbounded = {"input_scaling": False, "activation": "leaky_relu"}
    profile = profile.model_copy(update={"model": profile.model.model_copy(update=unbounded)})
    with pytest.raises(
        LandslideError, match=r"(?s)epoch \d+, step \d+.*learning rate of 10.*t\d+\.png"
    ):
        train(profile)


def test_missing_part_is_named(untrained: Profile, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"landslide split"):
        train(untrained.model_copy(update={"dataset": tmp_path / "nothing"}))
    assert not untrained.run.exists()


def test_unknown_preview_scene_is_named_and_leaves_nothing(untrained: Profile) -> None:
    with pytest.raises(ProfileError, match="nobody"):
        train(changed(untrained, preview_scenes=["nobody"]))
    assert list(untrained.run.parent.iterdir()) == []


def test_tiles_that_the_model_cannot_take_are_refused(untrained: Profile) -> None:
    deep = untrained.model.model_copy(update={"num_layers": 7})
    with pytest.raises(DataError, match="multiples of 64"):
        train(untrained.model_copy(update={"model": deep}))
    assert list(untrained.run.parent.iterdir()) == []


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


class StoppingReporter:
    """Presses Ctrl-C when a row of the live table is added."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __getattr__(self, name: str) -> object:
        from landslide_cli.reporting import SilentReporter

        return getattr(SilentReporter(), name)

    def live(self, title: str, columns: object) -> object:
        from contextlib import nullcontext

        return nullcontext(self._row)

    def _row(self, cells: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_interrupted_training_keeps_its_epochs_and_is_taken_up(untrained: Profile) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(untrained, reporter=StoppingReporter(after=1))  # type: ignore[arg-type]
    unfinished = untrained.run.with_name("run.unfinished")
    assert not untrained.run.exists()
    assert len(rows_of(unfinished)) == 1
    assert find_run(untrained.model_copy(update={"run": unfinished})).load().count_params() > 0
    assert train(untrained).epochs == 2
    assert not unfinished.exists()
    assert len(rows_of(untrained.run)) == 2


def test_overwriting_keeps_the_old_run_until_the_new_one_is_whole(untrained: Profile) -> None:
    train(untrained)
    before = (untrained.run / "model.keras").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        train(
            changed(untrained, seed=9),
            overwrite=True,
            reporter=StoppingReporter(after=1),  # type: ignore[arg-type]
        )
    assert (untrained.run / "model.keras").read_bytes() == before
