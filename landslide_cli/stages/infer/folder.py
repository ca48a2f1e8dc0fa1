"""The folder of the maps: which scenes are finished, and which files this program wrote."""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.errors import DataError, OutputError
from landslide_cli.outputs import flush, write_csv, write_json
from landslide_cli.records import read_json, refuse_overwrite
from landslide_cli.runs.files import MAP_SUFFIXES
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.scales import SceneScale
from landslide_cli.stages.infer.scene_maps import ClassTotal, SceneSummary

RECORD, TABLE = MAPS_RECORD, "landslides.csv"
_FORMAT = 4


@dataclass(frozen=True)
class FinishedScene:
    """A scene whose maps are finished, by the record."""

    image: Path
    width: int
    height: int
    scale: SceneScale
    summary: SceneSummary


class MapFolder:
    """The output folder with its record.

    The record is written whenever a scene is finished, as the last of its files: a scene that is
    not in it is mapped again, however the run that started it ended.

    Args:
        folder: need not be there yet.
        made_from: the settings and the model that the maps follow from.
    """

    def __init__(self, folder: Path, made_from: Mapping[str, Any]) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        # JSON has no tuples: settings are compared in the form that they are stored in.
        self._made_from = json.loads(json.dumps(made_from))
        self._key = _digest(self._made_from)
        document = _read(folder / RECORD)
        self._claimed: set[str] = set(document.get("files", []))
        self._scenes: dict[str, Any] = dict(document.get("scenes", {}))
        self._plan = document.get("plan") if document.get("made_from") == self._made_from else None

    @property
    def plan(self) -> Plan | None:
        """The plan by which scenes were mapped here from the same settings and model."""
        return None if self._plan is None else Plan(**self._plan)

    def start(self, plan: Plan) -> None:
        """Record the plan, which later runs reuse."""
        self._plan = asdict(plan)
        self._write()

    def forget(self, names: Sequence[str]) -> None:
        """Map these scenes again, by a new plan."""
        self._plan = None
        for name in names:
            self._scenes.pop(name, None)

    def refuse_overwrite(self, names: Sequence[str], overwrite: bool) -> None:
        """Refuse to replace files that this program did not write, or that were changed since.

        Raises:
            OutputError: there is such a file, and `overwrite` is not set.
        """
        suffixes = MAP_SUFFIXES.values()
        paths = [self.folder / f"{name}{suffix}" for name in names for suffix in suffixes]
        refuse_overwrite([path for path in paths if not self._is_own(path)], overwrite)

    def refuse_another_image(self, name: str, image: Path) -> None:
        """Refuse to replace the maps of another image of the same name.

        Raises:
            OutputError: there are such maps.
        """
        entry = self._scenes.get(name)
        if entry is not None and not _is_of(entry, image):
            raise OutputError(
                f"{image}: {self.folder / name}_mask.tif is a map of another image, "
                f"{entry['input'][0]};\n"
                "map this one with another --output, or replace the map with --overwrite"
            )

    def finished(self, name: str, image: Path) -> FinishedScene | None:
        """Return what is known of a scene that was mapped from the same; None if it is to be."""
        entry = self._scenes.get(name)
        if entry is None or entry["made_from"] != self._key or not _is_of(entry, image):
            return None
        if entry["input"][1:] != _state(image)[1:]:
            return None
        for file, state in entry["files"].items():
            if _state(self.folder / file)[1:] != state:
                return None
        return _finished(entry)

    def finish(self, name: str, image: Path, scratch: Path, finished: FinishedScene) -> None:
        """Give a scene's files their names, and write the scene into the record.

        The scratch folder that they lay in is removed.

        Raises:
            OutputError: the record cannot be written.
        """
        files = finished.summary.files.values()
        with self._lock:
            # Claimed before they exist: if the run is killed, the next one may replace them.
            self._claimed |= set(files)
            self._scenes.pop(name, None)
            self._write()
            for file in files:
                flush(scratch / file)
                (scratch / file).replace(self.folder / file)
            self._remove_stale(name, set(files))
            # Before the scene counts as finished: no later run would clear it away.
            shutil.rmtree(scratch, ignore_errors=True)
            self._scenes[name] = {
                "made_from": self._key,
                "input": _state(image.absolute()),
                "files": {file: _state(self.folder / file)[1:] for file in files},
                "width": finished.width,
                "height": finished.height,
                **asdict(finished.scale),
                "summary": asdict(finished.summary),
            }
            self._write()

    def write_table(self) -> Path:
        """Write `landslides.csv`: the finished scenes of the folder, a line a scene and class."""
        rows = [
            (name, total["name"], total["landslides"], f"{total['area']:.1f}", summary["unit"],
             f"{total['share']:.6f}", summary["pixels"], summary["gsd"] or "")
            for name, entry in sorted(self._scenes.items())
            for summary in [entry["summary"]]
            for total in summary["totals"]
        ]  # fmt: skip
        columns = ("scene", "class", "landslides", "area", "unit", "share", "pixels", "gsd_m")
        write_csv(self.folder / TABLE, columns, rows)
        return self.folder / TABLE

    def _is_own(self, path: Path) -> bool:
        if path.name not in self._claimed:
            return False
        recorded = [
            entry["files"][path.name]
            for entry in self._scenes.values()
            if path.name in entry["files"]
        ]
        return not recorded or not path.exists() or _state(path)[1:] == recorded[0]

    def _remove_stale(self, name: str, kept: set[str]) -> None:
        """Remove maps of the scene of kinds that are no longer asked for."""
        for suffix in MAP_SUFFIXES.values():
            file = f"{name}{suffix}"
            if file in self._claimed and file not in kept:
                (self.folder / file).unlink(missing_ok=True)
                self._claimed.discard(file)

    def _write(self) -> None:
        write_json(
            self.folder / RECORD,
            {
                "format": _FORMAT,
                "made_from": self._made_from,
                "plan": self._plan,
                "files": sorted(self._claimed),
                "scenes": self._scenes,
            },
        )


def _read(path: Path) -> dict[str, Any]:
    """Read the record; of an older form only the claimed files count."""
    try:
        document = read_json(path) or {"files": []}
        files = [str(name) for name in document["files"]]
    except (DataError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path}: cannot be read as a record of maps ({type(error).__name__}); "
            "move the folder away, or name another"
        ) from None
    return document if document.get("format") == _FORMAT else {"files": files}


def _finished(entry: Mapping[str, Any]) -> FinishedScene:
    summary = dict(entry["summary"])
    summary["totals"] = [ClassTotal(**total) for total in summary["totals"]]
    image = Path(entry["input"][0])
    rows, cols = entry["scale_factors"]
    told = tuple(entry["warnings"]), tuple(entry.get("notes", ()))
    scale = SceneScale((rows, cols), entry["model_gsd"], *told)
    return FinishedScene(image, entry["width"], entry["height"], scale, SceneSummary(**summary))


def _is_of(entry: Mapping[str, Any], image: Path) -> bool:
    """Whether a scene was mapped from this file, or from one that was moved to here."""
    path, *state = entry["input"]
    if Path(path).exists() and image.exists():
        return os.path.samefile(path, image)  # noqa: PTH121 - either may be a link
    return Path(path).name == image.name and bool(state == _state(image)[1:])


def _state(path: Path) -> list[Any]:
    """Describe a file without reading it: scenes are too large for that."""
    try:
        status = path.stat()
    except OSError:
        return [str(path), -1, -1]
    return [str(path), status.st_size, status.st_mtime_ns]


def _digest(document: Any) -> str:
    text = json.dumps(document, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()
