"""Class indices are converted to colours and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.palette import IGNORE, Palette, UnknownColour

CHANNELS = st.integers(0, 255)
COLOURS = st.tuples(CHANNELS, CHANNELS, CHANNELS)


@st.composite
def palettes(draw: st.DrawFn) -> Palette:
    colours = draw(st.lists(COLOURS, min_size=2, max_size=12, unique=True))
    return Palette(tuple(f"class {i}" for i in range(len(colours))), tuple(colours))


@given(palettes(), st.integers(0, 2**32 - 1))
def test_class_indices_survive_the_conversion_to_colours_and_back(
    palette: Palette, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, len(palette), (5, 7), np.uint8)
    indices, unknown = palette.indices_of(palette.colourise(mask))
    np.testing.assert_array_equal(indices, mask)
    assert indices.dtype == np.uint8
    assert unknown == []


def test_unlabelled_pixels_are_white(palette: Palette) -> None:
    mask = np.array([[0, 1, IGNORE]], np.uint8)
    np.testing.assert_array_equal(
        palette.colourise(mask), [[[0, 0, 0], [255, 0, 255], [255, 255, 255]]]
    )


@pytest.mark.parametrize("shape", [(), (4,), (4, 5), (2, 4, 5)])
def test_masks_of_any_shape_are_converted_to_colours(
    palette: Palette, shape: tuple[int, ...]
) -> None:
    assert palette.colourise(np.ones(shape, np.uint8)).shape == (*shape, 3)


def test_unknown_colours_are_counted_most_frequent_first(palette: Palette) -> None:
    rgb = np.zeros((4, 4, 3), np.uint8)
    rgb[0, 0] = (1, 2, 3)
    rgb[1, :3] = (0, 0, 255)
    rgb[2] = (255, 0, 255)
    indices, unknown = palette.indices_of(rgb)
    assert unknown == [UnknownColour((0, 0, 255), 3), UnknownColour((1, 2, 3), 1)]
    texts = [str(colour) for colour in unknown]
    assert texts == ["(0, 0, 255) on 3 pixels", "(1, 2, 3) on 1 pixels"]
    expected = np.zeros((4, 4), np.uint8)
    expected[0, 0] = expected[1, :3] = IGNORE
    expected[2] = 1
    np.testing.assert_array_equal(indices, expected)


def test_colours_are_compared_in_all_channels() -> None:
    palette = Palette(("a", "b", "c"), ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    rgb = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0), (1, 1, 0)], np.uint8)
    assert palette.indices_of(rgb)[0].tolist() == [0, 1, 2, IGNORE, IGNORE]


@given(palettes(), st.lists(COLOURS, min_size=1, max_size=20))
def test_no_class_is_nearer_than_the_nearest(
    palette: Palette, colours: list[tuple[int, int, int]]
) -> None:
    nearest = palette.nearest(colours)
    assert nearest.shape == (len(colours),)
    for colour, index in zip(colours, nearest.tolist(), strict=True):
        distances = [
            sum((a - b) ** 2 for a, b in zip(colour, other, strict=True))
            for other in palette.colours
        ]
        assert distances[index] == min(distances)


def test_the_main_class_is_the_first_after_the_background(palette: Palette) -> None:
    assert palette.names[palette.foreground] == "landslide"
    assert len(palette) == 2
