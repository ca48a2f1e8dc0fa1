"""Pages of the report, read as a browser would, and what they are made of."""

from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import rasterio

from landslide_cli.core.palette import Mask
from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.documents import write_json
from landslide_cli.imagery.provenance import Provenance
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.raster.images import write_image
from landslide_cli.imagery.vector.attributes import table_of
from landslide_cli.imagery.vector.polygon_files import write_polygons
from landslide_cli.profile import Profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.map_outputs import Drawing, Outputs
from landslide_cli.runs.map_record import (
    FORMAT,
    ClassTotal,
    FinishedScene,
    Identity,
    MapRecord,
    SceneSummary,
    StoredScene,
    read_record,
)
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.scales import SceneScale
from landslide_cli.stages.show.landslides import distributions, landslides_of, tables_of
from landslide_cli.stages.show.report import MapContents, write_report
from landslide_cli.stages.show.report.runs import run_part
from tests.imagery.vector.shapes import UTM, landslides_in

PLAN = Plan("openvino", "float32", None, None, False, 16, 4, 1, 2)

# What stands for the model's fingerprint.
MODEL = "3f2a"


class Page(HTMLParser):
    """The elements of a page: their tags with attributes, and the text of each."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "img", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self._open[-1] if self._open else "", data.strip()))

    def of(self, tag: str, kind: str = "") -> list[dict[str, str]]:
        """The attributes of the elements of a tag, of a class if given."""
        return [
            attributes
            for name, attributes in self.tags
            if name == tag and kind in ("", *attributes.get("class", "").split())
        ]

    def words(self, *tags: str) -> str:
        return "\n".join(text for tag, text in self.texts if not tags or tag in tags)


def speckled(seed: int, side: int, count: int) -> Mask:
    """Separate rectangles of many sizes."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((side, side), np.uint8)
    step = side // int(np.ceil(np.sqrt(count)))
    for index in range(count):
        top, left = np.array(divmod(index, side // step)) * step + 1
        height, width = rng.integers(1, step - 1, 2)
        mask[top : top + height, left : left + width] = 1
    return mask


def add_map(
    parent: Path,
    name: str,
    mask: Mask,
    place: Georeference = UTM,
    warnings: tuple[str, ...] = (),
    suffix: str = ".gpkg",
) -> Path:
    """Add a scene with its map, as `infer-tiled` leaves it; return the folder of the maps."""
    rows, cols = mask.shape
    is_placed = place.is_known
    provenance = Provenance(name, 0.5 if is_placed else None, MODEL, "2025-11-30", 0.5)
    folder, image = parent / "maps", parent / f"{name}.tif"
    folder.mkdir(exist_ok=True)
    header = {"driver": "GTiff", "width": cols, "height": rows, "dtype": "uint8"}
    if is_placed:
        header |= {"crs": place.crs, "transform": place.transform}
    with rasterio.open(image, "w", count=3, **header) as dataset:
        dataset.write(np.repeat(80 + 90 * mask[None], 3, axis=0))
    write_image(folder / f"{name}_overlay.jpg", np.repeat(90 * mask[..., None], 3, axis=2))
    with rasterio.open(folder / f"{name}_mask.tif", "w", count=1, **header) as dataset:
        dataset.write(mask, 1)
    landslides = landslides_in(mask, place)
    table = table_of(landslides, place, provenance)
    write_polygons(folder / f"{name}_landslides{suffix}", table, provenance)
    share = float(mask.mean())
    area = sum(landslide.area for landslide in landslides)
    summary = SceneSummary(
        files={},
        class_shares={"background": 1 - share, "landslide": share},
        pixels=mask.size,
        totals=[ClassTotal("landslide", len(landslides), area, share)],
        unit="m2" if is_placed else "px",
        gsd=provenance.gsd,
        mapped=provenance.mapped,
    )
    scale = SceneScale((0.25, 0.25), 2.0, warnings)
    scene = FinishedScene(name, image, cols, rows, scale, summary, Outputs(Drawing(0.5)))
    scenes = read_record(folder / MAPS_RECORD).scenes
    scenes[name] = StoredScene.of(scene, "", Identity(str(image), {}), {})
    record = MapRecord(FORMAT, {"model": MODEL}, PLAN, [], scenes)
    write_json(folder / MAPS_RECORD, asdict(record))
    return folder


def page_of(profile: Profile, maps: Path, folder: Path, limit: int | None = None) -> Page:
    """Write the page of a folder of maps without the pictures beside it, and return it."""
    infer = profile.infer.model_copy(update={"output": maps})
    profile = profile.model_copy(update={"infer": infer})
    reporter = SilentReporter()
    tables = tables_of(maps, profile.palette.polygons, reporter)
    groups = landslides_of(tables)
    contents = MapContents(tables, groups, distributions(groups))
    path, run = folder / "report.html", run_part(profile, None, [])
    assert write_report(profile, path, contents, run, limit, reporter) == [path]
    return Page(path)
