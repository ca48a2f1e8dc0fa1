"""Volumes of landslides by published relations of area and volume: estimates, not measurements.

Single landslides scatter around the relations by a factor of two to three or more, and those for
soil and for bedrock differ by a factor of four to eight: only sums over many landslides mean much.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.vector.attributes import Fields

# Digits that an estimate bears.
_DIGITS = 2


@dataclass(frozen=True)
class Relation:
    """volume = `factor` * area ^ `exponent`, in m3 and m2; areas outside of the range have none."""

    factor: float
    exponent: float
    least_area: float
    greatest_area: float

    def volumes(self, areas: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the volumes in cubic metres, NaN for areas outside of the range."""
        known = (areas >= self.least_area) & (areas <= self.greatest_area)
        return np.where(known, self.factor * areas**self.exponent, np.nan)


# Guzzetti, Ardizzone, Cardinali, Rossi and Valigi, Earth Planet. Sci. Lett. 279, 2009: 677 slides.
GUZZETTI = Relation(0.074, 1.450, 2e0, 1e9)
# Larsen, Montgomery and Korup, Nature Geoscience 3, 2010: all 4,231 landslides; scars in soil and
# in bedrock. The limits of the areas are ours, to the decade.
LARSEN = Relation(10**-0.836, 1.332, 1e0, 1e7)
LARSEN_SOIL = Relation(10**-0.649, 1.262, 1e0, 1e5)
LARSEN_BEDROCK = Relation(10**-0.63, 1.41, 1e1, 1e7)


def volumes_of(areas: NDArray[np.float64]) -> Fields:
    """Estimate the volumes of landslides, to two digits: by two relations, and between which.

    The least and the greatest are of the two and of those for soil and for bedrock.

    Args:
        areas: in square metres.
    """
    relations = (GUZZETTI, LARSEN, LARSEN_SOIL, LARSEN_BEDROCK)
    estimates = np.array([_rounded(relation.volumes(areas)) for relation in relations])
    known = np.isfinite(estimates).any(axis=0)
    least, most = np.full(len(areas), np.nan), np.full(len(areas), np.nan)
    least[known] = np.nanmin(estimates[:, known], axis=0)
    most[known] = np.nanmax(estimates[:, known], axis=0)
    return {
        "volume_guzzetti_m3": estimates[0],
        "volume_larsen_m3": estimates[1],
        "volume_least_m3": least,
        "volume_most_m3": most,
    }


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([float(f"{value:.{_DIGITS}g}") for value in values.tolist()], float)
