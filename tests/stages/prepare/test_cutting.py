"""Cutting: augmented copies, resized scenes, levels and bands of tiles."""

from pathlib import Path

import numpy as np
import pytest

from landslide_cli.core.palette import Palette
from landslide_cli.dataset.tiles import read_manifest
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.stages.prepare import prepare
from tests.stages.prepare.cases import TILE, Content, ProfileWith, WriteScene, error_of, read_tile


def test_augmented_copies_carry_their_scene_and_augmentation(
    profile_with: ProfileWith, write_scene: WriteScene, palette: Palette
) -> None:
    write_scene("a", rows=16, cols=24)
    augment = "prepare.augment={hflip: true, vflip: true, rotate90: true, distortions: [0.05]}"
    result = prepare(profile_with(augment))
    assert (result.tiles, result.augmented) == (2, 12)
    kinds = ["", "hflip", "vflip", "rotate90", "rotate180", "rotate270", "distort1_0.05"]
    manifest = read_manifest(result.folder)
    assert [t.augmentation for t in manifest] == kinds * 2
    assert {t.scene for t in manifest} == {"a"}
    first = {t.augmentation: read_tile(result.folder, t.tile, palette) for t in manifest[:7]}
    image, mask = first[""]
    np.testing.assert_array_equal(first["hflip"][0], image[:, ::-1])
    np.testing.assert_array_equal(first["hflip"][1], mask[:, ::-1])
    np.testing.assert_array_equal(first["rotate90"][0], np.rot90(image))
    np.testing.assert_array_equal(first["rotate90"][1], np.rot90(mask))


def test_augmented_copies_and_their_padding_are_not_counted(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("a", rows=20, cols=20)
    plain = prepare(profile_with())
    more = prepare(profile_with("prepare.augment={hflip: true, rotate90: true}"), overwrite=True)
    assert more.augmented == 4 * plain.tiles
    assert more.class_pixels == plain.class_pixels
    assert more.padding_pixels == plain.padding_pixels


def test_every_tile_has_a_name_of_its_own_even_if_two_distortions_are_equal(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("a", rows=16, cols=16)
    result = prepare(profile_with("prepare.augment.distortions=[0.1, 0.1, 0.1000000001]"))
    names = [tile.tile for tile in read_manifest(result.folder)]
    assert len(set(names)) == len(names) == 4
    assert len(list((result.folder / "images").iterdir())) == 4


def test_tiles_of_two_scenes_never_share_a_name(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    write_scene("a", rows=16, cols=16)
    write_scene("a_r00000_c00000_hflip", rows=16, cols=16)
    result = prepare(profile_with("prepare.augment.hflip=true"))
    names = [tile.tile for tile in read_manifest(result.folder)]
    assert len(set(names)) == len(names) == 4


def test_distortions_follow_the_seed_and_differ_between_tiles(
    profile_with: ProfileWith, write_scene: WriteScene, content_of: Content
) -> None:
    ramp = np.tile(np.linspace(0, 255, 16).astype(np.uint8), (16, 2))
    write_scene("a", image=np.repeat(ramp[..., None], 3, axis=-1))
    made = []
    for seed in (1, 1, 2):
        options = ["prepare.augment.distortions=[0.2]", f"prepare.seed={seed}"]
        content = content_of(prepare(profile_with(*options), overwrite=True).folder)
        made.append({name: data for name, data in content.items() if "images/" in name})
    assert made[0] == made[1]
    assert made[0] != made[2]
    assert len(set(made[0].values())) == 3  # both tiles are equal, their two copies are not


@pytest.mark.parametrize(
    ("override", "rows", "cols", "scale"),
    [
        ("prepare.resize=[48, 32]", 32, 48, 48 / 56),
        ("prepare.scale=0.5", 20, 28, 0.5),
        ("prepare.scale=1.5", 60, 84, 1.5),
        ("prepare.resize=[56, 40]", 40, 56, 1.0),
    ],
)
def test_scenes_are_resized_before_they_are_cut(
    profile_with: ProfileWith,
    write_scene: WriteScene,
    override: str,
    rows: int,
    cols: int,
    scale: float,
) -> None:
    write_scene("a", rows=40, cols=56)
    result = prepare(profile_with(override))
    assert sum(result.class_pixels.values()) == rows * cols
    assert result.tiles == -(-rows // TILE) * -(-cols // TILE)
    assert result.scale == pytest.approx(scale)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_image_and_mask_are_resized_alike(
    profile_with: ProfileWith, write_scene: WriteScene, palette: Palette, scale: float
) -> None:
    blocks = np.random.default_rng(1).integers(0, 2, (8, 8), np.uint8)
    mask = np.kron(blocks, np.ones((4, 4), np.uint8))
    image = np.repeat((mask * 255)[..., None], 3, axis=-1).astype(np.uint8)
    write_scene("a", image=image, mask=mask)
    folder = prepare(profile_with(f"prepare.scale={scale}", "prepare.tile=64")).folder
    small, small_mask = read_tile(folder, "a_r00000_c00000", palette)
    side = int(32 * scale)
    expected = np.kron(blocks, np.ones((int(4 * scale),) * 2, np.uint8))
    np.testing.assert_array_equal(small_mask[:side, :side], expected)
    np.testing.assert_array_equal(small[:side, :side, 0] > 127, expected == 1)


@pytest.mark.parametrize("scale", ["null", "0.5"])
def test_scenes_of_any_light_get_the_same_levels(
    profile_with: ProfileWith, write_scene: WriteScene, palette: Palette, scale: str
) -> None:
    # Squares, so that reducing takes no contrast away.
    values = np.random.default_rng(0).integers(60, 120, (32, 32, 3), np.uint8)
    image = np.kron(values, np.ones((2, 2, 1), np.uint8))
    write_scene("a", image=image, mask=np.zeros((64, 64), np.uint8))
    write_scene("b", image=image // 2 + 80, mask=np.zeros((64, 64), np.uint8))
    side = 64 if scale == "null" else 32
    overrides = f"prepare.scale={scale}", f"prepare.tile={side}"
    plain = prepare(profile_with(*overrides))
    assert not plain.standardized
    result = prepare(profile_with(*overrides, "prepare.standardize=true"), overwrite=True)
    assert result.standardized
    tiles = [read_tile(result.folder, f"{name}_r00000_c00000", palette)[0] for name in "ab"]
    for tile in tiles:
        np.testing.assert_allclose(tile.mean(axis=(0, 1)), 110, atol=1)
        assert tile.std() == pytest.approx(50, rel=0.05)
    assert np.abs(tiles[0].astype(int) - tiles[1]).max() <= 4


@pytest.mark.parametrize("bands", [1, 4, 7])
@pytest.mark.parametrize("scale", ["null", "0.4"])
def test_scenes_of_any_number_of_bands_are_cut(
    profile_with: ProfileWith, write_scene: WriteScene, bands: int, scale: str
) -> None:
    write_scene("a", rows=32, cols=32, bands=bands)
    result = prepare(profile_with(f"bands={bands}", f"prepare.scale={scale}"))
    for path in (result.folder / "images").iterdir():
        assert read_image(path, bands).shape == (TILE, TILE, bands)


def test_other_bands_than_the_profiles_are_refused(
    profile_with: ProfileWith, write_scene: WriteScene, tmp_path: Path
) -> None:
    write_scene("a", bands=7)
    assert "has 7 bands where the profile says bands: 3" in error_of(DataError, profile_with())
    assert not (tmp_path / "dataset").exists()
