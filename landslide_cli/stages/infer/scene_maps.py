"""The map files of a scene: mask, probability, polygons and a quick look."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.memory import give_back_memory
from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.errors import DataError
from landslide_cli.imagery.pictures import Reduced, overlay
from landslide_cli.imagery.provenance import Provenance, day_of_mapping
from landslide_cli.imagery.raster.georeference import Georeference, gsd_of, pixel_area
from landslide_cli.imagery.raster.images import write_picture
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.imagery.raster.styles import mask_style, probability_style
from landslide_cli.imagery.raster.writer import Layer, MapWriter, finish_cog, finish_png
from landslide_cli.imagery.vector.attributes import table_of
from landslide_cli.imagery.vector.data_edges import DataEdges
from landslide_cli.imagery.vector.landslides import Landslide, landslides_of
from landslide_cli.imagery.vector.outlines import Outliner
from landslide_cli.runs.files import MAP_SUFFIXES
from landslide_cli.runs.map_outputs import Outputs
from landslide_cli.runs.map_record import ClassTotal, SceneSummary
from landslide_cli.stages.infer.mapper import Band, Recipe
from landslide_cli.stages.infer.polygons import described, write_formats
from landslide_cli.version import __version__

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

    `provenance` has the GSD in metres, None where it is not known; `pictured` are the positions of
    the bands to make a picture of, None for all.
    """

    name: str
    height: int
    width: int
    georeference: Georeference
    provenance: Provenance
    pictured: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        name: str,
        path: Path,
        scene: SceneReader,
        recipe: Recipe,
        mapped: str | None = None,
    ) -> Self:
        """Describe a scene that is open, and what maps it.

        Args:
            name: of the scene.
            path: of its file.
            scene: its pixels.
            recipe: what maps it.
            mapped: date of the mapping. Default: today.

        Raises:
            DataError: its georeference names no place, neither on the Earth nor in a local plane.
        """
        try:
            sides = gsd_of(scene.georeference, scene.width, scene.height)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        gsd = None if sides is None else (sides[0] * sides[1]) ** 0.5
        provenance = provenance_of(recipe, name, path, gsd, mapped)
        named = recipe.run.preprocessing.composition or recipe.profile.named_bands
        pictured = None if named is None else named.pictured
        return cls(name, scene.height, scene.width, scene.georeference, provenance, pictured)


def provenance_of(
    recipe: Recipe, name: str, path: Path, gsd: float | None, mapped: str | None = None
) -> Provenance:
    """Return where the maps of a scene come from; `mapped` is today's date by default."""
    return Provenance(
        scene=name,
        gsd=gsd,
        model=recipe.fingerprint,
        mapped=mapped or day_of_mapping(),
        threshold=recipe.run.threshold,
        source=path.name,
        licence=recipe.run.licence,
        software=f"landslide-cli {__version__}",
    )


class SceneMaps:
    """Collects the mapped bands of a scene, in its context, and makes its files.

    `picture` is to be given the scene's own pixels.

    Raises:
        OSError: a file cannot be written.
    """

    def __init__(self, folder: Path, facts: SceneFacts, palette: Palette, outputs: Outputs) -> None:
        self._folder, self._facts = folder, facts
        self._palette, self._outputs = palette, outputs
        self._outliner, self._edges = Outliner(len(palette)), DataEdges()
        self._counts = np.zeros(len(palette), np.int64)
        self._pixels = self._tidied = 0
        self.picture = Reduced(facts.height, facts.width, _PICTURE, facts.pictured)
        self._mask = Reduced(facts.height, facts.width, _PICTURE)
        self._writers = ExitStack()
        self._mask_writer = self._writer("mask", self._mask_layer)
        self._probability_writer: MapWriter | None = None
        if outputs.probability != "none":
            self._probability_writer = self._writer("probability", self._probability_layer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writers.__exit__(kind, error, trace)

    def add(self, band: Band) -> None:
        """Add the next band."""
        self._mask_writer.write(band.row_off, band.col_off, band.mask)
        if self._probability_writer is not None:
            values = self._probability_values(band)
            self._probability_writer.write(band.row_off, band.col_off, values)
        outlined = self._palette.only_foreground(band.mask)
        self._outliner.add(band.row_off, band.col_off, outlined, band.probability)
        self._edges.add(band.row_off, band.col_off, outlined)
        # Ten times as fast as a histogram of bytes.
        self._counts += [np.count_nonzero(band.mask == index) for index in range(len(self._counts))]
        self._pixels += band.mask.size
        if self._pixels // _TIDY > self._tidied:
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
        files |= self._style("mask_style", mask_style(self._palette))
        if not self._facts.georeference.is_known:
            files["mask_png"] = self._file("mask_png")
            finish_png(self._raw("mask"), self._folder / files["mask_png"])
        if self._probability_writer is not None:
            files["probability"] = self._file("probability")
            target = self._folder / files["probability"]
            finish_cog(self._raw("probability"), target, self._probability_layer)
            certain = 100.0 if self._outputs.probability == "percent" else 1.0
            files |= self._style("probability_style", probability_style(certain))
        return files

    def _finish_picture(self) -> dict[str, str]:
        files = {"overlay": self._file("overlay")}
        picture = overlay(self.picture.values, self._mask.values, self._palette)
        write_picture(self._folder / files["overlay"], picture)
        return files

    def _style(self, kind: str, style: str) -> dict[str, str]:
        (self._folder / self._file(kind)).write_text(style, encoding="utf-8")
        return {kind: self._file(kind)}

    def _finish_polygons(self) -> tuple[dict[str, str], list[Landslide]]:
        facts = self._facts
        landslides = landslides_of(
            self._edges.marked(self._outliner.finish(), facts.height, facts.width),
            facts.georeference,
            facts.width,
            facts.height,
            self._palette.names,
            self._outputs.drawing.options,
        )
        if not self._outputs.formats:
            return {}, landslides
        table = table_of(landslides, facts.georeference, facts.provenance)
        table = described(table, self._outputs)
        files = write_formats(self._folder, table, facts.provenance, self._outputs, self._palette)
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
        colours = {index: self._palette.colours[index] for index in self._palette.meaningful}
        return Layer("uint8", IGNORE, colours, "class", self._tags)

    @property
    def _probability_layer(self) -> Layer:
        name = "probability of foreground"
        if self._outputs.probability == "percent":
            return Layer("uint8", PERCENT_NODATA, None, f"{name}, per cent", self._tags)
        return Layer("float32", float("nan"), None, name, self._tags)

    @property
    def _tags(self) -> dict[str, str]:
        tags = self._facts.provenance.tags()
        return tags | {"TIFFTAG_DATETIME": f"{tags['MAPPED'].replace('-', ':')} 00:00:00"}

    def _probability_values(self, band: Band) -> NDArray[Any]:
        missing = band.mask == IGNORE
        if self._outputs.probability == "percent":
            values: NDArray[Any] = np.rint(band.probability * 100.0).astype(np.uint8)
            values[missing] = PERCENT_NODATA
        else:
            values = band.probability.copy()
            values[missing] = np.nan
        return values

    def _summary(self, files: dict[str, str], landslides: Sequence[Landslide]) -> SceneSummary:
        names, facts, counts = self._palette.names, self._facts, self._counts
        pixels = int(counts.sum())
        area = pixel_area(facts.georeference, facts.width, facts.height)
        ground = pixels * (1.0 if area is None else area)
        totals = []
        for name in (names[index] for index in self._palette.foreground):
            areas = [landslide.area for landslide in landslides if landslide.class_name == name]
            # Polygons are measured in another plane than pixels.
            share = min(1.0, sum(areas) / ground) if ground else 0.0
            totals.append(ClassTotal(name, len(areas), float(sum(areas)), share))
        shares = (counts / max(1, pixels)).tolist()
        return SceneSummary(
            files=files,
            class_shares={names[index]: shares[index] for index in self._palette.meaningful},
            pixels=pixels,
            totals=totals,
            unit="m2" if facts.georeference.is_known else "px",
            gsd=facts.provenance.gsd,
            mapped=facts.provenance.mapped,
        )
