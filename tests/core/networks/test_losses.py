"""Losses follow their formulas, skip unlabelled pixels, and add up over parts of a batch."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from landslide_cli.core.networks.backend import tf
from landslide_cli.core.networks.losses import make_loss
from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.losses import LossSettings, loss_of
from landslide_cli.profile import TrainSettings
from landslide_cli.profile.train import LossName

NAMES = list(get_args(LossName))


def loss(name: str, masks: Any, probabilities: Any, **others: Any) -> float:
    values = TrainSettings(loss=name, **others)  # type: ignore[arg-type]
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


def test_jaccard_loss_divides_by_the_union() -> None:
    masks, probabilities = example()
    p, t = probabilities[..., 1], masks == 1
    hits = (p * t).sum()
    expected = 1 - hits / (p.sum() + t.sum() - hits)
    assert loss("jaccard", masks, probabilities) == pytest.approx(expected, rel=1e-5)


def test_lovasz_of_certain_predictions_is_the_jaccard_loss_of_each_image_and_class() -> None:
    masks, _ = example(seed=1, classes=3)
    predicted, _ = example(seed=2, classes=3)
    expected = np.mean(
        [
            1 - ((t == c) & (p == c)).sum() / ((t == c) | (p == c)).sum()
            for t, p in zip(masks, predicted, strict=True)
            for c in range(3)
        ]
    )
    certain = np.eye(3, dtype=np.float32)[predicted]
    assert loss("lovasz", masks, certain) == pytest.approx(expected, rel=1e-5)


def lovasz_by_definition(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Sum the errors of a class in falling order, each times what it adds to the Jaccard loss."""
    errors = np.abs(truth - probabilities)
    order = np.argsort(-errors)
    result, before = 0.0, 0.0
    for end in range(1, len(order) + 1):
        wrong = np.isin(np.arange(len(order)), order[:end])
        jaccard = 1 - (truth & ~wrong).sum() / (truth | wrong).sum()
        result += errors[order[end - 1]] * (jaccard - before)
        before = jaccard
    return result


def test_lovasz_is_the_extension_of_the_jaccard_loss_to_probabilities() -> None:
    masks, probabilities = example()
    masks[1] = 0  # its foreground is absent, and does not count
    classes = [(0, 0), (0, 1), (1, 0)]
    of = {
        (i, c): lovasz_by_definition(masks[i].ravel() == c, probabilities[i, ..., c].ravel())
        for i, c in classes
    }
    expected = ((of[0, 0] + of[0, 1]) / 2 + of[1, 0]) / 2
    assert loss("lovasz", masks, probabilities) == pytest.approx(expected, rel=1e-4)


def similarity_by_scipy(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute the structural similarity of two images (rows, cols) around every pixel."""

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(gaussian_filter(values, 1.5, mode="constant", radius=5))

    t, p = truth.astype(np.float64), probabilities.astype(np.float64)
    both = (2 * mean(t) * mean(p) + 1e-4) * (2 * (mean(t * p) - mean(t) * mean(p)) + 9e-4)
    variances = mean(t * t) - mean(t) ** 2 + mean(p * p) - mean(p) ** 2
    return np.asarray(both / ((mean(t) ** 2 + mean(p) ** 2 + 1e-4) * (variances + 9e-4)))


def test_ssim_is_structural_similarity_of_the_foreground() -> None:
    rng = np.random.default_rng(0)
    masks = np.kron(rng.integers(0, 2, (1, 4, 4)), np.ones((1, 5, 5), int)).astype(np.uint8)
    p = rng.random(masks.shape).astype(np.float32)
    measured = loss("ssim", masks, np.stack([1 - p, p], axis=-1))
    assert measured == pytest.approx(1 - similarity_by_scipy(masks[0], p[0]).mean(), abs=1e-5)


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
        "jaccard": overlap(1.0, 1.0),
    }
    return losses[name]


def test_class_weights_of_lovasz_and_ssim_average_the_classes() -> None:
    masks, probabilities = example(classes=3)
    weights = [1.0, 3.0, 0.5]
    each = [
        np.average(
            [lovasz_by_definition(m.ravel() == c, p[..., c].ravel()) for c in range(len(weights))],
            weights=weights,
        )
        for m, p in zip(masks, probabilities, strict=True)
    ]
    measured = loss("lovasz", masks, probabilities, class_weights=weights)
    assert measured == pytest.approx(np.mean(each), rel=1e-4)
    similar = [
        np.mean([similarity_by_scipy(masks[i] == c, probabilities[i, ..., c]) for i in range(2)])
        for c in (1, 2)
    ]
    measured = loss("ssim", masks, probabilities, class_weights=weights)
    assert measured == pytest.approx(1 - np.average(similar, weights=weights[1:]), abs=1e-4)


def test_basnet_is_the_sum_of_crossentropy_ssim_and_jaccard() -> None:
    masks, probabilities = example()
    parts = [loss(n, masks, probabilities) for n in ("categorical_crossentropy", "ssim", "jaccard")]
    assert loss("basnet", masks, probabilities) == pytest.approx(sum(parts), rel=1e-6)


def test_lovasz_and_ssim_have_finite_gradients_that_lower_them() -> None:
    masks, probabilities = example()
    for name in ("lovasz", "ssim"):
        variable = tf.Variable(probabilities)
        with tf.GradientTape() as tape:
            value = make_loss(TrainSettings(loss=name))(masks, variable)
        gradient = tape.gradient(value, variable).numpy()
        assert np.isfinite(gradient).all()
        assert loss(name, masks, probabilities - 0.1 * gradient) < float(value)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"lovasz", "ssim", "basnet"}))
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
@settings(max_examples=20)
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
    values = TrainSettings(loss=name, class_weights=[1.0, 3.0])  # type: ignore[arg-type]
    loss = make_loss(values)
    whole = float(loss(masks, probabilities))
    parts = [(masks[part], probabilities[part]) for part in (np.s_[:first], np.s_[first:])]
    for own_part, other_part in (parts, parts[::-1]):
        device = OtherDevice()
        loss(*other_part, device.record)
        assert float(loss(*own_part, device.add)) == pytest.approx(whole, rel=1e-5)
        assert device.added == len(device.calls)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_evaluation_computes_the_loss_of_the_training(name: str, classes: int) -> None:
    masks, probabilities = example(7, classes)
    masks[0, 2:4] = IGNORE
    values = TrainSettings(
        loss=name,  # type: ignore[arg-type]
        class_weights=[1.0, 3.0, 0.5][:classes],
        tversky_alpha=0.3,
        tversky_beta=0.7,
        focal_gamma=1.5,
    )
    of_scores = LossSettings(name, 0.3, 0.7, 1.5, values.class_weights)
    for mask, of_pixels in zip(masks, probabilities, strict=True):
        expected = float(make_loss(values)(mask[None], of_pixels[None]))
        assert loss_of(mask, of_pixels, of_scores) == pytest.approx(expected, rel=1e-5)
