"""`bands` as a list: what its entries mean, and which do not go together."""

from collections.abc import Callable
from pathlib import Path

import pytest

from landslide_cli.core.composition import Band
from landslide_cli.profile import load_profile
from tests.profile.cases import message_of

Write = Callable[[str], Path]

SOURCE = "source: {images: a/*.tif, masks: m/*.tif, layers: {dem: dem.tif}}\n"


def bands(*entries: str) -> str:
    return SOURCE + "bands:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries)


def test_entries_are_numbered_by_their_places_in_their_files(write_profile: Write) -> None:
    text = bands(
        "name: red, range: [0, 10]",
        "name: dem, layer: dem, input: false",
        "name: nir, mean: 5, std: 2",
        "name: slope, derive: slope, of: dem",
        "name: ndvi, derive: normalized_difference, of: [nir, red]",
    )
    profile = load_profile(write_profile(text))
    assert profile.composition is not None
    assert profile.composition.bands == (
        Band("red", 1, scaling="range", low=0.0, high=10.0),
        Band("dem", 1, "dem", scaling="range", is_input=False, is_standardized=False),
        Band("nir", 2, scaling="deviations", low=5.0, high=2.0),
        Band(
            "slope",
            derived="slope",
            of=("dem",),
            scaling="range",
            high=90.0,
            is_standardized=False,
        ),
        Band(
            "ndvi",
            derived="normalized_difference",
            of=("nir", "red"),
            scaling="range",
            low=-1.0,
            high=1.0,
            is_standardized=False,
        ),
    )
    assert (profile.model_inputs, profile.own_bands) == (4, 2)
    assert profile.composition.takes_all


def test_plain_entries_only_order_the_bands_of_8_bits(write_profile: Write) -> None:
    profile = load_profile(write_profile(bands("name: red, band: 3", "name: green, band: 2")))
    assert profile.composition is None
    assert profile.band_order == (3, 2)
    assert profile.model_inputs == 2


def test_plain_entries_have_names_too(write_profile: Write) -> None:
    entries = [f"name: {name}" for name in ("blue", "green", "red", "nir")]
    hue = "train: {augment: {hue: {probability: 0.5}}}\n"
    profile = load_profile(write_profile(bands(*entries) + hue))
    assert profile.composition is None
    assert profile.named_bands is not None
    assert profile.named_bands.colours == (2, 1, 0)
    assert profile.named_bands.rgb_channels == (2, 1, 0, None)
    assert profile.shown_bands == (3, 2, 1)
    told = message_of(write_profile(bands(*entries[:2], entries[3]) + hue))
    assert "needs red, green and blue among `bands`" in told


def test_a_number_is_as_many_bands(write_profile: Write) -> None:
    profile = load_profile(write_profile("bands: 5"))
    assert (profile.composition, profile.band_order, profile.model_inputs) == (None, None, 5)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (["name: a, range: [1, 1]"], "bands.0.range"),
        (["name: a, range: [0, 1], auto: true"], "does not go with bands.0.range"),
        (["name: a, mean: 1"], "bands.0.std is missing beside it"),
        (["name: a, range: [0, 1]", "name: a, range: [0, 1]"], "two bands are called 'a'"),
        (["name: a, derive: slope"], "bands.0.of must name 1 of the bands"),
        (["name: a, of: b"], "bands.0.of needs bands.0.derive"),
        (["name: a, derive: slope, of: b"], "'b' is none of the bands listed before it"),
        (["name: a, auto: true, input: false"], "the model sees none"),
        (["name: a, layer: fire, range: [0, 1]"], "source.layers has no 'fire'"),
        (["name: a, derive: tilt, of: a"], "bands.0.derive"),
        (["name: 'a b', range: [0, 1]"], "bands.0.name"),
        (
            ["name: a, range: [0, 1]", "name: s, derive: slope, of: a, band: 2"],
            "does not go with bands.1.derive",
        ),
    ],
)
def test_bad_entries_are_told(write_profile: Write, entries: list[str], told: str) -> None:
    assert told in message_of(write_profile(bands(*entries)))


def test_what_needs_red_green_and_blue_finds_them_by_name(write_profile: Write) -> None:
    entries = [f"name: {name}, range: [0, 1]" for name in ("nir", "blue", "green", "red")]
    hue = "train: {augment: {hue: {probability: 0.5}}}\n"
    load_profile(write_profile(bands(*entries) + hue))
    told = message_of(write_profile(bands(*entries[:3]) + hue))
    assert "needs red, green and blue among `bands`" in told


def test_a_range_for_all_bands_goes_with_a_number_alone(write_profile: Write) -> None:
    text = bands("name: a, range: [0, 1]").replace("masks:", "value_range: [0, 5], masks:")
    assert "needs `bands: NUMBER`" in message_of(write_profile(text))


@pytest.mark.parametrize("numbers", ["[1]", "[3, 2, 1]"])
@pytest.mark.parametrize("scaling", ["", ", range: [0, 1]"])
def test_as_many_bands_are_chosen_for_maps_as_a_scene_has(
    write_profile: Write, numbers: str, scaling: str
) -> None:
    text = bands(f"name: a{scaling}", "name: b", "name: n, derive: difference, of: [a, b]")
    text = text if scaling else bands("name: a", "name: b")
    assert load_profile(write_profile(f"{text}infer: {{bands: [2, 1]}}\n")).shown_bands is None
    told = message_of(write_profile(f"{text}infer: {{bands: {numbers}}}\n"))
    assert "infer.bands must name 2 bands, as `bands` says" in told


def test_measured_bands_cannot_be_standardized_before(write_profile: Write) -> None:
    text = bands("name: a, auto: true") + "prepare: {standardize: true}\n"
    assert "does not go with prepare.standardize" in message_of(write_profile(text))
