"""Two inventories compared without a model, against shapely's areas and counting by hand."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyogrio import raw
from rasterio import features

from landslide_cli.app import main
from landslide_cli.documents import read_json
from landslide_cli.errors import DataError
from landslide_cli.profile import Profile, load_profile
from landslide_cli.stages.evaluate.inventory import compare_inventories
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import split
from tests.conftest import RecordingReporter

SIDE = 64  # pixels of 2 m
LEFT, TOP = 500_000.0, 3_400_000.0
CRS = "EPSG:32648"
# On the central meridian a metre of UTM is 1 / 0.9996 m of the ground.
PIXEL = 4 / 0.9996**2
LONGER = 600.0  # of where another scene lies, in metres

ProfileWith = Callable[..., Profile]


def ground(col: float, row: float, cols: float, rows: float, east: float = 0.0) -> shapely.Geometry:
    """A rectangle of the ground by pixels of the scene."""
    x, y = LEFT + 2 * col + east, TOP - 2 * row
    return shapely.box(x, y - 2 * rows, x + 2 * cols, y)


def write_scene(path: Path, east: float = 0.0, clear: int = 0, crs: str | None = CRS) -> None:
    """A scene whose first columns are transparent."""
    image = np.full((4, SIDE, SIDE), 255, np.uint8)
    image[3, :, :clear] = 0
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(
        *(path, "w", "GTiff", SIDE, SIDE, 4, crs),
        transform=Affine(2, 0, LEFT + east, 0, -2, TOP) if crs else Affine.identity(),
        dtype="uint8",
        photometric="RGB",
        alpha="YES",
    ) as file:
        file.write(image)


def write_layer(
    path: Path, shapes: Sequence[shapely.Geometry], kinds: Sequence[str] = (), **options: str | None
) -> None:
    fields = {"kind": np.array(kinds, object)} if kinds else {}
    how = {"driver": "GPKG", "crs": CRS, "geometry_type": "Unknown"} | options
    raw.write(path, shapely.to_wkb(list(shapes)), list(fields.values()), list(fields), **how)


@pytest.fixture
def profile_with(tmp_path: Path) -> ProfileWith:
    """A profile of the scenes in `images` and the layer `mine.gpkg`."""

    def load(*sets: str) -> Profile:
        path = tmp_path / "p.yaml"
        path.write_text(
            f"""\
name: own
source: {{images: '{tmp_path}/images', labels: {{files: '{tmp_path}/mine.gpkg'}}}}
dataset: '{tmp_path}/dataset'
run: '{tmp_path}/runs/own'
classes:
  - {{name: background, colour: [0, 0, 0]}}
  - {{name: slide, colour: [255, 0, 255]}}
  - {{name: flow, colour: [255, 200, 0]}}
prepare: {{tile: 16, workers: 1}}
model: {{num_layers: 3}}
evaluate: {{object_sizes: [200.0]}}
""",
            encoding="utf-8",
        )
        return load_profile(path, sets)

    return load


MINE = [ground(10, 10, 10, 10), ground(30, 10, 10, 10), ground(30, 40, 5, 5)]
OTHER = [ground(10, 10, 8, 10), ground(38, 10, 10, 10), ground(50, 50, 4, 4)]


@pytest.fixture
def other(tmp_path: Path) -> str:
    """Write the scene and both inventories; return the name of the other one."""
    write_scene(tmp_path / "images" / "a.tif")
    write_layer(tmp_path / "mine.gpkg", MINE)
    write_layer(tmp_path / "other.gpkg", OTHER)
    return f"{tmp_path}/other.gpkg"


def test_areas_are_those_of_the_polygons_and_objects_are_told_apart(
    profile_with: ProfileWith, other: str, tmp_path: Path
) -> None:
    compared = compare_inventories(profile_with(), other)
    result = compared.document()
    mine, others = shapely.union_all(MINE), shapely.union_all(OTHER)
    both, either = mine.intersection(others).area, mine.union(others).area
    pooled = result["pooled"]
    areas = {"labels": mine.area, "inventory": others.area, "both": both, "either": either}
    assert {key: pooled[key] for key in areas} == pytest.approx(
        {key: area / 4 * PIXEL for key, area in areas.items()}, rel=1e-5
    )
    assert pooled["iou"] == pooled["matching"] == pytest.approx(both / either)
    assert pooled["mapping_error"] == pytest.approx((either - both) / either)
    labels = {"objects": 3, "matched": 1, "overlapping": 1, "missed": 1}
    inventory = {"objects": 3, "matched": 1, "overlapping": 1, "extra": 1}
    sizes = pooled["objects"]["sizes"]
    assert pooled["objects"] == {"labels": labels, "inventory": inventory, "sizes": sizes}
    assert [(size["from"], size["below"]) for size in sizes] == [(0.0, 200.0), (200.0, None)]
    assert [size["labels"]["missed"] for size in sizes] == [1, 0]
    assert [size["inventory"]["extra"] for size in sizes] == [1, 0]
    area, objects = compared.tables()
    assert area.rows[0][4:] == ("0.3115", "0.6885", "1", "1", "1")
    assert objects.rows[-1] == ("all", "3", "1", "1", "1", "3", "1", "1", "1")
    assert read_json(tmp_path / "runs" / "own.inventory" / "inventory.json") == result
    assert not (tmp_path / "runs" / "own").exists()  # where a training would refuse it


def test_masks_are_labels_too(
    profile_with: ProfileWith, other: str, tmp_path: Path, write_raster: Callable[..., Path]
) -> None:
    place = Affine(2, 0, LEFT, 0, -2, TOP)
    mask = features.rasterize(MINE, (SIDE, SIDE), transform=place).astype(np.uint8)
    write_raster("masks/a.png", mask)
    source = f"source={{images: '{tmp_path}/images', masks: '{tmp_path}/masks'}}"
    by_mask = compare_inventories(profile_with(source), other)
    assert (
        by_mask.document()["pooled"]
        == (compare_inventories(profile_with(), other).document()["pooled"])
    )


def test_the_same_polygons_in_another_crs_match(
    profile_with: ProfileWith, other: str, tmp_path: Path
) -> None:
    def to_degrees(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(rasterio.warp.transform(CRS, "EPSG:4326", *xy.T))

    # A little inside, so that no middle of a pixel is near a side.
    inner = [shapely.buffer(shape, -0.3) for shape in MINE]
    moved = list(shapely.transform(np.array(inner, object), to_degrees))
    write_layer(tmp_path / "degrees.gpkg", moved, crs="EPSG:4326")
    pooled = compare_inventories(profile_with(), f"{tmp_path}/degrees.gpkg").document()["pooled"]
    assert (pooled["iou"], pooled["mapping_error"]) == (1.0, 0.0)
    assert pooled["objects"]["labels"]["matched"] == 3


def test_classes_are_taken_together(profile_with: ProfileWith, other: str, tmp_path: Path) -> None:
    (tmp_path / "mine.gpkg").unlink()
    write_layer(tmp_path / "mine.gpkg", OTHER, ["s", "f", "f"])
    profile = profile_with("source.labels.class={field: kind, values: {s: slide, f: flow}}")
    assert compare_inventories(profile, other).document()["pooled"]["iou"] == 1.0


def test_only_labelled_ground_is_compared(
    profile_with: ProfileWith, other: str, tmp_path: Path
) -> None:
    write_scene(tmp_path / "images" / "a.tif", clear=15)
    write_layer(tmp_path / "area.gpkg", [ground(0, 0, 35, SIDE)])
    profile = profile_with(f"source.labels.area={tmp_path}/area.gpkg")
    pooled = compare_inventories(profile, other).document()["pooled"]
    # Of the first landslide 5 columns and 3 of them in common, of the second 5, of the third all.
    areas = [pooled[key] / PIXEL for key in ("labels", "inventory", "both")]
    assert areas == pytest.approx([50 + 50 + 25, 30, 30], rel=1e-5)


def test_scenes_are_pooled_and_one_without_landslides_has_no_index(
    profile_with: ProfileWith, other: str, tmp_path: Path, reporter: RecordingReporter
) -> None:
    write_scene(tmp_path / "images" / "b.tif", LONGER)
    write_scene(tmp_path / "images" / "c.tif", 2 * LONGER)
    write_scene(tmp_path / "images" / "d.tif", crs=None)
    elsewhere = ground(0, 0, 5, 5, -3 * LONGER)
    for name, shapes in (("mine", MINE), ("other", OTHER)):
        (tmp_path / f"{name}.gpkg").unlink()
        more = [ground(10, 10, 10, 10, LONGER), elsewhere, shapely.Point(LEFT, TOP)]
        write_layer(tmp_path / f"{name}.gpkg", [*shapes, *more])
    result = compare_inventories(profile_with(), other, reporter=reporter)
    document = result.document()
    lines = {line["scene"]: line for line in document["scenes"]}
    assert list(lines) == ["a", "b", "c"]
    assert [lines[name]["polygons"] for name in "abc"] == [3, 1, 0]
    assert lines["b"]["iou"] == 1.0
    assert (lines["c"]["iou"], lines["c"]["mapping_error"]) == (None, None)
    total = {key: sum(lines[name][key] for name in "abc") for key in ("both", "either")}
    assert document["pooled"]["iou"] == pytest.approx(total["both"] / total["either"])
    assert (document["polygons"], document["polygons_on_no_scene"]) == (5, 1)
    with result.files[1].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["iou"] for row in rows[1:]] == ["1", ""]
    assert [row["labels_objects"] for row in rows] == ["3", "1", "0"]
    assert reporter.notes == [f"{other}: 5 polygons; 1 on no scene"]
    assert "left out 1 scene without georeference: d" in reporter.warnings
    assert any("left out 1 points" in text for text in reporter.warnings)
    assert len(compare_inventories(profile_with(), other, limit=1).overlaps) == 1


def test_a_part_is_compared_by_its_blocks(
    profile_with: ProfileWith, other: str, tmp_path: Path
) -> None:
    sets = "split.block=16 px", "split.buffer=4 px", "split.overlap={content: false}"
    profile = profile_with(*sets, "split.train=0.4", "split.valid=0.3", "split.test=0.3")
    prepare(profile)
    split(profile)
    parts = [compare_inventories(profile, other, part=part) for part in ("train", "valid", "test")]
    names = [overlap.scene for result in parts for overlap in result.overlaps]
    assert len(names) == len(set(names)) == 16
    assert all(name.startswith("a_r") for name in names)
    pixels = sum(overlap.pixels for result in parts for overlap in result.overlaps)
    # Rims have no label.
    assert 0 < np.sum(pixels) < SIDE**2
    assert parts[0].tables()[0].title.startswith("train: ")


def test_a_part_of_no_split_is_refused(
    profile_with: ProfileWith, other: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    profile_with()
    arguments = ["evaluate", f"{tmp_path}/p.yaml", "--inventory", other]
    assert main([*arguments, "--on", "test"]) == 2
    assert "no split of the scenes is recorded" in capfd.readouterr().err
    assert main([*arguments, "--folds"]) == 2
    assert "--folds" in capfd.readouterr().err


def test_the_command_prints_the_document(
    profile_with: ProfileWith, other: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    profile_with()
    assert main(["evaluate", f"{tmp_path}/p.yaml", "--inventory", other, "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document == read_json(tmp_path / "runs" / "own.inventory" / "inventory.json")
    assert main(["evaluate", f"{tmp_path}/p.yaml", "--inventory", other]) == 0
    printed = capfd.readouterr().out
    assert "error E" in printed
    assert "matching M 0.3115, mapping error E 0.6885 over 1 scene" in printed


def unusable(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """The layer, and what the error says."""
    (tmp_path / "text.gpkg").write_text("no layer")
    write_layer(tmp_path / "points.gpkg", [shapely.Point(LEFT + 9, TOP - 9)])
    write_layer(tmp_path / "far.gpkg", [ground(0, 0, 9, 9, 10 * LONGER)])
    write_layer(tmp_path / "bare.shp", MINE, driver="ESRI Shapefile", geometry_type="Polygon")
    (tmp_path / "bare.prj").unlink()
    return {
        "missing": ("none.gpkg", "none.gpkg: no such file; name a vector file in --inventory"),
        "no layer of that name": ("other.gpkg|layername=x", "has no layer 'x'; there is"),
        "text": ("text.gpkg", "is no vector file of a known format"),
        "points": ("points.gpkg", "holds points or lines, or geometries without an area, but no"),
        "elsewhere": ("far.gpkg", "no polygon lies on a scene; the layer covers x 506000"),
        "no CRS": ("bare.shp", "bare.shp: has no CRS; set it in the file"),
    }


@pytest.mark.parametrize(
    "case", ["missing", "no layer of that name", "text", "points", "elsewhere", "no CRS"]
)
def test_an_inventory_that_cannot_be_used_is_refused_in_a_line(
    profile_with: ProfileWith, other: str, tmp_path: Path, case: str
) -> None:
    name, words = unusable(tmp_path)[case]
    with pytest.raises(DataError) as caught:
        compare_inventories(profile_with(), f"{tmp_path}/{name}")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_scenes_without_a_place_or_labels_are_refused(
    profile_with: ProfileWith, other: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="no scene has labels to compare the inventory with"):
        images = f"source={{images: '{tmp_path}/images', masks: none}}"
        compare_inventories(profile_with(images), other)
    write_scene(tmp_path / "images" / "a.tif", crs=None)
    with pytest.raises(DataError, match="has no georeference, nor has any other scene"):
        compare_inventories(profile_with(), other)
    assert not (tmp_path / "runs").exists()
