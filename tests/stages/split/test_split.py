"""`landslide split`: whole scenes into three parts, called from Python."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from landslide_cli.core.parts import PARTS, Part
from landslide_cli.dataset.tiles import part_tiles, read_manifest
from landslide_cli.errors import ChangedError, DataError, OutputError
from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import SplitPart, SplitResult, split
from tests.stages.split.cases import ProfileWith, WriteScene, chained, error_of

Content = Callable[[Path], dict[str, bytes | None]]


def part_of(result: SplitResult, name: str) -> SplitPart:
    (part,) = (part for part in result.parts if part.name == name)
    return part


def test_every_tile_stands_in_the_part_of_its_scene_and_in_no_other(
    profile_with: ProfileWith, write_scene: WriteScene
) -> None:
    for name in "abcdef":
        write_scene(name, rows=16, cols=40)
    profile = profile_with()
    prepare(profile)
    result = split(profile)
    scene_of = {tile.tile: tile.scene for tile in read_manifest(profile.dataset / "tiles")}
    seen = []
    for part in PARTS:
        files = part_tiles(profile.dataset, part)
        assert {scene_of[file.image.stem] for file in files} == set(result.scenes[part])
        assert part_of(result, part).tiles == len(files) == 3 * len(result.scenes[part])
        seen += [file.image.stem for file in files]
    assert sorted(seen) == sorted(scene_of)
    assert sorted(chained(result.scenes)) == list("abcdef")


def test_augmented_copies_go_to_train_only(prepared: ProfileWith) -> None:
    profile = prepared()
    result = split(profile)
    augmented = {
        tile.tile for tile in read_manifest(profile.dataset / "tiles") if tile.augmentation
    }
    there = {
        part: {file.image.stem for file in part_tiles(profile.dataset, part)} for part in PARTS
    }
    assert there["train"] & augmented == {
        tile for tile in augmented if tile[0] in result.scenes["train"]
    }
    assert not (there["valid"] | there["test"]) & augmented
    assert [part.augmented for part in result.parts] == [len(result.scenes["train"]), 0, 0]
    assert [part.tiles for part in result.parts] == [len(result.scenes[part]) for part in PARTS]


def test_tiles_are_linked_not_copied(prepared: ProfileWith) -> None:
    profile = prepared()
    split(profile)
    for part in PARTS:
        for file in part_tiles(profile.dataset, part):
            for path, folder in ((file.image, "images"), (file.mask, "masks")):
                assert path.samefile(profile.dataset / "tiles" / folder / path.name)


def test_tiles_are_copied_where_there_are_no_hard_links(
    prepared: ProfileWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: object, target: object) -> NoReturn:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", no_links)
    profile = prepared()
    split(profile)
    for file in part_tiles(profile.dataset, "train"):
        original = profile.dataset / "tiles" / "images" / file.image.name
        assert not file.image.samefile(original)
        assert file.image.read_bytes() == original.read_bytes()


def test_the_dataset_holds_the_parts_the_record_and_nothing_else(prepared: ProfileWith) -> None:
    profile = prepared()
    result = split(profile)
    assert {path.name for path in profile.dataset.iterdir()} == {
        "tiles",
        *PARTS,
        "split.json",
    }
    record = json.loads((profile.dataset / "split.json").read_text(encoding="utf-8"))
    assert record["result"]["scenes"] == result.scenes
    assert record["settings"]["split.seed"] == 137


def test_repeating_it_does_nothing_and_says_so(prepared: ProfileWith, tmp_path: Path) -> None:
    first = split(prepared())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    again = split(prepared("train.epochs=3", "model.base_filters=4"))
    assert (first.unchanged, again.unchanged) == (False, True)
    parts = "train, valid and test"
    assert first.headline() == f"{parts} written to {first.dataset}"
    assert again.headline() == f"{parts} in {first.dataset} unchanged; nothing to do"
    assert again.document() == first.document() | {"unchanged": True}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")} == before


@pytest.mark.parametrize(
    ("overrides", "limit", "says"),
    [
        (["split.seed=1"], None, "split.seed (137 -> 1)"),
        (["split.train=0.5", "split.test=0.35"], None, "split.train (0.7 -> 0.5)"),
        ([], 4, "limit (null -> 4)"),
    ],
)
def test_changed_settings_are_refused_by_name_and_leave_all_as_it_was(
    prepared: ProfileWith,
    content_of: Content,
    tmp_path: Path,
    overrides: list[str],
    limit: int | None,
    says: str,
) -> None:
    split(prepared())
    before = content_of(tmp_path)
    message = error_of(ChangedError, prepared(*overrides), limit=limit)
    assert says in message
    assert "--overwrite" in message
    assert content_of(tmp_path) == before


def test_other_tiles_are_refused_until_overwritten(
    prepared: ProfileWith, write_scene: WriteScene
) -> None:
    split(prepared())
    write_scene("g", rows=16, cols=16)
    prepare(prepared(), overwrite=True)
    assert "manifest.csv (edited)" in error_of(ChangedError, prepared())
    assert "g" in chained(split(prepared(), overwrite=True).scenes)


def test_tiles_made_again_from_an_edited_image_are_not_taken_for_the_old_ones(
    prepared: ProfileWith, raw: Path
) -> None:
    """The manifest is the same then, but the parts still hold the old pixels."""
    profile = prepared()
    split(profile)
    write_image(raw / "images" / "a.png", np.full((16, 16, 3), 77, np.uint8))
    prepare(profile, overwrite=True)
    with pytest.raises(ChangedError):
        split(profile)
    split(profile, overwrite=True)
    (tile,) = (
        tile
        for part in PARTS
        for tile in profile.dataset.glob(f"{part}/images/a_r00000_c00000.png")
    )
    assert (read_image(tile, 3) == 77).all()


def test_overwriting_replaces_the_parts_whole(prepared: ProfileWith) -> None:
    split(prepared())
    stray = prepared().dataset / "test" / "images" / "stray.png"
    stray.touch()
    result = split(prepared("split.seed=1"), overwrite=True)
    assert not result.unchanged
    assert not stray.exists()
    for part in PARTS:
        stems = {file.image.stem[0] for file in part_tiles(prepared().dataset, part)}
        assert stems == set(result.scenes[part])
    assert {path.name for path in prepared().dataset.iterdir()} == {"tiles", *PARTS, "split.json"}
    assert split(prepared("split.seed=1")).unchanged


def test_a_limit_takes_the_first_scenes_by_name(prepared: ProfileWith) -> None:
    result = split(prepared(), limit=4)
    assert sorted(chained(result.scenes)) == list("abcd")
    assert [len(result.scenes[part]) for part in PARTS] == [2, 1, 1]


def test_a_part_without_a_share_is_an_empty_folder(prepared: ProfileWith) -> None:
    profile = prepared("split={train: 0.5, valid: 0.5, test: 0.0}")
    result = split(profile)
    assert result.scenes["test"] == []
    assert list((profile.dataset / "test" / "images").iterdir()) == []


def test_the_same_tiles_split_the_same_way_elsewhere(prepared: ProfileWith, tmp_path: Path) -> None:
    here = split(prepared())
    elsewhere = prepared(f"dataset={tmp_path / 'elsewhere'}")
    prepare(elsewhere)
    assert split(elsewhere).scenes == here.scenes


def test_without_tiles_it_says_which_step_comes_first(
    profile_with: ProfileWith, content_of: Content, tmp_path: Path
) -> None:
    before = content_of(tmp_path)
    assert "landslide prepare" in error_of(DataError, profile_with())
    assert content_of(tmp_path) == before


def test_too_few_scenes_leave_no_parts(prepared: ProfileWith) -> None:
    message = error_of(DataError, prepared(), limit=2)
    assert message.startswith("2 scenes cannot be split into train, valid, test; add scenes")
    assert {path.name for path in prepared().dataset.iterdir()} == {"tiles"}


def test_a_tile_that_is_gone_leaves_the_parts_as_they_were(
    prepared: ProfileWith, content_of: Content
) -> None:
    dataset = prepared().dataset
    split(prepared())
    gone = dataset / "tiles" / "masks" / "c_r00000_c00000.png"
    gone.unlink()
    before = content_of(dataset)
    assert str(gone) in error_of(DataError, prepared("split.seed=1"), overwrite=True)
    assert content_of(dataset) == before


@pytest.mark.parametrize("part", PARTS)
def test_parts_that_somebody_else_made_are_refused(
    prepared: ProfileWith, content_of: Content, part: Part
) -> None:
    dataset = prepared().dataset
    (dataset / part / "images").mkdir(parents=True)
    (dataset / part / "images" / "mine.png").write_bytes(b"mine")
    before = content_of(dataset)
    assert str(dataset / part) in error_of(OutputError, prepared())
    assert content_of(dataset) == before
    split(prepared(), overwrite=True)
    assert not (dataset / part / "images" / "mine.png").exists()


def test_an_interrupted_split_leaves_everything_as_it_was(
    prepared: ProfileWith, content_of: Content, reporter: Any
) -> None:
    dataset = prepared().dataset
    for overwrite in (False, True):
        before = content_of(dataset)
        reporter.interrupt_after = reporter.advances + 2
        with pytest.raises(KeyboardInterrupt):
            split(prepared("split.seed=1"), overwrite=overwrite, reporter=reporter)
        assert content_of(dataset) == before
        if not overwrite:
            split(prepared())


def test_progress_counts_the_tiles(prepared: ProfileWith, reporter: Any) -> None:
    result = split(prepared("split.overlap.content=false"), reporter=reporter)
    assert reporter.advances == sum(part.tiles + part.augmented for part in result.parts)


def test_the_result_is_json_and_a_table(prepared: ProfileWith) -> None:
    result = split(prepared())
    document = result.document()
    assert json.loads(json.dumps(document)) == document
    (table,) = result.tables()
    assert [row[0] for row in table.rows] == list(PARTS)
    assert [row[1] for row in table.rows] == [str(len(result.scenes[part])) for part in PARTS]


def test_the_command_never_imports_tensorflow(prepared: ProfileWith, profile_file: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-X", "importtime", "-m", "landslide_cli"),
            *("split", str(profile_file), "--json", "--quiet"),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["unchanged"] is False
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "landslide_cli.stages.split" in imported
    assert {name.partition(".")[0] for name in imported}.isdisjoint({"tensorflow", "keras"})
