"""Names, folders and patterns: what is there is no pattern, and what is no scene is left out."""

import json
import os
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landslide_cli.dataset.finding import differing_in_case, find_files, find_scenes
from landslide_cli.dataset.scenes import labelled_scenes
from landslide_cli.imagery.raster.images import write_image, write_picture

WriteRaster = Callable[..., Path]

PIXELS = np.zeros((4, 5, 3), np.uint8)


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, PIXELS)


def found(folder: Path, pattern: str) -> list[str]:
    files = find_scenes(f"{folder}/{pattern}").scenes
    return [path.relative_to(folder).as_posix() for path in files]


@pytest.mark.parametrize(
    "name", ["scene[1].tif", "a?.tif", "*.tif", "[!x].tif", "[.tif", "a]b.tif"]
)
def test_file_of_this_very_name_is_meant_and_no_other(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "scene1.tif", "ab.tif", "y.tif")
    assert found(tmp_path, name) == [name]


def test_brackets_are_a_pattern_where_no_such_file_is_there(tmp_path: Path) -> None:
    write(tmp_path, "scene1.tif", "scene2.tif", "scene3.tif")
    assert found(tmp_path, "scene[12].tif") == ["scene1.tif", "scene2.tif"]


@pytest.mark.parametrize(
    "pattern", ["area [old]", "area [old]/*.tif", "*/*[ab].tif", "**/*.tif", "area [old]/**"]
)
def test_folders_may_have_brackets_in_their_names(tmp_path: Path, pattern: str) -> None:
    write(tmp_path, "area [old]/a.tif", "area [old]/b.tif")
    assert found(tmp_path, pattern) == ["area [old]/a.tif", "area [old]/b.tif"]


def test_brackets_behind_a_wildcard_are_a_name_where_it_is_there(tmp_path: Path) -> None:
    write(tmp_path, "east/part[1]/a.tif", "west/part1/a.tif")
    assert found(tmp_path, "*/part[1]/*.tif") == ["east/part[1]/a.tif", "west/part1/a.tif"]


def test_folder_with_brackets_pairs_by_what_the_wildcards_match(tmp_path: Path) -> None:
    write(tmp_path, "data[1]/img_a.tif", "data[1]/img_b.tif")
    write(tmp_path, "data[1]/label_b.png", "data[1]/label_a.png")
    scenes = labelled_scenes(f"{tmp_path}/data[1]/img_*.tif", f"{tmp_path}/data[1]/label_*.png")
    assert [(scene.name, scene.mask and scene.mask.name) for scene in scenes] == [
        ("img_a", "label_a.png"),
        ("img_b", "label_b.png"),
    ]


NAMES = st.text("ab[]*?!-. ", min_size=1, max_size=7).filter(lambda name: name.strip("."))


@settings(max_examples=60)
@given(names=st.lists(NAMES, min_size=1, max_size=5, unique=True), folder=NAMES)
def test_every_file_is_found_by_its_own_name(names: list[str], folder: str) -> None:
    with tempfile.TemporaryDirectory() as base:
        home = Path(base) / f"d{folder}"
        home.mkdir()
        for name in names:
            (home / f"{name}.tif").write_bytes(b"any")
        for name in names:
            path = home / f"{name}.tif"
            assert find_scenes(str(path)).scenes == find_files(str(path)) == [path]
        listed = sorted(home / f"{name}.tif" for name in names if not name.startswith("."))
        assert find_scenes(str(home)).scenes == listed


@pytest.mark.parametrize("pattern", ["", "/*", "/**", "/a*", "/*a*"])
def test_hidden_files_and_what_lies_beside_rasters_are_no_scenes(
    tmp_path: Path, pattern: str
) -> None:
    write(tmp_path, "in/a.tif")
    for name in ("._a.tif", ".DS_Store", "Thumbs.db", "desktop.ini", "a.tfw", "a.tif.aux.xml"):
        (tmp_path / "in" / name).write_bytes(b"\0\5\x16\7")
    for name in ("a.tif.ovr", "a.tif.msk", "a.aux", "a.ovr"):
        (tmp_path / "in" / name).write_bytes((tmp_path / "in" / "a.tif").read_bytes())
    assert found(tmp_path, f"in{pattern}") == ["in/a.tif"]
    assert find_files(f"{tmp_path}/in{pattern}") == [tmp_path / "in/a.tif"]


def test_folder_gives_every_image_that_can_be_read_whatever_its_suffix(
    tmp_path: Path, write_raster: WriteRaster
) -> None:
    write(tmp_path, "in/a.tif", "in/B.TIFF")
    for source, name in (("a.tif", "c.img"), ("a.tif", "d"), ("B.TIFF", "e.webp")):
        (tmp_path / "in" / source).with_name(name).write_bytes(
            (tmp_path / "in" / source).read_bytes()
        )
    (tmp_path / "in" / "notes.pdf").write_text("no raster")
    (tmp_path / "in" / "below").mkdir()
    write_raster("in/height.tif", np.zeros((4, 5, 1), np.float32))
    (tmp_path / "in" / "height.tif").rename(tmp_path / "in" / "height.dem")
    result = find_scenes(str(tmp_path / "in"))
    assert [path.name for path in result.scenes] == ["B.TIFF", "a.tif", "c.img", "d", "e.webp"]
    assert [path.name for path in result.others] == ["height.dem"]
    assert "height.dem" in (result.left_out or "")


def test_image_that_cannot_be_read_is_left_to_be_complained_of(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "empty.tif").touch()
    (tmp_path / "in" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "in" / "bad.dat").write_text("no raster")
    assert found(tmp_path, "in") == ["in/empty.tif", "in/gone.png"]
    assert found(tmp_path, "in/*.dat") == ["in/bad.dat"]


def test_own_pictures_are_no_scenes_but_may_be_masks(tmp_path: Path) -> None:
    write(tmp_path, "in/a.png")
    write_picture(tmp_path / "in" / "any name.png", PIXELS)
    write_picture(tmp_path / "in" / "z.jpg", PIXELS)
    result = find_scenes(f"{tmp_path}/in/*")
    assert [path.name for path in result.scenes] == ["a.png"]
    assert [path.name for path in result.maps] == ["any name.png", "z.jpg"]
    assert "any name.png, z.jpg" in (result.left_out or "")
    named = tmp_path / "in" / "z.jpg"
    assert find_scenes(str(named)).scenes == [named]
    assert len(find_files(f"{tmp_path}/in/*")) == 3


def test_maps_of_older_versions_are_known_by_the_record_beside(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "a_mask.png", "b_mask.png")
    status = (tmp_path / "a_mask.png").stat()
    files = {"a_mask.png": [status.st_size, status.st_mtime_ns], "b_mask.png": [1, 2]}
    (tmp_path / "infer.json").write_text(json.dumps({"scenes": {"a": {"files": files}}}))
    # Another file has taken the place of the second map.
    assert found(tmp_path, "*.png") == ["a.png", "b_mask.png"]
    (tmp_path / "infer.json").write_text('["damaged"')
    assert len(found(tmp_path, "*.png")) == 3


def test_name_that_is_not_utf8_is_found(tmp_path: Path) -> None:
    name = os.fsdecode(b"Fl\xe4che.tif")
    (tmp_path / name).write_bytes(b"any")
    for pattern in (str(tmp_path), f"{tmp_path}/*.tif", f"{tmp_path}/{name}"):
        assert [path.name for path in find_scenes(pattern).scenes] == [name]


FORMS: list[Literal["NFC", "NFD"]] = ["NFC", "NFD"]


@pytest.mark.parametrize("on_disk", FORMS)
@pytest.mark.parametrize("typed", FORMS)
@pytest.mark.parametrize(
    "pattern",
    ["Fläche [é]/Höhe_1.tif", "Fläche [é]", "Fläche*/Höhe_?.tif", "**/H[öä]he*", "*/*_[12].tif"],
)
def test_letters_may_be_composed_otherwise_than_on_disk(
    tmp_path: Path, on_disk: Literal["NFC", "NFD"], typed: Literal["NFC", "NFD"], pattern: str
) -> None:
    name = unicodedata.normalize(on_disk, "Fläche [é]/Höhe_1.tif")
    write(tmp_path, name, "Flache/Hohe_3.tif")
    typed_pattern = unicodedata.normalize(typed, pattern)
    assert found(tmp_path, typed_pattern) == [name]
    assert find_files(f"{tmp_path}/{typed_pattern}") == [tmp_path / name]


def test_of_two_names_that_differ_in_their_form_alone_the_typed_one_is_meant(
    tmp_path: Path,
) -> None:
    names = [unicodedata.normalize(form, "ä.tif") for form in FORMS]
    write(tmp_path, *names)
    for name in names:
        assert found(tmp_path, name) == [name]
    assert len(found(tmp_path, "?.tif")) == 2


def test_links_that_lead_up_again_are_not_followed_for_ever(tmp_path: Path) -> None:
    write(tmp_path, "in/a.tif", "in/east/b.tif", "else/c.tif")
    for name, target in (("in/up", "."), ("in/east/top", ".."), ("in/other", "../else")):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "in/self").symlink_to("self")
    assert found(tmp_path, "in/**") == ["in/a.tif", "in/east/b.tif", "in/other/c.tif"]


def test_name_in_other_capitals_is_not_found_but_told(tmp_path: Path) -> None:
    write(tmp_path, "In/A.TIF")
    assert found(tmp_path, "in/*.tif") == []
    assert differing_in_case(f"{tmp_path}/in/*.tif") == [tmp_path / "In/A.TIF"]
    assert differing_in_case(f"{tmp_path}/in/b.tif") == []
    assert differing_in_case(f"{tmp_path}/In/*.TIF") == differing_in_case(f"{tmp_path}/In") == []


@pytest.mark.parametrize("pattern", ["nowhere.tif", "no*.tif", "~nobody/x.tif", "no/**/*.tif"])
def test_nothing_is_found_where_nothing_is(tmp_path: Path, pattern: str) -> None:
    assert find_scenes(pattern if pattern[0] == "~" else f"{tmp_path}/{pattern}").scenes == []
