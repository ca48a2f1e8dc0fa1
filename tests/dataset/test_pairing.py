"""Which mask belongs to which image, as people name them."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from landslide_cli.dataset.scenes import labelled_scenes
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import write_image


def write(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = path.with_suffix(path.suffix.lower())
        write_image(drawn, np.zeros((4, 5, 3), np.uint8))
        drawn.rename(path)


def partners(folder: Path, images: str, masks: str) -> dict[str, str]:
    scenes = labelled_scenes(f"{folder}/{images}", f"{folder}/{masks}")
    return {scene.image.name: scene.mask.name for scene in scenes if scene.mask is not None}


def refusal(folder: Path, images: str, masks: str) -> str:
    with pytest.raises(DataError) as caught:
        labelled_scenes(f"{folder}/{images}", f"{folder}/{masks}")
    return str(caught.value)


@pytest.mark.parametrize(
    ("images", "masks", "files", "expected"),
    [
        ("*.png", "*_label.tif", ["x.png", "x_label.tif"], {"x.png": "x_label.tif"}),
        (".", "*_label.tif", ["x.png", "x_label.tif"], {"x.png": "x_label.tif"}),
        ("i", "m", ["i/x.png", "m/x_mask.tif"], {"x.png": "x_mask.tif"}),
        ("i/*.png", "m", ["i/x.png", "m/x_mask.tif"], {"x.png": "x_mask.tif"}),
        ("i", "m", ["i/X.TIF", "m/x_Mask.PNG"], {"X.TIF": "x_Mask.PNG"}),
        ("i/*.TIF", "m/*_Mask.PNG", ["i/X.TIF", "m/x_Mask.PNG"], {"X.TIF": "x_Mask.PNG"}),
        ("i", "m", ["i/X.TIF", "m/x.TIF"], {"X.TIF": "x.TIF"}),
        (
            *("i", "m", ["i/a.png", "i/B.png", "m/a_mask.png", "m/b_Mask.png"]),
            {"a.png": "a_mask.png", "B.png": "b_Mask.png"},
        ),
        # Names that differ in case alone are told from each other where they can be.
        (
            *("i", "m", ["i/a.png", "i/A.png", "m/a.png", "m/A.png"]),
            {"a.png": "a.png", "A.png": "A.png"},
        ),
    ],
)
def test_masks_are_found_as_people_name_them(
    tmp_path: Path, images: str, masks: str, files: list[str], expected: dict[str, str]
) -> None:
    write(tmp_path, files)
    assert partners(tmp_path, images, masks) == expected


@pytest.mark.parametrize(
    ("image", "masks"),
    [
        ("x.png", ["x.tif", "x_mask.tif"]),
        ("x.png", ["x_mask.tif", "x_label.tif"]),
        ("x.png", ["x.tif", "x.png"]),
        ("x.png", ["X.tif", "label_x.tif"]),
        ("aB.png", ["ab.tif", "AB.tif"]),
        ("x.png", ["X_mask.tif", "x_Mask.tif"]),
    ],
)
@pytest.mark.parametrize("others", [[], ["other"]])
def test_two_masks_of_one_image_are_refused_by_their_names(
    tmp_path: Path, image: str, masks: list[str], others: list[str]
) -> None:
    write(tmp_path, [f"i/{image}", *(f"m/{name}" for name in masks)])
    write(tmp_path, [f"{folder}/{name}.png" for name in others for folder in "im"])
    message = refusal(tmp_path, "i", "m")
    assert all(f"{tmp_path}/m/{name}" in message for name in masks)


def test_link_that_leads_to_itself_is_a_file_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, ["i/x.png", "m/x.png", "m/y.png"])
    (tmp_path / "i/y.png").symlink_to("y.png")
    assert f"{tmp_path}/i/y.png" in refusal(tmp_path, "i", "m")


def test_empty_folder_is_not_told_of_itself(tmp_path: Path) -> None:
    (tmp_path / "i").mkdir()
    write(tmp_path, ["m/x.png"])
    assert "capitals" not in refusal(tmp_path, "i", "m")


def test_pattern_in_other_capitals_than_the_files_is_told_of_them(tmp_path: Path) -> None:
    write(tmp_path, ["i/X.TIF", "m/x.png"])
    message = refusal(tmp_path, "i/*.tif", "m/*.png")
    assert f"{tmp_path}/i/X.TIF in other capitals" in message


def test_images_that_are_all_taken_for_masks_are_told(tmp_path: Path) -> None:
    write(tmp_path, ["x.png", "x_mask.png"])
    message = refusal(tmp_path, ".", ".")
    assert f"no image found that {tmp_path}/. does not take for a mask" in message


@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_patterns_pair_whichever_way_letters_are_composed(tmp_path: Path, typed: str) -> None:
    form = "NFD" if typed == "NFC" else "NFC"
    write(tmp_path, [unicodedata.normalize(form, "Höhe/Bild_ä.png")])  # type: ignore[arg-type]
    write(tmp_path, ["Höhe-Masken/Maske_ä.png"])
    images, masks = (
        unicodedata.normalize(typed, name)  # type: ignore[arg-type]
        for name in ("Höhe/Bild_*.png", "Höhe-Masken/Maske_*.png")
    )
    assert len(partners(tmp_path, images, masks)) == 1
