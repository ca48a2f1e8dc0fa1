"""`split.block`: large scenes become blocks, each with its window of image and labels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Palette
from landslide_cli.dataset.prepared import prepared_pair
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.errors import ChangedError, DataError
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.profile import Profile
from landslide_cli.stages.prepare import prepare
from tests.conftest import RecordingReporter

ProfileWith = Callable[..., Profile]
WriteScene = Callable[..., tuple[Path, Path]]

BLOCKS = ("split.block=32", "split.buffer=8")


def placed_on(mask: NDArray[np.uint8], scene: Scene, values: NDArray[np.uint8]) -> None:
    """Put a block's values where the block is in its scene."""
    assert scene.division is not None
    window = scene.division.window
    mask[window.row_off : window.row_stop, window.col_off : window.col_stop] = values


@pytest.mark.parametrize("tile", ["16", "null"])
def test_blocks_have_the_pixels_and_labels_of_their_scene_but_for_the_rim(
    profile_with: ProfileWith, write_scene: WriteScene, palette: Palette, tile: str
) -> None:
    image, mask = write_scene("a", rows=64, cols=96)
    crop = () if tile == "16" else ("train.crop=16",)
    profile = profile_with(*BLOCKS, f"prepare.tile={tile}", *crop)
    result = prepare(profile)
    assert (result.blocks, result.blocks_without_label) == (6, 0)
    seen, labels = np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96), np.uint8)
    for scene in labelled_scenes_of(profile):
        pixels, truth = prepared_pair(profile, scene)
        placed_on(seen, scene, np.asarray(pixels, np.uint8))
        placed_on(labels, scene, truth)
    np.testing.assert_array_equal(seen, read_image(image, 3))
    expected = read_mask(mask, palette).mask
    for edge in (28, 60):
        expected[:, edge : edge + 8] = IGNORE
    expected[28:36] = IGNORE
    np.testing.assert_array_equal(labels, expected)


def test_each_block_is_named_after_its_scene_row_and_column(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("a", rows=64, cols=64)
    write_scene("small", rows=40, cols=47)
    profile = profile_with(*BLOCKS)
    prepare(profile)
    names = [scene.name for scene in labelled_scenes_of(profile)]
    assert names == ["a_r00_c00", "a_r00_c01", "a_r01_c00", "a_r01_c01", "small"]


def test_blocks_without_a_label_are_left_out_and_counted(
    profile_with: ProfileWith, write_scene: WriteScene, reporter: RecordingReporter
) -> None:
    image = np.full((32, 64, 4), 90, np.uint8)
    mask = np.zeros((32, 64), np.uint8)
    mask[:, 28:] = IGNORE  # the rim begins there
    mask[:, 40:] = 0
    write_scene("a", image=image[..., :3], mask=mask)
    mask[:, :32] = IGNORE
    write_scene("b", image=image[..., :3], mask=mask)
    profile = profile_with(*BLOCKS)
    result = prepare(profile, reporter=reporter)
    assert (result.blocks, result.blocks_without_label) == (3, 1)
    assert [scene.name for scene in labelled_scenes_of(profile)][2:] == ["b_r00_c01"]
    assert "b: 2 blocks of 32 x 32 pixels, labels 8 pixels apart; 1 without any label left out" in (
        reporter.notes
    )
    assert prepare(profile).blocks_without_label == 1


def test_no_data_of_the_image_is_no_label_in_blocks(
    profile_with: ProfileWith, raw: Path, write_scene: WriteScene, write_raster: Callable[..., Path]
) -> None:
    image, _ = write_scene("a", rows=32, cols=64)
    image.unlink()
    values = np.full((32, 64, 4), 255, np.uint8)
    values[:, :32, 3] = 0
    write_raster("raw/images/a.tif", values, photometric="RGB", alpha="YES")
    profile = profile_with(*BLOCKS)
    assert prepare(profile).blocks_without_label == 1
    (scene,) = labelled_scenes_of(profile)
    assert scene.name == "a_r00_c01"


def test_ground_without_landslides_is_divided_without_masks(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("a", rows=32, cols=64)
    profile = profile_with(*BLOCKS, "source.masks=none")
    result = prepare(profile)
    scenes = labelled_scenes_of(profile)
    assert [scene.mask for scene in scenes] == [None, None]
    assert result.class_pixels == {"background": 2 * 28 * 32, "landslide": 0}
    assert (prepared_pair(profile, scenes[1])[1][:, :4] == IGNORE).all()


def test_blocks_of_a_source_for_one_part_have_no_rim(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("a", rows=32, cols=64)
    result = prepare(profile_with(*BLOCKS, "source.part=train"))
    assert result.unlabelled_pixels == 0


def test_metres_follow_the_georeference(
    profile_with: ProfileWith, write_raster: Callable[..., Path], write_scene: WriteScene
) -> None:
    image, _ = write_scene("a", rows=64, cols=64)
    pixels = read_image(image, 3)
    image.unlink()
    place = rasterio.Affine(0.25, 0, 400_000, 0, -0.25, 3_450_000)
    write_raster("raw/images/a.tif", pixels, crs="EPSG:32648", transform=place)
    profile = profile_with("split.block=8", "split.buffer=2.5")
    prepare(profile)
    scenes = labelled_scenes_of(profile)
    assert [scene.division.window.width for scene in scenes if scene.division] == [32] * 4
    assert (prepared_pair(profile, scenes[0])[1][:, -5:] == IGNORE).all()
    with rasterio.open(scenes[3].image) as block, rasterio.open(str(scenes[3].mask)) as mask:
        assert block.transform == mask.transform
        assert block.transform.almost_equals(place @ rasterio.Affine.translation(32, 32))


def test_the_default_buffer_is_what_the_model_sees_at_most_a_quarter_of_the_block(
    profile_with: ProfileWith, write_scene: WriteScene, reporter: RecordingReporter
) -> None:
    write_scene("a", rows=200, cols=400)
    prepare(profile_with("split.block=40"), reporter=reporter)
    prepare(profile_with("split.block=100"), overwrite=True, reporter=reporter)
    said = [note.partition("labels ")[2] for note in reporter.notes if "labels" in note]
    assert said == ["10 pixels apart", "16 pixels apart"]


def test_blocks_are_made_once_and_again_when_told(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("a", rows=64, cols=64)
    prepare(profile_with(*BLOCKS))
    assert prepare(profile_with(*BLOCKS)).unchanged
    other = profile_with("split.block=24")
    with pytest.raises(ChangedError, match=r"split\.block \(32"):
        prepare(other)
    assert prepare(other, overwrite=True).blocks == 9


def test_blocks_of_another_size_are_not_used(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("a", rows=64, cols=64)
    with pytest.raises(DataError, match="no blocks yet; run `landslide prepare`"):
        labelled_scenes_of(profile_with(*BLOCKS))
    prepare(profile_with(*BLOCKS))
    with pytest.raises(DataError, match=r"made with split\.block: 32(.|\n)*prepare --overwrite"):
        labelled_scenes_of(profile_with("split.block=24", "split.buffer=8"))


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["split.block=12"], r"12, is 12 pixels there, less than prepare.tile, 16; .*`16 px`"),
        (["split.block=24", "prepare.scale=0.5"], r"12 as prepared, less than .*`32 px`"),
        (["split.block=32 m"], r"no georeference.*give split.block in pixels"),
        (["split.block=32", "split.buffer=8 m"], r"no georeference.*give split.buffer in pixels"),
        (["split.block=32", "split.buffer=31.5"], r"leaves no label in blocks of 32 x 32 pixels"),
    ],
)
def test_sizes_that_make_no_sense_for_a_scene(
    profile_with: ProfileWith, write_scene: WriteScene, sets: list[str], said: str
) -> None:
    write_scene("a", rows=64, cols=64)
    profile = profile_with(*sets)
    with pytest.raises(DataError, match=said) as caught:
        prepare(profile)
    assert "a.png" in str(caught.value)
    assert not (profile.dataset / "blocks").exists()
    assert not (profile.dataset / "tiles").exists()


def test_blocks_that_no_tiles_fit_are_told(
    profile_with: ProfileWith, write_scene: WriteScene, reporter: RecordingReporter
) -> None:
    write_scene("a", rows=80, cols=80)
    prepare(profile_with("split.block=40"), reporter=reporter)
    assert any("40 pixels" in note and "prepare.tile, 16" in note for note in reporter.notes)


def test_scenes_of_less_than_one_and_a_half_blocks_stay_whole(
    profile_with: ProfileWith, write_scene: WriteScene, reporter: RecordingReporter
) -> None:
    write_scene("a", rows=40, cols=47)
    profile = profile_with(*BLOCKS)
    assert prepare(profile, reporter=reporter).blocks == 0
    assert [scene.division for scene in labelled_scenes_of(profile)] == [None]
    assert reporter.notes == ["split.block, 32: no scene has room for two blocks"]


def test_rims_have_no_label_where_no_data_of_masks_is_background(
    profile_with: ProfileWith, write_scene: WriteScene, write_raster: Callable[..., Path]
) -> None:
    _, path = write_scene("a", rows=32, cols=64)
    path.unlink()
    mask = np.zeros((32, 64), np.uint8)
    mask[:, 20:44] = 1
    write_raster("raw/masks/a.tif", mask, nodata=0)
    profile = profile_with(*BLOCKS, "source.mask_nodata=background")
    prepare(profile)
    first, _ = (prepared_pair(profile, scene)[1] for scene in labelled_scenes_of(profile))
    assert first[0, [0, 19, 20, 27, 28, 31]].tolist() == [0, 0, 1, 1, IGNORE, IGNORE]


def test_large_scenes_that_are_read_whole_are_warned_of(
    profile_with: ProfileWith,
    write_scene: WriteScene,
    reporter: RecordingReporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("landslide_cli.stages.prepare.LARGE", 40 * 40)
    write_scene("a", rows=32, cols=64)
    write_scene("b", rows=40, cols=40)
    prepare(profile_with(), reporter=reporter)
    (warning,) = reporter.warnings
    assert warning.startswith("a: ")
    assert "split.block divides such a scene" in warning
    prepare(profile_with(*BLOCKS), overwrite=True, reporter=reporter)
    assert len(reporter.warnings) == 1
