"""Finding scenes and their masks by glob, and pairing them by name."""

import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landslide_cli.dataset.finding import find_files
from landslide_cli.dataset.scenes import Scene, bad_files, labelled_scenes
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import write_image

WriteRaster = Callable[..., Path]
CutShort = Callable[..., Path]


@pytest.fixture
def write_all(write_raster: WriteRaster) -> Callable[..., None]:
    """Write images of one size under the given names."""

    def write(*names: str, rows: int = 6, cols: int = 8) -> None:
        for name in names:
            write_raster(name, np.zeros((rows, cols, 3), np.uint8))

    return write


WriteAll = Callable[..., None]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def pairs(scenes: Sequence[Scene], folder: Path) -> list[tuple[str, str, str]]:
    names = []
    for scene in scenes:
        assert scene.mask is not None
        image, mask = scene.image.relative_to(folder), scene.mask.relative_to(folder)
        names.append((scene.name, image.as_posix(), mask.as_posix()))
    return names


def error_of(images: object, masks: object) -> str:
    with pytest.raises(DataError) as caught:
        labelled_scenes(str(images), str(masks))
    return str(caught.value)


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("Landslide*.tif", "LandslideLabel*.tif"),
        ("Landslide???.tif", "LandslideLabel???.tif"),
        ("Landslide???.tif", "LandslideLabel*.tif"),
        ("Landslide[0-9][0-9][0-9].tif", "LandslideLabel[0-9][0-9][0-9].tif"),
        ("Landslide[!L]*.tif", "LandslideLabel*.tif"),
    ],
)
def test_files_of_one_folder_pair_by_what_the_wildcards_matched(
    tmp_path: Path, write_all: WriteAll, images: str, masks: str
) -> None:
    for number in ("007", "001", "012"):
        write_all(f"Landslide{number}.tif", f"LandslideLabel{number}.tif")
    scenes = labelled_scenes(f"{tmp_path}/{images}", f"{tmp_path}/{masks}")
    assert [(scene.name, scene.image.name, scene.mask and scene.mask.name) for scene in scenes] == [
        (f"Landslide{number}", f"Landslide{number}.tif", f"LandslideLabel{number}.tif")
        for number in ("001", "007", "012")
    ]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"),
        ("images/*.jpg", "masks/*.png"),
        ("images/*", "masks/*"),
        ("images/[ab]*.jpg", "masks"),
        ("images/*[ab].jpg", "masks/?.png"),
        ("images/*.*", "masks/*.png"),
    ],
)
def test_jpeg_images_pair_with_png_masks_in_two_folders(
    tmp_path: Path, write_all: WriteAll, images: str, masks: str
) -> None:
    write_all("images/b.jpg", "masks/b.png", "masks/a.png", "images/a.jpg")
    scenes = labelled_scenes(f"{tmp_path}/{images}", f"{tmp_path}/{masks}")
    assert pairs(scenes, tmp_path) == [
        ("a", "images/a.jpg", "masks/a.png"),
        ("b", "images/b.jpg", "masks/b.png"),
    ]


def test_masks_with_a_suffix_to_their_name_pair_by_the_wildcard(
    tmp_path: Path, write_all: WriteAll
) -> None:
    write_all("images/a.jpg", "masks/a_mask.png", "images/b_2.jpg", "masks/b_2_mask.png")
    scenes = labelled_scenes(f"{tmp_path}/images/*.jpg", f"{tmp_path}/masks/*_mask.png")
    assert pairs(scenes, tmp_path) == [
        ("a", "images/a.jpg", "masks/a_mask.png"),
        ("b_2", "images/b_2.jpg", "masks/b_2_mask.png"),
    ]


def test_scenes_of_equal_name_in_several_folders_are_told_apart(
    tmp_path: Path, write_all: WriteAll
) -> None:
    for area in ("east", "west/upper"):
        write_all(f"raw/{area}/images/001.png", f"raw/{area}/masks/001.png")
    scenes = labelled_scenes(f"{tmp_path}/raw/**/images/*.png", f"{tmp_path}/raw/**/masks/*.png")
    assert pairs(scenes, tmp_path) == [
        ("east-001", "raw/east/images/001.png", "raw/east/masks/001.png"),
        ("west-upper-001", "raw/west/upper/images/001.png", "raw/west/upper/masks/001.png"),
    ]


def test_a_double_star_also_matches_no_folder_at_all(tmp_path: Path, write_all: WriteAll) -> None:
    write_all("raw/1.png", "raw/deep/2.png", "labels/1.png", "labels/deep/2.png")
    scenes = labelled_scenes(f"{tmp_path}/raw/**/*.png", f"{tmp_path}/labels/**/*.png")
    assert pairs(scenes, tmp_path) == [
        ("1", "raw/1.png", "labels/1.png"),
        ("2", "raw/deep/2.png", "labels/deep/2.png"),
    ]


def test_globs_are_relative_to_the_working_folder(
    tmp_path: Path, write_all: WriteAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all("raw/a1.png", "raw/m1.png")
    monkeypatch.chdir(tmp_path / "raw")
    for images, masks in (("a*.png", "m*.png"), ("./a*.png", "../raw/m*.png")):
        (scene,) = labelled_scenes(images, masks)
        assert (scene.name, scene.image.name, Path(scene.mask or "").name) == (
            "a1",
            "a1.png",
            "m1.png",
        )


@pytest.mark.parametrize("images", ["{folder}/L*.tif", "../raw/L*.tif", "./L*.tif"])
def test_a_mask_is_no_image_however_the_globs_spell_its_folder(
    tmp_path: Path, write_all: WriteAll, monkeypatch: pytest.MonkeyPatch, images: str
) -> None:
    write_all("raw/L1.tif", "raw/LMask1.tif")
    monkeypatch.chdir(tmp_path / "raw")
    (scene,) = labelled_scenes(images.format(folder=tmp_path / "raw"), "LMask*.tif")
    assert scene.name == "L1"


def test_a_tilde_is_the_home_folder(
    tmp_path: Path, write_all: WriteAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all("raw/a1.png", "raw/m1.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [scene.name for scene in labelled_scenes("~/raw/a*.png", "~/raw/m*.png")] == ["a1"]


def test_a_folder_gives_its_images_whatever_the_suffixs_case(
    tmp_path: Path, write_all: WriteAll
) -> None:
    write_all("images/b.tif", "images/a.png", "masks/b.png", "masks/a.png")
    (tmp_path / "images/b.tif").rename(tmp_path / "images/b.TIF")
    (tmp_path / "images/readme.txt").write_text("no image", encoding="utf-8")
    assert [path.name for path in find_files(str(tmp_path / "images"))] == ["a.png", "b.TIF"]
    assert len(labelled_scenes(f"{tmp_path}/images", f"{tmp_path}/masks")) == 2


def test_a_glob_that_matches_nothing_is_named(tmp_path: Path, write_all: WriteAll) -> None:
    write_all("a1.png", "m1.png")
    for images, masks, missing in (("x*", "m*", "x*"), ("a*", "x*", "x*"), ("none", "m*", "none")):
        message = error_of(tmp_path / images, tmp_path / masks)
        assert message.startswith(f"{tmp_path / missing}: no image found")


def test_a_file_that_both_globs_match_is_a_mask(tmp_path: Path, write_all: WriteAll) -> None:
    write_all("a1.png")
    assert "no image found" in error_of(tmp_path / "*.png", tmp_path / "a*.png")


def test_files_without_partner_are_all_named(tmp_path: Path, write_all: WriteAll) -> None:
    write_all("a1.png", "m1.png", "a2.png", "m3.png")
    message = error_of(tmp_path / "a*.png", tmp_path / "m*.png")
    assert message.startswith("2 files cannot be used:\n")
    assert f"{tmp_path / 'a2.png'} has no mask" in message
    assert f"{tmp_path / 'm3.png'} has no image" in message
    assert "a1.png" not in message


def test_one_bad_file_is_one_line(tmp_path: Path, write_all: WriteAll) -> None:
    write_all("a1.png", "m1.png", "a2.png")
    message = error_of(tmp_path / "a*.png", tmp_path / "m*.png")
    assert message == f"{tmp_path / 'a2.png'} has no mask"


def test_ten_bad_files_are_named_and_how_many_more(tmp_path: Path, write_all: WriteAll) -> None:
    write_all("a00.png", "m00.png", *(f"a{i:02d}.png" for i in range(1, 14)))
    message = error_of(tmp_path / "a*.png", tmp_path / "m*.png")
    assert message.startswith("13 files cannot be used:\n")
    for i in range(1, 11):
        assert f"a{i:02d}.png has no mask" in message
    assert "a11.png" not in message
    assert message.endswith("\nand 3 more")
    assert len(message.splitlines()) == 12


def test_a_mask_of_another_size_is_named_with_both_sizes(
    tmp_path: Path, write_all: WriteAll
) -> None:
    write_all("a1.png", "a2.png", "m1.png")
    write_all("m2.png", rows=5, cols=9)
    message = error_of(tmp_path / "a*.png", tmp_path / "m*.png")
    assert message == f"{tmp_path / 'm2.png'}: the mask is 9 x 5 pixels, its image 8 x 6"


def test_files_that_are_no_images_are_named(tmp_path: Path, write_all: WriteAll) -> None:
    write_all("a1.png", "m1.png", "m2.png", "a3.png")
    (tmp_path / "a2.png").write_text("text, not pixels", encoding="utf-8")
    (tmp_path / "m3.png").touch()
    message = error_of(tmp_path / "a*.png", tmp_path / "m*.png")
    assert message.startswith("2 files cannot be used:\n")
    assert f"{tmp_path / 'a2.png'}: is not an image" in message
    assert f"{tmp_path / 'm3.png'}: is an empty file" in message


def test_one_error_tells_of_every_kind_of_damage(
    tmp_path: Path, write_raster: WriteRaster, cut_short: CutShort
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    for i in range(1, 6):
        write_raster(f"a{i}.tif", noise)
        write_raster(f"m{i}.png", noise)
    cut_short(tmp_path / "m1.png", 0.7)
    cut_short(tmp_path / "a2.tif", 0.7)
    write_raster("m3.png", noise[:20])
    (tmp_path / "m4.png").unlink()
    message = error_of(tmp_path / "a*.tif", tmp_path / "m*.png")
    assert message.startswith("4 files cannot be used:\n")
    for name in ("m1.png", "a2.tif", "m3.png", "a4.tif"):
        assert message.count(f"{tmp_path / name}") == 1
    assert "a5.tif" not in message


def test_two_files_for_one_key_are_refused(tmp_path: Path, write_all: WriteAll) -> None:
    write_all("images/a.png", "images/a.tif", "masks/a.png")
    message = error_of(tmp_path / "images", tmp_path / "masks")
    assert "have the same name" in message
    assert "images/a.png" in message
    assert "images/a.tif" in message


def test_one_problem_is_told_as_it_is_and_several_are_sorted() -> None:
    assert str(bad_files(["b: broken;\nmend it"])) == "b: broken;\nmend it"
    assert str(bad_files({"b: broken;\nmend it", "a: gone"})) == (
        "2 files cannot be used:\na: gone\nb: broken; mend it"
    )


Form = Literal["NFC", "NFD"]
FORMS: st.SearchStrategy[Form] = st.sampled_from(("NFC", "NFD"))
PLAIN_NAMES = st.lists(
    st.from_regex(r"[a-z0-9_]{1,6}", fullmatch=True), min_size=1, max_size=6, unique=True
)


@settings(max_examples=20)
@given(names=PLAIN_NAMES, data=st.data())
def test_pairing_does_not_depend_on_the_order_in_which_files_were_made(
    names: list[str], data: st.DataObject
) -> None:
    files = [f"scene-{name}.png" for name in names] + [f"label-{name}.png" for name in names]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in data.draw(st.permutations(files)):
            write_image(folder / file, np.zeros((2, 3, 1), np.uint8))
        scenes = labelled_scenes(f"{folder}/scene-*.png", f"{folder}/label-*.png")
        assert pairs(scenes, folder) == [
            (f"scene-{name}", f"scene-{name}.png", f"label-{name}.png") for name in sorted(names)
        ]


NAMES = st.lists(
    st.text("abäñ019_-", min_size=1, max_size=6), min_size=1, max_size=5, unique_by=_composed
)
AFFIXES = st.tuples(
    st.sampled_from(["", "mask_", "label-"]), st.sampled_from(["", "_mask", "-gt", "_1"])
)


@settings(max_examples=30)
@given(NAMES, AFFIXES, FORMS, FORMS)
def test_masks_pair_by_name_but_for_one_beginning_and_ending(
    names: list[str], affixes: tuple[str, str], image_form: Form, mask_form: Form
) -> None:
    before, after = affixes
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        pixels = np.zeros((4, 4, 3), np.uint8)
        for name in names:
            image = unicodedata.normalize(image_form, name)
            mask = unicodedata.normalize(mask_form, f"{before}{name}{after}")
            for path in (folder / "i" / f"{image}.png", folder / "m" / f"{mask}.png"):
                path.parent.mkdir(exist_ok=True)
                write_image(path, pixels)
        try:
            scenes = labelled_scenes(str(folder / "i"), str(folder / "m"))
        except DataError:
            # Some names with the affixes are names of other images: `1` and `1_1`.
            assert {f"{before}{name}{after}" for name in names} & set(names)
            return
        for scene in scenes:
            assert scene.mask is not None
            image, mask = (_composed(path.stem) for path in (scene.image, scene.mask))
            assert mask == f"{before}{image}{after}"


def test_names_that_are_not_alike_are_told_with_patterns_that_pair_them(
    tmp_path: Path, write_all: WriteAll
) -> None:
    write_all("i/img_1.png", "i/img_2.png", "m/truth_1.png", "m/truth_2.png")
    message = error_of(tmp_path / "i", tmp_path / "m")
    assert "no image and mask are called alike, as img_1.png and truth_1.png" in message
    assert "patterns whose wildcards match the same text" in message
    scenes = labelled_scenes(f"{tmp_path}/i/img_*.png", f"{tmp_path}/m/truth_*.png")
    assert [scene.name for scene in scenes] == ["img_1", "img_2"]


def test_images_in_folders_below_are_told_with_the_pattern_that_finds_them(
    tmp_path: Path, write_all: WriteAll
) -> None:
    write_all("i/north/a.png", "i/south/b.png", "m/north/a.png", "m/south/b.png")
    message = error_of(tmp_path / "i", tmp_path / "m")
    assert f"folders below (north, south); write {tmp_path}/i/**/*.png" in message
    scenes = labelled_scenes(f"{tmp_path}/i/**/*.png", f"{tmp_path}/m/**/*.png")
    assert len(scenes) == 2


def test_image_and_mask_may_be_arrays_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    mask = np.zeros((6, 8), np.uint8)
    np.savez(path, image=np.zeros((6, 8, 3), np.uint8), mask=mask)
    pattern = str(tmp_path / "*.npz")
    (scene,) = labelled_scenes(pattern, pattern, key="image", mask_key="mask")
    assert (scene.name, scene.image, scene.mask) == ("a", path / "image", path / "mask")
    with pytest.raises(DataError, match="does not take for a mask"):
        labelled_scenes(pattern, pattern, key="image", mask_key="image")
