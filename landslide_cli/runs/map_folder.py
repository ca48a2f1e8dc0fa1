"""What a folder of maps says of its scenes, for those who only read it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.documents import read_json, restored
from landslide_cli.errors import DataError


@dataclass(frozen=True)
class _Input:
    """Of what identifies a scene's image, its path."""

    image: str


@dataclass(frozen=True)
class MapSummary:
    """How a scene was mapped: the pixels with data and the share of them of each class."""

    class_shares: dict[str, float]
    pixels: int
    unit: str
    gsd: float | None
    mapped: str
    totals: list[dict[str, Any]]


@dataclass(frozen=True)
class _Drawing:
    """How polygons were drawn from the probability."""

    threshold: float | None = None
    min_area: float = 0.0
    fill_holes: float = 0.0
    simplify: float = 0.0


@dataclass(frozen=True)
class _Outputs:
    """Of what was made of a scene, how its polygons were drawn."""

    drawing: _Drawing = _Drawing()


@dataclass(frozen=True)
class _Scene:
    """Of a finished scene, what there is to tell a person."""

    input: _Input
    width: int
    height: int
    scale_factors: tuple[float, float]
    model_gsd: float | None
    summary: MapSummary
    warnings: tuple[str, ...]
    outputs: _Outputs
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Record:
    """Of the record, what there is to tell a person."""

    made_from: dict[str, Any]
    scenes: dict[str, _Scene]
    plan: dict[str, Any] | None = None


@dataclass(frozen=True)
class MappedScene:
    """A mapped scene: its image, size in pixels, and how it was mapped.

    `scale_factors` are those by which it was resized for the model along columns and rows, to
    `model_gsd` metres per pixel; `drawing` is how polygons were drawn from the probability.
    """

    name: str
    image: Path
    width: int
    height: int
    scale_factors: tuple[float, float]
    model_gsd: float | None
    summary: MapSummary
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    drawing: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class MapRecord:
    """The scenes of a folder of maps, and the settings and the plan that they were made by."""

    settings: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    scenes: dict[str, MappedScene] = field(default_factory=dict)


def read_map_record(folder: Path) -> MapRecord | None:
    """Read what the record of a folder of maps says; None without one, or with an older form.

    Raises:
        DataError: the record was changed or is damaged.
    """
    path = folder / MAPS_RECORD
    document = read_json(path)
    if document is None:
        return None
    try:
        record = restored(_Record, document, path, others=True)
    except DataError:
        return None
    scenes = {
        name: MappedScene(
            name,
            Path(scene.input.image),
            scene.width,
            scene.height,
            scene.scale_factors,
            scene.model_gsd,
            scene.summary,
            scene.warnings,
            scene.notes,
            dict(vars(scene.outputs.drawing)),
        )
        for name, scene in sorted(record.scenes.items())
    }
    return MapRecord(record.made_from, record.plan or {}, scenes)
