"""What a training can do: each option by what it changes in the weights, the log and the files."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from landslide_cli.core.networks.backend import keras, tf
from landslide_cli.core.networks.build import build_model
from landslide_cli.core.networks.encoders import ENCODER
from landslide_cli.core.networks.losses import make_loss
from landslide_cli.core.networks.metrics import Dice
from landslide_cli.core.palette import Palette
from landslide_cli.dataset.tiles import part_tiles
from landslide_cli.errors import ChangedError, DataError, ProfileError
from landslide_cli.imagery.raster.images import read_image, write_image, write_mask
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.profile import FlexUNetSettings, Profile, TrainSettings, load_profile
from landslide_cli.runs.run import find_run
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.show import show
from landslide_cli.stages.split import split
from landslide_cli.stages.train import train
from landslide_cli.stages.train.step import Fitter
from landslide_cli.stages.train.workers import Place, Workers
from tests.models import bright_square

Weights = list[NDArray[Any]]

# Nesterov's momentum of 0.9 makes SGD's first step so many times the gradient.
_FIRST_STEP = 1.9


def changed(profile: Profile, **train_settings: object) -> Profile:
    settings = TrainSettings.model_validate(profile.train.model_dump() | train_settings)
    return profile.model_copy(update={"train": settings})


def simple(profile: Profile, **train_settings: object) -> Profile:
    """A profile of plain steps: one epoch of a tiny model without dropout, at a constant rate."""
    model = profile.model.model_copy(
        update={"base_filters": 2, "num_layers": 2, "dropout_rate": 0.0}
    )
    plain: dict[str, object] = {"epochs": 1, "schedule": "constant"}
    return changed(profile.model_copy(update={"model": model}), **(plain | train_settings))


def trained_in(folder: Path, profile: Profile, limit: int | None = 4) -> Path:
    train(profile.model_copy(update={"run": folder}), limit=limit)
    return folder


@pytest.fixture
def trained_with(untrained: Profile, tmp_path: Path) -> Callable[..., Path]:
    """Train the simple profile with settings on four tiles, in a folder of that name."""
    return lambda name, **settings: trained_in(tmp_path / name, simple(untrained, **settings))


@pytest.fixture(scope="module")
def plain(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the simple profile as it is."""
    profile = load_profile(trained_folder / "profile.yaml", ["train.preview_scenes=[]"])
    return trained_in(tmp_path_factory.mktemp("plain") / "run", simple(profile))


def kept(run: Path) -> Any:
    return keras.saving.load_model(run / "model.keras", compile=False)


def weights_of(model: Any) -> Weights:
    return [np.array(one) for one in model.get_weights()]


def kept_weights(run: Path) -> Weights:
    return weights_of(kept(run))


def rows_of(run: Path) -> list[dict[str, float]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def best_of(run: Path) -> dict[str, float]:
    document = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return {key: float(value) for key, value in document["result"]["best"].items()}


def are_same(ones: Weights, others: Weights) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(ones, others, strict=True))


def assert_close(ones: Weights, others: Weights, atol: float) -> None:
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


def valid_part(profile: Profile) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All masks of valid, and all images."""
    tiles = part_tiles(profile.dataset, "valid")
    masks = [read_mask(tile.mask, profile.palette).mask for tile in tiles]
    return np.stack(masks), np.stack([read_image(tile.image, 3) for tile in tiles])


# The arithmetic of single steps.


def fitter_of(normalization: bool = False, **settings: object) -> Fitter:
    network = FlexUNetSettings(
        base_filters=2,
        base_kernels=3,
        num_layers=2,
        dropout_rate=0.0,
        normalization=normalization,
    )
    plain: dict[str, object] = {"optimizer": "sgd", "clip_value": None}
    values = TrainSettings.model_validate(plain | settings)
    model = build_model(network, 3, 2, seed=3, precision=values.precision)
    return Fitter(model, values, 2, Workers(Place(0, 1)))


def batch_of(*seeds: int) -> tuple[Any, Any]:
    pairs = [bright_square(seed, side=16) for seed in seeds]
    images, masks = (np.stack(some) for some in zip(*pairs, strict=True))
    return tf.constant(images), tf.constant(masks)


def step_of(fitter: Fitter, *batches: tuple[Any, Any], rate: float = 0.1) -> Weights:
    """Take a step; return the weights' change."""
    before = weights_of(fitter.model)
    fitter.step(batches or [batch_of(0, 1)], rate, False)
    return [now - then for now, then in zip(weights_of(fitter.model), before, strict=True)]


def norm(change: Weights) -> float:
    return float(np.sqrt(sum(np.square(one, dtype=np.float64).sum() for one in change)))


def largest(change: Weights) -> float:
    return max(float(np.abs(one).max()) for one in change)


def test_a_step_of_two_batches_is_that_of_one_of_all_their_images() -> None:
    apart = step_of(fitter_of(), batch_of(0, 1), batch_of(2, 3))
    together = step_of(fitter_of(), batch_of(0, 1, 2, 3))
    assert norm(together) > 1e-3
    assert_close(apart, together, atol=1e-6)


def test_the_gradient_is_scaled_to_its_largest_norm() -> None:
    free = norm(step_of(fitter_of())) / (0.1 * _FIRST_STEP)
    clipped = step_of(fitter_of(clip_norm=free / 4))
    assert norm(clipped) == pytest.approx(0.1 * _FIRST_STEP * free / 4, rel=1e-4)
    assert norm(step_of(fitter_of(clip_norm=free * 4))) == pytest.approx(
        0.1 * _FIRST_STEP * free, rel=1e-4
    )


def test_no_element_of_the_gradient_exceeds_its_largest_size() -> None:
    free = largest(step_of(fitter_of())) / (0.1 * _FIRST_STEP)
    clipped = step_of(fitter_of(clip_value=free / 4))
    assert largest(clipped) == pytest.approx(0.1 * _FIRST_STEP * free / 4, rel=1e-4)


@pytest.mark.parametrize("normalization", [False, True])
def test_averaged_weights_follow_their_recurrence(normalization: bool) -> None:
    fitter = fitter_of(normalization, ema=0.3)
    expected = weights_of(fitter.model)
    for done in range(1, 6):
        step_of(fitter)
        momentum = min(0.3, (1 + done) / (10 + done))
        now = weights_of(fitter.model)
        expected = [momentum * a + (1 - momentum) * w for a, w in zip(expected, now, strict=True)]
        with fitter.averaged():
            assert_close(weights_of(fitter.model), expected, atol=1e-6)
        assert are_same(weights_of(fitter.model), now)
    assert not are_same(expected, now)


def moved_names(fitter: Fitter) -> list[str]:
    """The layer of each weight."""
    return [layer.name for layer in fitter.model.layers for _ in layer.weights]


def moved(fitter: Fitter, change: Weights) -> dict[str, bool]:
    """Whether each layer has changed."""
    names = moved_names(fitter)
    return {name: bool(one.any()) for name, one in zip(names, change, strict=True)}


def test_a_frozen_encoder_stays_as_it_is_until_it_learns_again() -> None:
    fitter = fitter_of(ema=0.5)
    for frozen in (True, False, True):
        fitter.freeze_encoder(frozen)
        found = moved(fitter, step_of(fitter))
        assert {name.startswith(ENCODER) for name in found} == {True, False}
        for name, has_moved in found.items():
            assert has_moved == (not frozen or not name.startswith(ENCODER)), name


def test_an_encoder_of_a_lower_rate_moves_by_so_much_less() -> None:
    whole, part = (step_of(fitter_of(encoder_rate=rate)) for rate in (1.0, 0.25))
    fitter = fitter_of()
    encodes = [name.startswith(ENCODER) for name in moved_names(fitter)]
    assert {*encodes} == {True, False}
    factors = [0.25 if one else 1.0 for one in encodes]
    expected = [factor * change for factor, change in zip(factors, whole, strict=True)]
    assert_close(part, expected, atol=1e-6)


def test_a_frozen_encoder_may_have_a_rate_of_its_own() -> None:
    fitter = fitter_of(encoder_rate=0.25)
    fitter.freeze_encoder(True)
    found = moved(fitter, step_of(fitter))
    assert all(has_moved != name.startswith(ENCODER) for name, has_moved in found.items())
    fitter.freeze_encoder(False)
    assert all(moved(fitter, step_of(fitter)).values())


def test_weight_decay_shrinks_the_weights_of_adamw() -> None:
    before = weights_of(fitter_of().model)
    plain, decayed = (
        step_of(fitter_of(optimizer="adamw", weight_decay=decay), rate=0.01) for decay in (0.0, 0.5)
    )
    shrunk = [one - 0.01 * 0.5 * weight for one, weight in zip(plain, before, strict=True)]
    assert_close(decayed, shrunk, atol=1e-5)


def test_a_float16_step_that_overflows_is_left_out_and_the_loss_scaled_less() -> None:
    fitter = fitter_of(precision="float16", ema=0.5)
    usual = fitter.state()["scale"]
    assert norm(step_of(fitter)) > 0.0
    saved = dict(fitter.arrays())
    fitter.restore(saved.__getitem__, {"scale": 2.0**100, "good_steps": 7})
    assert norm(step_of(fitter)) == 0.0
    assert fitter.state() == {"scale": 2.0**99, "good_steps": 0}
    fitter.restore(saved.__getitem__, {"scale": usual, "good_steps": 0})
    assert norm(step_of(fitter)) > 0.0
    assert fitter.state() == {"scale": usual, "good_steps": 1}


# Whole trainings.


def test_accumulated_batches_train_as_larger_ones_do(
    untrained: Profile, tmp_path: Path, palette: Palette
) -> None:
    for part, count in (("train", 8), ("valid", 2)):
        for index in range(count):
            image, mask = bright_square(index)
            for name in ("images", "masks"):
                (tmp_path / "labelled" / part / name).mkdir(parents=True, exist_ok=True)
            write_image(tmp_path / "labelled" / part / "images" / f"t{index}.png", image)
            write_mask(tmp_path / "labelled" / part / "masks" / f"t{index}.png", mask, palette)
    profile = simple(
        untrained.model_copy(update={"dataset": tmp_path / "labelled"}),
        optimizer="sgd",
        loss="categorical_crossentropy",
        clip_value=None,
    )
    two = trained_in(tmp_path / "two", changed(profile, batch=2, accumulate=2), limit=None)
    four = trained_in(tmp_path / "four", changed(profile, batch=4), limit=None)
    assert_close(kept_weights(two), kept_weights(four), atol=1e-5)
    assert rows_of(two)[0]["loss"] == pytest.approx(rows_of(four)[0]["loss"], rel=1e-4)
    assert rows_of(two)[0]["dice"] == pytest.approx(rows_of(four)[0]["dice"], abs=1e-3)


def test_averaged_weights_are_those_validated_and_kept(
    untrained: Profile, plain: Path, trained_with: Callable[..., Path]
) -> None:
    run = trained_with("ema", ema=0.5)
    assert rows_of(run)[0]["loss"] == rows_of(plain)[0]["loss"]
    assert not are_same(kept_weights(run), kept_weights(plain))
    masks, images = valid_part(untrained)
    loss = make_loss(untrained.train)(masks, kept(run)(images.astype(np.float32)))
    assert best_of(run)["valid_loss"] == pytest.approx(float(loss), rel=1e-4)
    assert best_of(run)["valid_loss"] != pytest.approx(best_of(plain)["valid_loss"], rel=1e-4)


def test_the_encoder_learns_only_after_the_frozen_epochs(
    untrained: Profile, trained_with: Callable[..., Path]
) -> None:
    start = build_model(simple(untrained).model, 3, 2, untrained.train.seed)
    names = [layer.name for layer in start.layers for _ in layer.weights]
    for epochs in (1, 2):
        run = trained_with(f"frozen{epochs}", frozen_epochs=1, epochs=epochs, learning_rate=1e-3)
        assert best_of(run)["epoch"] == epochs
        for name, before, now in zip(names, weights_of(start), kept_weights(run), strict=True):
            learns = epochs > 1 or not name.startswith(ENCODER)
            assert np.array_equal(before, now) != learns, name


@pytest.mark.parametrize("weights", ["[1]", "[1, 2, 3]", "[0, 0]"])
def test_class_weights_that_fit_no_classes_are_an_error_of_the_profile(
    trained_folder: Path, weights: str
) -> None:
    with pytest.raises(ProfileError, match=r"--set train\.class_weights.*must"):
        load_profile(trained_folder / "profile.yaml", [f"train.class_weights={weights}"])


def test_a_heavier_landslide_is_found_more_often(
    untrained: Profile, trained_with: Callable[..., Path]
) -> None:
    _, images = valid_part(untrained)
    light, heavy = (
        trained_with(f"weight{weight}", class_weights=[1.0, weight], batch=2)
        for weight in (1.0, 20.0)
    )
    found = [kept(run)(images.astype(np.float32)).numpy()[..., 1].mean() for run in (light, heavy)]
    assert found[1] > found[0]


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_model_trained_in_half_precision_is_kept_in_float32(
    plain: Path, trained_with: Callable[..., Path], precision: str
) -> None:
    run = trained_with(precision, precision=precision)
    model = kept(run)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert {str(weight.dtype) for weight in model.weights} == {"float32"}
    assert all(np.isfinite(one).all() for one in weights_of(model))
    ours, exact = rows_of(run)[0], rows_of(plain)[0]
    assert ours["loss"] == pytest.approx(exact["loss"], rel=0.02)
    assert ours["valid_loss"] == pytest.approx(exact["valid_loss"], rel=0.05)
    assert not are_same(weights_of(model), kept_weights(plain))


@pytest.fixture
def undetermined() -> Iterator[None]:
    """Let TensorFlow take operations that are not deterministic, as a process of its own would."""
    from tensorflow.python.framework import config

    config.disable_op_determinism()
    yield
    config.enable_op_determinism()


def test_a_compiled_training_has_nearly_the_same_numbers(
    plain: Path, trained_with: Callable[..., Path], undetermined: None
) -> None:
    run = trained_with("jit", jit=True, deterministic=False)
    compiled, usual = rows_of(run)[0], rows_of(plain)[0]
    for name in ("loss", "valid_loss", "valid_dice"):
        assert compiled[name] == pytest.approx(usual[name], rel=1e-3), name
    assert_close(kept_weights(run), kept_weights(plain), atol=1e-3)


def test_the_epoch_with_the_highest_watched_dice_is_kept(
    untrained: Profile, tmp_path: Path
) -> None:
    profile = changed(untrained, watch="valid_dice", epochs=4, learning_rate=0.02)
    run = trained_in(tmp_path / "dice", profile, limit=None)
    dice = [row["valid_dice"] for row in rows_of(run)]
    assert len(set(dice)) > 1
    assert best_of(run)["epoch"] == 1 + dice.index(max(dice))
    masks, images = valid_part(untrained)
    measured = Dice(2, class_id=1)
    measured.update_state(masks, kept(run)(images.astype(np.float32)))
    assert float(measured.result()) == pytest.approx(max(dice), rel=1e-4)


def test_a_cosine_schedule_falls_to_its_final_rate(trained_with: Callable[..., Path]) -> None:
    run = trained_with(
        *("cosine",), schedule="cosine", epochs=4, learning_rate=1e-3, final_rate=0.1, batch=1
    )
    rates = [row["learning_rate"] for row in rows_of(run)]
    assert rates == sorted(rates, reverse=True)
    # The rate of the last of an epoch's four steps, 3 of 16 steps, 7 of them, and so on.
    expected = [1e-3 * (0.1 + 0.9 * (1 + np.cos(np.pi * step / 16)) / 2) for step in (3, 7, 11, 15)]
    assert rates == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_the_cache_changes_no_bit_and_leaves_nothing(
    plain: Path, trained_with: Callable[..., Path], cache: str
) -> None:
    # By default so few tiles are kept in memory.
    run = trained_with(cache, cache=cache)
    assert are_same(kept_weights(run), kept_weights(plain))
    files = [sorted(path.name for path in one.rglob("*")) for one in (run, plain)]
    assert files[0] == files[1]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_other_optimizers_train_too(
    plain: Path, trained_with: Callable[..., Path], optimizer: str
) -> None:
    run = trained_with(optimizer, optimizer=optimizer, weight_decay=0.01, epochs=3)
    losses = [row["loss"] for row in rows_of(run)]
    assert losses[-1] < losses[0]
    assert not are_same(kept_weights(run), kept_weights(plain))


def test_the_same_profile_gives_the_same_bits_and_another_seed_does_not(
    untrained: Profile, tmp_path: Path
) -> None:
    network = {**simple(untrained).model.model_dump(), "dropout_rate": 0.2, "normalization": True}
    augment = {"elastic": {"probability": 0.5}, "vflip": {"probability": 0.5}}
    profile = changed(
        untrained.model_copy(update={"model": FlexUNetSettings.model_validate(network)}),
        batch=2,
        epochs=1,
        augment=augment,
    )
    first, second, other = (
        trained_in(tmp_path / name, changed(profile, seed=seed), limit=8)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert are_same(kept_weights(first), kept_weights(second))
    assert not are_same(kept_weights(first), kept_weights(other))
    measured = ("seconds", "images_per_second", "input_wait")
    for one, same in zip(rows_of(first), rows_of(second), strict=True):
        assert {k: one[k] for k in one if k not in measured} == {
            k: same[k] for k in same if k not in measured
        }


@pytest.fixture
def cropping(
    profile_with: Callable[..., Profile], write_scene: Callable[..., Any]
) -> Callable[..., Profile]:
    """Prepare and split six scenes of 60 pixels, to be trained on crops of 32, with settings."""
    for index in range(6):
        image, mask = bright_square(index, side=60)
        write_scene(f"s{index}", image=image, mask=mask)

    def profile(*overrides: str) -> Profile:
        made = profile_with(
            *("prepare.tile=null", "split.by=scene", "split.overlap.content=false"),
            *("split.train=0.5", "split.valid=0.25", "split.test=0.25", "evaluate.draws=100"),
            *("model.base_filters=2", "model.base_kernels=3", "train.crop=32", "train.crops=6"),
            *("train.batch=2", "train.epochs=2", "train.learning_rate=5e-3", *overrides),
        )
        prepare(made)
        split(made)
        return made

    return profile


def scenes_of(profile: Profile) -> dict[str, list[str]]:
    document = json.loads((profile.dataset / "split.json").read_text(encoding="utf-8"))
    return dict(document["result"]["scenes"])


def test_crops_of_whole_scenes_train_a_model_without_any_tiles(
    cropping: Callable[..., Profile],
) -> None:
    profile = cropping()
    result = train(profile)
    # A scene has four windows of 32 pixels, side by side.
    assert result.tiles == {"train": 6, "valid": 4 * len(scenes_of(profile)["valid"])}
    assert result.preprocessing.scale == 1.0
    assert not list(profile.dataset.rglob("*.png"))
    assert train(profile).unchanged
    scores = evaluate(profile)
    assert scores.units == "scenes"
    assert scores.pixels == scores.samples * 60 * 60
    assert 0.0 <= scores.classes["landslide"].dice <= 1.0


def test_without_a_valid_part_the_last_epoch_is_kept_at_an_even_threshold(
    cropping: Callable[..., Profile],
) -> None:
    profile = cropping("split.train=0.8", "split.valid=0", "split.test=0.2", "train.epochs=3")
    result = train(profile)
    assert result.tiles == {"train": 6}
    assert result.best["epoch"] == 3
    assert result.threshold == 0.5
    assert not any(name.startswith("valid") for name in rows_of(profile.run)[0])
    assert result.tables()[0].rows[0][0] == "loss"
    assert evaluate(profile).thresholds == [0.5]
    assert show(profile).files
    with pytest.raises(DataError, match="puts no scene into valid"):
        evaluate(profile, part="valid")


def test_folds_without_a_valid_part_train_on_all_but_the_test_part(
    cropping: Callable[..., Profile],
) -> None:
    profile = cropping("split.folds=3", "split.fold_valid=false", "train.epochs=1")
    fold = profile.model_copy(update={"fold": 2})
    assert train(fold).tiles == {"train": 6}
    document = json.loads((profile.dataset / "split.json").read_text(encoding="utf-8"))
    for parts in document["result"]["folds"]:
        assert (len(parts["train"]), parts["valid"], len(parts["test"])) == (4, [], 2)


def test_crops_are_turned_and_enlarged_if_the_profile_says_so(
    cropping: Callable[..., Profile],
) -> None:
    turned = cropping("train.epochs=1", "train.crop_rotation=180", "train.crop_scale=[0.5, 2.0]")
    straight = turned.model_copy(update={"run": turned.run.with_name("straight")})
    train(turned)
    train(changed(straight, crop_rotation=0.0, crop_scale=(1.0, 1.0)))
    assert not are_same(kept_weights(turned.run), kept_weights(straight.run))


def test_crops_of_resized_scenes_train_a_model_of_their_scale(
    cropping: Callable[..., Profile],
) -> None:
    profile = cropping("prepare.scale=0.5", "train.crop=16", "train.crops=null", "train.epochs=1")
    result = train(profile)
    scenes = scenes_of(profile)
    # Scenes of 30 pixels; crops have their area together.
    assert result.tiles["train"] == -(-900 * len(scenes["train"]) // 16**2)
    assert result.tiles["valid"] == 4 * len(scenes["valid"])
    assert result.preprocessing.scale == 0.5
    assert evaluate(profile).pixels == len(scenes["test"]) * 60 * 60


@pytest.mark.parametrize("of", ["tiles", "crops"])
def test_a_run_knows_that_its_scenes_had_standard_levels(
    cropping: Callable[..., Profile], of: str
) -> None:
    profile = cropping("prepare.standardize=true", "train.crops=2", "train.epochs=1")
    if of == "tiles":
        settings = profile.prepare.model_copy(update={"tile": 32})
        uncropped = profile.train.model_copy(update={"crop": None})
        profile = profile.model_copy(update={"prepare": settings, "train": uncropped})
        prepare(profile, overwrite=True)
        split(profile, overwrite=True)
        # What counts is how the tiles were made.
        settings = settings.model_copy(update={"standardize": False})
        profile = profile.model_copy(update={"prepare": settings})
    assert train(profile).preprocessing.standardized
    assert train(profile).unchanged
    assert find_run(profile).preprocessing.standardized
    if of == "crops":
        settings = profile.prepare.model_copy(update={"standardize": False})
        with pytest.raises(ChangedError, match=r"prepare\.standardize"):
            train(profile.model_copy(update={"prepare": settings}))


def test_crops_have_the_scale_of_the_profile_whatever_it_was_when_scenes_were_prepared(
    cropping: Callable[..., Profile],
) -> None:
    profile = cropping("prepare.scale=0.5", "train.crop=16", "train.crops=2", "train.epochs=1")
    unscaled = profile.prepare.model_copy(update={"scale": None})
    assert train(profile.model_copy(update={"prepare": unscaled})).preprocessing.scale == 1.0


def test_the_log_for_tensorboard_holds_the_logged_values(
    trained_with: Callable[..., Path],
) -> None:
    run = trained_with("board", tensorboard=True, epochs=3)
    for part, prefix in (("train", ""), ("valid", "valid_")):
        (path,) = (run / "tensorboard" / part).iterdir()
        logged: dict[str, dict[int, float]] = {}
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                number = float(tf.make_ndarray(value.tensor))
                logged.setdefault(value.tag, {})[event.step] = number
        for name in ("loss", "dice"):
            expected = {round(row["epoch"]): row[prefix + name] for row in rows_of(run)}
            assert logged[name] == pytest.approx(expected, rel=1e-5)
    assert "learning_rate" not in logged


def test_the_film_of_a_scene_has_a_frame_an_epoch(trained: Profile) -> None:
    with Image.open(trained.run / "previews" / "s1.gif") as film:
        assert film.format == "GIF"
        frames = getattr(film, "n_frames", 1)
    assert frames == len(rows_of(trained.run))
