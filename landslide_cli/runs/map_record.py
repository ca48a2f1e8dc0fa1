"""The record of a folder of maps: its scenes, how they were mapped, and which files are its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.documents import read_json, restored
from landslide_cli.runs.map_outputs import Outputs
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.scales import SceneScale

FORMAT = 6


@dataclass(frozen=True)
class ClassTotal:
    """The polygons of a foreground class in a scene, `landslides` in number.

    `area` and `share`, that of the scene's area with data, are of their polygons; in square metres
    where the scene is georeferenced, in pixels otherwise.
    """

    name: str
    landslides: int
    area: float
    share: float


@dataclass(frozen=True)
class BorderSummary:
    """A border that was taken for no data although the file does not say so.

    `share` is that of the scene's pixels, `values` are those that the border has, one per band.
    """

    share: float
    values: list[list[float]]


@dataclass(frozen=True)
class SceneSummary:
    """What the maps of a scene show.

    `files` gives each file's name by its kind; `class_shares` are of the pixels with data, of which
    there are `pixels`; `unit` is that of the areas; `gsd` is None if it is not known. `mapped` is
    the date at which the model ran. `border` is an undeclared border, None if there is none;
    `clipped` is the share of a band's values that lay outside of its range, by its name.
    """

    files: dict[str, str]
    class_shares: dict[str, float]
    pixels: int
    totals: list[ClassTotal]
    unit: str
    gsd: float | None
    mapped: str
    border: BorderSummary | None = None
    clipped: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """What identifies an image: the size, times and digest of each of its files, by their paths."""

    image: str
    files: dict[str, tuple[int, int, str, int]]


@dataclass(frozen=True)
class FinishedScene:
    """A scene whose maps are finished; `outputs` of it have been made."""

    name: str
    image: Path
    width: int
    height: int
    scale: SceneScale
    summary: SceneSummary
    outputs: Outputs = field(default_factory=Outputs)


@dataclass(frozen=True, kw_only=True)
class StoredScene:
    """A finished scene as it is stored.

    `made_from` is a digest of the settings and the model, `input` the image before it was mapped;
    `files` are sizes and times of the maps, by their names.
    """

    made_from: str
    input: Identity
    files: dict[str, tuple[int, int]]
    width: int
    height: int
    scale_factors: tuple[float, float]
    model_gsd: float | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()
    outputs: Outputs
    summary: SceneSummary

    @classmethod
    def of(
        cls,
        scene: FinishedScene,
        made_from: str,
        identity: Identity,
        files: dict[str, tuple[int, int]],
    ) -> Self:
        """Return a scene in the form that it is stored in."""
        return cls(
            made_from=made_from,
            input=identity,
            files=files,
            width=scene.width,
            height=scene.height,
            **vars(scene.scale),
            outputs=scene.outputs,
            summary=scene.summary,
        )

    def finished(self, name: str) -> FinishedScene:
        """Return the scene that is stored by this name."""
        scale = SceneScale(self.scale_factors, self.model_gsd, self.warnings, self.notes)
        image = Path(self.input.image)
        return FinishedScene(
            name, image, self.width, self.height, scale, self.summary, self.outputs
        )


@dataclass(frozen=True)
class StoredInventory:
    """The inventory of the folder: what it was made from, and its size and time.

    Both are None from before it is written until it is complete.
    """

    made_from: str | None = None
    state: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Speed:
    """How fast scenes were mapped, several at once.

    `seconds` are from the first window to the last file; during `model_seconds` of these the model
    was at work. Square kilometres are those of the scenes, None unless the GSD of
    all is known.
    """

    megapixels: float
    seconds: float
    model_seconds: float
    square_kilometres_per_hour: float | None


@dataclass(frozen=True)
class MapRecord:
    """The record as it is stored.

    `made_from` are the settings and the model that the probabilities follow from, `plan` how they
    were computed. `files` are the names of those that may be replaced.
    """

    format: int
    made_from: dict[str, Any]
    plan: Plan | None
    files: list[str]
    scenes: dict[str, StoredScene]
    inventory: StoredInventory | None = None
    speed: Speed | None = None


@dataclass(frozen=True)
class _Claimed:
    """What a record of any version has: the files that may be replaced."""

    files: list[str]


def read_record(path: Path) -> MapRecord:
    """Read a record; an empty one where there is none.

    Of an older form only the claimed files count.

    Raises:
        DataError: it is damaged.
    """
    document = read_json(path)
    if document is None:
        return MapRecord(FORMAT, {}, None, [], {})
    if document.get("format") == FORMAT:
        return restored(MapRecord, document, path)
    files = restored(_Claimed, document, path, others=True).files
    return MapRecord(FORMAT, {}, None, files, {})


def mapped_images(folder: Path) -> dict[str, Path]:
    """Return the images that the maps in a folder were made from, by the name of the scene.

    Empty where there is no record of the maps, or one of another form.

    Raises:
        DataError: the record is damaged.
    """
    document: Mapping[str, Any] = read_json(folder / MAPS_RECORD) or {}
    try:
        inputs = {name: scene["input"] for name, scene in document.get("scenes", {}).items()}
        return {
            name: Path(recorded["image"] if isinstance(recorded, dict) else recorded[0])
            for name, recorded in inputs.items()
        }
    except (KeyError, IndexError, AttributeError, TypeError):
        return {}
