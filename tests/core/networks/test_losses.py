"""Losses follow their formulas, skip unlabelled pixels, and add up over parts of a batch."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.networks.losses import make_loss
from landslide_cli.core.palette import IGNORE
from landslide_cli.profile import TrainSettings

NAMES = ["categorical_crossentropy", "dice", "crossentropy_dice", "focal", "tversky"]


def loss(name: str, masks: Any, probabilities: Any, **settings: Any) -> float:
    values = TrainSettings(loss=name, **settings)  # type: ignore[arg-type]
    masks = np.asarray(masks, np.uint8)
    return float(make_loss(values)(masks, np.asarray(probabilities, np.float32)))


def example(seed: int = 0, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, classes, (2, 6, 5)).astype(np.uint8)
    return masks, rng.dirichlet([2] * classes, masks.shape).astype(np.float32)


def test_crossentropy_is_the_mean_over_labelled_pixels() -> None:
    masks, probabilities = example()
    masks[0, :3] = IGNORE
    labelled = masks != IGNORE
    true = np.take_along_axis(probabilities, np.minimum(masks, 1)[..., None].astype(int), -1)[
        ..., 0
    ]
    expected = -np.log(true[labelled]).mean()
    assert loss("categorical_crossentropy", masks, probabilities) == pytest.approx(expected, 1e-5)


def test_dice_loss_is_computed_from_the_foreground_only() -> None:
    masks, probabilities = example()
    p, t = probabilities[..., 1], masks == 1
    expected = 1 - 2 * (p * t).sum() / (p.sum() + t.sum())
    assert loss("dice", masks, probabilities) == pytest.approx(expected, rel=1e-5)


def test_crossentropy_dice_is_the_sum_of_crossentropy_and_dice() -> None:
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


def test_tversky_weights_false_alarms_by_alpha_and_misses_by_beta() -> None:
    masks, probabilities = example()
    p, t = probabilities[..., 1], (masks == 1).astype(np.float64)
    hits, false_alarms, misses = (p * t).sum(), (p * (1 - t)).sum(), ((1 - p) * t).sum()
    expected = 1 - hits / (hits + 0.2 * false_alarms + 0.9 * misses)
    measured = loss("tversky", masks, probabilities, tversky_alpha=0.2, tversky_beta=0.9)
    assert measured == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_of_unlabelled_pixels_do_not_change_the_loss(name: str) -> None:
    masks, probabilities = example()
    masks[:, 2:4] = IGNORE
    changed = probabilities.copy()
    changed[:, 2:4] = changed[:, 2:4, :, ::-1]
    assert loss(name, masks, probabilities) == pytest.approx(loss(name, masks, changed), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_better_predictions_have_a_lower_loss(name: str) -> None:
    masks, probabilities = example()
    perfect = np.eye(2, dtype=np.float32)[masks]
    better = 0.5 * probabilities + 0.5 * perfect
    assert loss(name, masks, better) < loss(name, masks, probabilities)
    assert loss(name, masks, perfect) < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_one_sigmoid_channel_has_the_same_loss_as_two_softmax_channels(name: str) -> None:
    masks, probabilities = example()
    single = probabilities[..., 1:]
    assert loss(name, masks, single) == pytest.approx(loss(name, masks, probabilities), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_an_unlabelled_batch_has_a_finite_loss(name: str) -> None:
    _, probabilities = example()
    masks = np.full(probabilities.shape[:3], IGNORE, np.uint8)
    assert np.isfinite(loss(name, masks, probabilities))


def weighted(name: str, masks: Any, probabilities: Any, weights: list[float]) -> float:
    """Compute a loss by its formula in float64, with gamma 2, alpha 0.3 and beta 0.7."""
    labelled = masks != IGNORE
    t = np.eye(len(weights))[masks[labelled]]
    p = np.asarray(probabilities, np.float64)[labelled]
    w, true = (t * weights).sum(axis=-1), (t * p).sum(axis=-1)
    crossentropy = (w * -np.log(true)).sum() / w.sum()
    focal = (w * (1 - true) ** 2 * -np.log(true)).sum() / w.sum()

    def overlap(alpha: float, beta: float) -> float:
        hits, false_alarms, misses = (x.sum(axis=0) for x in (t * p, (1 - t) * p, t * (1 - p)))
        losses = 1 - hits / (hits + alpha * false_alarms + beta * misses)
        return float(np.average(losses[1:], weights=weights[1:]))

    losses: dict[str, float] = {
        "categorical_crossentropy": crossentropy,
        "dice": overlap(0.5, 0.5),
        "crossentropy_dice": crossentropy + overlap(0.5, 0.5),
        "focal": focal,
        "tversky": overlap(0.3, 0.7),
    }
    return losses[name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("weights", [[1.0, 3.0], [1.0, 3.0, 0.5], [0.0, 2.0, 1.0]])
def test_class_weights_follow_the_formulas(name: str, weights: list[float]) -> None:
    masks, probabilities = example(classes=len(weights))
    masks[0, :2] = IGNORE
    measured = loss(name, masks, probabilities, class_weights=weights)
    assert measured == pytest.approx(weighted(name, masks, probabilities, weights), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_equal_class_weights_do_not_change_the_loss(name: str) -> None:
    masks, probabilities = example(classes=3)
    plain = loss(name, masks, probabilities)
    assert loss(name, masks, probabilities, class_weights=[1.0] * 3) == plain
    assert loss(name, masks, probabilities, class_weights=[5.0] * 3) == pytest.approx(plain, 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_float16_probabilities_are_converted_to_float32_first(name: str) -> None:
    masks, probabilities = example()
    half = probabilities.astype(np.float16)
    measured = float(make_loss(TrainSettings(loss=name))(masks, half))  # type: ignore[arg-type]
    assert measured == loss(name, masks, half.astype(np.float32))


class OtherDevice:
    """A device with the other part of a batch, whose sums are added to this device's."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.added = 0

    def record(self, sums: list[Any]) -> list[Any]:
        self.calls.append(sums)
        return sums

    def add(self, sums: list[Any]) -> list[Any]:
        recorded = self.calls[self.added]
        self.added += 1
        return [a + b for a, b in zip(sums, recorded, strict=True)]


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), first=st.integers(1, 4), unlabelled=st.booleans())
def test_unequal_parts_of_a_batch_have_the_loss_of_the_whole_batch(
    name: str, seed: int, first: int, unlabelled: bool
) -> None:
    rng = np.random.default_rng(seed)
    masks = rng.choice(np.array([0, 1, 1, IGNORE], np.uint8), (5, 4, 3))
    masks[-1, 0, 0] = 1
    if unlabelled:
        masks[:first] = IGNORE
    probabilities = rng.dirichlet([2, 2], masks.shape).astype(np.float32)
    settings = TrainSettings(loss=name, class_weights=[1.0, 3.0])  # type: ignore[arg-type]
    loss = make_loss(settings)
    whole = float(loss(masks, probabilities))
    parts = [(masks[part], probabilities[part]) for part in (np.s_[:first], np.s_[first:])]
    for own_part, other_part in (parts, parts[::-1]):
        device = OtherDevice()
        loss(*other_part, device.record)
        assert float(loss(*own_part, device.add)) == pytest.approx(whole, rel=1e-5)
        assert device.added == len(device.calls)
