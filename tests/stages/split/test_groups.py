"""Scenes that share ground stay together; folds, named groups and scenes without tiles."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import Mask
from landslide_cli.core.parts import PARTS
from landslide_cli.dataset.split_record import scene_names
from landslide_cli.dataset.tiles import part_tiles
from landslide_cli.errors import ChangedError, DataError
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.profile import Profile
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import SplitResult, split
from tests.stages.split.cases import ProfileWith, WriteScene, chained, error_of


@pytest.fixture(scope="module")
def ground() -> dict[str, tuple[Image, Mask]]:
    """Seven scenes of 192 pixels: a, b and c overlap in a chain, the others lie elsewhere."""
    canvas, mask = draw_scene(5, 0, 480, 200)
    windows = {name: np.s_[4:196, left : left + 192] for name, left in CHAIN.items()}
    overlapping: dict[str, tuple[Image, Mask]] = {
        name: (canvas[window], mask[window]) for name, window in windows.items()
    }
    apart: dict[str, tuple[Image, Mask]] = {
        name: draw_scene(5, index, 192, 192) for index, name in enumerate("defg", start=1)
    }
    return overlapping | apart


CHAIN = {"a": 0, "b": 120, "c": 240}  # their left edges on the ground, in pixels


@pytest.fixture
def overlapping(
    ground: dict[str, tuple[Image, Mask]], profile_with: ProfileWith, write_scene: WriteScene
) -> ProfileWith:
    """Those scenes, prepared: whether they show the same ground can only be seen."""
    for name, (image, mask) in ground.items():
        write_scene(name, image=image, mask=mask)
    prepare(profile_with("prepare.tile=192"))
    return lambda *overrides: profile_with("prepare.tile=192", *overrides)


@pytest.fixture
def grouped(profile_with: ProfileWith, write_scene: WriteScene, tmp_path: Path) -> ProfileWith:
    """Seven tiny scenes, of which a table puts a, b and c into one group."""
    for name in "abcdefg":
        write_scene(name, rows=16, cols=16)
    prepare(profile_with())
    table = tmp_path / "groups.csv"
    table.write_text("scene,group\na,north\nb,north\nc,north\n", encoding="utf-8")
    return lambda *overrides: profile_with(f"split.groups={table}", *overrides)


def groups_in(result: SplitResult) -> list[list[str]]:
    return [group.scenes for group in result.groups if len(group.scenes) > 1]


def assert_together(result: SplitResult) -> None:
    assert groups_in(result) == [["a", "b", "c"]]
    assert sum(bool({"a", "b", "c"} & set(scenes)) for scenes in result.scenes.values()) == 1
    assert sorted(chained(result.scenes)) == list("abcdefg")
    assert result.separated == 0


def test_scenes_that_share_ground_stay_together(overlapping: ProfileWith) -> None:
    assert_together(split(overlapping()))


@pytest.mark.parametrize("seed", range(4))
def test_no_seed_separates_a_group(grouped: ProfileWith, seed: int) -> None:
    assert_together(split(grouped(f"split.seed={seed}")))


def test_every_group_is_recorded_with_its_evidence(overlapping: ProfileWith) -> None:
    profile = overlapping()
    result = split(profile)
    record = json.loads((profile.dataset / "split.json").read_text(encoding="utf-8"))["result"]
    assert [group["scenes"] for group in record["groups"]] == [["a", "b", "c"], *map(list, "defg")]
    first, second = record["groups"][0]["evidence"]
    assert (first["first"], first["second"], first["kind"]) == ("a", "b", "content")
    assert (second["first"], second["second"]) == ("b", "c")
    assert first["inliers"] >= 10
    assert first["overlap"] == pytest.approx(72 / 192, abs=0.03)
    expected = [[1.0, 0.0, -120.0], [0.0, 1.0, 0.0]]
    assert np.allclose(first["transform"], expected, atol=1.5)
    assert SplitResult.of(record, profile.dataset).groups == result.groups


def test_scenes_are_separated_only_on_request_and_with_a_warning(
    overlapping: ProfileWith, reporter: Any
) -> None:
    names = ["split.test=[a, d]", "split.valid=[b, e]", "split.by=scene"]
    result = split(overlapping(*names), reporter=reporter)
    assert (result.scenes["test"], result.scenes["valid"]) == (["a", "d"], ["b", "e"])
    assert result.separated == 2
    assert any("optimistic" in text for text in reporter.warnings)


def test_named_scenes_stand_where_the_profile_puts_them(grouped: ProfileWith) -> None:
    result = split(grouped("split.test=[d, g]", "split.valid=[e]"))
    assert result.scenes == {"train": ["a", "b", "c", "f"], "valid": ["e"], "test": ["d", "g"]}


def refusal_of_pair(profile: Profile) -> str:
    message = error_of(DataError, profile)
    assert any(f"{first} (" in message and f"{second} (" in message for first, second in PAIRS)
    assert not (profile.dataset / "split.json").exists()
    return message


PAIRS = [("a", "b"), ("b", "c"), ("a", "c")]


def test_names_that_would_separate_scenes_of_the_same_ground_are_refused(
    overlapping: ProfileWith,
) -> None:
    assert "content" in refusal_of_pair(overlapping("split.test=[b]", "split.valid=[c]"))


@pytest.mark.parametrize(
    "overrides",
    [["split.test=[a, d]"], ["split.test=[b]", "split.valid=[c]"], ["split.train=[a, b]"]],
)
def test_names_that_would_separate_a_group_are_refused_by_the_pair(
    grouped: ProfileWith, overrides: list[str]
) -> None:
    assert "the same group in split.groups" in refusal_of_pair(grouped(*overrides))


def test_a_name_that_is_no_scene_is_refused(prepared: ProfileWith) -> None:
    assert "names z" in error_of(DataError, prepared("split.test=[z]"))


def test_scenes_in_no_part_are_refused(grouped: ProfileWith) -> None:
    overrides = ["split.test=[d]", "split.valid=[e]", "split.train=[f]"]
    assert "are in no part" in error_of(DataError, grouped(*overrides))


def test_the_users_own_groups_are_merged_with_those_found(
    overlapping: ProfileWith, tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("scene,group\nc,north\nd,north\nf,south\ng,south\n", encoding="utf-8")
    result = split(overlapping(f"split.groups={table}"))
    assert groups_in(result) == [["a", "b", "c", "d"], ["f", "g"]]
    kinds = [evidence.kind for group in result.groups for evidence in group.evidence]
    assert sorted(kinds) == ["content", "content", "named", "named"]
    table.write_text("scene,group\nf,south\ng,south\n", encoding="utf-8")
    assert "groups.csv (edited)" in error_of(ChangedError, overlapping(f"split.groups={table}"))


def test_a_pattern_on_the_names_makes_groups(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    for name in ("north-1", "north-2", "south-1", "south-2", "west-1", "other"):
        write_scene(name, rows=16, cols=16)
    prepare(profile_with())
    result = split(profile_with("split.groups=^(\\w+)-"))
    assert groups_in(result) == [["north-1", "north-2"], ["south-1", "south-2"]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no such file"),
        ("name,group\na,1\n", "columns"),
        ("scene,group\na,1\na,2\n", "two groups"),
        ("scene,group\nz,1\n", "none of the scenes"),
        ("scene,group\na\n", "every line"),
    ],
)
def test_a_table_of_groups_that_is_none_is_refused(
    prepared: ProfileWith, tmp_path: Path, text: str | None, says: str
) -> None:
    table = tmp_path / "groups.csv"
    if text is not None:
        table.write_text(text, encoding="utf-8")
    message = error_of(DataError, prepared(f"split.groups={table}"))
    assert str(table) in message
    assert says in message


def test_each_group_is_tested_in_exactly_one_fold(grouped: ProfileWith) -> None:
    profile = grouped("split.folds=4")
    result = split(profile)
    assert sorted(name for fold in result.folds for name in fold["test"]) == list("abcdefg")
    assert sorted(name for fold in result.folds for name in fold["valid"]) == list("abcdefg")
    for number, fold in enumerate(result.folds, start=1):
        assert sorted(chained(fold)) == list("abcdefg")
        assert sum(bool({"a", "b", "c"} & set(scenes)) for scenes in fold.values()) == 1
        folder = profile.dataset / f"fold-{number}"
        for part in PARTS:
            stems = [file.image.stem[0] for file in part_tiles(folder, part)]
            assert stems == fold[part]
    assert [part.name for part in result.parts] == [f"fold-{k}" for k in (1, 2, 3, 4)]
    assert not (profile.dataset / "train").exists()


def test_folds_give_way_to_parts_and_parts_to_folds(prepared: ProfileWith) -> None:
    dataset = prepared().dataset
    split(prepared())
    split(prepared("split.folds=3"), overwrite=True)
    assert {path.name for path in dataset.iterdir()} == {
        *("tiles", "split.json", "fold-1", "fold-2", "fold-3")
    }
    split(prepared(), overwrite=True)
    assert {path.name for path in dataset.iterdir()} == {"tiles", "split.json", *PARTS}


def test_fewer_groups_than_folds_are_refused(grouped: ProfileWith) -> None:
    message = error_of(DataError, grouped("split.folds=6"))
    assert "5 groups of 7 scenes cannot be split into 6 folds" in message


def test_single_tiles_are_assigned_only_on_request_and_with_a_warning(
    prepared: ProfileWith, reporter: Any
) -> None:
    profile = prepared("split.by=tile")
    result = split(profile, reporter=reporter)
    assert result.scenes == {}
    assert sum(part.tiles + part.augmented for part in result.parts) == 12
    assert [part.tiles + part.augmented for part in result.parts] == [8, 2, 2]
    assert any("copies of one tile" in text for text in reporter.warnings)


@pytest.fixture
def uncut(profile_with: ProfileWith, write_scene: WriteScene) -> ProfileWith:
    """Six scenes of which no tiles were cut."""
    for name in "abcdef":
        write_scene(name, rows=24, cols=40)
    settings = ("prepare.tile=null", "train.crop=16")
    prepare(profile_with(*settings))
    return lambda *overrides: profile_with(*settings, *overrides)


def test_scenes_without_tiles_are_assigned_with_nothing_to_link(
    uncut: ProfileWith, reporter: Any
) -> None:
    profile = uncut()
    result = split(profile, reporter=reporter)
    assert sorted(chained(result.scenes)) == list("abcdef")
    assert [len(result.scenes[part]) for part in PARTS] == [4, 1, 1]
    assert [(part.scenes, part.tiles, part.augmented) for part in result.parts] == [
        *((4, 0, 0), (1, 0, 0), (1, 0, 0))
    ]
    assert sum(part.pixels for part in result.parts) == pytest.approx(1.0)
    assert {path.name for path in profile.dataset.iterdir()} == {"tiles", "split.json"}
    assert {part: scene_names(profile, part) for part in PARTS} == result.scenes
    assert list(result.tables()[0].columns) == [
        *("part", "scenes", "share of pixels", "share of landslides")
    ]
    record = profile.dataset / "split.json"
    parts = "train, valid and test"
    assert result.headline() == f"6 scenes assigned to {parts} in {record}; no tiles to link"
    again = split(profile)
    assert again.unchanged
    assert again.headline() == f"{parts} of 6 scenes in {record} unchanged; nothing to do"


def test_scenes_without_tiles_are_split_as_those_with_tiles(uncut: ProfileWith) -> None:
    whole = split(uncut())
    cut = uncut("prepare.tile=16", "prepare.augment.hflip=true")
    prepare(cut, overwrite=True)
    assert split(cut, overwrite=True).scenes == whole.scenes


def test_scenes_without_tiles_go_into_folds(uncut: ProfileWith) -> None:
    profile = uncut("split.folds=3", "split.by=scene")
    result = split(profile)
    assert [len(fold["test"]) for fold in result.folds] == [2, 2, 2]
    assert {path.name for path in profile.dataset.iterdir()} == {"tiles", "split.json"}
    fold = profile.model_copy(update={"fold": 2})
    assert scene_names(fold, "test") == result.folds[1]["test"]


@pytest.mark.parametrize("folds", [None, 3])
def test_parts_of_an_earlier_split_are_removed_when_there_are_no_tiles_any_more(
    prepared: ProfileWith, folds: int | None
) -> None:
    split(prepared(f"split.folds={'null' if folds is None else folds}"))
    whole = prepared("prepare.augment.hflip=false", "prepare.tile=null", "train.crop=16")
    prepare(whole, overwrite=True)
    message = error_of(ChangedError, whole)
    assert "manifest.csv (edited)" in message
    split(whole, overwrite=True)
    assert {path.name for path in whole.dataset.iterdir()} == {"tiles", "split.json"}


def test_folders_that_it_never_made_are_left_alone(uncut: ProfileWith) -> None:
    own_file = uncut().dataset / "train" / "mine.txt"
    own_file.parent.mkdir()
    own_file.write_bytes(b"mine")
    split(uncut())
    split(uncut("split.seed=1"), overwrite=True)
    assert own_file.read_bytes() == b"mine"


def test_tiles_that_were_never_cut_cannot_be_linked(uncut: ProfileWith) -> None:
    split(uncut())
    profile = uncut("prepare.tile=16")
    assert "whole_scenes (true -> null)" in error_of(ChangedError, profile)
    assert "run `landslide prepare`" in error_of(DataError, profile, overwrite=True)


def test_tiles_of_a_part_that_has_none_are_missed_with_the_reason(uncut: ProfileWith) -> None:
    split(uncut())
    with pytest.raises(DataError, match=r"where prepare\.tile is null there are none"):
        part_tiles(uncut().dataset, "test")


def test_without_the_scenes_it_says_how_to_do_without(prepared: ProfileWith, raw: Path) -> None:
    for path in (raw / "images").iterdir():
        path.unlink()
    message = error_of(DataError, prepared())
    assert "split.overlap.content=false" in message
    assert sorted(chained(split(prepared("split.overlap.content=false")).scenes)) == list("abcdef")


def test_georeferenced_scenes_are_grouped_by_their_footprints(
    profile_with: ProfileWith, write_scene: WriteScene, raw: Path
) -> None:
    for name in "abcde":
        write_scene(name, rows=16, cols=16)
    for index, name in enumerate("abcde"):
        # a to d lie 12 m apart and are 16 m wide; e is far away.
        left = 400_000.0 + (5000.0 if name == "e" else 12.0 * index)
        source = raw / "images" / f"{name}.png"
        pixels = np.moveaxis(read_image(source, 3), -1, 0)
        source.unlink()
        with rasterio.open(
            *(raw / "images" / f"{name}.tif", "w", "GTiff", 16, 16, 3, "EPSG:32648"),
            transform=Affine(1.0, 0.0, left, 0.0, -1.0, 3_400_000.0),
            dtype="uint8",
        ) as dataset:
            dataset.write(pixels)
    prepare(profile_with())
    result = split(profile_with("split={train: 0.5, valid: 0.5, test: 0.0}"))
    assert groups_in(result) == [["a", "b", "c", "d"]]
    evidence = result.groups[0].evidence
    assert {piece.kind for piece in evidence} == {"footprint"}
    assert [piece.overlap for piece in evidence] == pytest.approx([0.25] * 3)
    assert np.allclose(evidence[0].transform or (), [[1, 0, -12], [0, 1, 0]], atol=1e-6)
