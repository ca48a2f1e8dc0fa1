"""Fits of areas: known laws are found again, whatever the unit, and not where there is none."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from landslide_cli.core.frequency_area import FrequencyArea, InverseGamma, PowerLaw, frequency_area

Values = NDArray[np.float64]


def power_law(seed: int, count: int, exponent: float = 2.4) -> Values:
    shares = 1.0 - np.random.default_rng(seed).random(count)
    return np.asarray(100.0 * shares ** (-1.0 / (exponent - 1.0)))


def inverse_gamma(seed: int, count: int) -> Values:
    """Areas as in complete inventories: Malamud et al. 2004, in square metres."""
    rng = np.random.default_rng(seed)
    areas = 1280.0 / rng.gamma(1.4, 1.0, 2 * count) - 132.0
    return np.asarray(areas[areas > 0.0][:count])


def fits_of(found: FrequencyArea) -> tuple[PowerLaw, InverseGamma]:
    assert found.power_law is not None
    assert found.inverse_gamma is not None
    return found.power_law, found.inverse_gamma


@pytest.mark.parametrize("seed", [1, 2])
def test_exponent_of_a_power_law_is_within_its_interval(seed: int) -> None:
    law, _ = fits_of(frequency_area(power_law(seed, 2000), draws=60))
    low, high = law.exponent.interval
    assert low <= 2.4 <= high
    assert high - low < 0.4
    assert law.fits


@pytest.mark.parametrize("seed", [1, 2])
def test_exponent_of_an_inverse_gamma_is_within_its_interval(seed: int) -> None:
    _, gamma = fits_of(frequency_area(inverse_gamma(seed, 2000), draws=60))
    low, high = gamma.exponent.interval
    assert low <= 2.4 <= high
    assert high - low < 0.4
    assert gamma.rollover.value == pytest.approx(1280 / 2.4 - 132, rel=0.15)


def test_inverse_gamma_is_the_maximum_of_the_likelihood() -> None:
    areas = inverse_gamma(3, 300)
    _, gamma = fits_of(frequency_area(areas, draws=2))
    own = (gamma.rho.value, gamma.s.value, gamma.a.value)
    by_scipy = stats.invgamma.fit(areas, 1.4, loc=-132.0, scale=1280.0)
    likelihoods = [stats.invgamma.logpdf(areas, *fit).sum() for fit in (own, by_scipy)]
    assert likelihoods[0] > likelihoods[1] - 1e-3
    shown = np.geomspace(10.0, 1e6, 50)
    np.testing.assert_allclose(gamma.density(shown), stats.invgamma.pdf(shown, *own), rtol=1e-9)


def test_tail_begins_where_the_power_law_does() -> None:
    # Below 1,000 areas are as frequent as each other.
    rng = np.random.default_rng(5)
    areas = np.r_[rng.uniform(1.0, 1000.0, 1000), 10.0 * power_law(5, 1000)]
    law, _ = fits_of(frequency_area(areas, draws=2))
    assert 800.0 < law.lower_bound.value < 1600.0
    assert law.exponent.value == pytest.approx(2.4, abs=0.15)
    # By Hill's formula, on the landslides of the tail.
    tail = areas[areas >= law.lower_bound.value]
    assert law.landslides == len(tail)
    by_hand = 1.0 + len(tail) / np.log(tail / law.lower_bound.value).sum()
    assert law.exponent.value == pytest.approx(by_hand)
    distance = stats.kstest(
        np.log(tail / law.lower_bound.value), "expon", args=(0.0, 1.0 / (by_hand - 1.0))
    ).statistic
    # Measured at a part of the areas, it may miss a little of the greatest.
    assert 0.8 * distance < law.distance <= distance + 1e-12


def test_curves_of_the_tail_have_its_landslides() -> None:
    areas = power_law(6, 500)
    law, _ = fits_of(frequency_area(areas, draws=2))
    bound = law.lower_bound.value
    assert law.number(bound) == pytest.approx(law.landslides)
    grid = np.geomspace(bound, bound * 1e9, 4000)
    share = np.trapezoid(law.density(grid, len(areas)), grid)
    assert share == pytest.approx(law.landslides / len(areas), rel=1e-3)


@pytest.mark.parametrize("unit", [1e-6, 4.0, 1e6])
def test_exponents_do_not_depend_on_the_unit(unit: float) -> None:
    areas = inverse_gamma(7, 200)
    law, gamma = fits_of(frequency_area(areas, draws=5))
    scaled_law, scaled = fits_of(frequency_area(areas * unit, draws=5))
    assert scaled_law.exponent.value == pytest.approx(law.exponent.value)
    assert scaled_law.lower_bound.value == pytest.approx(unit * law.lower_bound.value)
    assert scaled.exponent.value == pytest.approx(gamma.exponent.value, rel=1e-4)
    assert scaled.a.value == pytest.approx(unit * gamma.a.value, rel=1e-3)
    assert scaled.exponent.interval == pytest.approx(gamma.exponent.interval, rel=1e-3)


def test_areas_of_another_kind_fit_no_power_law() -> None:
    areas = 1000.0 + 100.0 * np.random.default_rng(8).normal(size=1000)
    found = frequency_area(areas, draws=2)
    assert found.power_law is not None
    assert found.power_law.exponent.value > 5.0
    assert not frequency_area(np.linspace(1.0, 2.0, 60), draws=2).power_law.fits  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [0, 1, 49])
def test_nothing_is_fitted_to_fewer_than_fifty(count: int) -> None:
    areas = power_law(9, count)
    found = frequency_area(areas)
    assert found.landslides == count
    assert found.power_law is None
    assert found.inverse_gamma is None
    assert found.median == (None if count == 0 else pytest.approx(np.median(areas)))


def test_nothing_is_fitted_to_equal_areas() -> None:
    assert frequency_area(np.full(80, 25.0)).power_law is None


def test_areas_in_whole_pixels_are_fitted() -> None:
    areas = np.ceil(inverse_gamma(10, 1000) / 100.0) * 100.0
    law, gamma = fits_of(frequency_area(areas, draws=5))
    assert 1.9 < law.exponent.value < 2.9
    assert 1.9 < gamma.exponent.value < 2.9
    assert np.isfinite(gamma.exponent.interval).all()


def test_many_areas_equal_to_the_least_leave_no_inverse_gamma() -> None:
    found = frequency_area(np.ceil(power_law(10, 1000) / 100.0) * 100.0, draws=2)
    assert found.inverse_gamma is None
    assert found.power_law is not None


def test_order_does_not_matter_and_equal_seeds_give_equal_intervals() -> None:
    areas = power_law(11, 100)
    assert frequency_area(areas, draws=5) == frequency_area(areas[::-1], draws=5)
    assert frequency_area(areas, draws=5, seed=1) != frequency_area(areas, draws=5)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_areas_that_are_none_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        frequency_area([1.0, wrong])
