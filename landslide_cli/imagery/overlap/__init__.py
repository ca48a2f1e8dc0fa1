"""Images that show the same ground, found by their content.

`extract` reduces an image to its `Features`; `find_overlaps` compares images with each other,
`find_leaks` some images with others. Both give `Overlap`s.
"""

from landslide_cli.imagery.overlap.detection import Overlap, find_leaks, find_overlaps
from landslide_cli.imagery.overlap.features import Features, enlarged, extract
from landslide_cli.imagery.overlap.settings import MatchSettings

__all__ = [
    "Features",
    "MatchSettings",
    "Overlap",
    "enlarged",
    "extract",
    "find_leaks",
    "find_overlaps",
]
