"""Preparing again: unchanged, changed, overwritten, or interrupted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.dataset.tiles import read_manifest
from landslide_cli.errors import ChangedError, DataError
from landslide_cli.imagery.raster.images import write_image
from landslide_cli.profile import load_profile
from landslide_cli.stages.prepare import prepare
from tests.stages.prepare.cases import Content, CutShort, ProfileWith, WriteScene, error_of


@pytest.mark.parametrize("how", [[], ["prepare.workers=2"], ["train.epochs=3", "split.seed=4"]])
def test_repeating_it_does_nothing_and_says_so(
    profile_with: ProfileWith, write_scene: WriteScene, tmp_path: Path, how: list[str]
) -> None:
    write_scene("a")
    first = prepare(profile_with())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    again = prepare(profile_with(*how))
    assert not first.unchanged
    assert again.unchanged
    assert "unchanged" in again.headline()
    assert "unchanged" not in first.headline()
    assert again.document() | {"unchanged": False} == first.document()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")} == before


def test_profile_that_takes_all_but_its_data_from_the_defaults_is_warned_of(
    write_profile: Callable[[str], Path], write_scene: WriteScene, raw: Path, reporter: Any
) -> None:
    write_scene("a", 128, 128)
    text = (
        f"name: own\ndataset: '{raw.parent / 'dataset'}'\nprepare: {{tile: 128}}\n"
        f"source: {{images: '{raw / 'images'}', masks: '{raw / 'masks'}'}}\n"
    )
    prepare(load_profile(write_profile(text)), reporter=reporter)
    (warning,) = reporter.warnings
    assert "`extends: landslide`" in warning
    named = load_profile(write_profile(f"{text}model: {{architecture: unet}}\n"))
    prepare(named, overwrite=True, reporter=reporter)
    assert len(reporter.warnings) == 1


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("prepare.tile=32", "prepare.tile (16 -> 32)"),
        ("prepare.scale=0.5", "prepare.scale (null -> 0.5)"),
        ("prepare.resize=[32, 32]", "prepare.resize (null -> [32, 32])"),
        ("prepare.augment.hflip=true", "prepare.augment.hflip (false -> true)"),
        ("prepare.seed=7", "prepare.seed (137 -> 7)"),
        ("prepare.drop_empty=true", "prepare.drop_empty (false -> true)"),
        ("classes.1.name=slide", "classes ("),
        ("source.value_range=[0, 255]", "source.value_range (null -> [0.0, 255.0])"),
    ],
)
def test_changed_settings_are_refused_by_name_and_leave_all_as_it_was(
    profile_with: ProfileWith,
    write_scene: WriteScene,
    content_of: Content,
    tmp_path: Path,
    override: str,
    says: str,
) -> None:
    write_scene("a")
    prepare(profile_with())
    before = content_of(tmp_path)
    message = error_of(ChangedError, profile_with(override))
    assert says in message
    assert "--overwrite" in message
    assert content_of(tmp_path) == before


def test_changed_scenes_are_refused_by_name(
    profile_with: ProfileWith, write_scene: WriteScene, content_of: Content, tmp_path: Path
) -> None:
    image, _ = write_scene("a")
    gone, _ = write_scene("b")
    prepare(profile_with())
    before = content_of(tmp_path / "dataset")
    write_image(image, np.zeros((40, 56, 3), np.uint8))
    assert f"{image} (edited)" in error_of(ChangedError, profile_with())
    new, _ = write_scene("c")
    assert f"{new} (new)" in error_of(ChangedError, profile_with())
    gone.unlink()
    (gone.parents[1] / "masks" / "b.png").unlink()
    assert f"{gone} (gone)" in error_of(ChangedError, profile_with())
    assert content_of(tmp_path / "dataset") == before


def test_overwriting_replaces_the_tiles_whole(
    profile_with: ProfileWith, write_scene: WriteScene, content_of: Content, tmp_path: Path
) -> None:
    write_scene("a", rows=32, cols=32)
    prepare(profile_with())
    result = prepare(profile_with("prepare.tile=32"), overwrite=True)
    assert (result.tiles, result.unchanged) == (1, False)
    assert sorted(content_of(tmp_path / "dataset")) == [
        "tiles",
        "tiles/images",
        "tiles/images/a_r00000_c00000.png",
        "tiles/manifest.csv",
        "tiles/masks",
        "tiles/masks/a_r00000_c00000.png",
        "tiles/prepare.json",
    ]
    assert prepare(profile_with("prepare.tile=32")).unchanged


def test_a_limit_takes_the_first_scenes_by_name(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    for name in ("c", "a", "b"):
        write_scene(name)
    result = prepare(profile_with(), limit=2)
    assert result.scenes == 2
    assert {tile.scene for tile in read_manifest(result.folder)} == {"a", "b"}
    assert prepare(profile_with(), limit=2).unchanged
    assert "limit (2 -> null)" in error_of(ChangedError, profile_with())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_scene_leaves_no_output(
    profile_with: ProfileWith,
    write_scene: WriteScene,
    cut_short: CutShort,
    content_of: Content,
    tmp_path: Path,
    workers: int,
) -> None:
    for name in ("a", "b", "c"):
        write_scene(name)
    damaged = cut_short(tmp_path / "raw" / "images" / "b.png", 0.7)
    before = content_of(tmp_path)
    message = error_of(DataError, profile_with(f"prepare.workers={workers}"))
    assert message.startswith(f"{damaged}: ")
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_preparation_leaves_no_output(
    profile_with: ProfileWith,
    write_scene: WriteScene,
    content_of: Content,
    tmp_path: Path,
    reporter: Any,
    workers: int,
) -> None:
    for name in ("a", "b", "c"):
        write_scene(name)
    before = content_of(tmp_path)
    reporter.interrupt_after = 2
    with pytest.raises(KeyboardInterrupt):
        prepare(profile_with(f"prepare.workers={workers}"), reporter=reporter)
    assert content_of(tmp_path) == before


def test_a_damaged_scene_leaves_earlier_tiles_as_they_were(
    profile_with: ProfileWith,
    write_scene: WriteScene,
    cut_short: CutShort,
    content_of: Content,
    tmp_path: Path,
) -> None:
    image, _ = write_scene("a")
    prepare(profile_with())
    before = content_of(tmp_path / "dataset")
    cut_short(image, 0.7)
    error_of(DataError, profile_with(), overwrite=True)
    assert content_of(tmp_path / "dataset") == before
