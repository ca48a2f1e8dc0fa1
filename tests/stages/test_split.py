"""`landslide split`: whole scenes into three parts, called from Python."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import chain, product
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from landslide_cli.core.parts import PARTS, Part
from landslide_cli.errors import ChangedError, DataError, OutputError
from landslide_cli.imagery.dataset import part_tiles, read_manifest
from landslide_cli.imagery.raster import read_image, write_image
from landslide_cli.profile import Profile
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import deal, split

Content = Callable[[Path], dict[str, bytes | None]]
ProfileWith = Callable[..., Profile]
WriteScene = Callable[..., tuple[Path, Path]]

AUGMENT = "prepare.augment.hflip=true"


@st.composite
def shares(draw: st.DrawFn) -> dict[Part, float]:
    parts = draw(st.tuples(*[st.integers(0, 20)] * 3).filter(any))
    return {part: n / sum(parts) for part, n in zip(PARTS, parts, strict=True)}


def named(count: int) -> list[str]:
    return [f"scene-{i:03d}" for i in range(count)]


def chained(parts: Mapping[Part, list[str]]) -> list[str]:
    return list(chain.from_iterable(parts[part] for part in PARTS))


def wanted(shares: Mapping[Part, float]) -> list[Part]:
    return [part for part in PARTS if shares[part] > 0]


@given(st.integers(1, 60), shares(), st.integers(0, 2**31))
def test_every_scene_is_dealt_to_exactly_one_part(
    count: int, shares: dict[Part, float], seed: int
) -> None:
    assume(count >= len(wanted(shares)))
    parts = deal(named(count), shares, seed)
    assert parts.keys() == set(PARTS)
    assert sorted(chained(parts)) == named(count)
    assert all(scenes == sorted(scenes) for scenes in parts.values())


@given(st.integers(1, 60), shares())
@example(3, {"train": 0.98, "valid": 0.01, "test": 0.01})
def test_a_part_with_a_share_is_never_empty_and_one_without_is(
    count: int, shares: dict[Part, float]
) -> None:
    assume(count >= len(wanted(shares)))
    parts = deal(named(count), shares, 137)
    assert [part for part in PARTS if parts[part]] == wanted(shares)


@given(st.integers(1, 14), shares())
@example(10, {"train": 0.7, "valid": 0.15, "test": 0.15})
@example(4, {"train": 0.7, "valid": 0.15, "test": 0.15})
@example(100, {"train": 0.29, "valid": 0.57, "test": 0.14})
def test_no_other_sizes_come_nearer_to_the_shares(count: int, shares: dict[Part, float]) -> None:
    assume(count >= len(wanted(shares)))

    def distance(sizes: tuple[int, ...]) -> float:
        return sum((n - shares[part] * count) ** 2 for n, part in zip(sizes, PARTS, strict=True))

    possible = [
        (train, valid, count - train - valid)
        for train, valid in product(range(count + 1), repeat=2)
        if train + valid <= count
    ]
    possible = [
        sizes
        for sizes in possible
        if all((n > 0) == (shares[part] > 0) for n, part in zip(sizes, PARTS, strict=True))
    ]
    parts = deal(named(count), shares, 3)
    sizes = tuple(len(parts[part]) for part in PARTS)
    assert distance(sizes) <= min(map(distance, possible)) + 1e-6


@pytest.mark.parametrize(
    ("count", "sizes"), [(20, (14, 3, 3)), (59, (41, 9, 9)), (4, (2, 1, 1)), (3, (1, 1, 1))]
)
def test_the_default_shares_give_these_sizes(count: int, sizes: tuple[int, int, int]) -> None:
    parts = deal(named(count), {"train": 0.7, "valid": 0.15, "test": 0.15}, 137)
    assert tuple(len(parts[part]) for part in PARTS) == sizes


def test_the_seed_fixes_the_parts_and_another_deals_others() -> None:
    shares: dict[Part, float] = {"train": 0.6, "valid": 0.2, "test": 0.2}
    dealt = [deal(named(30), shares, seed) for seed in (1, 1, 2)]
    assert dealt[0] == dealt[1]
    assert dealt[0] != dealt[2]


def test_scenes_are_dealt_at_random_not_in_order() -> None:
    parts = deal(named(40), {"train": 0.5, "valid": 0.25, "test": 0.25}, 137)
    assert parts["train"] != named(40)[:20]
    in_order = chained(parts)
    assert in_order != sorted(in_order)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_scenes_than_parts_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=f"{count} scenes cannot be split into train, valid, test"):
        deal(named(count), {"train": 0.7, "valid": 0.15, "test": 0.15}, 137)


@pytest.fixture
def prepared(profile_with: ProfileWith, write_scene: WriteScene) -> ProfileWith:
    """Six scenes of one tile each, with a mirrored copy."""
    for name in "abcdef":
        write_scene(name, rows=16, cols=16)
    prepare(profile_with(AUGMENT))
    return lambda *overrides: profile_with(AUGMENT, *overrides)


def error_of(kind: type[Exception], profile: Profile, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        split(profile, **options)
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    return message


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
        assert result.tiles[part] == len(files) == 3 * len(result.scenes[part])
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
    assert result.augmented == {"train": len(result.scenes["train"]), "valid": 0, "test": 0}
    assert result.tiles == {part: len(result.scenes[part]) for part in PARTS}


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
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = split(prepared("train.epochs=3", "model.base_filters=4"))
    assert (first.unchanged, again.unchanged) == (False, True)
    assert "unchanged" in again.headline()
    assert again.document() == first.document() | {"unchanged": True}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


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
    result = split(prepared(), reporter=reporter)
    assert reporter.advances == sum(result.tiles.values()) + sum(result.augmented.values())


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
