"""The map files of a scene: mask, probability, polygons and a quick look."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.memory import give_back_memory
from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.errors import DataError
from landslide_cli.imagery.pictures import Reduced, overlay
from landslide_cli.imagery.raster.georeference import Georeference, gsd_of, pixel_area
from landslide_cli.imagery.raster.images import write_picture
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.imagery.raster.writer import Layer, MapWriter, finish_cog, finish_png
from landslide_cli.imagery.vector.landslides import Landslide, PolygonOptions, landslides_of
from landslide_cli.imagery.vector.outlines import Outliner
from landslide_cli.imagery.vector.polygon_files import Provenance, write_polygons
from landslide_cli.profile import InferSettings
from landslide_cli.runs.files import MAP_SUFFIXES
from landslide_cli.stages.infer.mapper import Band

# Longest side of the picture of a scene, in pixels; larger scenes are reduced.
_PICTURE = 1536

PERCENT_NODATA = 255

# Pixels of a scene from which on its files are made one at a time, to save memory.
_LARGE = 2**27

# Pixels after which freed memory is given back.
_TIDY = 2**24


@dataclass(frozen=True)
class SceneFacts:
    """The facts about a scene that its maps carry.

    `gsd` is in metres, None where it is not known; `fingerprint` the model's.
    """

    name: str
    height: int
    width: int
    georeference: Georeference
    gsd: float | None
    fingerprint: str

    @classmethod
    def of(cls, name: str, path: Path, scene: SceneReader, fingerprint: str) -> Self:
        """Describe a scene that is open.

        Raises:
            DataError: its georeference names no place, neither on the Earth nor in a local plane.
        """
        try:
            sides = gsd_of(scene.georeference, scene.width, scene.height)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        gsd = None if sides is None else (sides[0] * sides[1]) ** 0.5
        return cls(name, scene.height, scene.width, scene.georeference, gsd, fingerprint)


@dataclass(frozen=True)
class ClassTotal:
    """The landslides of a class in a scene.

    `area` and `share`, that of the scene's area with data, are of their polygons; in square metres
    where the scene is georeferenced, in pixels otherwise.
    """

    name: str
    landslides: int
    area: float
    share: float


@dataclass(frozen=True)
class SceneSummary:
    """What the maps of a scene show.

    `files` gives each file's name by its kind; `class_shares` are of the pixels with data, of which
    there are `pixels`; `unit` is that of the areas; `gsd` is None if it is not known. `border`
    are the `share` and the `values` of a border that was taken for no data although the file does
    not say so.
    """

    files: dict[str, str]
    class_shares: dict[str, float]
    pixels: int
    totals: list[ClassTotal]
    unit: str
    gsd: float | None
    border: dict[str, Any] | None = None


class SceneMaps:
    """Collects the mapped bands of a scene, in its context, and makes its files.

    `picture` is to be given the scene's own pixels.

    Raises:
        OSError: a file cannot be written.
    """

    def __init__(
        self, folder: Path, facts: SceneFacts, palette: Palette, settings: InferSettings
    ) -> None:
        self._folder, self._facts = folder, facts
        self._palette, self._settings = palette, settings
        self._outliner = Outliner(len(palette))
        self._counts = np.zeros(256, np.int64)
        self._tidied = 0
        self.picture = Reduced(facts.height, facts.width, _PICTURE)
        self._mask = Reduced(facts.height, facts.width, _PICTURE)
        self._writers = ExitStack()
        self._mask_writer = self._writer("mask", self._mask_layer)
        self._probability_writer: MapWriter | None = None
        if settings.probability != "none":
            self._probability_writer = self._writer("probability", self._probability_layer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._writers.__exit__(*exception)

    def add(self, band: Band) -> None:
        """Add the next band."""
        self._mask_writer.write(band.row_off, band.col_off, band.mask)
        if self._probability_writer is not None:
            values = self._probability_values(band)
            self._probability_writer.write(band.row_off, band.col_off, values)
        self._outliner.add(band.row_off, band.col_off, band.mask, band.probability)
        self._counts += np.bincount(band.mask.ravel(), minlength=256)
        if self._counts.sum() // _TIDY > self._tidied:
            self._tidied += 1
            self._outliner.settle()
            give_back_memory()
        self._mask.put(band.row_off, band.col_off, band.mask)

    def finish(self) -> SceneSummary:
        """Make the files, after the context has ended without an error.

        They lie in the folder under the names that they will keep.
        """
        give_back_memory()
        facts = self._facts
        if facts.height * facts.width > _LARGE:
            outlines, landslides = self._finish_polygons()
            give_back_memory()
            rasters = self._finish_rasters()
        else:
            # Most of their time is spent in compiled code, so that two threads are faster.
            with ThreadPoolExecutor(1) as pool:
                packed = pool.submit(self._finish_rasters)
                outlines, landslides = self._finish_polygons()
                rasters = packed.result()
        return self._summary(rasters | self._finish_picture() | outlines, landslides)

    def _finish_rasters(self) -> dict[str, str]:
        files = {"mask": self._file("mask")}
        finish_cog(self._raw("mask"), self._folder / files["mask"], self._mask_layer)
        if not self._facts.georeference.is_known:
            files["mask_png"] = self._file("mask_png")
            finish_png(self._raw("mask"), self._folder / files["mask_png"])
        if self._probability_writer is not None:
            files["probability"] = self._file("probability")
            target = self._folder / files["probability"]
            finish_cog(self._raw("probability"), target, self._probability_layer)
        return files

    def _finish_picture(self) -> dict[str, str]:
        files = {"overlay": self._file("overlay")}
        picture = overlay(self.picture.values, self._mask.values, self._palette)
        write_picture(self._folder / files["overlay"], picture)
        return files

    def _finish_polygons(self) -> tuple[dict[str, str], list[Landslide]]:
        facts, settings = self._facts, self._settings
        landslides = landslides_of(
            self._outliner.finish(),
            facts.georeference,
            facts.width,
            facts.height,
            self._palette.names,
            PolygonOptions(settings.min_area, settings.fill_holes, settings.simplify),
        )
        if settings.polygons == "none":
            return {}, landslides
        files = {"polygons": self._file(settings.polygons)}
        today = date.today().isoformat()
        origin = Provenance(facts.name, facts.gsd, facts.fingerprint, today)
        path = self._folder / files["polygons"]
        write_polygons(path, landslides, facts.georeference, origin)
        return files, landslides

    def _writer(self, kind: str, layer: Layer) -> MapWriter:
        facts = self._facts
        return self._writers.enter_context(
            MapWriter(self._raw(kind), facts.height, facts.width, facts.georeference, layer)
        )

    def _file(self, kind: str) -> str:
        return f"{self._facts.name}{MAP_SUFFIXES[kind]}"

    def _raw(self, kind: str) -> Path:
        return self._folder / f".{kind}.tif"

    @property
    def _mask_layer(self) -> Layer:
        return Layer("uint8", IGNORE, dict(enumerate(self._palette.colours)), "class")

    @property
    def _probability_layer(self) -> Layer:
        if self._settings.probability == "percent":
            return Layer("uint8", PERCENT_NODATA, None, "probability of foreground, per cent")
        return Layer("float32", float("nan"), None, "probability of foreground")

    def _probability_values(self, band: Band) -> NDArray[Any]:
        missing = band.mask == IGNORE
        if self._settings.probability == "percent":
            values: NDArray[Any] = np.rint(band.probability * 100.0).astype(np.uint8)
            values[missing] = PERCENT_NODATA
        else:
            values = band.probability.copy()
            values[missing] = np.nan
        return values

    def _summary(self, files: dict[str, str], landslides: Sequence[Landslide]) -> SceneSummary:
        names, facts = self._palette.names, self._facts
        counts = self._counts[: len(names)]
        pixels = int(counts.sum())
        area = pixel_area(facts.georeference, facts.width, facts.height)
        ground = pixels * (1.0 if area is None else area)
        totals = []
        for name in names[1:]:
            areas = [landslide.area for landslide in landslides if landslide.class_name == name]
            share = sum(areas) / ground if ground else 0.0
            totals.append(ClassTotal(name, len(areas), float(sum(areas)), share))
        shares = (counts / max(1, pixels)).tolist()
        return SceneSummary(
            files=files,
            class_shares=dict(zip(names, shares, strict=True)),
            pixels=pixels,
            totals=totals,
            unit="m2" if facts.georeference.is_known else "px",
            gsd=facts.gsd,
        )
