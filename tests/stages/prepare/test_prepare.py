"""`landslide prepare`: scenes to tiles, called from Python."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.dataset.prepared import prepared_pair
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.dataset.tiles import read_manifest
from landslide_cli.errors import DataError, OutputError, ProfileError
from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.imagery.raster.mask_values import read_mask_values
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.profile import load_profile
from landslide_cli.stages.prepare import prepare
from tests.stages.prepare.cases import (
    TILE,
    UNCUT,
    Content,
    CutShort,
    ProfileWith,
    WriteScene,
    error_of,
    read_tile,
)


def test_the_manifest_lists_every_tile_with_its_scene_and_place(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("b", rows=20, cols=32)
    write_scene("a", rows=16, cols=40)
    result = prepare(profile_with())
    manifest = read_manifest(result.folder)
    assert [(t.scene, t.row, t.column, t.augmentation) for t in manifest] == [
        ("a", 0, 0, ""),
        ("a", 0, 16, ""),
        ("a", 0, 32, ""),
        ("b", 0, 0, ""),
        ("b", 0, 16, ""),
        ("b", 16, 0, ""),
        ("b", 16, 16, ""),
    ]
    assert (result.scenes, result.tiles, result.augmented, result.dropped) == (2, 7, 0, 0)
    names = sorted(tile.tile for tile in manifest)
    assert len(set(names)) == 7
    for folder in ("images", "masks"):
        assert sorted(path.stem for path in (result.folder / folder).iterdir()) == names


def test_tiles_put_together_are_the_scene(
    profile_with: ProfileWith, write_scene: WriteScene, palette: Palette
) -> None:
    image_path, mask_path = write_scene("a", rows=40, cols=56)
    folder = prepare(profile_with()).folder
    image = np.zeros((48, 64, 3), np.uint8)
    mask = np.zeros((48, 64), np.uint8)
    for tile in read_manifest(folder):
        place = np.s_[tile.row : tile.row + TILE, tile.column : tile.column + TILE]
        image[place], mask[place] = read_tile(folder, tile.tile, palette)
    np.testing.assert_array_equal(image[:40, :56], read_image(image_path, 3))
    np.testing.assert_array_equal(mask[:40, :56], read_mask(mask_path, palette).mask)
    assert (mask[40:] == IGNORE).all()
    assert (mask[:, 56:] == IGNORE).all()


def test_padding_is_transparent_and_counts_in_no_share(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[16:, 16:] = 1
    mask[0, :4] = 1
    write_scene("a", image=np.zeros((20, 20, 3), np.uint8), mask=mask)
    result = prepare(profile_with())
    assert result.class_pixels == {"background": 400 - 20, "landslide": 20}
    assert result.padding_pixels == 4 * TILE * TILE - 400
    shares = {(t.row, t.column): t.foreground_share for t in read_manifest(result.folder)}
    assert shares == {(0, 0): 4 / 256, (0, 16): 0.0, (16, 0): 0.0, (16, 16): 1.0}
    clear = read_mask_values(result.folder / "masks" / "a_r00016_c00016.png").clear
    assert not clear[:4, :4].any()
    assert clear.sum() == TILE * TILE - 16


def test_pixels_that_had_no_label_keep_none_and_are_no_padding(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[:8] = IGNORE
    mask[8:12] = 1
    write_scene("a", image=np.zeros((16, 16, 3), np.uint8), mask=mask)
    result = prepare(profile_with())
    assert result.class_pixels == {"background": 64, "landslide": 64}
    assert result.padding_pixels == 0
    assert [tile.foreground_share for tile in read_manifest(result.folder)] == [0.5]


def test_results_do_not_depend_on_the_number_of_workers(
    profile_with: ProfileWith, write_scene: WriteScene, content_of: Content, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        write_scene(name, rows=24, cols=24)
    options = ["prepare.augment={hflip: true, distortions: [0.1]}"]
    results = [prepare(profile_with(*options, "prepare.workers=1"))]
    alone = content_of(tmp_path / "dataset")
    results.append(prepare(profile_with(*options, "prepare.workers=2"), overwrite=True))
    assert results[0] == results[1]
    assert content_of(tmp_path / "dataset") == alone


def test_all_bad_scenes_are_named_in_one_error(
    profile_with: ProfileWith,
    write_scene: WriteScene,
    cut_short: CutShort,
    tmp_path: Path,
) -> None:
    for name in ("a", "b", "c"):
        write_scene(name)
    cut_short(tmp_path / "raw" / "images" / "a.png", 0.7)
    mask = tmp_path / "raw" / "masks" / "c.png"
    write_image(mask, np.full((40, 56, 3), (0, 255, 0), np.uint8))
    message = error_of(DataError, profile_with())
    assert message.startswith("2 files cannot be used:\n")
    assert "a.png: is damaged" in message
    assert f"{mask}: holds colours that are no class: (0, 255, 0) on 2240 pixels" in message


def test_missing_scenes_leave_no_output(profile_with: ProfileWith, tmp_path: Path) -> None:
    assert "no image found" in error_of(DataError, profile_with())
    assert not (tmp_path / "dataset").exists()


def test_a_profile_without_a_source_is_a_wrong_profile(
    write_profile: Callable[[str], Path], tmp_path: Path
) -> None:
    profile = load_profile(write_profile(f"dataset: '{tmp_path / 'dataset'}'\n"))
    message = error_of(ProfileError, profile)
    assert "source.images" in message
    assert not (tmp_path / "dataset").exists()


def test_the_nearest_class_is_given_on_request_and_counted(
    profile_with: ProfileWith, write_scene: WriteScene, palette: Palette
) -> None:
    _, mask = write_scene("a", rows=16, cols=16)
    colours = palette.colourise(read_mask(mask, palette).mask)
    colours[0, :5] = (250, 10, 250)
    write_image(mask, colours)
    assert "nearest_colour" in error_of(DataError, profile_with())
    result = prepare(profile_with("prepare.nearest_colour=true"))
    assert result.changed_pixels == 5
    stored = read_mask(result.folder / "masks" / "a_r00000_c00000.png", palette)
    assert stored.mask[0, :5].tolist() == [1] * 5


def test_it_tells_how_the_masks_were_written(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    for name in ("a", "b", "c"):
        _, path = write_scene(name, rows=16, cols=16)
        if name != "a":
            write_image(path, np.eye(16, dtype=np.uint8)[..., None] * (255 if name == "b" else 1))
    assert prepare(profile_with()).mask_encodings == {"binary": 1, "colours": 1, "indices": 1}


def test_empty_tiles_are_dropped_on_request(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    mask = np.zeros((32, 40), np.uint8)
    mask[20, 20] = 1
    write_scene("a", image=np.zeros((32, 40, 3), np.uint8), mask=mask)
    result = prepare(profile_with("prepare.drop_empty=true", "prepare.augment.hflip=true"))
    assert (result.tiles, result.augmented, result.dropped) == (1, 1, 5)
    assert {(t.row, t.column) for t in read_manifest(result.folder)} == {(16, 16)}
    assert result.class_pixels == {"background": 255, "landslide": 1}
    assert result.padding_pixels == 0


def test_it_warns_when_every_tile_was_empty(
    profile_with: ProfileWith, write_scene: WriteScene, reporter: Any
) -> None:
    write_scene("a", mask=np.zeros((40, 56), np.uint8))
    result = prepare(profile_with("prepare.drop_empty=true"), reporter=reporter)
    assert result.tiles == 0
    assert reporter.warnings == ["every tile was dropped as empty"]
    assert result.headline() == "no tiles written: all 12 are empty"
    assert read_manifest(result.folder) == []


def test_progress_counts_the_scenes(
    profile_with: ProfileWith, write_scene: WriteScene, reporter: Any
) -> None:
    for name in ("a", "b", "c"):
        write_scene(name)
    prepare(profile_with(), reporter=reporter)
    assert reporter.advances == 3


def test_tiles_put_together_are_the_prepared_scene(
    profile_with: ProfileWith, write_scene: WriteScene, palette: Palette
) -> None:
    write_scene("a", rows=40, cols=56)
    profile = profile_with("prepare.scale=0.7")
    folder = prepare(profile).folder
    (scene,) = labelled_scenes_of(profile)
    image, mask = prepared_pair(profile, scene)
    for line in read_manifest(folder):
        tile, labels = read_tile(folder, line.tile, palette)
        inside = mask[line.row : line.row + TILE, line.column : line.column + TILE]
        rows, cols = inside.shape
        np.testing.assert_array_equal(labels[:rows, :cols], inside)
        np.testing.assert_array_equal(
            tile[:rows, :cols], image[line.row :, line.column :][:rows, :cols]
        )


def test_a_folder_that_somebody_else_filled_is_refused(
    profile_with: ProfileWith, write_scene: WriteScene, content_of: Content, tmp_path: Path
) -> None:
    write_scene("a")
    folder = tmp_path / "dataset" / "tiles"
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_bytes(b"mine")
    before = content_of(tmp_path)
    assert str(folder) in error_of(OutputError, profile_with())
    assert content_of(tmp_path) == before
    prepare(profile_with(), overwrite=True)
    assert not (folder / "mine.txt").exists()


def test_an_output_folder_that_cannot_be_made_is_an_output_error(
    profile_with: ProfileWith, write_scene: WriteScene, tmp_path: Path, content_of: Content
) -> None:
    write_scene("a")
    (tmp_path / "dataset").write_bytes(b"a file")
    before = content_of(tmp_path)
    assert "is a file, and files are to be written into" in error_of(OutputError, profile_with())
    assert content_of(tmp_path) == before


def test_the_result_is_json_and_the_same_when_repeated(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("a")
    document = prepare(profile_with()).document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    again = prepare(profile_with()).document()
    assert again == document | {"unchanged": True}


def test_the_result_is_shown_in_tables(profile_with: ProfileWith, write_scene: WriteScene) -> None:
    write_scene("a", rows=16, cols=16, mask=np.eye(16, dtype=np.uint8))
    result = prepare(profile_with())
    shares, counts = result.tables()
    assert list(shares.rows) == [("background", "240", "93.8%"), ("landslide", "16", "6.2%")]
    assert ("scenes", "1") in counts.rows
    assert str(result.folder) in result.headline()


def test_the_command_prints_json_keeps_quiet_and_never_loads_tensorflow(
    profile_file: Path, profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("a", rows=16, cols=16)
    script = (
        "import sys; from landslide_cli.app import main; status = main(sys.argv[1:]); "
        "assert 'landslide_cli.stages.prepare' in sys.modules; "
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules; sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "prepare", str(profile_file), "--json", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["tiles"] == 1
    assert prepare(profile_with()).unchanged


UTM = {"crs": "EPSG:32648", "transform": Affine(0.5, 0, 400000, 0, -0.5, 3450000)}


@pytest.fixture
def write_tiffs(write_raster: Callable[..., Path]) -> Callable[..., None]:
    """Write a scene with 16 rows and its mask, foreground in the upper half."""

    def write(image: dict[str, Any], mask: dict[str, Any], cols: int = 16) -> None:
        values = np.random.default_rng(0).integers(1, 256, (16, cols, 3), np.uint8)
        values[:, :3] = 0
        truth = np.zeros((16, cols), np.uint8)
        truth[:8] = 1
        write_raster("raw/images/a.tif", values, **image)
        write_raster("raw/masks/a.tif", truth, **mask)

    return write


def test_no_data_in_an_image_is_no_label_and_counted(
    profile_with: ProfileWith, write_tiffs: Callable[..., None]
) -> None:
    write_tiffs({"nodata": 0}, {})
    result = prepare(profile_with())
    assert result.class_pixels == {"background": 8 * 13, "landslide": 8 * 13}
    assert (result.unlabelled_pixels, result.padding_pixels) == (16 * 3, 0)


@pytest.mark.parametrize("overrides", [(), UNCUT], ids=["tiles", "scenes"])
def test_a_mask_is_laid_on_its_image_by_its_georeference(
    profile_with: ProfileWith, write_tiffs: Callable[..., None], overrides: tuple[str, ...]
) -> None:
    place = UTM["transform"] @ Affine.translation(0, 4)
    write_tiffs(UTM, {**UTM, "transform": place})
    result = prepare(profile_with(*overrides))
    assert result.class_pixels == {"background": 4 * 16, "landslide": 8 * 16}
    assert result.unlabelled_pixels == 4 * 16


def test_a_mask_beside_its_image_is_refused(
    profile_with: ProfileWith, write_tiffs: Callable[..., None]
) -> None:
    write_tiffs(UTM, {**UTM, "transform": UTM["transform"] @ Affine.translation(16, 0)})
    with pytest.raises(DataError, match=r"(?s)lies beside its image: .* x 400008 .* x 400000"):
        prepare(profile_with())


def test_a_tile_without_any_label_is_dropped(
    profile_with: ProfileWith, write_tiffs: Callable[..., None]
) -> None:
    write_tiffs(UTM, {**UTM, "transform": UTM["transform"] @ Affine.translation(16, 0)}, 32)
    result = prepare(profile_with())
    assert (result.tiles, result.dropped, result.unlabelled_pixels) == (1, 1, 0)


def test_bands_that_are_taken_in_another_order_are_noted(
    profile_with: ProfileWith, write_tiffs: Callable[..., None], raw: Path, reporter: Any
) -> None:
    write_tiffs({}, {})
    with rasterio.open(raw / "images" / "a.tif", "r+") as dataset:
        dataset.colorinterp = ColorInterp.blue, ColorInterp.green, ColorInterp.red
    prepare(profile_with(), reporter=reporter)
    assert any(note.startswith("a: takes band 3 as red") for note in reporter.notes)
