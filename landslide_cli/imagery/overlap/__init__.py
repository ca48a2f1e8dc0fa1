"""Images that show the same ground, found by their content.

`extract` reduces an image to its `Features`; `find_overlaps` compares images with each other,
`find_leaks` some images with others. Both give `Overlap`s. Where features are too large to be
kept, `sketch_of` reduces an image to 256 bytes, by which `find_copies` recognises copies.
"""

from landslide_cli.imagery.overlap.detection import Overlap, find_leaks, find_overlaps
from landslide_cli.imagery.overlap.features import Features, enlarged, extract
from landslide_cli.imagery.overlap.settings import MatchSettings
from landslide_cli.imagery.overlap.sketches import (
    REDUCED,
    Likeness,
    Sketch,
    find_copies,
    sketch_from_text,
    sketch_of,
    sketch_to_text,
)

__all__ = [
    "REDUCED",
    "Features",
    "Likeness",
    "MatchSettings",
    "Overlap",
    "Sketch",
    "enlarged",
    "extract",
    "find_copies",
    "find_leaks",
    "find_overlaps",
    "sketch_from_text",
    "sketch_of",
    "sketch_to_text",
]
