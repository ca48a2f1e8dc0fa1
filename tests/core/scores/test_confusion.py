"""Scores agree with counting pixel by pixel and with scikit-learn."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score, jaccard_score, precision_recall_fscore_support

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.confusion import (
    SCORE_NAMES,
    confusion,
    foreground_scores,
    mean_scores,
    score_values,
    share,
    together,
)

Values = NDArray[np.float64]
Pairs = list[tuple[int, int]]  # true and predicted class of each pixel


@st.composite
def labelled_pixels(draw: st.DrawFn) -> tuple[int, Pairs]:
    classes = draw(st.integers(2, 5))
    # Often classes are absent; values that are of no class are unlabelled.
    present = draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=classes))
    truth = st.sampled_from([*present, classes, IGNORE])
    prediction = st.integers(0, classes - 1)
    return classes, draw(st.lists(st.tuples(truth, prediction), max_size=40))


def columns(pairs: Pairs) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    both = np.array(pairs, np.uint8).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@given(labelled_pixels())
def test_confusion_counts_labelled_pixels_by_true_and_predicted_class(
    pixels: tuple[int, Pairs],
) -> None:
    classes, pairs = pixels
    counts = confusion(*columns(pairs), classes)
    assert counts.dtype == np.int64
    for true in range(classes):
        for predicted in range(classes):
            assert counts[true, predicted] == pairs.count((true, predicted))
    assert counts.sum() == sum(true < classes for true, _ in pairs)


@given(labelled_pixels())
@example((3, []))
@example((2, [(IGNORE, 1), (IGNORE, 0)]))
@example((2, [(0, 0)]))
@example((2, [(0, 1)]))
@example((2, [(1, 0)]))
def test_scores_follow_their_definitions(pixels: tuple[int, Pairs]) -> None:
    classes, pairs = pixels
    counts = confusion(*columns(pairs), classes)
    labelled = [pair for pair in pairs if pair[0] < classes]
    for index in range(classes):
        true = {i for i, (t, _) in enumerate(labelled) if t == index}
        predicted = {i for i, (_, p) in enumerate(labelled) if p == index}
        both, either = len(true & predicted), len(true | predicted)
        assert counts[index].sum() == len(true)
        if not either:
            expected = [1.0, 1.0, 1.0, 1.0]
        else:
            expected = [
                2 * both / (len(true) + len(predicted)),
                both / either,
                both / len(predicted) if predicted else 0.0,
                both / len(true) if true else 0.0,
            ]
        np.testing.assert_allclose(score_values(counts, index), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("truth", "prediction", "score"),
    [([0, 0], [0, 0], 1.0), ([0, 0], [1, 0], 0.0), ([1, 0], [0, 0], 0.0), ([IGNORE], [1], 1.0)],
)
def test_an_absent_class_scores_1_unless_there_are_errors(
    truth: list[int], prediction: list[int], score: float
) -> None:
    counts = confusion(np.array(truth, np.uint8), np.array(prediction, np.uint8), 2)
    assert score_values(counts, 1).tolist() == [score] * 4


def test_counts_of_tiles_add_up() -> None:
    rng = np.random.default_rng(5)
    truth = rng.choice(np.array([0, 1, 2, IGNORE], np.uint8), (2, 9, 11))
    prediction = rng.integers(0, 3, (2, 9, 11), np.uint8)
    summed = sum(confusion(truth[i], prediction[i], 3) for i in range(2))
    np.testing.assert_array_equal(summed, confusion(truth, prediction, 3))


def test_counts_of_many_classes_do_not_overflow() -> None:
    last = np.full((300, 300), 253, np.uint8)
    counts = confusion(last, last, 254)
    assert counts.shape == (254, 254)
    assert counts[253, 253] == 90_000
    assert counts.sum() == 90_000
    assert score_values(counts, 253).tolist() == [1.0] * 4


@given(labelled_pixels())
@example((2, []))
@example((2, [(0, 0)]))
@example((3, [(0, 1), (IGNORE, 2)]))
def test_scores_agree_with_scikit_learn(pixels: tuple[int, Pairs]) -> None:
    classes, pairs = pixels
    counts = confusion(*columns(pairs), classes)
    # scikit-learn fails without pixels: one pixel of another class changes no score.
    labelled = [pair for pair in pairs if pair[0] < classes] + [(classes, classes)]
    truth, prediction = columns(labelled)
    for index in range(classes):
        kwargs = {"labels": [index], "average": None}
        # 0 / 0 scores 1 without errors, and 0 with errors.
        absent = float(((truth == index) == (prediction == index)).all())
        precision, recall, dice, _ = precision_recall_fscore_support(
            truth, prediction, zero_division=absent, **kwargs
        )
        iou = jaccard_score(truth, prediction, zero_division=absent, **kwargs)
        expected = np.array([dice, iou, precision, recall])[:, 0]
        np.testing.assert_allclose(score_values(counts, index), expected, rtol=1e-12)


@given(labelled_pixels())
@example((3, [(0, 0), (1, 0)]))
@example((4, [(1, 2), (IGNORE, 3)]))
def test_means_over_classes_agree_with_scikit_learn(pixels: tuple[int, Pairs]) -> None:
    classes, pairs = pixels
    counts = confusion(*columns(pairs), classes)
    labelled = [pair for pair in pairs if pair[0] < classes]
    assume(labelled)
    truth, prediction = columns(labelled)
    # By itself scikit-learn averages over the classes that are in either, as meant here.
    dice = f1_score(truth, prediction, average="macro")
    iou = jaccard_score(truth, prediction, average="macro")
    np.testing.assert_allclose(mean_scores(counts)[:2], [dice, iou], rtol=1e-12)
    there = [index for index in range(1, classes) if np.any([truth == index, prediction == index])]
    expected = f1_score(truth, prediction, labels=there, average="macro") if there else 1.0
    foreground = range(1, classes)
    np.testing.assert_allclose(foreground_scores(counts, foreground)[0], expected, rtol=1e-12)


@given(labelled_pixels())
def test_classes_taken_together_are_scored_as_one(pixels: tuple[int, Pairs]) -> None:
    classes, pairs = pixels
    some = [0, classes - 1]
    truth, prediction = columns([pair for pair in pairs if pair[0] < classes])
    true, mapped = (np.isin(values, some).astype(np.uint8) for values in (truth, prediction))
    expected = score_values(confusion(true, mapped, 2), 1)
    np.testing.assert_array_equal(together(confusion(truth, prediction, classes), some), expected)


@pytest.mark.parametrize("scores", [lambda counts: score_values(counts, 2), mean_scores])
def test_stacked_matrices_are_scored_independently(scores: Callable[..., Values]) -> None:
    counts = np.random.default_rng(3).integers(0, 3, (5, 40, 3, 3))
    values = scores(counts)
    assert values.shape == (5, 40, len(SCORE_NAMES))
    assert values.dtype == np.float64
    for index in np.ndindex(5, 40):
        np.testing.assert_array_equal(values[index], scores(counts[index]))


def test_scores_of_float64_sums_equal_those_of_integer_counts() -> None:
    counts = np.random.default_rng(4).integers(0, 10**9, (100, 2, 2))
    np.testing.assert_array_equal(
        score_values(counts, 1), score_values(counts.astype(np.float64), 1)
    )


def test_a_share_of_zero_is_the_value_of_empty() -> None:
    parts, wholes = np.array([0, 1, 0, 0]), np.array([0, 2, 4, 0])
    np.testing.assert_array_equal(share(parts, wholes, empty=1.0), [1.0, 0.5, 0.0, 1.0])
    empty = np.array([True, True, True, False])
    np.testing.assert_array_equal(share(parts, wholes, empty=empty), [1.0, 0.5, 0.0, 0.0])
