"""The folder of the maps: which scenes are finished, and which files this program wrote."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from landslide_cli.errors import OutputError
from landslide_cli.locks import Owner, clear_leftovers, in_turn
from landslide_cli.outputs import flush, whole_file, write_csv_if_new
from landslide_cli.owners import Process
from landslide_cli.records import refuse_overwrite
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import MAP_SUFFIXES, POLYGONS, STYLES, map_suffixes
from landslide_cli.runs.map_outputs import FORMATS, Outputs, Work
from landslide_cli.runs.map_record import (
    FORMAT,
    FinishedScene,
    Identity,
    MapRecord,
    Speed,
    StoredInventory,
    StoredScene,
)
from landslide_cli.runs.plan import Plan
from landslide_cli.stages.infer.identity import is_of, is_unchanged, state_of
from landslide_cli.stages.infer.record_file import RecordFile
from landslide_cli.stages.infer.table import COLUMNS, rows_of

INVENTORY = "inventory.gpkg"


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


class MapFolder:
    """The output folder with its record.

    The record is written whenever a scene is finished, as the last of its files: a scene that is
    not in it is mapped again, however the run that started it ended. Several runs may work in one
    folder: each adds to what the others have recorded, in turn.

    Args:
        folder: need not be there yet.
        made_from: the settings and the model that the probabilities follow from.
        outputs: what is asked for. Default: mask and overlay.
        polygons: what polygons and the table of them are called, `landslides` or `polygons`.
    """

    def __init__(
        self,
        folder: Path,
        made_from: Mapping[str, Any],
        outputs: Outputs | None = None,
        polygons: str = POLYGONS[0],
    ) -> None:
        self.folder, self._polygons = folder, polygons
        self._outputs = outputs or Outputs()
        # JSON has no tuples: settings are compared in the form that they are stored in.
        self._made_from = json.loads(json.dumps(made_from))
        self._key = _digest_of(self._made_from)
        self._file = RecordFile(folder)
        # What had been made of scenes that are mapped again.
        self._forgotten: dict[str, Outputs] = {}
        self._claimed: set[str] = set()
        self._scenes: dict[str, StoredScene] = {}
        self._plan: Plan | None = None
        self._inventory: StoredInventory | None = None
        self._speed: Speed | None = None
        self._read()

    @property
    def plan(self) -> Plan | None:
        """The plan by which scenes were mapped here from the same settings and model."""
        return self._plan

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Have whoever would replace the folder, such as a training of its run, wait."""
        token = Process.this().token
        with in_turn(self.folder / f".maps-{token}.lock", "filled with maps"):
            yield

    def start(self, plan: Plan) -> None:
        """Record the plan, which later runs reuse; clear away what killed runs have left."""
        with self._recording():
            self._plan = plan
        clear_leftovers(self.folder)

    def forget(self, names: Sequence[str]) -> None:
        """Map these scenes again, by a new plan."""
        self._plan = None
        self._forgotten |= {name: self._made_of(name) for name in names}
        self._scenes = {name: s for name, s in self._scenes.items() if name not in names}

    def refuse_overwrite(self, names: Sequence[str], overwrite: bool) -> None:
        """Refuse to replace files that this program did not write, or that were changed since.

        Raises:
            OutputError: there is such a file, and `overwrite` is not set.
        """
        if not self.folder.is_dir():
            return
        of_kinds = map_suffixes(self._polygons).items()
        suffixes = [suffix for kind, suffix in of_kinds if kind not in STYLES]
        paths = [self.folder / f"{name}{suffix}" for name in names for suffix in suffixes]
        # While another run gives files their names, they are not all on record.
        with self._file.alone():
            self._read()
            refuse_overwrite([path for path in paths if not self._is_own(path)], overwrite)

    def refuse_another_image(self, name: str, image: Path) -> None:
        """Refuse to replace the maps of another image of the same name.

        Raises:
            OutputError: there are such maps.
        """
        entry = self._scenes.get(name)
        if entry is not None and not is_of(entry.input, image):
            raise OutputError(
                f"{image}: {self.folder / name}_mask.tif is a map of another image, "
                f"{entry.input.image};\n"
                "map this one with another --output, or replace the map with --overwrite"
            )

    def finished(self, name: str, image: Path) -> FinishedScene | None:
        """Return what is known of a scene of which all is there that is asked for; None if not."""
        standing = self.standing(name, image)
        return standing.known if standing.work == "nothing" else None

    def standing(self, name: str, image: Path, classes: int = 2) -> Standing:
        """Tell what is to be done about a scene.

        Args:
            name: of the scene.
            image: of the scene.
            classes: from three on the stored probability does not tell the class of a pixel that
                becomes foreground by another threshold.
        """
        entry = self._scenes.get(name)
        if entry is None or entry.made_from != self._key or not is_of(entry.input, image):
            return Standing("map")
        known = self._present(entry.finished(name), entry)
        if known is None or not is_unchanged(image, entry.input):
            return Standing("map")
        work = self._outputs.work_after(known.outputs, classes)
        changes = self._outputs.drawing.changes(known.outputs.drawing)
        return Standing(work, None if work == "map" else known, changes)

    def outputs_of(self, name: str, image: Path) -> Outputs:
        """Return what is to be made of a scene: what is asked for, and what was made before."""
        entry = self._scenes.get(name)
        if entry is not None and not is_of(entry.input, image):
            return self._outputs
        made = self._forgotten[name] if name in self._forgotten else self._made_of(name)
        return self._outputs.with_those_of(made)

    def _made_of(self, name: str) -> Outputs:
        """Return what has been made of a scene and is still there."""
        entry = self._scenes.get(name)
        if entry is None:
            return Outputs()
        known = entry.finished(name)
        there = {kind for kind, file in known.summary.files.items() if self._is_file(file)}
        formats = tuple(kind for kind in known.outputs.formats if kind in there)
        probability = known.outputs.probability if "probability" in there else "none"
        return replace(known.outputs, formats=formats, probability=probability)

    def _is_file(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def _present(self, known: FinishedScene, entry: StoredScene) -> FinishedScene | None:
        """Return what is known of a scene without what was deleted; None if it was changed.

        A style that a person has changed is no change of the map, nor is one that was deleted.
        """
        files, outputs = dict(known.summary.files), known.outputs
        for kind, file in known.summary.files.items():
            if kind in STYLES:
                continue
            path = self.folder / file
            if state_of(path) == entry.files.get(file):
                continue
            if path.exists() or kind not in ("probability", *FORMATS):
                return None
            del files[kind]
            if kind == "probability":
                outputs = replace(outputs, probability="none")
            else:
                left = tuple(name for name in outputs.formats if name != kind)
                outputs = replace(outputs, formats=left)
        return replace(known, summary=replace(known.summary, files=files), outputs=outputs)

    @contextmanager
    def mapping(
        self, name: str, image: Path, reporter: Reporter, check: Callable[[], None]
    ) -> Iterator[FinishedScene | None]:
        """Keep other runs from mapping a scene meanwhile; wait for one that does already.

        Args:
            name: of the scene.
            image: of the scene.
            reporter: told of the wait.
            check: called while waiting; what it raises ends that.

        Yields:
            What is known of the scene, if another run has just mapped it from the same.
        """

        def tell(owner: Owner) -> None:
            reporter.note(f"{name}: waiting for {owner}, which maps it")

        with in_turn(self.folder / f".{name}.lock", "mapped", tell, check):
            with self._file.alone():
                self._read()
            if name not in self._forgotten:
                self.refuse_another_image(name, image)
            yield self.finished(name, image)

    def finish(self, finished: FinishedScene, identity: Identity, scratch: Path) -> None:
        """Give a scene's files their names, and write the scene into the record.

        The scratch folder that they lay in is removed. Files of the scene that are not in it stay
        as they are; so does a style that a person has saved.

        Args:
            finished: the scene.
            identity: of its image, as it was before it was mapped.
            scratch: the folder.

        Raises:
            OutputError: the record cannot be written.
        """
        name, files = finished.name, list(finished.summary.files.values())
        with self._recording():
            saved = {file for file in files if self._is_saved_style(name, file)}
            files = [file for file in files if file not in saved]
            made = [file for file in files if (scratch / file).exists()]
            # Claimed before they exist: if the run is killed, the next one may replace them.
            self._claimed = (self._claimed | set(files)) - saved
            self._scenes.pop(name, None)
            self._write()
            for file in made:
                flush(scratch / file)
                (scratch / file).replace(self.folder / file)
            self._remove_stale(name, set(files))
            # Before the scene counts as finished: no later run would clear it away.
            shutil.rmtree(scratch, ignore_errors=True)
            self._forgotten.pop(name, None)
            states = {file: state_of(self.folder / file) for file in files}
            self._scenes[name] = StoredScene.of(finished, self._key, identity, states)

    def record_speed(self, speed: Speed) -> None:
        """Record how fast the last scenes were mapped."""
        with self._recording():
            self._speed = speed

    def write_table(self) -> Path:
        """Write `landslides.csv`, or `polygons.csv`: finished scenes, a line per scene and class.

        One that says so already is left alone, so that nothing needs to be written where nothing
        is new.
        """
        with self._file.alone():
            self._read()
            columns = [self._polygons if name == POLYGONS[0] else name for name in COLUMNS]
            path = self.folder / f"{self._polygons}.csv"
            write_csv_if_new(path, columns, rows_of(self._scenes))
        return path

    def write_inventory(
        self, merge: bool, overwrite: bool, make: Callable[[Sequence[Path]], bytes | None]
    ) -> bool:
        """Write `inventory.gpkg`: the polygons of the finished scenes that have a GeoPackage.

        One that was made from the same GeoPackages is left alone; of a single scene there is none.

        Args:
            merge: whether duplicates are left out.
            overwrite: replace a file that a person has changed, or made.
            make: of GeoPackages the file; None if there is nothing for it to hold.

        Returns:
            whether it is up to date, or was written or removed.

        Raises:
            OutputError: the file is not this program's, or was changed since.
            DataError: a GeoPackage cannot be read.
        """
        path = self.folder / INVENTORY
        with self._file.alone():
            self._read()
            layers = [
                self.folder / entry.summary.files["gpkg"]
                for _, entry in sorted(self._scenes.items())
                if "gpkg" in entry.summary.files
            ]
            layers = [layer for layer in layers if layer.is_file()]
            states = [(layer.name, state_of(layer)) for layer in layers]
            made_from, known = _digest_of([FORMAT, merge, states]), self._inventory
            state = state_of(path)
            is_own = known is not None and known.state in (None, state)
            if path.exists() and not is_own and not overwrite:
                raise OutputError(f"{path}: was changed, or is not this program's")
            if known == StoredInventory(made_from, state) or (known is None and len(layers) < 2):
                return False
            content = make(layers) if len(layers) > 1 else None
            # Claimed before it exists: if the run is killed, the next one may replace it.
            self._inventory = StoredInventory()
            self._write()
            if content is None:
                path.unlink(missing_ok=True)
            else:
                with whole_file(path) as partial:
                    partial.write_bytes(content)
            self._inventory = StoredInventory(made_from, state_of(path))
            self._write()
        return True

    @contextmanager
    def _recording(self) -> Iterator[None]:
        """Change the record as it stands, with what other runs have added, and write it."""
        with self._file.alone():
            plan = self._plan
            self._read()
            self._plan = plan or self._plan
            yield
            self._write()

    def _read(self) -> None:
        """Take over the record, if somebody else has written it."""
        record = self._file.read_if_new()
        if record is None:
            return
        self._claimed = set(record.files)
        self._inventory, self._speed = record.inventory, record.speed
        self._scenes = {name: s for name, s in record.scenes.items() if name not in self._forgotten}
        if record.made_from == self._made_from and not self._forgotten:
            self._plan = record.plan

    def _is_saved_style(self, name: str, file: str) -> bool:
        """Whether a file is a style that a person has put in the place of this program's."""
        is_style = any(file == f"{name}{MAP_SUFFIXES[kind]}" for kind in STYLES)
        path = self.folder / file
        return is_style and path.exists() and name not in self._forgotten and not self._is_own(path)

    def _is_own(self, path: Path) -> bool:
        if path.name not in self._claimed:
            return False
        recorded = [
            entry.files[path.name] for entry in self._scenes.values() if path.name in entry.files
        ]
        return not recorded or not path.exists() or state_of(path) == recorded[0]

    def _remove_stale(self, name: str, kept: set[str]) -> None:
        """Remove maps of the scene of kinds that are no longer asked for."""
        suffixes = {suffix for polygons in POLYGONS for suffix in map_suffixes(polygons).values()}
        for suffix in sorted(suffixes):
            file = f"{name}{suffix}"
            if file in self._claimed and file not in kept:
                (self.folder / file).unlink(missing_ok=True)
                self._claimed.discard(file)

    def _write(self) -> None:
        self._file.write(
            MapRecord(
                format=FORMAT,
                made_from=self._made_from,
                plan=self._plan,
                files=sorted(self._claimed),
                scenes=self._scenes,
                inventory=self._inventory,
                speed=self._speed,
            )
        )


def _digest_of(document: Any) -> str:
    """Return a digest of JSON values."""
    text = json.dumps(document, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()
