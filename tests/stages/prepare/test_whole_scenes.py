"""`landslide prepare` where no tiles are cut: whole scenes, checked and listed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.palette import IGNORE
from landslide_cli.dataset.prepared import prepared_pair
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.dataset.tiles import Tile, read_manifest
from landslide_cli.errors import ChangedError, DataError
from landslide_cli.stages.prepare import prepare
from tests.stages.prepare.cases import (
    UNCUT,
    Content,
    CutShort,
    ProfileWith,
    WriteScene,
    error_of,
)


def test_without_tiles_whole_scenes_are_checked_and_listed(
    profile_with: ProfileWith, write_scene: WriteScene, content_of: Content
) -> None:
    mask = np.zeros((40, 30), np.uint8)
    mask[:10] = IGNORE
    mask[10:20, :15] = 1
    write_scene("b", image=np.zeros((40, 30, 3), np.uint8), mask=mask)
    write_scene("a", rows=20, cols=50, mask=np.zeros((20, 50), np.uint8))
    result = prepare(profile_with(*UNCUT))
    assert sorted(content_of(result.folder)) == ["manifest.csv", "prepare.json"]
    assert read_manifest(result.folder) == [
        Tile("a", "a", 0, 0, "", 1000, 0.0),
        Tile("b", "b", 0, 0, "", 900, 0.166667),
    ]
    counted = (result.scenes, result.tiles, result.augmented, result.dropped, result.padding_pixels)
    assert counted == (2, 0, 0, 0, 0)
    assert result.class_pixels == {"background": 1750, "landslide": 150}
    assert result.mask_encodings == {"colours": 2}
    assert (result.scale, result.unchanged) == (1.0, False)


def test_without_tiles_its_words_are_of_scenes(
    profile_with: ProfileWith, write_scene: WriteScene, reporter: Any
) -> None:
    write_scene("a")
    result = prepare(profile_with(*UNCUT), reporter=reporter)
    manifest = result.folder / "manifest.csv"
    assert result.headline() == f"1 scene checked and listed in {manifest}; no tiles cut"
    shares, counts = result.tables()
    assert shares.title == "scenes by class"
    assert [row[0] for row in counts.rows] == [
        "scenes",
        "mask encodings",
        "pixels without a label",
        "pixels set to the nearest class",
    ]
    assert reporter.warnings == []
    again = prepare(profile_with(*UNCUT))
    assert again.headline() == f"1 scene in {manifest} unchanged; nothing to do"


@pytest.mark.parametrize(
    ("override", "pixels", "scale"),
    [("prepare.scale=0.5", 20 * 28, 0.5), ("prepare.resize=[28, 40]", 40 * 28, 0.5)],
)
def test_without_tiles_scenes_are_listed_at_their_prepared_size(
    profile_with: ProfileWith, write_scene: WriteScene, override: str, pixels: int, scale: float
) -> None:
    write_scene("a", rows=40, cols=56)
    profile = profile_with(*UNCUT, override)
    result = prepare(profile)
    (line,) = read_manifest(result.folder)
    assert line.labelled_pixels == sum(result.class_pixels.values()) == pixels
    assert result.scale == scale
    (scene,) = labelled_scenes_of(profile)
    image, mask = prepared_pair(profile, scene)
    assert (image.shape[:2], mask.size) == (mask.shape, pixels)
    assert line.foreground_share == pytest.approx(float((mask == 1).mean()), abs=1e-6)


def test_without_tiles_damaged_scenes_are_refused_all_the_same(
    profile_with: ProfileWith, write_scene: WriteScene, cut_short: CutShort, tmp_path: Path
) -> None:
    write_scene("a")
    damaged, _ = write_scene("b")
    cut_short(damaged, 0.7)
    assert f"{damaged}: is damaged" in error_of(DataError, profile_with(*UNCUT))
    assert not (tmp_path / "dataset").exists()


def test_tiles_give_way_to_whole_scenes_and_back_only_when_overwritten(
    profile_with: ProfileWith, write_scene: WriteScene, content_of: Content
) -> None:
    write_scene("a")
    prepare(profile_with())
    assert "prepare.tile (16 -> null)" in error_of(ChangedError, profile_with(*UNCUT))
    result = prepare(profile_with(*UNCUT), overwrite=True)
    assert sorted(content_of(result.folder)) == ["manifest.csv", "prepare.json"]
    assert "prepare.tile (null -> 16)" in error_of(ChangedError, profile_with())
    assert prepare(profile_with(), overwrite=True).tiles == 12
