"""The scores, against counting pixel by pixel."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.scores import class_scores, confusion

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
