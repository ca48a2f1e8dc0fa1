"""What `infer-tiled` returns: the maps of each scene, and the settings they were made with."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from landslide_cli.errors import counted, in_lines, printable
from landslide_cli.reporting import Result, Table
from landslide_cli.runs.map_record import BorderSummary, ClassTotal, Speed
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.scales import SceneScale


@dataclass(frozen=True)
class MappedScene:
    """A scene's maps.

    `files` are their paths by kind: mask, mask_png, probability, overlay; gpkg, geojson, csv, kml,
    the first of which is also that of polygons; mask_style and probability_style. `gsd` is the
    scene's own in metres, None if it is not known; `scale` how the model saw it. `class_shares`
    are of the pixels with data; `landslides`, `area` in `unit` and `share` of each foreground class
    are of its polygons. `unchanged` scenes had been mapped before. `border` is an undeclared border
    that was taken for no data, None if there is none; `clipped` the share of a band's values that
    lay outside of its range, by its name.
    """

    scene: str
    image: Path
    files: dict[str, Path]
    width: int
    height: int
    gsd: float | None
    scale: SceneScale
    class_shares: dict[str, float]
    totals: list[ClassTotal]
    unit: str
    unchanged: bool
    border: BorderSummary | None = None
    clipped: dict[str, float] = field(default_factory=dict)

    @property
    def square_kilometres(self) -> float | None:
        """The area of the scene, pixels without data too; None if its GSD is not known."""
        return None if self.gsd is None else self.width * self.height * self.gsd**2 / 1e6

    @property
    def mask(self) -> Path:
        """The class mask, a GeoTIFF."""
        return self.files["mask"]

    def document(self) -> dict[str, Any]:
        values = asdict(self) | {"image": str(self.image)}
        values |= values.pop("scale")
        files = {kind: str(path) for kind, path in values.pop("files").items()}
        return values | files


@dataclass(frozen=True)
class FailedScene:
    """A scene that could not be mapped, and why."""

    scene: str
    image: Path
    reason: str


def reason_of(error: Exception, image: Path) -> str:
    """Say why a scene could not be mapped; a file is named even where the system names none."""
    if isinstance(error, OSError):
        return f"{error.filename or image}: {error.strerror or error}"
    return str(error)


@dataclass(frozen=True)
class InferResult(Result):
    """The mapped scenes, and how they were mapped.

    `threshold` is the probability from which on a pixel is foreground, None: the most probable
    class; `model` the model's fingerprint; `table` is `landslides.csv` or `polygons.csv`,
    `inventory` is `inventory.gpkg`, None if there is none. `seconds` counts from the first window
    to the last file; during `model_seconds` of these the model was at work.
    """

    folder: Path
    table: Path | None
    inventory: Path | None
    scenes: list[MappedScene]
    failed: list[FailedScene]
    plan: Plan
    scale: float
    threshold: float | None
    model: str
    seconds: float
    model_seconds: float

    @property
    def exit_status(self) -> int:
        """1 if a scene could not be mapped."""
        return 1 if self.failed else 0

    @property
    def complaint(self) -> str | None:
        """Which scenes could not be mapped, and why."""
        if not self.failed:
            return None
        if len(self.failed) == 1:
            return self.failed[0].reason
        reasons = [scene.reason for scene in self.failed]
        total = counted(len(self.scenes) + len(reasons), "scene")
        return f"{len(reasons)} of {total} could not be mapped:\n{in_lines(reasons)}"

    def headline(self) -> str:
        """Name the folder of the maps."""
        unchanged = sum(scene.unchanged for scene in self.scenes)
        counts = f"{counted(len(self.scenes), 'scene')} mapped"
        if unchanged:
            counts += f", {unchanged} of them unchanged" if len(self.scenes) > 1 else ", unchanged"
            counts += " since"
        counts += f", {len(self.failed)} failed" if self.failed else ""
        return f"{counts}: {self.folder}"

    def tables(self) -> Sequence[Table]:
        """Show each scene's landslides, and how it was mapped."""
        rows = [
            (
                scene.scene,
                f"{scene.width} x {scene.height}",
                "" if scene.gsd is None else f"{scene.gsd:.3g} m",
                total.name,
                f"{scene.class_shares[total.name]:.1%}",
                f"{total.landslides:,}",
                f"{total.area:,.0f} {'m²' if scene.unit == 'm2' else 'px'}",
            )
            for scene in self.scenes
            for total in scene.totals
        ]
        heads = ["scene", "pixels", "GSD", "class", "share of pixels", "polygons", "total area"]
        least = ["pixels", "GSD", "share of pixels"]
        if len({row[3] for row in rows}) == 1:
            least.append("class")
        tables = [Table("scenes", heads, rows, least)] if rows else []
        return [*tables, Table("settings", ["", "value"], self._settings())]

    def document(self) -> dict[str, Any]:
        speed = self.speed
        return {
            "folder": str(self.folder),
            "table": None if self.table is None else str(self.table),
            "inventory": None if self.inventory is None else str(self.inventory),
            "scenes": [scene.document() for scene in self.scenes],
            "failed": [asdict(scene) | {"image": printable(scene.image)} for scene in self.failed],
            **asdict(self.plan),
            "scale": self.scale,
            "threshold": self.threshold,
            "model": self.model,
            "megapixels": self._megapixels,
            "seconds": self.seconds,
            "model_seconds": self.model_seconds,
            "square_kilometres_per_hour": speed and speed.square_kilometres_per_hour,
        }

    @property
    def speed(self) -> Speed | None:
        """How fast the scenes were mapped that had not been before; None if there are none."""
        mapped = [scene for scene in self.scenes if not scene.unchanged]
        if not mapped or self.seconds <= 0.0:
            return None
        areas = [scene.square_kilometres for scene in mapped]
        known = [area for area in areas if area is not None]
        rate = sum(known) * 3600.0 / self.seconds if len(known) == len(areas) else None
        return Speed(self._megapixels, self.seconds, self.model_seconds, rate)

    @property
    def _megapixels(self) -> float:
        mapped = [scene for scene in self.scenes if not scene.unchanged]
        return sum(scene.width * scene.height for scene in mapped) / 1e6

    def _settings(self) -> list[tuple[str, str]]:
        plan = self.plan
        precision: str = plan.precision
        if plan.reason:
            precision += f" ({plan.reason})"
        tile = "whole scenes" if plan.tile is None else f"{plan.tile} pixels"
        if plan.fitted:
            tile += " at most"
        rows = [("engine", plan.engine), ("precision", precision), ("windows", tile)]
        speed = self.speed
        if speed is not None:
            rows += [
                ("total and model time (s)", f"{speed.seconds:.1f}, {speed.model_seconds:.1f}"),
                ("megapixels per second", f"{speed.megapixels / speed.seconds:.2f}"),
            ]
            if (rate := speed.square_kilometres_per_hour) is not None:
                shown = f"{rate:,.0f}" if rate >= 100.0 else f"{rate:.3g}"
                rows.append(("square kilometres per hour", shown))
        return rows
