"""Which files of a scene are asked for, and how polygons are drawn from its probability."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

from landslide_cli.imagery.vector.landslides import PolygonOptions
from landslide_cli.profile import InferSettings

Probability = Literal["none", "percent", "float32"]
# What is to be done about a scene (`map_record.Standing`).
Work = Literal["nothing", "describe", "draw", "map"]

_PROBABILITIES: tuple[Probability, ...] = ("none", "percent", "float32")

# In the order in which they are listed and written; the others are made from the first.
FORMATS = ("gpkg", "geojson", "csv", "kml")

# Settings that the model's answer does not depend on.
SETTINGS = (
    "infer.threshold",
    "infer.probability",
    "infer.polygons",
    "infer.min_area",
    "infer.fill_holes",
    "infer.simplify",
    "infer.elevation",
    "infer.volume",
    "infer.duplicates",
)


@dataclass(frozen=True)
class Drawing:
    """How the probability becomes mask and polygons: the threshold, and `PolygonOptions`."""

    threshold: float | None = None
    min_area: float = 0.0
    fill_holes: float = 0.0
    simplify: float = 0.0

    @property
    def options(self) -> PolygonOptions:
        """What is done to outlines."""
        return PolygonOptions(self.min_area, self.fill_holes, self.simplify)

    def changes(self, before: "Drawing") -> tuple[str, ...]:
        """Name the settings that differ from before, with their values."""
        return tuple(
            f"infer.{key} ({_shown(vars(before)[key])} -> {_shown(value)})"
            for key, value in vars(self).items()
            if value != vars(before)[key]
        )


@dataclass(frozen=True)
class Outputs:
    """What is made of a scene beside mask and overlay, or has been.

    `elevation` is the path of an elevation model, its size in bytes and its time in nanoseconds.
    """

    drawing: Drawing = Drawing()
    probability: Probability = "none"
    formats: tuple[str, ...] = ()
    elevation: tuple[str, int, int] | None = None
    volume: bool = False

    @classmethod
    def of(cls, settings: InferSettings, threshold: float | None) -> Self:
        """Return what a profile asks for, with the threshold of the run."""
        drawing = Drawing(threshold, settings.min_area, settings.fill_holes, settings.simplify)
        return cls(
            drawing,
            settings.probability,
            _in_order(settings.polygon_formats),
            _elevation(settings.elevation),
            settings.volume,
        )

    def with_those_of(self, made: "Outputs") -> "Outputs":
        """Return these with what was made before and is not asked for, drawn as these are."""
        probability = max(self.probability, made.probability, key=_PROBABILITIES.index)
        elevation = self.elevation
        if elevation is None and made.elevation is not None and Path(made.elevation[0]).is_file():
            elevation = made.elevation
        return replace(
            self,
            probability=probability,
            formats=_in_order((*self.formats, *made.formats)),
            elevation=elevation,
            volume=self.volume or made.volume,
        )

    def work_after(self, made: "Outputs", classes: int) -> Work:
        """Tell what is to be done for these, where some have been made.

        With three classes or more the stored probability does not tell the class of a pixel that
        becomes foreground by another threshold.
        """
        if self.within(made):
            return "nothing"
        if self.needs_probability_of(made):
            return "map"
        if self.drawing == made.drawing and "gpkg" in made.formats:
            return "describe"
        same_threshold = self.drawing.threshold == made.drawing.threshold
        is_enough = made.probability != "none" and (same_threshold or classes == 2)
        return "draw" if is_enough else "map"

    def within(self, made: "Outputs") -> bool:
        """Whether all of these have been made."""
        return (
            self.drawing == made.drawing
            and not self.needs_probability_of(made)
            and set(self.formats) <= set(made.formats)
            and self.describes_as(made)
        )

    def needs_probability_of(self, made: "Outputs") -> bool:
        """Whether these have a probability that is not stored, or less exactly."""
        return _PROBABILITIES.index(self.probability) > _PROBABILITIES.index(made.probability)

    def describes_as(self, made: "Outputs") -> bool:
        """Whether all attributes that are asked for have been added."""
        return self.elevation in (None, made.elevation) and (made.volume or not self.volume)


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _in_order(formats: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in FORMATS if name in formats)


def _elevation(path: Path | None) -> tuple[str, int, int] | None:
    if path is None:
        return None
    status = path.stat()
    return str(path.absolute()), status.st_size, status.st_mtime_ns
