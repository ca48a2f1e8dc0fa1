"""Class indices are converted to colours and back."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.palette import (
    IGNORE,
    Palette,
    UnknownColour,
    colour_counts,
    is_foreground,
)

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


@given(st.lists(COLOURS, max_size=20))
def test_colours_are_counted_in_their_order(colours: list[tuple[int, int, int]]) -> None:
    counts = colour_counts(np.array(colours, np.uint8).reshape(-1, 3))
    assert list(counts.items()) == sorted(Counter(colours).items())


def test_the_foreground_is_all_classes_but_the_first_unless_some_are_chosen() -> None:
    drone = Palette(("none", "buildings", "roads", "water"), tuple((i, 0, 0) for i in range(4)))
    assert drone.foreground == drone.meaningful[1:] == (1, 2, 3)
    some = replace(drone, chosen=(1, 3))
    assert some.foreground == (1, 3)
    mask = np.array([0, 1, 2, 3, IGNORE], np.uint8)
    np.testing.assert_array_equal(drone.only_foreground(mask), mask)
    assert some.only_foreground(mask).tolist() == [0, 1, 0, 3, IGNORE]
    assert is_foreground(some.only_foreground(mask)).tolist() == [False, True, False, True, False]


def test_a_background_that_is_ignored_has_no_meaning() -> None:
    palette = Palette(("none", "roof", "road"), ((0, 0, 0), (1, 0, 0), (2, 0, 0)))
    assert palette.meaningful == (0, 1, 2)
    assert replace(palette, ignores_background=True).meaningful == (1, 2)


@pytest.mark.parametrize(
    ("names", "subject", "plural", "polygons"),
    [
        (["landslide"], "landslide", "landslides", "landslides"),
        (["Rockslides"], "Rockslides", "landslides", "landslides"),
        (["old landslide", "new landslide"], "landslides", "landslides", "landslides"),
        (["buildings"], "buildings", "buildings", "polygons"),
        (["landslide", "buildings"], "objects", "objects", "polygons"),
    ],
)
def test_the_foreground_is_called_by_its_classes(
    names: list[str], subject: str, plural: str, polygons: str
) -> None:
    colours = tuple((i, 0, 0) for i in range(len(names) + 1))
    palette = Palette(("background", *names), colours)
    assert (palette.subject, palette.plural, palette.polygons) == (subject, plural, polygons)
