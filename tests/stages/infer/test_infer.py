"""Mapping whole scenes: the maps, what is said of them, and how they come about."""

import csv
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rio_cogeo import cog_validate

from landslide_cli.core.palette import IGNORE
from landslide_cli.errors import ModelError, UsageError
from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.profile import Profile, load_profile
from landslide_cli.runs.run import find_run
from landslide_cli.stages.infer import infer_tiled
from tests.models import untie
from tests.stages.infer.cases import values_of, with_infer

Bright = Callable[..., Profile]


Write = Callable[..., Path]

UTM = {"crs": "EPSG:32648", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)}


SQUARE_METRES = 0.25 / 0.9996**2  # of a pixel, on the ground


def test_source_scenes_are_mapped_at_their_own_size(trained: Profile, tmp_path: Path) -> None:
    result = infer_tiled(trained, output=tmp_path / "maps")
    assert [mapped.scene for mapped in result.scenes] == ["s0", "s1"]
    palette = trained.palette
    for mapped in result.scenes:
        mask = read_mask(mapped.mask, palette).mask
        assert mask.shape == (75, 75) == (mapped.height, mapped.width)
        assert mapped.class_shares["landslide"] == pytest.approx((mask == 1).mean())
        assert read_image(mapped.files["overlay"], 3).shape == (75, 75, 3)


def test_squares_are_found(trained: Profile, trained_folder: Path, tmp_path: Path) -> None:
    result = infer_tiled(trained, output=tmp_path / "maps")
    palette = trained.palette
    for mapped in result.scenes:
        truth = read_mask(trained_folder / "scenes" / "masks" / f"{mapped.scene}.png", palette).mask
        predicted = read_mask(mapped.mask, palette).mask
        hits = int(((truth == 1) & (predicted == 1)).sum())
        assert 2 * hits / ((truth == 1).sum() + (predicted == 1).sum()) > 0.8


@pytest.mark.parametrize("shape", [(1, 1), (5, 200), (33, 31), (30, 5000), (3000, 7)])
def test_scene_of_any_size_is_mapped(
    trained: Profile, tmp_path: Path, shape: tuple[int, int]
) -> None:
    write_image(tmp_path / "odd.png", np.full((*shape, 3), 90, np.uint8))
    (mapped,) = infer_tiled(trained, [str(tmp_path / "odd.png")], output=tmp_path / "maps").scenes
    assert values_of(mapped.mask).shape == shape
    assert read_image(mapped.files["mask_png"], 3).shape == (*shape, 3)
    assert max(read_image(mapped.files["overlay"], 3).shape) <= 1536


def test_scale_keeps_the_scenes_own_size(trained: Profile, tmp_path: Path) -> None:
    profile = with_infer(trained, scale=0.5)
    result = infer_tiled(profile, limit=1, output=tmp_path / "maps")
    assert values_of(result.scenes[0].mask).shape == (75, 75)
    assert result.scale == 0.5


def test_mask_is_a_cloud_optimized_geotiff_on_the_scenes_own_grid(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    path = plant("scene.tif", (700, 900), [np.s_[100:301, 200:421]], **UTM)
    (mapped,) = infer_tiled(bright(), [str(path)], output=tmp_path / "maps").scenes
    assert cog_validate(mapped.mask, strict=True, quiet=True) == (True, [], [])
    truth = np.zeros((700, 900), np.uint8)
    truth[100:301, 200:421] = 1
    with rasterio.open(mapped.mask) as mask, rasterio.open(path) as scene:
        assert (mask.crs, mask.transform, mask.shape) == (scene.crs, scene.transform, scene.shape)
        assert (mask.count, mask.dtypes[0], mask.nodata) == (1, "uint8", IGNORE)
        assert mask.colormap(1)[0] == (0, 0, 0, 255)
        assert mask.colormap(1)[1] == (255, 0, 255, 255)
        assert mask.overviews(1)
        tags = mask.tags()
        assert (tags["SOURCE"], tags["GSD_M"]) == ("scene.tif", "0.5002")
        assert tags["MAPPED"] == date.today().isoformat()
        assert {"SOFTWARE", "MODEL"} <= tags.keys()
        np.testing.assert_array_equal(mask.read(1), truth)


def test_georeferenced_scene_has_no_png_of_the_mask(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    plant("scenes/a.tif", **UTM)
    plant("scenes/b.tif")
    maps = tmp_path / "maps"
    here, nowhere = infer_tiled(bright(), [str(tmp_path / "scenes")], output=maps).scenes
    assert set(here.files) == {"mask", "mask_style", "overlay", "gpkg", "polygons"}
    assert set(nowhere.files) == set(here.files) | {"mask_png"}
    assert (here.unit, nowhere.unit, nowhere.gsd) == ("m2", "px", None)
    assert here.gsd == pytest.approx(0.5 / 0.9996)
    made = {path.name for mapped in (here, nowhere) for path in mapped.files.values()}
    assert {path.name for path in maps.iterdir()} == made | {"infer.json", "landslides.csv"}


def test_png_of_the_mask_has_the_classes_colours_and_is_clear_without_data(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    image = np.full((60, 80, 3), 5, np.uint8)
    image[20:30, 10:30] = 250
    image[:, 60:] = 0
    with rasterio.open(
        tmp_path / "a.tif", "w", "GTiff", 80, 60, 3, dtype="uint8", nodata=0
    ) as file:
        file.write(np.moveaxis(image, -1, 0))
    (mapped,) = infer_tiled(bright(), [str(tmp_path / "a.tif")], output=tmp_path / "maps").scenes
    with rasterio.open(mapped.files["mask_png"]) as png:
        assert png.nodata == IGNORE
        assert png.colormap(1)[1] == (255, 0, 255, 255)
        np.testing.assert_array_equal(png.read(1), values_of(mapped.mask))
        assert (png.read_masks(1)[:, 60:] == 0).all()


def test_probability_is_written_in_per_cent_or_as_it_is(
    bright: Bright, write_raster: Write, tmp_path: Path
) -> None:
    image = np.tile(np.arange(100, 164, dtype=np.uint8), (40, 1))[..., None].repeat(3, axis=-1)
    image[5:9, 7:11] = 0
    path = write_raster("ramp.tif", image, nodata=0, **UTM)
    exact = 1 / (1 + np.exp(-(image[..., 0] - 127.5) / 32))
    profile = bright("infer.threshold=0.4", "infer.probability=float32")
    (whole,) = infer_tiled(profile, [str(path)], output=tmp_path / "whole").scenes
    percent = infer_tiled(
        bright("infer.threshold=0.4"), [str(path)], output=tmp_path / "percent", probability=True
    )
    for mapped in (whole, *percent.scenes):
        assert cog_validate(mapped.files["probability"], strict=True, quiet=True)[0]
        mask = values_of(mapped.mask)
        assert (mask[5:9, 7:11] == IGNORE).all()
        assert (mask == IGNORE).sum() == 16
    there = mask != IGNORE
    with rasterio.open(whole.files["probability"]) as dataset:
        values = dataset.read(1)
        assert dataset.dtypes[0] == "float32"
        assert np.isnan(dataset.nodata)
    np.testing.assert_array_equal(np.isnan(values), ~there)
    np.testing.assert_allclose(values[there], exact[there], atol=1e-5)
    np.testing.assert_array_equal(mask[there], values[there] >= 0.4)
    with rasterio.open(percent.scenes[0].files["probability"]) as dataset:
        cents = dataset.read(1)
        assert (dataset.dtypes[0], dataset.nodata) == ("uint8", 255)
    assert (cents[~there] == 255).all()
    np.testing.assert_array_equal(cents[there], np.rint(values[there] * 100))


def test_asking_for_the_probability_keeps_the_form_that_the_profile_names(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    profile = bright("infer.probability=float32")
    scene = str(plant("a.tif"))
    (mapped,) = infer_tiled(profile, [scene], output=tmp_path / "maps", probability=True).scenes
    assert values_of(mapped.files["probability"]).dtype == np.float32


@pytest.mark.parametrize("kind", ["gpkg", "geojson"])
def test_polygons_say_all_that_is_known_of_a_landslide(
    bright: Bright, plant: Write, read_polygons: Callable[[Path], Any], tmp_path: Path, kind: str
) -> None:
    path = plant("scene.tif", (96, 160), [np.s_[10:30, 20:50], np.s_[60:70, 100:120]], **UTM)
    result = infer_tiled(bright(f"infer.polygons={kind}"), [str(path)], output=tmp_path / "maps")
    (mapped,) = result.scenes
    layer = read_polygons(mapped.files["polygons"])
    assert layer.crs == ("EPSG:32648" if kind == "gpkg" else "EPSG:4326")
    fields = layer.fields
    assert fields["id"] == [1, 2]
    assert fields["class"] == ["landslide"] * 2
    assert fields["area_m2"] == pytest.approx([600 * SQUARE_METRES, 200 * SQUARE_METRES], abs=6e-3)
    assert fields["perimeter_m"] == pytest.approx([50 / 0.9996, 30 / 0.9996], abs=6e-3)
    assert (fields["length_m"], fields["width_m"]) == ([15.01, 10.0], [10.0, 5.0])
    assert fields["orientation_deg"] == [90, 90]
    assert fields["size_class"] == ["100 to 1,000 m2", "under 100 m2"]
    assert fields["cut_by_edge"] == [False, False]
    assert fields["longitude"] == pytest.approx([105.000183, 105.000575], abs=1e-6)
    certain = 1 / (1 + np.exp(-(250 - 127.5) / 32))
    for name in ("mean_probability", "min_probability"):
        assert fields[name] == pytest.approx([certain] * 2, abs=6e-4)
    assert fields["confidence"] == ["high"] * 2
    bounds = [geometry.bounds for geometry in layer.geometries]
    names = ("xmin", "ymin", "xmax", "ymax")
    assert list(zip(*(fields[name] for name in names), strict=True)) == [
        pytest.approx(box, abs=1e-7) for box in bounds
    ]
    assert fields["scene"] == ["scene"] * 2
    assert fields["gsd_m"] == [0.5002] * 2
    assert fields["model"] == [result.model] * 2
    assert [str(day)[:10] for day in fields["mapped"]] == [date.today().isoformat()] * 2


def test_table_lists_the_landslides_of_every_scene(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    plant("scenes/a.tif", (96, 160), [np.s_[10:30, 20:50], np.s_[60:70, 100:120]], **UTM)
    plant("scenes/b.tif", (40, 50), [np.s_[0:10, 0:5]])
    plant("scenes/c.tif", (40, 50), [])
    result = infer_tiled(bright(), [str(tmp_path / "scenes")], output=tmp_path / "maps")
    assert result.table == tmp_path / "maps" / "landslides.csv"
    rows = list(csv.DictReader(result.table.open(encoding="utf-8", newline="")))
    listed = [(row["scene"], row["class"], row["landslides"], row["unit"]) for row in rows]
    assert listed == [
        ("a", "landslide", "2", "m2"), ("b", "landslide", "1", "px"), ("c", "landslide", "0", "px")
    ]  # fmt: skip
    assert float(rows[0]["area"]) == pytest.approx(800 * SQUARE_METRES, abs=0.06)
    assert [float(row["area"]) for row in rows[1:]] == [50.0, 0.0]
    assert [float(row["share"]) for row in rows] == pytest.approx(
        [800 / (96 * 160), 50 / 2000, 0.0], abs=1e-5
    )
    assert [int(row["pixels"]) for row in rows] == [96 * 160, 2000, 2000]
    assert [bool(row["gsd_m"]) for row in rows] == [True, False, False]


def test_overlay_shows_the_landslides_on_the_scene(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    path = plant("scene.tif", (1700, 3100), [np.s_[200:600, 400:1200]])
    (mapped,) = infer_tiled(bright(), [str(path)], output=tmp_path / "maps").scenes
    picture = read_image(mapped.files["overlay"], 3).astype(int)
    assert picture.shape == (567, 1034, 3)  # every third pixel
    purple = picture[..., 0] - picture[..., 1] > 50
    expected = np.zeros(purple.shape, bool)
    expected[67:200, 134:400] = True
    # JPEG blurs the outline by a pixel.
    assert (purple != expected).mean() < 1e-3


def test_result_and_record_say_how_the_scenes_were_mapped(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    path = plant("scene.tif", **UTM)
    result = infer_tiled(bright(), [str(path)], output=tmp_path / "maps")
    document = json.loads(json.dumps(result.document(), allow_nan=False))
    (scene,) = document["scenes"]
    assert Path(scene["mask"]) == result.scenes[0].mask
    assert Path(scene["polygons"]).is_file()
    assert scene["totals"][0]["name"] == "landslide"
    assert (document["engine"], document["precision"]) == ("openvino", "float32")
    assert document["tile"] == 64
    assert document["threshold"] is None
    assert document["seconds"] >= document["model_seconds"] > 0.0
    record = json.loads((tmp_path / "maps" / "infer.json").read_text(encoding="utf-8"))
    assert record["plan"]["engine"] == "openvino"
    assert record["made_from"]["model"] == document["model"] == result.model
    assert set(record["scenes"]) == {"scene"}
    ground = scene["width"] * scene["height"] * scene["gsd"] ** 2 / 1e6
    assert document["square_kilometres_per_hour"] == pytest.approx(
        ground * 3600.0 / document["seconds"]
    )
    assert record["speed"] == {
        key: document[key]
        for key in ("megapixels", "seconds", "model_seconds", "square_kilometres_per_hour")
    }
    assert result.exit_status == 0
    assert result.complaint is None
    assert str(result.folder) in result.headline()
    assert {table.title for table in result.tables()} == {"scenes", "settings"}
    rows = {row[0]: row[1] for row in result.tables()[1].rows}
    assert (rows["engine"], rows["windows"]) == ("openvino", "64 pixels")
    assert float(rows["square kilometres per hour"].replace(",", "")) == pytest.approx(
        document["square_kilometres_per_hour"], rel=0.01
    )


def test_ground_per_hour_is_not_told_where_the_gsd_of_a_scene_is_not_known(
    bright: Bright, plant: Write, tmp_path: Path
) -> None:
    paths = [str(plant("known.tif", **UTM)), str(plant("plain.tif"))]
    result = infer_tiled(bright(), paths, output=tmp_path / "maps")
    assert result.document()["square_kilometres_per_hour"] is None
    assert "square kilometres per hour" not in {row[0] for row in result.tables()[1].rows}
    record = json.loads((tmp_path / "maps" / "infer.json").read_text(encoding="utf-8"))
    assert record["speed"]["square_kilometres_per_hour"] is None
    assert record["speed"]["megapixels"] == result.document()["megapixels"]


def test_each_foreground_class_has_its_own_polygons(
    bright: Bright,
    save_bright: Callable[..., None],
    write_raster: Write,
    read_polygons: Callable[[Path], Any],
    tmp_path: Path,
) -> None:
    save_bright(tmp_path / "run" / "model.keras", outputs=3)
    classes = (
        "[{name: ground, colour: [0, 0, 0]}, {name: slide, colour: [255, 0, 0]}, "
        "{name: water, colour: [0, 0, 255]}]"
    )
    image = np.full((50, 80, 3), 5, np.uint8)
    image[10:30, 20:40, 0] = 250
    image[10:30, 40:50, 1] = 250  # touches the other class
    path = write_raster("two.tif", image)
    profile = bright(f"run={tmp_path / 'run'}", f"classes={classes}")
    (mapped,) = infer_tiled(profile, [str(path)], output=tmp_path / "maps").scenes
    fields = read_polygons(mapped.files["polygons"]).fields
    areas = sorted(zip(fields["class"], fields["area_px"], strict=True))
    assert areas == [("slide", 400.0), ("water", 200.0)]
    assert [(total.name, total.landslides) for total in mapped.totals] == [
        ("slide", 1),
        ("water", 1),
    ]
    assert mapped.class_shares["water"] == pytest.approx(200 / 4000)
    np.testing.assert_array_equal(np.unique(values_of(mapped.mask)), [0, 1, 2])


def test_missing_model_is_said(untrained: Profile) -> None:
    with pytest.raises(ModelError, match="landslide train"):
        infer_tiled(untrained)


def test_dataset_of_folds_asks_which_one(trained: Profile, tmp_path: Path) -> None:
    split = trained.split.model_copy(update={"folds": 3})
    with pytest.raises(UsageError, match="--fold"):
        infer_tiled(trained.model_copy(update={"split": split}), output=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_the_runs_threshold_decides_unless_the_profile_gives_one(
    trained: Profile, tmp_path: Path
) -> None:
    def mapped(folder: str, **changes: float) -> list[float]:
        result = infer_tiled(with_infer(trained, **changes), output=tmp_path / folder)
        assert result.threshold == result.document()["threshold"]
        thresholds.append(result.threshold)
        return [scene.class_shares["landslide"] for scene in result.scenes]

    thresholds: list[float | None] = []
    own, low, high = mapped("own"), mapped("low", threshold=0.001), mapped("high", threshold=0.999)
    untie(trained.run)
    (trained.run / "threshold.json").unlink()
    mapped("none")
    stored = find_run(load_profile(trained.run / "profile.yaml")).threshold
    assert thresholds == [stored, 0.001, 0.999, None]
    assert all(a > b > c for a, b, c in zip(low, own, high, strict=True))


def test_progress_counts_every_window_once(
    bright: Bright, plant: Write, tmp_path: Path, reporter: Any
) -> None:
    plant("scenes/a.tif", (100, 160), [])
    plant("scenes/b.tif", (64, 64), [])
    infer_tiled(bright(), [str(tmp_path / "scenes")], output=tmp_path / "maps", reporter=reporter)
    # Windows of 64 pixels with 16 in common: 2 x 3 in the one, 1 in the other.
    assert reporter.advances == 7


def test_how_says_what_a_precision_changed(bright: Bright, plant: Write, tmp_path: Path) -> None:
    path = plant("scene.tif")
    profile = bright("infer.precision=bfloat16")
    result = infer_tiled(profile, [str(path)], output=tmp_path / "maps")
    assert result.plan.precision == "bfloat16"
    assert result.plan.changed is not None
    rows = {row[0]: row[1] for row in result.tables()[-1].rows}
    assert re.search(r"bfloat16 \(bfloat16 changes .*% of pixels\)", rows["precision"])
