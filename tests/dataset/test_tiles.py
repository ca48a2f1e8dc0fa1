"""The manifest of the tiles, and the tiles of a part."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.dataset.tiles import (
    Tile,
    TileFiles,
    part_tiles,
    read_manifest,
    write_manifest,
)
from landslide_cli.errors import DataError
from landslide_cli.records import Step

TILES = st.builds(
    Tile,
    tile=st.from_regex(r"[A-Za-z0-9_ ,\"'äß.-]{0,8}[a-z]", fullmatch=True),
    scene=st.from_regex(r"[A-Za-z0-9_ ,\"'äß.-]{1,9}", fullmatch=True),
    row=st.integers(0, 10**6),
    column=st.integers(0, 10**6),
    augmentation=st.sampled_from(["", "hflip", "distort0.02"]),
    labelled_pixels=st.integers(0, 10**9),
    foreground_share=st.integers(0, 10**6).map(lambda millionths: millionths / 10**6),
)


@given(st.lists(TILES, max_size=5))
def test_a_manifest_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, tiles: list[Tile]
) -> None:
    folder = tmp_path_factory.mktemp("tiles")
    write_manifest(folder, tiles)
    assert read_manifest(folder) == tiles


def test_a_manifest_is_a_table_with_a_head(tmp_path: Path) -> None:
    write_manifest(tmp_path, [Tile("a_r00000_c00016_hflip", "a", 0, 16, "hflip", 256, 1 / 3)])
    assert (tmp_path / "manifest.csv").read_text(encoding="utf-8") == (
        "tile,scene,row,column,augmentation,labelled_pixels,foreground_share\n"
        "a_r00000_c00016_hflip,a,0,16,hflip,256,0.333333\n"
    )


def test_of_more_than_two_classes_a_manifest_has_the_pixels_of_each(tmp_path: Path) -> None:
    tiles = [
        Tile("a", "a", 0, 0, "", 9, 0.5, (4, 3, 2)),
        Tile("b", "b", 0, 0, "", 4, 0.0, (4, 0, 0)),
    ]
    write_manifest(tmp_path, tiles)
    head, first, _ = (tmp_path / "manifest.csv").read_text(encoding="utf-8").splitlines()
    assert (head.split(",")[-1], first.split(",")[-1]) == ("class_pixels", "4 3 2")
    assert read_manifest(tmp_path) == tiles


def test_without_a_manifest_there_are_no_tiles_yet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run `landslide prepare` first") as caught:
        read_manifest(tmp_path / "tiles")
    assert str(tmp_path / "tiles" / "manifest.csv") in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"just a text\n",
        b"tile,scene\na,b\n",
        b"tile,scene,row,column,augmentation,labelled_pixels,foreground_share\na,b,x,0,,4,0.5\n",
        b"tile,scene,row,column,augmentation,labelled_pixels,foreground_share\na,b,0,0,,4,\n",
        b"tile,scene,row,column,augmentation,labelled_pixels,foreground_share\na,b,0\n",
        b"tile,scene,row,column,augmentation,labelled_pixels,foreground_share\n../../a,b,0,0,,4,0.5\n",
        b"tile,scene,row,column,augmentation,labelled_pixels,foreground_share\n/etc/a,b,0,0,,4,0.5\n",
        b"\x89PNG\r\n\x1a\n\xff\xfe\x00",
        b"x" * 200_000 + b"\n",
    ],
    ids=[
        "empty",
        "text",
        "columns missing",
        "no number",
        "no share",
        "short row",
        "path upwards",
        "absolute path",
        "binary",
        "one long word",
    ],
)
def test_what_is_no_manifest_is_called_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(DataError, match="is not a manifest of tiles") as caught:
        read_manifest(tmp_path)
    assert str(tmp_path / "manifest.csv") in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_manifest_that_prepare_did_not_write_is_refused(tmp_path: Path) -> None:
    tiles = [Tile("a", "s", 0, 0, "", 9, 0.5), Tile("b", "s", 0, 16, "", 9, 0.25)]
    write_manifest(tmp_path, tiles)
    step = Step.of(tmp_path / "prepare.json", {}, [])
    step.finish({}, files=["manifest.csv"])
    assert read_manifest(tmp_path) == tiles
    write_manifest(tmp_path, tiles[:1])
    message = r"manifest\.csv: is not the file that prepare\.json describes;\n.*landslide prepare"
    with pytest.raises(DataError, match=message):
        read_manifest(tmp_path)


@pytest.fixture
def touch(tmp_path: Path) -> Callable[..., None]:
    def make(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return make


Touch = Callable[..., None]


def test_a_part_lists_image_and_mask_by_name(tmp_path: Path, touch: Touch) -> None:
    touch("train/images/b.jpg", "train/images/a.png", "train/masks/a.png", "train/masks/b.png")
    touch("train/images/readme.txt", "valid/images/c.png", "valid/masks/c.png")
    train = tmp_path / "train"
    assert part_tiles(tmp_path, "train") == [
        TileFiles(train / "images" / "a.png", train / "masks" / "a.png"),
        TileFiles(train / "images" / "b.jpg", train / "masks" / "b.png"),
    ]


@pytest.mark.parametrize("there", ["nothing", "folders", "masks"])
def test_a_part_without_images_is_answered_with_what_to_do(
    tmp_path: Path, touch: Touch, there: str
) -> None:
    if there == "folders":
        (tmp_path / "test" / "images").mkdir(parents=True)
    if there == "masks":
        touch("test/masks/a.png")
    expected = "no test tiles; run `landslide prepare` first, then `landslide split`"
    with pytest.raises(DataError, match=expected) as caught:
        part_tiles(tmp_path, "test")
    assert str(tmp_path / "test" / "images") in str(caught.value)


def test_images_and_masks_that_do_not_match_are_named(tmp_path: Path, touch: Touch) -> None:
    touch("train/images/a.png", "train/masks/a.png", "train/images/b.png", "train/masks/c.png")
    with pytest.raises(DataError, match="do not match") as caught:
        part_tiles(tmp_path, "train")
    message = str(caught.value)
    assert str(tmp_path / "train/images/b.png") in message
    assert str(tmp_path / "train/masks/c.png") in message
    assert "a.png" not in message
