"""Blocks of one scene in parts and folds: apart from each other, and tied by landslides."""

from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from pyogrio import raw

from landslide_cli.core.palette import IGNORE
from landslide_cli.core.parts import PARTS
from landslide_cli.dataset.prepared import prepared_pair
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.dataset.split_record import shared_ground
from landslide_cli.errors import DataError, ProfileError
from landslide_cli.profile import Profile
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import SplitResult, split
from landslide_cli.stages.split.audit import audit
from tests.conftest import RecordingReporter
from tests.stages.split.cases import ProfileWith, WriteScene, error_of

BUFFER = 9
BLOCKS = ("split.block=32", f"split.buffer={BUFFER}", "prepare.tile=null", "train.crop=16")
SIDE = 96


@pytest.fixture
def orthophoto(write_scene: WriteScene) -> Callable[..., None]:
    """Write a scene of noise with landslides at (row, col, rows, cols)."""

    def write(*slides: tuple[int, int, int, int], name: str = "a") -> None:
        image = np.random.default_rng(5).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for row, col, rows, cols in slides:
            mask[row : row + rows, col : col + cols] = 1
        write_scene(name, image=image, mask=mask)

    return write


def divided(profile: Profile) -> SplitResult:
    prepare(profile)
    return split(profile)


def labelled(profile: Profile, names: Iterable[str]) -> NDArray[np.float64]:
    """The middles of all pixels of the scene that are labelled in blocks of these names."""
    points = []
    for scene in labelled_scenes_of(profile):
        if scene.name in set(names) and scene.division is not None:
            window = scene.division.window
            there = np.argwhere(prepared_pair(profile, scene)[1] != IGNORE)
            points.append(there + np.array([window.row_off + 0.5, window.col_off + 0.5]))
    return np.concatenate(points)


def distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The least distance between the pixels of two sets, from edge to edge."""
    tree = shapely.STRtree(shapely.points(first))
    _, distances = tree.query_nearest(
        shapely.points(second), return_distance=True, all_matches=False
    )
    return float(distances.min()) - 1.0


def test_labels_of_two_parts_are_the_buffer_apart(
    orthophoto: Callable[..., None], profile_with: ProfileWith
) -> None:
    orthophoto((10, 10, 5, 5), (70, 70, 9, 9))
    profile = profile_with(*BLOCKS)
    result = divided(profile)
    points = {part: labelled(profile, result.scenes[part]) for part in PARTS}
    for first, second in combinations(PARTS, 2):
        assert distance(points[first], points[second]) >= BUFFER


def test_labels_of_five_folds_are_the_buffer_apart(
    orthophoto: Callable[..., None], profile_with: ProfileWith
) -> None:
    orthophoto((10, 10, 5, 5), (70, 70, 9, 9))
    profile = profile_with(*BLOCKS, "split.folds=5")
    result = divided(profile)
    tests = [parts["test"] for parts in result.folds]
    assert sorted(name for names in tests for name in names) == [
        f"a_r{row:02d}_c{col:02d}" for row in range(3) for col in range(3)
    ]
    points = [labelled(profile, names) for names in tests]
    for first, second in combinations(points, 2):
        assert distance(first, second) >= BUFFER


@pytest.mark.parametrize(
    ("slide", "tied"),
    [
        ((10, 20, 4, 30), {"a_r00_c00", "a_r00_c01"}),
        ((20, 10, 30, 4), {"a_r00_c00", "a_r01_c00"}),
        ((20, 20, 30, 30), {"a_r00_c00", "a_r00_c01", "a_r01_c00", "a_r01_c01"}),
        ((10, 20, 4, 60), {"a_r00_c00", "a_r00_c01", "a_r00_c02"}),
        ((10, 10, 22, 22), set()),
    ],
)
def test_blocks_with_a_landslide_across_their_edge_stay_together(
    orthophoto: Callable[..., None],
    profile_with: ProfileWith,
    slide: tuple[int, int, int, int],
    tied: set[str],
) -> None:
    orthophoto(slide)
    profile = profile_with(*BLOCKS)
    result = divided(profile)
    groups = [set(group.scenes) for group in result.groups if len(group.scenes) > 1]
    assert groups == ([tied] if tied else [])
    evidence = shared_ground(profile)
    assert {pair.kind for pair in evidence} == ({"landslide"} if tied else set())
    assert {name for pair in evidence for name in (pair.first, pair.second)} == tied


def test_landslide_over_a_corner_ties_its_blocks(
    write_scene: WriteScene, profile_with: ProfileWith
) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[63, 64] = mask[64, 63] = 1  # at the corner of four blocks
    write_scene("a", image=np.full((SIDE, SIDE, 3), 90, np.uint8), mask=mask)
    result = divided(profile_with(*BLOCKS, "split.overlap.content=false"))
    (group,) = (group.scenes for group in result.groups if len(group.scenes) > 1)
    assert group == ["a_r01_c02", "a_r02_c01"]


def test_too_few_groups_say_what_to_do(
    orthophoto: Callable[..., None], profile_with: ProfileWith, reporter: RecordingReporter
) -> None:
    orthophoto((40, 0, 4, SIDE), (0, 40, SIDE, 4), (70, 0, 20, SIDE), (10, 0, 4, SIDE))
    profile = profile_with(*BLOCKS)
    prepare(profile)
    message = error_of(DataError, profile)
    assert message.startswith("1 group of 9 scenes cannot be split into train, valid, test; foreg")
    assert "make split.block smaller" in message
    assert "--set split.by=scene" in message
    assert not (profile.dataset / "blocks.gpkg").exists()
    split(profile_with(*BLOCKS, "split.by=scene"), reporter=reporter)
    assert "pairs of scenes that share ground" in reporter.warnings[0]


def test_blocks_are_not_tied_by_looking_alike(
    write_scene: WriteScene, profile_with: ProfileWith
) -> None:
    pattern = np.random.default_rng(1).integers(0, 256, (128, 128, 3), np.uint8)
    image, mask = np.tile(pattern, (1, 3, 1)), np.zeros((128, 384), np.uint8)
    write_scene("a", image=image, mask=mask)
    write_scene("b", image=pattern, mask=mask[:, :128])
    write_scene("c", rows=32, cols=32)
    result = divided(profile_with("split.block=128", "split.valid=0", "split.test=0.3"))
    group = next(group for group in result.groups if "b" in group.scenes)
    assert group.scenes == ["a_r00_c00", "a_r00_c01", "a_r00_c02", "b"]
    assert all("b" in (pair.first, pair.second) for pair in group.evidence)


def test_an_event_does_not_tie_the_blocks_of_its_scene(
    orthophoto: Callable[..., None], profile_with: ProfileWith
) -> None:
    orthophoto()
    result = divided(profile_with(*BLOCKS, "source.event=Gorkha 2015"))
    assert len(result.groups) == 9


@pytest.mark.parametrize("folds", [(), ("split.folds=3",)])
def test_the_map_of_blocks_says_where_each_is_and_what_it_holds(
    orthophoto: Callable[..., None], profile_with: ProfileWith, folds: tuple[str, ...]
) -> None:
    orthophoto((10, 20, 4, 30))
    profile = profile_with(*BLOCKS, *folds)
    result = divided(profile)
    path = profile.dataset / "blocks.gpkg"
    meta, _, shapes, columns = raw.read(path, layer="blocks")
    fields = dict(zip(meta["fields"], columns, strict=True))
    assert len(shapes) == 9
    assert shapely.union_all(shapely.from_wkb(shapes)).equals(shapely.box(0, 0, SIDE, SIDE))
    of_block = dict(zip(fields["block"], range(9), strict=True))
    if folds:
        assert all(
            fields["fold"][of_block[name]] == fold
            for fold, parts in enumerate(result.folds, 1)
            for name in parts["test"]
        )
    else:
        assert all(
            fields["part"][of_block[name]] == part for part in PARTS for name in result.scenes[part]
        )
    second = of_block["a_r00_c01"]
    assert (fields["group"][second], fields["blocks_in_group"][second]) == ("a_r00_c00", 2)
    assert fields["labelled_px"][second] == (32 - 10) * (32 - 5)
    assert fields["share_landslide"][second] == pytest.approx(4 * 13 / (22 * 27), abs=1e-6)
    _, _, _, (styles,) = raw.read(path, layer="layer_styles", columns=["styleQML"])
    drawn = ElementTree.fromstring(styles[0]).find("renderer-v2")  # noqa: S314
    assert drawn is not None
    values = {entry.attrib["value"] for entry in drawn.iterfind("categories/category")}
    assert set(map(str, fields[drawn.attrib["attr"]])) <= values


def test_without_blocks_there_is_no_map(
    orthophoto: Callable[..., None], profile_with: ProfileWith
) -> None:
    orthophoto()
    divided(profile_with(*BLOCKS))
    for name in "bc":
        orthophoto(name=name)
    profile = profile_with("split.overlap.content=false", *BLOCKS[2:])
    prepare(profile, overwrite=True)
    split(profile, overwrite=True)
    assert not (profile.dataset / "blocks.gpkg").exists()


def test_blocks_of_another_size_must_be_prepared_again(
    orthophoto: Callable[..., None], profile_with: ProfileWith
) -> None:
    orthophoto()
    divided(profile_with(*BLOCKS))
    message = error_of(DataError, profile_with("split.block=48", *BLOCKS[1:]))
    assert "run `landslide prepare --overwrite`" in message


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["split.block=5 km"], "split.block must be metres or pixels"),
        (["split.block=0 m"], "split.block must be greater than 0"),
        (["split.block=-5"], "split.block"),
        (["split.buffer=5"], "needs split.block"),
        (["split.block=5", "split.buffer=5"], "split.buffer must be below split.block, 5"),
        (["split.block=500 m", "split.buffer=500 m"], "must be below split.block, 500"),
        (["split.block=5", "split.by=tile"], "'tile' does not go with split.block"),
        (["split.block=5", "prepare.resize=[64, 64]"], "split.block divides scenes"),
    ],
)
def test_settings_that_do_not_go_together(
    profile_with: ProfileWith, sets: list[str], said: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        profile_with(*sets)
    assert said in str(caught.value)


def test_copies_of_tiles_are_named_apart_from_blocks(
    orthophoto: Callable[..., None], profile_with: ProfileWith, tmp_path: Path
) -> None:
    orthophoto()
    result = divided(profile_with("split.block=32", "split.buffer=9"))
    train = {path.stem for path in (tmp_path / "dataset" / "train" / "images").iterdir()}
    assert {name.rpartition("_r")[0] for name in train} == set(result.scenes["train"])


def test_the_audit_finds_no_leak_between_blocks(
    orthophoto: Callable[..., None], profile_with: ProfileWith
) -> None:
    orthophoto((10, 20, 4, 30))
    profile = profile_with("split.block=32", "split.buffer=9")
    divided(profile)
    assert audit(profile).leaks == []
