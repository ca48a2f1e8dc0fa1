"""Pictures of what there is."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.errors import DataError
from landslide_cli.imagery.figures import GAP, LINE
from landslide_cli.imagery.pictures import FALSE_ALARM, HIT, MISS, OUTLINE
from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.profile import Profile, load_profile
from landslide_cli.runs.files import MODEL
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.show import show
from landslide_cli.stages.split import split
from tests.conftest import RecordingReporter
from tests.models import copy_of_run, untie
from tests.stages.show.report.cases import add_map, speckled

ProfileWith = Callable[..., Profile]
WriteScene = Callable[..., tuple[Path, Path]]

UTM = Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)


@pytest.mark.usefixtures("printed_figures")
def test_trained_run_is_pictured_in_full(trained: Profile, tmp_path: Path) -> None:
    result = show(trained, output=tmp_path / "show")
    names = [path.name for path in result.files]
    assert names == [
        *("scenes.png", "tiles-test.png", "classes.png", "foreground.png", "curves.png"),
        "report.html",
    ]
    for path in result.files[:-1]:
        assert read_image(path, 3).std() > 1.0
    assert result.headline().splitlines() == [str(path) for path in result.files]


def test_scene_sheet_grows_by_the_prediction_and_the_comparison(
    trained: Profile, tmp_path: Path
) -> None:
    before = read_image(show(trained, output=tmp_path / "before").files[0], 3)
    mapped = trained.infer.model_copy(update={"output": tmp_path / "maps"})
    profile = trained.model_copy(update={"infer": mapped})
    infer_tiled(profile)
    after = read_image(show(profile, output=tmp_path / "after").files[0], 3)
    assert after.shape[1] > before.shape[1]


def test_mask_of_infer_tiled_is_pictured_as_the_prediction(
    trained: Profile, trained_folder: Path, palette: Palette, tmp_path: Path
) -> None:
    truth = trained_folder / "scenes" / "masks" / "s0.png"
    (tmp_path / "maps").mkdir()
    mask = read_mask(truth, palette).mask
    with rasterio.open(
        tmp_path / "maps" / "s0_mask.tif", "w", "GTiff", *mask.shape[::-1], 1, dtype="uint8",
        nodata=IGNORE,
    ) as dataset:  # fmt: skip
        dataset.write(mask, 1)
        dataset.write_colormap(1, dict(enumerate(palette.colours)))
    mapped = trained.infer.model_copy(update={"output": tmp_path / "maps"})
    profile = trained.model_copy(update={"infer": mapped})
    page = read_image(show(profile, output=tmp_path / "show").files[0], 3)
    # One scene has been mapped: a row of image, mask, prediction and comparison.
    cell = trained.show.cell
    row = page[2 * LINE : 2 * LINE + cell]
    _, second, third, fourth = (
        row[:, GAP + col * (cell + GAP) :][:, :cell].astype(int) for col in range(4)
    )
    assert page.shape[0] < 2 * cell
    np.testing.assert_array_equal(second, third)
    hits = (np.abs(fourth - HIT) < 5).all(axis=-1)
    assert hits.any()
    for wrong in (MISS, FALSE_ALARM):
        assert not (fourth == wrong).all(axis=-1).any()


def names_of(paths: Sequence[Path]) -> list[str]:
    return [path.name for path in paths]


def map_scenes(profile: Profile, maps: Path, *scenes: Path) -> Profile:
    """Map scenes into a folder, and return the profile that names it."""
    infer_tiled(profile, [str(scene) for scene in scenes], output=maps)
    mapped = profile.infer.model_copy(update={"output": maps})
    return profile.model_copy(update={"infer": mapped})


@pytest.mark.parametrize("kind", ["gpkg", "geojson"])
@pytest.mark.usefixtures("printed_figures")
def test_sizes_of_the_mapped_landslides_are_drawn(
    bright: ProfileWith, plant: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    places = [np.s_[5:10, 5:9], np.s_[20:40, 20:60], np.s_[60:90, 10:90], np.s_[50:52, 100:103]]
    here = plant("here.tif", (96, 160), places, crs="EPSG:32648", transform=UTM)
    nowhere = plant("nowhere.tif", (96, 160), places[:2])
    profile = bright(f"infer.polygons={kind}")
    for scenes, names in (
        ([here], ["frequency_area_m2.png"]),
        ([nowhere], ["frequency_area_px.png"]),
        ([here, nowhere], ["frequency_area_m2.png", "frequency_area_px.png"]),
    ):
        folder = tmp_path / "-".join(scene.stem for scene in scenes)
        mapped = map_scenes(profile, folder / "maps", *scenes)
        result = show(mapped, output=folder / "show")
        expected = ["maps.png", *names, "frequency_area.json", "report.html"]
        assert [path.name for path in result.files] == expected
        for path in result.files[:-2]:
            assert read_image(path, 3).std() > 1.0
        document = result.document()
        assert [entry["unit"] for entry in document["sizes"]] == [
            name.removesuffix(".png").removeprefix("frequency_area_") for name in names
        ]


def test_without_landslides_no_sizes_are_drawn(
    bright: ProfileWith, plant: Callable[..., Path], tmp_path: Path
) -> None:
    empty = plant("empty.tif", (96, 160), [], crs="EPSG:32648", transform=UTM)
    profile = map_scenes(bright(), tmp_path / "maps", empty)
    assert (tmp_path / "maps" / "empty_landslides.gpkg").is_file()
    assert names_of(show(profile, output=tmp_path / "show").files) == ["maps.png", "report.html"]
    full = plant("full.tif", crs="EPSG:32648", transform=UTM)
    profile = map_scenes(bright("infer.polygons=none"), tmp_path / "other", full)
    assert names_of(show(profile, output=tmp_path / "other").files) == ["maps.png", "report.html"]


def test_maps_of_own_scenes_are_pictured_without_any_source(
    bright: ProfileWith,
    plant: Callable[..., Path],
    palette: Palette,
    reporter: RecordingReporter,
    tmp_path: Path,
) -> None:
    scene = plant("own.tif", (96, 160), [np.s_[20:60, 40:120]])
    profile = map_scenes(
        bright("source.images=none/*.png", "source.masks=none/*_mask.png"), tmp_path / "maps", scene
    )
    path = show(profile, output=tmp_path / "show", reporter=reporter).files[0]
    assert path.name == "maps.png"
    assert any("none/*.png: no image found" in note for note in reporter.notes)
    # A row of image, map and map on image, with the landslide in the middle half.
    cell = profile.show.cell
    row = read_image(path, 3)[2 * LINE : 2 * LINE + 96 * cell // 160].astype(int)
    image, classes, outlines = (row[:, GAP + col * (cell + GAP) :][:, :cell] for col in range(3))
    middle = np.s_[cell * 40 // 160, cell // 2]
    np.testing.assert_array_equal(classes[middle], palette.colours[1])
    np.testing.assert_array_equal(classes[2, 2], palette.colours[0])
    assert np.abs(outlines[middle] - image[middle]).max() > 20
    assert np.abs(outlines[2, 2] - image[2, 2]).max() < 20
    scene.unlink()
    assert (
        names_of(show(profile, output=tmp_path / "show", reporter=reporter).files)[0] == path.name
    )
    assert any("is no longer there: own is drawn without it" in note for note in reporter.notes)


def test_the_worst_scenes_of_the_last_evaluation_are_pictured(
    trained: Profile, tmp_path: Path
) -> None:
    scenes = trained.evaluate.model_copy(update={"units": "scenes"})
    evaluate(trained.model_copy(update={"evaluate": scenes}))
    files = {path.name: path for path in show(trained, output=tmp_path / "show").files}
    # Two scenes, each a row of image, mask, prediction and comparison.
    rows, cols, _ = read_image(files["worst.png"], 3).shape
    cell = trained.show.cell
    assert 2 * cell < rows < 3 * cell
    assert 4 * cell < cols < 5 * cell


def test_scenes_of_two_runs_are_pictured_with_what_either_maps(
    trained: Profile, trained_folder: Path, save_bright: Callable[..., None], tmp_path: Path
) -> None:
    worse = copy_of_run(trained_folder, tmp_path / "worse")
    untie(worse.run)
    save_bright(worse.run / MODEL, middle=180.0, steepness=1.0)
    scenes = trained.evaluate.model_copy(update={"units": "scenes"})
    evaluate(trained.model_copy(update={"evaluate": scenes}), against=worse.run)
    *_, report = show(trained, output=tmp_path / "show").files
    page = report.read_text(encoding="utf-8")
    assert page.count('aria-label="Legend"') == 2
    pictures = re.findall(
        r'<img class="over" src="([^"]+)" alt="[^"]+ of (this|the other) run"', page
    )
    # Two scenes; the other run misses what this one hits.
    assert [run for _, run in pictures] == ["this", "the other"] * 2
    assert len({uri for uri, _ in pictures}) == 4
    assert "Training of the other run" in page


def test_scenes_that_share_ground_are_pictured_with_each_others_outline(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    canvas, mask = draw_scene(7, 0, 300, 192)
    write_scene("a", image=canvas[:, :192], mask=mask[:, :192])
    write_scene("b", image=canvas[:, 108:], mask=mask[:, 108:])
    for index, name in enumerate("cd", start=1):
        image, mask = draw_scene(7, index, 192, 192)
        write_scene(name, image=image, mask=mask)
    profile = profile_with("prepare.tile=192", "show.cell=192")
    prepare(profile)
    split(profile)
    files = {path.name: path for path in show(profile).files}
    page = read_image(files["overlaps.png"], 3).astype(int)
    lower = np.asarray((abs(page - OUTLINE) < 40).all(axis=-1))[-174 - GAP : -GAP]
    # On a the frame of b begins at 108 of 192 columns; on b that of a ends at 84.
    first, second = GAP, 192 + 2 * GAP
    assert lower[:, first + 103 : first + 113].any(axis=1).mean() > 0.8
    assert lower[:, second + 79 : second + 89].any(axis=1).mean() > 0.8
    assert not lower[:, first + 20 : first + 90].any()


def test_limit_takes_the_first_tiles(trained: Profile, tmp_path: Path) -> None:
    single = read_image(show(trained, output=tmp_path / "one", limit=1).files[1], 3)
    two = read_image(show(trained, output=tmp_path / "two", limit=2).files[1], 3)
    assert two.shape[0] > single.shape[0]


def test_untrained_dataset_is_pictured_beside_the_dataset(untrained: Profile) -> None:
    result = show(untrained.model_copy(update={"show": untrained.show}))
    assert all(path.parent == untrained.dataset / "show" for path in result.files)
    assert not untrained.run.exists()


def test_layers_are_listed_with_shapes_parameters_and_work(untrained: Profile) -> None:
    result = show(untrained, model=True)
    assert result.layers[0]["shape"] == (32, 32, 3)
    assert sum(layer["parameters"] for layer in result.layers) == result.parameters
    assert result.gflop == pytest.approx(sum(layer["gflop"] for layer in result.layers))
    assert len(result.tables()[0].rows) == len(result.layers)
    (picture,) = result.files
    assert picture.name == "network.png"
    assert picture.is_file()
    assert str(picture) in result.headline()


def test_scenes_without_tiles_are_pictured_and_the_layers_are_those_for_a_crop(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    for name in "abc":
        write_scene(name)
    profile = profile_with("prepare.tile=null", "train.crop=32", "model.base_filters=2")
    assert [path.name for path in show(profile).files] == ["scenes.png"]
    prepare(profile)
    split(profile)
    assert [path.name for path in show(profile).files] == ["scenes.png"]
    result = show(profile, model=True)
    assert (result.tile, result.layers[0]["shape"]) == (32, (32, 32, 3))


def test_nothing_to_show_is_said(untrained: Profile, tmp_path: Path) -> None:
    source = untrained.sources[0].model_copy(update={"images": None, "masks": None})
    empty = untrained.model_copy(update={"dataset": tmp_path / "none", "source": source})
    with pytest.raises(DataError, match="nothing to show"):
        show(empty)
    assert list(tmp_path.iterdir()) == []


def test_map_of_another_image_of_the_name_is_not_taken_for_the_prediction(
    trained: Profile, tmp_path: Path
) -> None:
    infer = trained.infer.model_copy(update={"output": tmp_path / "maps"})
    profile = trained.model_copy(update={"infer": infer})
    before = read_image(show(profile, output=tmp_path / "before").files[0], 3)
    (tmp_path / "elsewhere").mkdir()
    for name in ("s0", "s1"):
        write_image(tmp_path / "elsewhere" / f"{name}.png", np.zeros((75, 75, 3), np.uint8))
    infer_tiled(profile, [str(tmp_path / "elsewhere")])
    after = read_image(show(profile, output=tmp_path / "after").files[0], 3)
    np.testing.assert_array_equal(after, before)


def test_scenes_are_not_missed_where_the_packaged_model_has_mapped_and_none_were_prepared(
    reporter: RecordingReporter, tmp_path: Path
) -> None:
    maps = add_map(tmp_path, "valley", speckled(15, 64, 9))
    folders = [f"run={tmp_path / 'run'}", f"dataset={tmp_path / 'data'}", f"infer.output={maps}"]
    profile = load_profile(Path("landslide"), [*folders, f"source.images={tmp_path / 'none'}"])
    show(profile, output=tmp_path / "show", reporter=reporter)
    assert reporter.notes == []
    profile.parts_folder.mkdir(parents=True)
    show(profile, output=tmp_path / "show", reporter=reporter)
    assert any("no image found" in note for note in reporter.notes)


def test_pictures_have_the_format_of_the_profile(profile_with: ProfileWith, tmp_path: Path) -> None:
    maps = add_map(tmp_path, "valley", speckled(14, 64, 9))
    profile = profile_with("show.format=svg", f"infer.output={maps}")
    result = show(profile, output=tmp_path / "show")
    names = ["maps.svg", "frequency_area_m2.svg", "frequency_area.json", "report.html"]
    assert [path.name for path in result.files] == names
    assert (tmp_path / "show" / "maps.svg").read_bytes().startswith(b"<?xml")
    numbers = json.loads((tmp_path / "show" / "frequency_area.json").read_text())["m2"]
    assert numbers["landslides"] + sum(numbers["left_out"].values()) == 9
    assert numbers["power_law"] is None
