"""Misses and false alarms as polygons, those first that are worth a look first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from landslide_cli.core.palette import Palette
from landslide_cli.imagery.raster.georeference import Georeference, pixel_area
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.vector.disagreements import Disagreement, disagreements
from landslide_cli.imagery.vector.placed import PlacedPolygon, moved, write_placed
from landslide_cli.imagery.vector.styles import Category, categorised
from landslide_cli.outputs import whole_file
from landslide_cli.runs.samples import Sample
from landslide_cli.runs.scene_predictor import Prediction

DISAGREEMENTS = "disagreements.gpkg"
_LAYER = "disagreements"

# Told apart by the colour-blind too (Okabe and Ito 2008).
_KINDS = (
    Category("miss", "miss: labelled, not mapped", (86, 180, 233), 0.2),
    Category("false alarm", "false alarm: mapped, not labelled", (213, 94, 0), 0.2),
)

# How many are kept of each scene and kind, and written in all: nobody looks at more.
_OF_SCENE, _WRITTEN = 100, 1000


@dataclass(frozen=True)
class SceneDisagreement:
    """A disagreement, and the scene that it is in."""

    sample: Sample
    disagreement: Disagreement


def disagreements_in(
    prediction: Prediction, threshold: float | None, palette: Palette
) -> list[SceneDisagreement]:
    """Find where a scene's labels and prediction disagree most on the foreground."""
    predicted = prediction.predicted
    truth = palette.only_foreground(prediction.truth)
    mapped = palette.only_foreground(predicted.mask(threshold))
    found = disagreements(truth, mapped, predicted.foreground, _OF_SCENE)
    return [SceneDisagreement(prediction.sample, disagreement) for disagreement in found]


def write_disagreements(path: Path, found: Sequence[SceneDisagreement]) -> None:
    """Write disagreements as a GeoPackage, ranked by area times probability.

    Args:
        path: the file to write.
        found: of all scenes.

    Raises:
        DataError: a scene has no place on the Earth.
        OutputError: the file cannot be written.
    """
    places = {entry.sample.name: _place(entry.sample.image) for entry in found}
    in_metres = all(place.pixel is not None for place in places.values())

    def size(entry: SceneDisagreement) -> float:
        return (places[entry.sample.name].pixel or 1.0) if in_metres else 1.0

    ranked = sorted(found, key=lambda entry: -entry.disagreement.weight * size(entry))[:_WRITTEN]
    unit = "area_m2" if in_metres else "area_px"
    with whole_file(path) as partial:
        polygons = [
            _polygon(rank, entry, places[entry.sample.name].georeference, unit, size(entry))
            for rank, entry in enumerate(ranked, start=1)
        ]
        write_placed(partial, _LAYER, polygons, categorised("kind", _KINDS))


def _polygon(
    rank: int, entry: SceneDisagreement, georeference: Georeference, unit: str, pixel: float
) -> PlacedPolygon:
    disagreement, scene = entry.disagreement, entry.sample.scene
    polygon = disagreement.polygon
    if not georeference.is_known and scene is not None and scene.division is not None:
        window = scene.division.window
        polygon = moved(polygon, window.col_off, window.row_off)  # to pixels of the whole scene
    attributes = {
        "rank": rank,
        "kind": disagreement.kind,
        "scene": entry.sample.name,
        unit: round(disagreement.pixels * pixel, 4),
        "probability": round(disagreement.probability, 6),
        "weight": round(disagreement.weight * pixel, 4),
    }
    return PlacedPolygon(polygon, georeference, attributes)


@dataclass(frozen=True)
class _Place:
    """Where an image lies, and the area of its pixels in square metres if that is known."""

    georeference: Georeference
    pixel: float | None


def _place(image: Path) -> _Place:
    info = probe(image)
    georeference = info.georeference
    return _Place(georeference, pixel_area(georeference, info.width, info.height))
