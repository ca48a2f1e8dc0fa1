"""Tiled prediction of whole scenes, with a model that is one line of NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from landslide_cli.core.tiling.layout import Tiling
from landslide_cli.core.tiling.predict import (
    channels_of,
    class_probabilities,
    foreground_probability,
    mask_of,
    model_channels,
    predict_scene,
)
from landslide_cli.core.tiling.source import ImageSource
from landslide_cli.core.tiling.streaming import Predict


class Brightness:
    """Predicts the first band's brightness, and keeps the shapes of the batches it was given."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.dtypes: set[np.dtype[np.generic]] = set()

    def __call__(self, windows: NDArray[np.generic]) -> NDArray[np.float32]:
        self.shapes.append(windows.shape)
        self.dtypes.add(windows.dtype)
        bright = windows[..., 0].astype(np.float32) / 255
        return bright[..., None].astype(np.float32)


def predicted(
    predict: Predict, image: NDArray[np.uint8], tiling: Tiling, classes: int = 2
) -> NDArray[np.float32]:
    """The probabilities of a scene in memory."""
    layout = tiling.layout(*image.shape[:2])
    probabilities, valid = predict_scene(
        ImageSource(image), predict, layout, channels_of(classes), tiling.batch
    )
    assert valid is None
    return probabilities


def noise(rows: int, cols: int, bands: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng([rows, cols]).integers(0, 256, (rows, cols, bands), np.uint8)


def ramp(rows: int, cols: int, bands: int = 3) -> NDArray[np.uint8]:
    line = np.linspace(0, 255, cols).astype(np.uint8)
    return np.repeat(np.tile(line, (rows, 1))[..., None], bands, axis=-1)


@pytest.mark.parametrize(
    ("rows", "cols"), [(16, 16), (1, 1), (5, 9), (3, 120), (120, 3), (37, 50), (64, 48)]
)
def test_a_scene_of_any_size_is_predicted_at_its_own_size(rows: int, cols: int) -> None:
    image = noise(rows, cols)
    probabilities = predicted(Brightness(), image, Tiling(tile=16, overlap=4))
    assert probabilities.shape == (rows, cols, 1)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities[..., 0], image[..., 0] / 255, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 2, 5, 7, 100])
def test_the_result_does_not_depend_on_the_batch(batch: int) -> None:
    image, predict = noise(40, 52), Brightness()
    tiling = Tiling(tile=16, overlap=4, batch=batch)
    probabilities = predicted(predict, image, tiling)
    one_by_one = predicted(Brightness(), image, Tiling(tile=16, overlap=4))
    np.testing.assert_array_equal(probabilities, one_by_one)
    assert predict.shapes == [(batch, 16, 16, 3)] * -(-3 * 4 // batch)


@pytest.mark.parametrize("bands", [1, 3, 5])
def test_the_model_is_given_whole_uint8_windows_with_all_bands(bands: int) -> None:
    predict = Brightness()
    for scale in (1.0, 0.5, 2.0):
        predicted(predict, noise(21, 10, bands), Tiling(16, 4, scale=scale))
    assert {shape[1:] for shape in predict.shapes} == {(16, 16, bands)}
    assert predict.dtypes == {np.dtype(np.uint8)}


@pytest.mark.parametrize("scale", [0.5, 0.3, 1.5, 2.0])
@pytest.mark.parametrize(("rows", "cols"), [(40, 60), (33, 47), (1, 1), (1, 90)])
def test_a_resized_scene_is_predicted_at_its_own_size(scale: float, rows: int, cols: int) -> None:
    image = np.full((rows, cols, 3), 51, np.uint8)
    probabilities = predicted(Brightness(), image, Tiling(16, 4, scale=scale))
    assert probabilities.shape == (rows, cols, 1)
    np.testing.assert_allclose(probabilities, 0.2, atol=1e-6)


def test_half_the_size_takes_a_quarter_of_the_windows() -> None:
    whole, half = Brightness(), Brightness()
    predicted(whole, noise(64, 96), Tiling(16, 0))
    predicted(half, noise(64, 96), Tiling(16, 0, scale=0.5))
    assert len(whole.shapes) == 4 * len(half.shapes) == 24


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_resized_prediction_stays_where_it_belongs(scale: float) -> None:
    image = ramp(32, 64)
    probabilities = predicted(Brightness(), image, Tiling(16, 4, scale=scale))
    inner = np.s_[:, 2:-2]
    np.testing.assert_allclose(probabilities[..., 0][inner], image[..., 0][inner] / 255, atol=0.01)


@pytest.mark.parametrize("classes", [3, 7, 130])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_resized_prediction_keeps_every_class(classes: int, scale: float) -> None:
    shares = np.arange(1, classes + 1, dtype=np.float32) * 2 / (classes * (classes + 1))

    def predict(windows: NDArray[np.generic]) -> NDArray[np.float32]:
        return np.broadcast_to(shares, (*windows.shape[:3], classes))

    probabilities = predicted(predict, noise(20, 30), Tiling(16, 4, scale=scale), classes)
    assert probabilities.shape == (20, 30, classes)
    np.testing.assert_allclose(probabilities[3, 5], shares, atol=1e-6)


def test_the_image_is_left_as_it_was() -> None:
    image = noise(20, 30)
    before = image.copy()
    predicted(Brightness(), image, Tiling(16, 4, scale=0.5))
    np.testing.assert_array_equal(image, before)


def test_a_mask_holds_the_most_probable_class() -> None:
    probabilities = np.array([[[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]]], np.float32)
    mask = mask_of(probabilities)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, [[1, 0]])


@given(
    arrays(np.float32, (6, 3), elements=st.floats(0.0, 1.0, width=32)),
    st.integers(1, 999).map(lambda number: number / 1000),
)
def test_foreground_is_where_its_probability_reaches_the_threshold(
    values: NDArray[np.float32], threshold: float
) -> None:
    three = values / np.maximum(values.sum(axis=-1, keepdims=True), np.float32(1e-3))
    for probabilities in (values[..., :1], three):
        mask = mask_of(probabilities, threshold)
        reached = foreground_probability(probabilities) >= np.float32(threshold)
        assert ((mask > 0) == reached).all()
    classes = mask_of(three, threshold)
    best = 1 + three[..., 1:].argmax(axis=-1)
    assert (classes[classes > 0] == best[classes > 0]).all()


def test_of_a_chosen_foreground_the_threshold_decides_between_it_and_the_rest() -> None:
    probabilities = np.array(
        [[0.4, 0.1, 0.2, 0.3], [0.1, 0.2, 0.5, 0.2], [0.3, 0.3, 0.1, 0.3]], np.float32
    )
    np.testing.assert_allclose(foreground_probability(probabilities, (1, 3)), [0.4, 0.4, 0.6])
    assert mask_of(probabilities, 0.5, (1, 3)).tolist() == [0, 2, 1]
    assert mask_of(probabilities, 0.4, (1, 3)).tolist() == [3, 1, 1]
    assert mask_of(probabilities, None, (1, 3)).tolist() == [0, 2, 0]


@given(
    arrays(np.float32, (6, 4), elements=st.floats(0.0, 1.0, width=32)),
    st.integers(1, 999).map(lambda number: number / 1000),
)
def test_a_choice_of_all_classes_but_the_first_is_the_default(
    values: NDArray[np.float32], threshold: float
) -> None:
    values[:, 0] = 0.5  # sums of float32 differ from complements in the last bit
    four = values / np.maximum(values.sum(axis=-1, keepdims=True), np.float32(1e-3))
    near = np.abs(foreground_probability(four) - threshold) < 1e-5
    same = mask_of(four, threshold) == mask_of(four, threshold, (1, 2, 3))
    assert (same | near).all()


def test_a_background_without_an_output_is_never_mapped() -> None:
    softmax = np.array([[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]], np.float32)
    probabilities = model_channels(softmax, adds_background=True)
    assert probabilities.shape == (3, channels_of(3))
    np.testing.assert_array_equal(class_probabilities(probabilities)[:, 1:], softmax)
    for threshold in (None, 0.001, 0.999):
        assert mask_of(probabilities, threshold).tolist() == [1, 2, 1]


def test_without_a_threshold_background_wins_a_tie() -> None:
    for probabilities in ([[0.5]], [[0.5, 0.3, 0.2]], [[0.4, 0.4, 0.2]]):
        assert mask_of(np.array(probabilities, np.float32)).tolist() == [0]
    assert mask_of(np.array([[0.5]], np.float32), 0.5).tolist() == [1]


def test_a_single_channel_is_the_foreground() -> None:
    probabilities = np.array([[[0.2], [0.5], [0.500001], [1.0]]], np.float32)
    assert mask_of(probabilities).tolist() == [[0, 0, 1, 1]]
    assert mask_of(probabilities, 0.5).tolist() == [[0, 1, 1, 1]]
    assert mask_of(probabilities, 0.9).tolist() == [[0, 0, 0, 1]]
    assert mask_of(probabilities).dtype == np.uint8


@given(
    arrays(np.float32, (6, 1), elements=st.floats(0.0, 1.0, width=32)),
    st.none() | st.integers(1, 999).map(lambda number: number / 1000),
)
def test_a_softmax_of_two_classes_gives_the_mask_of_a_sigmoid(
    foreground: NDArray[np.float32], threshold: float | None
) -> None:
    softmax = np.concatenate([1 - foreground, foreground], axis=-1)
    kept = model_channels(softmax)
    np.testing.assert_array_equal(kept, model_channels(foreground))
    np.testing.assert_array_equal(mask_of(kept, threshold), mask_of(foreground, threshold))
    np.testing.assert_array_equal(class_probabilities(kept), softmax)


@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (3, 3), (7, 7)])
def test_more_classes_than_two_keep_a_channel_each(classes: int, channels: int) -> None:
    softmax = np.full((4, classes), 1 / classes, np.float32)
    assert channels_of(classes) == channels == model_channels(softmax).shape[-1]
    np.testing.assert_array_equal(class_probabilities(model_channels(softmax)), softmax)
