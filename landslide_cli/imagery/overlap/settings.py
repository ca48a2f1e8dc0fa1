"""What decides whether two scenes show the same ground."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MatchSettings:
    """Thresholds of the search; their defaults stand in the profile.

    Args:
        size: long side in pixels to which larger images are reduced, at least 64.
        features: most key points of an image, at least 16.
        ratio: a match must be this much nearer than the next best, in (0, 1).
        inliers: fewest matches that must agree on one position, at least 4.
        tolerance: how far they may be off it, as a share of the long side, in (0, 0.1].
        correlation: least correlation of the texture where few matches agree, in [0, 1].
    """

    size: int
    features: int
    ratio: float
    inliers: int
    tolerance: float
    correlation: float
