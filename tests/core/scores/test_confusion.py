"""The scores, against counting pixel by pixel and against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import jaccard_score, precision_recall_fscore_support

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores.confusion import (
    SCORE_NAMES,
    class_scores,
    confusion,
    score_values,
    share,
)

Pairs = list[tuple[int, int]]  # true and predicted class of each pixel


@st.composite
def labelled_pixels(draw: st.DrawFn) -> tuple[int, Pairs]:
    classes = draw(st.integers(2, 5))
    # Often not all classes are there; values that are no class have no label.
    present = draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=classes))
    truth = st.sampled_from([*present, classes, IGNORE])
    prediction = st.integers(0, classes - 1)
    return classes, draw(st.lists(st.tuples(truth, prediction), max_size=40))


def columns(pairs: Pairs) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    both = np.array(pairs, np.uint8).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@given(labelled_pixels())
def test_confusion_counts_labelled_pixels_by_true_and_predicted_class(
    given_pixels: tuple[int, Pairs],
) -> None:
    classes, pairs = given_pixels
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
def test_scores_follow_their_definitions(given_pixels: tuple[int, Pairs]) -> None:
    classes, pairs = given_pixels
    counts = confusion(*columns(pairs), classes)
    known = [pair for pair in pairs if pair[0] < classes]
    for index in range(classes):
        true = {i for i, (t, _) in enumerate(known) if t == index}
        found = {i for i, (_, p) in enumerate(known) if p == index}
        both, either = len(true & found), len(true | found)
        scores = class_scores(counts, index)
        assert scores.pixels == len(true)
        if not either:
            expected = (1.0, 1.0, 1.0, 1.0)
        else:
            expected = (
                2 * both / (len(true) + len(found)),
                both / either,
                both / len(found) if found else 0.0,
                both / len(true) if true else 0.0,
            )
        got = (scores.dice, scores.iou, scores.precision, scores.recall)
        assert all(map(math.isclose, got, expected)), (got, expected)


@pytest.mark.parametrize(
    ("truth", "prediction", "score"),
    [([0, 0], [0, 0], 1.0), ([0, 0], [1, 0], 0.0), ([1, 0], [0, 0], 0.0), ([IGNORE], [1], 1.0)],
)
def test_a_class_without_any_pixel_scores_1_unless_there_are_errors(
    truth: list[int], prediction: list[int], score: float
) -> None:
    counts = confusion(np.array(truth, np.uint8), np.array(prediction, np.uint8), 2)
    scores = class_scores(counts, 1)
    assert (scores.dice, scores.iou, scores.precision, scores.recall) == (score,) * 4


def test_counts_of_two_tiles_add_up_to_those_of_both_together() -> None:
    rng = np.random.default_rng(5)
    truth = rng.choice(np.array([0, 1, 2, IGNORE], np.uint8), (2, 9, 11))
    prediction = rng.integers(0, 3, (2, 9, 11), np.uint8)
    apart = sum(confusion(truth[i], prediction[i], 3) for i in range(2))
    np.testing.assert_array_equal(apart, confusion(truth, prediction, 3))


def test_counts_of_many_classes_do_not_overflow() -> None:
    last = np.full((300, 300), 253, np.uint8)
    counts = confusion(last, last, 254)
    assert counts.shape == (254, 254)
    assert counts[253, 253] == 90_000
    assert counts.sum() == 90_000
    assert class_scores(counts, 253).dice == 1.0


@given(labelled_pixels())
@example((2, []))
@example((2, [(0, 0)]))
@example((3, [(0, 1), (IGNORE, 2)]))
def test_scores_agree_with_scikit_learn(given_pixels: tuple[int, Pairs]) -> None:
    classes, pairs = given_pixels
    counts = confusion(*columns(pairs), classes)
    # Its sums over no pixels at all are errors: one pixel of another class changes no score.
    known = [pair for pair in pairs if pair[0] < classes] + [(classes, classes)]
    truth, prediction = columns(known)
    for index in range(classes):
        kwargs = {"labels": [index], "average": None}
        # What is 0 / 0 scores 1 if there is no error, and 0 if there is one.
        absent = float(((truth == index) == (prediction == index)).all())
        precision, recall, dice, _ = precision_recall_fscore_support(
            truth, prediction, zero_division=absent, **kwargs
        )
        iou = jaccard_score(truth, prediction, zero_division=absent, **kwargs)
        expected = np.array([dice, iou, precision, recall])[:, 0]
        np.testing.assert_allclose(score_values(counts, index), expected, rtol=1e-12)


def test_scores_of_many_matrices_are_those_of_each() -> None:
    counts = np.random.default_rng(3).integers(0, 3, (5, 40, 3, 3))
    values = score_values(counts, 2)
    assert values.shape == (5, 40, len(SCORE_NAMES))
    assert values.dtype == np.float64
    for place in np.ndindex(5, 40):
        scores = class_scores(counts[place], 2)
        assert values[place].tolist() == [getattr(scores, name) for name in SCORE_NAMES]


def test_scores_of_sums_in_float64_are_those_of_the_counts() -> None:
    counts = np.random.default_rng(4).integers(0, 10**9, (100, 2, 2))
    np.testing.assert_array_equal(
        score_values(counts, 1), score_values(counts.astype(np.float64), 1)
    )


def test_a_share_of_nothing_is_what_it_is_said_to_be() -> None:
    parts, wholes = np.array([0, 1, 0, 0]), np.array([0, 2, 4, 0])
    np.testing.assert_array_equal(share(parts, wholes, empty=1.0), [1.0, 0.5, 0.0, 1.0])
    each = np.array([True, True, True, False])
    np.testing.assert_array_equal(share(parts, wholes, empty=each), [1.0, 0.5, 0.0, 0.0])
