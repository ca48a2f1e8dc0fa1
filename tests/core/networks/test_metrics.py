"""Metrics of training against plain counting."""

import numpy as np
import pytest

from landslide_cli.core.networks.backend import keras
from landslide_cli.core.networks.metrics import (
    Dice,
    DiceCoefMulticlass,
    IoU,
    confusion_counts,
    make_metric,
    soft_accuracy,
)
from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.confusion import confusion, score_values


def random_batch(classes: int, seed: int = 0, batch: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, classes, (batch, 8, 6)).astype(np.uint8)
    masks[rng.random(masks.shape) < 0.2] = IGNORE
    scores = rng.random((*masks.shape, classes)).astype(np.float32)
    return masks, scores / scores.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("class_id", [0, 1, 2])
def test_metrics_of_a_class_equal_the_counts_over_the_whole_set(class_id: int) -> None:
    dice, iou = Dice(3, class_id), IoU(3, class_id)
    counts = np.zeros((3, 3), np.int64)
    for seed in range(3):
        masks, probabilities = random_batch(3, seed, batch=seed + 1)
        dice.update_state(masks, probabilities)
        iou.update_state(masks, probabilities)
        counts += confusion(masks, probabilities.argmax(axis=-1).astype(np.uint8), 3)
    expected_dice, expected_iou, *_ = score_values(counts, class_id)
    assert float(dice.result()) == pytest.approx(expected_dice, abs=1e-6)
    assert float(iou.result()) == pytest.approx(expected_iou, abs=1e-6)


def test_mean_over_classes_is_the_mean_of_the_class_scores() -> None:
    masks, probabilities = random_batch(3)
    mean = Dice(3)
    mean.update_state(masks, probabilities)
    singles = []
    for class_id in range(3):
        one = Dice(3, class_id)
        one.update_state(masks, probabilities)
        singles.append(float(one.result()))
    assert float(mean.result()) == pytest.approx(np.mean(singles), abs=1e-6)


def test_absent_class_that_is_not_predicted_scores_one() -> None:
    metric = Dice(3, class_id=2)
    probabilities = np.zeros((1, 2, 2, 3), np.float32)
    probabilities[..., 0] = 1.0
    metric.update_state(np.zeros((1, 2, 2), np.uint8), probabilities)
    assert float(metric.result()) == 1.0


def test_single_channel_is_the_probability_of_class_one() -> None:
    metric = Dice(2, class_id=1)
    metric.update_state(
        np.array([[[1, 1, 0, IGNORE]]], np.uint8),
        np.array([[[[0.9], [0.2], [0.8], [0.9]]]], np.float32),
    )
    assert float(metric.result()) == pytest.approx(0.5)


def test_reset_forgets_what_was_counted() -> None:
    metric = IoU(2, class_id=1)
    metric.update_state(np.ones((1, 2, 2), np.uint8), np.full((1, 2, 2, 1), 0.1, np.float32))
    assert float(metric.result()) == 0.0
    metric.reset_state()
    metric.update_state(np.ones((1, 2, 2), np.uint8), np.full((1, 2, 2, 1), 0.9, np.float32))
    assert float(metric.result()) == 1.0


def test_experiments_metric_follows_its_own_formula_image_by_image() -> None:
    metric = DiceCoefMulticlass()
    expected = []
    for seed, batch in ((0, 2), (1, 3)):
        rng = np.random.default_rng(seed)
        masks = rng.integers(0, 2, (batch, 5, 4)).astype(np.uint8)
        probabilities = rng.dirichlet([1, 1], masks.shape).astype(np.float32)
        metric.update_state(masks, probabilities)
        truth = np.eye(2)[masks]
        for t, p in zip(truth, probabilities, strict=True):
            expected.append((2 * (t * p).sum() + 1) / (t.sum() + p.sum() + 1))
    assert float(metric.result()) == pytest.approx(np.mean(expected), rel=1e-5)


def test_experiments_metric_leaves_padding_out() -> None:
    masks = np.array([[[1, 0], [IGNORE, IGNORE]]], np.uint8)
    right = np.array([[[[0, 1], [1, 0]], [[1, 0], [0, 1]]]], np.float32)
    metric = DiceCoefMulticlass()
    metric.update_state(masks, right)
    assert float(metric.result()) == pytest.approx(1.0)


def test_metric_can_be_made_again_from_its_config() -> None:
    metric = make_metric("iou", classes=4)
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert isinstance(again, IoU)
    assert (again.name, again.classes, again.class_id) == ("iou", 4, 1)


@pytest.mark.parametrize("name", ["dice", "iou", "dice_coef_multiclass"])
def test_sums_of_several_batches_are_worth_as_much_as_the_batches(name: str) -> None:
    batches = [random_batch(3, seed, batch=seed + 1) for seed in range(3)]
    told, added, at_once = (make_metric(name, classes=3) for _ in range(3))
    sums = []
    for batch in batches:
        told.update_state(*batch)
        if name == "dice_coef_multiclass":
            sums.append([one.numpy() for one in soft_accuracy(*batch)])
        else:
            sums.append([confusion_counts(*batch, classes=3).numpy()])
        added.add(*sums[-1])
    at_once.add(*(sum(some) for some in zip(*sums, strict=True)))
    assert float(added.result()) == float(told.result()) > 0.0
    assert float(at_once.result()) == pytest.approx(float(told.result()), rel=1e-6)


def test_confusion_counts_are_those_of_plain_counting() -> None:
    masks, probabilities = random_batch(3)
    counts = confusion_counts(masks, probabilities, classes=3).numpy()
    predicted = probabilities.argmax(axis=-1).astype(np.uint8)
    np.testing.assert_array_equal(counts, confusion(masks, predicted, 3))
    assert counts.sum() == (masks != IGNORE).sum()


def test_images_without_any_label_do_not_count_in_the_experiments_metric() -> None:
    masks, probabilities = random_batch(2, batch=4)
    masks[[1, 3]] = IGNORE
    with_blanks, without = DiceCoefMulticlass(), DiceCoefMulticlass()
    with_blanks.update_state(masks, probabilities)
    without.update_state(masks[[0, 2]], probabilities[[0, 2]])
    assert float(with_blanks.result()) == pytest.approx(float(without.result()), rel=1e-6)
    assert float(with_blanks.count) == 2.0
    with_blanks.update_state(np.full_like(masks, IGNORE), probabilities)
    assert float(with_blanks.result()) == pytest.approx(float(without.result()), rel=1e-6)
