"""Losses against their formulas, with pixels that must not count."""

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


def weighted(name: str, masks: Any, probabilities: Any, weights: list[float]) -> float:
    """Each loss by its formula, in float64; focusing exponent 2, alpha 0.3 and beta 0.7."""
    labelled = masks != IGNORE
    t = np.eye(len(weights))[masks[labelled]]
    p = np.asarray(probabilities, np.float64)[labelled]
    w, true = (t * weights).sum(axis=-1), (t * p).sum(axis=-1)
    crossentropy = (w * -np.log(true)).sum() / w.sum()
    focal = (w * (1 - true) ** 2 * -np.log(true)).sum() / w.sum()

    def overlap(alpha: float, beta: float) -> float:
        hits, alarms, misses = (a.sum(axis=0) for a in (t * p, (1 - t) * p, t * (1 - p)))
        missing = 1 - hits / (hits + alpha * alarms + beta * misses)
        return float(np.average(missing[1:], weights=weights[1:]))

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
def test_classes_count_by_their_weights(name: str, weights: list[float]) -> None:
    masks, probabilities = example(classes=len(weights))
    masks[0, :2] = IGNORE
    measured = loss(name, masks, probabilities, class_weights=weights)
    assert measured == pytest.approx(weighted(name, masks, probabilities, weights), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_one_change_nothing_and_only_their_ratio_counts(name: str) -> None:
    masks, probabilities = example(classes=3)
    plain = loss(name, masks, probabilities)
    assert loss(name, masks, probabilities, class_weights=[1.0] * 3) == plain
    assert loss(name, masks, probabilities, class_weights=[5.0] * 3) == pytest.approx(plain, 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_of_half_precision_are_taken_as_they_are(name: str) -> None:
    masks, probabilities = example()
    half = probabilities.astype(np.float16)
    measured = float(make_loss(TrainSettings(loss=name))(masks, half))  # type: ignore[arg-type]
    assert measured == loss(name, masks, half.astype(np.float32))


class Elsewhere:
    """The sums of other parts of a batch, which are added to those of this one, call by call."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.next = 0

    def collect(self, sums: list[Any]) -> list[Any]:
        self.calls.append(sums)
        return sums

    def add(self, sums: list[Any]) -> list[Any]:
        self.next += 1
        return [one + other for one, other in zip(sums, self.calls[self.next - 1], strict=True)]


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), first=st.integers(1, 4), unlabelled=st.booleans())
def test_a_batch_in_unequal_parts_has_the_loss_of_the_whole(
    name: str, seed: int, first: int, unlabelled: bool
) -> None:
    rng = np.random.default_rng(seed)
    masks = rng.choice(np.array([0, 1, 1, IGNORE], np.uint8), (5, 4, 3))
    masks[-1, 0, 0] = 1
    if unlabelled:
        masks[:first] = IGNORE
    probabilities = rng.dirichlet([2, 2], masks.shape).astype(np.float32)
    settings = TrainSettings(loss=name, class_weights=[1.0, 3.0])  # type: ignore[arg-type]
    of = make_loss(settings)
    whole = float(of(masks, probabilities))
    parts = [(masks[part], probabilities[part]) for part in (np.s_[:first], np.s_[first:])]
    for this, other in (parts, parts[::-1]):
        elsewhere = Elsewhere()
        of(*other, elsewhere.collect)
        assert float(of(*this, elsewhere.add)) == pytest.approx(whole, rel=1e-5)
        assert elsewhere.next == len(elsewhere.calls)
