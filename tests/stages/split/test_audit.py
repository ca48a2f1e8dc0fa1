"""The audit of a dataset that anyone may have divided."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from landslide_cli.app import main
from landslide_cli.core.arrays import Image
from landslide_cli.errors import DataError
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.imagery.warp import copies
from landslide_cli.profile import Profile
from landslide_cli.stages.split.audit import AuditResult, audit

Content = Callable[[Path], dict[str, bytes | None]]
ProfileWith = Callable[..., Profile]

SIDE = 192


@pytest.fixture(scope="module")
def ground() -> list[Image]:
    """Eight places, the first a wide one."""
    first, _ = draw_scene(11, 0, SIDE + 96, SIDE)
    return [first, *(draw_scene(11, index, SIDE, SIDE)[0] for index in range(1, 8))]


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write an image into a part of the dataset; masks are not looked at."""

    def write(part: str, name: str, image: Image) -> Path:
        path = tmp_path / "dataset" / part / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), image[..., ::-1])
        return path

    return write


def distorted(image: Image) -> Image:
    mask = np.zeros(image.shape[:2], np.uint8)
    ((_, copy, _),) = copies(image, mask, (1,), distortions=[0.02], **PLAIN)
    return copy


PLAIN: dict[str, Any] = {"hflip": False, "vflip": False, "rotate90": False}


def leaks_by_item(result: AuditResult) -> dict[str, tuple[str, str, str]]:
    return {leak.item: (leak.found_in, leak.shown_by, leak.kind) for leak in result.leaks}


def test_leaks_of_every_kind_are_found_and_nothing_else(
    profile_with: ProfileWith,
    put: Callable[..., Path],
    ground: list[Image],
    content_of: Content,
    tmp_path: Path,
) -> None:
    put("train", "1.png", ground[0][:, :SIDE])
    for index in (1, 2, 3, 4):
        put("train", f"{index + 1}.png", ground[index])
    put("valid", "flipped.png", np.ascontiguousarray(ground[1][:, ::-1]))
    put("valid", "fresh.png", ground[5])
    put("test", "distorted.png", distorted(ground[2]))
    put("test", "reencoded.jpg", ground[3])
    put("test", "shifted.png", ground[0][:, 96:])
    put("test", "of-valid.png", np.ascontiguousarray(ground[5][::-1]))
    put("test", "clean.png", ground[6])
    put("test", "clean-too.png", ground[7])
    before = content_of(tmp_path)
    result = audit(profile_with())
    assert content_of(tmp_path) == before
    assert leaks_by_item(result) == {
        "flipped": ("train", "2", "copy"),
        "distorted": ("train", "3", "copy"),
        "reencoded": ("train", "4", "copy"),
        "shifted": ("train", "1", "content"),
        "of-valid": ("valid", "fresh", "copy"),
    }
    assert {leak.item for leak in result.leaks if leak.mirrored} == {"flipped", "of-valid"}
    assert result.items == {"train": 5, "valid": 2, "test": 6}
    assert result.clean == {"valid": 0.5, "test": 0.5}
    assert result.apart == pytest.approx(1 / 3)
    assert result.exit_status == 1
    assert json.loads(json.dumps(result.document())) == result.document()


def test_a_dataset_that_does_not_leak_passes(
    profile_with: ProfileWith, put: Callable[..., Path], ground: list[Image]
) -> None:
    for index in (1, 2, 3):
        put("train", f"{index}.png", ground[index])
    put("test", "4.png", ground[4])
    result = audit(profile_with())
    assert result.leaks == []
    assert (result.clean, result.apart, result.exit_status) == ({"test": 1.0}, 1.0, 0)
    assert "no leak" in result.headline()


def test_tiles_of_one_scene_are_told_by_the_names_that_prepare_gives(
    profile_with: ProfileWith, put: Callable[..., Path], ground: list[Image]
) -> None:
    put("train", "scene-a_r00000_c00000.png", ground[1])
    put("train", "scene-b_r00000_c00000_hflip.png", ground[2])
    put("test", "scene-a_r00000_c00192.png", ground[3])
    put("test", "scene-c_r00000_c00000.png", ground[4])
    result = audit(profile_with())
    assert leaks_by_item(result) == {
        "scene-a_r00000_c00192": ("train", "scene-a_r00000_c00000", "scene")
    }


def test_tiles_of_one_group_are_told_by_the_users_pattern(
    profile_with: ProfileWith, put: Callable[..., Path], ground: list[Image]
) -> None:
    put("train", "north-1.png", ground[1])
    put("test", "north-2.png", ground[2])
    put("test", "south-1.png", ground[3])
    assert leaks_by_item(audit(profile_with("split.groups=^(\\w+)-"))) == {
        "north-2": ("train", "north-1", "scene")
    }
    assert audit(profile_with()).leaks == []


def test_constant_tiles_show_no_ground(
    profile_with: ProfileWith, put: Callable[..., Path], ground: list[Image]
) -> None:
    black = np.zeros((SIDE, SIDE, 3), np.uint8)
    put("train", "1.png", black)
    put("train", "2.png", ground[1])
    put("test", "3.png", black)
    assert audit(profile_with()).leaks == []


@pytest.mark.parametrize("parts", [[], ["test"], ["train"]])
def test_a_dataset_without_parts_to_compare_is_refused(
    profile_with: ProfileWith, put: Callable[..., Path], ground: list[Image], parts: list[str]
) -> None:
    for part in parts:
        put(part, "1.png", ground[1])
    with pytest.raises(DataError, match="no images") as caught:
        audit(profile_with())
    assert len(str(caught.value).splitlines()) <= 2


def test_an_unreadable_image_is_named(
    profile_with: ProfileWith, put: Callable[..., Path], ground: list[Image]
) -> None:
    put("train", "1.png", ground[1])
    broken = put("test", "2.png", ground[2])
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(DataError, match=r"2\.png"):
        audit(profile_with())


def test_the_command_ends_with_status_one_only_if_something_leaks(
    profile_file: Path,
    put: Callable[..., Path],
    ground: list[Image],
    capsys: pytest.CaptureFixture[str],
) -> None:
    put("train", "1.png", ground[1])
    put("test", "2.png", ground[2])
    assert main(["split", str(profile_file), "--audit", "--quiet"]) == 0
    put("test", "3.png", np.ascontiguousarray(ground[1][:, ::-1]))
    capsys.readouterr()
    assert main(["split", str(profile_file), "--audit", "--json", "--quiet"]) == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert [leak["item"] for leak in document["leaks"]] == ["3"]
    assert document["clean"] == {"test": 0.5}
    assert captured.err == ""
