"""What is said of optional outputs that some scenes cannot have."""

from collections.abc import Sequence

from landslide_cli.errors import listed
from landslide_cli.profile import InferSettings
from landslide_cli.reporting import Reporter
from landslide_cli.stages.infer.result import MappedScene


def tell_left_out(
    scenes: Sequence[MappedScene], settings: InferSettings, reporter: Reporter
) -> None:
    """Say of which scenes what was asked for could not be made."""
    if settings.elevation is not None or settings.volume:
        _note(
            [scene.scene for scene in scenes if scene.unit == "px"],
            "no heights or volumes of polygons without a georeference",
            reporter,
        )
    if "kml" in settings.polygon_formats:
        _note(
            [scene.scene for scene in scenes if "kml" not in scene.files],
            "no KML of what has no place on the Earth",
            reporter,
        )


def _note(names: Sequence[str], text: str, reporter: Reporter) -> None:
    if names:
        reporter.note(f"{listed(names, most=3)}: {text}")
