"""Losses against their formulas, with pixels that must not count."""

from typing import Any

import numpy as np
import pytest

from landslide_cli.core.losses import make_loss
from landslide_cli.core.palette import IGNORE
from landslide_cli.profile import TrainSettings

NAMES = ["categorical_crossentropy", "dice", "crossentropy_dice", "focal", "tversky"]


def loss(name: str, masks: Any, probabilities: Any, **settings: float) -> float:
    values = TrainSettings(loss=name, **settings)  # type: ignore[arg-type]
    masks = np.asarray(masks, np.uint8)
    return float(make_loss(values)(masks, np.asarray(probabilities, np.float32)))


def example(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, (2, 6, 5)).astype(np.uint8)
    return masks, rng.dirichlet([2, 2], masks.shape).astype(np.float32)


def test_crossentropy_is_the_mean_over_labelled_pixels() -> None:
    masks, probabilities = example()
    masks[0, :3] = IGNORE
    labelled = masks != IGNORE
    true = np.take_along_axis(probabilities, np.minimum(masks, 1)[..., None].astype(int), -1)[
        ..., 0
    ]
    expected = -np.log(true[labelled]).mean()
    assert loss("categorical_crossentropy", masks, probabilities) == pytest.approx(expected, 1e-5)


def test_dice_loss_is_of_the_foreground() -> None:
    masks, probabilities = example()
    p, t = probabilities[..., 1], masks == 1
    expected = 1 - 2 * (p * t).sum() / (p.sum() + t.sum())
    assert loss("dice", masks, probabilities) == pytest.approx(expected, rel=1e-5)


def test_crossentropy_dice_is_the_sum_of_both() -> None:
    masks, probabilities = example()
    both = loss("categorical_crossentropy", masks, probabilities) + loss(
        "dice", masks, probabilities
    )
    assert loss("crossentropy_dice", masks, probabilities) == pytest.approx(both, rel=1e-6)


def test_focal_loss_without_focusing_is_crossentropy() -> None:
    masks, probabilities = example()
    plain = loss("categorical_crossentropy", masks, probabilities)
    assert loss("focal", masks, probabilities, focal_gamma=0.0) == pytest.approx(plain, rel=1e-5)
    assert loss("focal", masks, probabilities, focal_gamma=2.0) < plain


def test_tversky_weighs_misses_with_beta_and_false_alarms_with_alpha() -> None:
    masks, probabilities = example()
    p, t = probabilities[..., 1], (masks == 1).astype(np.float64)
    hits, alarms, misses = (p * t).sum(), (p * (1 - t)).sum(), ((1 - p) * t).sum()
    expected = 1 - hits / (hits + 0.2 * alarms + 0.9 * misses)
    measured = loss("tversky", masks, probabilities, tversky_alpha=0.2, tversky_beta=0.9)
    assert measured == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_without_label_change_no_loss(name: str) -> None:
    masks, probabilities = example()
    masks[:, 2:4] = IGNORE
    other = probabilities.copy()
    other[:, 2:4] = other[:, 2:4, :, ::-1]
    assert loss(name, masks, probabilities) == pytest.approx(loss(name, masks, other), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_better_predictions_have_less_loss(name: str) -> None:
    masks, probabilities = example()
    right = np.eye(2, dtype=np.float32)[masks]
    better = 0.5 * probabilities + 0.5 * right
    assert loss(name, masks, better) < loss(name, masks, probabilities)
    assert loss(name, masks, right) < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_one_sigmoid_channel_has_the_loss_of_two_softmax_channels(name: str) -> None:
    masks, probabilities = example()
    single = probabilities[..., 1:]
    assert loss(name, masks, single) == pytest.approx(loss(name, masks, probabilities), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_batch_without_any_label_has_a_finite_loss(name: str) -> None:
    _, probabilities = example()
    masks = np.full(probabilities.shape[:3], IGNORE, np.uint8)
    assert np.isfinite(loss(name, masks, probabilities))
