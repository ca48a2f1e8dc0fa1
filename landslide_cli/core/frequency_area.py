"""How many landslides there are of each size: the tail of a power law, and the inverse gamma.

Areas of landslides rise from few small ones to a most frequent size, the rollover, and fall off as
a power of the area. Inventories are compared by the exponent of that fall: about 2.4 for the
complete inventories of Malamud et al., "Landslide inventories and their statistical properties",
Earth Surface Processes and Landforms 29 (2004), doi:10.1002/esp.1064.

Both exponents here are those of the probability density, p(A) ~ A^-exponent.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

# Landslides from which on a distribution is fitted, and those that its tail has at least
# (Clauset et al. 2009, section 3.4: lower bounds are unreliable with fewer).
LEAST = 50

# Lower bounds that are tried, and areas at which distances are measured, at the most.
_BOUNDS, _POINTS = 60, 600
# Where the origin of the inverse gamma is sought: below the least area, in median areas.
_NEAREST, _FARTHEST, _STEPS = 1e-6, 1e2, 49


@dataclass(frozen=True)
class Estimate:
    """A parameter and its 95 % interval by the bootstrap."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class PowerLaw:
    """The tail p(A) = (exponent - 1) / lower_bound (A / lower_bound)^-exponent.

    `landslides` are those of at least the lower bound, `distance` is that of Kolmogorov and
    Smirnov between them and the law; it `fits` if that is no larger than in 95 % of samples of such
    a law (Stephens, "EDF statistics for goodness of fit", JASA 69 (1974), of the exponential
    distribution, which logarithms of the areas have then).
    """

    exponent: Estimate
    lower_bound: Estimate
    landslides: int
    distance: float
    fits: bool

    def density(self, areas: ArrayLike, total: int) -> Values:
        """Return the density at areas of the tail, as a share of `total` landslides per unit."""
        alpha, bound = self.exponent.value, self.lower_bound.value
        scale = self.landslides / total * (alpha - 1.0) / bound
        return np.asarray(scale * (np.asarray(areas, np.float64) / bound) ** -alpha)

    def number(self, areas: ArrayLike) -> Values:
        """Return how many landslides have at least each of some areas of the tail."""
        ratio = np.asarray(areas, np.float64) / self.lower_bound.value
        return np.asarray(self.landslides * ratio ** (1.0 - self.exponent.value))


@dataclass(frozen=True)
class InverseGamma:
    """p(A) = (a / (A - s))^(rho + 1) exp(-a / (A - s)) / (a Gamma(rho)), for A above s.

    `rho` is the shape, `exponent` rho + 1, `a` the scale and `s` the origin, both in the unit of
    the areas; `rollover` is the most frequent area, s + a / (rho + 1).
    """

    exponent: Estimate
    rho: Estimate
    a: Estimate
    s: Estimate
    rollover: Estimate

    def density(self, areas: ArrayLike) -> Values:
        """Return the density at areas above the origin, per unit of area."""
        rho, a = self.rho.value, self.a.value
        y = a / (np.asarray(areas, np.float64) - self.s.value)
        return np.asarray(np.exp((rho + 1.0) * np.log(y) - y - math.lgamma(rho)) / a)


@dataclass(frozen=True)
class FrequencyArea:
    """The distribution of areas, and what fits it.

    `landslides` are those whose areas were used, `median` and `largest` are None without any. Both
    fits are None below `LEAST` landslides; the inverse gamma also where the areas have no tail that
    it could describe.
    """

    landslides: int
    median: float | None
    largest: float | None
    power_law: PowerLaw | None = None
    inverse_gamma: InverseGamma | None = None
    bootstrap: dict[str, int] = field(default_factory=dict)


def frequency_area(areas: ArrayLike, draws: int = 400, seed: int = 0) -> FrequencyArea:
    """Fit the tail of a power law and the inverse gamma distribution to areas of landslides.

    The power law by maximum likelihood above the lower bound at which the distance of Kolmogorov
    and Smirnov is least (Clauset, Shalizi and Newman, "Power-law distributions in empirical data",
    SIAM Review 51 (2009), doi:10.1137/070710111); the inverse gamma, with its three parameters
    (Malamud et al. 2004, equation 3), by maximum likelihood. The intervals hold 95 % of draws of
    as many landslides with replacement, in each of which all parameters, the lower bound included,
    are estimated anew.

    For speed, up to 60 lower bounds are tried, and distances are measured at up to 600 of the
    areas: 80,000 landslides take seconds.

    Args:
        areas: of whole landslides, above 0, in any unit.
        draws: of the bootstrap.
        seed: of the draws.

    Raises:
        ValueError: an area is not above 0.
    """
    values = np.sort(np.asarray(areas, np.float64).ravel())
    if not (np.isfinite(values) & (values > 0.0)).all():
        raise ValueError("areas must be above 0")
    if values.size == 0:
        return FrequencyArea(0, None, None)
    summary = len(values), float(np.median(values)), float(values[-1])
    if len(values) < LEAST or values[0] == values[-1]:
        return FrequencyArea(*summary)
    tail, origin = _Tail(values), _Origin(values)
    ones = np.ones(len(values))
    best, fitted = tail.fit(ones), origin.fit(ones)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        times = rng.integers(0, len(values), len(values))
        weights = np.bincount(times, minlength=len(values)).astype(np.float64)
        gamma = _NO_FIT if fitted is None else origin.refit(weights, fitted.s)
        drawn.append((*tail.fit(weights)[:2], *gamma))
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    estimates = [
        Estimate(float(value), (float(a), float(b)))
        for value, a, b in zip((*best[:2], *(fitted or _NO_FIT)), low, high, strict=True)
    ]
    return FrequencyArea(
        *summary,
        PowerLaw(estimates[0], estimates[1], *best[2:], _is_exponential(*best[2:])),
        None if fitted is None else InverseGamma(*estimates[2:]),
        {"draws": draws, "seed": seed},
    )


class _Tail:
    """Fits power laws to sorted areas, of which each may count several times."""

    def __init__(self, values: Values) -> None:
        self._values, self._logs = values, np.log(values)
        count = len(values)
        # Denser among the many small areas than by logarithms, among the few large than evenly.
        ranks = np.unique((np.linspace(1.0, math.sqrt(count), _POINTS) ** 2).round().astype(int))
        tails = np.unique(np.geomspace(LEAST, count, _BOUNDS).round().astype(int))
        # Of equal areas the first stands for all; the largest bounds no tail.
        self._points = self._firsts(count - ranks)
        self._bounds = self._firsts(count - tails)
        self._beyond = np.searchsorted(values, values[self._points], side="right")

    def _firsts(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        found = self._values[indices]
        return np.unique(np.searchsorted(self._values, found[found < self._values[-1]]))

    def fit(self, weights: Values) -> tuple[float, float, int, float]:
        """Return exponent and lower bound, the number in the tail, and the distance there."""
        from_here, logs_from_here = (
            np.append(np.cumsum(terms[::-1])[::-1], 0.0)
            for terms in (weights, weights * self._logs)
        )
        bounds = self._bounds
        bounds = bounds[(from_here[bounds] >= LEAST) | (bounds == bounds[0])]
        numbers = from_here[bounds]
        excess = logs_from_here[bounds] - numbers * self._logs[bounds]
        slopes = numbers / np.maximum(excess, np.finfo(np.float64).tiny)
        # Shares of the tail that reach and that exceed each point, by the law and by the areas.
        points = self._points
        ratios = np.minimum(self._logs[bounds][:, None] - self._logs[points], 0.0)
        law = np.exp(slopes[:, None] * ratios)
        reach, exceed = (
            abs(from_here[index] / numbers[:, None] - law) for index in (points, self._beyond)
        )
        apart = np.where(points >= bounds[:, None], np.maximum(reach, exceed), 0.0)
        distances = apart.max(axis=1)
        best = int(distances.argmin())
        bound = float(self._values[bounds[best]])
        return 1.0 + float(slopes[best]), bound, int(numbers[best]), float(distances[best])


class _Fit(NamedTuple):
    """The parameters of an inverse gamma distribution, as of `InverseGamma`."""

    exponent: float
    rho: float
    a: float
    s: float
    rollover: float


_NO_FIT = _Fit(*[np.nan] * 5)


class _Origin:
    """Fits inverse gamma distributions to sorted areas, of which each may count several times.

    For a given origin s, 1 / (A - s) has a gamma distribution, whose two parameters follow at once;
    what remains is the maximum of the likelihood over the origin, here by the logarithm of its
    distance below the least area. Areas are in medians inside.
    """

    def __init__(self, values: Values) -> None:
        self._unit = float(np.median(values))
        self._values = values / self._unit

    def fit(self, weights: Values) -> _Fit | None:
        """Fit all parameters; None without a maximum."""
        places = np.linspace(math.log(_NEAREST), math.log(_FARTHEST), _STEPS)
        likelihoods = np.array([self._at(place, weights)[0] for place in places])
        # Many areas equal to the least, as of few pixels, have a likelihood without bound at them.
        inner = likelihoods[1:-1]
        peaks = np.flatnonzero((inner > likelihoods[:-2]) & (inner >= likelihoods[2:])) + 1
        if not peaks.size:
            return None
        best = int(peaks[likelihoods[peaks].argmax()])
        place = self._rising(weights, float(places[best - 1]), float(places[best + 1]))
        return self._parameters(place, weights)

    def refit(self, weights: Values, near: float) -> _Fit:
        """Fit a draw from the origin of all areas on, `near`, in their unit."""
        start = math.log(self._values[0] - near / self._unit)
        low, high = start - 0.2, start + 0.2
        step = 0.4
        while self._at(low, weights)[1] < 0.0 and low > math.log(_NEAREST):
            low, high, step = low - step, low, 2.0 * step
        while self._at(high, weights)[1] > 0.0 and high < math.log(_FARTHEST):
            low, high, step = high, high + step, 2.0 * step
        return self._parameters(self._rising(weights, low, high), weights)

    def _rising(self, weights: Values, low: float, high: float) -> float:
        """Return where the likelihood stops rising, between two places (Illinois method)."""
        at_low, at_high = self._at(low, weights)[1], self._at(high, weights)[1]
        if at_low <= 0.0 or at_high >= 0.0:
            return low if at_low <= 0.0 else high
        middle = low
        for _ in range(30):
            middle = (low * at_high - high * at_low) / (at_high - at_low)
            here = self._at(middle, weights)[1]
            if abs(here) < 1e-6:
                break
            if here > 0.0:
                low, at_low, at_high = middle, here, at_high / 2.0
            else:
                high, at_high, at_low = middle, here, at_low / 2.0
        return middle

    def _at(self, place: float, weights: Values) -> tuple[float, float]:
        """Return the mean log-likelihood of an origin, and its slope."""
        inverse, means, rho, scale = self._gamma(place, weights)
        mean, mean_log = means
        likelihood = rho * math.log(scale) - math.lgamma(rho) + (rho + 1.0) * mean_log - rho
        mean_square = float((weights * inverse**2).sum() / weights.sum())
        return likelihood, math.exp(place) * (scale * mean_square - (rho + 1.0) * mean)

    def _gamma(
        self, place: float, weights: Values
    ) -> tuple[Values, tuple[float, float], float, float]:
        """Return 1 / (A - s), its mean and that of its logarithm, and rho and a of an origin."""
        # Sums, not products of matrices: their threads would wait for each other on a busy machine.
        inverse = 1.0 / (self._values - self._values[0] + math.exp(place))
        total = float(weights.sum())
        mean = float((weights * inverse).sum()) / total
        mean_log = float((weights * np.log(inverse)).sum()) / total
        rho = _gamma_shape(math.log(mean) - mean_log)
        return inverse, (mean, mean_log), rho, rho / mean

    def _parameters(self, place: float, weights: Values) -> _Fit:
        _, _, rho, scale = self._gamma(place, weights)
        origin = float(self._values[0]) - math.exp(place)
        rollover = origin + scale / (rho + 1.0)
        unit = self._unit
        return _Fit(rho + 1.0, rho, unit * scale, unit * origin, unit * rollover)


def _is_exponential(count: int, distance: float) -> bool:
    """Whether a distance of Kolmogorov and Smirnov is below the 95 % point (Stephens 1974)."""
    root = math.sqrt(count)
    return (distance - 0.2 / count) * (root + 0.26 + 0.5 / root) <= 1.094


def _gamma_shape(excess: float) -> float:
    """Return the shape of a gamma distribution by maximum likelihood.

    Minka, "Estimating a gamma distribution", 2002: Newton's method on the inverse of the shape.

    Args:
        excess: logarithm of the mean over the mean of the logarithms, above 0.
    """
    excess = max(excess, 1e-12)
    shape = (3.0 - excess + math.sqrt((excess - 3.0) ** 2 + 24.0 * excess)) / (12.0 * excess)
    for _ in range(8):
        digamma, trigamma = _polygammas(shape)
        error = math.log(shape) - digamma - excess
        inverse = 1.0 / shape + error / (shape**2 * (1.0 / shape - trigamma))
        if abs(inverse * shape - 1.0) < 1e-10:
            break
        shape = 1.0 / inverse
    return shape


def _polygammas(x: float) -> tuple[float, float]:
    """Return the first two derivatives of the logarithm of the gamma function, for x above 0.

    Abramowitz and Stegun, "Handbook of mathematical functions", 1964, 6.3.18 and 6.4.12, after the
    recurrences 6.3.5 and 6.4.6.
    """
    first = second = 0.0
    while x < 8.0:
        first -= 1.0 / x
        second += 1.0 / x**2
        x += 1.0
    square = 1.0 / x**2
    first += (
        math.log(x)
        - 0.5 / x
        - square
        * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132))))
    )
    second += (
        1.0 / x
        + 0.5 * square
        + square
        / x
        * (1 / 6 - square * (1 / 30 - square * (1 / 42 - square * (1 / 30 - square * 5 / 66))))
    )
    return first, second
