"""Each class has its share in each part, and a class that a part lacks is named."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.core.parts import PARTS
from landslide_cli.dataset.groups import Group
from landslide_cli.dataset.tiles import Tile
from landslide_cli.profile import ClassSettings, Profile
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import split
from landslide_cli.stages.split.assign_tiles import assign_tiles, count_classes
from landslide_cli.stages.split.result import summarise
from tests.stages.split.cases import ProfileWith, WriteScene

NAMES = ("ground", "common", "rare", "rarest")
PROFILE = Profile(
    classes=[ClassSettings(name=name, colour=(index, 0, 0)) for index, name in enumerate(NAMES)]
)


def scenes(count: int, seed: int) -> tuple[list[Group], list[Tile]]:
    """Scenes of one tile, of which one in three has the third class and one in six the fourth."""
    rng, groups, tiles = np.random.default_rng(seed), [], []
    for number in range(count):
        name = f"s{number:02d}"
        pixels = rng.integers(1000, 5000, 4) * (1, 1, number % 3 == 0, number % 6 == 0)
        total, foreground = int(pixels.sum()), int(pixels[1:].sum())
        groups.append(Group([name], []))
        tiles.append(Tile(name, name, 0, 0, "", total, foreground / total, tuple(pixels.tolist())))
    return groups, tiles


@pytest.mark.parametrize("seed", range(5))
def test_every_class_has_its_share_in_every_part(seed: int) -> None:
    groups, tiles = scenes(60, seed)
    parts = assign_tiles(PROFILE, groups, tiles, {})
    shares = {part: count_classes(parts[part], 4) / count_classes(tiles, 4) for part in PARTS}
    for part, meant in zip(PARTS, (0.7, 0.15, 0.15), strict=True):
        np.testing.assert_allclose(shares[part][1:], meant, atol=0.05)
    result = summarise(PROFILE, groups, tiles, parts)
    assert not result.absent
    assert result.parts[0].classes == pytest.approx(dict(zip(NAMES, shares["train"], strict=True)))


def test_a_class_of_a_single_scene_is_absent_from_the_other_parts() -> None:
    groups, tiles = scenes(12, 0)
    only = [tile if tile.scene == "s06" else without_the_last(tile) for tile in tiles]
    result = summarise(PROFILE, groups, only, assign_tiles(PROFILE, groups, only, {}))
    (name,) = result.absent
    assert name == "rarest"
    assert len(result.absent[name]) == 2
    assert "pixels of each class by part" in [table.title for table in result.tables()]
    assert type(result).of(result.document(), result.dataset).absent == result.absent


def without_the_last(tile: Tile) -> Tile:
    return replace(tile, class_pixels=(*tile.class_pixels[:3], 0))


def test_of_two_classes_a_part_without_landslides_is_named_and_the_record_is_as_before(
    profile_with: ProfileWith, write_scene: WriteScene, reporter: Any
) -> None:
    for name in "abcdef":
        mask = np.full((16, 16), name == "a", np.uint8)
        write_scene(name, rows=16, cols=16, mask=mask)
    profile = profile_with("split.overlap.content=false")
    prepare(profile)
    result = split(profile, reporter=reporter)
    (part,) = (part for part in PARTS if "a" in result.scenes[part])
    without = ", ".join(other for other in PARTS if other != part)
    assert f"no pixel of the class landslide in {without}" in reporter.warnings
    document = result.document()
    assert all("classes" not in entry for entry in document["parts"])
    assert "subject" not in document
    manifest = Path(profile.dataset / "tiles" / "manifest.csv").read_text(encoding="utf-8")
    assert manifest.splitlines()[0].endswith("labelled_pixels,foreground_share")
