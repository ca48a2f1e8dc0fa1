"""The record of a folder of maps: its scenes, how they were made, and which files are its own."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.documents import read_json, restored
from landslide_cli.imagery.raster.addresses import is_virtual
from landslide_cli.imagery.raster.recognition import file_of
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.scales import SceneScale
from landslide_cli.stages.infer.identity import Identity
from landslide_cli.stages.infer.outputs import Outputs, Work
from landslide_cli.stages.infer.scene_maps import SceneSummary

RECORD = MAPS_RECORD
FORMAT = 6

# Of the table of a folder; the third is called as polygons are.
COLUMNS = ("scene", "class", "landslides", "area", "unit", "share", "pixels", "gsd_m")


@dataclass(frozen=True)
class FinishedScene:
    """A scene whose maps are finished, by the record; `outputs` of it have been made."""

    image: Path
    width: int
    height: int
    scale: SceneScale
    summary: SceneSummary
    outputs: Outputs = field(default_factory=Outputs)


@dataclass(frozen=True)
class Standing:
    """What is to be done about a scene: of what is `known`, None where it is to be mapped.

    `work` is nothing; `describe`: polygons get attributes or formats; `draw`: mask and polygons are
    made from the stored probability; `map`: the model runs. `changes` tell why, if settings have
    changed.
    """

    work: Work
    known: FinishedScene | None = None
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredScene:
    """A finished scene as it is stored."""

    made_from: str
    input: Identity
    files: dict[str, tuple[int, int]]
    width: int
    height: int
    scale_factors: tuple[float, float]
    model_gsd: float | None
    summary: SceneSummary
    warnings: tuple[str, ...]
    outputs: Outputs
    notes: tuple[str, ...] = ()


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

    `seconds` are from the first window to the last file, and `model_seconds` of these those in
    which the model was at work. Square kilometres are those of the scenes, None unless the GSD of
    all is known.
    """

    megapixels: float
    seconds: float
    model_seconds: float
    square_kilometres_per_hour: float | None


@dataclass(frozen=True)
class _Claimed:
    """Of the record, what every version has stored: the files that may be replaced."""

    files: list[str]


@dataclass(frozen=True)
class _Stored:
    """The record as it is stored."""

    format: int
    made_from: dict[str, Any]
    plan: Plan | None
    files: list[str]
    scenes: dict[str, StoredScene]
    inventory: StoredInventory | None = None
    speed: Speed | None = None


def read_record(path: Path) -> dict[str, Any]:
    """Read the record; of an older form only the claimed files count.

    Raises:
        DataError: it is damaged.
    """
    document = read_json(path) or {"files": []}
    if document.get("format") == FORMAT:
        restored(_Stored, document, path)
        return document
    return {"files": restored(_Claimed, document, path, others=True).files}


def rows_of(scenes: Mapping[str, Any]) -> list[tuple[object, ...]]:
    """Return the rows of the table, with its `COLUMNS`: a line a scene and class."""
    return [
        (name, total["name"], total["landslides"], f"{total['area']:.1f}", summary["unit"],
         f"{total['share']:.6f}", summary["pixels"], summary["gsd"] or "")
        for name, entry in sorted(scenes.items())
        for summary in [entry["summary"]]
        for total in summary["totals"]
    ]  # fmt: skip


def version_of(path: Path) -> tuple[int, ...] | None:
    """Tell one writing of a file from another, as each makes a new file; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def is_of(entry: Mapping[str, Any], image: Path) -> bool:
    """Whether a scene was mapped from this file, or from one that was moved to here."""
    before, image = Path(entry["input"]["image"]), file_of(image)[0]
    if is_virtual(image) or is_virtual(before):
        return before == image
    if before.exists() and image.exists():
        return os.path.samefile(before, image)  # noqa: PTH121 - either may be a link
    described = entry["input"]["files"].get(str(before), [])
    return before.name == image.name and described[:2] == state_of(image)


def state_of(path: Path) -> list[int]:
    """Describe a file without reading it, by its size and its time."""
    try:
        status = path.stat()
    except OSError:
        return [-1, -1]
    return [status.st_size, status.st_mtime_ns]


def digest_of(document: Any) -> str:
    """Return a digest of JSON values."""
    text = json.dumps(document, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()
