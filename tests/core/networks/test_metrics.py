"""Metrics of training against plain counting and scikit-learn."""

import doctest

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score, recall_score

from landslide_cli.core.networks import metrics
from landslide_cli.core.networks.metrics import (
    all_classes,
    confusion_counts,
    dice,
    iou,
    mean_dice,
    mean_iou,
    mean_soft_accuracy,
    sensitivity,
    soft_accuracy,
    specificity,
    with_background,
)
from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.confusion import confusion


def random_batch(classes: int, seed: int = 0, batch: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, classes, (batch, 8, 6)).astype(np.uint8)
    masks[rng.random(masks.shape) < 0.2] = IGNORE
    scores = rng.random((*masks.shape, classes)).astype(np.float32)
    return masks, scores / scores.sum(axis=-1, keepdims=True)


def soft_accuracy_of(*batches: tuple[np.ndarray, np.ndarray]) -> float:
    sums = np.sum([[float(value) for value in soft_accuracy(*batch)] for batch in batches], axis=0)
    return mean_soft_accuracy(*sums)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_dice_and_iou_of_summed_counts_are_those_of_all_pixels(index: int) -> None:
    batches = [random_batch(3, seed, batch=seed + 1) for seed in range(3)]
    counts = sum(confusion_counts(*batch, classes=3).numpy() for batch in batches)
    truth = np.concatenate([masks.ravel() for masks, _ in batches])
    predicted = np.concatenate([values.argmax(axis=-1).ravel() for _, values in batches])
    labelled = truth != IGNORE
    pixels = truth[labelled] == index, predicted[labelled] == index
    assert dice(counts, (index,)) == np.float32(f1_score(*pixels))
    assert iou(counts, (index,)) == np.float32(jaccard_score(*pixels))


def test_scores_of_several_classes_are_their_mean_by_scikit_learn() -> None:
    masks, probabilities = random_batch(5)
    counts = confusion_counts(masks, probabilities, classes=5).numpy()
    labelled = masks != IGNORE
    pixels = masks[labelled], probabilities.argmax(axis=-1)[labelled]
    some = {"labels": [1, 3], "average": "macro"}
    assert dice(counts, (1, 3)) == np.float32(f1_score(*pixels, **some))
    assert iou(counts, (1, 3)) == np.float32(jaccard_score(*pixels, **some))
    assert sensitivity(counts, (1, 3)) == np.float32(recall_score(*pixels, **some))
    assert mean_dice(counts) == np.float32(f1_score(*pixels, average="macro"))
    assert mean_iou(counts) == np.float32(jaccard_score(*pixels, average="macro"))


def test_a_background_without_an_output_has_the_probability_0() -> None:
    _, probabilities = random_batch(3)
    answer = with_background(probabilities, 4).numpy()
    np.testing.assert_array_equal(answer[..., 1:], probabilities)
    assert not answer[..., 0].any()
    assert with_background(probabilities, 3) is probabilities
    assert with_background(probabilities[..., :1], 2).shape[-1] == 1


def test_class_that_is_neither_present_nor_predicted_scores_one() -> None:
    counts = np.diag([4.0, 0.0, 2.0])
    assert dice(counts) == iou(counts) == 1.0


def test_class_that_is_only_predicted_scores_zero() -> None:
    counts = np.array([[4.0, 1.0], [0.0, 0.0]])
    assert dice(counts) == iou(counts) == 0.0


def test_example_in_the_documentation_is_right() -> None:
    result = doctest.testmod(metrics)
    assert (result.attempted, result.failed) == (1, 0)


def test_confusion_counts_are_those_of_plain_counting() -> None:
    masks, probabilities = random_batch(3)
    counts = confusion_counts(masks, probabilities, classes=3).numpy()
    predicted = probabilities.argmax(axis=-1).astype(np.uint8)
    np.testing.assert_array_equal(counts, confusion(masks, predicted, 3))
    assert counts.sum() == (masks != IGNORE).sum()


def test_counts_stay_exact_beyond_the_integers_of_float32() -> None:
    counts = confusion_counts(*random_batch(2), classes=2)
    np.testing.assert_array_equal(counts + 2.0**40 - 2.0**40, counts)


def test_single_channel_is_the_probability_of_class_one() -> None:
    masks = np.array([[[1, 1, 0, IGNORE]]], np.uint8)
    probabilities = np.array([[[[0.9], [0.2], [0.8], [0.9]]]], np.float32)
    assert confusion_counts(masks, probabilities, 2).numpy().tolist() == [[0, 1], [1, 1]]
    both = all_classes(probabilities).numpy()
    np.testing.assert_allclose(both, np.concatenate([1 - probabilities, probabilities], axis=-1))
    assert soft_accuracy_of((masks, probabilities)) == soft_accuracy_of((masks, both))


def test_published_metric_follows_its_own_formula_image_by_image() -> None:
    batches, expected = [], []
    for seed, batch in ((0, 2), (1, 3)):
        rng = np.random.default_rng(seed)
        masks = rng.integers(0, 2, (batch, 5, 4)).astype(np.uint8)
        probabilities = rng.dirichlet([1, 1], masks.shape).astype(np.float32)
        batches.append((masks, probabilities))
        truth = np.eye(2)[masks]
        for t, p in zip(truth, probabilities, strict=True):
            expected.append((2 * (t * p).sum() + 1) / (t.sum() + p.sum() + 1))
    assert soft_accuracy_of(*batches) == pytest.approx(np.mean(expected), rel=1e-5)


def test_published_metric_leaves_padding_out() -> None:
    masks = np.array([[[1, 0], [IGNORE, IGNORE]]], np.uint8)
    right = np.array([[[[0, 1], [1, 0]], [[1, 0], [0, 1]]]], np.float32)
    assert soft_accuracy_of((masks, right)) == pytest.approx(1.0)


def test_images_without_any_label_do_not_count_in_the_published_metric() -> None:
    masks, probabilities = random_batch(2, batch=4)
    masks[[1, 3]] = IGNORE
    labelled = masks[[0, 2]], probabilities[[0, 2]]
    blank = np.full_like(masks, IGNORE), probabilities
    assert float(soft_accuracy(masks, probabilities)[1]) == 2.0
    expected = pytest.approx(soft_accuracy_of(labelled), rel=1e-6)
    assert soft_accuracy_of((masks, probabilities)) == expected
    assert soft_accuracy_of((masks, probabilities), blank) == expected
    assert soft_accuracy_of(blank) == 0.0


def test_sensitivity_and_specificity_are_the_recalls_of_foreground_and_the_rest() -> None:
    masks, probabilities = random_batch(2)
    counts = confusion_counts(masks, probabilities, 2).numpy()
    labelled = masks != IGNORE
    truth, predicted = masks[labelled], probabilities.argmax(axis=-1)[labelled]
    found, kept = recall_score(truth, predicted, average=None)[::-1]
    assert sensitivity(counts) == pytest.approx(found, rel=1e-6)
    assert specificity(counts) == pytest.approx(kept, rel=1e-6)
    assert specificity(np.array([[0, 0], [2, 3]])) == 1.0
