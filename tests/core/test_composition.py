"""What a composition says of its bands."""

from landslide_cli.core.arrays import DEVIATION, MEAN
from landslide_cli.core.composition import Band, Composition

RED = Band("red", 3, scaling="range", low=0.0, high=100.0)
GREEN = Band("Green", 2)
BLUE = Band("blue", 1, scaling="percentiles", low=2.0, high=98.0)
HEIGHT = Band("height", 1, layer="dem", is_input=False)
SLOPE = Band(
    "slope", derived="slope", of=("height",), scaling="range", high=90.0, is_standardized=False
)
SCENE = Composition((BLUE, GREEN, RED, HEIGHT, SLOPE))


def test_inputs_are_what_the_model_sees() -> None:
    assert [band.name for band in SCENE.inputs] == ["blue", "Green", "red", "slope"]
    assert SCENE.layers == ("dem",)
    assert SCENE.numbers(None) == (1, 2, 3)
    assert SCENE.numbers("dem") == (1,)


def test_colours_are_found_by_name_in_any_case() -> None:
    assert SCENE.colours == (2, 1, 0)
    assert Composition((RED, SLOPE)).colours is None
    assert Composition((RED, SLOPE)).pictured == (0,)


def test_a_slope_is_neither_lit_nor_standardized() -> None:
    assert SCENE.lit == (0, 1, 2)
    assert SCENE.kept == (3,)


def test_terrain_needs_a_pixel_around() -> None:
    assert SCENE.halo == 1
    assert Composition((RED, GREEN)).halo == 0


def test_a_deviation_becomes_that_of_the_model() -> None:
    low, high = Band("red", scaling="deviations", low=10.0, high=2.0).limits
    level = (12.0 - low) * 255.0 / (high - low)
    assert abs(level - (MEAN + DEVIATION)) < 1e-9


def test_an_order_numbers_the_bands_of_the_scene_alone() -> None:
    ordered = SCENE.with_order((7, 8, 9))
    assert [band.number for band in ordered.bands] == [7, 8, 9, 1, 1]


def test_statistics_scale_the_bands_that_wait_for_them() -> None:
    scaled = SCENE.scaled_by({"Green": (5.0, 2.0), "red": (1.0, 1.0)})
    assert scaled.inputs[1].scaling == "deviations"
    assert (scaled.inputs[1].low, scaled.inputs[1].high) == (5.0, 2.0)
    assert scaled.inputs[2] == RED


def test_a_constant_band_is_not_divided_by_rounding_errors() -> None:
    def high(mean: float, deviation: float) -> float:
        return SCENE.scaled_by({"Green": (mean, deviation)}).inputs[1].high

    assert high(0.0, 0.0) == high(3000.0, 1e-5) == 1.0
    assert high(1e-8, 1e-9) == 1e-9


def test_tiles_hold_the_inputs_side_by_side() -> None:
    tiles = SCENE.of_tiles(standardized=False)
    assert [(band.name, band.number) for band in tiles.bands] == [
        ("blue", 1),
        ("Green", 2),
        ("red", 3),
        ("slope", 4),
    ]
    assert [band.scaling for band in tiles.bands] == ["file", "auto", "range", "range"]
    assert {band.scaling for band in SCENE.of_tiles(standardized=True).bands} == {"file"}
